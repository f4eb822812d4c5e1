package anomalyprocessor

import (
	"math"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/llm-devops/llm-sentinel/internal/anomaly"
	"github.com/llm-devops/llm-sentinel/internal/detect"
	"github.com/llm-devops/llm-sentinel/internal/genai"
)

func slow(c *call) { c.latencyMS *= 12 }

// one returns the only anomaly of a span.
func one(t *testing.T, found []anomaly.Anomaly) anomaly.Anomaly {
	t.Helper()
	require.Len(t, found, 1)
	return found[0]
}

func TestSlowCallIsMarkedWithAllThatIsKnown(t *testing.T) {
	r := newRig(t, nil)
	g := newTraffic(1)
	require.Empty(t, marked(r.send(g.calls(200)...)), "normal traffic")

	spike := g.with(func(c *call) { c.latencyMS = 9000 })
	td := traces(spike)
	a := one(t, r.sendTraces(td)[0])

	assert.Equal(t, anomaly.TypeLatencySpike, a.Type)
	assert.Equal(t, anomaly.SeverityCritical, a.Severity)
	assert.Equal(t, "chat-api", a.Service)
	assert.Equal(t, "gpt-4", a.Model)
	assert.Equal(t, spike.end, a.Time, "event time")
	assert.Equal(t, "latency_ms", a.Details.Metric)
	assert.InDelta(t, 9000, a.Details.Value, 1e-6)
	assert.InDelta(t, 800, a.Details.Baseline, 150)
	assert.Greater(t, a.Details.Threshold, a.Details.Baseline)
	assert.Less(t, a.Details.Threshold, 9000.)
	assert.Greater(t, a.Details.DeviationSigma, 5.)
	assert.LessOrEqual(t, a.Details.DeviationSigma, detect.MaxSigma)
	assert.Greater(t, a.Confidence, .9)
	assert.LessOrEqual(t, a.Confidence, 1.)
	assert.Subset(t, a.Details.Methods, []anomaly.Method{anomaly.MethodZScore, anomaly.MethodMAD, anomaly.MethodIQR}, "F13: all that agree")
	assert.Equal(t, a.Details.Methods[0], a.Method)
	band := a.Details.Additional
	assert.Less(t, band["lower_limit"], a.Details.Baseline)
	assert.Greater(t, band["upper_limit"], a.Details.Baseline)
	assert.LessOrEqual(t, band["upper_limit"], a.Details.Threshold+1e-9, "the limit of the strictest detector")
	assert.InDelta(t, 9000/a.Details.Baseline, band["ratio"], 1e-9)
	for _, m := range a.Details.Methods {
		assert.GreaterOrEqual(t, a.Details.Additional[string(m)+".score"], 1., m)
	}
	assert.Equal(t, "last_64_samples", a.Context.TimeWindow)
	assert.Positive(t, a.Context.SampleCount)
	assert.Equal(t, "u1", a.Context.UserID)
	assert.Equal(t, "eu-west-1", a.Context.Region)
	span := td.ResourceSpans().At(0).ScopeSpans().At(0).Spans().At(0)
	assert.Equal(t, span.TraceID().String(), a.Context.TraceID)
	assert.Equal(t, span.SpanID().String(), a.Context.SpanID)
	assert.Equal(t, genai.NewEventID(span.TraceID(), span.SpanID()).String(), a.Context.EventID)
	assert.Equal(t, spike.end.Format(time.RFC3339Nano), a.Context.Additional["onset"])
	assert.Equal(t, "above", a.Context.Additional["side"])
	assert.Equal(t, "chat", a.Context.Additional["operation"])
	assert.Equal(t, "openai", a.Context.Additional["provider"])
	assert.Equal(t, anomaly.NewID("chat-api", "gpt-4", "latency_ms", anomaly.TypeLatencySpike, spike.end, a.Context.EventID), a.ID)

	for _, part := range []string{"latency_ms 9000 is ", "x the expected ", "(limits of a single call ", " sigma above; seen by ", "since 2026-01-02T", "within limits: ttft_ms"} {
		assert.Contains(t, a.RootCause, part)
	}
	require.Len(t, a.Remediation, 1)
	assert.Contains(t, a.Remediation[0], "the generation itself is slow")

	severity, _ := span.Attributes().Get(anomaly.AttrSeverity)
	assert.Equal(t, "critical", severity.Str())
	types, _ := span.Attributes().Get(anomaly.AttrTypes)
	assert.Equal(t, []any{"latency_spike"}, types.Slice().AsRaw())

	assert.EqualValues(t, 201, r.counter("events_processed_total"))
	assert.EqualValues(t, 1, r.counter("anomalies_detected_total", "type", "latency_spike", "severity", "critical", "detector", string(a.Method)))
	assert.EqualValues(t, 1, r.counter("series"))
}

func TestEachMetricGivesItsType(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*call)
		typ    anomaly.Type
	}{
		"latency_ms":    {func(c *call) { c.latencyMS *= 12 }, anomaly.TypeLatencySpike},
		"ttft_ms":       {func(c *call) { c.ttftMS *= 12 }, anomaly.TypeLatencySpike},
		"input_tokens":  {func(c *call) { c.input *= 12 }, anomaly.TypeTokenUsageSpike},
		"output_tokens": {func(c *call) { c.output *= 12 }, anomaly.TypeTokenUsageSpike},
		"cost_usd":      {func(c *call) { c.cost *= 12 }, anomaly.TypeCostAnomaly},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, nil)
			g := newTraffic(2)
			r.send(g.calls(100)...)
			a := one(t, r.send(g.with(c.change))[0])
			assert.Equal(t, c.typ, a.Type)
			if name == "latency_ms" || name == "ttft_ms" || name == "cost_usd" {
				assert.Equal(t, name, a.Details.Metric)
			}
		})
	}
}

func TestTokensOfOneCallGiveOneAnomalyPerType(t *testing.T) {
	r := newRig(t, nil)
	g := newTraffic(3)
	r.send(g.calls(100)...)
	found := r.send(g.with(func(c *call) { c.input *= 20; c.cost *= 15 }))[0]
	require.Len(t, found, 2)
	byType := map[anomaly.Type]anomaly.Anomaly{}
	for _, a := range found {
		byType[a.Type] = a
	}
	tokens, cost := byType[anomaly.TypeTokenUsageSpike], byType[anomaly.TypeCostAnomaly]
	// Both counts are out of bounds; the stronger one is named, with the other.
	other := map[string]string{"input_tokens": "total_tokens", "total_tokens": "input_tokens"}[tokens.Details.Metric]
	require.NotEmpty(t, other, tokens.Details.Metric)
	assert.Equal(t, other, tokens.Context.Additional["also"])
	assert.Contains(t, tokens.Details.Additional, other+".value")
	assert.Contains(t, tokens.Details.Additional, other+".baseline")
	assert.Contains(t, tokens.RootCause, "same call: "+other+" ")
	assert.Contains(t, cost.RootCause, "same call: input_tokens ")
	assert.Equal(t, []string{"The call used more tokens than usual: look at what made it so, see the token counts."}, cost.Remediation)
	assert.EqualValues(t, 1, r.counter("anomalies_suppressed_total", "reason", "same_type"))
}

func TestDearTokensAreToldFromManyTokens(t *testing.T) {
	r := newRig(t, nil)
	g := newTraffic(4)
	r.send(g.calls(100)...)
	a := one(t, r.send(g.with(func(c *call) { c.cost *= 20 }))[0])
	require.Len(t, a.Remediation, 1)
	assert.Contains(t, a.Remediation[0], "a token costs more")
	assert.Contains(t, a.RootCause, "within limits: latency_ms, ttft_ms, input_tokens, output_tokens, total_tokens")
}

// F2: 40x and +30 % in dollars.
func TestCostShiftsAreFound(t *testing.T) {
	for name, factor := range map[string]float64{"40x": 40, "+30 %": 1.3} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, nil)
			g := newTraffic(8)
			cost := func(c *call) { c.cost = .01 * math.Exp(.05*g.rng.NormFloat64()) }
			for range 200 {
				require.Empty(t, marked(r.send(g.with(cost))))
			}
			within := 3
			if factor < 2 {
				within = 20
			}
			for i := range within {
				found := marked(r.send(g.with(func(c *call) { cost(c); c.cost *= factor })))
				if len(found) > 0 {
					assert.Equal(t, anomaly.TypeCostAnomaly, found[0].Type)
					t.Logf("found after %d calls", i+1)
					return
				}
			}
			t.Fatalf("not found within %d calls", within)
		})
	}
}

// F4 and F7: no spread at all.
func TestJumpOnConstantSeriesIsFound(t *testing.T) {
	r := newRig(t, nil)
	g := newTraffic(9)
	constant := func(c *call) { c.latencyMS, c.ttftMS, c.input, c.output, c.cost = 500, 100, 100, 100, .01 }
	for range 100 {
		require.Empty(t, marked(r.send(g.with(constant))))
	}
	a := one(t, r.send(g.with(func(c *call) { constant(c); c.input = 100_000 }))[0])
	assert.Equal(t, anomaly.TypeTokenUsageSpike, a.Type)
	assert.LessOrEqual(t, math.Abs(a.Details.DeviationSigma), detect.MaxSigma)
}

// F5 and F6: no spread, and a change that is none.
func TestTinyChangeOnConstantSeriesIsNothing(t *testing.T) {
	r := newRig(t, nil)
	g := newTraffic(10)
	constant := func(c *call) { c.latencyMS, c.ttftMS, c.input, c.output, c.cost = 100, 50, 100, 100, .01 }
	for range 100 {
		r.send(g.with(constant))
	}
	assert.Empty(t, marked(r.send(g.with(func(c *call) { constant(c); c.latencyMS = 100.001 }))))
	assert.Empty(t, marked(r.send(g.with(func(c *call) { constant(c); c.cost = .01 + 1e-17 }))))
	assert.EqualValues(t, 102, r.counter("events_normal_total"))
}

// F8: the reference called 1 ms a critical latency spike "above" the mean.
func TestFastCallIsNoLatencySpike(t *testing.T) {
	fast := func(c *call) { c.latencyMS = 1 }
	r := newRig(t, nil)
	g := newTraffic(11)
	r.send(g.calls(100)...)
	assert.Empty(t, marked(r.send(g.with(fast))))

	both := newRig(t, func(c *Config) { c.Metrics = map[string]MetricConfig{"latency_ms": {Direction: ptr(detect.Both)}} })
	g = newTraffic(11)
	both.send(g.calls(100)...)
	a := one(t, both.send(g.with(fast))[0])
	assert.Equal(t, "below", a.Context.Additional["side"])
	assert.Contains(t, a.RootCause, " sigma below;")
	assert.Less(t, a.Details.Threshold, a.Details.Baseline, "the limit on the crossed side")
	assert.Negative(t, a.Details.DeviationSigma)
}

// A shift is explained by its level; the limits of a single call are another
// matter.
func TestShiftIsExplainedByItsLevel(t *testing.T) {
	r := newRig(t, nil)
	g := newTraffic(33)
	r.send(g.calls(200)...)
	for range 60 {
		for _, a := range marked(r.send(g.with(func(c *call) { c.latencyMS *= 1.5 }))) {
			assert.Contains(t, a.RootCause, ", with the latest calls at ")
			assert.Regexp(t, ` on average: 1\.[0-9]+x the expected [0-9]+ \(limit [0-9]+; limits of a single call [0-9]+ to [0-9]+\), above; seen by cusum`, a.RootCause)
			assert.InDelta(t, 1.5, a.Details.Additional["ratio"], .3)
			return
		}
	}
	require.Fail(t, "no shift")
}

// F11: the reference needed 500 to 1000 events, its producers send 20.
func TestFirstVerdictComesAfterMinSamples(t *testing.T) {
	r := newRig(t, nil)
	g := newTraffic(12)
	warmUp := -1
	for n := range 40 {
		probe := newRig(t, nil)
		h := newTraffic(12)
		probe.send(h.calls(n)...)
		if len(marked(probe.send(h.with(func(c *call) { c.latencyMS *= 30 })))) > 0 {
			warmUp = n
			break
		}
	}
	require.GreaterOrEqual(t, warmUp, r.cfg.MinSamples)
	assert.LessOrEqual(t, warmUp, 32)
	require.Empty(t, marked(r.send(g.calls(warmUp)...)))
}

// F13: severity and method come from the combination.
func TestAllAgreeingDetectorsAreRecorded(t *testing.T) {
	r := newRig(t, nil)
	g := newTraffic(13)
	r.send(g.calls(100)...)
	a := one(t, r.send(g.with(slow))[0])
	assert.GreaterOrEqual(t, len(a.Details.Methods), 3)
	best := 0.
	for _, m := range a.Details.Methods {
		best = max(best, a.Details.Additional[string(m)+".score"])
	}
	assert.InDelta(t, best, a.Details.Additional["score"], 1e-9)
}

// F14: log-normal latency, as real latencies are.
func TestHeavyTailsRaiseFewAlarms(t *testing.T) {
	r := newRig(t, nil)
	g := newTraffic(14)
	g.step = 10 * time.Minute // beyond the cool-down: every alarm would show
	n := 0
	for range 100 {
		var calls []call
		for range 100 {
			calls = append(calls, g.with(func(c *call) { c.latencyMS = 800 * math.Exp(.6*g.rng.NormFloat64()) }))
		}
		for _, a := range marked(r.send(calls...)) {
			if a.Details.Metric == "latency_ms" {
				n++
			}
		}
	}
	t.Logf("%d alarms on 10000 normal calls", n)
	assert.LessOrEqual(t, n, 20)
}

// F19: verdicts do not depend on when the telemetry arrives.
func TestReplayGivesTheSameAnomalies(t *testing.T) {
	run := func(arrival time.Time) []anomaly.Anomaly {
		r := newRig(t, nil)
		r.setClock(arrival)
		g := newTraffic(15)
		calls := g.calls(100)
		calls = append(calls, g.with(slow))
		calls = append(calls, g.calls(100)...)
		calls = append(calls, g.with(func(c *call) { c.cost *= 30 }))
		return marked(r.send(calls...))
	}
	live, replay := run(epoch.Add(time.Hour)), run(epoch.Add(1000*time.Hour))
	require.Len(t, live, 2)
	assert.Equal(t, live, replay)
}

func TestFailedCallsDoNotTeachTheBaseline(t *testing.T) {
	r := newRig(t, func(c *Config) { c.ErrorRate.Enabled = false })
	g := newTraffic(16)
	r.send(g.calls(100)...)
	for range 200 {
		require.Empty(t, marked(r.send(g.with(func(c *call) { c.failed = true; c.latencyMS = 60_000 }))))
	}
	assert.EqualValues(t, 200, r.counter("events_skipped_total", "reason", "failed_call"))
	a := one(t, r.send(g.with(slow))[0])
	assert.InDelta(t, 800, a.Details.Baseline, 200)
}

func TestSeriesAreKeptApart(t *testing.T) {
	r := newRig(t, nil)
	cheap, dear := newTraffic(17), newTraffic(18)
	cheap.model, dear.model = "gpt-4o-mini", "o1"
	for range 100 {
		require.Empty(t, marked(r.send(cheap.call(), dear.with(slow))), "each model has its own normal")
	}
	assert.NotEmpty(t, marked(r.send(cheap.with(slow))))
	assert.Empty(t, marked(r.send(dear.with(slow))))
	assert.EqualValues(t, 2, r.counter("series"))
}

func TestRepeatedBatchIsMarkedAgain(t *testing.T) {
	r := newRig(t, nil)
	g := newTraffic(19)
	r.send(g.calls(100)...)
	batch := append(g.calls(3), g.with(slow))
	first := marked(r.send(batch...))
	require.Len(t, first, 1)
	again := marked(r.send(batch...))
	assert.Equal(t, first, again, "the sender repeats a batch whose delivery failed behind the processor")
	assert.EqualValues(t, 1, r.counter("events_skipped_total", "reason", "repeated"))
	assert.EqualValues(t, 1, r.counter("anomalies_detected_total"))
}

func TestSpansThatAreNoCallsPassUnchanged(t *testing.T) {
	r := newRig(t, nil)
	td := ptrace.NewTraces()
	s := td.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans()
	for i := range 50 {
		span := s.AppendEmpty()
		span.SetName("GET /")
		span.Attributes().PutStr("http.request.method", "GET")
		span.Attributes().PutInt("http.response.status_code", int64(200+i))
	}
	want := ptrace.NewTraces()
	td.CopyTo(want)
	r.sendTraces(td)
	require.Len(t, r.sink.AllTraces(), 1)
	assert.Equal(t, want, r.sink.AllTraces()[0])
	assert.Zero(t, r.counter("events_processed_total"))
	assert.Zero(t, r.counter("series"))
}

func TestNumbersInTextsAreReadable(t *testing.T) {
	for in, want := range map[float64]string{
		0: "0", 9000: "9000", 812.5: "813", 99.96: "100", 11.23: "11.2", .000123456: "0.000123", 1e9: "1000000000",
		-3.14159: "-3.14", 1e-7: "0.0000001",
	} {
		got := string(appendNumber(nil, in))
		assert.Equal(t, want, got)
		assert.NotContains(t, got, "e")
		_, err := strconv.ParseFloat(got, 64)
		assert.NoError(t, err)
	}
}
