package genai

import (
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// Signal is a set of things that a span carries beside, or instead of, the
// numbers of a call. They are rare, so that a span is only told to have them;
// [Extractor.ReadMarks] and [Extractor.ReadTool] then read them.
type Signal uint8

// The signals.
const (
	// SignalCall: the span is a leaf inference call.
	SignalCall Signal = 1 << iota
	// SignalTool: the span is the execution of a tool.
	SignalTool
	// SignalMarks: results of evaluators, guards or a sanitizer.
	SignalMarks
	// SignalPrompt: the text of the prompt is there.
	SignalPrompt
	// signalDuplicate: the call that the span tells of is counted elsewhere. It is
	// seen in the pass over the attributes of a call, so that it costs nothing
	// where there is none.
	signalDuplicate
)

// signalRule says by which attribute a signal is known: key is present and not
// empty or, with in, has one of these values.
type signalRule struct {
	key    string
	in     []string
	signal Signal
}

// evaluationPrefix begins the attributes eval.<name>.score and
// eval.<name>.label, which no index of whole names can hold.
const evaluationPrefix = "eval."

var signalRules = []signalRule{
	{key: "gen_ai.operation.name", in: []string{"execute_tool"}, signal: SignalTool},
	{key: "openinference.span.kind", in: []string{"TOOL"}, signal: SignalTool},
	{key: "traceloop.span.kind", in: []string{"tool"}, signal: SignalTool},
	{key: "langfuse.observation.type", in: []string{"tool"}, signal: SignalTool},
	{key: "ai.operationId", in: []string{"ai.toolCall"}, signal: SignalTool},

	{key: AttrEvaluationName, signal: SignalMarks},
	{key: AttrSanitizePIICount, signal: SignalMarks},
	{key: AttrSanitizeSecretCount, signal: SignalMarks},
	{key: AttrSanitizeResponseSecretCount, signal: SignalMarks},
	{key: AttrPromptInjectionScore, signal: SignalMarks},
	{key: "guard.verdict", signal: SignalMarks},
	{key: "guard.score", signal: SignalMarks},
	{key: "guard.denied", signal: SignalMarks},
	{key: "gen_ai.agent.threat.rule_id", signal: SignalMarks},
	{key: "gen_ai.agent.threat.threat_class", signal: SignalMarks},
	{key: "gen_ai.guardrail.result.type", signal: SignalMarks},
	{key: "gen_ai.guardrail.verdict.type", signal: SignalMarks},
}

// promptKeys are the attributes that hold the text of a prompt, best first.
var promptKeys = []string{
	"gen_ai.input.messages", "gen_ai.prompt.0.content", "gen_ai.prompt", "llm.input_messages.0.message.content",
	"llm.prompts", "llm.prompt", "input.value", "ai.prompt.messages", "ai.prompt", "gcp.vertex.agent.llm_request",
}

// addSignals makes the program look for signals.
func (b *builder) addSignals() error {
	rules := signalRules
	for _, k := range promptKeys {
		rules = append(rules, signalRule{key: k, signal: SignalPrompt})
	}
	for _, s := range rules {
		if s.signal != SignalPrompt { // asked for on calls only
			err := b.call(s.key, func(slot *callSlot) {
				slot.signal |= s.signal
				slot.signalIn = append(slot.signalIn, s.in...)
			})
			if err != nil {
				return err
			}
		}
		if s.signal == SignalTool {
			continue // a tool span is no call
		}
		r := rule{concept: conceptSignal, kind: kindSignal, prio: uint8(s.signal), plain: true, detail: &detail{sel: &selector{key: s.key}}}
		if err := b.put(&b.attributes, s.key, r); err != nil {
			return err
		}
	}
	return nil
}

// addDecisions makes the program heed what the ledger decided.
func (b *builder) addDecisions() error {
	r := rule{
		concept: conceptSignal, kind: kindSignal, prio: uint8(signalDuplicate), plain: true,
		detail: &detail{sel: &selector{key: AttrCallDuplicate}},
	}
	return b.put(&b.attributes, AttrCallDuplicate, r)
}

// eventSignals looks at the names of span events.
func eventSignals(span ptrace.Span) Signal {
	list := span.Events()
	for i := range min(list.Len(), maxSpanEvents) {
		if list.At(i).Name() == EventEvaluationResult {
			return SignalMarks
		}
	}
	return 0
}

// isEvaluation reports whether k is eval.<name>.score or eval.<name>.label.
func isEvaluation(k string) bool {
	return len(k) > len(evaluationPrefix) && k[0] == 'e' && strings.HasPrefix(k, evaluationPrefix)
}

// PromptTail is the last n bytes or less of the prompt of a call with
// SignalPrompt: the end, because each turn of a conversation repeats what was
// said before. It shares memory with the span.
func PromptTail(span ptrace.Span, n int) string {
	attrs := span.Attributes()
	for _, k := range promptKeys {
		v, ok := attrs.Get(k)
		if !ok {
			continue
		}
		text := v.Str()
		if v.Type() != pcommon.ValueTypeStr {
			text = lastText(v, maxTextDepth)
		}
		if text != "" {
			return text[max(0, len(text)-n):]
		}
	}
	return ""
}

// maxTextDepth bounds how deep structured messages are looked into.
const maxTextDepth = 6

// lastText is the last text in a structured value.
func lastText(v pcommon.Value, depth int) (text string) {
	switch {
	case v.Type() == pcommon.ValueTypeStr:
		return v.Str()
	case depth == 0:
	case v.Type() == pcommon.ValueTypeSlice:
		for i := v.Slice().Len() - 1; i >= 0 && text == ""; i-- {
			text = lastText(v.Slice().At(i), depth-1)
		}
	case v.Type() == pcommon.ValueTypeMap:
		for _, k := range [...]string{"content", "parts", "text"} {
			if e, ok := v.Map().Get(k); ok {
				if text = lastText(e, depth-1); text != "" {
					return text
				}
			}
		}
	}
	return text
}
