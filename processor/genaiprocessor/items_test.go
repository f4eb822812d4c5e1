package genaiprocessor

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/llm-devops/llm-sentinel/internal/genai"
)

// isCall asks what all who stand behind the processor ask.
func isCall(t *testing.T, scope string, s ptrace.Span) (genai.Event, bool) {
	t.Helper()
	x, err := genai.NewExtractor(genai.Options{})
	require.NoError(t, err)
	sc := pcommon.NewInstrumentationScope()
	sc.SetName(scope)
	var ev genai.Event
	is, _ := x.FromSpan(nil, sc, s, &ev)
	return ev, is
}

func TestAWrapperIsNoCallForThoseBehind(t *testing.T) {
	r := newRig(t, nil)
	out := r.send(trace(
		spec{id: 1, attrs: chat(30, 12)},
		spec{id: 2, parent: 1, attrs: chat(30, 12, genai.AttrResponseID, "response-1")},
	))
	_, outer := isCall(t, "", out[0])
	_, inner := isCall(t, "", out[1])
	assert.False(t, outer)
	assert.True(t, inner)
	assert.Equal(t, "wrapper", text(out[0].Attributes(), genai.AttrCallDuplicate))
	assert.Equal(t, genai.NewEventID(out[1].TraceID(), out[1].SpanID()).String(), text(out[0].Attributes(), genai.AttrCallID))

	assert.EqualValues(t, 1, r.value("sentinel_llm_calls_total", "outcome", "ok"))
	assert.EqualValues(t, 30, r.value("sentinel_llm_tokens_total", "token_type", "input"))
	assert.EqualValues(t, 12, r.value("sentinel_llm_tokens_total", "token_type", "output"))
	assert.EqualValues(t, 1, r.value("sentinel_llm_duplicates_total", "reason", "wrapper"))
	assert.EqualValues(t, 2, r.value("sentinel_ledger_entries"))
}

func TestALateChildIsADuplicateAndACorrection(t *testing.T) {
	r := newRig(t, nil)
	r.send(trace(spec{id: 1, attrs: chat(28, 10)}))
	out := r.send(trace(spec{id: 2, parent: 1, attrs: chat(30, 12)}))
	assert.Equal(t, "late_child", text(out[0].Attributes(), genai.AttrCallDuplicate))
	assert.EqualValues(t, 1, r.value("sentinel_ledger_corrections_total"))
	assert.EqualValues(t, 30, r.value("sentinel_llm_tokens_total", "token_type", "input"))
}

func TestAnAgentAsAToolDoesNotEraseTheCallAroundIt(t *testing.T) {
	r := newRig(t, nil)
	out := r.send(trace(
		spec{id: 4, parent: 3, attrs: chat(7, 5)},
		spec{id: 3, parent: 2, attrs: map[string]any{genai.AttrOperationName: genai.OperationInvokeAgent}},
		spec{id: 2, parent: 1, attrs: map[string]any{genai.AttrOperationName: genai.OperationExecuteTool}},
		spec{id: 1, attrs: chat(30, 12)},
	))
	for _, s := range out {
		assert.Empty(t, text(s.Attributes(), genai.AttrCallDuplicate))
	}
	assert.EqualValues(t, 37, r.value("sentinel_llm_tokens_total", "token_type", "input"))
}

func TestTheLogOfASpanIsADuplicateAcrossPipelines(t *testing.T) {
	r := newRig(t, nil)
	r.send(trace(spec{id: 1, attrs: chat(30, 12)}))
	ld := plog.NewLogs()
	rec := ld.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords().AppendEmpty()
	rec.SetEventName("gen_ai.client.inference.operation.details")
	rec.SetTraceID(pcommon.TraceID{15: 1})
	rec.SetSpanID(pcommon.SpanID{7: 1})
	require.NoError(t, rec.Attributes().FromRaw(chat(30, 12)))
	other := ld.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().AppendEmpty()
	other.Body().SetStr("hello")

	out := r.sendLogs(ld)
	assert.Equal(t, "log_of_span", text(out[0].Attributes(), genai.AttrCallDuplicate))
	assert.Zero(t, out[1].Attributes().Len())
	assert.EqualValues(t, 1, r.value("sentinel_llm_calls_total", "outcome", "ok"))
}

func TestARedeliveryIsMarkedTheSameAndNotCounted(t *testing.T) {
	r := newRig(t, nil)
	in := trace(spec{id: 1, attrs: chat(30, 12)}, spec{id: 2, parent: 1, attrs: chat(30, 12)})
	again := ptrace.NewTraces()
	in.CopyTo(again)
	first, second := r.send(in), r.send(again)
	for i := range first {
		assert.Equal(t, first[i].Attributes().AsRaw(), second[i].Attributes().AsRaw())
	}
	assert.EqualValues(t, 2, r.value("sentinel_llm_redelivered_total"))
	assert.EqualValues(t, 1, r.value("sentinel_llm_calls_total", "outcome", "ok"))
	assert.EqualValues(t, 1, r.value("sentinel_llm_duplicates_total", "reason", "wrapper"))
}

func TestTheCallTakesOverWhatItsWrapperKnows(t *testing.T) {
	r := newRig(t, nil)
	inner := map[string]any{genai.AttrOperationName: genai.OperationChat, genai.AttrRequestModel: "m", genai.AttrResponseID: "response-1"}
	out := r.send(trace(
		spec{id: 2, parent: 1, attrs: inner},
		spec{id: 1, scope: "@openlit/instrumentation-anthropic", attrs: chat(100, 12,
			genai.AttrUsageCacheRead, 16, genai.AttrAgentName, "planner", genai.AttrUserID, "u", genai.AttrConversationID, "c",
			genai.AttrResponseFinish, []any{"end_turn"})},
	))
	ev, is := isCall(t, "@openlit/instrumentation-anthropic", out[0])
	require.True(t, is)
	assert.EqualValues(t, 116, ev.InputTokens, "inclusive, and not made so twice")
	assert.EqualValues(t, 12, ev.OutputTokens)
	assert.Equal(t, [4]string{"planner", "u", "c", "stop"}, [4]string{ev.Agent, ev.User, ev.Conversation, ev.FinishReason})
	assert.Equal(t, "wrapper", text(out[1].Attributes(), genai.AttrCallDuplicate))
}

func TestNormalizeWritesCurrentNamesNextToTheOriginals(t *testing.T) {
	r := newRig(t, func(c *Config) { c.Normalize = true })
	out := r.send(trace(spec{id: 1, scope: "@traceloop/instrumentation-anthropic", attrs: map[string]any{
		"gen_ai.system": "anthropic", genai.AttrOperationName: genai.OperationChat, genai.AttrRequestModel: "claude-sonnet-4-5",
		genai.AttrUsageInputTokens: 100, genai.AttrUsageOutputTokens: 12, genai.AttrUsageTotalTokens: 112,
		"gen_ai.usage.cache_creation.input_tokens": 3, genai.AttrUsageCacheRead: 16, "llm.is_streaming": true,
	}}))
	a := out[0].Attributes()
	for key, want := range map[string]any{
		genai.AttrProviderName: "anthropic", genai.AttrRequestStream: true,
		genai.AttrUsageInputTokens: int64(119), genai.PrefixOriginal + genai.AttrUsageInputTokens: int64(100),
		genai.AttrUsageTotalTokens: int64(131), genai.PrefixOriginal + genai.AttrUsageTotalTokens: int64(112),
		genai.AttrUsageCacheWrite: int64(3), "gen_ai.usage.cache_creation.input_tokens": int64(3),
		"gen_ai.system": "anthropic", genai.AttrUsageInclusive: true,
	} {
		v, ok := a.Get(key)
		require.True(t, ok, key)
		assert.Equal(t, want, v.AsRaw(), key)
	}
	ev, _ := isCall(t, "@traceloop/instrumentation-anthropic", out[0])
	assert.EqualValues(t, 119, ev.InputTokens, "reading it again changes nothing")
}

func TestWithoutNormalizeACallStaysAsItIs(t *testing.T) {
	r := newRig(t, nil)
	in := chat(30, 12)
	out := r.send(trace(spec{id: 1, attrs: in}))
	for key := range in {
		assert.NotEmpty(t, text(out[0].Attributes(), key))
	}
	_, marked := out[0].Attributes().Get(genai.AttrUsageInclusive)
	assert.False(t, marked)
}

func TestRefusedValuesAreCounted(t *testing.T) {
	r := newRig(t, nil)
	r.send(trace(spec{id: 1, attrs: chat(-1, 12)}))
	assert.EqualValues(t, 1, r.value("sentinel_genai_values_refused_total", "reason", "negative_tokens"))
}

// Any OTLP message passes: no panic, and no span is lost.
func FuzzTraces(f *testing.F) {
	for _, td := range []ptrace.Traces{
		trace(spec{id: 1, attrs: chat(30, 12)}, spec{id: 2, parent: 1, attrs: chat(30, 12)}),
		trace(spec{id: 1, parent: 1, attrs: chat(-1, 12, genai.AttrUsageTotalTokens, "x")}),
	} {
		b, err := (&ptrace.ProtoMarshaler{}).MarshalTraces(td)
		require.NoError(f, err)
		f.Add(b)
	}
	r := newRig(f, func(c *Config) { c.Normalize, c.Ledger.MaxCalls = true, 256 })
	f.Fuzz(func(t *testing.T, b []byte) {
		td, err := (&ptrace.ProtoUnmarshaler{}).UnmarshalTraces(b)
		if err != nil {
			return
		}
		n := td.SpanCount()
		out, err := r.eng.processTraces(context.Background(), td)
		require.NoError(t, err)
		require.Equal(t, n, out.SpanCount())
	})
}
