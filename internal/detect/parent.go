package detect

import "math"

const (
	// parentWeight is the number of own values that the scale of a parent counts
	// for.
	parentWeight = 16
	// parentLast is the number of values from which on a parent is outgrown: its
	// weight is a tenth.
	parentLast = 9 * parentWeight
	// parentSamples is the number of values that make a series well known.
	parentSamples = 128
	// maxSpread is the largest spread that is lent.
	maxSpread = 10
)

// Spread returns the scale of s as it can be lent to a series at another level:
// on the log scale as it is, on the linear one as a ratio of the level. ok is
// false when s is not known well, is outside its limits, or spreads so widely
// around its level that this says nothing.
func (m *Model) Spread(s *State) (spread float64, ok bool) {
	if s.samples < parentSamples || int(s.win.n) < m.cfg.MinSamples || s.inRun {
		return 0, false
	}
	var r reference
	m.refer(s, &r)
	spread = r.scale
	if m.cfg.Scale == Linear {
		spread /= math.Abs(r.med)
	}
	return spread, spread > 0 && spread <= maxSpread
}

// Borrow gives the new series s the spread of another one, until it has outgrown
// it: a scale of few values that is smaller by chance becomes one half that of
// the parent after 16 values (geometric mean), and the values of which it is made
// are a tenth of all after 144. It has no effect once s is judged.
func (m *Model) Borrow(s *State, spread float64) {
	if int(s.win.n) < m.cfg.MinSamples && spread > 0 && spread <= maxSpread {
		s.lent = float32(spread)
	}
}

// Borrowed returns the weight of the parent in what is known of s, 0..1; 0 when
// there is none or it is outgrown.
func (s *State) Borrowed() float64 {
	if s.lent == 0 || s.samples >= parentLast {
		return 0
	}
	return parentWeight / (parentWeight + float64(s.samples))
}

// lend widens the few values of the warm-up around their median, where they
// spread less than that and the parent together make likely.
func (m *Model) lend(s *State) {
	var r reference
	m.refer(s, &r)
	lent := float64(s.lent)
	if m.cfg.Scale == Linear {
		lent *= math.Abs(r.med)
	}
	if lent <= r.scale {
		return
	}
	s.win.stretch(r.med, math.Pow(lent/r.scale, s.Borrowed()), r.scale, m.cfg.Window)
}
