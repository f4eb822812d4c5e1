// Package evaluate compares scores and alerts with the truth: points, events
// and what chance would have found.
package evaluate

import (
	"cmp"
	"slices"
)

// AveragePrecision is the area under the precision-recall curve as a step
// function: the mean precision at the positive points, in [0, 1]. Points with
// the same score enter together. It is 0 without a positive point.
func AveragePrecision(scores []float64, positive []bool) float64 {
	order := make([]int, len(scores))
	total := 0
	for i := range order {
		order[i] = i
		if positive[i] {
			total++
		}
	}
	if total == 0 {
		return 0
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(scores[b], scores[a]) })
	sum, found := 0., 0
	for i := 0; i < len(order); {
		j, hits := i, 0
		for ; j < len(order) && scores[order[j]] == scores[order[i]]; j++ {
			if positive[order[j]] {
				hits++
			}
		}
		found += hits
		sum += float64(hits) * float64(found) / float64(j)
		i = j
	}
	return sum / float64(total)
}
