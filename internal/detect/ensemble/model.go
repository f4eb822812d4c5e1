package ensemble

import (
	"errors"
	"fmt"
	"math"
	"time"
)

// Defaults and limits of [Config].
const (
	DefaultThreshold = 4.6
	DefaultCoolDown  = 10 * time.Hour

	minThreshold, maxThreshold = 1.5, 50
	maxCoolDown                = 30 * 24 * time.Hour
)

// Detectors, in their order.
const (
	Level = iota
	Shift
	Season
	Jump
	Step
	Fall
	Shape
	Gap
	Rise
	detectors

	// ranked is the number of detectors, the first ones, whose statistics are
	// ranked among their own earlier values.
	ranked = Gap
)

// NumDetectors is the number of detectors.
const NumDetectors = detectors

var names = [detectors]string{"level", "shift", "season", "jump", "step", "fall", "shape", "gap", "rise"}

// Name returns the name of a detector.
func Name(detector int) string { return names[detector] }

// weights of the detectors in the evidence. They were chosen on the development
// half of the public series in bench/quality, once for all of them.
var weights = [detectors]float64{Level: 1.53, Shift: .28, Season: .92, Jump: .72, Step: .53, Fall: 1.06, Shape: .5, Gap: 1, Rise: 1}

// Config says when a value alarms. The zero value has the defaults.
type Config struct {
	// Threshold is the evidence that alarms, 1.5..50. Default 4.6.
	Threshold float64
	// Rate is the largest [Verdict.Rate] that alarms, in (0, 1]: about this part
	// of the values of a series do at most. Default 1, no bound.
	Rate float64
	// CoolDown is the time after a value of high evidence during which further
	// ones count only if their evidence is higher by 1 (a factor of 10 in
	// rarity) and by a tenth, at most 30 days; but at least 8 and at most 120
	// values. It ends when 18 values in a row show little. Default 10 h;
	// negative: none.
	CoolDown time.Duration
}

// Validate reports every setting that cannot be used.
func (c Config) Validate() error {
	var errs []error
	if c.Threshold != 0 && !(c.Threshold >= minThreshold && c.Threshold <= maxThreshold) {
		errs = append(errs, fmt.Errorf("threshold must be 0 (default) or in %v..%v, got %v", minThreshold, maxThreshold, c.Threshold))
	}
	if c.Rate != 0 && !(c.Rate > 0 && c.Rate <= 1) {
		errs = append(errs, fmt.Errorf("rate must be 0 (default) or in (0, 1], got %v", c.Rate))
	}
	if c.CoolDown > maxCoolDown {
		errs = append(errs, fmt.Errorf("cool_down must be at most %v, got %v", maxCoolDown, c.CoolDown))
	}
	return errors.Join(errs...)
}

// Model judges values. It is immutable and safe for concurrent use.
type Model struct {
	threshold, rate float64
	coolDown        float64 // ns; negative: none
}

// NewModel builds a model.
func NewModel(c Config) (*Model, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	m := &Model{threshold: c.Threshold, rate: c.Rate, coolDown: float64(c.CoolDown)}
	if m.threshold == 0 {
		m.threshold = DefaultThreshold
	}
	if m.rate == 0 {
		m.rate = 1
	}
	if m.coolDown == 0 {
		m.coolDown = float64(DefaultCoolDown)
	}
	return m, nil
}

// Verdict is the judgement on one value.
type Verdict struct {
	// Alarm is set when the value is to be reported.
	Alarm bool
	// News is set when no value within the cool-down had like evidence. Alarm
	// is News with a score at or above the threshold, and Rate at most
	// Config.Rate.
	News bool
	// Score is the evidence on the scale of the threshold: finer steps give
	// more values, and have to say more, and of two values as rare the one that
	// is further away counts a little more.
	Score float64
	// Evidence for an anomaly at this value, 0 or more.
	Evidence float64
	// Deviation is the distance from a reference of about 500 values in its
	// standard deviations, 0 or more: how far away, not how unusual.
	Deviation float64
	// P is the part of the values of this series with such evidence or more, as
	// far as it is known; 1 for all but the rarest 5 %.
	P float64
	// Rate is the part of the values of this series that would be alarms if such
	// evidence were enough, as far as it is known: less than P where unusual
	// values come together, of which only the first is news. It is P for what is
	// no news, and while Cold.
	Rate float64
	// Cold is set while P rests on what is usual in any series, rather than on
	// this one.
	Cold bool
	// Decades are -log10 of the p-value of each detector, not weighted; index
	// them by detector. Those of Gap and Rise are a measure that is the same for
	// all series.
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

// rankWeight is the weight of a standard deviation beside a decade.
const rankWeight = .3

// Rank orders the values of a series by how anomalous they are, whether that is
// new or not: what comes again and again is no news, and less and less evidence,
// but as far away as ever.
func (v *Verdict) Rank() float64 { return v.Evidence + rankWeight*v.Deviation }

const (
	// sizeWeight is what a standard deviation adds to the score, up to sizeMost
	// of them.
	sizeWeight = .05
	sizeMost   = 8
)

const (
	// usualStep is the step for which evidence is its score. Another step adds
	// stepWeight for each factor of 10 that it is longer, from stepLeast to
	// stepMost.
	usualStep           = float64(10 * time.Minute)
	stepWeight          = .6
	stepLeast, stepMost = -.3, .4
)

// shortest and longest are the steps, in usual ones, at which the bounds are
// reached.
var shortest, longest = math.Pow(10, stepLeast/stepWeight), math.Pow(10, stepMost/stepWeight)

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
	switch r := float64(s.interval) / usualStep; {
	case r <= shortest:
		return stepLeast
	case r >= longest:
		return stepMost
	default:
		return stepWeight * decades(r)
	}
}

// maxAbs bounds values, so that no sum overflows.
const maxAbs = 1e30

// Observe judges x, the value of the step that ended at at (unix ns), and
// learns from it. Values that are not finite are ignored, larger ones than 1e30
// are cut there.
func (m *Model) Observe(s *State, at int64, x float64) (v Verdict) {
	v.P, v.Rate = 1, 1
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return v
	}
	x = min(max(x, -maxAbs), maxAbs)
	v.Samples = s.n
	if !s.Ready() {
		s.warm(at, x)
		return v
	}
	s.Fetch()
	y := (x - s.origin) / s.unit
	usual := float64(s.fast.centre)
	v.Deviation = s.deviation(y)
	st := s.measure(at, x, y)
	least := s.least()
	sum := 0.
	v.Decades = st
	for i := range s.tails {
		v.Decades[i] = s.tails[i].judge(st[i], least[i])
	}
	for i := range v.Decades {
		d := weights[i] * v.Decades[i]
		sum += d * d
	}
	v.Evidence = math.Sqrt(sum)
	v.P = s.evidence.p(v.Evidence)
	known, beyond := s.known(), v.Evidence-float64(s.evidence.threshold)
	s.evidence.learn(v.Evidence)
	if !known {
		s.cold(&v)
	}
	v.Expected = s.origin + s.unit*usual
	v.Side = 1
	if x < v.Expected {
		v.Side = -1
	}
	v.News, v.Rate = m.news(s, v.Evidence), v.P
	if s.evidence.n > excessReady {
		s.peaks.pass()
		if v.News && beyond >= 0 {
			scale := float64(s.evidence.scale)
			if known {
				v.Rate = min(v.P, s.peaks.rate(beyond, scale))
			}
			s.peaks.learn(beyond, scale)
		}
	}
	v.Score = max(0, v.Evidence+sizeWeight*min(v.Deviation, sizeMost)+s.allowance(at))
	v.Alarm = v.News && v.Score >= m.threshold && v.Rate <= m.rate
	return v
}
