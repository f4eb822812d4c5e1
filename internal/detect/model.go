package detect

import "math"

// MaxSigma bounds [Verdict.Sigma].
const MaxSigma = 100.0

const (
	// calmAfter is the number of values within limits that end a run.
	calmAfter = 8
	// rebaseWindows is the length of a sustained shift, in windows, after which
	// it is the new normal.
	rebaseWindows = 3
	// Each isolated spike widens the limits of its series by widenStep, and
	// each other value narrows them by widenStep*spikeBudget: a series whose
	// noise has heavier tails than the thresholds expect settles at about one
	// spike per 1/spikeBudget values. widenMax bounds the (logarithm of the)
	// factor.
	widenStep   = .2
	spikeBudget = 1e-4
	widenMax    = 1.1
)

// Model judges the values of one metric. It is immutable and safe for
// concurrent use; all that changes is in the [State] of each series.
type Model struct {
	cfg         Config
	detectors   []detector
	spikes      []detector // those that judge single values
	words       [][2]int   // range of words of each detector
	shifts      []shift
	minScale    float64
	fingerprint uint64
}

// shift is a detector of sustained shifts and its index.
type shift struct {
	i int
	d shiftDetector
}

// NewModel builds a model.
func NewModel(c Config) (*Model, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	c = c.withDefaults()
	m := &Model{cfg: c, minScale: 1e-9}
	if c.Scale == Linear {
		// Five of these are the least deviation that is worth reporting.
		m.minScale = max(m.minScale, c.MinAbsolute/5)
	}
	words := 0
	for i, dc := range c.Detectors {
		r := lookup(dc.Name)
		threshold := dc.Threshold
		if threshold == 0 {
			threshold = r.info.DefaultThreshold
		}
		d := r.build(m, threshold, func(name string) float64 { return param(r, dc, name) })
		m.detectors = append(m.detectors, d)
		m.words = append(m.words, [2]int{words, words + r.words})
		words += r.words
		if s, ok := d.(shiftDetector); ok {
			m.shifts = append(m.shifts, shift{i: i, d: s})
		} else {
			m.spikes = append(m.spikes, d)
		}
	}
	m.fingerprint = fingerprint(&m.cfg)
	return m, nil
}

// param returns a parameter of a detector; names are those of its row.
func param(r *row, c DetectorConfig, name string) float64 {
	if v, ok := c.Params[name]; ok {
		return v
	}
	for _, p := range r.info.Params {
		if p.Name == name {
			return p.Default
		}
	}
	return math.NaN()
}

// Config returns the configuration with its defaults filled in.
func (m *Model) Config() Config {
	c := m.cfg
	c.Detectors = append([]DetectorConfig(nil), c.Detectors...)
	return c
}

// DetectorName returns the name of detector i of the model, "" when there is
// none.
func (m *Model) DetectorName(i uint8) string {
	if int(i) >= len(m.cfg.Detectors) {
		return ""
	}
	return m.cfg.Detectors[i].Name
}

// ExtraNames names the numbers in [Finding.Extra] of detector i, in order.
func (m *Model) ExtraNames(i uint8) []string {
	if int(i) >= len(m.cfg.Detectors) {
		return nil
	}
	return lookup(m.cfg.Detectors[i].Name).info.Extra
}

// transform maps x to the judged scale. ok is false when it has no place there.
func (m *Model) transform(x float64) (y float64, ok bool) {
	y = x
	if m.cfg.Scale == Log {
		y = fastLog(x + m.cfg.LogOffset)
	}
	return place(y)
}

// place rounds y to the precision of the window.
func place(y float64) (float64, bool) {
	if !(math.Abs(y) <= math.MaxFloat32/4) {
		return 0, false
	}
	// The window keeps float32: rounded alike, equal values compare as equal.
	return float64(float32(y)), true
}

// back maps y to the unit of the metric.
func (m *Model) back(y float64) float64 {
	if m.cfg.Scale == Log {
		return min(math.Exp(y), math.MaxFloat64) - m.cfg.LogOffset
	}
	return y
}

func (m *Model) wordsOf(s *State, i int) []uint64 { return s.words[m.words[i][0]:m.words[i][1]] }

// Learn learns from x without judging it. It is meant for items that are too
// late to alarm on; their event time does not matter.
func (m *Model) Learn(s *State, at int64, x float64) {
	y, ok := m.transform(x)
	if !ok || s.shiftSide != 0 {
		return
	}
	m.push(s, at, y, int(s.win.n) >= m.cfg.MinSamples && (y < float64(s.quick.learnLo) || y > float64(s.quick.learnHi)))
}

// Absorb is the quick way for the values that nothing is to be said about. It
// does what [Model.Observe] does and returns true; or it returns false and
// leaves s as it is, and the value is for Observe.
func (m *Model) Absorb(s *State, at int64, x float64) bool {
	y, ok := m.transform(x)
	return ok && m.absorb(s, at, y)
}

// AbsorbLn is Absorb of a model on the log scale, for callers that know ln, the
// logarithm of the value plus LogOffset as [Ln] gives it.
func (m *Model) AbsorbLn(s *State, at int64, ln float64) bool {
	y, ok := place(ln)
	return ok && m.absorb(s, at, y)
}

func (m *Model) absorb(s *State, at int64, y float64) bool {
	q := &s.quick
	if s.inRun || !(y > float64(q.lo) && y < float64(q.hi)) {
		return false
	}
	switch len(m.shifts) {
	case 0:
	case 1:
		d := &m.shifts[0]
		if !d.d.absorb(m.wordsOf(s, d.i), s.standard(y, float64(q.perSD)), float64(q.slow), at) {
			return false
		}
	default: // all of them or none would have to take it in
		return false
	}
	m.push(s, at, y, false)
	return true
}

// Observe judges x, seen at event time at (unix ns), and learns from it.
// Values that are not finite, or have no place on the scale, are ignored.
func (m *Model) Observe(s *State, at int64, x float64) (v Verdict) {
	y, ok := m.transform(x)
	if !ok {
		return v
	}
	v.Samples = s.Samples()
	if int(s.win.n) < m.cfg.MinSamples {
		m.push(s, at, y, false)
		v.Samples = s.Samples()
		return v
	}
	var r reference
	m.refer(s, &r)
	r.y, r.at, r.z = y, at, s.standard(y, r.perSD)
	v.Sigma = min(max((y-r.med)/r.scale, -MaxSigma), MaxSigma)

	var results [MaxDetectors]result
	for i, d := range m.detectors {
		res := d.judge(r, m.wordsOf(s, i))
		results[i] = res
		v.Score = max(v.Score, res.score)
	}
	if v.Score < 1 && !s.inRun {
		m.push(s, at, y, false)
		return v
	}
	if m.lone(s, &results) {
		m.push(s, at, y, false)
		s.doubted |= 1 << (s.lagN - 1)
		return v
	}
	m.episode(s, &r, x, &results, &v)
	return v
}

// Samples returns the number of values that the baseline of s rests on so far:
// [Verdict.Samples] of the next value.
func (s *State) Samples() uint64 { return uint64(s.samples) }

// Expect returns the expected value and the limits, in the unit of the metric,
// that the strictest detector sets for the next value. ok is false while the
// baseline has fewer than MinSamples.
func (m *Model) Expect(s *State) (expected, lower, upper float64, ok bool) {
	if int(s.win.n) < m.cfg.MinSamples {
		return 0, 0, 0, false
	}
	var r reference
	m.refer(s, &r)
	lo, hi := m.spikeLimits(&r)
	if len(m.spikes) == 0 {
		lo, hi = m.detectors[0].limits(r)
	}
	return m.back(r.med), m.back(lo), m.back(hi), true
}
