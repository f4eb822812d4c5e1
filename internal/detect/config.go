package detect

import (
	"errors"
	"fmt"
	"math"
	"time"
)

// Limits and defaults of [Config].
const (
	MinWindow         = 16
	MaxWindow         = 255
	DefaultWindow     = 64
	DefaultMinSamples = 16
	DefaultCoolDown   = 5 * time.Minute
	DefaultLoneScore  = 1
	// DefaultLearnEvery is that of [DefaultConfig].
	DefaultLearnEvery = 4 * time.Second
	// MaxLearnEvery is the largest.
	MaxLearnEvery = time.Minute
	maxLoneScore  = 10
	// MaxDetectors is the most detectors that one model can run.
	MaxDetectors = 8
)

// Scale says on which scale a metric is judged.
type Scale uint8

// Scales.
const (
	// Linear judges x itself.
	Linear Scale = iota
	// Log judges ln(x + LogOffset): deviations are ratios. Right for latency,
	// tokens, cost and throughput, whose noise is multiplicative.
	Log
)

// String returns the name that UnmarshalText reads.
func (s Scale) String() string {
	switch s {
	case Linear:
		return "linear"
	case Log:
		return "log"
	}
	return fmt.Sprintf("Scale(%d)", uint8(s))
}

// MarshalText implements encoding.TextMarshaler.
func (s Scale) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (s *Scale) UnmarshalText(b []byte) error {
	switch string(b) {
	case "linear":
		*s = Linear
	case "log":
		*s = Log
	default:
		return fmt.Errorf("scale must be linear or log, got %q", b)
	}
	return nil
}

// Direction says which deviations of a metric matter.
type Direction uint8

// Directions.
const (
	// Both reports values above and below the expected ones.
	Both Direction = iota
	// Up reports only values above the expected ones.
	Up
	// Down reports only values below the expected ones.
	Down
)

// String returns the name that UnmarshalText reads.
func (d Direction) String() string {
	switch d {
	case Both:
		return "both"
	case Up:
		return "up"
	case Down:
		return "down"
	}
	return fmt.Sprintf("Direction(%d)", uint8(d))
}

// MarshalText implements encoding.TextMarshaler.
func (d Direction) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (d *Direction) UnmarshalText(b []byte) error {
	switch string(b) {
	case "both":
		*d = Both
	case "up":
		*d = Up
	case "down":
		*d = Down
	default:
		return fmt.Errorf("direction must be up, down or both, got %q", b)
	}
	return nil
}

// wants reports whether a deviation to side (+1 above, -1 below) matters.
func (d Direction) wants(side int8) bool {
	return d == Both || (d == Up) == (side > 0)
}

// DetectorConfig selects and tunes one detector.
type DetectorConfig struct {
	// Name is the name of a row of [Detectors].
	Name string
	// Threshold in the unit of the detector, see its Info. 0 means the default.
	Threshold float64
	// Params overrides further parameters by name, see [Info.Params].
	Params map[string]float64
}

// Config describes how one metric is judged. The zero value is valid: linear
// scale, both directions, all detectors with their defaults, no cool-down.
// [DefaultConfig] is the recommended start.
type Config struct {
	// Scale on which values are judged. Default linear.
	Scale Scale
	// LogOffset is added before the logarithm, in the unit of the metric, so
	// that zero has a place on the scale. Default 0, which means 1e-9. Values
	// not above -LogOffset are ignored on the log scale.
	LogOffset float64
	// Direction of deviations that matter. Default both.
	Direction Direction
	// Window is the number of samples of the short reference, 16..255.
	// Default 64 (0 means the default). Up to 64 the state of a series is one
	// flat block; above, it needs a second one.
	Window int
	// MinSamples is the number of samples in the reference before anything is
	// judged, 8..Window. Default 16 (0 means the default).
	MinSamples int
	// MinRelative and MinAbsolute are the smallest deviation from the expected
	// value worth reporting: as a ratio of the expected value (0.1 = 10 %), and
	// in the unit of the metric. Both must be met. Default 0, no limit.
	MinRelative float64
	MinAbsolute float64
	// CoolDown is the event time after an alarm in which no further episode of
	// the same series alarms, unless it is more severe and at least high.
	// Default 0, none.
	CoolDown time.Duration
	// LoneScore is the score from which on a value is a finding although it is
	// the only one outside the limits among the latest 8 to 15 values, 1..10.
	// Each detector beyond the first that agrees adds .25 to the score. It has
	// no effect with a single spike detector. More than 1 is for metrics with a
	// heavy tail: it costs single values that are little outside the limits.
	// Default 1 (0 means the default): any value will do.
	LoneScore float64
	// LearnEvery is the event time in which at most 8 values are learned once
	// the window is full, up to one minute: with 4 s a series of more than 2
	// values a second learns from a sample of them, and a window of 64 spans 32
	// s at least. All values are judged. Default 0: all are learned.
	LearnEvery time.Duration
	// Detectors to run, at most 8. Default nil: all of [Detectors].
	Detectors []DetectorConfig
}

// DefaultConfig returns the recommended operating point.
func DefaultConfig() Config {
	return Config{
		Window:     DefaultWindow,
		MinSamples: DefaultMinSamples,
		CoolDown:   DefaultCoolDown,
		LearnEvery: DefaultLearnEvery,
	}
}

func (c Config) withDefaults() Config {
	if c.Window == 0 {
		c.Window = DefaultWindow
	}
	if c.MinSamples == 0 {
		c.MinSamples = DefaultMinSamples
	}
	if c.LogOffset == 0 {
		c.LogOffset = 1e-9
	}
	if c.LoneScore == 0 {
		c.LoneScore = DefaultLoneScore
	}
	if c.Detectors == nil {
		for _, r := range registry {
			c.Detectors = append(c.Detectors, DetectorConfig{Name: r.info.Name})
		}
	}
	return c
}

// Validate reports every setting that cannot be used.
func (c Config) Validate() error {
	var errs []error
	fail := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	c = c.withDefaults()
	if c.Scale > Log {
		fail("scale must be linear or log, got %v", c.Scale)
	}
	if c.Direction > Down {
		fail("direction must be up, down or both, got %v", c.Direction)
	}
	if !finite(c.LogOffset) || c.LogOffset < 0 {
		fail("log_offset must be a finite number >= 0, got %v", c.LogOffset)
	}
	if c.Window < MinWindow || c.Window > MaxWindow {
		fail("window must be in %d..%d, got %d", MinWindow, MaxWindow, c.Window)
	}
	if c.MinSamples < 8 || c.MinSamples > c.Window {
		fail("min_samples must be in 8..window (%d), got %d", c.Window, c.MinSamples)
	}
	if !finite(c.MinRelative) || c.MinRelative < 0 {
		fail("min_relative must be a finite number >= 0, got %v", c.MinRelative)
	}
	if !finite(c.MinAbsolute) || c.MinAbsolute < 0 {
		fail("min_absolute must be a finite number >= 0, got %v", c.MinAbsolute)
	}
	if c.CoolDown < 0 {
		fail("cool_down must be >= 0, got %v", c.CoolDown)
	}
	if c.LearnEvery < 0 || c.LearnEvery > MaxLearnEvery {
		fail("learn_every must be in 0..%v, got %v", MaxLearnEvery, c.LearnEvery)
	}
	if !(c.LoneScore >= 1 && c.LoneScore <= maxLoneScore) {
		fail("lone_score must be 0 (default) or in 1..%d, got %v", maxLoneScore, c.LoneScore)
	}
	if n := len(c.Detectors); n == 0 || n > MaxDetectors {
		fail("detectors must list 1..%d detectors, got %d", MaxDetectors, n)
	}
	seen := make([]string, 0, len(c.Detectors))
	for _, d := range c.Detectors {
		for _, s := range seen {
			if s == d.Name {
				fail("detectors must not repeat a name, got %q twice", s)
			}
		}
		seen = append(seen, d.Name)
		errs = append(errs, d.validate())
	}
	return errors.Join(errs...)
}

func (d DetectorConfig) validate() error {
	row := lookup(d.Name)
	if row == nil {
		return fmt.Errorf("detector name must be one of %q, got %q", Names(), d.Name)
	}
	var errs []error
	if !finite(d.Threshold) || d.Threshold < 0 || (d.Threshold > 0 && (d.Threshold < row.info.MinThreshold || d.Threshold > row.info.MaxThreshold)) {
		errs = append(errs, fmt.Errorf("detector %s: threshold must be 0 (default) or in %v..%v, got %v",
			d.Name, row.info.MinThreshold, row.info.MaxThreshold, d.Threshold))
	}
	known := 0
	for _, p := range row.info.Params {
		v, set := d.Params[p.Name]
		if !set {
			continue
		}
		known++
		if !(v >= p.Min && v <= p.Max) {
			errs = append(errs, fmt.Errorf("detector %s: %s must be in %v..%v, got %v", d.Name, p.Name, p.Min, p.Max, v))
		}
	}
	if known < len(d.Params) {
		names := make([]string, 0, len(row.info.Params))
		for _, p := range row.info.Params {
			names = append(names, p.Name)
		}
		errs = append(errs, fmt.Errorf("detector %s: params must be among %q, got %d other(s)", d.Name, names, len(d.Params)-known))
	}
	return errors.Join(errs...)
}

func finite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }
