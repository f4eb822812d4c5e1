package ensemble

import "math"

const (
	levelMin   = 20
	levelBound = 6
	// levelSteps is the number of steps in which deviations up to levelBound
	// are counted: sums of them are exact, so that they can be carried on.
	levelSteps = math.MaxInt8
)

// levelWindows are the numbers of values whose sum is carried on; those of one
// and two values are at hand.
var levelWindows = [...]uint64{4, 8, 16, 32}

// level is the generalised likelihood ratio of a change of the mean within the
// last 1, 2, 4 … 32 values.
type level struct {
	// deviations holds those of the newest values from the fast reference, in
	// its scales. Value k is at k % recentSize.
	deviations [recentSize]int8
	sums       [len(levelWindows)]int16
}

// observe learns z, the n-th deviation, and returns the ratio.
func (l *level) observe(n uint64, z float64) float64 {
	const offset = 2 * levelSteps // truncation then rounds down, also below 0
	q := int32(cut(z, levelBound)*(levelSteps/levelBound)+(offset+.5)) - offset
	// In sum² / m, times the longest window.
	const longest = recentSize
	two := q + int32(l.deviations[(n-1)%recentSize])
	best := max(longest*q*q, longest/2*two*two)
	for i, m := range levelWindows {
		sum := int32(l.sums[i]) + q - int32(l.deviations[(n-m)%recentSize])
		l.sums[i] = int16(sum)
		best = max(best, longest/int32(m)*sum*sum)
	}
	l.deviations[n%recentSize] = int8(q)
	return math.Sqrt(float64(best)/longest) * (levelBound / float64(levelSteps))
}

// resum derives the sums, n being the number of the newest value.
func (l *level) resum(n uint64) {
	for i, m := range levelWindows {
		sum := int16(0)
		for k := range m {
			sum += int16(l.deviations[(n-k)%recentSize])
		}
		l.sums[i] = sum
	}
}
