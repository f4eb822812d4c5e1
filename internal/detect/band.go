package detect

import "math"

// Band returns the expected value and the limits within which a single value is
// not reported, in the unit of the metric: those of all detectors of single
// values, of LoneScore for a series that is not outside its limits, and of the
// smallest deviation that is worth it. A side that does not matter has no limit:
// it is infinite. ok is false while the baseline has fewer than MinSamples.
//
// Lasting shifts are found within the band, too.
func (m *Model) Band(s *State) (expected, lower, upper float64, ok bool) {
	if int(s.win.n) < m.cfg.MinSamples {
		return 0, 0, 0, false
	}
	var r reference
	m.refer(s, &r)
	lo, hi := m.spikeLimits(&r)
	if m.cfg.LoneScore > 1 && len(m.spikes) > 1 && !s.inRun && s.doubted == 0 {
		lo, hi = m.loneLimit(r, lo), m.loneLimit(r, hi)
	}
	expected, lower, upper = m.back(r.med), math.Inf(-1), math.Inf(1)
	worth := max(m.cfg.MinAbsolute, m.cfg.MinRelative*math.Abs(expected))
	if m.cfg.Direction.wants(-1) && lo > -math.MaxFloat64 {
		lower = min(m.back(lo), expected-worth)
	}
	if m.cfg.Direction.wants(1) && hi < math.MaxFloat64 {
		upper = max(m.back(hi), expected+worth)
	}
	return expected, lower, upper, true
}

// loneLimit moves the limit of the strictest detector outwards to where a lone
// value has the score that it needs, see [Model.lone]. All scores grow with the
// distance, so that bisection finds it.
func (m *Model) loneLimit(r reference, limit float64) float64 {
	within, beyond := limit-r.med, limit-r.med
	for range 64 {
		r.y = r.med + beyond
		if m.loneScore(r) >= m.cfg.LoneScore || math.IsInf(beyond, 0) {
			break
		}
		within, beyond = beyond, 2*beyond
	}
	for range 24 {
		mid := (within + beyond) / 2
		r.y = r.med + mid
		if m.loneScore(r) >= m.cfg.LoneScore {
			beyond = mid
		} else {
			within = mid
		}
	}
	return r.med + beyond
}

// loneScore is what a lone value r.y is weighed with.
func (m *Model) loneScore(r reference) float64 {
	best, agree := 0.0, -1
	for _, d := range m.spikes {
		if score := d.judge(r, nil).score; score >= 1 {
			best = max(best, score)
			agree++
		}
	}
	return best + agreement*float64(agree)
}

// Told is what a state remembers of having told of its episode.
type Told struct {
	reported        bool
	told            uint8
	onset, lastSaid int64
}

// Told returns what s remembers of having told of its episode, for [State.Untell].
func (s *State) Told() Told {
	return Told{reported: s.reported, told: s.told, onset: s.onset, lastSaid: s.lastAlarm}
}

// Untell takes back the alarm that the last value gave, when nobody was told of
// it: t is what [State.Told] returned before that value. The next value outside
// the limits is news then, and a shift that goes on unheard becomes the new normal
// as soon as one to a side that does not matter.
func (s *State) Untell(t Told) {
	s.reported, s.told, s.onset, s.lastAlarm = t.reported, t.told, t.onset, t.lastSaid
}
