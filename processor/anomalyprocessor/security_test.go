package anomalyprocessor

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/llm-devops/llm-sentinel/internal/anomaly"
	"github.com/llm-devops/llm-sentinel/internal/genai"
)

func exp(x float64) float64 { return math.Exp(x) }

// attrs is the next call with attributes of its own.
func (g *traffic) attrs(pairs ...any) call {
	return g.with(func(c *call) {
		c.change = func(s ptrace.Span) {
			for i := 0; i < len(pairs); i += 2 {
				if err := s.Attributes().PutEmpty(pairs[i].(string)).FromRaw(pairs[i+1]); err != nil {
					panic(err)
				}
			}
		}
	})
}

func TestASingleMarkIsAFinding(t *testing.T) {
	for _, tc := range []struct {
		name, threat, metric string
		severity             anomaly.Severity
		marks                []any
	}{
		{"injection", "prompt_injection", "prompt_injection_score", anomaly.SeverityHigh, []any{genai.AttrPromptInjectionScore, .95}},
		{"jailbreak", "jailbreak_attempt", "prompt_injection_score", anomaly.SeverityHigh, []any{genai.AttrPromptInjectionScore, 1, genai.AttrPromptInjectionKind, "jailbreak_attempt"}},
		{"secret in the answer", "data_exfiltration", "response_secrets", anomaly.SeverityHigh, []any{genai.AttrSanitizeSecretCount, 1, genai.AttrSanitizeResponseSecretCount, 1, genai.AttrPrefixSanitizeSecret + "aws_key", 1}},
		{"guard", "prompt_injection", "guard_verdict", anomaly.SeverityHigh, []any{"guard.verdict", "deny", "guard.score", .93, "guard.classification", "prompt_injection"}},
		{"agent threat", "data_exfiltration", "guard_verdict", anomaly.SeverityCritical, []any{"gen_ai.agent.threat.rule_id", "r7", "gen_ai.agent.threat.severity", "critical", "gen_ai.agent.threat.threat_class", "data_exfiltration"}},
		{"guard of another kind", "guard", "guard_verdict", anomaly.SeverityMedium, []any{"guard.denied", true}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r, g := newRig(t, quiet), newTraffic(31)
			found := marked(r.send(g.attrs(tc.marks...)))
			require.Len(t, found, 1)
			a := found[0]
			assert.Equal(t, anomaly.TypeSecurityThreat, a.Type)
			assert.Equal(t, tc.threat, a.Context.Additional[contextThreat])
			assert.Equal(t, tc.metric, a.Details.Metric)
			assert.Equal(t, tc.severity, a.Severity)
			assert.Equal(t, "u1", a.Context.UserID)

			// The next one within the cool-down is the same incident; later it is news.
			assert.Empty(t, marked(r.send(g.attrs(tc.marks...))))
			g.at = g.at.Add(time.Hour)
			assert.Len(t, marked(r.send(g.attrs(tc.marks...))), 1)
		})
	}
}

func TestMarksThatAreNoThreat(t *testing.T) {
	r, g := newRig(t, quiet), newTraffic(32)
	for _, marks := range [][]any{
		{genai.AttrPromptInjectionScore, .5},
		{genai.AttrSanitizeSecretCount, 1}, // in the prompt
		{genai.AttrSanitizePIICount, 4},
		{"guard.verdict", "allow", "guard.score", .2, "guard.classification", "prompt_injection"},
	} {
		assert.Empty(t, marked(r.send(g.attrs(marks...))), marks)
	}
}

func TestAGuardSpanOfItsOwnIsJudged(t *testing.T) {
	r := newRig(t, quiet)
	td := (&toolSpans{}).batch("guardrail")
	s := td.ResourceSpans().At(0).ScopeSpans().At(0).Spans().At(0)
	s.Attributes().PutStr(genai.AttrOperationName, "apply_guardrail")
	s.Attributes().PutStr("guard.verdict", "blocked")
	s.Attributes().PutStr("guard.classification", "jailbreak")
	found := marked(r.sendTraces(td))
	require.Len(t, found, 1)
	assert.Equal(t, "jailbreak_attempt", found[0].Context.Additional[contextThreat])
}

// refused sets the finish reason of one call in share.
func (g *traffic) refused(share float64, user string) call {
	is := g.rng.Float64() < share
	return g.with(func(c *call) {
		c.change = func(s ptrace.Span) {
			s.Attributes().PutStr(genai.AttrUserID, user)
			reason := "stop"
			if is {
				reason = "content_filter"
			}
			s.Attributes().PutEmptySlice(genai.AttrResponseFinish).AppendEmpty().SetStr(reason)
		}
	})
}

func TestABurstOfRefusalsIsAThreat(t *testing.T) {
	r, g := newRig(t, quiet), newTraffic(33)
	for n := range 400 {
		require.Empty(t, marked(r.send(g.refused(.01, fmt.Sprint("u", n%50)))))
	}
	var found []anomaly.Anomaly
	n := 0
	for ; n < 60 && len(found) == 0; n++ {
		found = marked(r.send(g.refused(.6, fmt.Sprint("u", n%50))))
	}
	require.Len(t, found, 1)
	assert.Equal(t, "refusals", found[0].Context.Additional[contextThreat])
	assert.Less(t, n, 30)
	t.Logf("found after %d calls: %s", n, found[0].RootCause)
	var ends []anomaly.Resolution
	for n := range 200 {
		ends = append(ends, r.ends(g.refused(0, fmt.Sprint("u", n%50)))...)
	}
	require.Len(t, ends, 1)
	assert.Equal(t, found[0].ID, ends[0].IDs[0])
	assert.Equal(t, anomaly.EndRecovered, ends[0].Reason)
}

func TestRefusalsOfOneUserAreAThreat(t *testing.T) {
	r, g := newRig(t, quiet), newTraffic(34)
	var found []anomaly.Anomaly
	for n := range 600 {
		user, share := fmt.Sprint("u", n%40), .01
		if n > 300 && n%25 == 0 {
			user, share = "mallory", 1
		}
		found = append(found, marked(r.send(g.refused(share, user)))...)
	}
	require.Len(t, found, 1)
	assert.Equal(t, "user_refusals", found[0].Context.Additional[contextThreat])
	assert.Equal(t, "mallory", found[0].Context.UserID)
}

func TestARateOfPersonalDataBeyondNormalIsAThreat(t *testing.T) {
	r, g := newRig(t, quiet), newTraffic(35)
	send := func(share float64) []anomaly.Anomaly {
		if g.rng.Float64() < share {
			return marked(r.send(g.attrs(genai.AttrSanitizePIICount, 2, genai.AttrPrefixSanitizePII+"email", 2)))
		}
		return marked(r.send(g.call()))
	}
	for range 500 {
		require.Empty(t, send(.05))
	}
	var found []anomaly.Anomaly
	for n := 0; n < 60 && len(found) == 0; n++ {
		found = send(.8)
	}
	require.Len(t, found, 1)
	assert.Equal(t, "personal_data", found[0].Context.Additional[contextThreat])
	assert.Equal(t, "email", found[0].Context.Additional["types"])
}

func TestAFloodOfNearIdenticalPromptsIsAThreat(t *testing.T) {
	r, g := newRig(t, quiet), newTraffic(36)
	prompt := func(n int) string {
		text := []byte("please tell me about")
		for range 12 {
			text = fmt.Appendf(text, " w%c%c", 'a'+g.rng.IntN(26), 'a'+g.rng.IntN(26))
		}
		return fmt.Sprintf("%s %d", text, n)
	}
	for n := range 300 {
		require.Empty(t, marked(r.send(g.attrs(genai.AttrInputMessages, prompt(n)))))
	}
	same := prompt(0)
	var found []anomaly.Anomaly
	n := 0
	for ; n < 40 && len(found) == 0; n++ {
		found = marked(r.send(g.attrs(genai.AttrInputMessages, fmt.Sprint(same, n))))
	}
	require.Len(t, found, 1)
	assert.Equal(t, "near_identical_prompts", found[0].Context.Additional[contextThreat])
	assert.Less(t, n, 15)
	assert.NotContains(t, found[0].RootCause, "please")
}

// Normal traffic with refusals, users that call unequally often and personal
// data: 300 series of 3000 calls.
func TestNormalTrafficIsNoThreat(t *testing.T) {
	cfg := createDefaultConfig().(*Config)
	built, err := newSecurityRule(cfg)
	require.NoError(t, err)
	alarms := 0
	for series := range 300 {
		rng := rand.New(rand.NewPCG(41, uint64(series)))
		refusals := []float64{.001, .01, .05, .3}[series%4]
		b := &batch{event: &genai.Event{}, engine: &engine{cfg: cfg}, signals: genai.SignalCall | genai.SignalMarks}
		st := built.newState()
		for n := range 3000 {
			b.at = epoch.Add(time.Duration(n) * time.Second).UnixNano()
			b.event = &genai.Event{User: fmt.Sprint("u", int(20*rng.ExpFloat64())), FinishReason: "stop"}
			if rng.Float64() < refusals {
				b.event.FinishReason = finishContentFilter
			}
			b.marks.Threat.PII = 0
			if rng.Float64() < .1 {
				b.marks.Threat.PII = 1
			}
			alarms += newsIn(built.call(b, st, false, nil))
		}
	}
	t.Logf("%d alarms on 900000 calls", alarms)
	assert.LessOrEqual(t, alarms, 2)
}

func TestBinomialTail(t *testing.T) {
	assert.InDelta(t, 1, binomialTail(10, 0, .2), 1e-12)
	assert.InDelta(t, math.Pow(.2, 10), binomialTail(10, 10, .2), 1e-15)
	assert.InDelta(t, 1-math.Pow(.8, 10), binomialTail(10, 1, .2), 1e-12)
	assert.Equal(t, 1., binomialTail(10, 9, .9))
}

// emptyOrigin is a span that says nothing.
func emptyOrigin() origin {
	return origin{resource: pcommon.NewResource(), scope: pcommon.NewInstrumentationScope(), span: ptrace.NewSpan()}
}

// stateOf feeds a rule so that its state has everything in it.
func stateOf(t testing.TB, r rule) ruleState {
	t.Helper()
	st := r.newState()
	rng := rand.New(rand.NewPCG(51, 51))
	b := &batch{event: &genai.Event{}, engine: &engine{cfg: createDefaultConfig().(*Config)}, signals: genai.SignalCall | genai.SignalMarks, from: emptyOrigin()}
	for n := range 400 {
		b.at = epoch.Add(time.Duration(n) * time.Second).UnixNano()
		b.event.FinishReason = [...]string{"stop", finishContentFilter}[rng.IntN(2)]
		b.marks = genai.Marks{
			Evaluations: []genai.Evaluation{{Name: "relevance", Score: rng.Float64(), Scored: true}, {Name: "stars", Score: float64(rng.IntN(6)), Scored: true}, {Name: "judge", Label: "pass"}},
			Threat:      genai.Threat{PII: int64(rng.IntN(2)), ResponseSecrets: 1},
		}
		r.call(b, st, false, nil)
	}
	return st
}

func allRules(t testing.TB) []rule {
	t.Helper()
	rules, err := newRules(createDefaultConfig().(*Config))
	require.NoError(t, err)
	return rules
}

// contentRules are those of evaluations and of security.
func contentRules(t testing.TB) []rule {
	t.Helper()
	return slices.DeleteFunc(allRules(t), func(r rule) bool { _, ok := r.(itemRule); return !ok })
}

func TestStatesOfRulesSurviveTheirSerialisedForm(t *testing.T) {
	for _, r := range allRules(t) {
		blob := stateOf(t, r).appendState(nil)
		back, err := r.readState(blob)
		require.NoError(t, err, r.name())
		assert.Equal(t, blob, back.appendState(nil), r.name())
		for _, bad := range [][]byte{nil, blob[:len(blob)-1], append([]byte{99}, blob[1:]...), append(blob[:len(blob):len(blob)], 0)} {
			_, err := r.readState(bad)
			assert.Error(t, err, r.name())
		}
	}
}

func FuzzReadRuleState(f *testing.F) {
	rules := allRules(f)
	for i, r := range rules {
		f.Add(uint8(i), stateOf(f, r).appendState(nil))
		f.Add(uint8(i), r.newState().appendState(nil))
	}
	f.Fuzz(func(t *testing.T, i uint8, blob []byte) {
		r := rules[int(i)%len(rules)]
		st, err := r.readState(blob)
		if err != nil {
			return
		}
		b := &batch{event: &genai.Event{}, engine: &engine{cfg: createDefaultConfig().(*Config)}, signals: genai.SignalCall | genai.SignalMarks, at: 1, from: emptyOrigin()}
		b.marks.Evaluations = []genai.Evaluation{{Name: "relevance", Score: .5, Scored: true}}
		b.event.FinishReason = finishContentFilter
		for range 20 {
			r.call(b, st, false, nil)
		}
		st.appendState(nil)
	})
}

func TestContentRulesAllocateNothingOnOrdinaryCalls(t *testing.T) {
	b, rules, states := ordinary(t)
	for i, r := range rules {
		assert.Zero(t, testing.AllocsPerRun(1000, func() { r.call(b, states[i], false, nil) }), r.name())
	}
	b.conversationCall(nil)
	b.conversationCall(nil)
	assert.Zero(t, testing.AllocsPerRun(1000, func() { b.conversationCall(nil) }))
}

func ordinary(t testing.TB) (*batch, []rule, []ruleState) {
	t.Helper()
	cfg := createDefaultConfig().(*Config)
	c, err := newConversations(cfg)
	require.NoError(t, err)
	b := &batch{event: &genai.Event{}, engine: &engine{cfg: cfg, conversations: c}, signals: genai.SignalCall, now: epoch, at: epoch.UnixNano()}
	b.event = &genai.Event{Service: "chat-api", ResponseModel: "gpt-4", User: "u1", Conversation: "conversation-1", FinishReason: "stop", TraceID: [16]byte{1}}
	rules := contentRules(t)
	var states []ruleState
	for _, r := range rules {
		states = append(states, r.newState())
	}
	return b, rules, states
}

func BenchmarkContentRules(b *testing.B) {
	batch, rules, states := ordinary(b)
	for i, r := range rules {
		b.Run(r.name(), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				r.call(batch, states[i], false, nil)
			}
		})
	}
	b.Run("prompt", func(b *testing.B) {
		b.ReportAllocs()
		g := newTraffic(1)
		text := `[{"role":"user","parts":[{"type":"text","content":"` + strings.Repeat("what is the weather in a town by the sea ", 50) + `"}]}]`
		batch.from.span = traces(g.attrs(genai.AttrInputMessages, text)).ResourceSpans().At(0).ScopeSpans().At(0).Spans().At(0)
		batch.signals |= genai.SignalPrompt
		for b.Loop() {
			rules[1].call(batch, states[1], false, nil)
		}
		batch.signals = genai.SignalCall
	})
	b.Run("conversations", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			batch.event.TraceID[3]++
			batch.conversationCall(nil)
		}
	})
	b.Run("traces of one call", func(b *testing.B) {
		b.ReportAllocs()
		batch.event.Conversation = ""
		for n := 0; b.Loop(); n++ {
			batch.event.TraceID[3], batch.event.TraceID[4], batch.event.TraceID[5] = byte(n), byte(n>>8), byte(n>>16)
			batch.conversationCall(nil)
		}
	})
}
