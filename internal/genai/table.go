package genai

import "go.opentelemetry.io/collector/pdata/ptrace"

// standard is the table of the conventions that are read today: all generations
// of the OpenTelemetry GenAI conventions with what is emitted beside them in
// practice, OpenInference, and the llm.* names of the first LLM-Sentinel.
var standard = table{
	calls: []callRule{
		{key: "gen_ai.operation.name", in: []string{
			"chat", "generate_content", "text_completion", "embeddings", "completion",
			"image_generation", "transcribe", "rerank",
		}},
		{key: "openinference.span.kind", in: []string{"LLM", "EMBEDDING", "RERANKER"}},
		{key: "llm.request.type", in: []string{"chat", "completion", "embedding", "rerank"}},
		// Agent, step and workflow spans carry a model and usage too, so that these
		// say "call" only where no attribute names the kind of the span.
		{
			anyOf: []string{
				"gen_ai.request.model", "gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens",
				"gen_ai.response.model", "llm.model", "llm.prompt.tokens", "llm.response.tokens",
			},
			unless: []string{
				"gen_ai.operation.name", "openinference.span.kind", "llm.request.type",
				"traceloop.span.kind", "langfuse.observation.type", "langsmith.span.kind", "ai.operationId",
			},
		},
	},
	concepts: [conceptCount][]selector{
		conceptOperation: keys(
			"gen_ai.operation.name",
			"openinference.span.kind",
			"llm.request.type",
			"gen_ai.operation.type",
			"gen_ai.span.kind",
			"operation",
		),
		conceptProvider: concat(keys(
			"gen_ai.provider.name",
			"gen_ai.system",
			"llm.provider",
			"llm.system",
		), []selector{
			// OpenInference for LangChain, whose spans have neither of the two above.
			{key: "metadata", json: "ls_provider"},
		}, keys(
			"gen_ai.request.provider",
		)),
		conceptRequestModel: concat(keys(
			"gen_ai.request.model",
			"llm.request.model_name",
			"llm.request.model",
			"llm.model_name",
			"embedding.model_name",
			"reranker.model_name",
		), []selector{
			{key: "llm.invocation_parameters", json: "model"},
		}, keys(
			"llm.model",
		)),
		// That the requested model stands in for an absent response model is
		// the business of [Event.Model].
		conceptResponseModel: keys(
			"gen_ai.response.model",
			"llm.response.model_name",
			"llm.response.model",
			"llm.model_name",
		),
		conceptResponseID: concat(keys(
			"gen_ai.response.id",
			"gen_ai.request.id",
		), []selector{
			{key: "output.value", json: "id", when: []condition{{"openinference.span.kind", []string{"LLM"}}}},
		}),

		conceptInputTokens: keys(
			"gen_ai.usage.input_tokens",
			"gen_ai.usage.prompt_tokens",
			"llm.token_count.prompt",
			"llm.usage.prompt_tokens",
			"llm.usage.input_tokens",
			"gen_ai.usage.prompt_token_count",
			"llm.prompt.tokens",
		),
		conceptOutputTokens: keys(
			"gen_ai.usage.output_tokens",
			"gen_ai.usage.completion_tokens",
			"llm.token_count.completion",
			"llm.usage.completion_tokens",
			"llm.usage.output_tokens",
			"llm.response.tokens",
		),
		conceptTotalTokens: keys(
			"gen_ai.usage.total_tokens",
			"llm.usage.total_tokens",
			"llm.token_count.total",
		),
		conceptCacheReadTokens: concat(keys(
			"gen_ai.usage.cache_read.input_tokens",
			"gen_ai.usage.cache_read_input_tokens",
			"gen_ai.usage.input_tokens.cache_read",
			"gen_ai.usage.cache.read_input_tokens",
			"gen_ai.usage.prompt_tokens_details.cached_tokens",
			"gen_ai.usage.prompt_tokens_details.cache_read",
			"gen_ai.usage.cache_read_tokens",
			"gen_ai.usage.details.cache_read_tokens",
			"gen_ai.usage.details.cache_read_input_tokens",
		), []selector{
			{key: "gen_ai.usage.input_token_details", json: "cache_read"},
		}, keys(
			"llm.token_count.prompt_details.cache_read",
			"llm.token_count.prompt_details.cache_input",
			"llm.usage.cache_read_input_tokens",
		)),
		conceptCacheWriteTokens: concat(keys(
			"gen_ai.usage.cache_write.input_tokens",
			"gen_ai.usage.cache_creation.input_tokens",
			"gen_ai.usage.cache_creation_input_tokens",
			"gen_ai.usage.cache.creation_input_tokens",
			"gen_ai.usage.cache_creation_tokens",
			"gen_ai.usage.input_tokens.cache_write",
			"gen_ai.usage.prompt_tokens_details.cache_write",
			"gen_ai.usage.cache_write_tokens",
			"gen_ai.usage.details.cache_write_tokens",
			"gen_ai.usage.details.cache_creation_input_tokens",
		), []selector{
			{key: "gen_ai.usage.input_token_details", json: "cache_creation"},
		}, keys(
			"llm.token_count.prompt_details.cache_write",
			"llm.usage.cache_creation_input_tokens",
		)),
		conceptReasoningTokens: concat(keys(
			"gen_ai.usage.reasoning.output_tokens",
			"gen_ai.usage.reasoning_tokens",
			"gen_ai.usage.output_tokens.reasoning",
			"gen_ai.usage.completion_tokens_details.reasoning",
			"gen_ai.usage.details.reasoning_tokens",
		), []selector{
			{key: "gen_ai.usage.output_token_details", json: "reasoning"},
		}, keys(
			"llm.token_count.completion_details.reasoning",
			"llm.usage.reasoning_tokens",
		)),

		conceptCacheWrite5mTokens: cacheWrite5mSelectors,
		conceptCacheWrite1hTokens: cacheWrite1hSelectors,
		conceptAudioInputTokens:   audioInputSelectors,
		conceptAudioOutputTokens:  audioOutputSelectors,
		conceptImageInputTokens:   imageInputSelectors,
		conceptServiceTier:        serviceTierSelectors,

		conceptCost: keys(
			AttrCostUSD,
			"gen_ai.usage.cost",
			"gen_ai.usage.total_cost",
			"gen_ai.usage.cost.total",
			"gen_ai.cost.total",
			"gen_ai.token.cost.total",
			"llm.cost.total",
			"llm.cost_usd",
		),

		conceptStreaming: concat(keys(
			"gen_ai.request.stream",
			"gen_ai.is_streaming",
			"llm.is_streaming",
			"gen_ai.request.is_stream",
		), []selector{
			{key: "llm.invocation_parameters", json: "stream"},
		}),
		conceptTTFT: {
			{key: "gen_ai.response.time_to_first_chunk", unit: unitSeconds},
			// Names of metrics that some write as span attributes.
			{key: "gen_ai.client.operation.time_to_first_chunk", unit: unitSeconds},
			{key: "gen_ai.client.inference.time_to_first_chunk", unit: unitSeconds},
			{key: "gen_ai.latency.time_to_first_token", unit: unitSeconds},
			{key: "gen_ai.server.time_to_first_token", unit: unitSecondsOrNanos},
			{key: "llm.latency.time_to_first_token", unit: unitMillis},
			{event: "gen_ai.content.completion", unit: unitEventTime, sinceStart: true},
			{event: "gen_ai.choice", unit: unitEventTime, sinceStart: true},
		},
		// Only for spans that do not tell their own duration.
		conceptDuration: {
			{key: "duration_ms", unit: unitMillis},
			{key: "gen_ai.client.operation.duration", unit: unitSeconds},
			{key: "gen_ai.latency.e2e", unit: unitSeconds},
			{key: "llm.latency_ms", unit: unitMillis},
		},

		conceptFinishReason: concat([]selector{
			{key: "gen_ai.response.finish_reasons", each: true},
		}, keys(
			"gen_ai.response.finish_reason",
			"gen_ai.response.stop_reason",
			"gen_ai.completion.<N>.finish_reason",
			"llm.finish_reason",
			"llm.response.finish_reason",
			"anthropic.message.stop_reason",
		), []selector{
			{key: "gen_ai.output.messages", json: "[].finish_reason"},
		}, keys(
			"gen_ai.response.status",
		)),
		conceptErrorType: {
			{key: "error.type"},
			// A recorded exception may have been handled, by a retry for instance:
			// it explains a failure but does not make one.
			{event: "exception", key: "exception.type", status: ptrace.StatusCodeError},
			{key: "http.response.status_code", ge: 400},
			{key: "http.status_code", ge: 400},
			{key: "gen_ai.framework.error.type"},
		},
		// After the message of the span status.
		conceptErrorMessage: {
			{key: "error.message"},
			{event: "exception", key: "exception.message", status: ptrace.StatusCodeError},
		},

		conceptConversation: keys(
			"gen_ai.conversation.id",
			"session.id",
			"langfuse.session.id",
			"gen_ai.session.id",
			"traceloop.association.properties.session_id",
			"traceloop.association.properties.chat_id",
			"traceloop.association.properties.thread_id",
			"gcp.vertex.agent.session_id",
			"ai.telemetry.metadata.sessionId",
		),
		conceptUser: keys(
			"user.id",
			"enduser.id",
			"gen_ai.user.id",
			"gen_ai.request.user",
			"gen_ai.user",
			"llm.user",
		),
		conceptTenant: {
			{key: "tenant.id"},
			{key: "organization.id"},
			{key: "tenant.id", resource: true},
			{key: "service.namespace", resource: true},
		},
		conceptAgent: keys(
			"gen_ai.agent.name",
			"agent.name",
			"gen_ai.agent.id",
		),
		conceptService: {
			{key: "service.name", resource: true},
			{key: "service.name"},
		},
		conceptEnvironment: {
			{key: "deployment.environment.name", resource: true},
			{key: "deployment.environment", resource: true},
			{key: "deployment.environment.name"},
			{key: "deployment.environment"},
			{key: "gen_ai.environment"},
		},
		conceptRegion: {
			{key: "cloud.region", resource: true},
			{key: "cloud.region"},
			{key: "aws.region"},
			{key: "azure.region"},
			{key: "gcp.region"},
		},

		conceptPrompt: {
			{key: "gen_ai.input.messages", json: "[].parts[].content"},
			{key: "gen_ai.input.messages", json: "[].content"},
			{key: "gen_ai.input.messages"},
			{event: "gen_ai.client.inference.operation.details", key: "gen_ai.input.messages", json: "[].parts[].content"},
			{key: "content", events: []string{"gen_ai.system.message", "gen_ai.user.message", "gen_ai.assistant.message", "gen_ai.tool.message"}},
			{event: "gen_ai.content.prompt", key: "gen_ai.prompt"},
			{key: "gen_ai.prompt.<N>", fields: []string{"content"}},
			{key: "gen_ai.prompt.<N>.message", fields: []string{"content"}},
			{key: "gen_ai.prompt"},
			{key: "llm.input_messages.<N>.message", fields: []string{"content", "contents.<M>.message_content.text"}},
			{key: "llm.prompts"},
			{key: "llm.prompt"},
			{key: "input.value", when: []condition{{"openinference.span.kind", []string{"LLM", "EMBEDDING", "RERANKER"}}}},
		},
		conceptResponse: {
			{key: "gen_ai.output.messages", json: "[].parts[].content"},
			{key: "gen_ai.output.messages", json: "[].content"},
			{key: "gen_ai.output.messages"},
			{event: "gen_ai.client.inference.operation.details", key: "gen_ai.output.messages", json: "[].parts[].content"},
			{event: "gen_ai.choice", key: "message", json: "content"},
			{event: "gen_ai.choice", key: "content"},
			{event: "gen_ai.content.completion", key: "gen_ai.completion"},
			{key: "gen_ai.completion.<N>", fields: []string{"content"}},
			{key: "gen_ai.completion"},
			{key: "llm.output_messages.<N>.message", fields: []string{"content", "contents.<M>.message_content.text"}},
			{key: "llm.response"},
			{key: "output.value", when: []condition{{"openinference.span.kind", []string{"LLM"}}}},
		},
		conceptPromptEmbedding: keys(
			"llm.prompt.embedding",
			"embedding.embeddings.<N>.embedding.vector",
		),
		conceptResponseEmbedding: keys(
			"llm.response.embedding",
		),
	},
}
