package genai

import (
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// Tool is one execution of a tool by an agent. Arguments and Result are only to
// be compared, and have Type Empty when the telemetry does not carry them.
type Tool struct {
	Name, Conversation, Agent string
	Arguments, Result         pcommon.Value
}

// toolRule names a place of a fact about a tool, the first that is there wins.
type toolRule struct {
	key  string
	when condition
}

// toolTable lists the places of each fact. Order as in the attribute catalogue.
var toolTable = struct {
	name, arguments, result, conversation, agent []toolRule
}{
	name: []toolRule{
		{key: AttrToolName},
		{key: "tool.name"},
		{key: "tool_call.function.name"},
		{key: "ai.toolCall.name"},
		{key: "mcp.tool.name"},
		{key: "traceloop.entity.name", when: traceloopTool},
		{key: "tool_name"},
	},
	arguments: []toolRule{
		{key: "gen_ai.tool.call.arguments"},
		{key: "tool_call.function.arguments"},
		{key: "tool.parameters"},
		{key: "input.value", when: openInferenceTool},
		{key: "ai.toolCall.args"},
		{key: "gcp.vertex.agent.tool_call_args"},
		{key: "traceloop.entity.input", when: traceloopTool},
		{key: "mcp.request.argument"},
		{key: "gen_ai.tool.args"},
		{key: "gen_ai.tool.input"},
		{key: "tool_arguments"},
		{key: "langfuse.observation.input", when: langfuseTool},
	},
	result: []toolRule{
		{key: "gen_ai.tool.call.result"},
		{key: "output.value", when: openInferenceTool},
		{key: "ai.toolCall.result"},
		{key: "gcp.vertex.agent.tool_response"},
		{key: "traceloop.entity.output", when: traceloopTool},
		{key: "mcp.response.value"},
		{key: "gen_ai.tool.output"},
		{key: "tool_response"},
		{key: "langfuse.observation.output", when: langfuseTool},
	},
	conversation: []toolRule{
		{key: AttrConversationID},
		{key: AttrSessionID},
		{key: "langfuse.session.id"},
		{key: "gen_ai.session.id"},
		{key: "traceloop.association.properties.session_id"},
		{key: "traceloop.association.properties.thread_id"},
		{key: "gcp.vertex.agent.session_id"},
		{key: "ai.telemetry.metadata.sessionId"},
	},
	agent: []toolRule{{key: AttrAgentName}, {key: "agent.name"}},
}

var (
	traceloopTool     = condition{"traceloop.span.kind", []string{"tool"}}
	openInferenceTool = condition{"openinference.span.kind", []string{"TOOL"}}
	langfuseTool      = condition{"langfuse.observation.type", []string{"tool"}}
)

// ReadTool reads a span with SignalTool. What it returns shares memory with the
// span. A tool that has no name is called by the name of its span.
func ReadTool(span ptrace.Span) Tool {
	attrs := span.Attributes()
	t := Tool{
		Name:      findTool(attrs, toolTable.name).Str(),
		Arguments: findTool(attrs, toolTable.arguments), Result: findTool(attrs, toolTable.result),
		Conversation: limit(findTool(attrs, toolTable.conversation).Str(), maxNameBytes),
		Agent:        limit(findTool(attrs, toolTable.agent).Str(), maxNameBytes),
	}
	if t.Name == "" {
		t.Name = span.Name()
	}
	t.Name = limit(t.Name, maxNameBytes)
	return t
}

// absent is the value of what is not there.
var absent = pcommon.NewValueEmpty()

func findTool(attrs pcommon.Map, rules []toolRule) pcommon.Value {
	for i := range rules {
		r := &rules[i]
		if v, ok := attrs.Get(r.key); ok && !isEmpty(v) && (r.when.key == "" || holds(&r.when, attrs)) {
			return v
		}
	}
	return absent
}

func holds(c *condition, attrs pcommon.Map) bool {
	v, ok := attrs.Get(c.key)
	return ok && contains(c.in, v.Str())
}
