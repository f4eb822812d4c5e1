package anomalyprocessor

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/llm-devops/llm-sentinel/internal/anomaly"
)

// steady is traffic of many calls a minute that spread widely.
func steady(seed uint64) *traffic {
	g := newTraffic(seed)
	g.step = 2 * time.Second
	return g
}

// wide makes the latency of a call spread by a factor of two, around factor
// times 800 ms.
func wide(g *traffic, factor float64) func(*call) {
	return func(c *call) { c.latencyMS = factor * 800 * math.Exp(.7*g.rng.NormFloat64()) }
}

func onlyTrend(c *Config) {
	off := false
	c.Metrics = map[string]MetricConfig{"latency_ms": {Enabled: &off}}
	c.Drift.Types = nil
}

func trends(found [][]anomaly.Anomaly) (out []anomaly.Anomaly) {
	for _, a := range marked(found) {
		if a.Method == methodTrend {
			out = append(out, a)
		}
	}
	return out
}

func TestTheTrendShowsAShiftThatNoCallShows(t *testing.T) {
	r := newRig(t, onlyTrend)
	g := steady(1)
	send := func(n int, factor float64) []anomaly.Anomaly {
		var all [][]anomaly.Anomaly
		for range n / 30 {
			var calls []call
			for range 30 {
				calls = append(calls, g.with(wide(g, factor)))
			}
			all = append(all, r.send(calls...)...)
		}
		return trends(all)
	}
	require.Empty(t, send(30*400, 1), "400 minutes of noise")
	begin := g.at
	found := send(30*15, 1.7)
	require.NotEmpty(t, found, "a quarter of an hour at 1.7 times the latency")
	a := found[0]
	assert.Equal(t, anomaly.TypeLatencySpike, a.Type)
	assert.Equal(t, "latency_ms", a.Details.Metric)
	assert.WithinDuration(t, begin, a.Time, 15*time.Minute)
	assert.InEpsilon(t, 800, a.Details.Baseline, .15)
	assert.InEpsilon(t, 1360, a.Details.Value, .25)
	assert.Contains(t, a.RootCause, "The mean latency_ms of ")
	assert.Contains(t, a.RootCause, "x the expected")
	assert.NotEmpty(t, a.Context.Additional["detectors"])
	assert.Less(t, a.Details.Additional["p_value"], 1e-4)
	assert.Positive(t, a.Details.Additional["alerts_per_week"])
	assert.LessOrEqual(t, a.Details.Additional["alerts_per_week"], float64(defaultAlertsPerWeek))
}

func TestTheTrendIsQuietWhenCallsHaveTold(t *testing.T) {
	r := newRig(t, func(c *Config) { c.Drift.Types = nil })
	g := steady(2)
	for range 300 {
		r.send(g.calls(30)...)
	}
	var all [][]anomaly.Anomaly
	for range 5 {
		var calls []call
		for range 30 {
			calls = append(calls, g.with(slow))
		}
		all = append(all, r.send(calls...)...)
	}
	assert.NotEmpty(t, marked(all))
	for _, a := range trends(all) {
		assert.NotEqual(t, "latency_ms", a.Details.Metric)
	}
}

func TestTheTrendSurvivesARestart(t *testing.T) {
	cfg := createDefaultConfig().(*Config)
	rule, err := newTrendRule(cfg)
	require.NoError(t, err)
	r := newRig(t, nil)
	g := steady(3)
	for range 60 {
		r.send(g.calls(30)...)
	}
	var state ruleState
	place := len(r.eng.rules) - 1
	require.Equal(t, "trend", r.eng.rules[place].name())
	r.eng.table.Range(entryOf(func(ent *entry) { state = ent.rules[place] }))
	require.NotNil(t, state)
	blob := state.appendState(nil)
	back, err := rule.readState(blob)
	require.NoError(t, err)
	assert.Equal(t, state, back)
	for n := range len(blob) {
		_, err := rule.readState(blob[:n])
		require.ErrorIs(t, err, errTrendState, "%d of %d bytes", n, len(blob))
	}
}

func TestTrendConfigNamesFieldAndValue(t *testing.T) {
	c := TrendConfig{Metrics: []string{"latency", "cost_usd", "cost_usd"}, Step: time.Second, Threshold: 1}
	err := c.Validate()
	for _, want := range []string{
		`metrics must be among latency_ms`, `got "latency"`, `must not repeat a name, got "cost_usd" twice`,
		"step must be in 10s..1h0m0s, got 1s", "min_calls must be in 1..10000, got 0",
		"alerts_per_week must be above 0 and at most 100, got 0", "threshold must be in 1.5..50, got 1",
	} {
		assert.ErrorContains(t, err, want)
	}
	assert.NoError(t, defaultTrendConfig().Validate())
}
