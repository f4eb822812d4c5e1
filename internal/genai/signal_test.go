package genai

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

func spanWith(pairs ...any) ptrace.Span {
	s := newSpan()
	for i := 0; i < len(pairs); i += 2 {
		if err := s.Attributes().PutEmpty(pairs[i].(string)).FromRaw(pairs[i+1]); err != nil {
			panic(err)
		}
	}
	return s
}

func TestSignalsOfASpan(t *testing.T) {
	x := newTestExtractor(t, Options{MeasuresOnly: true})
	evaluated := callSpan()
	evaluated.Events().AppendEmpty().SetName(EventEvaluationResult)
	agent := spanWith(AttrOperationName, "invoke_agent")
	agent.Events().AppendEmpty().SetName(EventEvaluationResult)
	prompted := callSpan()
	prompted.Attributes().PutStr(AttrInputMessages, "[]")
	marked := callSpan()
	marked.Attributes().PutInt(AttrSanitizePIICount, 1)
	phoenix := callSpan()
	phoenix.Attributes().PutDouble("eval.relevance.score", 1)
	for name, tc := range map[string]struct {
		span ptrace.Span
		want Signal
	}{
		"a call":                        {fullSpan(), SignalCall},
		"any other span":                {otherSpan(), 0},
		"semconv tool":                  {spanWith(AttrOperationName, "execute_tool"), SignalTool},
		"OpenInference tool":            {spanWith("openinference.span.kind", "TOOL"), SignalTool},
		"Traceloop tool":                {spanWith("traceloop.span.kind", "tool"), SignalTool},
		"Vercel tool":                   {spanWith("ai.operationId", "ai.toolCall"), SignalTool},
		"Langfuse tool":                 {spanWith("langfuse.observation.type", "tool"), SignalTool},
		"evaluation on a call":          {evaluated, SignalCall | SignalMarks},
		"evaluation on an agent span":   {agent, SignalMarks},
		"evaluation as attributes":      {spanWith(AttrEvaluationName, "relevance"), SignalMarks},
		"Phoenix evaluation on a call":  {phoenix, SignalCall | SignalMarks},
		"Phoenix evaluation":            {spanWith("eval.relevance.label", "relevant"), SignalMarks},
		"sanitizer on a call":           {marked, SignalCall | SignalMarks},
		"guard":                         {spanWith("guard.verdict", "deny"), SignalMarks},
		"call with a prompt":            {prompted, SignalCall | SignalPrompt},
		"an empty evaluator is nothing": {spanWith(AttrEvaluationName, ""), 0},
	} {
		t.Run(name, func(t *testing.T) {
			var ev Event
			scope := pcommon.NewInstrumentationScope()
			got, _ := x.Read(nil, scope, tc.span, &ev)
			assert.Equal(t, tc.want, got)
			assert.Zero(t, testing.AllocsPerRun(10, func() { x.Read(nil, scope, tc.span, &ev) }))
		})
	}
}

func TestEvaluationsAreReadFromAttributesAndEvents(t *testing.T) {
	s := spanWith(AttrEvaluationName, "relevance", AttrEvaluationScoreValue, .25, AttrEvaluationScoreLabel, "poor", "eval.bias.score", 0.1, "eval.bias.label", "none", AttrRequestModel, "m")
	e := s.Events().AppendEmpty()
	e.SetName(EventEvaluationResult)
	e.Attributes().PutStr(AttrEvaluationName, "hallucination")
	e.Attributes().PutStr(AttrEvaluationScoreLabel, "hallucinated")
	var m Marks
	ReadMarks(s, &m)
	assert.ElementsMatch(t, []Evaluation{
		{Name: "bias", Score: .1, Scored: true, Label: "none"},
		{Name: "relevance", Score: .25, Scored: true, Label: "poor"},
		{Name: "hallucination", Label: "hallucinated"},
	}, m.Evaluations)
	assert.Equal(t, "m", m.Model)
	assert.False(t, m.Empty())
}

func TestEvaluationsThatSayNothingAreLeftOut(t *testing.T) {
	var m Marks
	ReadMarks(spanWith(AttrEvaluationName, "relevance", AttrEvaluationExplanation, "why"), &m)
	assert.True(t, m.Empty())
	ReadMarks(spanWith(AttrEvaluationName, "relevance", AttrEvaluationScoreValue, "no number"), &m)
	assert.True(t, m.Empty())
	assert.Equal(t, WrongType, m.Problems)
	s := spanWith()
	for range maxEvaluations + 3 {
		e := s.Events().AppendEmpty()
		e.SetName(EventEvaluationResult)
		e.Attributes().PutStr(AttrEvaluationName, "n")
		e.Attributes().PutInt(AttrEvaluationScoreValue, 1)
	}
	ReadMarks(s, &m)
	assert.Len(t, m.Evaluations, maxEvaluations)
	assert.Equal(t, 3, m.Excess)
}

func TestThreatsOfEachEmitter(t *testing.T) {
	for name, tc := range map[string]struct {
		span ptrace.Span
		want Threat
	}{
		"sanitizer": {
			spanWith(AttrSanitizePIICount, 3, AttrPrefixSanitizePII+"email", 3, AttrSanitizeSecretCount, 1, AttrSanitizeResponseSecretCount, 1),
			Threat{PII: 3, Secrets: 1, ResponseSecrets: 1, Types: []string{"email"}},
		},
		"injection":         {spanWith(AttrPromptInjectionScore, .97, AttrPromptInjectionKind, "jailbreak_attempt"), Threat{Injection: .97, InjectionKind: "jailbreak_attempt"}},
		"guard that denies": {spanWith("guard.verdict", "deny", "guard.name", "pi", "guard.score", .9, "guard.classification", "prompt_injection"), Threat{Guard: "pi", GuardScore: .9, Class: "prompt_injection", Denied: true}},
		"guard that allows": {spanWith("guard.verdict", "allow", "guard.score", .1), Threat{GuardScore: .1}},
		"agent threat": {
			spanWith("gen_ai.agent.threat.rule_id", "r1", "gen_ai.agent.threat.severity", "high", "gen_ai.agent.threat.threat_class", "exfiltration"),
			Threat{Guard: "r1", Class: "exfiltration", Severity: "high", Denied: true},
		},
		"shares are in 0..1": {spanWith(AttrPromptInjectionScore, 7.0), Threat{}},
	} {
		t.Run(name, func(t *testing.T) {
			var m Marks
			ReadMarks(tc.span, &m)
			if len(m.Threat.Types) == 0 {
				m.Threat.Types = nil
			}
			assert.Equal(t, tc.want, m.Threat)
		})
	}
}

func TestToolsOfEachEmitter(t *testing.T) {
	for name, tc := range map[string]struct {
		span         ptrace.Span
		args, result string
	}{
		"semconv":       {spanWith(AttrOperationName, "execute_tool", AttrToolName, "t", "gen_ai.tool.call.arguments", "A", "gen_ai.tool.call.result", "R"), "A", "R"},
		"Google ADK":    {spanWith(AttrOperationName, "execute_tool", AttrToolName, "t", "gcp.vertex.agent.tool_call_args", "A", "gcp.vertex.agent.tool_response", "R"), "A", "R"},
		"OpenInference": {spanWith("openinference.span.kind", "TOOL", "tool.name", "t", "input.value", "A", "output.value", "R"), "A", "R"},
		"Vercel":        {spanWith("ai.operationId", "ai.toolCall", "ai.toolCall.name", "t", "ai.toolCall.args", "A", "ai.toolCall.result", "R"), "A", "R"},
		"Traceloop":     {spanWith("traceloop.span.kind", "tool", "traceloop.entity.name", "t", "traceloop.entity.input", "A", "traceloop.entity.output", "R"), "A", "R"},
		"Langfuse":      {spanWith("langfuse.observation.type", "tool", "tool_name", "t", "langfuse.observation.input", "A", "langfuse.observation.output", "R"), "A", "R"},
		"no contents":   {spanWith(AttrToolName, "t", "input.value", "of another kind of span"), "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			got := ReadTool(tc.span)
			assert.Equal(t, "t", got.Name)
			assert.Equal(t, tc.args, got.Arguments.AsString())
			assert.Equal(t, tc.result, got.Result.AsString())
		})
	}
	s := newSpan()
	s.SetName("execute_tool x")
	assert.Equal(t, "execute_tool x", ReadTool(s).Name)
}

func TestPromptTailIsTheEndOfThePrompt(t *testing.T) {
	assert.Equal(t, "world", PromptTail(spanWith("gen_ai.prompt", "hello world"), 5))
	messages := []any{
		map[string]any{"role": "system", "content": "rules"},
		map[string]any{"role": "user", "parts": []any{map[string]any{"type": "text", "content": "the question"}}},
	}
	assert.Equal(t, "the question", PromptTail(spanWith(AttrInputMessages, messages), 100))
	assert.Empty(t, PromptTail(newSpan(), 5))
	require.Empty(t, PromptTail(spanWith("gen_ai.prompt", 5), 5))
}
