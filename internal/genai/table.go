package genai

import "go.opentelemetry.io/collector/pdata/ptrace"

// standard is the table of the conventions that are read today: all generations
// of the OpenTelemetry GenAI conventions with what is emitted beside them in
// practice, OpenInference, and the llm.* names of the first LLM-Sentinel.
var standard = table{
	calls:   standardCalls,
	logs:    standardLogs,
	metrics: standardMetrics,
	points:  standardPoints,
	concepts: [conceptCount][]selector{
		conceptOperation: keys(
			"gen_ai.operation.name",
			"ai.operationId",
			"operation.name",
			"openinference.span.kind",
			"langfuse.observation.type",
			"traceloop.span.kind",
			"langsmith.span.kind",
			"llm.request.type",
			"gen_ai.operation.type",
			"gen_ai.span.kind",
			"mcp.method.name",
			"operation",
		),
		conceptProvider: concat(keys(
			"gen_ai.provider.name",
			"gen_ai.system",
			"llm.provider",
			"llm.system",
			"ai.model.provider",
			"langsmith.metadata.ls_provider",
		), []selector{
			// OpenInference for LangChain, whose spans have neither of the two above.
			{key: "metadata", json: "ls_provider"},
		}, keys(
			"gen_ai.request.provider",
			"custom_llm_provider",
		)),
		conceptRequestModel: concat(keys(
			"gen_ai.request.model",
			"llm.request.model_name",
			"llm.request.model",
			"ai.model.id",
			"langfuse.observation.model.name",
			"llm.model_name",
			"embedding.model_name",
			"reranker.model_name",
		), []selector{
			{key: "llm.invocation_parameters", json: "model"},
			{key: "gcp.vertex.agent.llm_request", json: "model"},
		}, keys(
			"langsmith.metadata.ls_model_name",
			"llm.model",
			"model",
		)),
		// That the requested model stands in for an absent response model is
		// the business of [Event.Model].
		conceptResponseModel: keys(
			"gen_ai.response.model",
			"llm.response.model_name",
			"llm.response.model",
			"ai.response.model",
			"llm.model_name",
		),
		conceptResponseID: concat(keys(
			"gen_ai.response.id",
			"ai.response.id",
			"gen_ai.request.id",
			"litellm.call_id",
			"request_id",
		), []selector{
			{key: "output.value", json: "id", when: []condition{{"openinference.span.kind", []string{"LLM"}}}},
		}),

		conceptInputTokens: concat(keys(
			"gen_ai.usage.input_tokens",
			"gen_ai.usage.prompt_tokens",
			"llm.token_count.prompt",
			"ai.usage.inputTokens",
			"ai.usage.promptTokens",
			"ai.usage.tokens",
			"llm.usage.prompt_tokens",
			"llm.usage.input_tokens",
		), []selector{
			// The buckets of Langfuse are disjoint: each alone is only a part.
			{key: "langfuse.observation.usage_details", jsonSum: "input"},
		}, keys(
			"input_token_count",
			"input_tokens",
			"prompt_tokens",
			"gen_ai.usage.prompt_token_count",
			"llm.prompt.tokens",
		), []selector{
			{event: eventOperationDetails, key: "gen_ai.usage.input_tokens"},
		}),
		conceptOutputTokens: concat(keys(
			"gen_ai.usage.output_tokens",
			"gen_ai.usage.completion_tokens",
			"llm.token_count.completion",
			"ai.usage.outputTokens",
			"ai.usage.completionTokens",
			"llm.usage.completion_tokens",
			"llm.usage.output_tokens",
		), []selector{
			{key: "langfuse.observation.usage_details", jsonSum: "output"},
		}, keys(
			"output_token_count",
			"output_tokens",
			"completion_tokens",
			"llm.response.tokens",
		), []selector{
			{event: eventOperationDetails, key: "gen_ai.usage.output_tokens"},
		}),
		conceptTotalTokens: concat(keys(
			"gen_ai.usage.total_tokens",
			"llm.usage.total_tokens",
			"llm.token_count.total",
			"ai.usage.totalTokens",
		), []selector{
			{key: "langfuse.observation.usage_details", json: "total"},
		}, keys(
			"total_token_count",
		)),
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
			"ai.usage.inputTokenDetails.cacheReadTokens",
			"ai.usage.cachedInputTokens",
			"llm.usage.cache_read_input_tokens",
		), []selector{
			{key: "langfuse.observation.usage_details", json: "input_cached_tokens"},
			{key: "langfuse.observation.usage_details", json: "input_cache_read"},
			{key: "langfuse.observation.usage_details", json: "cache_read_input_tokens"},
		}, keys(
			"cached_content_token_count",
			"cached_token_count",
			"cache_read_tokens",
		), []selector{
			{key: "ai.response.providerMetadata", json: "*.cachedPromptTokens"},
			// Google ADK has no attribute for it, nor for its thoughts.
			{key: "gcp.vertex.agent.llm_response", json: "usageMetadata.cachedContentTokenCount"},
		}),
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
			"ai.usage.inputTokenDetails.cacheWriteTokens",
			"llm.usage.cache_creation_input_tokens",
		), []selector{
			{key: "langfuse.observation.usage_details", json: "input_cache_creation"},
			{key: "langfuse.observation.usage_details", json: "cache_creation_input_tokens"},
		}, keys(
			"cache_write_token_count",
			"cache_creation_tokens",
		), []selector{
			{key: "ai.response.providerMetadata", json: "anthropic.cacheCreationInputTokens"},
		}),
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
			"ai.usage.outputTokenDetails.reasoningTokens",
			"ai.usage.reasoningTokens",
			"llm.usage.reasoning_tokens",
		), []selector{
			{key: "langfuse.observation.usage_details", json: "output_reasoning_tokens"},
			{key: "langfuse.observation.usage_details", json: "output_reasoning"},
		}, keys(
			"thoughts_token_count",
			"reasoning_token_count",
		), []selector{
			{key: "gcp.vertex.agent.llm_response", json: "usageMetadata.thoughtsTokenCount"},
		}),

		conceptCacheWrite5mTokens: cacheWrite5mSelectors,
		conceptCacheWrite1hTokens: cacheWrite1hSelectors,
		conceptAudioInputTokens:   audioInputSelectors,
		conceptAudioOutputTokens:  audioOutputSelectors,
		conceptImageInputTokens:   imageInputSelectors,
		conceptServiceTier:        serviceTierSelectors,

		conceptCost: concat(keys(
			AttrCostUSD,
			"gen_ai.usage.cost",
			"gen_ai.usage.total_cost",
			"gen_ai.usage.cost.total",
			"gen_ai.cost.total",
			"gen_ai.token.cost.total",
			"llm.cost.total",
		), []selector{
			{key: "langfuse.observation.cost_details", json: "total"},
		}, keys(
			"litellm.cost.total",
			"cost_usd",
		), []selector{
			{key: "cost_usd_micros", scale: 1e-6},
		}, keys(
			"operation.cost",
			"llm.cost_usd",
		)),

		conceptStreaming: concat(keys(
			"gen_ai.request.stream",
			"gen_ai.is_streaming",
			"llm.is_streaming",
			"gen_ai.request.is_stream",
			"litellm.request.streaming",
		), []selector{
			{key: "ai.operationId", matches: `^ai\.stream`},
			{key: "llm.invocation_parameters", json: "stream"},
		}),
		conceptTTFT: {
			{key: "gen_ai.response.time_to_first_chunk", unit: unitSeconds},
			// Names of metrics that some write as span attributes.
			{key: "gen_ai.client.operation.time_to_first_chunk", unit: unitSeconds},
			{key: "gen_ai.client.inference.time_to_first_chunk", unit: unitSeconds},
			{key: "gen_ai.latency.time_to_first_token", unit: unitSeconds},
			{key: "gen_ai.server.time_to_first_token", unit: unitSecondsOrNanos},
			{key: "ai.response.msToFirstChunk", unit: unitMillis},
			{key: "ai.stream.msToFirstChunk", unit: unitMillis},
			{key: "ttft_ms", unit: unitMillis},
			{key: "llm.latency.time_to_first_token", unit: unitMillis},
			{key: "langfuse.observation.completion_start_time", unit: unitRFC3339, sinceStart: true},
			{event: "ai.stream.firstChunk", unit: unitEventTime, sinceStart: true},
			{event: "gen_ai.content.completion", unit: unitEventTime, sinceStart: true},
			{event: "gen_ai.choice", unit: unitEventTime, sinceStart: true},
		},
		// Only for spans that do not tell their own duration.
		conceptDuration: {
			{key: "duration_ms", unit: unitMillis},
			{key: "gen_ai.client.operation.duration", unit: unitSeconds},
			{key: "ai.response.msToFinish", unit: unitMillis},
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
			"ai.response.finishReason",
			"anthropic.message.stop_reason",
		), []selector{
			{key: "gen_ai.output.messages", json: "[].finish_reason"},
		}, keys(
			"gen_ai.response.status",
		), []selector{
			{event: "gen_ai.choice", key: "finish_reason"},
			{event: eventOperationDetails, key: "gen_ai.response.finish_reasons", each: true},
			{log: "gemini_cli.api_response", key: "finish_reasons", each: true},
		}),
		conceptErrorType: {
			{key: "error.type"},
			// A recorded exception may have been handled, by a retry for instance:
			// it explains a failure but does not make one.
			{event: "exception", key: "exception.type", status: ptrace.StatusCodeError},
			{key: "http.response.status_code", ge: 400},
			{key: "http.status_code", ge: 400},
			// A number other than 0 or a name longer than "OK".
			{key: "rpc.response.status_code", matches: `^(-?[1-9][0-9]*|[A-Z]{3}[A-Z_]*)$`},
			{key: "langfuse.observation.level", in: []string{"ERROR"}},
			{key: "gen_ai.framework.error.type"},
			{key: "error.category"},
			{log: "claude_code.api_error", key: "status_code", ge: 400},
			{log: "gemini_cli.api_error", key: "error_type"},
			{log: "gemini_cli.api_error", key: "status_code", ge: 400},
		},
		// After the message of the span status.
		conceptErrorMessage: {
			{key: "error.message"},
			{event: "exception", key: "exception.message", status: ptrace.StatusCodeError},
			{key: "langfuse.observation.status_message"},
			{log: "claude_code.api_error", key: "error"},
			{log: "gemini_cli.api_error", key: "error"},
		},

		conceptConversation: keys(
			"gen_ai.conversation.id",
			"session.id",
			"langfuse.session.id",
			"gen_ai.session.id",
			"traceloop.association.properties.session_id",
			"traceloop.association.properties.chat_id",
			"traceloop.association.properties.thread_id",
			"langsmith.trace.session_id",
			"langsmith.metadata.thread_id",
			"gcp.vertex.agent.session_id",
			"mcp.session.id",
			"ai.telemetry.metadata.sessionId",
			"ai.telemetry.metadata.threadId",
			"wandb.thread_id",
			"conversation.id",
			"session_id",
			"thread_id",
		),
		conceptUser: keys(
			"user.id",
			"enduser.id",
			"langfuse.user.id",
			"gen_ai.user.id",
			"gen_ai.request.user",
			"traceloop.association.properties.user_id",
			"langsmith.metadata.user_id",
			"ai.telemetry.metadata.userId",
			"gen_ai.user",
			"llm.user",
			"litellm.end_user.id",
			"litellm_end_user_id",
			"user.account_uuid",
			"user.email",
			"user_id",
		),
		conceptTenant: {
			{key: "tenant.id"},
			{key: "litellm.team.id"},
			{key: "litellm.api_key.hash"},
			{key: "organization.id"},
			{key: "anthropic.organization.id"},
			{key: "anthropic.workspace.id"},
			{key: "traceloop.association.properties.tenant_id"},
			{key: "tenant.id", resource: true},
			{key: "service.namespace", resource: true},
		},
		conceptAgent: concat(keys(
			"gen_ai.agent.name",
			"agent.name",
			"graph.node.id",
		), []selector{
			{key: "traceloop.entity.name", when: []condition{{"traceloop.span.kind", []string{"agent"}}}},
		}, keys(
			"ai.telemetry.functionId",
			"gen_ai.agent.id",
		)),
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

		conceptPrompt:   promptSelectors,
		conceptResponse: responseSelectors,
		conceptPromptEmbedding: keys(
			"llm.prompt.embedding",
			"embedding.embeddings.<N>.embedding.vector",
		),
		conceptResponseEmbedding: keys(
			"llm.response.embedding",
		),
	},
}
