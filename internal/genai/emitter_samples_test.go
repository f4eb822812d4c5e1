package genai

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
)

// Spans of emitters without a recording, after the names in their documentation.
// The numbers are those of the recordings: 27 tokens in, of which 16 were cached,
// and 12 out, of which 4 were thoughts.
func TestEmittersWithoutARecording(t *testing.T) {
	usage := func(e *Event) {
		e.InputTokens, e.OutputTokens, e.TotalTokens, e.CacheReadTokens, e.ReasoningTokens = 27, 12, 39, 16, 4
		e.Present |= FieldInputTokens | FieldOutputTokens | FieldTotalTokens | FieldCacheReadTokens | FieldReasoningTokens
	}
	for name, tc := range map[string]struct {
		scope, span string
		attrs       attrs
		want        func(*Event)
	}{
		"Langfuse": {"langfuse-sdk", "answer", attrs{
			"langfuse.observation.type": "generation", "langfuse.observation.model.name": "gpt-4o",
			"langfuse.observation.usage_details":         `{"input":11,"input_cached_tokens":16,"output":8,"output_reasoning_tokens":4,"total":39}`,
			"langfuse.observation.cost_details":          `{"input":0.01,"output":0.02,"total":0.03}`,
			"langfuse.observation.completion_start_time": `"2026-01-02T03:04:05.250Z"`,
			"langfuse.observation.input":                 `[{"role":"user","content":"capital of France?"}]`, "langfuse.observation.output": `{"role":"assistant","content":"Paris"}`,
			"langfuse.session.id": "s-1", "langfuse.user.id": "u-1", "langfuse.environment": "test",
		}, func(e *Event) {
			usage(e)
			e.Operation, e.RequestModel, e.Conversation, e.User = "chat", "gpt-4o", "s-1", "u-1"
			e.CostUSD, e.TTFTMillis, e.PromptText, e.ResponseText = 0.03, 250, "capital of France?", "Paris"
			e.Present |= FieldCost | FieldTTFT
		}},
		"Langfuse, error": {"langfuse-sdk", "answer", attrs{
			"langfuse.observation.type": "generation", "langfuse.observation.model.name": "gpt-4o",
			"langfuse.observation.level": "ERROR", "langfuse.observation.status_message": "429 slow down",
			"langfuse.observation.cost_details": `{"input":0,"output":0,"total":0}`,
		}, func(e *Event) {
			e.Operation, e.RequestModel, e.Failed, e.ErrorType, e.ErrorMessage = "chat", "gpt-4o", true, "ERROR", "429 slow down"
			e.Present |= FieldCost
		}},
		"Vercel AI SDK 5": {"ai", "ai.streamText.doStream", attrs{
			"ai.operationId": "ai.streamText.doStream", "ai.model.id": "gpt-4o", "ai.model.provider": "openai.responses",
			"ai.response.model": "gpt-4o-2024-08-06", "ai.response.id": "resp-1", "ai.response.finishReason": "tool-calls",
			"ai.usage.inputTokens": 27, "ai.usage.outputTokens": 12, "ai.usage.totalTokens": 39, "ai.usage.cachedInputTokens": 16,
			"ai.usage.reasoningTokens": 4, "ai.response.msToFirstChunk": 65.5, "ai.response.text": "Paris",
			"ai.prompt.messages":              `[{"role":"user","content":[{"type":"text","text":"capital of France?"}]}]`,
			"ai.telemetry.metadata.sessionId": "s-1", "ai.telemetry.metadata.userId": "u-1", "ai.telemetry.functionId": "qa",
		}, func(e *Event) {
			usage(e)
			e.Operation, e.Provider, e.RequestModel, e.ResponseModel, e.ResponseID = "chat", "openai", "gpt-4o", "gpt-4o-2024-08-06", "resp-1"
			e.FinishReason, e.Streaming, e.TTFTMillis = "tool_calls", true, 65.5
			e.Conversation, e.User, e.Agent, e.PromptText, e.ResponseText = "s-1", "u-1", "qa", "capital of France?", "Paris"
			e.Present |= FieldTTFT
		}},
		"Vercel AI SDK 4, embeddings": {"ai", "ai.embed.doEmbed", attrs{
			"ai.operationId": "ai.embed.doEmbed", "ai.model.id": "text-embedding-3-small", "ai.model.provider": "openai.embedding", "ai.usage.tokens": 8,
		}, func(e *Event) {
			e.Operation, e.Provider, e.RequestModel, e.InputTokens = "embeddings", "openai", "text-embedding-3-small", 8
			e.Present |= FieldInputTokens
		}},
		"LangSmith": {"langsmith", "ChatOpenAI", attrs{
			"langsmith.span.kind": "llm", "langsmith.metadata.ls_provider": "openai", "langsmith.metadata.ls_model_name": "gpt-4o",
			"langsmith.trace.session_id": "s-1", "langsmith.metadata.user_id": "u-1",
			"gen_ai.usage.input_tokens": 27, "gen_ai.usage.output_tokens": 12, "gen_ai.usage.total_tokens": 39,
			"gen_ai.usage.input_token_details": `{"cache_read":16}`, "gen_ai.usage.output_token_details": `{"reasoning":4}`,
		}, func(e *Event) {
			usage(e)
			e.Operation, e.Provider, e.RequestModel, e.Conversation, e.User = "chat", "openai", "gpt-4o", "s-1", "u-1"
		}},
		"LiteLLM": {"litellm", "litellm_request", attrs{
			"gen_ai.operation.name": "chat", "gen_ai.system": "azure", "gen_ai.request.model": "gpt-4o", "gen_ai.response.model": "gpt-4o-2024-08-06",
			"gen_ai.usage.prompt_tokens": "27", "gen_ai.usage.completion_tokens": "12",
			"litellm.call_id": "call-1", "litellm.cost.total": 0.03, "litellm.team.id": "team-1", "litellm.end_user.id": "u-1", "litellm.request.streaming": true,
		}, func(e *Event) {
			e.Operation, e.Provider, e.RequestModel, e.ResponseModel, e.ResponseID = "chat", "azure.ai.openai", "gpt-4o", "gpt-4o-2024-08-06", "call-1"
			e.InputTokens, e.OutputTokens, e.TotalTokens, e.CostUSD, e.Tenant, e.User, e.Streaming = 27, 12, 39, 0.03, "team-1", "u-1", true
			e.Present |= FieldInputTokens | FieldOutputTokens | FieldTotalTokens | FieldCost
		}},
		"vLLM": {"vllm.llm_engine", "llm_request", attrs{
			"gen_ai.response.model": "meta-llama/Llama-3.1-8B", "gen_ai.request.id": "cmpl-1", "gen_ai.request.n": 1,
			"gen_ai.usage.prompt_tokens": 27, "gen_ai.usage.completion_tokens": 12, "gen_ai.usage.num_sequences": 1,
			"gen_ai.latency.time_in_queue": 0.01, "gen_ai.latency.time_to_first_token": 0.065, "gen_ai.latency.e2e": 1.5,
		}, func(e *Event) {
			e.ResponseModel, e.ResponseID, e.InputTokens, e.OutputTokens, e.TotalTokens, e.TTFTMillis = "meta-llama/Llama-3.1-8B", "cmpl-1", 27, 12, 39, 65
			e.Present |= FieldInputTokens | FieldOutputTokens | FieldTotalTokens | FieldTTFT
		}},
		"a gateway that counts nanoseconds": {"gateway", "chat", attrs{
			"gen_ai.operation.name": "chat", "gen_ai.request.model": "m", "gen_ai.server.time_to_first_token": 65_000_000,
		}, func(e *Event) {
			e.Operation, e.RequestModel, e.TTFTMillis = "chat", "m", 65
			e.Present |= FieldTTFT
		}},
		"Semantic Kernel": {"Microsoft.SemanticKernel.Diagnostics", "chat.completions gpt-4o", attrs{
			"gen_ai.operation.name": "chat", "gen_ai.system": "openai", "gen_ai.request.model": "gpt-4o", "gen_ai.response.id": "chatcmpl-1",
			"gen_ai.usage.input_tokens": 27, "gen_ai.usage.output_tokens": 12, "gen_ai.response.finish_reason": "Stop",
		}, func(e *Event) {
			e.Operation, e.Provider, e.RequestModel, e.ResponseID, e.FinishReason = "chat", "openai", "gpt-4o", "chatcmpl-1", "stop"
			e.InputTokens, e.OutputTokens, e.TotalTokens = 27, 12, 39
			e.Present |= FieldInputTokens | FieldOutputTokens | FieldTotalTokens
		}},
		"Claude Code": {"com.anthropic.claude_code", "claude_code.llm_request", attrs{
			"model": "\x1b[1mclaude-opus-4-6\x1b[22m", "input_tokens": "11", "output_tokens": "12", "cache_read_tokens": "16", "cache_creation_tokens": "3",
			"ttft_ms": 800, "request_id": "req-1", "session.id": "s-1", "user.account_uuid": "u-1",
		}, func(e *Event) {
			e.RequestModel, e.ResponseID, e.Conversation, e.User, e.TTFTMillis = "claude-opus-4-6", "req-1", "s-1", "u-1", 800
			e.InputTokens, e.OutputTokens, e.TotalTokens, e.CacheReadTokens, e.CacheWriteTokens = 30, 12, 42, 16, 3
			e.Present |= FieldInputTokens | FieldOutputTokens | FieldTotalTokens | FieldCacheReadTokens | FieldCacheWriteTokens | FieldTTFT
		}},
		"Codex": {"codex_otel", "handle_responses", attrs{
			"gen_ai.usage.input_tokens": 27, "gen_ai.usage.output_tokens": 12, "gen_ai.usage.cache_read.input_tokens": 16,
		}, func(e *Event) {
			e.InputTokens, e.OutputTokens, e.TotalTokens, e.CacheReadTokens = 27, 12, 39, 16
			e.Present |= FieldInputTokens | FieldOutputTokens | FieldTotalTokens | FieldCacheReadTokens
		}},
		"Google ADK, cut short": {"gcp.vertex.agent", "call_llm", nil, func(*Event) {}},
		"OpenLLMetry, first generation": {"opentelemetry.instrumentation.openai", "openai.chat", attrs{
			"llm.request.type": "chat", "gen_ai.system": "OpenAI", "llm.request.model": "gpt-4o", "llm.response.model": "gpt-4o-2024-08-06",
			"llm.usage.prompt_tokens": 27, "llm.usage.completion_tokens": 12, "llm.usage.total_tokens": 39, "llm.is_streaming": false, "llm.user": "u-1",
			"gen_ai.prompt.0.role": "user", "gen_ai.prompt.0.content": "capital of France?",
			"gen_ai.completion.0.content": "Paris", "gen_ai.completion.0.finish_reason": "stop",
		}, func(e *Event) {
			e.Operation, e.Provider, e.RequestModel, e.ResponseModel, e.User = "chat", "openai", "gpt-4o", "gpt-4o-2024-08-06", "u-1"
			e.FinishReason, e.PromptText, e.ResponseText = "stop", "capital of France?", "Paris"
			e.InputTokens, e.OutputTokens, e.TotalTokens = 27, 12, 39
			e.Present |= FieldInputTokens | FieldOutputTokens | FieldTotalTokens
		}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSpan()
			s.SetName(tc.span)
			require.NoError(t, s.Attributes().FromRaw(tc.attrs))
			scope := pcommon.NewInstrumentationScope()
			scope.SetName(tc.scope)
			var ev Event
			is, problems := newTestExtractor(t, Options{CaptureText: true}).FromSpan(nil, scope, s, &ev)
			require.True(t, is)
			assert.Zero(t, problems&^MissingModel, problems.String())
			want := Event{
				ID: NewEventID(testTrace, testSpan), TraceID: testTrace, SpanID: testSpan, Service: UnknownService,
				Start: testStart, End: testStart + 1_500_000_000, LatencyMillis: 1500, Present: FieldLatency,
			}
			tc.want(&want)
			assert.Equal(t, want, ev)
			checkNormalize(t, scope, s)
		})
	}
}

// Spans around calls repeat their model and usage.
func TestSpansAroundCallsAreNoCalls(t *testing.T) {
	model := func(a attrs) attrs {
		a["gen_ai.request.model"], a["gen_ai.usage.input_tokens"], a["llm.model_name"] = "gpt-4o", 27, "gpt-4o"
		return a
	}
	for name, a := range map[string]attrs{
		"agent":                  model(attrs{"gen_ai.operation.name": "invoke_agent"}),
		"step of Vercel":         model(attrs{"gen_ai.operation.name": "agent_step"}),
		"workflow of Traceloop":  model(attrs{"gen_ai.operation.name": "workflow"}),
		"task of Traceloop":      model(attrs{"traceloop.span.kind": "task"}),
		"chain of OpenInference": model(attrs{"openinference.span.kind": "CHAIN"}),
		"outer span of Vercel":   model(attrs{"ai.operationId": "ai.generateText", "ai.usage.inputTokens": 27}),
		"agent of Langfuse":      model(attrs{"langfuse.observation.type": "agent"}),
		"chain of LangSmith":     model(attrs{"langsmith.span.kind": "chain"}),
		"fetch of a response":    model(attrs{"gen_ai.operation.name": "fetch_response"}),
	} {
		s := newSpan()
		require.NoError(t, s.Attributes().FromRaw(a))
		is, _ := newTestExtractor(t, Options{}).FromSpan(nil, pcommon.NewInstrumentationScope(), s, &Event{})
		assert.False(t, is, name)
	}
}
