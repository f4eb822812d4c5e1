package evaluate

import "slices"

// thresholdStep is the ratio between the ranks of neighbouring thresholds that
// a search tries: fine where scores are rare, and 300 thresholds in all for a
// hundred thousand scores.
const thresholdStep = 1.03

// Thresholds returns positive scores to try as thresholds, from the highest
// downwards, as far as the given part of the scores lies at or above.
func Thresholds(scores []float64, part float64) []float64 {
	sorted := slices.Clone(scores)
	slices.Sort(sorted)
	slices.Reverse(sorted)
	var out []float64
	limit := part * float64(len(sorted))
	for rank := 0.; rank < limit; rank = max(rank+1, rank*thresholdStep) {
		t := sorted[int(rank)]
		if t <= 0 {
			break
		}
		if len(out) == 0 || t < out[len(out)-1] {
			out = append(out, t)
		}
	}
	return out
}
