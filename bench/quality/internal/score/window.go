package score

import (
	"math"
	"slices"
)

// window holds the last size values in the order of their arrival and in that
// of their size.
type window struct {
	size   int
	ring   []float64
	next   int
	sorted []float64
}

func newWindow(size int) *window {
	return &window{size: size, ring: make([]float64, 0, size), sorted: make([]float64, 0, size)}
}

func (w *window) len() int { return len(w.ring) }

func (w *window) add(x float64) {
	if len(w.ring) < w.size {
		w.ring = append(w.ring, x)
	} else {
		i, _ := slices.BinarySearch(w.sorted, w.ring[w.next])
		w.sorted = slices.Delete(w.sorted, i, i+1)
		w.ring[w.next] = x
		w.next = (w.next + 1) % w.size
	}
	i, _ := slices.BinarySearch(w.sorted, x)
	w.sorted = slices.Insert(w.sorted, i, x)
}

// moments returns the mean and the standard deviation with divisor n-1, in two
// passes: slower than running sums, and free of their cancellation.
func (w *window) moments() (mean, sd float64) {
	for _, x := range w.ring {
		mean += x
	}
	n := float64(len(w.ring))
	mean /= n
	ss := 0.
	for _, x := range w.ring {
		ss += (x - mean) * (x - mean)
	}
	return mean, math.Sqrt(ss / (n - 1))
}

// quantile is the type-7 quantile of Hyndman and Fan, p in [0, 1].
func (w *window) quantile(p float64) float64 {
	h := p * float64(len(w.sorted)-1)
	i := int(h)
	if i+1 >= len(w.sorted) {
		return w.sorted[len(w.sorted)-1]
	}
	return w.sorted[i] + (h-float64(i))*(w.sorted[i+1]-w.sorted[i])
}

// mad is the median absolute deviation from the median.
func (w *window) mad(median float64) float64 {
	// The deviations of both sides of the median are sorted runs; merge them up
	// to the middle.
	s := w.sorted
	hi, _ := slices.BinarySearch(s, median)
	lo := hi - 1
	n, last, before := len(s), 0., 0.
	for range n/2 + 1 {
		before = last
		if hi >= n || (lo >= 0 && median-s[lo] <= s[hi]-median) {
			last = median - s[lo]
			lo--
		} else {
			last = s[hi] - median
			hi++
		}
	}
	if n%2 == 0 {
		return (before + last) / 2
	}
	return last
}

// meanAbs is the mean absolute deviation from level.
func (w *window) meanAbs(level float64) float64 {
	sum := 0.
	for _, x := range w.ring {
		sum += math.Abs(x - level)
	}
	return sum / float64(len(w.ring))
}
