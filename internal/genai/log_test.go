package genai

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

type attrs = map[string]any

// newRecord is a log record of the time testStart.
func newRecord(tb testing.TB, event string, a attrs) plog.LogRecord {
	tb.Helper()
	rec := plog.NewLogRecord()
	require.NoError(tb, rec.Attributes().FromRaw(a))
	rec.SetEventName(event)
	rec.SetTimestamp(testStart)
	return rec
}

func readLog(tb testing.TB, rec plog.LogRecord) (Event, bool, Problem) {
	tb.Helper()
	var ev Event
	is, problems := newTestExtractor(tb, Options{CaptureText: true}).FromLog(nil, pcommon.NewInstrumentationScope(), rec, &ev)
	return ev, is, problems
}

// Attributes as the documentation of these agents has them; the numbers of all
// of them but Claude Code come as text in practice.
func TestCallsOfCodingAgentsAreReadFromLogRecords(t *testing.T) {
	for name, tc := range map[string]struct {
		event string
		attrs attrs
		want  Event
	}{
		"Claude Code": {"claude_code.api_request", attrs{
			"event.name": "api_request", "session.id": "s-1", "user.account_uuid": "u-1", "organization.id": "o-1",
			"model": "claude-opus-4-6", "cost_usd": 0.0123, "duration_ms": 2500, "input_tokens": 11, "output_tokens": 12,
			"cache_read_tokens": 16, "cache_creation_tokens": 3, "request_id": "req-1", "agent.name": "reviewer",
		}, Event{
			Operation: "chat", RequestModel: "claude-opus-4-6", ResponseID: "req-1", Conversation: "s-1", User: "u-1", Tenant: "o-1", Agent: "reviewer",
			Start: testStart - 2_500_000_000, LatencyMillis: 2500, CostUSD: 0.0123,
			InputTokens: 30, OutputTokens: 12, TotalTokens: 42, CacheReadTokens: 16, CacheWriteTokens: 3,
			Present: FieldInputTokens | FieldOutputTokens | FieldTotalTokens | FieldCacheReadTokens | FieldCacheWriteTokens | FieldCost | FieldLatency,
		}},
		"Claude Code, cost in millionths": {"claude_code.api_request", attrs{
			"model": "m", "cost_usd_micros": "12300", "ttft_ms": "800",
		}, Event{Operation: "chat", RequestModel: "m", CostUSD: 0.0123, TTFTMillis: 800, Present: FieldCost | FieldTTFT}},
		"Claude Code, error": {"claude_code.api_error", attrs{
			"model": "claude-opus-4-6", "error": "Overloaded", "status_code": "529", "duration_ms": "100", "attempt": 3, "session.id": "s-1",
		}, Event{
			Operation: "chat", RequestModel: "claude-opus-4-6", Conversation: "s-1", Failed: true, ErrorType: "529", ErrorMessage: "Overloaded",
			Start: testStart - 100_000_000, LatencyMillis: 100, Present: FieldLatency,
		}},
		"Codex": {"", attrs{
			"event.name": "codex.sse_event", "event.kind": "response.completed", "conversation.id": "c-1", "model": "gpt-5-codex",
			"input_token_count": "27", "output_token_count": "12", "cached_token_count": "16", "reasoning_token_count": "4", "tool_token_count": "39",
		}, Event{
			Operation: "chat", RequestModel: "gpt-5-codex", Conversation: "c-1",
			InputTokens: 27, OutputTokens: 12, TotalTokens: 39, CacheReadTokens: 16, ReasoningTokens: 4,
			Present: FieldInputTokens | FieldOutputTokens | FieldTotalTokens | FieldCacheReadTokens | FieldReasoningTokens,
		}},
		"Codex, error": {"codex.api_request", attrs{
			"model": "gpt-5-codex", "http.response.status_code": "429", "error.message": "slow down", "duration_ms": "50",
		}, Event{
			Operation: "chat", RequestModel: "gpt-5-codex", Failed: true, ErrorType: "429", ErrorMessage: "slow down",
			Start: testStart - 50_000_000, LatencyMillis: 50, Present: FieldLatency,
		}},
		"Codex, no answer": {"codex.api_request", attrs{"model": "gpt-5-codex", "error.message": "connection refused"}, Event{
			Operation: "chat", RequestModel: "gpt-5-codex", Failed: true, ErrorMessage: "connection refused",
		}},
		"Codex, broken stream": {"codex.sse_event", attrs{
			"model": "gpt-5-codex", "event.kind": "response.failed", "error.message": "cut off",
		}, Event{Operation: "chat", RequestModel: "gpt-5-codex", Failed: true, ErrorMessage: "cut off"}},
		"Gemini CLI": {"gemini_cli.api_response", attrs{
			"model": "gemini-3-pro", "session.id": "s-2", "duration_ms": "1500", "status_code": 200, "finish_reasons": []any{"STOP"},
			"input_token_count": 27, "output_token_count": 12, "cached_content_token_count": 16, "thoughts_token_count": 4, "tool_token_count": 0,
			"total_token_count": 43, "response_text": "Paris.",
		}, Event{
			Operation: "chat", RequestModel: "gemini-3-pro", Conversation: "s-2", FinishReason: "stop", ResponseText: "Paris.",
			Start: testStart - 1_500_000_000, LatencyMillis: 1500,
			InputTokens: 27, OutputTokens: 16, TotalTokens: 43, CacheReadTokens: 16, ReasoningTokens: 4,
			Present: FieldInputTokens | FieldOutputTokens | FieldTotalTokens | FieldCacheReadTokens | FieldReasoningTokens | FieldLatency,
		}},
		"Gemini CLI, error": {"gemini_cli.api_error", attrs{
			"model": "gemini-3-pro", "error": "quota", "error_type": "RESOURCE_EXHAUSTED", "status_code": 429,
		}, Event{Operation: "chat", RequestModel: "gemini-3-pro", Failed: true, ErrorType: "RESOURCE_EXHAUSTED", ErrorMessage: "quota"}},
	} {
		t.Run(name, func(t *testing.T) {
			got, is, problems := readLog(t, newRecord(t, tc.event, tc.attrs))
			require.True(t, is)
			assert.Zero(t, problems, problems.String())
			assert.NotZero(t, got.ID)
			tc.want.ID, tc.want.End, tc.want.Service = got.ID, testStart, UnknownService
			assert.InDelta(t, tc.want.CostUSD, got.CostUSD, 1e-12)
			tc.want.CostUSD = got.CostUSD
			assert.Equal(t, tc.want, got)
		})
	}
}

func TestOtherLogRecordsAreNoCalls(t *testing.T) {
	for name, rec := range map[string]plog.LogRecord{
		"text":                   newRecord(t, "", attrs{"model": "gpt-4o", "input_tokens": 1}),
		"a message":              newRecord(t, "gen_ai.user.message", attrs{"gen_ai.system": "openai"}),
		"an evaluation":          newRecord(t, EventEvaluationResult, attrs{"gen_ai.request.model": "gpt-4o"}),
		"a tool of an agent":     newRecord(t, "claude_code.tool_result", attrs{"tool_name": "Bash"}),
		"part of a stream":       newRecord(t, "codex.sse_event", attrs{"event.kind": "response.output_item.done"}),
		"told elsewhere":         newRecord(t, "claude_code.api_request", attrs{"model": "m", AttrCallDuplicate: "span"}),
		"a request that is fine": newRecord(t, "codex.api_request", attrs{"http.response.status_code": "200", "model": "m"}),
	} {
		before := Event{Service: "untouched", InputTokens: 5}
		ev := before
		is, problems := newTestExtractor(t, Options{}).FromLog(nil, pcommon.NewInstrumentationScope(), rec, &ev)
		assert.False(t, is, name)
		assert.Zero(t, problems, name)
		assert.Equal(t, before, ev, name)
	}
}

func TestTheNameOfALogEventIsFoundWhereEmittersWriteIt(t *testing.T) {
	x := newTestExtractor(t, Options{})
	byAttribute := newRecord(t, "", attrs{"event.name": "gemini_cli.api_response"})
	byBody := newRecord(t, "", attrs{"event.name": "api_request"})
	byBody.Body().SetStr("claude_code.api_request")
	assert.Equal(t, "codex.sse_event", x.LogCall(newRecord(t, "codex.sse_event", nil)))
	assert.Equal(t, "gemini_cli.api_response", x.LogCall(byAttribute))
	assert.Equal(t, "claude_code.api_request", x.LogCall(byBody))
	other := newRecord(t, "device.app.lifecycle", attrs{"event.name": 3})
	other.Body().SetStr("some text")
	assert.Empty(t, x.LogCall(other))
}

func TestDetailsOfAnOperationAreTheEventOfItsSpan(t *testing.T) {
	rec := newRecord(t, eventOperationDetails, attrs{
		"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-4o", "gen_ai.usage.input_tokens": "27",
		"gen_ai.input.messages": []any{attrs{"role": "user", "parts": []any{attrs{"type": "text", "content": "capital of France?"}}}},
		"error.type":            "timeout",
	})
	rec.SetTraceID(testTrace)
	rec.SetSpanID(testSpan)
	ev, is, problems := readLog(t, rec)
	require.True(t, is)
	require.Zero(t, problems)
	assert.Equal(t, NewEventID(testTrace, testSpan), ev.ID)
	assert.Equal(t, "capital of France?", ev.PromptText, "structured messages")
	assert.EqualValues(t, 27, ev.InputTokens)
	assert.True(t, ev.Failed)
	assert.Equal(t, "timeout", ev.ErrorType)

	// Several requests of an agent may share a span: they are events of their own.
	rec.SetEventName("claude_code.api_request")
	ev, is, _ = readLog(t, rec)
	require.True(t, is)
	assert.NotEqual(t, NewEventID(testTrace, testSpan), ev.ID)
	assert.Equal(t, testSpan, ev.SpanID)
}

func TestDerivedIDsTellRecordsApartAndRedeliveriesNot(t *testing.T) {
	seen := map[string]attrs{}
	for _, a := range []attrs{
		{"model": "m"},
		{"model": "n"},
		{"model": "m", "input_tokens": 1},
		{"model": "m", "output_tokens": 1},
		{"model": "m", "request_id": "r"},
		{"model": "m", "session.id": "s"},
		{"model": "m", "duration_ms": 1},
	} {
		first, _, _ := readLog(t, newRecord(t, "claude_code.api_request", a))
		again, _, _ := readLog(t, newRecord(t, "claude_code.api_request", a))
		require.Equal(t, first.ID, again.ID)
		require.NotContains(t, seen, first.ID.String())
		seen[first.ID.String()] = a
	}
	later := newRecord(t, "claude_code.api_request", attrs{"model": "m"})
	later.SetTimestamp(testStart + 1)
	ev, _, _ := readLog(t, later)
	require.NotContains(t, seen, ev.ID.String())
}

func TestMembersOfABodyAreReadAfterTheAttributes(t *testing.T) {
	rec := newRecord(t, eventOperationDetails, attrs{"gen_ai.request.model": "gpt-4o"})
	require.NoError(t, rec.Body().SetEmptyMap().FromRaw(attrs{
		"gen_ai.request.model": "other", "gen_ai.usage.output_tokens": 12,
		"gen_ai.output.messages": `[{"role":"assistant","finish_reason":"stop","parts":[{"type":"text","content":"Paris"}]}]`,
	}))
	ev, is, _ := readLog(t, rec)
	require.True(t, is)
	assert.Equal(t, "gpt-4o", ev.RequestModel)
	assert.EqualValues(t, 12, ev.OutputTokens)
	assert.Equal(t, "stop", ev.FinishReason)
	assert.Equal(t, "Paris", ev.ResponseText)
}

func TestTimesOfLogRecords(t *testing.T) {
	observed := newRecord(t, "claude_code.api_request", attrs{"model": "m"})
	observed.SetTimestamp(0)
	observed.SetObservedTimestamp(testStart + 7)
	ev, _, problems := readLog(t, observed)
	assert.Zero(t, problems)
	assert.Equal(t, testStart+7, ev.End)
	assert.Zero(t, ev.Start, "not known without a duration")
	assert.False(t, ev.Has(FieldLatency))

	none := newRecord(t, "claude_code.api_request", attrs{"model": "m", "duration_ms": 5})
	none.SetTimestamp(0)
	ev, _, problems = readLog(t, none)
	assert.Equal(t, MissingEnd, problems)
	assert.Zero(t, ev.End)
	assert.InDelta(t, 5, ev.LatencyMillis, 0)

	old := newRecord(t, "claude_code.api_request", attrs{"model": "m", "duration_ms": 1000})
	old.SetTimestamp(minTime + pcommon.Timestamp(time.Millisecond))
	ev, _, _ = readLog(t, old)
	assert.Zero(t, ev.Start, "would be out of range")
}

func TestBadNumbersOfLogRecordsAreRefused(t *testing.T) {
	ev, is, problems := readLog(t, newRecord(t, "claude_code.api_request", attrs{
		"input_tokens": "-1", "output_tokens": "many", "cost_usd": -0.1, "duration_ms": "NaN",
	}))
	require.True(t, is)
	assert.Equal(t, NegativeTokens|WrongType|NegativeCost|NotANumber|MissingModel, problems, problems.String())
	assert.Zero(t, ev.Present)
}

func TestMeasuresOnlyReadsLogRecordsToo(t *testing.T) {
	var ev Event
	x := newTestExtractor(t, Options{MeasuresOnly: true})
	scope := pcommon.NewInstrumentationScope()
	rec := newRecord(t, "claude_code.api_request", attrs{"model": "m", "input_tokens": 3, "agent.name": "a"})
	is, problems := x.FromLog(nil, pcommon.NewInstrumentationScope(), rec, &ev)
	require.True(t, is)
	assert.Zero(t, problems)
	assert.EqualValues(t, 3, ev.InputTokens)
	assert.Empty(t, ev.Agent)
	assert.Zero(t, testing.AllocsPerRun(50, func() { x.FromLog(nil, scope, rec, &ev) }))
}

func TestErrorsInLogRulesAreNamed(t *testing.T) {
	_, err := newExtractor(&table{logs: []logRule{{}}}, Options{})
	require.ErrorContains(t, err, "log rule 0: key must have 1 to 127 bytes, got 0")
	tab := table{logs: []logRule{{name: "l"}}}
	tab.concepts[conceptUser] = []selector{{key: "u", log: "l"}}
	x, err := newExtractor(&tab, Options{})
	require.NoError(t, err)
	var ev Event
	x.FromLog(nil, pcommon.NewInstrumentationScope(), newRecord(t, "l", attrs{"u": "someone"}), &ev)
	assert.Equal(t, "someone", ev.User)
	s := ptrace.NewSpan()
	s.Attributes().PutStr("u", "someone")
	is, _ := x.FromSpan(nil, pcommon.NewInstrumentationScope(), s, &ev)
	assert.False(t, is)
}
