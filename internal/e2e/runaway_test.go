package e2e

import (
	"bufio"
	"compress/gzip"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/llm-devops/llm-sentinel/internal/anomaly"
	"github.com/llm-devops/llm-sentinel/internal/llmtraffic"
)

// The recorded agent that called one tool 500 times is found while its first
// calls arrive, and alerted.
func TestRecordedRunawayAgentReachesAPIAndAlerts(t *testing.T) {
	file := runawayRecording(t)
	at, receiver := contentCollector(t)
	requireRunawayStopped(t, file, at, receiver)
}

// runawayRecording is the recording of an agent that called one tool 500 times;
// without it the test is skipped loudly.
func runawayRecording(t *testing.T) string {
	t.Helper()
	return filepath.Join(dataFolder(t, "otlp-samples"), "google-adk-runaway-tool-loop.traces.jsonl.gz")
}

// The calls of the tool in the recording, and the one before which an alert is
// out.
const (
	runawayCalls   = 500
	runawayAlertBy = 60
)

// requireRunawayStopped sends the recording span by span, as the agent did when
// each ended. Call 60 is not sent before the receiver has an alert.
func requireRunawayStopped(t *testing.T, file string, at addresses, receiver *llmtraffic.WebhookReceiver) {
	t.Helper()
	sender := newSender(t, at.grpc, llmtraffic.ProtocolGRPC)
	loop := func(a *anomaly.Anomaly) bool {
		return a.Service == "google-adk" && a.Type == anomaly.TypeCostAnomaly && a.Details.Metric == "agent_loop" && a.Context.Additional["tool"] == "get_weather"
	}
	calls, number := 0, map[string]int{}
	for one := range spansUntilNow(t, file) {
		span := one.ResourceSpans().At(0).ScopeSpans().At(0).Spans().At(0)
		if v, ok := span.Attributes().Get("gen_ai.operation.name"); ok && v.Str() == "execute_tool" {
			calls++
			number[span.SpanID().String()] = calls
			if calls == runawayAlertBy {
				alerted(t, receiver, "the loop before call 60", loop)
			}
		}
		deliver(t, sender, one)
	}
	require.Equal(t, runawayCalls, calls)
	first := 0
	for _, a := range allAnomalies(t, at.query) {
		if n := number[a.Context.SpanID]; loop(&a) && (first == 0 || n < first) {
			first = n
		}
	}
	assert.Positive(t, first)
	assert.Less(t, first, runawayAlertBy)
	t.Logf("found at tool call %d of %d", first, calls)
}

// spansUntilNow yields the spans of a recording one by one, moved in time so
// that the last one ends now: a store keeps a week.
func spansUntilNow(t *testing.T, file string) func(func(ptrace.Traces) bool) {
	t.Helper()
	var spans []ptrace.Traces
	var last pcommon.Timestamp
	for td := range recording(t, file) {
		for _, rs := range td.ResourceSpans().All() {
			for _, ss := range rs.ScopeSpans().All() {
				for _, span := range ss.Spans().All() {
					one := ptrace.NewTraces()
					part := one.ResourceSpans().AppendEmpty()
					rs.Resource().CopyTo(part.Resource())
					scope := part.ScopeSpans().AppendEmpty()
					ss.Scope().CopyTo(scope.Scope())
					span.CopyTo(scope.Spans().AppendEmpty())
					spans = append(spans, one)
					last = max(last, span.EndTimestamp())
				}
			}
		}
	}
	by := time.Since(last.AsTime())
	move := func(at pcommon.Timestamp) pcommon.Timestamp { return pcommon.NewTimestampFromTime(at.AsTime().Add(by)) }
	return func(yield func(ptrace.Traces) bool) {
		for _, one := range spans {
			span := one.ResourceSpans().At(0).ScopeSpans().At(0).Spans().At(0)
			span.SetStartTimestamp(move(span.StartTimestamp()))
			span.SetEndTimestamp(move(span.EndTimestamp()))
			for _, event := range span.Events().All() {
				event.SetTimestamp(move(event.Timestamp()))
			}
			if !yield(one) {
				return
			}
		}
	}
}

// recording reads OTLP JSON lines, packed with gzip.
func recording(t *testing.T, file string) func(func(ptrace.Traces) bool) {
	t.Helper()
	f, err := os.Open(file)
	require.NoError(t, err)
	t.Cleanup(func() { _ = f.Close() })
	z, err := gzip.NewReader(f)
	require.NoError(t, err)
	lines := bufio.NewReader(z)
	return func(yield func(ptrace.Traces) bool) {
		for {
			line, err := lines.ReadBytes('\n')
			if len(line) > 1 {
				td, uerr := (&ptrace.JSONUnmarshaler{}).UnmarshalTraces(line)
				require.NoError(t, uerr)
				if !yield(td) {
					return
				}
			}
			if err != nil {
				require.ErrorIs(t, err, io.EOF, file)
				return
			}
		}
	}
}
