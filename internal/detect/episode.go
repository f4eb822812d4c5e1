package detect

import "math"

// episode handles a value that is outside the limits, or inside a run.
//
// A run is the same for both sides, because the baseline has to survive
// deviations that the user does not care for as well. A report is the part of
// a run that the user hears of: it begins with the first finding on a side
// that matters, and ends with the run.
func (m *Model) episode(s *State, r *reference, x float64, results *[MaxDetectors]result, v *Verdict) {
	m.push(s, r.at, r.y, false)

	spike, onset := false, r.at
	var wanted uint8 // detectors that have a finding to report
	for i := range m.detectors {
		res := &results[i]
		d := m.shiftAt(i)
		switch {
		case d == nil:
			if res.score < 1 || !m.worth(x, r.med) {
				continue
			}
			spike = true
		case res.score >= 1:
			n, since := d.since(m.wordsOf(s, i), res.side)
			if !m.worth(m.back(s.level(n)), r.longMean) {
				continue
			}
			onset = min(onset, since)
			d.accept(m.wordsOf(s, i), res.side)
			s.distrust(n)
			s.shiftSide = res.side
		case s.shiftSide != 0 && !d.over(m.wordsOf(s, i), s.shiftSide):
			// The shift goes on.
			res.score, res.side = 1, s.shiftSide
		default:
			continue
		}
		if m.cfg.Direction.wants(res.side) {
			wanted |= 1 << i
		}
	}
	m.endShift(s)

	if !spike && s.shiftSide == 0 && !s.inRun {
		return // outside the limits, but not worth it
	}
	if !s.inRun {
		s.inRun, s.sustained, s.runN, s.calm = true, false, 0, 0
	}
	if spike || s.shiftSide != 0 {
		s.distrust(1)
	}
	s.sustained = s.sustained || s.shiftSide != 0
	if spike {
		s.calm = 0
	} else {
		s.calm = min(s.calm+1, calmAfter)
	}
	s.track(r.y, m.cfg.Window)

	if wanted != 0 {
		m.report(s, r, x, onset, results, wanted, v)
	}
	switch {
	case s.calm >= calmAfter && s.shiftSide == 0:
		m.endRun(s, v)
	case int(s.runN) >= m.patience(s):
		m.rebase(s, r, v)
	}
}

// agreement is what each further detector adds to the score of a lone value.
const agreement = .25

// lone reports whether the results are those of a value that is outside the
// limits by little, and the only one for a while: more often the tail of the
// noise than an incident. A second one confirms the first.
func (m *Model) lone(s *State, results *[MaxDetectors]result) bool {
	if s.inRun || len(m.spikes) < 2 {
		return false
	}
	if s.doubted != 0 {
		s.suspect |= s.doubted
		s.doubted = 0
		return false
	}
	best, agree := 0.0, -1
	for i := range m.detectors {
		switch score := results[i].score; {
		case score < 1:
		case m.shiftAt(i) != nil:
			return false
		default:
			best = max(best, score)
			agree++
		}
	}
	return best+agreement*float64(agree) < m.cfg.LoneScore
}

// patience is the length of a run after which it becomes the new normal. A
// shift that nobody hears of is followed soon.
func (m *Model) patience(s *State) int {
	if s.reported {
		return rebaseWindows * m.cfg.Window
	}
	return m.cfg.Window / 2
}

func (m *Model) shiftAt(i int) shiftDetector {
	for _, s := range m.shifts {
		if s.i == i {
			return s.d
		}
	}
	return nil
}

// worth reports whether value deviates enough from expected (judged scale).
func (m *Model) worth(value, expected float64) bool {
	if m.cfg.MinRelative == 0 && m.cfg.MinAbsolute == 0 {
		return true
	}
	e := m.back(expected)
	d := math.Abs(value - e)
	return d >= m.cfg.MinAbsolute && d >= m.cfg.MinRelative*math.Abs(e)
}

// endShift unfreezes the baseline once no detector sees the shift any more.
func (m *Model) endShift(s *State) {
	if s.shiftSide == 0 {
		return
	}
	for _, d := range m.shifts {
		if !d.d.over(m.wordsOf(s, d.i), s.shiftSide) {
			return
		}
	}
	// The values of the shift that are still in the lag stay suspect.
	s.distrust(2 * lagSize)
	s.shiftSide = 0
}

// track follows mean and variance of a run, weighting about the last window.
// Extreme values count for four standard deviations only.
func (s *State) track(y float64, window int) {
	s.runN++
	d := y - s.runMean
	if s.runN == 1 {
		s.runMean, s.runVar = y, 0
		return
	}
	if s.runN > 8 {
		bound := 4 * math.Sqrt(s.runVar)
		d = min(max(d, -bound), bound)
	}
	a := max(1/float64(s.runN), 2/float64(window+1))
	s.runMean += a * d
	s.runVar = (1 - a) * (s.runVar + a*d*d)
}

// report fills v with the wanted findings and decides on an alarm.
func (m *Model) report(s *State, r *reference, x float64, onset int64, results *[MaxDetectors]result, wanted uint8, v *Verdict) {
	if !s.reported {
		s.reported, s.onset = true, onset
		if r.at-s.lastAlarm >= int64(m.cfg.CoolDown) {
			s.told = 0
		}
	}
	v.Anomalous = true
	v.Onset = s.onset
	m.findings(s, r, results, wanted, v)
	m.weigh(s, r, x, results, wanted, v)
	if s.told == 0 || (v.Severity > s.told && v.Severity >= SeverityHigh) {
		v.Alarm = true
		s.told = v.Severity
		s.lastAlarm = r.at
	}
}

// findings lists the wanted detectors, strongest first.
func (m *Model) findings(s *State, r *reference, results *[MaxDetectors]result, wanted uint8, v *Verdict) {
	for i, d := range m.detectors {
		if wanted&(1<<i) == 0 {
			continue
		}
		lo, hi := d.limits(*r)
		if results[i].side < 0 {
			hi = lo
		}
		f := Finding{
			Detector: uint8(i),
			Score:    results[i].score,
			Value:    results[i].value,
			Limit:    m.back(hi),
			Extra:    d.extra(m, *r, m.wordsOf(s, i)),
		}
		at := v.N
		for at > 0 && v.Findings[at-1].Score < f.Score {
			v.Findings[at] = v.Findings[at-1]
			at--
		}
		v.Findings[at] = f
		v.N++
	}
	best := &v.Findings[0]
	v.Limit = best.Limit
	v.Side = results[best.Detector].side
	v.Score = max(v.Score, best.Score)
}

// endRun goes back to normal. A run without a shift was a spike that came and
// went: it may be an incident, or the tail of the noise of this series.
func (m *Model) endRun(s *State, v *Verdict) {
	if !s.sustained {
		s.widen = min(s.widen+widenStep, widenMax)
		m.refresh(s)
	}
	if s.reported {
		v.Recovered = true
		v.Onset = s.onset
	}
	s.inRun, s.reported = false, false
}

// rebase makes the level of the run the new normal. The window becomes a
// normal sample with the mean and variance of the run, so that judgement goes
// on at once; real values replace it within a window.
func (m *Model) rebase(s *State, r *reference, v *Verdict) {
	sd := max(math.Sqrt(s.runVar), m.floor(s.runMean))
	s.win.reshape(s.runMean, sd, m.cfg.Window)
	s.mean, s.variance = s.runMean, sd*sd
	s.longN = min(s.longN, uint8(m.cfg.Window))
	s.prev = 0
	s.suspect, s.doubted = 0, 0
	s.shiftSide = 0
	m.clearWords(s)
	m.refresh(s)
	if s.reported {
		v.Rebased = true
		v.Anomalous, v.Alarm = false, false
		v.Onset = s.onset
		v.Severity = SeverityLow
		v.Side = sign(s.runMean - r.med)
		v.Expected = m.back(s.runMean)
		v.Level = v.Expected
	}
	s.inRun, s.reported = false, false
}

func (m *Model) clearWords(s *State) {
	for _, d := range m.shifts {
		d.d.clear(m.wordsOf(s, d.i))
	}
}
