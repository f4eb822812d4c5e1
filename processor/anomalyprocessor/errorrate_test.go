package anomalyprocessor

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/llm-devops/llm-sentinel/internal/anomaly"
	"github.com/llm-devops/llm-sentinel/internal/genai"
	"github.com/llm-devops/llm-sentinel/internal/series"
)

// fails makes a failed call of one type, as a client sees it that got no answer.
func fails(kind string) func(*call) {
	return func(c *call) {
		c.failed, c.latencyMS, c.ttftMS, c.input, c.output, c.cost = true, 30, -1, -1, -1, -1
		change := c.change
		c.change = func(s ptrace.Span) {
			if change != nil {
				change(s)
			}
			s.Attributes().PutStr(genai.AttrErrorType, kind)
		}
	}
}

// answeredBy makes the calls that succeed name another model than was asked for.
func answeredBy(model string) func(*call) {
	return func(c *call) {
		c.change = func(s ptrace.Span) { s.Attributes().PutStr(genai.AttrResponseModel, model) }
	}
}

func ofType(found []anomaly.Anomaly, typ anomaly.Type) (out []anomaly.Anomaly) {
	for i := range found {
		if found[i].Type == typ {
			out = append(out, found[i])
		}
	}
	return out
}

func TestErrorBurstIsMarkedOnTheFailedCall(t *testing.T) {
	r := newRig(t, nil)
	g := newTraffic(41)
	g.model = "gpt-4o"
	var normal []call
	for range 1000 {
		normal = append(normal, g.with(answeredBy("gpt-4o-2024-08-06")))
	}
	require.Empty(t, marked(r.send(normal...)))
	require.Empty(t, marked(r.send(g.with(fails("timeout")))), "one failed call is no alarm")
	for range 20 {
		require.Empty(t, marked(r.send(g.with(answeredBy("gpt-4o-2024-08-06")))))
	}

	var first []anomaly.Anomaly
	var onset time.Time
	for i, failed := range []bool{true, false, true, true, false, true, false, true, true, false} {
		change := answeredBy("gpt-4o-2024-08-06")
		if failed {
			change = fails("429")
		}
		c := g.with(change)
		if i == 0 {
			onset = c.end
		}
		if first = marked(r.send(c)); len(first) > 0 {
			require.True(t, failed, "the mark is on a failed call")
			break
		}
	}
	a := one(t, first)
	assert.Equal(t, anomaly.TypeErrorRateIncrease, a.Type)
	assert.Equal(t, "error_rate", a.Details.Metric)
	assert.Equal(t, anomaly.Method("error_burst"), a.Method)
	assert.Equal(t, "gpt-4o-2024-08-06", a.Model, "the series of the model that answers")
	assert.Equal(t, "gpt-4o", a.Context.Additional["request_model"])
	assert.Equal(t, onset.Format(time.RFC3339Nano), a.Context.Additional["onset"])
	assert.Greater(t, a.Details.Value, .5)
	assert.Less(t, a.Details.Baseline, .01)
	assert.Greater(t, a.Details.Threshold, a.Details.Baseline)
	assert.LessOrEqual(t, a.Details.Threshold, a.Details.Value)
	assert.InDelta(t, a.Details.Value, a.Details.Additional["errors"]/a.Details.Additional["requests"], 1e-9)
	assert.Equal(t, "429", a.Context.Additional["error_type"])
	assert.Contains(t, a.RootCause, "calls failed since")
	assert.Contains(t, a.RootCause, "error types: 429 4")
	require.Len(t, a.Remediation, 1)
	assert.Contains(t, a.Remediation[0], "quota")
	assert.NotEmpty(t, a.Context.SpanID)
	assert.EqualValues(t, 1, r.counter("anomalies_detected_total", "detector", "error_burst", "type", "error_rate_increase"))
}

func TestSeriesThatNeverWorkedAlarms(t *testing.T) {
	r := newRig(t, nil)
	g := newTraffic(42)
	var found []anomaly.Anomaly
	for range 200 {
		found = append(found, marked(r.send(g.with(fails("AuthenticationError"))))...)
	}
	require.Len(t, found, 3, "as medium, high and critical, then no more")
	for i := range found {
		assert.Equal(t, anomaly.Severity(i+2), found[i].Severity)
		assert.Equal(t, "gpt-4", found[i].Model)
	}
	assert.EqualValues(t, 193, r.counter("anomalies_suppressed_total", "reason", "ongoing"))
	assert.Zero(t, r.counter("baselines_rebased_total", "metric", "error_rate"))
	var ends []anomaly.Resolution
	for range 400 {
		found = append(found, marked(r.send(g.with(fails("AuthenticationError"))))...)
		ends = append(ends, r.sentEnds()...)
	}
	require.Len(t, ends, 1)
	assert.Equal(t, anomaly.EndRebased, ends[0].Reason)
	assert.Len(t, ends[0].IDs, 3)
	assert.Greater(t, ends[0].Baseline, .9)
	assert.Len(t, found, 3)
	assert.EqualValues(t, 1, r.counter("baselines_rebased_total", "metric", "error_rate"), "an hour makes it normal, and that is counted")
}

func TestErrorRateCanBeSwitchedOffAndTuned(t *testing.T) {
	alarm := func(change func(*Config)) int {
		r := newRig(t, change)
		g := newTraffic(43)
		r.send(g.calls(200)...)
		for i := range 60 {
			if len(marked(r.send(g.with(fails("500"))))) > 0 {
				return i + 1
			}
		}
		return 0
	}
	assert.Equal(t, 5, alarm(nil))
	assert.Zero(t, alarm(func(c *Config) { c.ErrorRate.Enabled = false }))
	assert.Equal(t, 12, alarm(func(c *Config) { c.ErrorRate.MinRequests = 12 }))
	assert.Less(t, alarm(func(c *Config) { c.ErrorRate.MinRequests = 1 }), 5)
	assert.Greater(t, alarm(func(c *Config) { c.ErrorRate.PriorRate = .4 }), 5)
	assert.Greater(t, alarm(func(c *Config) { c.ErrorRate.FalseAlarms = 1e-12 }), 5)
	assert.Equal(t, 12, alarm(func(c *Config) { c.MinSeverity = anomaly.SeverityCritical }))
}

func TestLateFailedCallsDoNotAlarm(t *testing.T) {
	r := newRig(t, nil)
	g := newTraffic(44)
	r.send(g.calls(200)...)
	for range 30 {
		require.Empty(t, marked(r.send(g.with(func(c *call) { fails("500")(c); c.end = c.end.Add(-time.Hour) }))))
	}
}

func TestErrorBurstGoesOnAfterARestart(t *testing.T) {
	mem := newMemStorage()
	r := newRigOn(t, testHost{storageID: mem}, withStorage(nil))
	g := newTraffic(45)
	r.send(g.calls(500)...)
	var bad []call
	for range 40 {
		bad = append(bad, g.with(fails("500")))
	}
	require.Len(t, ofType(marked(r.sendEach(bad)), anomaly.TypeErrorRateIncrease), 3)
	require.NoError(t, r.eng.snapshots.save(t.Context()))
	again := newRigOn(t, testHost{storageID: mem}, withStorage(nil))
	for range 40 {
		require.Empty(t, marked(again.send(g.with(fails("500")))), "nothing is news")
	}
}

func TestErrorTypesLeadToAdvice(t *testing.T) {
	for kind, want := range map[string]string{
		"429": "quota", "RateLimitError": "quota", "timeout": "in time", "APITimeoutError": "in time", "content_filter": "filter",
		"AuthenticationError": "credentials", "500": "fails", "InternalServerError": "fails", "model_not_found": "does not know",
		"APIConnectionError": "not reached", "BadRequestError": "malformed", "context_length_exceeded": "longer",
	} {
		lines := errorRemediation(kind)
		require.Len(t, lines, 1, kind)
		assert.Contains(t, lines[0], want, kind)
	}
	assert.Empty(t, errorRemediation("Kaputt"))
}

func TestAliasesFollowTheLastAnswer(t *testing.T) {
	a := newAliases()
	answer := func(service, asked, answered string) string {
		a.note(service, asked, answered)
		return a.model(&genai.Event{Service: service, RequestModel: asked, ResponseModel: answered})
	}
	failed := func(service, asked string) string {
		return a.model(&genai.Event{Service: service, RequestModel: asked, Failed: true})
	}
	assert.Equal(t, "gpt-4o", failed("a", "gpt-4o"), "nothing is known")
	assert.Equal(t, "gpt-4o-2024-08-06", answer("a", "gpt-4o", "gpt-4o-2024-08-06"))
	assert.Equal(t, "gpt-4o-2024-08-06", failed("a", "gpt-4o"))
	assert.Equal(t, "gpt-4o", failed("b", "gpt-4o"), "another service is another series")
	assert.Equal(t, "gpt-4o-2024-11-20", answer("a", "gpt-4o", "gpt-4o-2024-11-20"))
	assert.Equal(t, "gpt-4o-2024-11-20", failed("a", "gpt-4o"), "the last answer counts")
	answer("a", "gpt-4o", "gpt-4o-2024-08-06")
	assert.Equal(t, "gpt-4o-2024-08-06", failed("a", "gpt-4o"))
	answer("a", "gpt-4o", "gpt-4o")
	assert.Equal(t, "gpt-4o", failed("a", "gpt-4o"), "a gateway that no longer translates names")
	assert.Equal(t, "known", a.model(&genai.Event{Service: "a", RequestModel: "gpt-4o", ResponseModel: "known", Failed: true}), "a failed call that names its model")
	for i := range 50 {
		name := fmt.Sprint("model-", i)
		answer("router", "auto", name)
		assert.Equal(t, name, failed("router", "auto"))
	}
}

func TestAliasesAreBounded(t *testing.T) {
	a := newAliases()
	for i := range 100_000 {
		ev := genai.Event{Service: "s", RequestModel: fmt.Sprint("m", i), Failed: true}
		a.note("s", ev.RequestModel, fmt.Sprint("r", i))
		require.Equal(t, fmt.Sprint("r", i), a.model(&ev), "the newest is there")
	}
	n := 0
	for i := range a.slots {
		if a.slots[i].Load() != nil {
			n++
		}
	}
	assert.LessOrEqual(t, n, aliasSlots)
}

func TestAliasesKeepNoTelemetryAlive(t *testing.T) {
	a := newAliases()
	text := string([]byte("svc|asked|answered"))
	e := a.note(text[:3], text[4:9], text[10:])
	assert.NotSame(t, unsafe.StringData(text), unsafe.StringData(e.service))
	assert.NotSame(t, unsafe.StringData(text[4:]), unsafe.StringData(e.request))
	assert.NotSame(t, unsafe.StringData(text[10:]), unsafe.StringData(e.answered[0]))
}

func TestAliasesAreSafeForConcurrentUse(t *testing.T) {
	a := newAliases()
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for i := range 2000 {
				asked := fmt.Sprint("m", i%50)
				a.note("s", asked, fmt.Sprint(asked, "-", w))
				got := a.model(&genai.Event{Service: "s", RequestModel: asked, Failed: true})
				assert.True(t, strings.HasPrefix(got, asked))
			}
		})
	}
	wg.Wait()
}

func TestAliasesCostNothingInTheSteadyState(t *testing.T) {
	r := newRig(t, nil)
	ent, key := &entry{}, &series.Key{Service: "chat-api", Model: "gpt-4o-2024-08-06"}
	b := &batch{engine: r.eng, model: key.Model}
	b.event = &genai.Event{Service: "chat-api", RequestModel: "gpt-4o", ResponseModel: "gpt-4o-2024-08-06"}
	failed := genai.Event{Service: "chat-api", RequestModel: "gpt-4o", Failed: true}
	assert.Zero(t, testing.AllocsPerRun(1000, func() {
		b.at += int64(time.Second)
		b.noteAnswer(ent, key)
		b.aliases.model(&failed)
	}))
	assert.Equal(t, key.Model, b.aliases.model(&failed))
}

func TestRollbackOfAModelIsFollowed(t *testing.T) {
	r := newRig(t, nil)
	g := newTraffic(46)
	for _, answered := range []string{"old", "new", "old"} {
		for range 20 {
			r.send(g.with(answeredBy(answered)))
		}
		assert.Equal(t, answered, r.eng.aliases.model(&genai.Event{Service: g.service, RequestModel: g.model, Failed: true}))
	}
}

func BenchmarkAliases(b *testing.B) {
	r := newRig(b, nil)
	ent, key := &entry{}, &series.Key{Service: "chat-api", Model: "gpt-4o-2024-08-06"}
	bt := &batch{engine: r.eng, model: key.Model}
	bt.event = &genai.Event{Service: "chat-api", RequestModel: "gpt-4o", ResponseModel: "gpt-4o-2024-08-06"}
	for b.Loop() {
		bt.at += int64(100 * time.Millisecond)
		bt.noteAnswer(ent, key)
	}
}
