package anomalyprocessor

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/llm-devops/llm-sentinel/internal/anomaly"
)

// Any OTLP message passes: no panic, no span lost, and every mark can be read.
func FuzzTraces(f *testing.F) {
	g := newTraffic(1)
	for _, td := range []ptrace.Traces{
		traces(g.calls(3)...), plainSpans(2),
		traces(g.with(func(c *call) { c.latencyMS, c.input, c.cost = -1, -1, -1; c.failed = true })),
	} {
		b, err := (&ptrace.ProtoMarshaler{}).MarshalTraces(td)
		require.NoError(f, err)
		f.Add(b)
	}
	r := newRig(f, func(c *Config) { c.MaxSeries = 100 })
	r.send(g.calls(100)...)
	f.Fuzz(func(t *testing.T, b []byte) {
		td, err := (&ptrace.ProtoUnmarshaler{}).UnmarshalTraces(b)
		if err != nil {
			return
		}
		n := td.SpanCount()
		out, err := r.eng.processTraces(context.Background(), td)
		require.NoError(t, err)
		require.Equal(t, n, out.SpanCount())
		for span := range spans(out) {
			for a, err := range anomaly.FromSpan(span) {
				if err == nil && a.Service != "" {
					require.True(t, a.Severity.Valid())
				}
			}
		}
	})
}
