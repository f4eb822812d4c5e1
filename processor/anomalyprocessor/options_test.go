package anomalyprocessor

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/llm-devops/llm-sentinel/internal/anomaly"
	"github.com/llm-devops/llm-sentinel/internal/detect"
)

// only leaves one detector on.
func only(name string, tune func(*DetectorConfig)) func(*Config) {
	return func(c *Config) {
		c.Detectors = map[string]DetectorConfig{}
		for _, other := range detect.Names() {
			c.Detectors[other] = DetectorConfig{Enabled: ptr(other == name)}
		}
		d := c.Detectors[name]
		if tune != nil {
			tune(&d)
		}
		c.Detectors[name] = d
	}
}

// afterNormal sends normal traffic and then what change makes of further calls,
// until something is marked; calls is 0 when nothing is within the limit.
func afterNormal(t *testing.T, config func(*Config), change func(*call), limit int) (calls int, found []anomaly.Anomaly) {
	t.Helper()
	r := newRig(t, config)
	g := newTraffic(21)
	require.Empty(t, marked(r.send(g.calls(200)...)), "normal traffic")
	for i := range limit {
		if found := marked(r.send(g.with(change))); len(found) > 0 {
			return i + 1, found
		}
	}
	return 0, nil
}

// F12, F13, F17: every detector works by itself, and is off when it is off.
func TestEachDetectorByItself(t *testing.T) {
	shift := func(c *call) { c.latencyMS *= 1.5 }
	for name, c := range map[string]struct {
		change func(*call)
		limit  int
	}{
		"z_score": {slow, 1},
		"iqr":     {slow, 1},
		"mad":     {slow, 1},
		"cusum":   {shift, 30},
	} {
		t.Run(name, func(t *testing.T) {
			n, found := afterNormal(t, only(name, nil), c.change, c.limit)
			require.Positive(t, n)
			assert.Equal(t, []anomaly.Method{anomaly.Method(name)}, found[0].Details.Methods)
			assert.Equal(t, anomaly.Method(name), found[0].Method)

			_, all := afterNormal(t, nil, c.change, c.limit)
			require.NotEmpty(t, all)
			require.Contains(t, all[0].Details.Methods, anomaly.Method(name))
			off := func(cfg *Config) { cfg.Detectors = map[string]DetectorConfig{name: {Enabled: ptr(false)}} }
			_, others := afterNormal(t, off, c.change, c.limit)
			for _, a := range others {
				assert.NotContains(t, a.Details.Methods, anomaly.Method(name))
			}
		})
	}
}

func TestDetectorOptionsChangeTheResult(t *testing.T) {
	spike := func(c *call) { c.latencyMS *= 4; c.cost *= 4 }
	marks := func(config func(*Config), change func(*call), limit int) []string {
		_, found := afterNormal(t, config, change, limit)
		return metricsOf(found)
	}
	z := func(tune func(*DetectorConfig)) func(*Config) { return only("z_score", tune) }

	require.Equal(t, []string{"latency_ms", "cost_usd"}, marks(z(nil), spike, 1))
	assert.Equal(t, []string{"cost_usd"}, marks(z(func(d *DetectorConfig) { d.Metrics = []string{"cost_usd"} }), spike, 1), "metrics")
	assert.Empty(t, marks(z(func(d *DetectorConfig) { d.Threshold = ptr(10.) }), spike, 1), "threshold")

	shift := func(c *call) { c.latencyMS *= 1.5 }
	early, _ := afterNormal(t, only("cusum", nil), shift, 50)
	late, _ := afterNormal(t, only("cusum", func(d *DetectorConfig) { d.Params = map[string]any{"k": 1.5} }), shift, 50)
	require.Positive(t, early)
	assert.True(t, late == 0 || late > early, "k: %d calls, then %d", early, late)
	lower, _ := afterNormal(t, only("cusum", func(d *DetectorConfig) { d.Threshold = ptr(6.) }), shift, 50)
	assert.Positive(t, lower)
	assert.Less(t, lower, early, "threshold of cusum")
}

func TestMetricOptionsChangeTheResult(t *testing.T) {
	latency := func(m MetricConfig) func(*Config) {
		return func(c *Config) { c.Metrics = map[string]MetricConfig{"latency_ms": m} }
	}
	found := func(config func(*Config), change func(*call)) bool {
		n, _ := afterNormal(t, config, change, 1)
		return n > 0
	}
	fast := func(c *call) { c.latencyMS /= 12 }

	require.True(t, found(nil, slow))
	require.False(t, found(nil, fast))
	assert.False(t, found(latency(MetricConfig{Enabled: ptr(false)}), slow), "enabled")
	assert.False(t, found(latency(MetricConfig{Direction: ptr(detect.Down)}), slow), "direction")
	assert.True(t, found(latency(MetricConfig{Direction: ptr(detect.Down)}), fast), "direction")
	assert.False(t, found(latency(MetricConfig{MinRelativeDeviation: ptr(20.)}), slow), "min_relative_deviation")
	assert.False(t, found(latency(MetricConfig{MinAbsoluteDeviation: ptr(20_000.)}), slow), "min_absolute_deviation")

	// A quarter of the usual latency is far on the log scale only.
	quarter := func(c *call) { c.latencyMS = 200 }
	both := MetricConfig{Direction: ptr(detect.Both)}
	assert.True(t, found(latency(both), quarter), "scale")
	both.Scale = ptr(detect.Linear)
	assert.False(t, found(latency(both), quarter), "scale")
}

func TestWindowIsTheMemory(t *testing.T) {
	context := func(window int) anomaly.Context {
		_, found := afterNormal(t, func(c *Config) { c.Window = window }, slow, 1)
		return found[0].Context
	}
	assert.Equal(t, "last_64_samples", context(64).TimeWindow)
	assert.Equal(t, "last_200_samples", context(200).TimeWindow)

	// A shift is accepted after three windows of it.
	accepted := func(window int) int {
		r := newRig(t, func(c *Config) { c.Window = window })
		g := newTraffic(22)
		r.send(g.calls(200)...)
		for i := range 1000 {
			r.send(g.with(slow))
			if r.counter("baselines_rebased_total", "metric", "latency_ms") > 0 {
				return i
			}
		}
		return -1
	}
	short, long := accepted(16), accepted(64)
	assert.Positive(t, short)
	assert.Less(t, short, long)
}

func TestMinSamplesDelaysTheFirstVerdict(t *testing.T) {
	first := func(minSamples int) int {
		for n := minSamples - 2; n < 64; n++ {
			r := newRig(t, func(c *Config) { c.MinSamples = minSamples })
			g := newTraffic(23)
			r.send(g.calls(n)...)
			if len(marked(r.send(g.with(func(c *call) { c.latencyMS *= 40 })))) > 0 {
				return n
			}
		}
		return -1
	}
	few, many := first(8), first(32)
	assert.GreaterOrEqual(t, few, 8)
	assert.GreaterOrEqual(t, many, 32)
	assert.Less(t, few, many)
}

func TestCoolDownAndMinSeverity(t *testing.T) {
	// Two equal spikes two minutes apart.
	spikes := func(config func(*Config)) (int, *rig) {
		r := newRig(t, config)
		g := newTraffic(24)
		r.send(g.calls(200)...)
		n := 0
		for range 2 {
			n += len(marked(r.send(g.with(slow))))
			n += len(marked(r.send(g.calls(11)...)))
		}
		return n, r
	}
	n, r := spikes(func(c *Config) { c.CoolDown = time.Minute })
	assert.Equal(t, 2, n)
	assert.Zero(t, r.counter("anomalies_suppressed_total"))
	n, r = spikes(func(c *Config) { c.CoolDown = 10 * time.Minute })
	assert.Equal(t, 1, n)
	assert.EqualValues(t, 1, r.counter("anomalies_suppressed_total", "reason", "ongoing"))

	// The weakest spike that is marked is not critical.
	for factor := 1.5; ; factor += .1 {
		weak := func(c *call) { c.latencyMS *= factor }
		_, found := afterNormal(t, nil, weak, 1)
		if len(found) == 0 {
			continue
		}
		require.Less(t, found[0].Severity, anomaly.SeverityCritical, "factor %v", factor)
		higher := func(c *Config) { c.MinSeverity = found[0].Severity + 1 }
		_, found = afterNormal(t, higher, weak, 1)
		assert.Empty(t, found, "factor %v", factor)
		break
	}
	n, r = spikes(func(c *Config) { c.MinSeverity = anomaly.SeverityCritical; c.CoolDown = time.Minute })
	assert.Equal(t, 2, n)
	assert.Zero(t, r.counter("anomalies_suppressed_total", "reason", "min_severity"))
}

func TestTimeOptionsChangeTheResult(t *testing.T) {
	lateBy := func(d time.Duration, config func(*Config)) int64 {
		r := newRig(t, config)
		g := newTraffic(25)
		r.send(g.calls(10)...)
		old := g.call()
		old.end = g.at.Add(-g.step - d)
		r.send(old)
		return r.counter("events_late_total")
	}
	assert.Zero(t, lateBy(time.Minute, nil))
	assert.EqualValues(t, 1, lateBy(time.Minute, func(c *Config) { c.MaxLateness = 30 * time.Second }))
	assert.Zero(t, lateBy(time.Hour, func(c *Config) { c.MaxLateness = 2 * time.Hour }))

	ahead := func(config func(*Config)) int64 {
		r := newRig(t, config)
		g := newTraffic(26)
		r.setClock(g.at)
		c := g.call()
		c.end = epoch.Add(5 * time.Minute)
		r.send(c)
		return r.counter("events_clamped_total")
	}
	assert.EqualValues(t, 1, ahead(nil))
	assert.Zero(t, ahead(func(c *Config) { c.MaxFuture = time.Hour }))
}

func TestIdleTimeoutAndMaxSeriesBound(t *testing.T) {
	r := newRig(t, func(c *Config) { c.IdleTimeout = 10 * time.Minute; c.MaxSeries = 10 })
	g := newTraffic(27)
	for i := range 30 {
		g.model = fmt.Sprintf("m%d", i)
		r.send(g.call())
	}
	assert.LessOrEqual(t, r.counter("series"), int64(10))
	at := epoch.Add(24*time.Hour + 10*time.Minute)
	assert.Zero(t, r.eng.table.Sweep(at.UnixNano(), sweepBudget))
	assert.Positive(t, r.eng.table.Sweep(at.Add(1).UnixNano(), sweepBudget))
	assert.Zero(t, r.counter("series"))
}

// Every metric and detector of the tables can be named in a configuration.
func TestTablesAndConfigurationAgree(t *testing.T) {
	c := createDefaultConfig().(*Config)
	c.Metrics, c.Detectors = map[string]MetricConfig{}, map[string]DetectorConfig{}
	for _, name := range metricNames() {
		c.Metrics[name] = MetricConfig{}
	}
	for _, d := range detect.Detectors() {
		params := map[string]any{}
		for _, p := range d.Params {
			params[p.Name] = p.Default
		}
		c.Detectors[d.Name] = DetectorConfig{Threshold: ptr(d.DefaultThreshold), Params: params, Metrics: metricNames()}
	}
	require.NoError(t, c.Validate())
	for i := range metrics {
		assert.False(t, metrics[i].typ.Custom(), metrics[i].name)
	}
}
