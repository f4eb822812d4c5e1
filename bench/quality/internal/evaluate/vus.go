package evaluate

import (
	"cmp"
	"math"
	"slices"
)

// VUSPR is the volume under the surface of precision and recall of Paparrizos et
// al. (VLDB 2022), in [0, 1]: the mean, over buffers of 0..longest points, of the
// area under a precision-recall curve that forgives scores beside an anomaly. It
// is 0 without a positive point.
//
// With a buffer of w points, the w/2 points on each side of an anomaly are
// positive by sqrt(1 - distance/w). Recall is multiplied by the part of the
// anomalies of which anything was found; anomalies whose buffers meet are one. As
// in the implementation of TSB-AD, and other than in the paper, recall counts a
// buffer as positive only where it was found, so that scores that are perfect
// without it get 1. Every score is a threshold, where TSB-AD takes 250 of them;
// points with the same score enter together.
func VUSPR(scores []float64, positive []bool, longest int) float64 {
	events := Events(positive, 0)
	if len(events) == 0 {
		return 0
	}
	order := make([]int, len(scores))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(scores[b], scores[a]) })
	sum := 0.
	for w := range longest + 1 {
		b := newBuffered(len(scores), events, w)
		sum += b.area(scores, positive, order)
	}
	return sum / float64(longest+1)
}

// buffered are labels with a buffer.
type buffered struct {
	// weight of each row in [0, 1]: 1 in an anomaly.
	weight []float64
	// segment that each row is in, of anomalies with their buffers; -1 for none.
	segment  []int
	segments int
	// rows of the anomalies.
	rows int
}

func newBuffered(rows int, events []Event, w int) buffered {
	b := buffered{weight: make([]float64, rows), segment: make([]int, rows), segments: 1}
	for i := range b.segment {
		b.segment[i] = -1
	}
	half := w / 2
	for k, e := range events {
		if k > 0 && events[k-1].Last+half < e.First-half {
			b.segments++
		}
		b.rows += e.Last - e.First + 1
		for i := max(0, e.First-half); i <= min(rows-1, e.Last+half); i++ {
			x := 1.
			if d := max(e.First-i, i-e.Last); d > 0 {
				x = math.Sqrt(1 - float64(d)/float64(w))
			}
			b.weight[i] = min(1, b.weight[i]+x)
			b.segment[i] = b.segments - 1
		}
	}
	return b
}

// area is that under the curve. order has the rows by falling score.
func (b *buffered) area(scores []float64, positive []bool, order []int) float64 {
	found := make([]bool, b.segments)
	segments, hit, beside, last, area := 0., 0., 0., 0., 0.
	for i := 0; i < len(order); {
		j := i
		for ; j < len(order) && scores[order[j]] == scores[order[i]]; j++ {
			row := order[j]
			hit += b.weight[row]
			if !positive[row] {
				beside += b.weight[row]
			}
			if s := b.segment[row]; s >= 0 && !found[s] {
				found[s] = true
				segments++
			}
		}
		recall := min(1, hit/(float64(b.rows)+beside/2)) * segments / float64(b.segments)
		area += (recall - last) * hit / float64(j)
		last = recall
		i = j
	}
	return area
}
