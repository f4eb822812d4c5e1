package detect

import "math"

// weigh sets severity, confidence, expected value and level of v.
//
// Severity follows the evidence and is capped by the effect:
//
//	evidence of a spike: its score        < 1.3 medium, < 2 high, else critical
//	evidence of a shift: its size in sd   < 1 low, < 2 medium, < 4 high, else critical
//	three or more detectors agree: one step up
//	effect, the ratio of observed to expected value or its inverse:
//	                                      < 1.25 at most low, < 2 medium, < 4 high
//
// so that a deviation that is certain but small does not page anybody.
//
// Confidence is 1 - .5 * exp(-2 (e-1)) * .7^(detectors-1), scaled by n/(n+4)
// for a reference of n samples and at most .99. e is the score of a spike, and
// 1 + a quarter of the size in sd for a shift. It ranks findings; it is not the
// probability of an incident.
func (m *Model) weigh(s *State, r *reference, x float64, results *[MaxDetectors]result, wanted uint8, v *Verdict) {
	spike, evidence := 0.0, 1.0
	size, n := 0.0, 0
	v.Expected, v.Level = m.back(r.med), x
	for i := range m.detectors {
		if wanted&(1<<i) == 0 {
			continue
		}
		n++
		d := m.shiftAt(i)
		if d == nil {
			spike = max(spike, results[i].score)
			evidence = max(evidence, results[i].score)
			continue
		}
		count, _ := d.since(m.wordsOf(s, i), results[i].side)
		y := s.level(count)
		size = max(size, math.Abs(y-r.longMean)/r.longSD)
		evidence = max(evidence, 1+size/4)
		v.Level = m.back(y)
	}
	sev := max(step(spike, 1, 1.3, 2), step(size, 1, 2, 4))
	if n >= 3 {
		sev = min(sev+1, SeverityCritical)
	}
	effect := ratio(v.Level, v.Expected)
	if spike > 0 {
		effect = max(effect, ratio(x, v.Expected))
	}
	v.Severity = min(sev, step(effect, 1.25, 2, 4))
	c := 1 - .5*math.Exp(-2*(evidence-1))*math.Pow(.7, float64(n-1))
	v.Confidence = min(.99, c*r.n/(r.n+4))
}

// step returns the severity of x: low below a, medium below b, high below c.
func step(x, a, b, c float64) uint8 {
	switch {
	case x < a:
		return SeverityLow
	case x < b:
		return SeverityMedium
	case x < c:
		return SeverityHigh
	}
	return SeverityCritical
}

// ratio returns the larger of a/b and b/a; infinite when they have no ratio.
func ratio(a, b float64) float64 {
	if a*b <= 0 {
		return math.Inf(1)
	}
	return max(a/b, b/a)
}
