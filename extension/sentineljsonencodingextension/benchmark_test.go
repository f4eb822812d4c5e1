package sentineljsonencodingextension

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/extension"

	"github.com/llm-devops/llm-sentinel/extension/sentineljsonencodingextension/internal/metadata"
)

// BenchmarkEvents decodes lines of 100 events; bytes are those of the message.
func BenchmarkEvents(b *testing.B) {
	const event = `{"event_id":"6f1c1a8e-7f0a-4a58-9f0c-2f6f6f3f1d10","timestamp":"2026-01-02T03:04:05.678Z","service_name":"chat-api","trace_id":null,"span_id":null,` +
		`"model":"gpt-4","prompt":{"text":"What is the answer?","tokens":120,"embedding":null},"response":{"text":"It is that.","tokens":340,"finish_reason":"stop","embedding":null},` +
		`"latency_ms":812.5,"cost_usd":0.024,"metadata":{"user_id":"u1","region":"eu-west-1"},"errors":[]}` + "\n"
	const events = 100
	message := []byte(strings.Repeat(event, events))
	d, err := newDecoder(createDefaultConfig().(*Config), extension.Settings{ID: component.NewID(metadata.Type), TelemetrySettings: componenttest.NewNopTelemetrySettings()})
	require.NoError(b, err)
	u := &eventEncoding{d}
	b.SetBytes(int64(len(message)))
	b.ReportAllocs()
	for b.Loop() {
		if td, err := u.UnmarshalTraces(message); err != nil || td.SpanCount() != events {
			b.Fatal(td.SpanCount(), err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*events), "ns/event")
}
