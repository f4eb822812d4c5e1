package anomalyprocessor

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"

	"github.com/llm-devops/llm-sentinel/internal/anomaly"
	"github.com/llm-devops/llm-sentinel/internal/genai"
	"github.com/llm-devops/llm-sentinel/internal/store"
)

var hostID = component.MustNewIDWithName("llm_storage", "main")

// hostExtension is an extension that hosts engines, in memory.
type hostExtension struct {
	component.StartFunc
	component.ShutdownFunc

	refuse error
	past   []store.Feedback

	mu      sync.Mutex
	engines []store.Engine
}

var _ store.EngineHost = (*hostExtension)(nil)

func (h *hostExtension) RegisterEngine(_ context.Context, e store.Engine) (func(), error) {
	if h.refuse != nil {
		return nil, h.refuse
	}
	for _, f := range h.past {
		e.Learn(f)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.engines = append(h.engines, e)
	return func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.engines = slices.DeleteFunc(h.engines, func(o store.Engine) bool { return o == e })
	}, nil
}

func (h *hostExtension) GiveFeedback(_ context.Context, f store.Feedback) error {
	for _, e := range h.engines {
		e.Learn(f)
	}
	return nil
}

func (h *hostExtension) LiveBaselines(func(string, store.Baseline) bool) {}

func withHost(change func(*Config)) func(*Config) {
	return func(c *Config) {
		c.LLMStorage = &hostID
		if change != nil {
			change(c)
		}
	}
}

// taughtRig is a processor that people can talk to.
func taughtRig(t testing.TB, change func(*Config)) *rig {
	t.Helper()
	return newRigOn(t, testHost{hostID: &hostExtension{}}, withHost(change))
}

// verdictOn is what the API makes of a verdict on an anomaly, given now.
func (r *rig) verdictOn(a *anomaly.Anomaly, v store.Verdict) store.Feedback {
	f := store.Feedback{
		ID: uuid.New(), Time: r.eng.now(), AnomalyID: a.ID, Verdict: v,
		Service: a.Service, Model: a.Model, Type: a.Type, Method: a.Method, Metric: a.Details.Metric,
		Value: a.Details.Value, Baseline: a.Details.Baseline,
	}
	if v == store.VerdictMute {
		f.Until = f.Time.Add(24 * time.Hour)
	}
	return f
}

// say gives a verdict, a second after the last one.
func (r *rig) say(a *anomaly.Anomaly, v store.Verdict) {
	r.t.Helper()
	r.setClock(r.eng.now().Add(time.Second))
	require.NoError(r.t, r.host.GetExtensions()[hostID].(store.EngineHost).GiveFeedback(context.Background(), r.verdictOn(a, v)))
}

// settle sends calm traffic for longer than the cool-down.
func (r *rig) settle(g *traffic) {
	r.t.Helper()
	require.Empty(r.t, marked(r.send(g.calls(60)...)))
}

// lasting makes a call take a time in ms.
func lasting(ms float64) func(*call) { return func(c *call) { c.latencyMS = ms } }

func TestWhatWasCalledFalseIsNotMarkedAgain(t *testing.T) {
	r := taughtRig(t, nil)
	g := newTraffic(70)
	r.send(g.calls(200)...)
	a := one(t, r.send(g.with(lasting(8000)))[0])
	r.settle(g)
	require.Len(t, marked(r.send(g.with(lasting(8000)))), 1, "nobody has said anything yet")
	r.settle(g)

	r.say(&a, store.VerdictFalse)
	for _, ms := range []float64{8000, 8200, 8500} {
		assert.Empty(t, marked(r.send(g.with(lasting(ms)))), "%v ms", ms)
		r.settle(g)
	}
	assert.GreaterOrEqual(t, r.counter("anomalies_suppressed_total", "reason", "feedback"), int64(2), "the limits get wider, too, so that the last one may be within them")
	assert.EqualValues(t, 1, r.counter("feedback_total", "verdict", "false"))
	assert.EqualValues(t, 1, r.counter("feedback_verdicts"))

	b := one(t, r.send(g.with(lasting(40_000)))[0])
	assert.InDelta(t, 40_000, b.Details.Value, 1, "clearly worse is marked")
	r.settle(g)
	assert.Len(t, marked(r.send(g.with(func(c *call) { c.cost *= 10 }))), 1, "another metric is not concerned")
	other := newTraffic(71)
	other.service, other.at = "search", g.at
	r.send(other.calls(200)...)
	assert.Len(t, marked(r.send(other.with(lasting(8000)))), 1, "another service neither")
}

func TestClearlyWorseIsMarkedInTheSameEpisode(t *testing.T) {
	r := taughtRig(t, nil)
	g := newTraffic(72)
	r.send(g.calls(200)...)
	a := one(t, r.send(g.with(lasting(5000)))[0])
	r.settle(g)
	r.say(&a, store.VerdictFalse)
	require.Empty(t, marked(r.send(g.with(lasting(5000)))))
	assert.Len(t, marked(r.send(g.with(lasting(60_000)))), 1, "the next call, within what would be the cool-down")
	assert.Empty(t, marked(r.send(g.with(lasting(60_000)))), "which begins now")
}

func TestASpikeThatWasCalledFalseDoesNotHideALastingShift(t *testing.T) {
	r := taughtRig(t, nil)
	g := newTraffic(73)
	r.send(g.calls(200)...)
	spike := one(t, r.send(g.with(lasting(4000)))[0])
	r.settle(g)
	r.say(&spike, store.VerdictFalse)

	shift := func(factor float64) (first []anomaly.Anomaly, calls int) {
		for calls = range 60 {
			if found := marked(r.send(g.with(func(c *call) { c.latencyMS *= factor }))); len(found) > 0 {
				return ofType(found, anomaly.TypeLatencySpike), calls
			}
		}
		return nil, calls
	}
	found, calls := shift(4.5)
	require.Len(t, found, 1, "told")
	assert.Positive(t, calls, "not at the first call")
	assert.Contains(t, found[0].Details.Methods, anomaly.MethodCUSUM)
	for range 4 {
		r.settle(g)
	}

	// The level is what the verdict is about, whatever the call took that showed it.
	found[0].Details.Value = 1
	r.say(&found[0], store.VerdictFalse)
	again, _ := shift(3)
	assert.Empty(t, again)
}

func TestTrueUndoesWhatFalseDid(t *testing.T) {
	r := taughtRig(t, nil)
	g := newTraffic(74)
	r.send(g.calls(200)...)
	a := one(t, r.send(g.with(lasting(8000)))[0])
	r.settle(g)
	r.say(&a, store.VerdictFalse)
	require.Empty(t, marked(r.send(g.with(lasting(8000)))))
	r.settle(g)
	r.say(&a, store.VerdictTrue)
	assert.Len(t, marked(r.send(g.with(lasting(8000)))), 1)
}

func TestVerdictsFadeOverWeeks(t *testing.T) {
	r := taughtRig(t, nil)
	g := newTraffic(75)
	r.send(g.calls(200)...)
	a := one(t, r.send(g.with(lasting(8000)))[0])
	r.settle(g)
	said := r.eng.now()
	r.say(&a, store.VerdictFalse)
	for after, want := range map[int]int{6: 0, 20: 1} {
		r.setClock(said.Add(time.Duration(after) * 24 * time.Hour))
		assert.Len(t, marked(r.send(g.with(lasting(8000)))), want, "after %d days", after)
		r.settle(g)
	}
}

func TestMutedIsLearnedFromAndNotMarked(t *testing.T) {
	r := taughtRig(t, func(c *Config) { c.Drift.Types = nil })
	g := newTraffic(76)
	r.send(g.calls(200)...)
	a := one(t, r.send(g.with(lasting(8000)))[0])
	r.settle(g)
	r.say(&a, store.VerdictMute)
	for range 5 {
		assert.Empty(t, marked(r.send(g.with(func(c *call) { c.latencyMS, c.ttftMS = 90_000, 50_000 }))), "whatever the metric")
	}
	assert.Positive(t, r.counter("anomalies_suppressed_total", "reason", "muted"))
	assert.Len(t, marked(r.send(g.with(func(c *call) { c.cost *= 10 }))), 1, "another type is marked")

	for range 300 { // the new normal
		assert.Empty(t, ofType(marked(r.send(g.with(func(c *call) { c.latencyMS *= 8 }))), anomaly.TypeLatencySpike))
	}
	r.setClock(r.eng.now().Add(25 * time.Hour))
	for range 30 {
		assert.Empty(t, ofType(marked(r.send(g.with(func(c *call) { c.latencyMS *= 8 }))), anomaly.TypeLatencySpike), "it was learned")
	}
	assert.Len(t, ofType(marked(r.send(g.with(func(c *call) { c.latencyMS *= 80 }))), anomaly.TypeLatencySpike), 1, "the mute is over")
}

func TestTheEndOfWhatWasMarkedIsToldThoughItIsMutedMeanwhile(t *testing.T) {
	r := taughtRig(t, nil)
	g := newTraffic(77)
	r.send(g.calls(200)...)
	a := one(t, r.send(g.with(lasting(3200)))[0])
	r.say(&a, store.VerdictMute)
	require.Empty(t, marked(r.send(g.with(lasting(90_000)))), "more severe")
	ends := r.ends(g.calls(20)...)
	require.Len(t, ends, 1)
	assert.Equal(t, []uuid.UUID{a.ID}, ends[0].IDs)
}

func TestWhatIsNotMarkedHasNoEnd(t *testing.T) {
	r := taughtRig(t, nil)
	g := newTraffic(78)
	r.send(g.calls(200)...)
	a := one(t, r.send(g.with(lasting(8000)))[0])
	r.settle(g)
	r.say(&a, store.VerdictFalse)
	require.Empty(t, marked(r.send(g.with(lasting(8000)))))
	assert.Empty(t, r.ends(g.calls(30)...))
	ref, ok := r.eng.table.Find(keyOf(g))
	require.True(t, ok)
	assert.Empty(t, ref.Value.episodes, "nothing is left behind")
	ref.Release()
}

func TestAnErrorBurstThatWasCalledFalseIsToldWhenItGetsWorse(t *testing.T) {
	r := taughtRig(t, func(c *Config) {
		c.Metrics, c.Drift.Types = map[string]MetricConfig{"ttft_ms": {Enabled: ptr(false)}}, nil
	})
	g := newTraffic(79)
	g.step = time.Second
	r.send(g.calls(2000)...)
	burst := func(n int, every int) (found []anomaly.Anomaly) {
		for i := range n {
			change := func(*call) {}
			if i%every == 0 {
				change = fails("timeout")
			}
			found = append(found, ofType(marked(r.send(g.with(change))), anomaly.TypeErrorRateIncrease)...)
		}
		return found
	}
	first := burst(400, 12)
	require.Len(t, first, 1, "8 % fail")
	r.send(g.calls(1500)...)
	r.say(&first[0], store.VerdictFalse)
	assert.Empty(t, burst(400, 12), "the like of it")
	assert.NotEmpty(t, burst(100, 1), "all fail, in the same episode")
}

func TestSilenceCanBeMuted(t *testing.T) {
	silence := func(mute bool) (found []windowFinding, r *rig) {
		r = taughtRig(t, throughputOnly(nil))
		g := newTraffic(80)
		begin := epoch
		r.setClock(begin)
		for range 120 {
			calls := g.atRandom(60, time.Minute)
			r.setClock(g.at)
			r.send(calls...)
		}
		if mute {
			r.say(&anomaly.Anomaly{ID: uuid.New(), Service: g.service, Model: g.model, Type: anomaly.TypeThroughputDegradation}, store.VerdictMute)
		}
		r.setClock(g.at.Add(10 * time.Minute))
		return r.eng.pass(context.Background(), r.eng.now()), r
	}
	found, _ := silence(false)
	require.Len(t, found, 1)
	found, r := silence(true)
	assert.Empty(t, found)
	assert.EqualValues(t, 1, r.counter("anomalies_suppressed_total", "reason", "muted"))
}

func TestATrendThatWasCalledFalseIsNotMarked(t *testing.T) {
	traffic := func(said []anomaly.Anomaly) ([]anomaly.Anomaly, *rig) {
		r, g := taughtRig(t, onlyTrend), steady(1)
		send := func(n int, factor float64) []anomaly.Anomaly {
			var all [][]anomaly.Anomaly
			for range n {
				var calls []call
				for range 30 {
					calls = append(calls, g.with(wide(g, factor)))
				}
				all = append(all, r.send(calls...)...)
			}
			return trends(all)
		}
		require.Empty(t, send(400, 1))
		for i := range said {
			r.say(&said[i], store.VerdictFalse)
		}
		return send(15, 1.7), r
	}
	found, _ := traffic(nil)
	require.NotEmpty(t, found)
	again, r := traffic(found)
	assert.Empty(t, again)
	assert.Positive(t, r.counter("anomalies_suppressed_total", "reason", "feedback"))
}

func TestThreatsThatWereCalledFalseAreMarkedAgain(t *testing.T) {
	r, g := taughtRig(t, quiet), newTraffic(81)
	threat := func() []anomaly.Anomaly { return marked(r.send(g.attrs(genai.AttrPromptInjectionScore, .95))) }
	found := threat()
	require.Len(t, found, 1)
	r.say(&found[0], store.VerdictFalse)
	g.at = g.at.Add(time.Hour)
	require.Len(t, threat(), 1, "the next prompt is another one")
	g.at = g.at.Add(time.Hour)
	r.say(&found[0], store.VerdictMute)
	assert.Empty(t, threat())
	r.setClock(r.eng.now().Add(25 * time.Hour))
	assert.Len(t, threat(), 1, "at once when the mute is over: nobody was told")
}

func TestFeedbackSurvivesARestart(t *testing.T) {
	mem := newMemStorage()
	ext := &hostExtension{}
	host := testHost{storageID: mem, hostID: ext}
	g := newTraffic(82)
	var a anomaly.Anomaly
	run(t, host, withHost(nil), g.calls(200), func(r *rig) {
		r.host = host
		a = one(t, r.send(g.with(lasting(8000)))[0])
		r.settle(g)
		r.say(&a, store.VerdictFalse)
	})
	require.Empty(t, ext.engines, "the engine has left")
	run(t, host, withHost(nil), g.calls(100), func(r *rig) {
		assert.Empty(t, marked(r.send(g.with(lasting(8000)))))
		assert.Len(t, marked(r.send(g.with(lasting(80_000)))), 1)
	})

	mem.data[feedbackKey][7]++
	run(t, host, withHost(nil), g.calls(100), func(r *rig) {
		assert.EqualValues(t, 1, r.counter("snapshot_failures_total", "operation", "load"))
		assert.EqualValues(t, 1, r.counter("snapshot_restored_series"), "the baselines are not concerned")
		assert.Len(t, marked(r.send(g.with(lasting(8000)))), 1, "forgotten")
	})
}

func TestTheFeedbackOfThePastIsLearnedBeforeTheFirstCall(t *testing.T) {
	teacher := taughtRig(t, nil)
	g := newTraffic(83)
	teacher.send(g.calls(200)...)
	a := one(t, teacher.send(g.with(lasting(8000)))[0])
	f := teacher.verdictOn(&a, store.VerdictFalse)

	r := newRigOn(t, testHost{hostID: &hostExtension{past: []store.Feedback{f, f}}}, withHost(nil))
	assert.Zero(t, r.eng.table.Len())
	assert.EqualValues(t, 1, r.counter("feedback_total"), "once")
	g = newTraffic(83)
	r.send(g.calls(200)...)
	assert.Empty(t, marked(r.send(g.with(lasting(8000)))))
}

func TestTheHostMustBeThere(t *testing.T) {
	for name, c := range map[string]struct {
		host testHost
		want string
	}{
		"missing":      {testHost{}, `llm_storage: llm_storage extension not found: "llm_storage/main" is not among service::extensions`},
		"another kind": {testHost{hostID: newMemStorage()}, `llm_storage: extension hosts no detection engines: "llm_storage/main"`},
		"refuses":      {testHost{hostID: &hostExtension{refuse: errBroken}}, `llm_storage: register with "llm_storage/main": disk on fire`},
	} {
		r := buildRig(t, withHost(nil))
		require.EqualError(t, r.proc.Start(context.Background(), c.host), c.want, name)
		r.stop()
	}
}

func TestFeedbackAboutVeryLongNamesIsNotLearned(t *testing.T) {
	r := taughtRig(t, nil)
	a := anomaly.Anomaly{ID: uuid.New(), Service: strings.Repeat("s", 513), Type: anomaly.TypeLatencySpike}
	r.say(&a, store.VerdictMute)
	assert.Zero(t, r.eng.taught.Len())
	a.Service = a.Service[1:]
	r.say(&a, store.VerdictMute)
	assert.Equal(t, 1, r.eng.taught.Len())
}

func TestAnEngineWithoutAHostHearsNothing(t *testing.T) {
	r := newRig(t, nil)
	assert.Nil(t, r.eng.unregister)
	assert.Zero(t, r.eng.taught.Len())
}

// Those that learn, ask and judge do so at the same time.
func TestFeedbackAndBaselinesBesideTraffic(t *testing.T) {
	r := taughtRig(t, nil)
	g := newTraffic(84)
	var wg sync.WaitGroup
	wg.Go(func() {
		for range 50 {
			_, err := r.eng.processTraces(context.Background(), traces(g.calls(20)...))
			assert.NoError(t, err)
			_, err = r.eng.processTraces(context.Background(), traces(g.with(lasting(9000))))
			assert.NoError(t, err)
		}
	})
	wg.Go(func() {
		for i := range 200 {
			a := anomaly.Anomaly{ID: uuid.New(), Service: "chat-api", Model: "gpt-4", Type: anomaly.TypeLatencySpike, Method: anomaly.MethodMAD}
			a.Details.Metric, a.Details.Value, a.Details.Baseline = "latency_ms", float64(1000+i), 800
			r.eng.Learn(r.verdictOn(&a, store.VerdictFalse))
		}
	})
	wg.Go(func() {
		for range 50 {
			r.eng.Baselines(time.Time{}, func(b store.Baseline) bool { return assert.Positive(t, b.Expected) })
		}
	})
	wg.Wait()
	assert.Equal(t, 32, r.eng.taught.Len(), "the most of one service, model and type")
}

// Verdicts are looked at when something is found: what is normal costs nothing
// more, and what is kept back again and again allocates nothing either.
func TestFeedbackAllocatesNothing(t *testing.T) {
	r := taughtRig(t, func(c *Config) {
		c.MaxLateness, c.Drift.Types, c.Trend.Metrics, c.Agents.Enabled = 1e6*time.Hour, nil, nil, false
	})
	g := newTraffic(85)
	r.send(g.calls(200)...)
	a := one(t, r.send(g.with(lasting(8000)))[0])
	r.settle(g)
	r.say(&a, store.VerdictMute)
	perSpan := func(make func() call) float64 {
		allocs := func(n int) float64 {
			var calls []call
			for range n {
				calls = append(calls, make())
			}
			td := traces(calls...)
			return testing.AllocsPerRun(20, func() {
				_, err := r.eng.processTraces(context.Background(), td)
				require.NoError(t, err)
			})
		}
		return (allocs(200) - allocs(100)) / 100
	}
	assert.Less(t, perSpan(g.call), .05, "normal calls")
	assert.Less(t, perSpan(func() call { return g.with(lasting(8000)) }), .05, "calls that are muted")
	assert.Greater(t, r.counter("anomalies_suppressed_total", "reason", "muted"), int64(100))
}
