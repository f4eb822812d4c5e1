package genai

// standardCalls are the rules by which a span is known as a leaf inference call.
var standardCalls = []callRule{
	{key: "gen_ai.operation.name", in: []string{
		"chat", "generate_content", "text_completion", "embeddings", "completion",
		"image_generation", "transcribe", "rerank",
	}},
	{key: "openinference.span.kind", in: []string{"LLM", "EMBEDDING", "RERANKER"}},
	{key: "langfuse.observation.type", in: []string{"generation", "embedding"}},
	{key: "traceloop.span.kind", in: []string{"llm"}},
	{key: "llm.request.type", in: []string{"chat", "completion", "embedding", "rerank"}},
	{key: "langsmith.span.kind", in: []string{"llm", "embedding"}},
	{key: "ai.operationId", in: []string{
		"ai.generateText.doGenerate", "ai.streamText.doStream", "ai.generateObject.doGenerate",
		"ai.streamObject.doStream", "ai.embed.doEmbed", "ai.embedMany.doEmbed",
	}},
	// Google ADK; a call that was cut short has no attribute at all.
	{span: "call_llm", scope: "gcp.vertex.agent"},
	{span: "claude_code.llm_request"},
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
}

// standardLogs are those by which a log record is known to tell of a call.
//
// Retries of coding agents are calls that failed, as each costs time and
// quota. That an operation raised an exception (the event
// gen_ai.client.operation.exception) is also said by its span.
var standardLogs = []logRule{
	{name: eventOperationDetails, span: true},
	{name: "claude_code.api_request", operation: OperationChat},
	{name: "claude_code.api_error", operation: OperationChat, failed: true},
	{name: "gemini_cli.api_response", operation: OperationChat},
	{name: "gemini_cli.api_error", operation: OperationChat, failed: true},
	{name: "codex.sse_event", when: []condition{{"event.kind", []string{"response.completed"}}}, operation: OperationChat},
	{name: "codex.sse_event", when: []condition{{"event.kind", []string{"response.failed"}}}, operation: OperationChat, failed: true},
	{name: "codex.api_request", operation: OperationChat, failures: true},
}
