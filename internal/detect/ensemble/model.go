package ensemble

import (
	"errors"
	"fmt"
	"math"
	"time"
)

// Defaults and limits of [Config].
const (
	DefaultThreshold = 4.2
	DefaultCoolDown  = 60

	minThreshold, maxThreshold = 1.5, 50
	maxCoolDown                = 10_000
)

// Detectors, in their order.
const (
	Level = iota
	Shift
	SlowShift
	Season
	Jump
	Step
	Fall
	Shape
	detectors
)

// NumDetectors is the number of detectors.
const NumDetectors = detectors

var names = [detectors]string{"level", "shift", "slow_shift", "season", "jump", "step", "fall", "shape"}

// Name returns the name of a detector.
func Name(detector int) string { return names[detector] }

// weights of the detectors in the evidence. They were chosen on the development
// half of the public series in bench/quality, once for all of them.
var weights = [detectors]float64{Level: 1.3, Shift: 1.15, SlowShift: .65, Season: .8, Jump: 1, Step: .8, Fall: .8, Shape: .8}

// Config says when a value alarms. The zero value has the defaults.
type Config struct {
	// Threshold is the evidence that alarms, 1.5..50. Default 4.2.
	Threshold float64
	// P is the largest p-value that alarms, in (0, 1]: at most this part of the
	// values of a series does. Default 1, no bound.
	P float64
	// CoolDown is the number of values after one of high evidence during which
	// further ones count only if their evidence is higher by 1 (a factor of 10
	// in rarity) and by a tenth, 0..10000. Values that show hardly anything
	// count for three. Default 60; negative: none.
	CoolDown int
}

// Validate reports every setting that cannot be used.
func (c Config) Validate() error {
	var errs []error
	if c.Threshold != 0 && !(c.Threshold >= minThreshold && c.Threshold <= maxThreshold) {
		errs = append(errs, fmt.Errorf("threshold must be 0 (default) or in %v..%v, got %v", minThreshold, maxThreshold, c.Threshold))
	}
	if c.P != 0 && !(c.P > 0 && c.P <= 1) {
		errs = append(errs, fmt.Errorf("p must be 0 (default) or in (0, 1], got %v", c.P))
	}
	if c.CoolDown > maxCoolDown {
		errs = append(errs, fmt.Errorf("cool_down must be at most %d values, got %d", maxCoolDown, c.CoolDown))
	}
	return errors.Join(errs...)
}

// Model judges values. It is immutable and safe for concurrent use.
type Model struct {
	threshold, p float64
	coolDown     int
}

// NewModel builds a model.
func NewModel(c Config) (*Model, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	m := &Model{threshold: c.Threshold, p: c.P, coolDown: c.CoolDown}
	if m.threshold == 0 {
		m.threshold = DefaultThreshold
	}
	if m.p == 0 {
		m.p = 1
	}
	if m.coolDown == 0 {
		m.coolDown = DefaultCoolDown
	}
	return m, nil
}

// Verdict is the judgement on one value.
type Verdict struct {
	// Alarm is set when the value is to be reported.
	Alarm bool
	// News is set when no value within the cool-down had like evidence. Alarm
	// is News with a score at or above the threshold, and P at most Config.P.
	News bool
	// Score is the evidence on the scale of the threshold: finer steps give
	// more values, and have to say more.
	Score float64
	// Evidence for an anomaly at this value, 0 or more.
	Evidence float64
	// P is the part of the values of this series with such evidence or more, as
	// far as it is known; 1 for all but the rarest 5 %.
	P float64
	// Cold is set while P rests on what is usual in any series, rather than on
	// this one.
	Cold bool
	// Decades are -log10 of the p-value of each detector, not weighted; index
	// them by detector.
	Decades [detectors]float64
	// Expected is the centre of the reference of the level, in the unit of the
	// series.
	Expected float64
	// Side is +1 above and -1 below Expected.
	Side int8
	// Samples is the number of values learned from before this one.
	Samples uint64
}

// Strongest returns the detector that adds most to the evidence.
func (v *Verdict) Strongest() int {
	best := 0
	for i := range v.Decades {
		if weights[i]*v.Decades[i] > weights[best]*v.Decades[best] {
			best = i
		}
	}
	return best
}

// newsFrom is the evidence from which on a value starts a cool-down, newsStep
// and newsRatio how much more than the record makes news within it.
const (
	newsFrom  = 1.5
	newsStep  = 1
	newsRatio = 1.1
	// A value with evidence below calm counts for calmSteps in the cool-down.
	calm      = .7
	calmSteps = 3
)

const (
	// usualStep is the step for which evidence is its score. Another step adds
	// stepWeight for each factor of 10 that it is longer, at most stepMost.
	usualStep  = float64(10 * time.Minute)
	stepWeight = .3
	stepMost   = .3
)

// allowance is what the step between values adds to their evidence. at is the
// time of the newest one.
func (s *State) allowance(at int64) float64 {
	d := float64(at - s.last)
	s.last = at
	if d <= 0 {
		d = float64(s.interval)
	}
	if s.interval == 0 {
		s.interval = float32(d)
	}
	// A gap is not the step.
	s.interval += .05 * float32(min(d, 4*float64(s.interval))-float64(s.interval))
	if s.interval <= 0 {
		return 0
	}
	return min(max(stepWeight*math.Log10(float64(s.interval)/usualStep), -stepMost), stepMost)
}

// maxAbs bounds values, so that no sum overflows.
const maxAbs = 1e30

// Observe judges x, the value of the step that ended at at (unix ns), and
// learns from it. Values that are not finite are ignored, larger ones than 1e30
// are cut there.
func (m *Model) Observe(s *State, at int64, x float64) (v Verdict) {
	v.P = 1
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return v
	}
	x = min(max(x, -maxAbs), maxAbs)
	v.Samples = s.n
	if !s.Ready() {
		s.warm(at, x)
		return v
	}
	y := (x - s.origin) / s.unit
	usual := s.fast.centre
	st := s.measure(at, x, y)
	least := s.least()
	sum := 0.
	for i := range st {
		v.Decades[i] = s.tails[i].judge(st[i], least[i])
		d := weights[i] * v.Decades[i]
		sum += d * d
	}
	v.Evidence = math.Sqrt(sum)
	v.P = s.evidence.p(v.Evidence)
	known := s.known()
	s.evidence.learn(v.Evidence)
	if !known {
		s.cold(&v)
	}
	v.Expected = s.origin + s.unit*usual
	v.Side = 1
	if x < v.Expected {
		v.Side = -1
	}
	v.News = m.news(s, v.Evidence)
	v.Score = max(0, v.Evidence+s.allowance(at))
	v.Alarm = v.News && v.Score >= m.threshold && v.P <= m.p
	return v
}

// news applies the cool-down.
func (m *Model) news(s *State, evidence float64) bool {
	over := int(s.age) >= m.coolDown
	if !over && evidence < max(float64(s.record)+newsStep, float64(s.record)*newsRatio) {
		s.age++
		if evidence < calm {
			s.age += calmSteps - 1
		}
		return false
	}
	s.age = uint16(min(int(s.age)+1, math.MaxUint16))
	if evidence >= newsFrom {
		if over {
			s.record = 0
		}
		s.record = max(s.record, float32(evidence))
		s.age = 0
	}
	return true
}

// warm keeps the first values; the last of them starts everything.
func (s *State) warm(at int64, x float64) {
	if s.n == 0 {
		s.first = at
	}
	s.recent[s.n%recentSize] = float32(x)
	s.n++
	need := s.need()
	if s.n < need {
		return
	}
	values := s.recent[:need]
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
		copy(values, values[need/2:])
		s.first += (at - s.first) / 2
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
	s.last, s.interval = at, float32(at-s.first)/float32(need-1)
	first := s.recent
	for i, v := range first[:need] {
		// The times in between are not kept: they were about equally far apart.
		st := s.measure(s.first+(at-s.first)/int64(need-1)*int64(i), float64(v), (float64(v)-s.origin)/s.unit)
		if s.parent > 0 {
			s.accustom(&st)
		}
	}
}
