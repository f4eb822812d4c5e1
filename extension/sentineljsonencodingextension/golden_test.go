package sentineljsonencodingextension

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/llm-devops/llm-sentinel/internal/genai"
)

var update = flag.Bool("update", false, "write the golden files anew")

// Each message in testdata/golden gives the traces beside it, in OTLP/JSON.
func TestGoldenMessages(t *testing.T) {
	files, err := filepath.Glob("testdata/golden/*")
	require.NoError(t, err)
	seen := 0
	for _, in := range files {
		if strings.HasSuffix(in, ".golden") {
			continue
		}
		seen++
		t.Run(filepath.Base(in), func(t *testing.T) {
			message, err := os.ReadFile(in)
			require.NoError(t, err)
			u := newUnderTest(t, nil)
			td, err := u.UnmarshalTraces(message)
			require.NoError(t, err)
			require.Zero(t, u.poisoned(t), "golden messages are good")
			text, err := (&ptrace.JSONMarshaler{}).MarshalTraces(td)
			require.NoError(t, err)
			var b bytes.Buffer
			require.NoError(t, json.Indent(&b, text, "", " "))
			b.WriteByte('\n')
			golden := in + ".golden"
			if *update {
				require.NoError(t, os.WriteFile(golden, b.Bytes(), 0o600))
			}
			want, err := os.ReadFile(golden)
			require.NoError(t, err)
			assert.Equal(t, string(want), b.String())
			assert.NotContains(t, b.String(), "sk-secret")
		})
	}
	require.GreaterOrEqual(t, seen, 8)
}

// read is the events of a message as the storage sees them.
func read(t *testing.T, u *underTest, message string) []genai.Event {
	t.Helper()
	td, err := u.UnmarshalTraces([]byte(message))
	require.NoError(t, err)
	x, err := genai.NewExtractor(genai.Options{CaptureText: true, Embeddings: true})
	require.NoError(t, err)
	var events []genai.Event
	for _, rs := range td.ResourceSpans().All() {
		res := x.Resource(rs.Resource())
		for _, ss := range rs.ScopeSpans().All() {
			for _, span := range ss.Spans().All() {
				var ev genai.Event
				isCall, _ := x.FromSpan(&res, ss.Scope(), span, &ev)
				require.True(t, isCall)
				events = append(events, ev)
			}
		}
	}
	return events
}

// What goes in by the contract's schema comes out of the API by the same.
func TestEventSurvivesThePipeline(t *testing.T) {
	const in = `{"event_id":"6f1c1a8e-7f0a-4a58-9f0c-2f6f6f3f1d10","timestamp":"2026-01-02T03:04:05.678Z","service_name":"chat-api",` +
		`"trace_id":"4bf92f3577b34da6a3ce929d0e0e4736","span_id":"00f067aa0ba902b7","model":"gpt-4",` +
		`"prompt":{"text":"line 1\n\"two\" <b>","tokens":120,"embedding":[1,2]},"response":{"text":"Ré😀","tokens":340,"finish_reason":"stop"},` +
		`"latency_ms":812.5,"cost_usd":0.024,"metadata":{"user_id":"u1","session_id":"s1","region":"eu-west-1","plan":"gold"},"errors":["boom"]}`
	events := read(t, newUnderTest(t, nil), in)
	require.Len(t, events, 1)
	out, err := json.Marshal(events[0])
	require.NoError(t, err)
	var got, want map[string]any
	require.NoError(t, json.Unmarshal(out, &got))
	require.NoError(t, json.Unmarshal([]byte(in), &want))
	for _, k := range []string{"event_id", "timestamp", "service_name", "trace_id", "span_id", "model", "latency_ms", "cost_usd", "errors"} {
		assert.Equal(t, want[k], got[k], k)
	}
	for _, k := range []string{"text", "tokens"} {
		assert.Equal(t, want["prompt"].(map[string]any)[k], got["prompt"].(map[string]any)[k], k)
		assert.Equal(t, want["response"].(map[string]any)[k], got["response"].(map[string]any)[k], k)
	}
	assert.Equal(t, "stop", got["response"].(map[string]any)["finish_reason"])
	assert.Subset(t, got["metadata"], map[string]any{"user_id": "u1", "session_id": "s1", "region": "eu-west-1", "plan": "gold"})
	assert.Equal(t, []float32{1, 2}, events[0].PromptEmbedding)
}

func TestUnknownIsNotZero(t *testing.T) {
	events := read(t, newUnderTest(t, nil), `{"timestamp":"2026-01-02T03:04:05Z","model_name":"m"}`)
	require.Len(t, events, 1)
	assert.Zero(t, events[0].Present, "no number was given")
	assert.Equal(t, "2026-01-02T03:04:05Z", events[0].Time().UTC().Format("2006-01-02T15:04:05Z07:00"))
	assert.Equal(t, genai.UnknownService, events[0].Service)
}

// A redelivery is the same event, and other events are other ones.
func TestIdsAreDeterministic(t *testing.T) {
	u := newUnderTest(t, nil)
	seen := map[string]string{}
	for _, m := range []string{
		`{"event_id":"6f1c1a8e-7f0a-4a58-9f0c-2f6f6f3f1d10","timestamp":"2026-01-02T03:04:05Z","service_name":"a","model":"m"}`,
		`{"timestamp":"2026-01-02T03:04:05Z","service_name":"a","model_name":"m","request_id":"1"}`,
		`{"timestamp":"2026-01-02T03:04:05Z","service_name":"b","model_name":"m","request_id":"1"}`,
		`{"timestamp":"2026-01-02T03:04:06Z","service_name":"a","model_name":"m","request_id":"1"}`,
		`{"timestamp":"2026-01-02T03:04:06Z","service_name":"a","model_name":"m","request_id":"2"}`,
		`{"timestamp":"2026-01-02T03:04:06Z","service_name":"a","model_name":"m"}`,
		`{"timestamp":"2026-01-02T03:04:06Z","service_name":"a","model_name":"m","latency_ms":1}`,
	} {
		first, second := read(t, u, m), read(t, newUnderTest(t, nil), "["+m+"]")
		require.Equal(t, first, second)
		id := first[0].ID.String()
		assert.Empty(t, seen[id], "%s has the id of %s", m, seen[id])
		seen[id] = m
		assert.False(t, first[0].TraceID.IsEmpty())
		assert.False(t, first[0].SpanID.IsEmpty())
	}
	assert.Contains(t, seen, "6f1c1a8e-7f0a-4a58-9f0c-2f6f6f3f1d10")
}
