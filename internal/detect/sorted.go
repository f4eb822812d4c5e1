package detect

import "math"

// sorted is a list of values in ascending order.
type sorted []float32

// quantile is type 7 of Hyndman and Fan.
func (o sorted) quantile(p float64) float64 {
	h := float64(len(o)-1) * p
	i := int(h)
	lo := float64(o[i])
	hi := float64(o[min(i+1, len(o)-1)])
	return lo + (h-float64(i))*(hi-lo)
}

// mad returns the median of the absolute deviations from med, the median of
// the values. Left and right of the median the deviations are sorted already,
// so it is the middle of the union of two sorted runs. hint is the number of
// values that came from the left run last time: from one value to the next it
// moves by a step or two, which is cheaper than a search.
func (o sorted) mad(med float64, hint *uint8) float64 {
	n := len(o)
	nl := n / 2 // left run: nl-1 .. 0, right run: nl .. n-1
	nr := n - nl
	k := (n - 1) / 2 // deviations below the (lower) median of them
	i := min(max(int(*hint), k-nr), k, nl)
	j := k - i
	left := func(i int) float64 { return med - float64(o[nl-1-i]) }
	right := func(i int) float64 { return float64(o[nl+i]) - med }
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
	for _, v := range o {
		sum += math.Abs(float64(v) - med)
	}
	return sum / float64(len(o))
}
