package anomalyprocessor

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/llm-devops/llm-sentinel/internal/anomaly"
	"github.com/llm-devops/llm-sentinel/internal/genai"
)

// F1: the reference alerted 125 times and then learned the incident.
func TestSustainedSlownessIsOneIncident(t *testing.T) {
	r := newRig(t, nil)
	g := newTraffic(5)
	r.send(g.calls(200)...)
	var bad []call
	for range 40 {
		bad = append(bad, g.with(slow))
	}
	found := r.sendEach(bad)
	require.Len(t, found[0], 1, "the first slow call is marked")
	onset := found[0][0].Context.Additional["onset"]
	assert.Len(t, marked(found), 1, "the others continue the incident")
	assert.EqualValues(t, 39, r.counter("anomalies_suppressed_total", "reason", "ongoing"))
	assert.Equal(t, bad[0].end.Format(time.RFC3339Nano), onset)
}

// F1: after a long shift the new level is accepted, and that is announced.
func TestLastingShiftBecomesTheNewNormal(t *testing.T) {
	r := newRig(t, nil)
	g := newTraffic(6)
	r.send(g.calls(200)...)
	for range 400 {
		r.send(g.with(slow))
	}
	assert.EqualValues(t, 1, r.counter("baselines_rebased_total", "metric", "latency_ms"))
	assert.Zero(t, r.counter("baselines_rebased_total", "metric", "cost_usd"))
	normal := r.counter("events_normal_total")
	r.send(g.with(slow))
	assert.Equal(t, normal+1, r.counter("events_normal_total"), "the new level is normal")
}

// F1: one spike does not hide the next.
func TestSpikeDoesNotMaskTheNext(t *testing.T) {
	r := newRig(t, func(c *Config) { c.CoolDown = time.Minute })
	g := newTraffic(7)
	r.send(g.calls(200)...)
	require.NotEmpty(t, marked(r.send(g.with(func(c *call) { c.latencyMS *= 50 }))))
	require.Empty(t, marked(r.send(g.calls(20)...)))
	assert.NotEmpty(t, marked(r.send(g.with(func(c *call) { c.latencyMS *= 5 }))))
}

// An incident that gets worse is news.
func TestEscalationIsMarked(t *testing.T) {
	r := newRig(t, nil)
	g := newTraffic(30)
	r.send(g.calls(200)...)
	var all []anomaly.Anomaly
	for factor := 1.5; factor < 30; factor *= 1.1 {
		all = append(all, marked(r.send(g.with(func(c *call) { c.latencyMS *= factor })))...)
	}
	require.Greater(t, len(all), 1)
	require.LessOrEqual(t, len(all), 3, "and not each further call")
	for i := range all[1:] {
		assert.Greater(t, all[i+1].Severity, all[i].Severity)
		assert.GreaterOrEqual(t, all[i+1].Severity, anomaly.SeverityHigh)
		assert.Equal(t, all[0].Context.Additional["onset"], all[i+1].Context.Additional["onset"], "one incident")
		assert.NotEqual(t, all[0].ID, all[i+1].ID)
	}
}

// A model that answers in place of another is named, and keeps its own series.
func TestModelAskedForIsNamedWhenAnotherAnswers(t *testing.T) {
	r := newRig(t, nil)
	g := newTraffic(31)
	fallback := func(c *call) {
		c.change = func(s ptrace.Span) { s.Attributes().PutStr(genai.AttrResponseModel, "gpt-4o-mini") }
	}
	for range 100 {
		r.send(g.with(fallback))
	}
	a := one(t, r.send(g.with(func(c *call) { fallback(c); slow(c) }))[0])
	assert.Equal(t, "gpt-4o-mini", a.Model)
	assert.Equal(t, "gpt-4", a.Context.Additional["request_model"])
}

// Nothing is no base for a ratio.
func TestJumpFromZeroIsExplainedAsADifference(t *testing.T) {
	r := newRig(t, nil)
	g := newTraffic(32)
	for range 100 {
		require.Empty(t, marked(r.send(g.with(func(c *call) { c.output = 0 }))))
	}
	found := r.send(g.with(func(c *call) { c.output = 5000 }))[0]
	require.NotEmpty(t, found)
	require.Equal(t, "output_tokens", found[0].Details.Metric)
	assert.Contains(t, found[0].RootCause, "output_tokens 5000 is 5000 off the expected 0")
}
