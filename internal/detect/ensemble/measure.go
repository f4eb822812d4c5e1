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
	fastLag, shiftSize, slowSize      = 8, 15, 30
	// shiftBound cuts the values of a shift, so that several must agree.
	shiftBound = 1.5
	levelMin   = 20
	levelBound = 6
	levelMax   = 32
)

// statistics are those of the detectors, in their order.
type statistics [detectors]float64

// back returns the value so many before the newest one, which is number n.
func (s *State) back(n, k uint64) float64 { return float64(s.recent[(n-k)%recentSize]) }

// measure returns the statistics of x, standardised y, and learns it. It is not
// ranked yet.
func (s *State) measure(at int64, x, y float64) (st statistics) {
	n := s.n
	s.n++
	s.recent[n%recentSize] = float32(y)
	wide := max(1, s.slow.scale)
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
	st[Level] = s.level(n, y, levelScale*wide)
	if n >= 2*shiftSize {
		st[Shift] = s.shift(n, least)
	}
	if n >= 3*slowSize {
		sum := 0.
		for k := range uint64(slowSize) {
			sum += s.back(n, k)
		}
		st[SlowShift] = math.Abs(sum/slowSize-s.slow.centre) / max(s.slow.scale, least)
	}
	st[Season] = s.profile.observe(at, y)
	st[Fall] = s.fall(n, math.Abs(x))
	root := math.Copysign(math.Sqrt(math.Abs(x)/s.unit), x)
	if n >= 1 {
		st[Jump] = s.steps.observe(at, math.Abs(root-s.root), n)
		st[Step] = math.Abs(y - s.back(n, 1))
	}
	s.root = root
	st[Shape] = s.shape.observe(n, (y-s.slow.centre)/max(s.slow.scale, least))
	return st
}

// least returns the least scale of each statistic.
func (s *State) least() (l statistics) {
	wide := max(1, s.slow.scale)
	for i := range l {
		l[i] = leastScale
	}
	l[Season], l[Step] = leastScale*wide, leastScale*wide
	l[Jump] = 1e-3
	return l
}

// level is the generalised likelihood ratio of a change of the mean within the
// last levelMax values.
func (s *State) level(n uint64, y, least float64) float64 {
	z := 0.
	if n >= levelMin {
		z = min(max((y-s.fast.centre)/max(s.fast.scale, least), -levelBound), levelBound)
	}
	s.deviations[n%recentSize] = float32(z)
	best, sum := 0., 0.
	for k := range min(n+1, levelMax) {
		sum += float64(s.deviations[(n-k)%recentSize])
		if m := k + 1; m&k == 0 {
			best = max(best, math.Abs(sum)*invSqrt[m])
		}
	}
	return best
}

var invSqrt = func() (t [levelMax + 1]float64) {
	for i := 1; i < len(t); i++ {
		t[i] = 1 / math.Sqrt(float64(i))
	}
	return t
}()

// shift is the distance of the newest values from the reference of the middle.
func (s *State) shift(n uint64, least float64) float64 {
	scale := max(s.mid.scale, least)
	sum := 0.
	for k := range uint64(shiftSize) {
		sum += min(max(s.back(n, k)-s.mid.centre, -shiftBound*scale), shiftBound*scale)
	}
	return math.Abs(sum) / (shiftSize * scale)
}

const (
	// fallOffset, as a ratio of the level, keeps a fall to nothing finite.
	fallOffset = .05
	// fallRate is the least weight of a value in that level.
	fallRate = .01
)

// fall is by how many powers of e the size of the value is below that of the
// last one.
func (s *State) fall(n uint64, size float64) float64 {
	last, offset := s.size, fallOffset*s.typical+math.SmallestNonzeroFloat32
	s.size = size
	if n == 0 {
		s.typical = size
		return 0
	}
	s.typical += max(fallRate, 1/float64(n+1)) * (size - s.typical)
	return max(0, math.Log((last+offset)/(size+offset)))
}
