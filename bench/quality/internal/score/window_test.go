package score

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestWindowAgreesWithBruteForce(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, size := range []int{1, 2, 5, 16, 33} {
		w := newWindow(size)
		var all []float64
		for range 200 {
			x := math.Round(r.NormFloat64() * 3) // with ties
			w.add(x)
			all = append(all, x)
			last := all[max(0, len(all)-size):]
			sorted := slices.Sorted(slices.Values(last))
			assert.Equal(t, sorted, w.sorted)
			median := middle(sorted)
			assert.Equal(t, median, w.quantile(.5))
			dev := make([]float64, len(last))
			for i, v := range last {
				dev[i] = math.Abs(v - median)
			}
			slices.Sort(dev)
			assert.Equal(t, middle(dev), w.mad(median))
		}
	}
}

func middle(sorted []float64) float64 {
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

func TestWindowMoments(t *testing.T) {
	w := newWindow(4)
	for _, x := range []float64{99, 2, 4, 4, 6} { // 99 drops out
		w.add(x)
	}
	mean, sd := w.moments()
	assert.Equal(t, 4., mean)
	assert.InDelta(t, math.Sqrt(8./3), sd, 1e-12)
	assert.Equal(t, 1., w.meanAbs(4))
	assert.Equal(t, 3.5, w.quantile(.25))
	assert.Equal(t, 6., w.quantile(1))
}
