package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/llm-devops/llm-sentinel/internal/anomaly"
	"github.com/llm-devops/llm-sentinel/internal/llmtraffic"
)

// What must not leave the collector, and all ways to find it again.
const (
	leakedEmail = "jane.doe@example.com"
	leakedCard  = "4111 1111 1111 1111"
	leakedKey   = "sk-proj-4fB9kQz7LmX2vR8tYw3NcPdJ6hSgUa1eT3BlbkFJoV5iCqWxZrK0yMnDpGuHsE2f"
)

func assertNothingLeaks(t *testing.T, what, text string) {
	t.Helper()
	for _, v := range []string{leakedEmail, "jane.doe", leakedCard, "4111111111111111", leakedKey, "sk-proj"} {
		assert.NotContains(t, text, v, what)
	}
}

// sensitiveSpan is a call with sensitive values in all places that hold text, and with
// ids and times that look like some.
func sensitiveSpan(t *testing.T, begin time.Time) ptrace.Traces {
	t.Helper()
	encode := func(v any) string {
		b, err := json.Marshal(v)
		require.NoError(t, err)
		return string(b)
	}
	arguments := encode(map[string]any{"to": leakedEmail, "card": 4111111111111111, "auth": encode(map[string]string{"token": leakedKey})})
	td := ptrace.NewTraces()
	rs := td.ResourceSpans().AppendEmpty()
	rs.Resource().Attributes().PutStr("service.name", "checkout")
	span := rs.ScopeSpans().AppendEmpty().Spans().AppendEmpty()
	span.SetTraceID(pcommon.TraceID{0x41, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x41, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11})
	span.SetSpanID(pcommon.SpanID{0x41, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11})
	span.SetName("chat for " + leakedEmail)
	span.SetStartTimestamp(pcommon.NewTimestampFromTime(begin))
	span.SetEndTimestamp(pcommon.NewTimestampFromTime(begin.Add(1500 * time.Millisecond)))
	a := span.Attributes()
	a.PutStr("gen_ai.operation.name", "chat")
	a.PutStr("gen_ai.provider.name", "openai")
	a.PutStr("gen_ai.request.model", "gpt-4o")
	a.PutStr("gen_ai.response.id", "chatcmpl-4111111111111111")
	a.PutStr("gen_ai.conversation.id", "4111111111111111222")
	a.PutInt("created_epoch_ns", begin.UnixNano())
	a.PutInt("gen_ai.usage.input_tokens", 120)
	a.PutInt("gen_ai.usage.output_tokens", 30)
	a.PutStr("gen_ai.input.messages", encode([]any{
		map[string]any{"role": "user", "parts": []any{map[string]any{"type": "text", "content": "I am " + leakedEmail + ", my card is " + leakedCard}}},
		map[string]any{"role": "assistant", "parts": []any{map[string]any{"type": "tool_call", "id": "call_1", "name": "pay", "arguments": arguments}}},
		map[string]any{"role": "tool", "parts": []any{map[string]any{"type": "tool_call_response", "id": "call_1", "response": "used " + leakedKey}}},
	}))
	a.PutStr("gen_ai.output.messages", encode([]any{
		map[string]any{"role": "assistant", "parts": []any{map[string]any{"type": "text", "content": "The key is " + leakedKey}}},
	}))
	e := span.Events().AppendEmpty()
	e.SetName("exception")
	e.Attributes().PutStr("exception.message", "cannot charge "+leakedCard+" of "+leakedEmail)
	return td
}

// Sensitive values do not reach storage, the API, or any other exporter; ids and
// times arrive unharmed, and the secret in the answer becomes an anomaly.
func TestNothingSensitiveGetsThrough(t *testing.T) {
	at := freeAddresses(t)
	setenv(t, at.env())
	spansFile, logsFile := filepath.Join(t.TempDir(), "spans.json"), filepath.Join(t.TempDir(), "logs.json")
	more := fmt.Sprintf(`yaml:
exporters:
  llm_storage: {include_text: true}
  file/spans: {path: %q}
  file/logs: {path: %q}
service:
  pipelines:
    traces: {exporters: [llm_storage, file/spans]}
    logs: {exporters: [llm_storage, file/logs]}
`, spansFile, logsFile)
	stop := runInProcess(t, configPath(t, "collector-config.yaml"), more)
	waitReady(t, at.query)

	begin := time.Now().Add(-time.Minute).Truncate(time.Millisecond)
	deliver(t, newSender(t, at.grpc, llmtraffic.ProtocolGRPC), sensitiveSpan(t, begin))
	conn, err := grpc.NewClient(at.grpc, grpc.WithTransportCredentials(insecure.NewCredentials()))
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	ld := plog.NewLogs()
	rec := ld.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords().AppendEmpty()
	rec.SetTimestamp(pcommon.NewTimestampFromTime(begin))
	rec.SetTraceID(pcommon.TraceID{0x41, 0x11})
	rec.Body().SetStr("mail " + leakedEmail + " about " + leakedCard + " and " + leakedKey)
	_, err = plogotlp.NewGRPCClient(conn).Export(t.Context(), plogotlp.NewExportRequestFromLogs(ld))
	require.NoError(t, err)

	events := allEvents(t, at.query)
	require.Len(t, events, 1)
	assert.Equal(t, "41111111111111114111111111111111", events[0].TraceID)
	assert.Equal(t, "4111111111111111", events[0].SpanID)
	assert.True(t, begin.Add(1500*time.Millisecond).Equal(events[0].Timestamp), "the time of the event is %s", events[0].Timestamp)
	require.NotNil(t, events[0].LatencyMS)
	assert.InDelta(t, 1500, *events[0].LatencyMS, 1e-6)
	body := fetch(t, "http://"+at.query+"/api/v1/telemetry?"+wide)
	assert.Contains(t, body, "_REDACTED]", "the text is there")
	assert.Contains(t, body, "chatcmpl-4111111111111111", "ids of answers are no cards")
	assertNothingLeaks(t, "the API", withoutIDs(body))

	found := allAnomalies(t, at.query)
	require.NotEmpty(t, found)
	assert.Equal(t, anomaly.TypeSecurityThreat, found[0].Type)
	assert.Equal(t, "response_secrets", found[0].Details.Metric)

	stop() // closes the files
	spans, err := os.ReadFile(spansFile)
	require.NoError(t, err)
	logs, err := os.ReadFile(logsFile)
	require.NoError(t, err)
	assertNothingLeaks(t, "the spans of another exporter", withoutIDs(string(spans)))
	assertNothingLeaks(t, "the logs of another exporter", string(logs))
	assert.Contains(t, string(spans), strconv.FormatInt(begin.UnixNano(), 10), "times are no cards")
	assert.Contains(t, string(spans), "4111111111111111222", "ids of conversations are no cards")
	assert.Contains(t, string(logs), "[EMAIL_REDACTED]")
	assertNothingOnDisk(t, at.dir)
}

// withoutIDs takes out the ids of the test, which are digits of a card.
func withoutIDs(s string) string {
	for _, id := range []string{"41111111111111114111111111111111", "chatcmpl-4111111111111111", "4111111111111111222", `"4111111111111111"`} {
		s = strings.ReplaceAll(s, id, "")
	}
	return s
}

// assertNothingOnDisk looks for the values that no id resembles in all files of the
// store.
func assertNothingOnDisk(t *testing.T, dir string) {
	t.Helper()
	files := 0
	require.NoError(t, filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		files++
		for _, v := range []string{"jane.doe", leakedCard, "sk-proj"} {
			assert.NotContains(t, string(b), v, "%s is in %s", v, filepath.Base(path))
		}
		return nil
	}))
	assert.Positive(t, files)
}

func fetch(t *testing.T, url string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	require.NoError(t, err)
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, resp.StatusCode)
	return string(b)
}
