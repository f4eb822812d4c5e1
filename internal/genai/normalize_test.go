package genai

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

var update = flag.Bool("update", false, "write testdata/normalize.golden.json from what Normalize gives, and fail")

// normalised is what Normalize adds to a span.
func normalised(t *testing.T, scope pcommon.InstrumentationScope, s ptrace.Span) map[string]any {
	t.Helper()
	before := pcommon.NewMap()
	s.Attributes().CopyTo(before)
	var ev Event
	is, _ := newTestExtractor(t, Options{}).FromSpan(nil, scope, s, &ev)
	require.True(t, is)
	Normalize(s.Attributes(), &ev)
	for k, v := range before.All() {
		now, ok := s.Attributes().Get(k)
		require.True(t, ok, k)
		require.True(t, v.Equal(now), "%s was changed", k)
	}
	added := s.Attributes().AsRaw()
	for k := range before.All() {
		delete(added, k)
	}
	return added
}

// checkNormalize demands that a span tells of the same call afterwards.
func checkNormalize(t *testing.T, scope pcommon.InstrumentationScope, in ptrace.Span) {
	t.Helper()
	s := ptrace.NewSpan()
	in.CopyTo(s)
	x := newTestExtractor(t, Options{CaptureText: true})
	var before, after Event
	is, wrong := x.FromSpan(nil, scope, s, &before)
	require.True(t, is)
	normalised(t, scope, s)
	is, problems := x.FromSpan(nil, scope, s, &after)
	require.True(t, is)
	assert.Equal(t, wrong, problems)
	assert.InDelta(t, before.TTFTMillis, after.TTFTMillis, 1e-9)
	after.TTFTMillis = before.TTFTMillis
	if strings.HasPrefix(after.ResponseText, "[") {
		// An answer without text: its calls of tools, and no more the whole output.
		after.ResponseText = before.ResponseText
	}
	assert.Equal(t, before, after)
	assert.Empty(t, normalised(t, scope, s), "the second time changes nothing")
}

// What is added to the first call of each model of each recording.
func TestNormalizeRecordings(t *testing.T) {
	got := map[string]map[string]any{}
	for name := range recordedSpans {
		if name == "google-adk-runaway-tool-loop" {
			continue // not everywhere there
		}
		eachLine(t, recording(t, name, "traces"), func(line []byte) {
			u := ptrace.JSONUnmarshaler{}
			td, err := u.UnmarshalTraces(line)
			require.NoError(t, err)
			for _, rs := range td.ResourceSpans().All() {
				for _, ss := range rs.ScopeSpans().All() {
					for _, s := range ss.Spans().All() {
						var ev Event
						x := newTestExtractor(t, Options{})
						if is, _ := x.FromSpan(nil, ss.Scope(), s, &ev); !is {
							continue
						}
						key := name + " " + ss.Scope().Name() + " " + ev.Model() + " " + strconv.FormatBool(ev.Failed)
						if _, done := got[key]; done {
							continue
						}
						checkNormalize(t, ss.Scope(), s)
						got[key] = normalised(t, ss.Scope(), s)
					}
				}
			}
		})
	}
	text, err := json.MarshalIndent(got, "", "  ")
	require.NoError(t, err)
	path := filepath.Join("testdata", "normalize.golden.json")
	if *update {
		require.NoError(t, os.WriteFile(path, append(text, '\n'), 0o600))
		t.Fatal("golden file written, look at the difference")
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.JSONEq(t, string(want), string(text))
}

func TestNormalizeLogRecords(t *testing.T) {
	rec := newRecord(t, "claude_code.api_request", attrs{
		"model": "claude-opus-4-6", "input_tokens": 11, "output_tokens": 12, "cache_read_tokens": 16, "cache_creation_tokens": 3,
		"cost_usd": 0.01, "session.id": "s-1", "user.account_uuid": "u-1",
	})
	before, is, _ := readLog(t, rec)
	require.True(t, is)
	Normalize(rec.Attributes(), &before)
	for k, want := range (attrs{
		AttrOperationName: "chat", AttrRequestModel: "claude-opus-4-6", AttrConversationID: "s-1", AttrUserID: "u-1", AttrUsageCost: 0.01,
		AttrUsageInputTokens: int64(30), AttrUsageOutputTokens: int64(12), AttrUsageTotalTokens: int64(42),
		AttrUsageCacheRead: int64(16), AttrUsageCacheWrite: int64(3), AttrUsageInclusive: true,
	}) {
		v, ok := rec.Attributes().Get(k)
		require.True(t, ok, k)
		assert.Equal(t, want, v.AsRaw(), k)
	}
	after, is, _ := readLog(t, rec)
	require.True(t, is)
	assert.Equal(t, before, after)
}

func TestNormalizeKeepsWhatIsThere(t *testing.T) {
	s := newSpan()
	require.NoError(t, s.Attributes().FromRaw(attrs{
		"openinference.span.kind": "LLM", "llm.model_name": "gpt-4o", "llm.provider": "azure", "llm.token_count.prompt": 27,
		AttrRequestModel: "asked for", AttrUsageOutputTokens: -1, "llm.token_count.completion": 12, AttrResponseFinish: []any{"length"},
		AttrUserID: 7, AttrConversationID: "", "session.id": "s-1",
	}))
	var ev Event
	is, _ := newTestExtractor(t, Options{}).FromSpan(nil, pcommon.NewInstrumentationScope(), s, &ev)
	require.True(t, is)
	Normalize(s.Attributes(), &ev)
	for k, want := range (attrs{
		AttrRequestModel: "asked for", AttrResponseModel: "gpt-4o", AttrProviderName: "azure.ai.openai", AttrUsageInputTokens: int64(27),
		AttrUsageOutputTokens: int64(12), AttrUserID: int64(7), AttrConversationID: "s-1", AttrResponseFinish: []any{"length"},
	}) {
		v, ok := s.Attributes().Get(k)
		require.True(t, ok, k)
		assert.Equal(t, want, v.AsRaw(), k)
	}
	for _, k := range []string{AttrUsageInclusive, AttrUsageCost, AttrTimeToFirstChunk, AttrAgentName, AttrRequestStream} {
		_, ok := s.Attributes().Get(k)
		assert.False(t, ok, "%s is not known, or makes no difference", k)
	}
}

// A current name under which an emitter means something else is not contradicted.
func TestNormalizeLeavesAdditiveCountsAlone(t *testing.T) {
	s := callSpan()
	require.NoError(t, s.Attributes().FromRaw(attrs{
		AttrOperationName: "chat", AttrRequestModel: "claude", AttrUsageInputTokens: 11, "gen_ai.usage.completion_tokens": 12,
		"gen_ai.usage.cache_creation.input_tokens": 3, AttrUsageCacheRead: 16,
	}))
	scope := pcommon.NewInstrumentationScope()
	scope.SetName("@traceloop/instrumentation-anthropic")
	checkNormalize(t, scope, s)
	assert.Equal(t, map[string]any{AttrUsageCacheWrite: int64(3)}, normalised(t, scope, s))
}

func TestNormalizeNeverTurnsACallIntoSomethingElse(t *testing.T) {
	s := newSpan()
	s.Attributes().PutStr("llm.model", "gpt-4o")
	s.Attributes().PutStr("operation", "summarise")
	checkNormalize(t, pcommon.NewInstrumentationScope(), s)
}

func TestNormalizeMessages(t *testing.T) {
	for name, tc := range map[string]struct {
		attrs         attrs
		input, output string
	}{
		"OpenInference": {
			attrs{
				"llm.input_messages.0.message.role": "system", "llm.input_messages.0.message.content": "be brief",
				"llm.input_messages.1.message.role":                                       "user",
				"llm.input_messages.1.message.contents.1.message_content.text":            "in Paris?",
				"llm.input_messages.1.message.contents.0.message_content.text":            "weather",
				"llm.input_messages.1.message.contents.2.message_content.image.url":       "https://example.com/a.png",
				"llm.input_messages.2.message.role":                                       "tool",
				"llm.input_messages.2.message.tool_call_id":                               "c1",
				"llm.input_messages.2.message.content":                                    "21 degrees",
				"llm.output_messages.0.message.role":                                      "assistant",
				"llm.output_messages.0.message.tool_calls.0.tool_call.id":                 "c1",
				"llm.output_messages.0.message.tool_calls.0.tool_call.function.name":      "get_weather",
				"llm.output_messages.0.message.tool_calls.0.tool_call.function.arguments": `{"city":"Paris"}`,
			},
			`[{"role":"system","parts":[{"type":"text","content":"be brief"}]},
			{"role":"user","parts":[{"type":"text","content":"weather"},{"type":"text","content":"in Paris?"}]},
			{"role":"tool","parts":[{"type":"tool_call_response","id":"c1","response":"21 degrees"}]}]`,
			`[{"role":"assistant","parts":[{"type":"tool_call","id":"c1","name":"get_weather","arguments":{"city":"Paris"}}]}]`,
		},
		"OpenLLMetry": {
			attrs{
				"gen_ai.prompt.0.role": "user", "gen_ai.prompt.0.content": "hi",
				"gen_ai.completion.0.content": "ho", "gen_ai.completion.0.finish_reason": "stop",
				"gen_ai.completion.0.tool_calls.0.name": "f", "gen_ai.completion.0.tool_calls.0.arguments": `{"cut`,
			},
			`[{"role":"user","parts":[{"type":"text","content":"hi"}]}]`,
			`[{"role":"","parts":[{"type":"text","content":"ho"},{"type":"tool_call","name":"f","arguments":"{\"cut"}],"finish_reason":"stop"}]`,
		},
		"already there": {attrs{AttrInputMessages: "[]", "gen_ai.prompt.0.content": "hi"}, "[]", ""},
		"gaps and nonsense": {attrs{
			"gen_ai.prompt.2.content": "hi", "gen_ai.prompt.9999.content": "far", "gen_ai.prompt.x.content": "no", "gen_ai.prompt.": "no",
			"llm.input_messages.-1.message.content": "no", "gen_ai.completion.0.other": "no", "gen_ai.completion.1.tool_calls.99.name": "no",
		}, `[{"role":"","parts":[{"type":"text","content":"hi"}]}]`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			m := pcommon.NewMap()
			require.NoError(t, m.FromRaw(tc.attrs))
			Normalize(m, &Event{})
			for key, want := range map[string]string{AttrInputMessages: tc.input, AttrOutputMessages: tc.output} {
				v, ok := m.Get(key)
				require.Equal(t, want != "", ok, key)
				if ok {
					assert.JSONEq(t, want, v.Str(), key)
				}
			}
		})
	}
}

func TestNormalizedMessagesAreBounded(t *testing.T) {
	m := pcommon.NewMap()
	for i := range 3 {
		m.PutStr("gen_ai.prompt."+strconv.Itoa(i)+".content", strings.Repeat("x", maxMessageBytes/2))
	}
	Normalize(m, &Event{})
	v, ok := m.Get(AttrInputMessages)
	require.True(t, ok)
	assert.Less(t, len(v.Str()), maxMessageBytes+200)
	assert.Equal(t, 2, strings.Count(v.Str(), `"type"`))
}
