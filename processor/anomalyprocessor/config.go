package anomalyprocessor

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"go.opentelemetry.io/collector/component"

	"github.com/llm-devops/llm-sentinel/internal/anomaly"
	"github.com/llm-devops/llm-sentinel/internal/detect"
)

// Defaults and limits of [Config].
const (
	defaultMaxLateness      = time.Minute
	defaultMaxFuture        = time.Minute
	defaultMaxSeries        = 50_000
	defaultIdleTimeout      = time.Hour
	defaultSnapshotInterval = 30 * time.Second

	minMinSamples       = 8
	maxMaxSeries        = 10_000_000
	minIdleTimeout      = time.Second
	minSnapshotInterval = time.Second
)

// Config of the processor. Every field has a default that works.
type Config struct {
	// Detectors tunes, restricts or switches off single detectors by name. A
	// detector that is not named runs with its defaults on every metric.
	Detectors map[string]DetectorConfig `mapstructure:"detectors"`
	// Metrics tunes or switches off single metrics by name. A metric that is
	// not named is judged with its defaults.
	Metrics map[string]MetricConfig `mapstructure:"metrics"`

	// Window is the number of latest values that a baseline rests on, 16..255.
	// Unit: values. Default 64.
	Window int `mapstructure:"window"`
	// MinSamples is the number of values that a baseline needs before anything
	// is judged, 8..window. Unit: values. Default 16.
	MinSamples int `mapstructure:"min_samples"`
	// LearnEvery is the event time in which a baseline that is full learns from
	// at most 8 calls, up to 1m; all are judged. 0: it learns from all.
	// Default 4s.
	LearnEvery time.Duration `mapstructure:"learn_every"`
	// CoolDown is the event time after an anomaly in which the same series and
	// metric marks no further one, unless it has become more severe and is now
	// high or critical; 0 means none. Default 5m.
	CoolDown time.Duration `mapstructure:"cool_down"`
	// MinSeverity is the lowest severity that is marked: low, medium, high or
	// critical. Default low.
	MinSeverity anomaly.Severity `mapstructure:"min_severity"`
	// Peers compares an anomaly with what goes on beside it.
	Peers PeersConfig `mapstructure:"peers"`
	// ColdStart says what a new series begins with.
	ColdStart ColdStartConfig `mapstructure:"cold_start"`

	// MaxLateness is how far an event may lie behind the newest one of its
	// series and still be judged; older ones are only learned from. Default 1m.
	MaxLateness time.Duration `mapstructure:"max_lateness"`
	// MaxFuture is how far the end of an event may lie ahead of this machine's
	// clock; beyond that the event is judged at the time of its arrival.
	// Default 1m.
	MaxFuture time.Duration `mapstructure:"max_future"`

	// MaxSeries is the most series (one for each service and model, with the
	// baselines of all their metrics) that are kept. Default 50000.
	MaxSeries int `mapstructure:"max_series"`
	// IdleTimeout is the time without events, by this machine's clock, after
	// which a series is forgotten. Default 1h.
	IdleTimeout time.Duration `mapstructure:"idle_timeout"`

	// ErrorRate finds more failing calls than usual.
	ErrorRate ErrorRateConfig `mapstructure:"error_rate"`
	// Throughput finds fewer or more calls than usual, and none.
	Throughput ThroughputConfig `mapstructure:"throughput"`
	// Evaluations tunes the judgement of evaluation results.
	Evaluations EvaluationsConfig `mapstructure:"evaluations"`
	// Security tunes the judgement of guards, sanitizers, refusals and floods.
	Security SecurityConfig `mapstructure:"security"`
	// Agents tunes the search for runaway agents.
	Agents AgentsConfig `mapstructure:"agents"`
	// Drift finds lasting changes of what goes in and comes out.
	Drift DriftConfig `mapstructure:"drift"`
	// Trend judges the mean of the calls of a time step.
	Trend TrendConfig `mapstructure:"trend"`

	// Storage is the id of a storage extension that keeps the baselines over a
	// restart. Default none: detection starts cold.
	Storage *component.ID `mapstructure:"storage"`
	// SnapshotInterval is the time between two snapshots of the baselines; a
	// last one is taken at shutdown. Used only with storage. Default 30s.
	SnapshotInterval time.Duration `mapstructure:"snapshot_interval"`

	// LLMStorage is the id of an llm_storage extension that keeps what is expected
	// of each series, and hands on what people say about anomalies. Default none:
	// the engine keeps to itself.
	LLMStorage *component.ID `mapstructure:"llm_storage"`

	// prevent unkeyed literal initialization
	_ struct{}
}

// DetectorConfig tunes one detector.
type DetectorConfig struct {
	// Enabled switches the detector on or off. Default true.
	Enabled *bool `mapstructure:"enabled"`
	// Threshold in the unit of the detector. Default: see the README.
	Threshold *float64 `mapstructure:"threshold"`
	// Metrics restricts the detector to these metrics. Default: all metrics.
	Metrics []string `mapstructure:"metrics"`
	// Params are the further numbers that the detector knows, for example k of
	// cusum. They are written beside the other keys.
	Params map[string]any `mapstructure:",remain"`

	// prevent unkeyed literal initialization
	_ struct{}
}

// MetricConfig tunes one metric.
type MetricConfig struct {
	// Enabled switches the metric on or off. Default true.
	Enabled *bool `mapstructure:"enabled"`
	// Direction of the deviations that matter: up, down or both. Default: see
	// the README.
	Direction *detect.Direction `mapstructure:"direction"`
	// Scale on which the metric is judged: log or linear. Default log.
	Scale *detect.Scale `mapstructure:"scale"`
	// MinRelativeDeviation is the smallest deviation worth marking, as a ratio
	// of the expected value: 0.2 is 20 %. Default: see the README.
	MinRelativeDeviation *float64 `mapstructure:"min_relative_deviation"`
	// MinAbsoluteDeviation is the smallest deviation worth marking, in the unit
	// of the metric. Default: see the README.
	MinAbsoluteDeviation *float64 `mapstructure:"min_absolute_deviation"`

	// prevent unkeyed literal initialization
	_ struct{}
}

func createDefaultConfig() component.Config {
	return &Config{
		Window:           detect.DefaultWindow,
		MinSamples:       detect.DefaultMinSamples,
		LearnEvery:       detect.DefaultLearnEvery,
		CoolDown:         detect.DefaultCoolDown,
		MinSeverity:      anomaly.SeverityLow,
		Peers:            defaultPeersConfig(),
		ColdStart:        defaultColdStart(),
		MaxLateness:      defaultMaxLateness,
		MaxFuture:        defaultMaxFuture,
		MaxSeries:        defaultMaxSeries,
		IdleTimeout:      defaultIdleTimeout,
		SnapshotInterval: defaultSnapshotInterval,
		ErrorRate:        defaultErrorRateConfig(),
		Throughput:       defaultThroughputConfig(),
		Trend:            defaultTrendConfig(),
		Evaluations:      defaultEvaluations(),
		Security:         defaultSecurity(),
		Agents:           defaultAgents(),
		Drift:            defaultDriftConfig(),
	}
}

// Validate reports every setting that cannot be used.
func (c *Config) Validate() error {
	var errs []error
	fail := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }

	if c.Window < detect.MinWindow || c.Window > detect.MaxWindow {
		fail("window must be in %d..%d, got %d", detect.MinWindow, detect.MaxWindow, c.Window)
	}
	if c.MinSamples < minMinSamples || c.MinSamples > c.Window {
		fail("min_samples must be in %d..window (%d), got %d", minMinSamples, c.Window, c.MinSamples)
	}
	if c.LearnEvery < 0 || c.LearnEvery > detect.MaxLearnEvery {
		fail("learn_every must be in 0s..%v, got %v", detect.MaxLearnEvery, c.LearnEvery)
	}
	if c.CoolDown < 0 {
		fail("cool_down must be 0s (none) or longer, got %v", c.CoolDown)
	}
	if !c.MinSeverity.Valid() {
		fail("min_severity must be one of low, medium, high, critical, got %d", c.MinSeverity)
	}
	c.Peers.validate(fail)
	if c.MaxLateness < 0 {
		fail("max_lateness must be 0s or longer, got %v", c.MaxLateness)
	}
	if c.MaxFuture < 0 {
		fail("max_future must be 0s or longer, got %v", c.MaxFuture)
	}
	if c.MaxSeries < 1 || c.MaxSeries > maxMaxSeries {
		fail("max_series must be in 1..%d, got %d", maxMaxSeries, c.MaxSeries)
	}
	if c.IdleTimeout < minIdleTimeout {
		fail("idle_timeout must be %v or longer, got %v", minIdleTimeout, c.IdleTimeout)
	}
	if c.SnapshotInterval < minSnapshotInterval {
		fail("snapshot_interval must be %v or longer, got %v", minSnapshotInterval, c.SnapshotInterval)
	}
	errs = append(errs, c.validateDetectors(), c.validateMetrics(), c.Evaluations.validate(), c.Security.validate(), c.Agents.validate())
	if err := errors.Join(errs...); err != nil {
		return err
	}
	if len(c.plans()) == 0 {
		return errors.New("detectors and metrics must leave at least one metric with a detector, got none")
	}
	return nil
}

func (c *Config) validateDetectors() error {
	var errs []error
	infos := detect.Detectors()
	for _, name := range slices.Sorted(maps.Keys(c.Detectors)) {
		i := slices.IndexFunc(infos, func(d detect.Info) bool { return d.Name == name })
		if i < 0 {
			errs = append(errs, fmt.Errorf("detectors must be among %s, got %q", strings.Join(detect.Names(), ", "), name))
			continue
		}
		d := c.Detectors[name]
		if t := d.Threshold; t != nil && !(*t >= infos[i].MinThreshold && *t <= infos[i].MaxThreshold) {
			errs = append(errs, fmt.Errorf("detectors::%s::threshold must be in %v..%v, got %v", name, infos[i].MinThreshold, infos[i].MaxThreshold, *t))
		}
		if d.Metrics != nil && len(d.Metrics) == 0 {
			errs = append(errs, fmt.Errorf("detectors::%s::metrics must name at least one metric (enabled: false switches the detector off), got an empty list", name))
		}
		for _, m := range d.Metrics {
			if metricByName(m) == nil {
				errs = append(errs, fmt.Errorf("detectors::%s::metrics must be among %s, got %q", name, strings.Join(metricNames(), ", "), m))
			}
		}
		errs = append(errs, validateParams(name, infos[i].Params, d.Params))
	}
	return errors.Join(errs...)
}

func validateParams(detector string, known []detect.ParamInfo, set map[string]any) error {
	var errs []error
	names := []string{"enabled", "threshold", "metrics"}
	for _, p := range known {
		names = append(names, p.Name)
	}
	for _, name := range slices.Sorted(maps.Keys(set)) {
		i := slices.IndexFunc(known, func(p detect.ParamInfo) bool { return p.Name == name })
		if i < 0 {
			errs = append(errs, fmt.Errorf("detectors::%s has the keys %s, got %q", detector, strings.Join(names, ", "), name))
			continue
		}
		if v, ok := number(set[name]); !ok || !(v >= known[i].Min && v <= known[i].Max) {
			errs = append(errs, fmt.Errorf("detectors::%s::%s must be a number in %v..%v, got %v", detector, name, known[i].Min, known[i].Max, set[name]))
		}
	}
	return errors.Join(errs...)
}

func (c *Config) validateMetrics() error {
	var errs []error
	deviation := func(metric, key string, v *float64) {
		if v != nil && !(*v >= 0 && *v <= math.MaxFloat64) {
			errs = append(errs, fmt.Errorf("metrics::%s::%s must be a finite number of 0 or more, got %v", metric, key, *v))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.Metrics)) {
		if metricByName(name) == nil {
			errs = append(errs, fmt.Errorf("metrics must be among %s, got %q", strings.Join(metricNames(), ", "), name))
			continue
		}
		deviation(name, "min_relative_deviation", c.Metrics[name].MinRelativeDeviation)
		deviation(name, "min_absolute_deviation", c.Metrics[name].MinAbsoluteDeviation)
	}
	return errors.Join(errs...)
}

// plan is one metric and how it is judged.
type plan struct {
	metric *metricRow
	model  detect.Config
}

// plans resolves a valid configuration: every metric that is on and that at
// least one detector judges, in the order of the metric table.
func (c *Config) plans() []plan {
	var out []plan
	for i := range metrics {
		m := &metrics[i]
		own := c.Metrics[m.name]
		if own.Enabled != nil && !*own.Enabled {
			continue
		}
		p := plan{metric: m, model: detect.Config{
			Scale:       or(own.Scale, detect.Log),
			LogOffset:   m.logOffset,
			Direction:   or(own.Direction, m.direction),
			Window:      c.Window,
			MinSamples:  c.MinSamples,
			LearnEvery:  c.LearnEvery,
			MinRelative: or(own.MinRelativeDeviation, m.minRelative),
			MinAbsolute: or(own.MinAbsoluteDeviation, m.minAbsolute),
			CoolDown:    c.CoolDown,
			LoneScore:   m.loneScore,
		}}
		for _, info := range detect.Detectors() {
			d := c.Detectors[info.Name]
			if d.Enabled != nil && !*d.Enabled || d.Metrics != nil && !slices.Contains(d.Metrics, m.name) {
				continue
			}
			p.model.Detectors = append(p.model.Detectors, detect.DetectorConfig{
				Name: info.Name, Threshold: or(d.Threshold, 0), Params: numbers(d.Params),
			})
		}
		if len(p.model.Detectors) > 0 {
			out = append(out, p)
		}
	}
	return out
}

func or[T any](v *T, def T) T {
	if v != nil {
		return *v
	}
	return def
}

// number reads a number as YAML gives it.
func number(v any) (float64, bool) {
	switch x := v.(type) {
	case float64:
		return x, true
	case int:
		return float64(x), true
	case int64:
		return float64(x), true
	}
	return 0, false
}

func numbers(m map[string]any) map[string]float64 {
	if len(m) == 0 {
		return nil
	}
	out := make(map[string]float64, len(m))
	for k, v := range m {
		out[k], _ = number(v)
	}
	return out
}
