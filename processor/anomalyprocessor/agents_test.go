package anomalyprocessor

import (
	"bufio"
	"compress/gzip"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
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

// toolSpans makes batches of one tool span each of one trace; a call is written
// tool/arguments/result.
type toolSpans struct {
	trace byte
	next  uint64
	at    time.Time
}

func (g *toolSpans) batch(spec string) ptrace.Traces {
	parts := strings.Split(spec, "/")
	td := ptrace.NewTraces()
	rs := td.ResourceSpans().AppendEmpty()
	rs.Resource().Attributes().PutStr(genai.AttrServiceName, "chat-api")
	s := rs.ScopeSpans().AppendEmpty().Spans().AppendEmpty()
	g.next++
	if g.at.IsZero() {
		g.at = epoch
	}
	g.at = g.at.Add(time.Second)
	s.SetName("execute_tool " + parts[0])
	s.SetTraceID(pcommon.TraceID{9, g.trace})
	var id pcommon.SpanID
	binary.BigEndian.PutUint64(id[:], g.next)
	s.SetSpanID(id)
	s.SetEndTimestamp(pcommon.NewTimestampFromTime(g.at))
	a := s.Attributes()
	a.PutStr(genai.AttrOperationName, genai.OperationExecuteTool)
	a.PutStr(genai.AttrToolName, parts[0])
	if len(parts) > 1 && parts[1] != "" {
		a.PutStr("gen_ai.tool.call.arguments", parts[1])
	}
	if len(parts) > 2 {
		a.PutStr("gen_ai.tool.call.result", parts[2])
	}
	return td
}

// run sends the calls and returns the anomalies and, for each, its position.
func (g *toolSpans) run(r *rig, calls ...string) (found []anomaly.Anomaly, at []int) {
	for i, c := range calls {
		for _, a := range marked(r.sendTraces(g.batch(c))) {
			found = append(found, a)
			at = append(at, i)
		}
	}
	return found, at
}

func repeat(n int, calls ...string) (out []string) {
	for range n {
		out = append(out, calls...)
	}
	return out
}

func TestLoopsOfToolCalls(t *testing.T) {
	for name, tc := range map[string]struct {
		calls []string
		at    int // of the first anomaly
		limit float64
	}{
		"the same call":                  {repeat(5, "weather/paris/21"), 2, 3},
		"the same call, results unknown": {repeat(6, "weather/paris"), 4, 5},
		"a cycle of two":                 {repeat(4, "a/1/x", "b/2/y"), 5, 3},
		"a cycle of three":               {repeat(4, "a/1/x", "b/2/y", "c/3/z"), 8, 3},
		"in no order":                    {[]string{"a/1/x", "b/2/y", "a/1/x", "c/5/z", "d/1/1", "a/1/x", "e/1/1", "a/1/x", "f/1/1", "a/1/x"}, 9, 5},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, nil)
			found, at := (&toolSpans{}).run(r, tc.calls...)
			require.NotEmpty(t, found)
			assert.Equal(t, tc.at, at[0])
			a := found[0]
			assert.Equal(t, anomaly.TypeCostAnomaly, a.Type)
			assert.Equal(t, "agent_loop", a.Details.Metric)
			assert.Equal(t, methodLoop, a.Method)
			assert.InDelta(t, tc.limit, a.Details.Threshold, 0)
			assert.Contains(t, a.RootCause, fmt.Sprintf(" (limit %g", tc.limit))
			assert.Equal(t, strings.Split(tc.calls[at[0]], "/")[0], a.Context.Additional[contextTool])
			assert.True(t, a.Time.After(epoch))
			for _, text := range append(a.Remediation, a.RootCause) {
				assert.NotContains(t, text, "paris", "arguments are never told")
			}
		})
	}
}

func TestLegitimateRepetitionIsNoLoop(t *testing.T) {
	var paging, polling, research, unknown []string
	for i := range 40 {
		paging = append(paging, fmt.Sprintf("list/page=%d/rows %d", i, i))
		polling = append(polling, fmt.Sprintf("status/job=7/progress %d", i))
		research = append(research, fmt.Sprintf("search/q%d/hits", i), fmt.Sprintf("fetch/u%d/text", i))
		unknown = append(unknown, "bash") // neither arguments nor results are known
	}
	for name, calls := range map[string][]string{
		"paging": paging, "polling": polling, "research": research, "contents unknown": unknown,
		"two in a row": {"a/1/x", "a/1/x", "b/1/x", "c/1/x", "a/1/x", "a/1/x"},
	} {
		t.Run(name, func(t *testing.T) {
			found, _ := (&toolSpans{}).run(newRig(t, nil), calls...)
			assert.Empty(t, found)
		})
	}
	r := newRig(t, func(c *Config) { c.Agents.IgnoreTools = []string{"Wait"} })
	found, _ := (&toolSpans{}).run(r, repeat(20, "wait/1/ok")...)
	assert.Empty(t, found)
}

func TestALoopIsToldAgainOnlyWhenItIsWorse(t *testing.T) {
	r := newRig(t, nil)
	found, at := (&toolSpans{}).run(r, repeat(200, "a/1/x")...)
	assert.Equal(t, []int{2, 9, 49}, at)
	for i, s := range []anomaly.Severity{anomaly.SeverityMedium, anomaly.SeverityHigh, anomaly.SeverityCritical} {
		assert.Equal(t, s, found[i].Severity)
		assert.Equal(t, found[0].Context.Additional[contextOnset], found[i].Context.Additional[contextOnset])
	}
	assert.EqualValues(t, 195, r.counter("anomalies_suppressed_total", "reason", "ongoing"))
}

func TestConversationsDoNotMix(t *testing.T) {
	r := newRig(t, nil)
	var gens [20]toolSpans
	for i := range gens {
		gens[i].trace, gens[i].next = byte(i), uint64(i)*1000
	}
	for range 2 {
		for i := range gens {
			found, _ := gens[i].run(r, "a/1/x")
			assert.Empty(t, found)
		}
	}
}

func TestToolSpansThatAreDeliveredAgainAreOneCall(t *testing.T) {
	r := newRig(t, nil)
	g := &toolSpans{}
	for range 2 {
		td := g.batch("a/1/x")
		for range 3 {
			again := ptrace.NewTraces()
			td.CopyTo(again)
			require.Empty(t, marked(r.sendTraces(again)))
		}
	}
	td := g.batch("a/1/x")
	again := ptrace.NewTraces()
	td.CopyTo(again)
	first := marked(r.sendTraces(td))
	require.Len(t, first, 1)
	second := marked(r.sendTraces(again))
	require.Len(t, second, 1)
	assert.Equal(t, first[0].ID, second[0].ID, "the mark is the same")
	assert.Equal(t, first[0].RootCause, second[0].RootCause)
}

// Two instrumentations write a span each for one tool call, one inside the other.
func TestNestedSpansOfOneToolCallAreOneCall(t *testing.T) {
	r := newRig(t, nil)
	g := &toolSpans{}
	for range 2 {
		inner, outer := g.batch("a/1/x"), g.batch("a/1/x")
		span := func(td ptrace.Traces) ptrace.Span { return td.ResourceSpans().At(0).ScopeSpans().At(0).Spans().At(0) }
		span(inner).SetParentSpanID(span(outer).SpanID())
		require.Empty(t, marked(r.sendTraces(inner)))
		require.Empty(t, marked(r.sendTraces(outer)))
	}
	assert.NotEmpty(t, marked(r.sendTraces(g.batch("a/1/x"))), "the third call")
}

// converse sends n calls of one conversation, each in a trace of its own.
func converse(r *rig, g *traffic, id string, n int, clock *time.Time) (found []anomaly.Anomaly) {
	for range n {
		c := g.with(func(c *call) {
			c.change = func(s ptrace.Span) { s.Attributes().PutStr(genai.AttrConversationID, id) }
		})
		found = append(found, marked(r.send(c))...)
		*clock = clock.Add(time.Second)
		r.setClock(*clock)
	}
	return found
}

func TestAConversationLargerThanNormalIsReportedOnce(t *testing.T) {
	r, g := newRig(t, quiet), newTraffic(21)
	clock := epoch.Add(24 * time.Hour)
	rng := rand.New(rand.NewPCG(1, 1))
	for i := range 80 {
		require.Empty(t, converse(r, g, fmt.Sprint("c", i), 3+rng.IntN(10), &clock))
	}
	clock = clock.Add(time.Hour)
	r.setClock(clock)
	r.eng.conversations.sweep(clock)
	// Which 64 of the 80 are the reference depends on their places in the table,
	// which are random: the limits are between 60 and 400 calls.
	found := converse(r, g, "runaway", 1000, &clock)
	require.Len(t, found, 2)
	assert.ElementsMatch(t, []string{"conversation_calls", "conversation_tokens"}, metricsOf(found))
	for _, a := range found {
		assert.Equal(t, anomaly.TypeCostAnomaly, a.Type)
		assert.Equal(t, "runaway", a.Context.Additional[contextConversation])
		assert.Positive(t, a.Details.Additional["conversation_cost_usd"])
		assert.Greater(t, a.Details.Value, a.Details.Threshold)
	}
	assert.EqualValues(t, 80, r.counter("conversations_evicted_total", "reason", "idle"))
}

func TestConversationsAreNotJudgedWithoutOthers(t *testing.T) {
	r, g := newRig(t, quiet), newTraffic(22)
	clock := epoch.Add(24 * time.Hour)
	assert.Empty(t, converse(r, g, "first", 500, &clock))
}

// Sizes that spread widely, log-normal with sigma 1.2, raise no alarm once there
// are some.
func TestNormalConversationsRaiseNoAlarm(t *testing.T) {
	cfg := createDefaultConfig().(*Config)
	c, err := newConversations(cfg)
	require.NoError(t, err)
	rng := rand.New(rand.NewPCG(3, 3))
	alarms, n := 0, 0
	for s := range 50 {
		service := fmt.Sprint("s", s)
		for i := range 2000 {
			size := int64(6 * exp(1.2*rng.NormFloat64()))
			if _, limit, _, ok := c.expect(service, sizeCalls); ok && i > 64 {
				n++
				if float64(size) > max(limit, float64(cfg.Agents.MinCalls)) {
					alarms++
				}
			}
			c.learn(&conversation{calls: uint32(max(size, 2)), tokens: size * 700, detail: &conversationDetail{service: service}}, int64(i))
		}
	}
	t.Logf("%d alarms on %d conversations", alarms, n)
	assert.LessOrEqual(t, alarms, 3)
}

func TestTracesOfOneCallDriveNoConversationOut(t *testing.T) {
	r, g := newRig(t, func(c *Config) { quiet(c); c.Agents.MaxConversations = 64 }), newTraffic(23)
	clock := epoch.Add(24 * time.Hour)
	converse(r, g, "kept", 5, &clock)
	for _, c := range g.calls(2000) {
		r.send(c)
	}
	assert.EqualValues(t, 0, r.counter("conversations_evicted_total", "reason", "capacity"))
	assert.LessOrEqual(t, r.counter("conversations"), int64(64))
	for i := range 200 {
		converse(r, g, fmt.Sprint("more", i), 3, &clock)
	}
	assert.Positive(t, r.counter("conversations_evicted_total", "reason", "capacity"))
}

// recordings are real exports, one request a line.
func recordings(t *testing.T, pattern string) map[string][]ptrace.Traces {
	t.Helper()
	root := os.Getenv("SENTINEL_DATA")
	if root == "" {
		root = filepath.Join("..", "..", "..", "shared", "data")
	}
	files, err := filepath.Glob(filepath.Join(root, "otlp-samples", pattern))
	require.NoError(t, err)
	if len(files) == 0 {
		t.Skipf("SKIPPED: the recordings are not there; set SENTINEL_DATA to the folder that holds otlp-samples (looked in %s)", root)
	}
	out := map[string][]ptrace.Traces{}
	for _, file := range files {
		f, err := os.Open(file)
		require.NoError(t, err)
		var in io.Reader = f
		if strings.HasSuffix(file, ".gz") {
			in, err = gzip.NewReader(f)
			require.NoError(t, err)
		}
		lines := bufio.NewReader(in)
		for {
			line, err := lines.ReadBytes('\n')
			if len(line) > 1 {
				td, uerr := (&ptrace.JSONUnmarshaler{}).UnmarshalTraces(line)
				require.NoError(t, uerr)
				out[filepath.Base(file)] = append(out[filepath.Base(file)], td)
			}
			if err != nil {
				break
			}
		}
		require.NoError(t, f.Close())
	}
	return out
}

func TestTheRecordedRunawayAgentIsFoundEarly(t *testing.T) {
	for name, list := range recordings(t, "google-adk-runaway-tool-loop.traces.jsonl*") {
		r := newRig(t, nil)
		r.setClock(time.Now().Add(24 * time.Hour))
		tools, first := 0, 0
		var found []anomaly.Anomaly
		for _, td := range list {
			for span := range spans(td) {
				if v, ok := span.Attributes().Get(genai.AttrOperationName); ok && v.Str() == genai.OperationExecuteTool {
					tools++
				}
			}
			if list := loops(r.sendTraces(td)); len(list) > 0 && first == 0 {
				found, first = list, tools
			}
		}
		require.NotEmpty(t, found, name)
		assert.Equal(t, 500, tools)
		for _, a := range found {
			t.Logf("%s: %s, %v", a.Severity, a.RootCause, a.Context.Additional)
		}
		assert.Equal(t, 3., found[0].Details.Value, "at the third call")
		assert.Equal(t, "get_weather", found[0].Context.Additional[contextTool])
		assert.Equal(t, anomaly.SeverityCritical, found[2].Severity)
		assert.NotEmpty(t, found[1].Context.Additional[contextConversation])
		assert.Positive(t, found[2].Details.Additional["conversation_tokens"])
	}
}

func loops(found [][]anomaly.Anomaly) (list []anomaly.Anomaly) {
	for _, a := range marked(found) {
		if a.Method == methodLoop || strings.HasPrefix(a.Details.Metric, "conversation_") {
			list = append(list, a)
		}
	}
	return list
}

func TestOtherRecordingsHoldNoRunawayAgent(t *testing.T) {
	n := 0
	for name, list := range recordings(t, "*.traces.jsonl") {
		r := newRig(t, nil)
		r.setClock(time.Now().Add(24 * time.Hour))
		for _, td := range list {
			assert.Empty(t, loops(r.sendTraces(td)), name)
			n++
		}
	}
	assert.Greater(t, n, 10)
}
