package anomalyprocessor

import (
	"context"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/llm-devops/llm-sentinel/internal/anomaly"
	"github.com/llm-devops/llm-sentinel/internal/detect"
	"github.com/llm-devops/llm-sentinel/internal/series"
)

// ends sends the calls, each in a batch of its own, and returns the ends that
// they carry and the time of the call with the first.
func (r *rig) ends(calls ...call) (out []anomaly.Resolution) {
	r.t.Helper()
	for i := range calls {
		r.send(calls[i])
		out = append(out, r.sentEnds()...)
	}
	return out
}

// sentEnds returns the ends in what came out last.
func (r *rig) sentEnds() (out []anomaly.Resolution) {
	r.t.Helper()
	for _, td := range r.sink.AllTraces() {
		for span := range spans(td) {
			for e, err := range anomaly.ResolvedFromSpan(span) {
				require.NoError(r.t, err)
				out = append(out, e)
			}
		}
	}
	return out
}

func TestRecoveryIsTold(t *testing.T) {
	r := newRig(t, nil)
	g := newTraffic(60)
	r.send(g.calls(100)...)
	a := one(t, r.send(g.with(slow))[0])
	calm := g.calls(20)
	ends := r.ends(calm...)
	require.Len(t, ends, 1, "once")
	e := ends[0]
	assert.Equal(t, []uuid.UUID{a.ID}, e.IDs)
	assert.Equal(t, "chat-api", e.Service)
	assert.Equal(t, "gpt-4", e.Model)
	assert.Equal(t, anomaly.TypeLatencySpike, e.Type)
	assert.Equal(t, "latency_ms", e.Metric)
	assert.Equal(t, anomaly.EndRecovered, e.Reason)
	assert.Equal(t, a.Time, e.Onset)
	assert.True(t, math.IsNaN(e.Baseline))
	assert.Contains(t, e.Summary, "latency_ms is back within its limits, after ")
	assert.True(t, e.End.After(e.Onset) && !e.End.After(g.at))
	assert.EqualValues(t, 1, r.counter("anomalies_resolved_total", "type", "latency_spike", "reason", "recovered"))
	assert.EqualValues(t, 1, r.counter("anomalies_detected_total"))
}

// The end is on the call with which it ended, and is no anomaly.
func TestACallWithAnEndIsNoAnomalousCall(t *testing.T) {
	r := newRig(t, nil)
	g := newTraffic(61)
	r.send(g.calls(100)...)
	r.send(g.with(slow))
	for range 20 {
		c := g.call()
		require.Empty(t, marked(r.send(c)))
		ends := r.sentEnds()
		if len(ends) == 0 {
			continue
		}
		assert.Equal(t, c.end, ends[0].End)
		span := r.sink.AllTraces()[0].ResourceSpans().At(0).ScopeSpans().At(0).Spans().At(0)
		_, has := span.Attributes().Get(anomaly.AttrSeverity)
		assert.False(t, has)
		require.Equal(t, 1, span.Events().Len())
		assert.Equal(t, "sentinel.anomaly.resolved", span.Events().At(0).Name())
		// A batch that is sent again carries it again.
		r.send(c)
		again := r.sentEnds()
		require.Len(t, again, 1)
		assert.Equal(t, ends[0].IDs, again[0].IDs)
		assert.Equal(t, ends[0].Summary, again[0].Summary)
		assert.EqualValues(t, 1, r.counter("anomalies_resolved_total"))
		return
	}
	require.Fail(t, "no end")
}

func TestNewNormalIsTold(t *testing.T) {
	r := newRig(t, nil)
	g := newTraffic(62)
	r.send(g.calls(200)...)
	var ids []uuid.UUID
	var ends []anomaly.Resolution
	for range 400 {
		for _, a := range marked(r.send(g.with(slow))) {
			ids = append(ids, a.ID)
		}
		ends = append(ends, r.sentEnds()...)
	}
	require.Len(t, ends, 1)
	e := ends[0]
	assert.Equal(t, ids, e.IDs)
	assert.Equal(t, anomaly.EndRebased, e.Reason)
	assert.InDelta(t, 9600, e.Baseline, 2000, "12 times 800")
	assert.Contains(t, e.Summary, "latency_ms stays where it is: the new normal is ")
	assert.Contains(t, e.Summary, ", expected was ")
	assert.EqualValues(t, 1, r.counter("anomalies_resolved_total", "reason", "rebased"))
	assert.Equal(t, r.counter("baselines_rebased_total"), r.counter("anomalies_resolved_total", "reason", "rebased"))
}

// An incident that became more severe ends once, for all that was reported.
func TestAnIncidentThatGotWorseEndsForAllItsAnomalies(t *testing.T) {
	r := newRig(t, nil)
	g := newTraffic(30)
	r.send(g.calls(200)...)
	var ids []uuid.UUID
	for factor := 1.5; factor < 30; factor *= 1.1 {
		for _, a := range marked(r.send(g.with(func(c *call) { c.latencyMS *= factor }))) {
			ids = append(ids, a.ID)
		}
	}
	require.Greater(t, len(ids), 1)
	ends := r.ends(g.calls(100)...)
	require.Len(t, ends, 1)
	assert.Equal(t, ids, ends[0].IDs)
}

// What was not reported has no end to report.
func TestEpisodesThatWereKeptBackEndInSilence(t *testing.T) {
	r := newRig(t, func(c *Config) { c.MinSeverity = anomaly.SeverityCritical })
	g := newTraffic(63)
	r.send(g.calls(100)...)
	for range 30 {
		require.Empty(t, marked(r.send(g.with(func(c *call) { c.latencyMS *= 1.7 }))))
	}
	require.NotZero(t, r.counter("anomalies_suppressed_total", "reason", "min_severity"))
	assert.Empty(t, r.ends(g.calls(100)...))
	assert.Zero(t, r.counter("anomalies_resolved_total"))
	r.eng.table.Range(entryOf(func(ent *entry) { assert.Empty(t, ent.episodes) }))
}

func TestEndsOfSeveralMetricsAreTold(t *testing.T) {
	r := newRig(t, nil)
	g := newTraffic(64)
	r.send(g.calls(100)...)
	found := r.send(g.with(func(c *call) { slow(c); c.cost *= 20 }))[0]
	require.Len(t, found, 2)
	ends := r.ends(g.calls(20)...)
	require.Len(t, ends, 2)
	assert.ElementsMatch(t, []uuid.UUID{found[0].ID, found[1].ID}, []uuid.UUID{ends[0].IDs[0], ends[1].IDs[0]})
}

// The end of an incident refers to it after a restart in between as well.
func TestEndsSurviveARestart(t *testing.T) {
	mem := newMemStorage()
	host := testHost{storageID: mem}
	r := newRigOn(t, host, withStorage(nil))
	g := newTraffic(65)
	r.send(g.calls(100)...)
	a := one(t, r.send(g.with(slow))[0])
	require.NoError(t, r.eng.snapshots.save(t.Context()))
	again := newRigOn(t, host, withStorage(nil))
	ends := again.ends(g.calls(20)...)
	require.Len(t, ends, 1)
	assert.Equal(t, []uuid.UUID{a.ID}, ends[0].IDs)
	assert.Contains(t, ends[0].Summary, "is back within its limits")

	// A metric whose baseline starts cold has no episode that could end.
	cold := newRigOn(t, host, withStorage(func(c *Config) {
		c.Metrics = map[string]MetricConfig{"latency_ms": {Scale: ptr(detect.Linear)}}
	}))
	assert.Empty(t, cold.ends(g.calls(100)...))
	cold.eng.table.Range(entryOf(func(ent *entry) { assert.Empty(t, ent.episodes) }))
}

// entryOf calls f for every series.
func entryOf(f func(*entry)) func(series.Key, int64, *entry) bool {
	return func(_ series.Key, _ int64, ent *entry) bool {
		f(ent)
		return true
	}
}

// stubRule finds what the test tells it to.
type stubRule struct{ next, window []finding }

func (*stubRule) name() string                        { return "stub" }
func (*stubRule) fingerprint() uint64                 { return 1 }
func (*stubRule) newState() ruleState                 { return stubState{} }
func (*stubRule) readState([]byte) (ruleState, error) { return stubState{}, nil }
func (s *stubRule) call(_ *batch, _ ruleState, _ bool, found []finding) []finding {
	found = append(found, s.next...)
	s.next = nil
	return found
}

func (s *stubRule) pass(_ ruleState, _ time.Time, found []finding) []finding {
	found = append(found, s.window...)
	s.window = nil
	return found
}

type stubState struct{}

func (stubState) appendState(dst []byte) []byte { return dst }

func newStubRig(t *testing.T, change func(*Config)) (*rig, *stubRule) {
	t.Helper()
	r := newRig(t, change)
	s := &stubRule{}
	r.eng.rules = []rule{s}
	return r, s
}

func errorRate(onset time.Time) finding {
	return finding{
		typ: anomaly.TypeErrorRateIncrease, metric: "error_rate", method: "test", severity: anomaly.SeverityHigh, confidence: .9,
		value: .5, baseline: .01, sigma: math.NaN(), onset: onset.UnixNano(), cause: "error_rate 0.5",
	}
}

// What rules find is compared, related and ended like what the metrics show.
func TestFindingsOfRulesAreComparedAndEnded(t *testing.T) {
	r, s := newStubRig(t, nil)
	f := newFleet("a gpt-4 openai", "b o3 openai", "c claude anthropic")
	f.send(r, 30)
	s.next = []finding{errorRate(f.gens[0].at)}
	first := one(t, r.send(f.call(0, nil))[0])
	assert.Equal(t, "error_rate 0.5; error_rate_increase (error_rate) beside it: "+
		"of 2 compared models of provider openai only gpt-4 had one reported within 10 minutes, none reported: o3; "+
		"0 of 1 compared models of other providers (anthropic) had one reported within 10 minutes", first.RootCause)
	s.next = []finding{errorRate(f.gens[1].at)}
	second := one(t, r.send(f.call(1, nil))[0])
	assert.Contains(t, second.RootCause, "all 2 compared models of provider openai had one reported within 10 minutes (gpt-4, o3)")
	assert.Equal(t, []uuid.UUID{first.ID}, second.RelatedAlerts)
	slowed := f.slow(t, r, 0)
	assert.Equal(t, []uuid.UUID{first.ID, second.ID}, sorted(slowed.RelatedAlerts, []anomaly.Anomaly{first, second}), "failures and slowness are one family")

	over := errorRate(time.Time{})
	over.onset, over.ended = 0, anomaly.EndRecovered
	s.next = []finding{over}
	ends := r.ends(f.call(1, nil))
	require.Len(t, ends, 1)
	assert.Equal(t, []uuid.UUID{second.ID}, ends[0].IDs)
	assert.Equal(t, "error_rate", ends[0].Metric)
	assert.EqualValues(t, 1, r.counter("anomalies_resolved_total", "type", "error_rate_increase"))
	s.next = []finding{over}
	assert.Empty(t, r.ends(f.call(1, nil)), "an end without a beginning is none")
}

// Failed calls end what a rule has found, too.
func TestAFailedCallCanEndAFinding(t *testing.T) {
	r, s := newStubRig(t, nil)
	g := newTraffic(66)
	r.send(g.calls(3)...)
	s.next = []finding{errorRate(g.at)}
	a := one(t, r.send(g.call())[0])
	over := errorRate(time.Time{})
	over.ended, over.baseline = anomaly.EndRebased, .4
	s.next = []finding{over}
	ends := r.ends(g.with(func(c *call) { c.failed = true }))
	require.Len(t, ends, 1)
	assert.Equal(t, a.ID, ends[0].IDs[0])
	assert.InDelta(t, .4, ends[0].Baseline, 1e-9)
}

func TestFindingsWithoutACallBeginAndEndInSpansOfTheirOwn(t *testing.T) {
	r, s := newStubRig(t, nil)
	f := newFleet("a gpt-4 openai", "a o3 openai")
	f.send(r, 30)
	now := f.gens[0].at
	silence := finding{typ: anomaly.TypeThroughputDegradation, metric: "calls", severity: anomaly.SeverityHigh, sigma: math.NaN(), onset: now.UnixNano(), at: now.UnixNano()}
	s.window = []finding{silence}
	r.sink.Reset()
	r.eng.emit(context.Background(), r.eng.pass(context.Background(), now))
	span := onlySpan(t, r)
	var found []anomaly.Anomaly
	for a, err := range anomaly.FromSpan(span) {
		require.NoError(t, err)
		found = append(found, a)
	}
	a := one(t, found)
	assert.Contains(t, a.RootCause, "throughput_degradation (calls) beside it: of 2 compared models of provider openai only ")
	assert.False(t, strings.HasPrefix(a.RootCause, ";"))

	silence.ended, silence.at = anomaly.EndRecovered, now.Add(time.Minute).UnixNano()
	s.window = []finding{silence, silence}
	r.sink.Reset()
	r.eng.emit(context.Background(), r.eng.pass(context.Background(), now))
	end := onlySpan(t, r)
	require.Len(t, r.sentEnds(), 1)
	assert.Equal(t, []uuid.UUID{a.ID}, r.sentEnds()[0].IDs)
	assert.Equal(t, span.TraceID(), end.TraceID())
	assert.Equal(t, span.SpanID(), end.ParentSpanID())
	assert.NotEqual(t, span.SpanID(), end.SpanID())
	assert.Equal(t, "sentinel.anomaly.resolved throughput_degradation", end.Name())
}

func onlySpan(t *testing.T, r *rig) ptrace.Span {
	t.Helper()
	require.Len(t, r.sink.AllTraces(), 1)
	td := r.sink.AllTraces()[0]
	require.Equal(t, 1, td.SpanCount())
	return td.ResourceSpans().At(0).ScopeSpans().At(0).Spans().At(0)
}

// Rules that never tell of ends do not fill the memory.
func TestEpisodesOfASeriesAreBounded(t *testing.T) {
	r, s := newStubRig(t, nil)
	g := newTraffic(67)
	r.send(g.calls(3)...)
	for i := range 3 * maxEpisodes {
		f := errorRate(g.at)
		f.metric = "metric " + time.Duration(i).String()
		s.next = []finding{f}
		require.Len(t, marked(r.send(g.call())), 1)
	}
	for range maxEpisodeIDs + 3 {
		f := errorRate(epoch)
		s.next = []finding{f}
		r.send(g.call())
	}
	r.eng.table.Range(entryOf(func(ent *entry) {
		assert.Len(t, ent.episodes, maxEpisodes)
		for _, ep := range ent.episodes {
			assert.LessOrEqual(t, len(ep.ids), maxEpisodeIDs)
		}
	}))
	// And the older half of the log of reports is gone.
	for range reportLogSize {
		s.next = []finding{errorRate(g.at)}
		g.step = time.Millisecond
		r.send(g.call())
	}
	assert.Positive(t, r.counter("explanations_limited_total", "reason", "memory"))
}

func FuzzEpisodes(f *testing.F) {
	r := newRig(f, nil)
	f.Add(appendEpisodes(nil, []episode{
		{judge: 0, typ: anomaly.TypeLatencySpike, metric: "latency_ms", model: "gpt-4", onset: 5, expected: 800, ids: []uuid.UUID{{1}, {2}}},
		{judge: ruleJudge, typ: anomaly.TypeErrorRateIncrease, metric: "error_rate"},
	}))
	f.Add(appendEpisodes(nil, nil))
	f.Add([]byte{255, 255, 255, 255, 255, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		list, err := r.eng.readEpisodes(b)
		if err != nil {
			require.ErrorIs(t, err, errRefused)
			return
		}
		require.LessOrEqual(t, len(list), maxEpisodes)
		for i := range list {
			require.Less(t, list[i].judge, len(r.eng.judges))
			if math.IsNaN(list[i].expected) {
				list[i].expected = 0
			}
		}
		again, err := r.eng.readEpisodes(appendEpisodes(nil, list))
		require.NoError(t, err)
		require.Equal(t, list, again)
	})
}
