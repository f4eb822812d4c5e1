package genai

import (
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

func TestCallOfACurrentSDK(t *testing.T) {
	x := newTestExtractor(t, Options{})
	s := fullSpan()
	s.SetParentSpanID(pcommon.SpanID{9})
	ev := Event{PromptText: "left over", Metadata: map[string]string{"left": "over"}}
	is, problems := x.FromSpan(&Resource{Service: "chat-api", Environment: "prod", Region: "eu-west-1", Tenant: "acme"},
		pcommon.NewInstrumentationScope(), s, &ev)
	require.True(t, is)
	assert.Zero(t, problems, problems.String())
	assert.Equal(t, Event{
		ID:      NewEventID(testTrace, testSpan),
		TraceID: testTrace, SpanID: testSpan, ParentSpanID: pcommon.SpanID{9},
		Start: testStart, End: testStart + 1_500_000_000,
		Service: "chat-api", Environment: "prod", Region: "eu-west-1", Tenant: "acme",
		Operation: "chat", Provider: "openai", RequestModel: "gpt-4o", ResponseModel: "gpt-4o-2024-08-06",
		ResponseID: "chatcmpl-1", FinishReason: "stop", Conversation: "conversation-1", Streaming: true,
		Present: FieldInputTokens | FieldOutputTokens | FieldTotalTokens | FieldCacheReadTokens |
			FieldReasoningTokens | FieldTTFT | FieldLatency,
		InputTokens: 27, OutputTokens: 12, TotalTokens: 39, CacheReadTokens: 16, ReasoningTokens: 4,
		TTFTMillis: 65, LatencyMillis: 1500,
	}, ev)
}

func TestLeafCallsAreToldFromTheSpansAroundThem(t *testing.T) {
	x := newTestExtractor(t, Options{})
	type attrs = map[string]any
	for name, tc := range map[string]struct {
		attrs attrs
		want  bool
	}{
		"chat":               {attrs{"gen_ai.operation.name": "chat"}, true},
		"embeddings":         {attrs{"gen_ai.operation.name": "embeddings"}, true},
		"rerank":             {attrs{"gen_ai.operation.name": "rerank"}, true},
		"OpenInference call": {attrs{"openinference.span.kind": "LLM"}, true},
		"old Traceloop call": {attrs{"llm.request.type": "completion"}, true},
		"model without kind": {attrs{"gen_ai.request.model": "m"}, true},
		"vLLM":               {attrs{"gen_ai.usage.prompt_tokens": 3}, true},
		"llm.model":          {attrs{"llm.model": "m"}, true},
		"empty operation":    {attrs{"gen_ai.operation.name": "", "gen_ai.request.model": "m"}, true},
		"kind after model":   {attrs{"gen_ai.request.model": "m", "gen_ai.operation.name": "chat"}, true},

		"agent":                   {attrs{"gen_ai.operation.name": "invoke_agent", "gen_ai.request.model": "m", "gen_ai.usage.input_tokens": 3}, false},
		"agent, model first":      {attrs{"gen_ai.request.model": "m", "gen_ai.operation.name": "invoke_agent"}, false},
		"step":                    {attrs{"gen_ai.operation.name": "agent_step", "gen_ai.usage.input_tokens": 3}, false},
		"tool":                    {attrs{"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "t"}, false},
		"workflow":                {attrs{"gen_ai.operation.name": "workflow", "gen_ai.request.model": "m"}, false},
		"fetched response":        {attrs{"gen_ai.operation.name": "fetch_response", "gen_ai.usage.input_tokens": 3}, false},
		"OpenInference chain":     {attrs{"openinference.span.kind": "CHAIN", "gen_ai.request.model": "m"}, false},
		"OpenInference tool":      {attrs{"openinference.span.kind": "TOOL"}, false},
		"Traceloop workflow":      {attrs{"traceloop.span.kind": "workflow", "gen_ai.request.model": "m"}, false},
		"operation of wrong type": {attrs{"gen_ai.operation.name": 3, "gen_ai.request.model": "m"}, false},
		"case matters":            {attrs{"gen_ai.operation.name": "CHAT"}, false},
		"nothing":                 {attrs{}, false},
		"HTTP":                    {attrs{"http.request.method": "POST", "error.type": "x", "user.id": "u"}, false},
		"generic names":           {attrs{"operation": "chat", "duration_ms": 3, "metadata": "{}"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSpan()
			require.NoError(t, s.Attributes().FromRaw(tc.attrs))
			before := Event{Service: "before"}
			ev := before
			is, problems := x.FromSpan(nil, pcommon.NewInstrumentationScope(), s, &ev)
			assert.Equal(t, tc.want, is)
			if !tc.want {
				assert.Equal(t, before, ev, "an event of another span must not change")
				assert.Zero(t, problems)
			}
		})
	}
}

func TestDeprecatedNames(t *testing.T) {
	type attrs = map[string]any
	base := Event{
		ID: NewEventID(testTrace, testSpan), TraceID: testTrace, SpanID: testSpan,
		Start: testStart, End: testStart + 1_500_000_000, LatencyMillis: 1500, Service: "chat-api",
	}
	for name, tc := range map[string]struct {
		attrs attrs
		want  func(*Event)
	}{
		"GenAI up to 1.27": {
			attrs{
				"gen_ai.operation.name": "chat", "gen_ai.system": "az.ai.openai", "gen_ai.request.model": "gpt-4",
				"gen_ai.usage.prompt_tokens": 10, "gen_ai.usage.completion_tokens": 5,
				"gen_ai.response.finish_reasons": []any{"max_tokens"},
			},
			func(e *Event) {
				e.Operation, e.Provider, e.RequestModel, e.FinishReason = "chat", "azure.ai.openai", "gpt-4", "length"
				e.InputTokens, e.OutputTokens, e.TotalTokens = 10, 5, 15
				e.Present = FieldInputTokens | FieldOutputTokens | FieldTotalTokens | FieldLatency
			},
		},
		"GenAI 1.28 to 1.41": {
			attrs{
				"gen_ai.operation.name": "chat", "gen_ai.provider.name": "anthropic", "gen_ai.request.model": "claude",
				"gen_ai.usage.input_tokens": 30, "gen_ai.usage.output_tokens": 12,
				"gen_ai.usage.cache_creation.input_tokens": 3, "gen_ai.usage.cache_read.input_tokens": 16,
			},
			func(e *Event) {
				e.Operation, e.Provider, e.RequestModel = "chat", "anthropic", "claude"
				e.InputTokens, e.OutputTokens, e.TotalTokens, e.CacheWriteTokens, e.CacheReadTokens = 30, 12, 42, 3, 16
				e.Present = FieldInputTokens | FieldOutputTokens | FieldTotalTokens | FieldCacheWriteTokens | FieldCacheReadTokens | FieldLatency
			},
		},
		"llm.* of the first LLM-Sentinel": {
			attrs{
				"llm.model": "gpt-4", "llm.prompt": "P", "llm.response": "R", "llm.prompt.tokens": 120, "llm.response.tokens": 340,
				"llm.response.finish_reason": "stop", "llm.latency_ms": 9999.0, "llm.cost_usd": 0.024,
				"user.id": "u1", "cloud.region": "eu-west-1", "api.key": "sk-secret",
			},
			func(e *Event) {
				e.RequestModel, e.FinishReason, e.User, e.Region = "gpt-4", "stop", "u1", "eu-west-1"
				e.InputTokens, e.OutputTokens, e.TotalTokens, e.CostUSD = 120, 340, 460, 0.024
				e.Present = FieldInputTokens | FieldOutputTokens | FieldTotalTokens | FieldCost | FieldLatency
			},
		},
		"llm.* of early OpenLLMetry": {
			attrs{
				"llm.request.type": "chat", "llm.provider": "openai", "llm.request.model": "gpt-3.5-turbo", "llm.response.model": "gpt-3.5-turbo-0613",
				"llm.usage.prompt_tokens": 7, "llm.usage.completion_tokens": 3, "llm.usage.total_tokens": 11,
				"llm.is_streaming": true, "llm.user": "u2", "gen_ai.completion.0.finish_reason": "function_call",
			},
			func(e *Event) {
				e.Operation, e.Provider, e.RequestModel, e.ResponseModel = "chat", "openai", "gpt-3.5-turbo", "gpt-3.5-turbo-0613"
				e.InputTokens, e.OutputTokens, e.TotalTokens = 7, 3, 11
				e.Streaming, e.User, e.FinishReason = true, "u2", "tool_calls"
				e.Present = FieldInputTokens | FieldOutputTokens | FieldTotalTokens | FieldLatency
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSpan()
			require.NoError(t, s.Attributes().FromRaw(tc.attrs))
			want := base
			tc.want(&want)
			got, problems := read(t, s)
			assert.Equal(t, want, got)
			assert.Zero(t, problems, problems.String())
		})
	}
}

func TestProvidersAndFinishReasonsGetOneSpelling(t *testing.T) {
	x := newTestExtractor(t, Options{})
	for _, list := range providerAliases {
		for _, s := range append(list.spellings, list.canonical) {
			assert.Equal(t, list.canonical, x.provider(s), s)
		}
	}
	for spelling, want := range map[string]string{
		"deepseek.responses": "deepseek", "groq.embedding": "groq", "acme.chat": "acme.chat", "acme": "acme", "langchain": "",
	} {
		assert.Equal(t, want, x.provider(spelling))
	}
	for _, list := range finishReasonAliases {
		for _, s := range append(list.spellings, list.canonical) {
			assert.Equal(t, list.canonical, x.finishReason(s), s)
		}
	}
	assert.Equal(t, "pause_turn", x.finishReason("pause_turn"))

	s := callSpan()
	s.Attributes().PutStr("gen_ai.provider.name", "langchain")
	s.Attributes().PutStr("llm.provider", "xai")
	ev, _ := read(t, s)
	assert.Equal(t, "x_ai", ev.Provider, "a framework gives way to the next selector")
}

func TestFinishReasonsAreReadHoweverTheyAreWritten(t *testing.T) {
	for name, tc := range map[string]struct {
		raw  any
		want string
	}{
		"array":              {[]any{"tool_use", "stop"}, "tool_calls"},
		"array, empty first": {[]any{"", "stop"}, "stop"},
		"plain":              {"end_turn", "stop"},
		"JSON text":          {`["MAX_TOKENS"]`, "length"},
		"empty array":        {[]any{}, ""},
		"empty text":         {"", ""},
		"broken JSON":        {`["`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := callSpan()
			require.NoError(t, s.Attributes().PutEmpty("gen_ai.response.finish_reasons").FromRaw(tc.raw))
			ev, problems := read(t, s)
			assert.Equal(t, tc.want, ev.FinishReason)
			assert.Zero(t, problems, problems.String())
		})
	}
}

func TestFailureAndItsReason(t *testing.T) {
	for name, tc := range map[string]struct {
		prepare      func(ptrace.Span)
		failed       bool
		typ, message string
	}{
		"no status":            {func(ptrace.Span) {}, false, "", ""},
		"status OK":            {func(s ptrace.Span) { s.Status().SetCode(ptrace.StatusCodeOk); s.Status().SetMessage("fine") }, false, "", ""},
		"status error":         {func(s ptrace.Span) { s.Status().SetCode(ptrace.StatusCodeError) }, true, "", ""},
		"status message":       {func(s ptrace.Span) { s.Status().SetCode(ptrace.StatusCodeError); s.Status().SetMessage("boom") }, true, "", "boom"},
		"error type":           {func(s ptrace.Span) { s.Attributes().PutStr("error.type", "timeout") }, true, "timeout", ""},
		"HTTP 429":             {func(s ptrace.Span) { s.Attributes().PutInt("http.response.status_code", 429) }, true, "429", ""},
		"HTTP 429 as text":     {func(s ptrace.Span) { s.Attributes().PutStr("http.status_code", "429") }, true, "429", ""},
		"HTTP 200":             {func(s ptrace.Span) { s.Attributes().PutInt("http.response.status_code", 200) }, false, "", ""},
		"message only":         {func(s ptrace.Span) { s.Attributes().PutStr("error.message", "ignored") }, false, "", ""},
		"handled exception":    {exception, false, "", ""},
		"exception of failure": {func(s ptrace.Span) { s.Status().SetCode(ptrace.StatusCodeError); exception(s) }, true, "APIError", "out of luck"},
		"attribute before exception": {func(s ptrace.Span) {
			s.Status().SetCode(ptrace.StatusCodeError)
			s.Attributes().PutStr("error.type", "timeout")
			exception(s)
		}, true, "timeout", "out of luck"},
	} {
		t.Run(name, func(t *testing.T) {
			s := callSpan()
			tc.prepare(s)
			ev, problems := read(t, s)
			assert.Equal(t, tc.failed, ev.Failed)
			assert.Equal(t, tc.typ, ev.ErrorType)
			assert.Equal(t, tc.message, ev.ErrorMessage)
			assert.Zero(t, problems, problems.String())
		})
	}
}

func exception(s ptrace.Span) {
	e := s.Events().AppendEmpty()
	e.SetName("exception")
	e.Attributes().PutStr("exception.type", "APIError")
	e.Attributes().PutStr("exception.message", "out of luck")
}

func TestUnits(t *testing.T) {
	for key, tc := range map[string]struct {
		raw  any
		want float64
	}{
		"gen_ai.response.time_to_first_chunk":         {0.065, 65},
		"gen_ai.latency.time_to_first_token":          {"2", 2000},
		"llm.latency.time_to_first_token":             {12, 12},
		"gen_ai.server.time_to_first_token":           {0.25, 250},
		"gen_ai.client.inference.time_to_first_chunk": {0.0, 0},
	} {
		s := callSpan()
		require.NoError(t, s.Attributes().PutEmpty(key).FromRaw(tc.raw))
		ev, _ := read(t, s)
		require.True(t, ev.Has(FieldTTFT), key)
		assert.InDelta(t, tc.want, ev.TTFTMillis, 1e-9, key)
	}
	s := callSpan()
	s.Attributes().PutInt("gen_ai.server.time_to_first_token", 250_000_000) // nanoseconds
	ev, _ := read(t, s)
	assert.InDelta(t, 250, ev.TTFTMillis, 1e-9)
}

func TestCostOfZeroIsBelievedOnlyWithoutTokens(t *testing.T) {
	s := callSpan()
	s.Attributes().PutDouble("gen_ai.usage.cost", 0)
	ev, _ := read(t, s)
	assert.True(t, ev.Has(FieldCost))

	s.Attributes().PutInt("gen_ai.usage.output_tokens", 12)
	ev, problems := read(t, s)
	assert.False(t, ev.Has(FieldCost), "zero beside tokens means that the price is unknown")
	assert.Zero(t, problems)

	s.Attributes().PutDouble("llm.cost.total", 0.25)
	ev, _ = read(t, s)
	assert.Equal(t, 0.25, ev.CostUSD)
}

func TestTotalIsDerivedOnlyWhenBothPartsAreKnown(t *testing.T) {
	s := callSpan()
	s.Attributes().PutInt("gen_ai.usage.input_tokens", maxTokens)
	ev, _ := read(t, s)
	assert.False(t, ev.Has(FieldTotalTokens))
	s.Attributes().PutInt("gen_ai.usage.output_tokens", maxTokens)
	ev, _ = read(t, s)
	assert.EqualValues(t, 2*maxTokens, ev.TotalTokens)
	s.Attributes().PutInt("gen_ai.usage.total_tokens", 7)
	ev, _ = read(t, s)
	assert.EqualValues(t, 7, ev.TotalTokens)
}

func TestResourceFacts(t *testing.T) {
	x := newTestExtractor(t, Options{})
	assert.Equal(t, Resource{Service: "unknown_service"}, x.Resource(pcommon.NewResource()))

	res := pcommon.NewResource()
	require.NoError(t, res.Attributes().FromRaw(map[string]any{
		"deployment.environment": "old", "deployment.environment.name": "prod", "cloud.region": "eu-west-1",
		"service.namespace": "shop", "service.name": "chat-api", "host.name": "h", "service.instance.id": 3,
	}))
	facts := x.Resource(res)
	assert.Equal(t, Resource{Service: "chat-api", Environment: "prod", Region: "eu-west-1", Tenant: "shop"}, facts)

	s := callSpan()
	require.NoError(t, s.Attributes().FromRaw(map[string]any{
		"gen_ai.operation.name": "chat", "service.name": "span", "deployment.environment": "span", "cloud.region": "span", "tenant.id": "span",
	}))
	var ev Event
	x.FromSpan(&facts, pcommon.NewInstrumentationScope(), s, &ev)
	assert.Equal(t, []string{"chat-api", "prod", "eu-west-1", "span"}, []string{ev.Service, ev.Environment, ev.Region, ev.Tenant},
		"the tenant is better known by the span, the rest by the resource")
	x.FromSpan(nil, pcommon.NewInstrumentationScope(), s, &ev)
	assert.Equal(t, []string{"span", "span", "span", "span"}, []string{ev.Service, ev.Environment, ev.Region, ev.Tenant})

	res.Attributes().PutInt("service.name", 3)
	assert.Equal(t, "unknown_service", x.Resource(res).Service)
}

func TestEventID(t *testing.T) {
	want := uuid.NewSHA1(namespace, append(append([]byte{}, testTrace[:]...), testSpan[:]...))
	assert.Equal(t, want, NewEventID(testTrace, testSpan))
	assert.Equal(t, uuid.Version(5), want.Version())
}

func TestSpansWithoutIDsGetStableEventIDs(t *testing.T) {
	id := func(change func(ptrace.Span)) uuid.UUID {
		s := callSpan()
		s.SetSpanID(pcommon.SpanID{})
		change(s)
		ev, _ := read(t, s)
		return ev.ID
	}
	same := func(ptrace.Span) {}
	first := id(same)
	assert.Equal(t, first, id(same), "a redelivery is the same event")
	seen := map[uuid.UUID]string{first: "same"}
	for name, change := range map[string]func(ptrace.Span){
		"trace": func(s ptrace.Span) { s.SetTraceID(pcommon.TraceID{}) },
		"start": func(s ptrace.Span) { s.SetStartTimestamp(1) },
		"end":   func(s ptrace.Span) { s.SetEndTimestamp(2) },
		"model": func(s ptrace.Span) { s.Attributes().PutStr(AttrRequestModel, "other") },
		"id":    func(s ptrace.Span) { s.Attributes().PutStr(AttrResponseID, "other") },
	} {
		got := id(change)
		assert.Empty(t, seen[got], name)
		seen[got] = name
		assert.Equal(t, uuid.Version(5), got.Version())
		assert.Equal(t, uuid.RFC4122, got.Variant())
	}
}

// measured is what an extractor of measures must read of an event.
func measured(ev Event) Event {
	const fields = FieldInputTokens | FieldOutputTokens | FieldTotalTokens | FieldCost | FieldTTFT | FieldLatency |
		FieldCacheReadTokens | FieldCacheWriteTokens | FieldCacheWrite5mTokens | FieldCacheWrite1hTokens | FieldReasoningTokens
	return Event{
		TraceID: ev.TraceID, SpanID: ev.SpanID, ParentSpanID: ev.ParentSpanID, Start: ev.Start, End: ev.End,
		Service: ev.Service, RequestModel: ev.RequestModel, ResponseModel: ev.ResponseModel,
		FinishReason: ev.FinishReason, Conversation: ev.Conversation, User: ev.User,
		Failed: ev.Failed, ErrorType: ev.ErrorType, Present: ev.Present & fields,
		InputTokens: ev.InputTokens, OutputTokens: ev.OutputTokens, TotalTokens: ev.TotalTokens,
		CacheReadTokens: ev.CacheReadTokens, CacheWriteTokens: ev.CacheWriteTokens, ReasoningTokens: ev.ReasoningTokens,
		CacheWrite5mTokens: ev.CacheWrite5mTokens, CacheWrite1hTokens: ev.CacheWrite1hTokens,
		CostUSD: ev.CostUSD, TTFTMillis: ev.TTFTMillis, LatencyMillis: ev.LatencyMillis,
	}
}

func TestMeasuresOnlyReadsTheSameMeasuresAndNothingElse(t *testing.T) {
	lean := newTestExtractor(t, Options{MeasuresOnly: true, CaptureText: true})
	for name, s := range map[string]ptrace.Span{"call": callSpan(), "all attributes": fullSpan()} {
		var want, ev Event
		newTestExtractor(t, Options{}).FromSpan(nil, pcommon.NewInstrumentationScope(), s, &want)
		is, problems := lean.FromSpan(nil, pcommon.NewInstrumentationScope(), s, &ev)
		assert.True(t, is, name)
		assert.Zero(t, problems, name)
		assert.Equal(t, measured(want), ev, name)
	}
}

func TestProblemNames(t *testing.T) {
	var names []string
	seen := map[string]bool{}
	for p := range AllProblems.All() {
		assert.Equal(t, len(names), p.Index())
		names = append(names, p.String())
		assert.False(t, seen[p.String()])
		seen[p.String()] = true
	}
	assert.Equal(t, problemNames[:], names)
	assert.Equal(t, "negative_tokens,missing_model", (NegativeTokens | MissingModel).String())
	assert.Equal(t, "unknown", Problem(1<<31).String())
	assert.Empty(t, Problem(0).String())
	assert.Equal(t, -1, Problem(0).Index())
	for range (NegativeTokens | MissingModel).All() {
		break // stopping early must be possible
	}
}
