package ensemble

import (
	"math"

	"github.com/llm-devops/llm-sentinel/internal/detect"
)

// The detectors of this file compare the newest values with those just before
// them, as ratios, and take the measure of it from these values alone. The ranks
// of the others rest on the past of the series, in which an incident of half an
// hour is a tenth of a short one, and a client that pauses by itself has all its
// pauses.
const (
	// sizeOffset, as a ratio of the level, keeps the logarithm of nothing finite.
	sizeOffset = .02
	// twoSampleFrom is the number of values from which on they speak.
	twoSampleFrom = 2 * recentSize
)

const (
	// gapNew is the number of newest values that are compared.
	gapNew = 7
	// gapDecades is what a power of e counts, up to gapMost in all.
	gapDecades = 5.9
	gapMost    = 5.6
)

const (
	// riseNew is the number of newest values of which the mean is compared with
	// that of as many before them.
	riseNew = recentSize / 2
	// riseLeast is the least standard deviation, as a ratio.
	riseLeast = .085
	// A standard error counts a decade, up to riseMost in all.
	riseMost = 6
	// serialSettle is the number of estimates whose mean the serial correlation
	// starts with, serialRate the least step that it takes afterwards, and
	// serialMost the largest that is credited.
	serialSettle = 10
	serialRate   = .02
	serialMost   = .98
	// serialEvery is the number of values between two estimates: those of
	// neighbours are nearly the same.
	serialEvery = 4
)

// size returns the size of a standardised value as a + b y, where that is not
// below 0. Sizes are those of falls.
func (s *State) size() (a, b float64) {
	sign := math.Copysign(1, s.origin)
	return sign * s.origin, sign * s.unit
}

// sizeLog is the logarithm of the size of a standardised value.
func (s *State) sizeLog(y, offset float64) float64 {
	a, b := s.size()
	return detect.Ln(atLeast(a+b*y, 0) + offset)
}

// gap returns the decades of the gap between the newest values up to number n and
// those before them, 0 unless all of the newest are below all of the others. Of 32
// values in any order that is one in 3.4 million; it is values that depend on those
// before them for which the width counts.
func (s *State) gap(n uint64, offset float64) float64 {
	sign := math.Copysign(1, s.origin)
	highest := math.Inf(-1)
	for k := range uint64(gapNew) {
		if y := sign * s.back(n, k); y > highest {
			highest = y
		}
	}
	lowest := math.Inf(1)
	for k := uint64(gapNew); k < recentSize; k++ {
		y := sign * s.back(n, k)
		if y <= highest {
			return 0
		}
		if y < lowest {
			lowest = y
		}
	}
	return min(gapDecades*(s.sizeLog(sign*lowest, offset)-s.sizeLog(sign*highest, offset)), gapMost)
}

// logs are the logarithms of the sizes of the newest values, the newest first.
type logs [recentSize]float64

// latest returns those of the values up to number n.
func (s *State) latest(n uint64, offset float64) (l logs) {
	a, b := s.size()
	for k := range l {
		l[k] = detect.Ln(atLeast(a+b*s.back(n, uint64(k)), 0) + offset)
	}
	return l
}

// risen reports whether the mean size of the newest values is above that of those
// before them, which costs less to know than the logarithms.
func (s *State) risen(n uint64) bool {
	var now, before float64
	for k := range uint64(riseNew) {
		now += s.back(n, k)
		before += s.back(n, k+riseNew)
	}
	return now > before == (s.origin >= 0)
}

// usualRise is the rise at a time that the season is known to bring, 0 or more.
func (s *State) usualRise(at int64, offset float64) float64 {
	const nowAgo, beforeAgo = (riseNew - 1) / 2., riseNew + (riseNew-1)/2.
	now, seen := s.profile.at(seasonBin(at - int64(nowAgo*float64(s.interval))))
	before, seenBefore := s.profile.at(seasonBin(at - int64(beforeAgo*float64(s.interval))))
	if min(seen, seenBefore) < seenLeast {
		return 0
	}
	return max(0, s.sizeLog(now, offset)-s.sizeLog(before, offset))
}

// rise returns the decades of a rise of the mean by more than is usual: Student's
// t of the newest values, of which the largest counts as the second largest, so
// that one value does not make a rise, against those before them, divided by the
// inflation of the variance by the serial correlation, (1 + r) / (1 - r) (Bayley &
// Hammersley 1946). The root of it would do for a mean; a series that wanders also
// goes somewhere.
func (l *logs) rise(serial, usual float64) float64 {
	now := [riseNew]float64(l[:riseNew])
	cutLargest(&now)
	mean, square, _ := spread(&now)
	before, squareBefore, _ := spread((*[riseNew]float64)(l[riseNew:]))
	r := min(max(serial, 0), serialMost)
	variance := (square+squareBefore)/(recentSize-2) + riseLeast*riseLeast
	t := (mean - before - usual) / math.Sqrt(variance*2/riseNew) * (1 - r) / (1 + r)
	return min(max(0, t), riseMost)
}

// cutLargest replaces the largest value by the second largest.
func cutLargest(x *[riseNew]float64) {
	top, second := x[0], math.Inf(-1)
	at := 0
	for i, v := range x[1:] {
		if v > top {
			top, second, at = v, top, i+1
		} else if v > second {
			second = v
		}
	}
	x[at] = second
}

// serial is an estimate of the serial correlation of the older half, by the mean
// square successive difference (von Neumann 1941).
func (l *logs) serial() float64 {
	_, square, successive := spread((*[riseNew]float64)(l[riseNew:]))
	if square == 0 {
		return 1
	}
	return 1 - successive/(2*square)
}

// spread returns the mean of values, the sum of the squares of their deviations
// from it, and that of the squares of their differences from one to the next.
func spread(x *[riseNew]float64) (mean, square, successive float64) {
	for _, v := range x {
		mean += v
	}
	mean /= riseNew
	last := x[0]
	for _, v := range x {
		square += (v - mean) * (v - mean)
		successive += (v - last) * (v - last)
		last = v
	}
	return mean, square, successive
}

// twoSample returns the decades of gap and rise with the n-th value, which is in
// recent and in the profile already, and learns the serial correlation. typical
// is the mean size before it.
func (s *State) twoSample(n uint64, at int64, typical float64) (gap, rise float64) {
	if n < recentSize-1 {
		return 0, 0
	}
	offset := sizeOffset*typical + math.SmallestNonzeroFloat32
	judge, learn := n >= twoSampleFrom, n%serialEvery == 0
	if judge {
		gap = s.gap(n, offset)
		judge = s.risen(n)
	}
	if !judge && !learn {
		return gap, 0
	}
	l := s.latest(n, offset)
	if judge {
		rise = l.rise(float64(s.serial), s.usualRise(at, offset))
	}
	if learn {
		s.learnSerial(l.serial(), n/serialEvery-recentSize/serialEvery+1)
	}
	return gap, rise
}

// learnSerial learns the n-th estimate of the serial correlation. It is a median of
// them (by stochastic approximation, Robbins & Monro 1951), so that incidents do
// not count by their size.
func (s *State) learnSerial(estimate float64, n uint64) {
	d := float32(estimate) - s.serial
	if n > serialSettle {
		d = float32(math.Copysign(atLeast(1/float64(n), serialRate), float64(d)))
	} else {
		d /= float32(n)
	}
	s.serial += d
}
