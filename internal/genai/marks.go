package genai

import (
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// EventEvaluationResult is the name of the span event, and of the log record,
// that carries one result of an evaluator.
const EventEvaluationResult = "gen_ai.evaluation.result"

// Attributes of an evaluation.
const (
	AttrEvaluationName        = "gen_ai.evaluation.name"
	AttrEvaluationScoreValue  = "gen_ai.evaluation.score.value"
	AttrEvaluationScoreLabel  = "gen_ai.evaluation.score.label"
	AttrEvaluationExplanation = "gen_ai.evaluation.explanation"
)

// Attributes by which a sanitizer says what it found in prompt and answer. They
// are the contract between it and detection, and public like those of an
// anomaly. Counts are whole numbers and are left out when they are zero; the
// totals are there whenever a count is.
const (
	// AttrSanitizePIICount is the number of items of personal data found.
	AttrSanitizePIICount = "sentinel.sanitize.pii_count"
	// AttrSanitizeSecretCount is the number of secrets (keys, tokens,
	// passwords) found; AttrSanitizeResponseSecretCount is the part of it that
	// stood in the answer of the model.
	AttrSanitizeSecretCount         = "sentinel.sanitize.secret_count"
	AttrSanitizeResponseSecretCount = "sentinel.sanitize.response.secret_count"
	// AttrPrefixSanitizePII and AttrPrefixSanitizeSecret precede the type of
	// what was counted, for example sentinel.sanitize.pii.email = 2.
	AttrPrefixSanitizePII    = "sentinel.sanitize.pii."
	AttrPrefixSanitizeSecret = "sentinel.sanitize.secret."
	// AttrPromptInjectionScore in [0, 1] is how sure it is that the prompt tries
	// to change what the model was told to do. AttrPromptInjectionKind names the
	// attempt: prompt_injection (the default), jailbreak_attempt or
	// data_exfiltration.
	AttrPromptInjectionScore = "sentinel.prompt_injection.score"
	AttrPromptInjectionKind  = "sentinel.prompt_injection.kind"
)

// Limits of what is read of one item.
const (
	maxEvaluations   = 16
	maxEvaluatorName = 64
	maxThreatTypes   = 8
)

// Evaluation is what one evaluator said about one answer.
type Evaluation struct {
	// Name of the evaluator; empty names are not reported.
	Name  string
	Label string
	// Score is any finite number; Scored says that there is one.
	Score  float64
	Scored bool
}

// Threat is what guards and sanitizers say about one item.
type Threat struct {
	// PII and Secrets count what was found, ResponseSecrets the secrets in the
	// answer. Types are the names of what was counted, for example "email".
	PII, Secrets, ResponseSecrets int64
	Types                         []string
	// Injection in [0, 1]; InjectionKind may be empty.
	Injection     float64
	InjectionKind string
	// Guard is the name of a guard that denied or flagged the item, or the id of
	// a rule that it broke; Denied says that it did. GuardScore is in [0, 1] and
	// 0 when none is known. Class and Severity are in the words of the guard.
	Guard, Class, Severity string
	GuardScore             float64
	Denied                 bool
}

// Marks are the results of evaluators and guards on one item. It can be used
// again; strings share memory with the telemetry.
type Marks struct {
	Evaluations []Evaluation
	Threat      Threat
	// Model, Conversation, User and ResponseID of the item that carries the
	// marks, as far as it says.
	Model, Conversation, User, ResponseID string
	// Problems with the values.
	Problems Problem
	// Excess counts evaluations beyond the 16 that are read of one item.
	Excess int
}

// Empty reports whether there is nothing to judge.
func (m *Marks) Empty() bool { return len(m.Evaluations) == 0 && m.Threat.empty() }

func (t *Threat) empty() bool {
	return t.PII == 0 && t.Secrets == 0 && t.Injection == 0 && t.Guard == "" && t.GuardScore == 0 && !t.Denied && t.Class == ""
}

// ReadMarks reads the marks of a span with SignalMarks into m.
func ReadMarks(span ptrace.Span, m *Marks) {
	m.Reset(span.Attributes())
	list := span.Events()
	for i := range min(list.Len(), maxSpanEvents) {
		if e := list.At(i); e.Name() == EventEvaluationResult {
			m.add(e.Attributes())
		}
	}
}

// Reset makes m the marks in attrs, those of a span or a log record.
func (m *Marks) Reset(attrs pcommon.Map) {
	m.Clear()
	m.add(attrs)
}

// Clear empties m and keeps no telemetry alive.
func (m *Marks) Clear() {
	clear(m.Evaluations)
	clear(m.Threat.Types)
	*m = Marks{Evaluations: m.Evaluations[:0], Threat: Threat{Types: m.Threat.Types[:0]}}
}

func (m *Marks) add(attrs pcommon.Map) {
	var ev Evaluation
	t := &m.Threat
	for k, v := range attrs.All() {
		switch k {
		case AttrEvaluationName:
			ev.Name = m.name(v)
		case AttrEvaluationScoreValue:
			ev.Score, ev.Scored = m.number(v)
		case AttrEvaluationScoreLabel:
			ev.Label = m.name(v)
		case AttrSanitizePIICount:
			t.PII = m.count(v)
		case AttrSanitizeSecretCount:
			t.Secrets = m.count(v)
		case AttrSanitizeResponseSecretCount:
			t.ResponseSecrets = m.count(v)
		case AttrPromptInjectionScore:
			t.Injection = m.share(v)
		case AttrPromptInjectionKind:
			t.InjectionKind = m.name(v)
		case "guard.name":
			t.Guard = m.name(v)
		case "guard.score":
			t.GuardScore = m.share(v)
		case "guard.classification":
			t.Class = m.name(v)
		case "guard.verdict", "guard.action", "gen_ai.guardrail.result.type", "gen_ai.guardrail.verdict.type":
			t.Denied = t.Denied || contains(denials, strings.ToLower(m.name(v)))
		case "guard.denied":
			b, p, _ := scalarOf(v).boolean()
			m.Problems |= p
			t.Denied = t.Denied || b
		case "gen_ai.agent.threat.rule_id":
			t.Guard, t.Denied = m.name(v), true
		case "gen_ai.agent.threat.threat_class":
			t.Class, t.Denied = m.name(v), true
		case "gen_ai.agent.threat.severity":
			t.Severity = m.name(v)
		case AttrResponseModel:
			m.Model = m.name(v)
		case AttrRequestModel:
			if m.Model == "" {
				m.Model = m.name(v)
			}
		case AttrConversationID, AttrSessionID:
			m.Conversation = m.name(v)
		case AttrUserID, "enduser.id":
			m.User = m.name(v)
		case AttrResponseID:
			m.ResponseID = m.name(v)
		default:
			m.prefixed(k, v)
		}
	}
	m.put(ev)
}

// denials are what guards say of an item that must not pass.
var denials = []string{"deny", "denied", "block", "blocked", "fail", "failed", "flagged", "intervened", "yes", "true", "unsafe"}

// prefixed reads attributes whose name has a part that anything may stand for.
func (m *Marks) prefixed(k string, v pcommon.Value) {
	if isEvaluation(k) {
		name, field := k[len(evaluationPrefix):], ""
		if dot := strings.LastIndexByte(name, '.'); dot > 0 {
			name, field = name[:dot], name[dot+1:]
		}
		switch field {
		case "score":
			m.named(name, func(e *Evaluation) { e.Score, e.Scored = m.number(v) })
		case "label":
			m.named(name, func(e *Evaluation) { e.Label = m.name(v) })
		}
		return
	}
	for _, prefix := range [...]string{AttrPrefixSanitizePII, AttrPrefixSanitizeSecret} {
		if kind, ok := strings.CutPrefix(k, prefix); ok && len(m.Threat.Types) < maxThreatTypes {
			m.Threat.Types = append(m.Threat.Types, limit(kind, maxEvaluatorName))
		}
	}
}

// named changes the evaluation of that name.
func (m *Marks) named(name string, change func(*Evaluation)) {
	name = limit(name, maxEvaluatorName)
	for i := range m.Evaluations {
		if m.Evaluations[i].Name == name {
			change(&m.Evaluations[i])
			return
		}
	}
	e := Evaluation{Name: name}
	change(&e)
	m.put(e)
}

func (m *Marks) put(e Evaluation) {
	switch {
	case e.Name == "" || !e.Scored && e.Label == "":
	case len(m.Evaluations) == maxEvaluations:
		m.Excess++
	default:
		e.Name = limit(e.Name, maxEvaluatorName)
		m.Evaluations = append(m.Evaluations, e)
	}
}

func (m *Marks) name(v pcommon.Value) string {
	s, p, _ := scalarOf(v).name(true)
	m.Problems |= p
	return s
}

func (m *Marks) number(v pcommon.Value) (float64, bool) {
	f, p, ok := scalarOf(v).number()
	m.Problems |= p
	return f, ok
}

func (m *Marks) count(v pcommon.Value) int64 {
	n, p, _ := scalarOf(v).count()
	m.Problems |= p
	return n
}

// share reads a number in [0, 1]; what lies outside is not believed.
func (m *Marks) share(v pcommon.Value) float64 {
	f, ok := m.number(v)
	if !ok || f < 0 || f > 1 {
		return 0
	}
	return f
}
