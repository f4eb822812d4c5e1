package ensemble

import (
	"math"

	"github.com/llm-devops/llm-sentinel/internal/detect"
)

const (
	// leastUnit is the least unit as a ratio of the level.
	leastUnit = 1e-3
	// leastScale and levelScale are the least scales of references, in units of
	// the series or, if that is more, in scales of the slow reference.
	leastScale = .01
	levelScale = .05

	fastMemory, midMemory, slowMemory = 100, 500, 1500
	fastBound, midBound, slowBound    = 3, 3, 5
	fastLag, shiftSize, slowSize      = 8, 15, 30
	// shiftBound cuts the values of a shift, so that several must agree.
	shiftBound = 1.5
)

// statistics are those of the detectors, in their order.
type statistics [detectors]float64

// measure returns the statistics of x, standardised y, at half hour bin, and
// learns it. It is not ranked yet.
func (s *State) measure(bin uint64, x, y float64) (st statistics) {
	n := s.n
	s.n++
	s.recent[n%recentSize] = float32(y)
	wide := atLeast(float64(s.slow.scale), 1)
	least := leastScale * wide
	if n >= fastLag {
		s.fast.follow(s.back(n, fastLag), n-fastLag+1, fastMemory, fastBound, levelScale*wide)
	}
	if n >= shiftSize {
		s.mid.follow(s.back(n, shiftSize), n-shiftSize+1, midMemory, midBound, least)
	}
	if n >= slowSize {
		s.slow.follow(s.back(n, slowSize), n-slowSize+1, slowMemory, slowBound, least)
	}
	z := 0.
	if n >= levelMin {
		z = (y - float64(s.fast.centre)) / atLeast(float64(s.fast.scale), levelScale*wide)
	}
	st[Level] = s.level.observe(n, z)
	if n >= 2*shiftSize {
		st[Shift] = s.shift(n, least)
	}
	slowScale := atLeast(float64(s.slow.scale), least)
	if n >= 3*slowSize {
		st[SlowShift] = math.Abs(s.sum(n)/slowSize-float64(s.slow.centre)) / slowScale
	}
	st[Season] = s.profile.observe(bin, y)
	root := math.Copysign(math.Sqrt(math.Abs(x)/s.unit), x)
	st[Fall] = s.fall(n, s.root*s.root*s.unit, root*root*s.unit)
	if n >= 1 {
		st[Jump] = s.steps.observe(bin%seasonBins*stepBins/seasonBins, math.Abs(root-s.root), n)
		st[Step] = math.Abs(y - s.back(n, 1))
	}
	s.root = root
	st[Shape] = s.shape.observe(n, (y-float64(s.slow.centre))/slowScale)
	return st
}

// least returns the least scale of each statistic.
func (s *State) least() (l statistics) {
	wide := atLeast(float64(s.slow.scale), 1)
	for i := range l {
		l[i] = leastScale
	}
	l[Season], l[Step] = leastScale*wide, leastScale*wide
	l[Jump] = 1e-3
	return l
}

// sum is that of the newest slowSize values. Three sums in turn do not wait for
// one another.
func (s *State) sum(n uint64) float64 {
	var a, b, c float64
	for k := uint64(0); k < slowSize; k += 3 {
		a += s.back(n, k)
		b += s.back(n, k+1)
		c += s.back(n, k+2)
	}
	return a + b + c
}

// shift is the distance of the newest values from the reference of the middle.
func (s *State) shift(n uint64, least float64) float64 {
	scale := atLeast(float64(s.mid.scale), least)
	centre, edge := float64(s.mid.centre), shiftBound*scale
	var a, b, c float64
	for k := uint64(0); k < shiftSize; k += 3 {
		a += cut(s.back(n, k)-centre, edge)
		b += cut(s.back(n, k+1)-centre, edge)
		c += cut(s.back(n, k+2)-centre, edge)
	}
	return math.Abs(a+b+c) / (shiftSize * scale)
}

const (
	// fallOffset, as a ratio of the level, keeps a fall to nothing finite.
	fallOffset = .05
	// fallRate is the least weight of a value in that level.
	fallRate = .01
)

// fall is by how many powers of e the size of the value is below that of the
// last one.
func (s *State) fall(n uint64, last, size float64) float64 {
	typical := float64(s.typical)
	if n == 0 {
		s.typical = float32(size)
		return 0
	}
	s.typical = float32(typical + atLeast(1/float64(n+1), fallRate)*(size-typical))
	if last <= size {
		return 0
	}
	offset := fallOffset*typical + math.SmallestNonzeroFloat32
	return detect.Ln((last + offset) / (size + offset))
}
