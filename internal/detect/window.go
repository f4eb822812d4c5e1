package detect

import "math"

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
	split uint8 // hint for mad
}

// slices returns ring and rank with size slots.
func (w *window) slices(size int) ([]float32, []uint8) {
	if size > flatWindow {
		return w.long.ring[:size], w.long.rank[:size]
	}
	return w.ring[:size], w.rank[:size]
}

// merge adds values, at most lagSize, and drops the oldest that have no place
// in a window of size any more.
func (w *window) merge(values []float32, size int) {
	ring, rank := w.slices(size)
	n, k := int(w.n), len(values)
	if drop := n + k - size; drop > 0 {
		oldest := int(w.head) + size - n
		if oldest >= size {
			oldest -= size
		}
		n = w.drop(ring, rank[:n], oldest, drop)
	}
	// Sorted by insertion; the slots go along.
	var sorted [lagSize]float32
	var slots [lagSize]uint8
	head, wrapped := int(w.head), w.n == 0
	for i, v := range values {
		j := i
		for ; j > 0 && sorted[j-1] > v; j-- {
			sorted[j], slots[j] = sorted[j-1], slots[j-1]
		}
		sorted[j], slots[j] = v, uint8(head)
		ring[head] = v
		d := float64(v) - w.pivot
		w.sum += d
		w.sum2 += d * d
		if head++; head == size {
			head, wrapped = 0, true
		}
	}
	// From the largest on, each makes room for itself and those before it.
	end := n
	for j := k - 1; j >= 0; j-- {
		at := position(ring, rank[:end], sorted[j])
		copy(rank[at+j+1:], rank[at:end])
		rank[at+j] = slots[j]
		end = at
	}
	w.n, w.head = uint8(n+k), uint8(head)
	if wrapped {
		w.resum(size)
	}
}

// drop takes the count oldest slots, from oldest on, out of the order and
// returns how many are left.
func (w *window) drop(ring []float32, rank []uint8, oldest, count int) int {
	size, left := len(ring), 0
	for i := range count {
		d := float64(ring[(oldest+i)%size]) - w.pivot
		w.sum -= d
		w.sum2 -= d * d
	}
	for _, slot := range rank {
		rank[left] = slot
		age := int(slot) - oldest
		age += size & (age >> 63)
		keep := 0 // without a branch, as it could not be predicted
		if age >= count {
			keep = 1
		}
		left += keep
	}
	return left
}

// position returns the number of values that are not above v.
func position(ring []float32, rank []uint8, v float32) int {
	lo, n := 0, len(rank)
	for n > 0 {
		half := (n + 1) / 2
		step := 0
		if ring[rank[lo+half-1]] <= v {
			step = half
		}
		lo += step
		n -= half
	}
	return lo
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
	hi := o.at(min(i+1, len(o.rank)-1))
	return lo + (h-float64(i))*(hi-lo)
}

// mad returns the median of the absolute deviations from med, the median of
// the values. Left and right of the median the deviations are sorted already,
// so it is the middle of the union of two sorted runs. hint is the number of
// values that came from the left run last time: from one value to the next it
// moves by a step or two, which is cheaper than a search.
func (o sorted) mad(med float64, hint *uint8) float64 {
	ring, rank := o.ring, o.rank
	n := len(rank)
	nl := n / 2 // left run: nl-1 .. 0, right run: nl .. n-1
	nr := n - nl
	k := (n - 1) / 2 // deviations below the (lower) median of them
	i := min(max(int(*hint), k-nr), k, nl)
	j := k - i
	left := func(i int) float64 { return med - float64(ring[rank[nl-1-i]]) }
	right := func(i int) float64 { return float64(ring[rank[nl+i]]) - med }
	for i > 0 && j < nr && left(i-1) > right(j) {
		i--
		j++
	}
	for j > 0 && i < nl && right(j-1) > left(i) {
		i++
		j--
	}
	*hint = uint8(i)
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
