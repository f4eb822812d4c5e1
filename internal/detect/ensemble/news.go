package ensemble

import "math"

// newsFrom is the evidence from which on a value starts a cool-down, newsStep
// and newsRatio how much more than the record makes news within it.
const (
	newsFrom  = 1.5
	newsStep  = 1
	newsRatio = 1.1
	// coolLeast and coolMost bound the cool-down in values: what has many values
	// in an hour has its incidents in hours, too, but users wait in values.
	coolLeast, coolMost = 8, 120
	// quietRun values in a row with evidence below quietBelow end it.
	quietRun   = 18
	quietBelow = 2
)

// news applies the cool-down.
func (m *Model) news(s *State, evidence float64) bool {
	over := s.quiet >= quietRun || int(s.age) >= m.coolValues(s)
	switch {
	case evidence >= quietBelow:
		s.quiet = 0
	case s.quiet < quietRun:
		s.quiet++
	}
	if !over && evidence < max(float64(s.record)+newsStep, float64(s.record)*newsRatio) {
		s.age++
		return false
	}
	if evidence < newsFrom {
		if s.age < math.MaxUint16 {
			s.age++
		}
		return true
	}
	if over {
		s.record = 0
	}
	s.record = max(s.record, float32(evidence))
	s.age = 0
	return true
}

// coolValues is the cool-down in values.
func (m *Model) coolValues(s *State) int {
	if m.coolDown < 0 {
		return 0
	}
	if s.interval <= 0 {
		return coolMost
	}
	return int(math.Round(min(max(m.coolDown/float64(s.interval), coolLeast), coolMost)))
}
