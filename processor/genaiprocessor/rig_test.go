package genaiprocessor

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/processor"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/llm-devops/llm-sentinel/internal/genai"
	"github.com/llm-devops/llm-sentinel/processor/genaiprocessor/internal/metadata"
)

// epoch is the time at which the processors of the tests stand.
var epoch = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// rig is one component id in a pipeline of each signal.
type rig struct {
	t       testing.TB
	tel     *componenttest.Telemetry
	logged  *observer.ObservedLogs
	eng     *engine
	traces  processor.Traces
	logs    processor.Logs
	metrics processor.Metrics
	outT    consumertest.TracesSink
	outL    consumertest.LogsSink
	outM    consumertest.MetricsSink
	now     time.Time
}

func newRig(t testing.TB, change func(*Config)) *rig {
	t.Helper()
	r := &rig{t: t, tel: componenttest.NewTelemetry(), now: epoch}
	cfg := createDefaultConfig().(*Config)
	if change != nil {
		change(cfg)
	}
	require.NoError(t, cfg.Validate())
	set := processor.Settings{ID: component.NewID(metadata.Type), TelemetrySettings: r.tel.NewTelemetrySettings()}
	var core zapcore.Core
	core, r.logged = observer.New(zap.InfoLevel)
	set.Logger = zap.New(core)
	f := &factory{}
	var err error
	r.traces, err = f.createTraces(context.Background(), set, cfg, &r.outT)
	require.NoError(t, err)
	r.logs, err = f.createLogs(context.Background(), set, cfg, &r.outL)
	require.NoError(t, err)
	r.metrics, err = f.createMetrics(context.Background(), set, cfg, &r.outM)
	require.NoError(t, err)
	r.eng, _ = f.engines.Find(cfg)
	require.NotNil(t, r.eng)
	r.eng.now = func() time.Time { return r.now }
	for _, c := range []component.Component{r.traces, r.logs, r.metrics} {
		require.NoError(t, c.Start(context.Background(), componenttest.NewNopHost()))
	}
	t.Cleanup(func() {
		for _, c := range []component.Component{r.traces, r.logs, r.metrics} {
			require.NoError(t, c.Shutdown(context.Background()))
		}
		require.NoError(t, r.tel.Shutdown(context.Background()))
	})
	return r
}

// send passes spans through and returns them as they come out.
func (r *rig) send(td ptrace.Traces) []ptrace.Span {
	r.t.Helper()
	require.NoError(r.t, r.traces.ConsumeTraces(context.Background(), td))
	all := r.outT.AllTraces()
	return spansOf(all[len(all)-1])
}

func (r *rig) sendLogs(ld plog.Logs) []plog.LogRecord {
	r.t.Helper()
	require.NoError(r.t, r.logs.ConsumeLogs(context.Background(), ld))
	all := r.outL.AllLogs()
	var out []plog.LogRecord
	for _, rl := range all[len(all)-1].ResourceLogs().All() {
		for _, sl := range rl.ScopeLogs().All() {
			for _, rec := range sl.LogRecords().All() {
				out = append(out, rec)
			}
		}
	}
	return out
}

func spansOf(td ptrace.Traces) (out []ptrace.Span) {
	for _, rs := range td.ResourceSpans().All() {
		for _, ss := range rs.ScopeSpans().All() {
			for _, s := range ss.Spans().All() {
				out = append(out, s)
			}
		}
	}
	return out
}

// value is a metric of the component; labels are pairs.
func (r *rig) value(name string, labels ...string) float64 {
	r.t.Helper()
	m, err := r.tel.GetMetric(name)
	if err != nil {
		return 0
	}
	set := attribute.NewSet()
	if len(labels) == 2 {
		set = attribute.NewSet(attribute.String(labels[0], labels[1]))
	}
	find := func(points []metricdata.DataPoint[int64]) float64 {
		for _, p := range points {
			if p.Attributes.Equals(&set) {
				return float64(p.Value)
			}
		}
		return 0
	}
	switch d := m.Data.(type) {
	case metricdata.Sum[int64]:
		return find(d.DataPoints)
	case metricdata.Gauge[int64]:
		return find(d.DataPoints)
	case metricdata.Sum[float64]:
		for _, p := range d.DataPoints {
			if p.Attributes.Equals(&set) {
				return p.Value
			}
		}
		return 0
	}
	r.t.Fatalf("metric %s has an unknown type", name)
	return 0
}

// spec is a span of a test.
type spec struct {
	id, parent byte
	scope      string
	attrs      map[string]any
	failed     bool
}

// trace builds a message of one trace.
func trace(specs ...spec) ptrace.Traces {
	td := ptrace.NewTraces()
	rs := td.ResourceSpans().AppendEmpty()
	rs.Resource().Attributes().PutStr(genai.AttrServiceName, "chat-api")
	for _, s := range specs {
		ss := rs.ScopeSpans().AppendEmpty()
		ss.Scope().SetName(s.scope)
		span := ss.Spans().AppendEmpty()
		span.SetTraceID(pcommon.TraceID{15: 1})
		span.SetSpanID(pcommon.SpanID{7: s.id})
		span.SetParentSpanID(pcommon.SpanID{7: s.parent})
		span.SetStartTimestamp(pcommon.NewTimestampFromTime(epoch))
		span.SetEndTimestamp(pcommon.NewTimestampFromTime(epoch.Add(time.Second)))
		if s.failed {
			span.Status().SetCode(ptrace.StatusCodeError)
		}
		if err := span.Attributes().FromRaw(s.attrs); err != nil {
			panic(err)
		}
	}
	return td
}

// chat is the attributes of a call, with those of more.
func chat(in, out int, more ...any) map[string]any {
	a := map[string]any{
		genai.AttrOperationName: genai.OperationChat, genai.AttrProviderName: "openai", genai.AttrRequestModel: "gpt-4o",
		genai.AttrUsageInputTokens: in, genai.AttrUsageOutputTokens: out,
	}
	for i := 0; i < len(more); i += 2 {
		a[more[i].(string)] = more[i+1]
	}
	return a
}

func text(attrs pcommon.Map, key string) string {
	v, ok := attrs.Get(key)
	if !ok {
		return ""
	}
	return v.AsString()
}
