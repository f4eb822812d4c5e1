package anomalyprocessor

import (
	"fmt"
	"math"
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

// driftTraffic are calls with the spread that token counts have in practice,
// one each two seconds. Latency follows the tokens.
type driftTraffic struct {
	*traffic
	input, output, perToken, ttft float64
	change                        func(n uint64, s ptrace.Span)
}

func newDriftTraffic(seed uint64) *driftTraffic {
	g := &driftTraffic{traffic: newTraffic(seed), input: 400, output: 200, perToken: 20, ttft: 200}
	g.step = 2 * time.Second
	return g
}

func (g *driftTraffic) calls(n int) []call {
	out := make([]call, 0, n)
	for range n {
		c := g.call()
		z := g.rng.NormFloat64()
		c.input = int64(g.input * math.Exp(.6*z))
		c.output = int64(g.output * math.Exp(.3*z+.5*g.rng.NormFloat64()))
		c.ttftMS = g.ttft * math.Exp(.2*g.rng.NormFloat64())
		c.latencyMS = c.ttftMS + float64(c.output)*g.perToken*math.Exp(.1*g.rng.NormFloat64())
		c.cost = -1
		if g.change != nil {
			id := g.next
			c.change = func(s ptrace.Span) { g.change(id, s) }
		}
		out = append(out, c)
	}
	return out
}

// driftsOf are the drifts among what is marked.
func driftsOf(found [][]anomaly.Anomaly) (out []anomaly.Anomaly) {
	for _, a := range marked(found) {
		switch a.Type {
		case anomaly.TypeInputDrift, anomaly.TypeOutputDrift, anomaly.TypeConceptDrift, anomaly.TypeEmbeddingDrift:
			out = append(out, a)
		}
	}
	return out
}

func typesOf(list []anomaly.Anomaly) (out []anomaly.Type) {
	for i := range list {
		out = append(out, list[i].Type)
	}
	return out
}

// learned is how many calls go before a change.
const learned = 6000

func finishReason(reason string) func(ptrace.Span) {
	return func(s ptrace.Span) {
		s.Attributes().PutEmptySlice(genai.AttrResponseFinish).AppendEmpty().SetStr(reason)
	}
}

func TestEachDriftIsFoundOnce(t *testing.T) {
	stop := func(_ uint64, s ptrace.Span) { finishReason("stop")(s) }
	for name, c := range map[string]struct {
		change func(g *driftTraffic)
		want   map[anomaly.Type]string
	}{
		"longer prompts": {
			func(g *driftTraffic) { g.input *= 2 },
			map[anomaly.Type]string{anomaly.TypeInputDrift: "input_tokens_psi"},
		},
		"longer answers": {
			func(g *driftTraffic) { g.output *= 2 },
			map[anomaly.Type]string{anomaly.TypeOutputDrift: "output_tokens_psi", anomaly.TypeConceptDrift: "output_per_input_ratio"},
		},
		"slower tokens": {
			func(g *driftTraffic) { g.perToken *= 1.6 },
			map[anomaly.Type]string{anomaly.TypeConceptDrift: "latency_per_output_ratio"},
		},
		"slower first token": {
			func(g *driftTraffic) { g.ttft *= 1.7 },
			map[anomaly.Type]string{anomaly.TypeConceptDrift: "ttft_per_input_ratio"},
		},
		"filtered answers": {
			func(g *driftTraffic) {
				g.change = func(id uint64, s ptrace.Span) {
					if id%4 == 0 {
						finishReason("content_filter")(s)
						return
					}
					finishReason("stop")(s)
				}
			},
			map[anomaly.Type]string{anomaly.TypeOutputDrift: "finish_reason_psi"},
		},
		"nothing": {func(*driftTraffic) {}, map[anomaly.Type]string{}},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, nil)
			g := newDriftTraffic(31)
			g.change = stop
			require.Empty(t, driftsOf(r.send(g.calls(learned)...)))
			onset := g.at
			c.change(g)
			list := driftsOf(r.send(g.calls(4000)...))
			got := map[anomaly.Type]string{}
			for _, a := range list {
				got[a.Type] = a.Details.Metric
				assert.NotEmpty(t, a.RootCause)
				assert.NotEmpty(t, a.Remediation)
				assert.InDelta(t, 1, a.Confidence, 1e-5)
				assert.LessOrEqual(t, a.Details.Additional["p_value"], 1e-6)
				assert.Equal(t, "chat-api", a.Service)
				began, err := time.Parse(time.RFC3339Nano, a.Context.Additional[contextOnset])
				require.NoError(t, err)
				assert.WithinDuration(t, onset, began, 15*time.Minute)
				assert.WithinDuration(t, onset, a.Time, 25*time.Minute)
				t.Log(a.Severity, a.RootCause)
			}
			assert.Equal(t, c.want, got)
			assert.Len(t, list, len(c.want), "once each: %v", typesOf(list))
		})
	}
}

// The relation stays: longer prompts give longer answers, which take longer.
func TestLongerPromptsWithTheUsualRelationAreNoConceptDrift(t *testing.T) {
	r := newRig(t, func(c *Config) { c.Drift.Types = []string{"concept_drift"} })
	g := newDriftTraffic(32)
	r.send(g.calls(learned)...)
	g.input, g.output = g.input*1.8, g.output*math.Exp(.5*math.Log(1.8))
	assert.Empty(t, driftsOf(r.send(g.calls(4000)...)))
}

func message(role, text string) string {
	return fmt.Sprintf(`[{"role":%q,"parts":[{"type":"text","content":%q}]}]`, role, text)
}

var (
	refundWords = []string{"refund", "order", "parcel", "late", "broken", "invoice", "address", "receipt", "delivery", "money"}
	codeWords   = []string{"python", "function", "array", "loop", "compile", "error", "library", "pointer", "thread", "sort"}
)

func sentence(words []string, n uint64) string {
	text := []string{"please tell me what the best way is to"}
	for i := range uint64(6) {
		text = append(text, words[(n*7+i*i*3+n/5)%uint64(len(words))])
	}
	return strings.Join(text, " ")
}

func withTexts(words []string) func(uint64, ptrace.Span) {
	return func(n uint64, s ptrace.Span) {
		s.Attributes().PutStr(genai.AttrInputMessages, message("user", sentence(words, n)))
		s.Attributes().PutStr(genai.AttrOutputMessages, message("assistant", sentence(words, n+3)))
	}
}

func TestTextsAboutSomethingElseAreEmbeddingDrift(t *testing.T) {
	r := newRig(t, nil)
	g := newDriftTraffic(33)
	g.change = withTexts(refundWords)
	require.Empty(t, driftsOf(r.send(g.calls(learned)...)))
	g.change = withTexts(codeWords)
	list := driftsOf(r.send(g.calls(3000)...))
	require.Equal(t, []anomaly.Type{anomaly.TypeEmbeddingDrift}, typesOf(list))
	a := list[0]
	assert.Less(t, a.Details.Additional["centroid_cosine"], .98)
	assert.Equal(t, "hashed text", a.Context.Additional[contextSource])
	assert.NotContains(t, a.RootCause, "python", "texts are not shown")
	assert.Positive(t, r.counter("anomalies_suppressed_total", "reason", "ongoing"), "the answers moved too")
}

func TestEmbeddingsOfTheTelemetryAreUsed(t *testing.T) {
	r := newRig(t, nil)
	g := newDriftTraffic(34)
	towards := func(axis int) func(uint64, ptrace.Span) {
		return func(_ uint64, s ptrace.Span) {
			list := s.Attributes().PutEmptySlice("llm.prompt.embedding")
			for i := range 32 {
				x := g.rng.NormFloat64()
				if i == axis {
					x += 3
				}
				list.AppendEmpty().SetDouble(x)
			}
			s.Attributes().PutStr(genai.AttrInputMessages, message("user", sentence(codeWords, g.rng.Uint64()>>1)))
		}
	}
	g.change = towards(1)
	require.Empty(t, driftsOf(r.send(g.calls(learned)...)))
	g.change = towards(7)
	list := driftsOf(r.send(g.calls(3000)...))
	require.Equal(t, []anomaly.Type{anomaly.TypeEmbeddingDrift}, typesOf(list))
	assert.Equal(t, "embedding", list[0].Context.Additional[contextSource])
	assert.Equal(t, "prompt_embedding_shift", list[0].Details.Metric)
}

func TestLanguageAndRefusalsOfTexts(t *testing.T) {
	texts := func(prompt, answer string) func(uint64, ptrace.Span) {
		return func(_ uint64, s ptrace.Span) {
			s.Attributes().PutStr(genai.AttrInputMessages, message("user", prompt))
			s.Attributes().PutStr(genai.AttrOutputMessages, message("assistant", answer))
		}
	}
	r := newRig(t, func(c *Config) { c.Drift.Types = []string{"input_drift", "output_drift"} })
	g := newDriftTraffic(35)
	g.change = texts("what is the best way to cook rice for you", "the best way is with a lot of water")
	require.Empty(t, driftsOf(r.send(g.calls(learned)...)))
	g.change = texts("wie koche ich Reis, ist das nicht zu viel für mich", "I'm sorry, but I can't help with that and you have to ask")
	list := driftsOf(r.send(g.calls(3000)...))
	require.Len(t, list, 2)
	by := map[anomaly.Type]anomaly.Anomaly{list[0].Type: list[0], list[1].Type: list[1]}
	assert.Equal(t, "prompt_language_psi", by[anomaly.TypeInputDrift].Details.Metric)
	assert.Equal(t, "refusal_psi", by[anomaly.TypeOutputDrift].Details.Metric)
	assert.NotEmpty(t, by[anomaly.TypeInputDrift].Context.Additional[contextCategory])
}

func TestTypesOfDriftAreSwitchedOff(t *testing.T) {
	for _, typ := range driftTypes {
		r := newRig(t, func(c *Config) { c.Drift.Types = []string{typ} })
		g := newDriftTraffic(36)
		g.change = withTexts(refundWords)
		r.send(g.calls(learned)...)
		g.input, g.output, g.perToken = 900, 450, 40
		g.change = withTexts(codeWords)
		list := driftsOf(r.send(g.calls(3000)...))
		require.NotEmpty(t, list, typ)
		for _, a := range list {
			assert.EqualValues(t, typ, a.Type)
		}
	}
	r := newRig(t, func(c *Config) { c.Drift.Types = []string{} })
	assert.Negative(t, driftIndex(r.eng))
	r = newRig(t, func(c *Config) { c.Drift.Text = false })
	g := newDriftTraffic(37)
	g.change = withTexts(refundWords)
	r.send(g.calls(learned)...)
	g.change = withTexts(codeWords)
	assert.Empty(t, driftsOf(r.send(g.calls(3000)...)), "text")
}

func TestFailedAndLateCallsDriftNothing(t *testing.T) {
	r := newRig(t, nil)
	g := newDriftTraffic(38)
	r.send(g.calls(learned)...)
	at := g.at
	g.input, g.output = 2000, 2000
	failed := g.calls(2000)
	for i := range failed {
		failed[i].failed = true
	}
	assert.Empty(t, driftsOf(r.send(failed...)))
	g.at = at
	late := g.calls(50)
	for i := range late {
		late[i].end = at.Add(-time.Hour)
	}
	assert.Empty(t, driftsOf(r.send(late...)))
}

// The rule by itself, on calls without texts.
func BenchmarkDriftCall(b *testing.B) {
	r, batch, calls := driftCalls(b)
	st := r.newState()
	var found []finding
	i := 0
	b.ReportAllocs()
	cpu := cpuNanos()
	for b.Loop() {
		batch.event, batch.at = &calls[i%len(calls)], batch.at+int64(time.Second)/10
		found = r.call(batch, st, false, found[:0])
		i++
	}
	b.ReportMetric((cpuNanos()-cpu)/float64(b.N), "cpu-ns/op")
}

// BenchmarkDriftText reads the texts of a call of 2 KB each time.
func BenchmarkDriftText(b *testing.B) {
	r, batch, calls := driftCalls(b)
	text := strings.Repeat(sentence(codeWords, 3)+" ", 14)
	batch.from.span.Attributes().PutStr(genai.AttrInputMessages, message("user", text))
	batch.from.span.Attributes().PutStr(genai.AttrOutputMessages, message("assistant", text))
	batch.event = &calls[0]
	st := r.newState().(*driftState)
	b.ReportAllocs()
	cpu := cpuNanos()
	for b.Loop() {
		batch.at += int64(5 * time.Second)
		r.text(batch, st, nil)
	}
	b.ReportMetric((cpuNanos()-cpu)/float64(b.N), "cpu-ns/op")
}

// driftCalls are the events of calls, and a batch to show them in.
func driftCalls(tb testing.TB) (*driftRule, *batch, []genai.Event) {
	tb.Helper()
	rg := newRig(tb, nil)
	g := newDriftTraffic(41)
	g.change = func(_ uint64, s ptrace.Span) { finishReason("stop")(s) }
	var events []genai.Event
	b := &batch{engine: rg.eng, at: epoch.UnixNano()}
	td := traces(g.calls(1000)...)
	for s := range spans(td) {
		var ev genai.Event
		rg.eng.extractor.FromSpan(nil, pcommon.NewInstrumentationScope(), s, &ev)
		events = append(events, ev)
		b.from = origin{resource: td.ResourceSpans().At(0).Resource(), scope: pcommon.NewInstrumentationScope(), span: s}
	}
	return rg.eng.rules[driftIndex(rg.eng)].(*driftRule), b, events
}

func TestTheSteadyStateAllocatesNothing(t *testing.T) {
	r, b, calls := driftCalls(t)
	st := r.newState()
	i := 0
	step := func() {
		b.event, b.at = &calls[i%len(calls)], b.at+int64(time.Second)
		_ = r.call(b, st, false, nil)
		i++
	}
	for range 5000 {
		step()
	}
	assert.Zero(t, testing.AllocsPerRun(2000, step))
}
