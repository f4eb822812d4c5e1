package sanitizeprocessor

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/processor"
	"go.opentelemetry.io/collector/processor/processortest"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/llm-devops/llm-sentinel/processor/sanitizeprocessor/internal/metadata"
)

// Values that must not get through, and harmless ones.
const (
	email  = "jane.doe@example.com"
	card   = "4111 1111 1111 1111"
	openAI = "sk-proj-4fB9kQz7LmX2vR8tYw3NcPdJ6hSgUa1eT3BlbkFJoV5iCqWxZrK0yMnDpGuHsE2f"
)

// rig is the three processors of one configuration with sinks behind them.
type rig struct {
	t       *testing.T
	tel     *componenttest.Telemetry
	traces  processor.Traces
	logs    processor.Logs
	metrics processor.Metrics
	spans   consumertest.TracesSink
	records consumertest.LogsSink
	points  consumertest.MetricsSink
}

func newRig(t *testing.T, change func(*Config)) *rig {
	t.Helper()
	cfg := createDefaultConfig().(*Config)
	if change != nil {
		change(cfg)
	}
	require.NoError(t, cfg.Validate())
	r := &rig{t: t, tel: componenttest.NewTelemetry()}
	set := processortest.NewNopSettings(metadata.Type)
	set.TelemetrySettings = r.tel.NewTelemetrySettings()
	f := NewFactory()
	var err error
	r.traces, err = f.CreateTraces(t.Context(), set, cfg, &r.spans)
	require.NoError(t, err)
	r.logs, err = f.CreateLogs(t.Context(), set, cfg, &r.records)
	require.NoError(t, err)
	r.metrics, err = f.CreateMetrics(t.Context(), set, cfg, &r.points)
	require.NoError(t, err)
	for _, p := range []processor.Traces{r.traces} {
		require.NoError(t, p.Start(t.Context(), componenttest.NewNopHost()))
	}
	t.Cleanup(func() {
		ctx := context.Background()
		require.NoError(t, r.traces.Shutdown(ctx))
		require.NoError(t, r.logs.Shutdown(ctx))
		require.NoError(t, r.metrics.Shutdown(ctx))
		require.NoError(t, r.tel.Shutdown(ctx))
	})
	return r
}

// span sends one span and returns what came out; ok is false if nothing did.
func (r *rig) span(fill func(ptrace.Span)) (out ptrace.Span, ok bool) {
	r.t.Helper()
	td := ptrace.NewTraces()
	fill(td.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans().AppendEmpty())
	r.spans.Reset()
	require.NoError(r.t, r.traces.ConsumeTraces(r.t.Context(), td))
	if r.spans.SpanCount() == 0 {
		return ptrace.NewSpan(), false
	}
	return r.spans.AllTraces()[0].ResourceSpans().At(0).ScopeSpans().At(0).Spans().At(0), true
}

// attr sends one span with one attribute and returns what became of the value.
func (r *rig) attr(key string, value any) any {
	r.t.Helper()
	out, ok := r.span(func(s ptrace.Span) { require.NoError(r.t, s.Attributes().PutEmpty(key).FromRaw(value)) })
	require.True(r.t, ok)
	return out.Attributes().AsRaw()[key]
}

func (r *rig) record(fill func(plog.LogRecord)) (out plog.LogRecord, ok bool) {
	r.t.Helper()
	ld := plog.NewLogs()
	fill(ld.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords().AppendEmpty())
	r.records.Reset()
	require.NoError(r.t, r.logs.ConsumeLogs(r.t.Context(), ld))
	if r.records.LogRecordCount() == 0 {
		return plog.NewLogRecord(), false
	}
	return r.records.AllLogs()[0].ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().At(0), true
}

func (r *rig) metric(fill func(pmetric.Metric)) (out pmetric.Metric, ok bool) {
	r.t.Helper()
	md := pmetric.NewMetrics()
	fill(md.ResourceMetrics().AppendEmpty().ScopeMetrics().AppendEmpty().Metrics().AppendEmpty())
	r.points.Reset()
	require.NoError(r.t, r.metrics.ConsumeMetrics(r.t.Context(), md))
	if r.points.DataPointCount() == 0 {
		return pmetric.NewMetric(), false
	}
	return r.points.AllMetrics()[0].ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().At(0), true
}

// counter is the sum of a counter of the processor over the data points that have
// the labels.
func (r *rig) counter(name string, pairs ...string) (sum int64) {
	r.t.Helper()
	m, err := r.tel.GetMetric("sentinel_" + name)
	if err != nil {
		return 0
	}
	data, ok := m.Data.(metricdata.Sum[int64])
	require.True(r.t, ok, name)
	for _, p := range data.DataPoints {
		fits := true
		for i := 0; i < len(pairs); i += 2 {
			v, has := p.Attributes.Value(attribute.Key(pairs[i]))
			fits = fits && has && v.AsString() == pairs[i+1]
		}
		if fits {
			sum += p.Value
		}
	}
	return sum
}

// call fills a span with a chat call of one second.
func call(s ptrace.Span) {
	s.SetTraceID(pcommon.TraceID{1, 2, 3})
	s.SetSpanID(pcommon.SpanID{4, 5, 6})
	s.SetStartTimestamp(1_790_000_000_000_000_000)
	s.SetEndTimestamp(1_790_000_001_000_000_000)
	s.SetName("chat gpt-4o")
	a := s.Attributes()
	a.PutStr("gen_ai.operation.name", "chat")
	a.PutStr("gen_ai.request.model", "gpt-4o")
	a.PutInt("gen_ai.usage.input_tokens", 100)
	a.PutInt("gen_ai.usage.output_tokens", 50)
}

func count(attrs pcommon.Map, key string) int64 {
	v, ok := attrs.Get(key)
	if !ok {
		return 0
	}
	return v.Int()
}

func violated(attrs pcommon.Map) []any {
	v, ok := attrs.Get("sentinel.sanitize.violations")
	if !ok {
		return nil
	}
	return v.Slice().AsRaw()
}
