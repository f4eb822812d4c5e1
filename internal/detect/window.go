package detect

import (
	"bytes"
	"math"
)

// flatWindow is the longest window that lies in the state itself.
const flatWindow = 64

// tail is the memory of windows longer than flatWindow.
type tail struct {
	ring [MaxWindow]float32
	rank [MaxWindow]uint8
}

// window is the short reference: the last values in a ring, and the slots of
// the ring in the order of their values. The order makes every quantile a
// look-up; keeping it costs one search and one short memmove per value, which
// beats trees and heaps at this size.
//
// Sums are kept relative to pivot and are recomputed each time the ring wraps,
// so that rounding errors neither add up nor show on constant series.
type window struct {
	ring  [flatWindow]float32
	rank  [flatWindow]uint8
	long  *tail // set when the model's window exceeds flatWindow
	pivot float64
	sum   float64
	sum2  float64
	n     uint8
	head  uint8 // slot of the next value
}

// slices returns ring and rank with size slots.
func (w *window) slices(size int) ([]float32, []uint8) {
	if size > flatWindow {
		return w.long.ring[:size], w.long.rank[:size]
	}
	return w.ring[:size], w.rank[:size]
}

// push adds v and drops the oldest value when the window of size is full.
func (w *window) push(v float32, size int) {
	ring, rank := w.slices(size)
	n := int(w.n)
	slot := w.head
	at := n
	if n == size {
		old := ring[slot]
		d := float64(old) - w.pivot
		w.sum -= d
		w.sum2 -= d * d
		at = bytes.IndexByte(rank, slot)
		n--
	} else {
		w.n++
	}
	ring[slot] = v
	// Position among the n others, as if slot were not in rank.
	lo, hi := 0, n
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		r := mid
		if mid >= at {
			r++
		}
		if ring[rank[r]] <= v {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	if lo < at {
		copy(rank[lo+1:at+1], rank[lo:at])
	} else {
		copy(rank[at:lo], rank[at+1:lo+1])
	}
	rank[lo] = slot
	if w.head++; int(w.head) == size {
		w.head = 0
	}
	if w.head == 0 || w.n == 1 {
		w.resum(size)
		return
	}
	d := float64(v) - w.pivot
	w.sum += d
	w.sum2 += d * d
}

// resum computes the sums afresh, around a value of the window.
func (w *window) resum(size int) {
	ring, rank := w.slices(size)
	ring = ring[:w.n]
	w.pivot, w.sum, w.sum2 = float64(ring[rank[w.n/2]]), 0, 0
	for _, v := range ring {
		d := float64(v) - w.pivot
		w.sum += d
		w.sum2 += d * d
	}
}

// moments returns mean and standard deviation (n-1) of at least two values.
func (w *window) moments() (mean, sd float64) {
	n := float64(w.n)
	m := w.sum / n
	v := (w.sum2 - w.sum*m) / (n - 1)
	return w.pivot + m, math.Sqrt(max(0, v))
}

// sorted gives access to the values of a window in ascending order.
type sorted struct {
	ring []float32
	rank []uint8
}

func (w *window) sorted(size int) sorted {
	ring, rank := w.slices(size)
	return sorted{ring: ring, rank: rank[:w.n]}
}

func (o sorted) at(i int) float64 { return float64(o.ring[o.rank[i]]) }

// quantile is type 7 of Hyndman and Fan.
func (o sorted) quantile(p float64) float64 {
	h := float64(len(o.rank)-1) * p
	i := int(h)
	lo := o.at(i)
	if f := h - float64(i); f > 0 {
		return lo + f*(o.at(i+1)-lo)
	}
	return lo
}

// mad returns the median of the absolute deviations from med, the median of
// the values. Left and right of the median the deviations are sorted already:
// the middle of the union of two sorted runs is found by bisection.
func (o sorted) mad(med float64) float64 {
	n := len(o.rank)
	mid := n / 2 // left run: mid-1 .. 0, right run: mid .. n-1
	left := func(i int) float64 { return med - o.at(mid-1-i) }
	right := func(i int) float64 { return o.at(mid+i) - med }
	nl, nr := mid, n-mid
	k := (n - 1) / 2 // rank of the (lower) median deviation
	// Take i from the left and k-i from the right before the k-th.
	lo, hi := max(0, k-nr), min(k, nl)
	for lo < hi {
		i := int(uint(lo+hi) >> 1)
		if left(i) < right(k-i-1) {
			lo = i + 1
		} else {
			hi = i
		}
	}
	i, j := lo, k-lo
	pop := func() float64 {
		if i < nl && (j >= nr || left(i) <= right(j)) {
			i++
			return left(i - 1)
		}
		j++
		return right(j - 1)
	}
	a := pop()
	if n%2 == 1 {
		return a
	}
	return (a + pop()) / 2
}

// meanAbs returns the mean absolute deviation from med.
func (o sorted) meanAbs(med float64) float64 {
	sum := 0.0
	for _, r := range o.rank {
		sum += math.Abs(float64(o.ring[r]) - med)
	}
	return sum / float64(len(o.rank))
}

// reshape replaces the values by normal scores around mean. The order of the
// values stays, and with it the ranks.
func (w *window) reshape(mean, sd float64, size int) {
	ring, rank := w.slices(size)
	n := float64(w.n)
	for i, slot := range rank[:w.n] {
		p := (float64(i) + .5) / n
		ring[slot] = float32(mean + sd*math.Sqrt2*math.Erfinv(2*p-1))
	}
	w.resum(size)
}
