package genai

// metricRule says what a metric measures.
type metricRule struct {
	name string
	kind MeasureKind
	// typed: an attribute tells the type of the tokens, see tokenTypes. Kind is
	// what points without it are.
	typed bool
	// operation is what the metric is about, whatever its points say.
	operation string
}

// pointField is a name that a data point carries.
type pointField uint8

const (
	pointProvider pointField = iota
	pointModel
	pointOperation
	pointTokenType
	pointErrorType
	pointConversation
	pointUser

	pointFields
)

type pointRule struct {
	field pointField
	prio  uint8
}

// standardPoints are the attributes of data points, best first.
var standardPoints = [pointFields][]string{
	pointProvider: {"gen_ai.provider.name", "gen_ai.system", "api_provider", "llm_provider", "custom_llm_provider"},
	pointModel: {
		"gen_ai.response.model", "gen_ai.request.model", "model", "model_name", "llm.response.model", "llm.request.model",
		"litellm_model_name", "requested_model",
	},
	pointOperation:    {"gen_ai.operation.name"},
	pointTokenType:    {"gen_ai.token.type", "token_type", "llm.usage.token_type", "type"},
	pointErrorType:    {"error.type", "exception_class", "exception_status"},
	pointConversation: {"session.id", "gen_ai.conversation.id"},
	pointUser:         {"user.id", "user.account_uuid", "end_user", "user"},
}

// tokenTypes are the spellings of the types of tokens.
var tokenTypes = [measureKinds][]string{
	MeasureInputTokens:      {"input", "prompt"},
	MeasureOutputTokens:     {"output", "completion"},
	MeasureTotalTokens:      {"total"},
	MeasureCacheReadTokens:  {"cacheRead", "cache_read", "cache", "cached", "cached_input", "input_cached", "input_cache_read"},
	MeasureCacheWriteTokens: {"cacheCreation", "cache_creation", "cache_write", "input_cache_creation", "input_cache_write"},
	MeasureReasoningTokens:  {"thought", "thoughts", "reasoning", "reasoning_output", "output_reasoning"},
	MeasureToolTokens:       {"tool"},
}

// standardMetrics are the metrics that are read. Names that end in _total are
// found without it too.
var standardMetrics = []metricRule{
	{name: "gen_ai.client.inference.usage.input_tokens", kind: MeasureInputTokens},
	{name: "gen_ai.client.inference.usage.output_tokens", kind: MeasureOutputTokens},
	{name: "gen_ai.client.inference.usage.cache_read.input_tokens", kind: MeasureCacheReadTokens},
	{name: "gen_ai.client.inference.usage.cache_write.input_tokens", kind: MeasureCacheWriteTokens},
	{name: "gen_ai.client.inference.usage.reasoning.output_tokens", kind: MeasureReasoningTokens},
	{name: "gen_ai.client.inference.operation.input_tokens", kind: MeasureInputTokens},
	{name: "gen_ai.client.inference.operation.output_tokens", kind: MeasureOutputTokens},
	{name: "gen_ai.client.token.usage", kind: MeasureTotalTokens, typed: true},
	{name: "claude_code.token.usage", kind: MeasureTotalTokens, typed: true},
	{name: "gemini_cli.token.usage", kind: MeasureTotalTokens, typed: true},
	{name: "codex.turn.token_usage", kind: MeasureTotalTokens, typed: true},
	{name: "llm.openai.chat_completions.tokens", kind: MeasureTotalTokens, typed: true},
	{name: "semantic_kernel.function.invocation.token_usage.prompt", kind: MeasureInputTokens},
	{name: "semantic_kernel.function.invocation.token_usage.completion", kind: MeasureOutputTokens},
	{name: "semantic_kernel.connectors.openai.tokens.prompt", kind: MeasureInputTokens},
	{name: "semantic_kernel.connectors.openai.tokens.completion", kind: MeasureOutputTokens},
	{name: "semantic_kernel.connectors.openai.tokens.total", kind: MeasureTotalTokens},
	{name: "litellm_input_tokens_metric", kind: MeasureInputTokens},
	{name: "litellm_output_tokens_metric", kind: MeasureOutputTokens},
	{name: "litellm_total_tokens_metric", kind: MeasureTotalTokens},
	{name: "vllm:prompt_tokens", kind: MeasureInputTokens},
	{name: "vllm:generation_tokens", kind: MeasureOutputTokens},

	{name: "gen_ai.client.inference.duration", kind: MeasureDuration},
	{name: "gen_ai.client.operation.duration", kind: MeasureDuration},
	{name: "gen_ai.client.response.duration", kind: MeasureDuration},
	{name: "gen_ai.server.request.duration", kind: MeasureDuration},
	{name: "gen_ai.invoke_agent.duration", kind: MeasureDuration, operation: OperationInvokeAgent},
	{name: "gen_ai.execute_tool.duration", kind: MeasureDuration, operation: OperationExecuteTool},
	{name: "gen_ai.invoke_workflow.duration", kind: MeasureDuration, operation: operationInvokeWorkflow},
	{name: "gen_ai.workflow.duration", kind: MeasureDuration, operation: operationInvokeWorkflow},
	{name: "mcp.client.operation.duration", kind: MeasureDuration, operation: "mcp"},
	{name: "mcp.server.operation.duration", kind: MeasureDuration, operation: "mcp"},
	{name: "litellm_request_total_latency_metric", kind: MeasureDuration},
	{name: "litellm_llm_api_latency_metric", kind: MeasureDuration},
	{name: "vllm:e2e_request_latency_seconds", kind: MeasureDuration},
	{name: "semantic_kernel.function.invocation.duration", kind: MeasureDuration},

	{name: "gen_ai.client.inference.time_to_first_chunk", kind: MeasureTTFT},
	{name: "gen_ai.client.operation.time_to_first_chunk", kind: MeasureTTFT},
	{name: "gen_ai.server.time_to_first_token", kind: MeasureTTFT},
	{name: "vllm:time_to_first_token_seconds", kind: MeasureTTFT},
	{name: "litellm_llm_api_time_to_first_token_metric", kind: MeasureTTFT},

	{name: "gen_ai.client.inference.time_per_output_chunk", kind: MeasureTPOT},
	{name: "gen_ai.client.operation.time_per_output_chunk", kind: MeasureTPOT},
	{name: "gen_ai.server.time_per_output_token", kind: MeasureTPOT},
	{name: "vllm:inter_token_latency_seconds", kind: MeasureTPOT},
	{name: "vllm:time_per_output_token_seconds", kind: MeasureTPOT},
	{name: "vllm:request_time_per_output_token_seconds", kind: MeasureTPOT},
	{name: "llm.chat_completions.streaming_time_to_generate", kind: MeasureTPOT},

	{name: "gen_ai.usage.cost", kind: MeasureCost},
	{name: "claude_code.cost.usage", kind: MeasureCost},
	{name: "litellm_spend_metric", kind: MeasureCost},
	{name: "coding_agent.session.cost_usd", kind: MeasureCost},

	{name: "vllm:num_requests_waiting", kind: MeasureWaiting},
	{name: "vllm:num_requests_running", kind: MeasureRunning},
	{name: "vllm:kv_cache_usage_perc", kind: MeasureCacheUsage},
	{name: "vllm:gpu_cache_usage_perc", kind: MeasureCacheUsage},
	{name: "vllm:num_preemptions", kind: MeasurePreemptions},
	{name: "vllm:request_queue_time_seconds", kind: MeasureQueueTime},
	{name: "litellm_request_queue_time_seconds", kind: MeasureQueueTime},
	{name: "litellm_deployment_state", kind: MeasureDeploymentState},
	{name: "litellm_deployment_cooled_down", kind: MeasureCooldowns},

	{name: "vllm:request_success", kind: MeasureRequests},
	{name: "litellm_requests_metric", kind: MeasureRequests},
	{name: "litellm_proxy_total_requests_metric", kind: MeasureRequests},
	{name: "litellm_proxy_failed_requests_metric", kind: MeasureErrors},
	{name: "llm.openai.chat_completions.exceptions", kind: MeasureErrors},

	{name: "gen_ai.invoke_agent.inference_calls", kind: MeasureInferenceCalls, operation: OperationInvokeAgent},
	{name: "gen_ai.invoke_agent.tool_calls", kind: MeasureToolCalls, operation: OperationInvokeAgent},
	{name: "gen_ai.invoke_workflow.inference_calls", kind: MeasureInferenceCalls, operation: operationInvokeWorkflow},
	{name: "gen_ai.invoke_workflow.tool_calls", kind: MeasureToolCalls, operation: operationInvokeWorkflow},
}

// operationInvokeWorkflow is the operation of a workflow.
const operationInvokeWorkflow = "invoke_workflow"
