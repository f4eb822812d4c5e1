package genai

// eventOperationDetails is the event of the GenAI conventions that repeats a
// call with its messages, as a log record or a span event.
const eventOperationDetails = "gen_ai.client.inference.operation.details"

// promptSelectors and responseSelectors are where the texts of a call are found.
// What an emitter writes of inputs and outputs of spans of any kind comes last.
var promptSelectors = []selector{
	{key: "gen_ai.input.messages", json: "[].parts[].content"},
	{key: "gen_ai.input.messages", json: "[].content"},
	{key: "gen_ai.input.messages"},
	{event: eventOperationDetails, key: "gen_ai.input.messages", json: "[].parts[].content"},
	{key: "content", events: []string{"gen_ai.system.message", "gen_ai.user.message", "gen_ai.assistant.message", "gen_ai.tool.message"}},
	{event: "gen_ai.content.prompt", key: "gen_ai.prompt"},
	{key: "gen_ai.prompt.<N>", fields: []string{"content"}},
	{key: "gen_ai.prompt.<N>.message", fields: []string{"content"}},
	{key: "gen_ai.prompt"},
	{key: "llm.input_messages.<N>.message", fields: []string{"content", "contents.<M>.message_content.text"}},
	{key: "llm.prompts"},
	{key: "llm.prompt"},
	{key: "ai.prompt.messages", json: "[].content[].text"},
	{key: "ai.prompt.messages", json: "[].content"},
	{key: "ai.prompt", json: "messages[].content"},
	{key: "ai.prompt", json: "prompt"},
	{key: "langfuse.observation.input", json: "[].content"},
	{key: "langfuse.observation.input", json: "messages[].content"},
	{key: "langfuse.observation.input"},
	{key: "gcp.vertex.agent.llm_request", json: "contents[].parts[].text"},
	{key: "traceloop.entity.input"},
	{key: "mlflow.spanInputs"},
	{key: "pydantic_ai.all_messages"},
	{key: "all_messages_events"},
	{key: "lk.chat_ctx"},
	{key: "input.value", when: []condition{{"openinference.span.kind", []string{"LLM", "EMBEDDING", "RERANKER"}}}},
	{key: "genkit:input"},
	{key: "prompt"},
}

var responseSelectors = []selector{
	{key: "gen_ai.output.messages", json: "[].parts[].content"},
	{key: "gen_ai.output.messages", json: "[].content"},
	{key: "gen_ai.output.messages"},
	{event: eventOperationDetails, key: "gen_ai.output.messages", json: "[].parts[].content"},
	{event: "gen_ai.choice", key: "message", json: "content"},
	{event: "gen_ai.choice", key: "content"},
	{event: "gen_ai.content.completion", key: "gen_ai.completion"},
	{key: "gen_ai.completion.<N>", fields: []string{"content"}},
	{key: "gen_ai.completion"},
	{key: "llm.output_messages.<N>.message", fields: []string{"content", "contents.<M>.message_content.text"}},
	{key: "llm.response"},
	{key: "ai.response.text"},
	{key: "ai.response.object"},
	{key: "ai.response.toolCalls"},
	{key: "ai.result.text"},
	{key: "langfuse.observation.output", json: "content"},
	{key: "langfuse.observation.output"},
	{key: "gcp.vertex.agent.llm_response", json: "content.parts[].text"},
	{key: "traceloop.entity.output"},
	{key: "mlflow.spanOutputs"},
	{key: "pydantic_ai.final_result"},
	{key: "output.value", when: []condition{{"openinference.span.kind", []string{"LLM"}}}},
	{key: "genkit:output"},
	{log: "gemini_cli.api_response", key: "response_text"},
}
