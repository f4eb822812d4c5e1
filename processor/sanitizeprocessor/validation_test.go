package sanitizeprocessor

import (
	"math"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

func lasting(ms float64) func(ptrace.Span) {
	return func(s ptrace.Span) {
		s.SetEndTimestamp(s.StartTimestamp() + pcommon.Timestamp(ms*1e6))
	}
}

func with(key string, value any) func(ptrace.Span) {
	return func(s ptrace.Span) {
		if err := s.Attributes().PutEmpty(key).FromRaw(value); err != nil {
			panic(err)
		}
	}
}

// Each limit of the contract: what equals it passes, what is beyond it does not.
func TestLimits(t *testing.T) {
	for name, c := range map[string]struct {
		change   func(ptrace.Span)
		violated []any
		dropped  bool
	}{
		"latency equal to the maximum": {change: lasting(600_000)},
		"latency above":                {change: lasting(600_000.001), violated: []any{"latency"}, dropped: true},
		"latency equal to the minimum": {change: lasting(0)},
		"end before start":             {change: lasting(-1), violated: []any{"latency"}, dropped: true},
		"latency of two weeks":         {change: lasting(14 * 24 * 3600e3), violated: []any{"latency"}, dropped: true},
		"latency of an attribute": {change: func(s ptrace.Span) {
			s.SetEndTimestamp(0)
			with("llm.latency_ms", 600_001.0)(s)
		}, violated: []any{"latency"}, dropped: true},
		"negative latency of one":         {change: with("llm.latency_ms", -1.0), violated: []any{"latency"}, dropped: true},
		"cost equal to the maximum":       {change: with("gen_ai.usage.cost", 100.0)},
		"cost above":                      {change: with("gen_ai.usage.cost", math.Nextafter(100, 101)), violated: []any{"cost"}, dropped: true},
		"cost of nothing":                 {change: with("gen_ai.usage.cost", 0.0)},
		"negative cost":                   {change: with("gen_ai.usage.cost", -0.01), violated: []any{"cost"}, dropped: true},
		"cost of millions":                {change: with("llm.cost_usd", 2e6), violated: []any{"cost"}, dropped: true},
		"cost that is no number":          {change: with("gen_ai.usage.cost", math.NaN()), violated: []any{"not_a_number"}, dropped: true},
		"infinite cost":                   {change: with("gen_ai.usage.cost", math.Inf(1)), violated: []any{"not_a_number"}, dropped: true},
		"infinite latency":                {change: with("llm.latency_ms", math.Inf(-1)), violated: []any{"not_a_number"}, dropped: true},
		"tokens equal to the maximum":     {change: with("gen_ai.usage.output_tokens", int64(127_900))},
		"tokens above are tagged only":    {change: with("gen_ai.usage.output_tokens", int64(127_901)), violated: []any{"total_tokens"}},
		"negative tokens":                 {change: with("gen_ai.usage.input_tokens", int64(-5)), violated: []any{"total_tokens"}},
		"tokens of thousands of millions": {change: with("gen_ai.usage.input_tokens", int64(math.MaxInt64)), violated: []any{"total_tokens"}},
		"no numbers at all": {change: func(s ptrace.Span) {
			s.Attributes().Remove("gen_ai.usage.input_tokens")
			s.Attributes().Remove("gen_ai.usage.output_tokens")
		}},
		"what is no call is not judged": {change: func(s ptrace.Span) {
			s.Attributes().Clear()
			lasting(900_000)(s)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			fill := func(s ptrace.Span) {
				call(s)
				c.change(s)
			}
			r := newRig(t, dropping)
			out, ok := r.span(fill)
			assert.Equal(t, c.dropped, !ok)
			var dropped int64
			if c.dropped {
				dropped = 1
			} else {
				assert.Equal(t, c.violated, violated(out.Attributes()))
			}
			assert.Equal(t, dropped, r.counter("events_dropped_total", "reason", "validation_failed"))
			for _, l := range c.violated {
				assert.EqualValues(t, 1, r.counter("validation_failures_total", "limit", l.(string)))
			}

			tagging := newRig(t, func(c *Config) {
				v := &c.Validation
				v.Latency.Action, v.Cost.Action, v.NotANumber = ActionTag, ActionTag, ActionTag
			})
			out, ok = tagging.span(fill)
			require.True(t, ok)
			assert.Equal(t, c.violated, violated(out.Attributes()))

			off := newRig(t, func(c *Config) { c.Validation.Enabled = false })
			out, ok = off.span(fill)
			require.True(t, ok)
			assert.Nil(t, violated(out.Attributes()))
		})
	}
}

func TestClamp(t *testing.T) {
	r := newRig(t, func(c *Config) {
		v := &c.Validation
		v.Latency = LatencyLimit{Min: 100 * time.Millisecond, Max: time.Minute, Action: ActionClamp}
		v.Cost.Action, v.TotalTokens.Action = ActionClamp, ActionClamp
	})
	out, ok := r.span(func(s ptrace.Span) {
		call(s)
		lasting(61_000)(s)
		with("gen_ai.client.operation.duration", 61.0)(s)
		with("llm.cost_usd", 250.0)(s)
		with("gen_ai.usage.input_tokens", int64(200_000))(s)
	})
	require.True(t, ok)
	assert.Equal(t, []any{"latency", "cost", "total_tokens"}, violated(out.Attributes()))
	raw := out.Attributes().AsRaw()
	assert.EqualValues(t, time.Minute, out.EndTimestamp()-out.StartTimestamp())
	assert.InDelta(t, 60, raw["gen_ai.client.operation.duration"], 0)
	assert.InDelta(t, 100, raw["gen_ai.usage.cost"], 0)
	assert.EqualValues(t, 128_000, raw["gen_ai.usage.total_tokens"])
	assert.EqualValues(t, 200_000, raw["gen_ai.usage.input_tokens"], "the parts stay")

	again, ok := r.span(func(s ptrace.Span) {
		out.CopyTo(s)
		s.Attributes().Remove("sentinel.sanitize.violations")
	})
	require.True(t, ok)
	assert.Nil(t, violated(again.Attributes()), "what was clamped holds the limits")

	out, _ = r.span(func(s ptrace.Span) {
		call(s)
		lasting(-5)(s)
		with("gen_ai.usage.cost", -3.0)(s)
	})
	assert.EqualValues(t, 100*time.Millisecond, out.EndTimestamp()-out.StartTimestamp())
	assert.InDelta(t, 0, out.Attributes().AsRaw()["gen_ai.usage.cost"], 0)
}

// dropping drops calls beyond the limits of latency and cost.
func dropping(c *Config) {
	c.Validation.Latency.Action, c.Validation.Cost.Action = ActionDrop, ActionDrop
}

func TestCallsBeyondALimitAreTaggedAndKeptByDefault(t *testing.T) {
	r := newRig(t, nil)
	for name, change := range map[string]func(ptrace.Span){"latency": lasting(3_600_000), "cost": with("gen_ai.usage.cost", 150.0)} {
		out, ok := r.span(func(s ptrace.Span) { call(s); change(s) })
		require.True(t, ok, name)
		assert.Equal(t, []any{name}, violated(out.Attributes()))
	}
	assert.Zero(t, r.counter("events_dropped_total"))
}

func TestLogRecordsOfCallsAreJudged(t *testing.T) {
	r := newRig(t, dropping)
	request := func(cost float64) func(plog.LogRecord) {
		return func(rec plog.LogRecord) {
			rec.SetEventName("claude_code.api_request")
			rec.Attributes().PutStr("model", "claude-sonnet-4-5")
			rec.Attributes().PutDouble("cost_usd", cost)
			rec.Attributes().PutInt("duration_ms", 1000)
		}
	}
	_, ok := r.record(request(1))
	assert.True(t, ok)
	_, ok = r.record(request(101))
	assert.False(t, ok)
	assert.EqualValues(t, 1, r.counter("events_dropped_total"))
}

func TestOnlyWhatBreaksALimitIsDropped(t *testing.T) {
	r := newRig(t, dropping)
	td := ptrace.NewTraces()
	for range 2 {
		ss := td.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty()
		for i := range 3 {
			s := ss.Spans().AppendEmpty()
			call(s)
			if td.ResourceSpans().Len() == 1 || i == 1 {
				lasting(1e6)(s)
			}
		}
	}
	require.NoError(t, r.traces.ConsumeTraces(t.Context(), td))
	got := r.spans.AllTraces()[0]
	assert.Equal(t, 1, got.ResourceSpans().Len(), "nothing empty is left")
	assert.Equal(t, 2, got.SpanCount())
	assert.EqualValues(t, 4, r.counter("events_dropped_total"))
}

func TestDropsAreLoggedOnceWithoutValues(t *testing.T) {
	core, logs := observer.New(zap.InfoLevel)
	cfg := createDefaultConfig().(*Config)
	dropping(cfg)
	r := newRig(t, nil)
	set := r.tel.NewTelemetrySettings()
	set.Logger = zap.New(core)
	s, err := newSanitizer(set, cfg)
	require.NoError(t, err)
	for range 3 {
		td := ptrace.NewTraces()
		span := td.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans().AppendEmpty()
		call(span)
		lasting(1e6)(span)
		span.SetName(email)
		_, _ = s.processTraces(t.Context(), td)
	}
	require.Equal(t, 1, logs.Len())
	assert.NotContains(t, logs.All()[0].Message, email)
	assert.Equal(t, []any{"latency"}, logs.All()[0].ContextMap()["limits"])
	require.NoError(t, s.shutdown(t.Context()))
}

func TestTextsAreCutBetweenCharacters(t *testing.T) {
	r := newRig(t, func(c *Config) { c.Text.MaxBytes = 300; c.Redaction.Enabled = false })
	exact := strings.Repeat("a", 300)
	assert.Equal(t, exact, r.attr("note", exact), "equal to the limit passes")
	for _, unit := range []string{"a", "é", "世", "🙂"} {
		in := "x" + strings.Repeat(unit, 500)
		out := r.attr("note", in).(string)
		kept, cut := strings.CutSuffix(out, truncatedSuffix)
		assert.True(t, cut)
		assert.True(t, utf8.ValidString(out))
		assert.True(t, strings.HasPrefix(in, kept))
		assert.LessOrEqual(t, len(kept), 300)
		assert.Greater(t, len(kept), 296)
		assert.Equal(t, out, r.attr("note", out), "cut once")
	}
	out, _ := r.span(func(s ptrace.Span) {
		s.SetName(strings.Repeat("n", 400))
		s.Events().AppendEmpty().Attributes().PutStr("exception.stacktrace", strings.Repeat("s", 400))
	})
	assert.Len(t, out.Name(), 300+len(truncatedSuffix))
	v, _ := out.Events().At(0).Attributes().Get("exception.stacktrace")
	assert.Len(t, v.Str(), 300+len(truncatedSuffix))
	assert.EqualValues(t, 2, count(out.Attributes(), "sentinel.sanitize.truncated_count"))
	rec, _ := r.record(func(rec plog.LogRecord) { rec.Body().SetStr(strings.Repeat("b", 400)) })
	assert.Len(t, rec.Body().Str(), 300+len(truncatedSuffix))
	assert.Positive(t, r.counter("texts_truncated_total"))
}

func TestTextLimitTagsOrDrops(t *testing.T) {
	long := strings.Repeat("a", 10_001)
	tag := newRig(t, func(c *Config) { c.Text.Action = ActionTag })
	out, _ := tag.span(with("note", long))
	assert.Equal(t, []any{"text"}, violated(out.Attributes()))
	assert.Equal(t, long, out.Attributes().AsRaw()["note"])
	drop := newRig(t, func(c *Config) { c.Text.Action = ActionDrop })
	_, ok := drop.span(with("note", long))
	assert.False(t, ok)
	assert.EqualValues(t, 1, drop.counter("events_dropped_total"))
	_, ok = drop.span(with("note", long[1:]))
	assert.True(t, ok)
}

func TestDataPointsThatAreNoNumbers(t *testing.T) {
	gauge := func(values ...float64) func(pmetric.Metric) {
		return func(m pmetric.Metric) {
			g := m.SetEmptyGauge()
			for _, v := range values {
				g.DataPoints().AppendEmpty().SetDoubleValue(v)
			}
		}
	}
	drop := newRig(t, nil)
	m, ok := drop.metric(gauge(1, math.NaN(), math.Inf(1), -2))
	require.True(t, ok)
	assert.Equal(t, 2, m.Gauge().DataPoints().Len())
	assert.EqualValues(t, 2, drop.counter("events_dropped_total"))
	_, ok = drop.metric(gauge(math.NaN()))
	assert.False(t, ok, "a metric without points is no metric")

	clamp := newRig(t, func(c *Config) { c.Validation.DataPoints = ActionClamp })
	m, _ = clamp.metric(gauge(math.NaN(), math.Inf(-1)))
	require.Equal(t, 1, m.Gauge().DataPoints().Len(), "NaN has no nearest number")
	assert.InDelta(t, -math.MaxFloat64, m.Gauge().DataPoints().At(0).DoubleValue(), 0)

	m, ok = drop.metric(func(m pmetric.Metric) {
		dp := m.SetEmptySum().DataPoints().AppendEmpty()
		dp.SetDoubleValue(math.NaN())
		dp.SetFlags(pmetric.DefaultDataPointFlags.WithNoRecordedValue(true))
	})
	require.True(t, ok, "a stale marker stays")
	assert.Equal(t, 1, m.Sum().DataPoints().Len())

	histogram := func(m pmetric.Metric) {
		dp := m.SetEmptyHistogram().DataPoints().AppendEmpty()
		dp.SetCount(3)
		dp.SetSum(math.NaN())
		dp.SetMax(math.Inf(1))
		dp.SetMin(0)
	}
	_, ok = drop.metric(histogram)
	assert.False(t, ok)
	m, _ = clamp.metric(histogram)
	dp := m.Histogram().DataPoints().At(0)
	assert.False(t, dp.HasSum())
	assert.False(t, dp.HasMax())
	assert.True(t, dp.HasMin())
	assert.EqualValues(t, 3, dp.Count())

	m, ok = drop.metric(func(m pmetric.Metric) {
		dp := m.SetEmptySummary().DataPoints().AppendEmpty()
		dp.QuantileValues().AppendEmpty().SetValue(math.NaN())
	})
	require.True(t, ok, "the quantile of nothing is NaN")
	assert.Equal(t, 1, m.Summary().DataPoints().Len())
}
