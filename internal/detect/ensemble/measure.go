package ensemble

import "math"

const (
	// leastUnit is the least unit as a ratio of the level.
	leastUnit = 1e-3
	// leastScale and levelScale are the least scales of references, in units of
	// the series or, if that is more, in scales of the slow reference.
	leastScale = .01
	levelScale = .05

	fastMemory, midMemory, slowMemory = 100, 500, 1500
	fastBound, midBound, slowBound    = 3, 3, 5
	fastLag, midLag, shiftSize        = 8, 15, 30
)

// statistics are those of the detectors, in their order; of those that are not
// ranked, the decades.
type statistics [detectors]float64

// measure returns the statistics of x, standardised y, at a time, and learns it.
// Nothing is ranked yet.
func (s *State) measure(at int64, x, y float64) (st statistics) {
	n, bin := s.n, seasonBin(at)
	s.n++
	s.recent[n%recentSize] = float32(y)
	wide := atLeast(float64(s.slow.scale), 1)
	least := leastScale * wide
	if n >= fastLag {
		s.fast.follow(s.back(n, fastLag), n-fastLag+1, fastMemory, fastBound, levelScale*wide)
	}
	if n >= midLag {
		s.mid.follow(s.back(n, midLag), n-midLag+1, midMemory, midBound, least)
	}
	if n >= shiftSize {
		s.slow.follow(s.back(n, shiftSize), n-shiftSize+1, slowMemory, slowBound, least)
	}
	z := 0.
	if n >= levelMin {
		z = (y - float64(s.fast.centre)) / atLeast(float64(s.fast.scale), levelScale*wide)
	}
	st[Level] = s.level.observe(n, z)
	slowScale := atLeast(float64(s.slow.scale), least)
	if n >= 3*shiftSize {
		st[Shift] = math.Abs(s.sum(n)/shiftSize-float64(s.slow.centre)) / slowScale
	}
	st[Season] = s.profile.observe(bin, y)
	root := math.Copysign(math.Sqrt(math.Abs(x)/s.unit), x)
	typical := float64(s.falls.typical)
	st[Fall] = s.falls.observe(n, max(0, math.Copysign(1, s.origin)*x))
	if n >= 1 {
		st[Jump] = s.steps.observe(bin%seasonBins*stepBins/seasonBins, math.Abs(root-s.root), n)
		st[Step] = math.Abs(y - s.back(n, 1))
	}
	s.root = root
	st[Shape] = s.shape.observe(n, (y-float64(s.slow.centre))/slowScale)
	st[Gap], st[Rise] = s.twoSample(n, at, typical)
	return st
}

// least returns the least scale of each statistic.
func (s *State) least() (l statistics) {
	wide := atLeast(float64(s.slow.scale), 1)
	for i := range l {
		l[i] = leastScale
	}
	l[Season], l[Step] = leastScale*wide, leastScale*wide
	l[Jump], l[Fall] = 1e-3, 1e-3
	return l
}

// deviation is the distance of y from the reference of the middle, in its
// scales.
func (s *State) deviation(y float64) float64 {
	least := leastScale * atLeast(float64(s.slow.scale), 1)
	return math.Abs(y-float64(s.mid.centre)) / atLeast(float64(s.mid.scale), least)
}

// sum is that of the newest shiftSize values. Three sums in turn do not wait for
// one another.
func (s *State) sum(n uint64) float64 {
	var a, b, c float64
	for k := uint64(0); k < shiftSize; k += 3 {
		a += s.back(n, k)
		b += s.back(n, k+1)
		c += s.back(n, k+2)
	}
	return a + b + c
}
