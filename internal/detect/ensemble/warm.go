package ensemble

import "math"

// warm keeps the first values; the last of them starts everything.
func (s *State) warm(at int64, x float64) {
	if s.n == 0 {
		s.last = at
	}
	s.recent[s.n%recentSize] = float32(x)
	s.n++
	need := s.need()
	if s.n < need {
		return
	}
	recent := s.recent
	values := recent[:need]
	changes, mean, m2 := 0, 0., 0.
	for i, v := range values {
		if i > 0 && v != values[i-1] {
			changes++
		}
		d := float64(v) - mean
		mean += d / float64(i+1)
		m2 += d * (float64(v) - mean)
	}
	if changes < minChanges {
		// Nothing can be said about the noise of a series that stands still.
		copy(s.recent[:], values[need/2:])
		s.last += (at - s.last) / 2
		s.n = need / 2
		return
	}
	s.origin = mean
	s.unit = max(math.Sqrt(m2/float64(need-1)), leastUnit*math.Abs(mean))
	if s.parent > 0 {
		s.settle()
	}
	s.age = math.MaxUint16
	s.n = 0
	first := s.last
	s.last, s.interval = at, float32(at-first)/float32(need-1)
	for i, v := range values {
		// The times in between are not kept: they were about equally far apart.
		then := first + (at-first)/int64(need-1)*int64(i)
		st := s.measure(then, float64(v), (float64(v)-s.origin)/s.unit)
		if s.parent > 0 {
			s.accustom(&st)
		}
	}
}
