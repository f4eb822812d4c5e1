package influxdbexporter

import (
	"context"
	"encoding/binary"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/exporter/exportertest"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/llm-devops/llm-sentinel/exporter/influxdbexporter/internal/metadata"
	"github.com/llm-devops/llm-sentinel/internal/anomaly"
)

// at is the event time of test spans.
var at = time.Date(2026, 1, 2, 3, 4, 5, 678_000_000, time.UTC)

// calls makes n spans of LLM calls with distinct ids and equal times.
func calls(n int, edit ...func(i int, span ptrace.Span)) ptrace.Traces {
	td := ptrace.NewTraces()
	rs := td.ResourceSpans().AppendEmpty()
	rs.Resource().Attributes().PutStr("service.name", "chat-api")
	rs.Resource().Attributes().PutStr("deployment.environment.name", "prod")
	spans := rs.ScopeSpans().AppendEmpty().Spans()
	for i := range n {
		call(spans.AppendEmpty(), i)
		for _, f := range edit {
			f(i, spans.At(i))
		}
	}
	return td
}

func call(span ptrace.Span, i int) {
	var trace pcommon.TraceID
	var id pcommon.SpanID
	binary.BigEndian.PutUint64(trace[:], uint64(i)+1)
	binary.BigEndian.PutUint64(id[:], uint64(i)+1)
	span.SetTraceID(trace)
	span.SetSpanID(id)
	span.SetName("chat gpt-4")
	span.SetKind(ptrace.SpanKindClient)
	span.SetStartTimestamp(pcommon.NewTimestampFromTime(at.Add(-800 * time.Millisecond)))
	span.SetEndTimestamp(pcommon.NewTimestampFromTime(at))
	a := span.Attributes()
	a.PutStr("gen_ai.operation.name", "chat")
	a.PutStr("gen_ai.provider.name", "openai")
	a.PutStr("gen_ai.request.model", "gpt-4")
	a.PutInt("gen_ai.usage.input_tokens", 120)
	a.PutInt("gen_ai.usage.output_tokens", 340)
}

func finding(i int) anomaly.Anomaly {
	return anomaly.Anomaly{
		ID: uuid.NewSHA1(uuid.Nil, []byte{byte(i), byte(i >> 8)}), Time: at, Severity: anomaly.SeverityHigh,
		Type: anomaly.TypeLatencySpike, Service: "chat-api", Model: "gpt-4", Method: anomaly.MethodZScore, Confidence: 0.93,
		Details: anomaly.Details{Metric: "latency_ms", Value: 9000, Baseline: 800, Threshold: 2300, DeviationSigma: 5.5},
		Context: anomaly.Context{TimeWindow: "last_64_samples", SampleCount: 64},
	}
}

// started builds an exporter that is started and will be shut down, with the
// telemetry that it reports. Neither queue nor retry stand before it.
func started(t *testing.T, cfg *Config, edit ...func(*exporter.Settings)) (*influxExporter, *componenttest.Telemetry) {
	t.Helper()
	tel := componenttest.NewTelemetry()
	t.Cleanup(func() { require.NoError(t, tel.Shutdown(context.Background())) })
	set := exportertest.NewNopSettings(metadata.Type)
	set.TelemetrySettings = tel.NewTelemetrySettings()
	set.BuildInfo.Command, set.BuildInfo.Version = "otelcol-sentinel", "1.2.3"
	for _, f := range edit {
		f(&set)
	}
	e, err := newExporter(cfg, set)
	require.NoError(t, err)
	require.NoError(t, e.start(t.Context(), componenttest.NewNopHost()))
	t.Cleanup(func() { require.NoError(t, e.shutdown(context.Background())) })
	return e, tel
}
