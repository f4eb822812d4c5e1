package anomalyprocessor

import (
	"context"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/llm-devops/llm-sentinel/internal/genai"
)

// Whatever a span holds: it passes unchanged, nothing alarms, and a metric
// says what could not be used.
func TestBadValuesPassAndAreCounted(t *testing.T) {
	put := func(f func(pcommon.Map)) func(ptrace.Span) {
		return func(s ptrace.Span) { f(s.Attributes()) }
	}
	for name, c := range map[string]struct {
		change func(ptrace.Span)
		reason string // empty: nothing to count
	}{
		"negative tokens": {put(func(m pcommon.Map) { m.PutInt(genai.AttrUsageInputTokens, -5) }), "negative_tokens"},
		"lowest tokens":   {put(func(m pcommon.Map) { m.PutInt(genai.AttrUsageInputTokens, math.MinInt64) }), "negative_tokens"},
		"absurd tokens":   {put(func(m pcommon.Map) { m.PutInt(genai.AttrUsageOutputTokens, math.MaxInt64) }), "absurd_tokens"},
		"both tokens huge": {put(func(m pcommon.Map) {
			m.PutInt(genai.AttrUsageInputTokens, 1<<62)
			m.PutInt(genai.AttrUsageOutputTokens, 1<<62)
		}), "absurd_tokens"},
		"tokens as text":  {put(func(m pcommon.Map) { m.PutStr(genai.AttrUsageInputTokens, "many") }), "wrong_type"},
		"tokens as map":   {put(func(m pcommon.Map) { m.PutEmptyMap(genai.AttrUsageInputTokens).PutInt("n", 5) }), "wrong_type"},
		"cost NaN":        {put(func(m pcommon.Map) { m.PutDouble(genai.AttrUsageCost, math.NaN()) }), "not_a_number"},
		"cost infinite":   {put(func(m pcommon.Map) { m.PutDouble(genai.AttrUsageCost, math.Inf(1)) }), "not_a_number"},
		"cost negative":   {put(func(m pcommon.Map) { m.PutDouble(genai.AttrUsageCost, -1) }), "negative_cost"},
		"cost absurd":     {put(func(m pcommon.Map) { m.PutDouble(genai.AttrUsageCost, 1e300) }), "absurd_cost"},
		"ttft negative":   {put(func(m pcommon.Map) { m.PutDouble(genai.AttrTimeToFirstChunk, -1) }), "negative_duration"},
		"ttft absurd":     {put(func(m pcommon.Map) { m.PutDouble(genai.AttrTimeToFirstChunk, 1e12) }), "absurd_duration"},
		"model as number": {put(func(m pcommon.Map) { m.PutInt(genai.AttrRequestModel, 4) }), "wrong_type"},
		"model too long":  {put(func(m pcommon.Map) { m.PutStr(genai.AttrRequestModel, strings.Repeat("m", 1<<20)) }), "text_too_long"},
		"no model":        {put(func(m pcommon.Map) { m.Remove(genai.AttrRequestModel) }), "missing_model"},
		"prompt of 10 MB": {put(func(m pcommon.Map) { m.PutStr(genai.AttrInputMessages, strings.Repeat("x", 10<<20)) }), ""},
		"invalid UTF-8":   {put(func(m pcommon.Map) { m.PutStr(genai.AttrUserID, "\xff\xfe") }), ""},
		"no ids":          {func(s ptrace.Span) { s.SetSpanID(pcommon.SpanID{}); s.SetTraceID(pcommon.TraceID{}) }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, nil)
			g := newTraffic(1)
			r.send(g.calls(100)...)

			td := traces(g.with(func(x *call) { x.change = c.change }))
			// Serialised, because NaN does not equal itself.
			want, err := (&ptrace.ProtoMarshaler{}).MarshalTraces(td)
			require.NoError(t, err)
			assert.Empty(t, marked(r.sendTraces(td)))
			got, err := (&ptrace.ProtoMarshaler{}).MarshalTraces(r.sink.AllTraces()[0])
			require.NoError(t, err)
			assert.Equal(t, want, got, "the span passes unchanged")

			assert.EqualValues(t, 101, r.counter("events_processed_total"))
			if c.reason != "" {
				assert.EqualValues(t, 1, r.counter("events_skipped_total", "reason", c.reason))
			}
			assert.NotEmpty(t, marked(r.send(g.with(slow))), "detection goes on")
		})
	}
}

func TestMillionAttributesPass(t *testing.T) {
	r := newRig(t, nil)
	// Put looks for the key first; a message has to be made to get so many.
	var body strings.Builder
	body.WriteString(`{"resourceSpans":[{"scopeSpans":[{"spans":[{"attributes":[{"key":"gen_ai.operation.name","value":{"stringValue":"chat"}}`)
	for i := range 1_000_000 {
		fmt.Fprintf(&body, `,{"key":"a%d","value":{}}`, i)
	}
	body.WriteString(`,{"key":"gen_ai.request.model","value":{"stringValue":"gpt-4"}}]}]}]}]}`)
	td, err := (&ptrace.JSONUnmarshaler{}).UnmarshalTraces([]byte(body.String()))
	require.NoError(t, err)
	assert.Empty(t, marked(r.sendTraces(td)))
	out := r.sink.AllTraces()[0].ResourceSpans().At(0).ScopeSpans().At(0).Spans().At(0)
	assert.Equal(t, 1_000_002, out.Attributes().Len())
	assert.EqualValues(t, 1, r.counter("events_processed_total"))
}

func TestCallWithoutValuesIsCounted(t *testing.T) {
	r := newRig(t, nil)
	r.send(call{id: 1, end: epoch, input: -1, output: -1, cost: -1, ttftMS: -1, change: func(s ptrace.Span) {
		s.SetStartTimestamp(0)
		s.SetEndTimestamp(0)
		s.Attributes().Remove(genai.AttrRequestModel)
	}})
	assert.EqualValues(t, 1, r.counter("events_skipped_total", "reason", "no_values"))
	assert.Zero(t, r.counter("events_normal_total"))
}

func TestUnnamedServiceAndModelAreASeries(t *testing.T) {
	r := newRig(t, nil)
	g := newTraffic(2)
	g.model = ""
	unnamed := func(c call) ptrace.Traces {
		td := traces(c)
		td.ResourceSpans().At(0).Resource().Attributes().Remove(genai.AttrServiceName)
		return td
	}
	for range 100 {
		r.sendTraces(unnamed(g.call()))
	}
	a := one(t, r.sendTraces(unnamed(g.with(slow)))[0])
	assert.Equal(t, genai.UnknownService, a.Service)
	assert.Empty(t, a.Model)
}

func TestEmptyBatchPasses(t *testing.T) {
	r := newRig(t, nil)
	require.NoError(t, r.proc.ConsumeTraces(context.Background(), ptrace.NewTraces()))
	td := ptrace.NewTraces()
	td.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty()
	require.NoError(t, r.proc.ConsumeTraces(context.Background(), td))
	assert.Len(t, r.sink.AllTraces(), 2)
}

// Sixteen names of one service, room for four series: what does not fit is
// judged together, and counted.
func TestMoreSeriesThanFitAreJudgedTogether(t *testing.T) {
	r := newRig(t, func(c *Config) { c.MaxSeries = 4 })
	gens := make([]*traffic, 16)
	for i := range gens {
		gens[i] = newTraffic(uint64(i + 1))
		gens[i].model = fmt.Sprintf("model-%d", i)
	}
	for range 50 {
		for _, g := range gens {
			r.send(g.call())
		}
	}
	assert.LessOrEqual(t, r.counter("series"), int64(4))
	overflow := r.counter("series_overflow_total")
	assert.Positive(t, overflow)
	a := one(t, r.send(gens[15].with(slow))[0])
	assert.Equal(t, "model-15", a.Model, "the anomaly names the model of the call")
	assert.Equal(t, "chat-api, all models", a.Context.Additional["baseline"])
	assert.Equal(t, overflow+1, r.counter("series_overflow_total"))
}

// The smallest table still judges.
func TestRoomForOneSeries(t *testing.T) {
	r := newRig(t, func(c *Config) { c.MaxSeries = 1 })
	g := newTraffic(4)
	for i := range 50 {
		g.model = fmt.Sprintf("m%d", i%3)
		r.send(g.call())
		assert.Equal(t, 1, r.eng.table.Len())
	}
	g.model = "m0"
	r.send(g.calls(40)...)
	assert.EqualValues(t, 90, r.counter("events_processed_total"))
}

// F16: names without end do not take memory without end.
func TestEndlessNamesStayBounded(t *testing.T) {
	r := newRig(t, func(c *Config) { c.MaxSeries = 100 })
	g := newTraffic(3)
	for i := range 200 {
		var calls []call
		for k := range 100 {
			calls = append(calls, g.with(func(c *call) { c.model = fmt.Sprintf("m-%d-%d", i, k); c.service = fmt.Sprintf("s-%d", i%7) }))
		}
		r.send(calls...)
	}
	assert.LessOrEqual(t, r.eng.table.Len(), 100)
	assert.Positive(t, r.counter("series_overflow_total"))
}
