package anomalyprocessor

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/llm-devops/llm-sentinel/internal/anomaly"
	"github.com/llm-devops/llm-sentinel/internal/genai"
	"github.com/llm-devops/llm-sentinel/internal/llmtraffic"
)

// atRandom makes the calls of a time span come one by one, at random.
func (g *traffic) atRandom(perMinute float64, length time.Duration) (out []call) {
	end := g.at.Add(length)
	g.step = 0
	for {
		g.at = g.at.Add(time.Duration(g.rng.ExpFloat64() / perMinute * float64(time.Minute)))
		if g.at.After(end) {
			g.at = end
			return out
		}
		out = append(out, g.call())
	}
}

// throughputOnly leaves the metrics of single calls out of the picture.
func throughputOnly(change func(*Config)) func(*Config) {
	return func(c *Config) {
		c.Metrics = map[string]MetricConfig{}
		for _, name := range metricNames() {
			c.Metrics[name] = MetricConfig{Enabled: ptr(name == "total_tokens")}
		}
		if change != nil {
			change(c)
		}
	}
}

func TestThroughputDropIsMarkedOnALaterCall(t *testing.T) {
	r := newRig(t, throughputOnly(nil))
	g := newTraffic(51)
	require.Empty(t, marked(r.send(g.atRandom(20, 2*time.Hour)...)))
	onset := g.at
	found := marked(r.send(g.atRandom(3, 20*time.Minute)...))
	require.NotEmpty(t, found)
	a := found[0]
	assert.Equal(t, anomaly.TypeThroughputDegradation, a.Type)
	assert.Equal(t, "throughput", a.Details.Metric)
	assert.Equal(t, anomaly.Method("quasi_poisson"), a.Method)
	assert.InDelta(t, 20, a.Details.Baseline, 5, "calls a minute")
	assert.Less(t, a.Details.Value, 10.)
	assert.Less(t, a.Details.Value, a.Details.Threshold+1e-9)
	assert.Less(t, a.Details.DeviationSigma, -5.)
	begin, err := time.Parse(time.RFC3339Nano, a.Context.Additional["onset"])
	require.NoError(t, err)
	assert.WithinDuration(t, onset, begin, 2*time.Minute)
	assert.Contains(t, a.RootCause, "are expected")
	assert.NotEmpty(t, a.Context.SpanID)
	ends := r.ends(g.atRandom(20, 2*time.Hour)...)
	require.Len(t, ends, 1)
	assert.Equal(t, a.ID, ends[0].IDs[0])
	assert.Equal(t, anomaly.EndRecovered, ends[0].Reason)
	assert.Equal(t, anomaly.TypeThroughputDegradation, ends[0].Type)
	again := marked(r.send(g.atRandom(3, 20*time.Minute)...))
	require.NotEmpty(t, again, "the next drop is news")
}

func TestThroughputSurgeIsACustomTypeWithASwitch(t *testing.T) {
	surge := func(change func(*Config)) []anomaly.Anomaly {
		r := newRig(t, throughputOnly(change))
		g := newTraffic(52)
		require.Empty(t, marked(r.send(g.atRandom(20, 2*time.Hour)...)))
		return marked(r.send(g.atRandom(120, 10*time.Minute)...))
	}
	found := surge(nil)
	require.NotEmpty(t, found)
	assert.Equal(t, anomaly.Type("throughput_surge"), found[0].Type)
	assert.True(t, found[0].Type.Custom())
	assert.Greater(t, found[0].Details.Value, 40.)
	assert.Greater(t, found[0].Details.DeviationSigma, 5.)
	assert.Empty(t, surge(func(c *Config) { c.Throughput.Surge = false }))
	assert.Empty(t, surge(func(c *Config) { c.Throughput.SurgeRatio = 20 }))
	assert.NotEmpty(t, surge(func(c *Config) { c.Throughput.Drop, c.Throughput.Silence = false, false }))
}

// arriveLive sends each call a second after it ended.
func (r *rig) arriveLive(calls []call) []anomaly.Anomaly {
	r.t.Helper()
	var found []anomaly.Anomaly
	for i := range calls {
		r.setClock(calls[i].end.Add(time.Second))
		found = append(found, marked(r.send(calls[i]))...)
	}
	return found
}

// passes lets the clock run without calls and returns the anomalies that are
// emitted as spans of their own.
func (r *rig) passes(from time.Time, length time.Duration) (found []anomaly.Anomaly) {
	r.t.Helper()
	r.sink.Reset()
	for now := from; now.Before(from.Add(length)); now = now.Add(passInterval) {
		r.setClock(now)
		r.eng.emit(r.t.Context(), r.eng.pass(r.t.Context(), now))
	}
	for _, td := range r.sink.AllTraces() {
		for span := range spans(td) {
			for a, err := range anomaly.FromSpan(span) {
				require.NoError(r.t, err)
				found = append(found, a)
			}
		}
	}
	r.sink.Reset()
	return found
}

func TestSilenceOfALiveStreamIsASpanOfItsOwn(t *testing.T) {
	r := newRig(t, throughputOnly(nil))
	g := newTraffic(53)
	calls := g.atRandom(6, 2*time.Hour)
	require.Empty(t, r.arriveLive(calls))
	last := calls[len(calls)-1].end
	found := r.passes(last, time.Hour)
	require.Len(t, found, 2, "as high, and as critical when it lasts")
	a := found[0]
	assert.Equal(t, anomaly.TypeThroughputDegradation, a.Type)
	assert.Equal(t, anomaly.Method("silence"), a.Method)
	assert.Equal(t, anomaly.SeverityHigh, a.Severity)
	assert.Equal(t, anomaly.SeverityCritical, found[1].Severity)
	assert.Equal(t, "gpt-4", a.Model)
	assert.Zero(t, a.Details.Value)
	assert.InDelta(t, 6, a.Details.Baseline, 2)
	assert.Equal(t, last.Format(time.RFC3339Nano), a.Context.Additional["onset"])
	assert.Contains(t, a.RootCause, "no call for ")
	assert.Less(t, a.Time.Sub(last), 10*time.Minute)
	assert.Empty(t, a.Context.SpanID, "no call shows it")

	g.at = last.Add(time.Hour)
	assert.Empty(t, r.arriveLive(g.atRandom(6, time.Hour)), "the calls are back")
	assert.NotEmpty(t, r.passes(g.at, time.Hour), "and the next silence is news")
}

func TestReplayIsNoSilence(t *testing.T) {
	r := newRig(t, throughputOnly(nil))
	g := newTraffic(54)
	require.Empty(t, marked(r.send(g.atRandom(6, 4*time.Hour)...)))
	assert.Empty(t, r.passes(g.at, 12*time.Hour), "a replay that ended now")
}

func TestSilenceCanBeSwitchedOff(t *testing.T) {
	r := newRig(t, throughputOnly(func(c *Config) { c.Throughput.Silence = false }))
	g := newTraffic(55)
	require.Empty(t, r.arriveLive(g.atRandom(6, 2*time.Hour)))
	assert.Empty(t, r.passes(g.at, 2*time.Hour))
}

func TestLastingThroughputBecomesNormalAndIsCounted(t *testing.T) {
	r := newRig(t, throughputOnly(nil))
	g := newTraffic(56)
	require.Empty(t, marked(r.send(g.atRandom(20, 2*time.Hour)...)))
	require.NotEmpty(t, marked(r.send(g.atRandom(4, time.Hour)...)))
	require.Empty(t, marked(r.send(g.atRandom(4, 6*time.Hour)...)))
	assert.EqualValues(t, 1, r.counter("baselines_rebased_total", "metric", "throughput"))
}

func TestThroughputSurvivesARestart(t *testing.T) {
	mem := newMemStorage()
	r := newRigOn(t, testHost{storageID: mem}, func(c *Config) { throughputOnly(nil)(c); withStorage(nil)(c) })
	g := newTraffic(57)
	require.Empty(t, marked(r.send(g.atRandom(20, 2*time.Hour)...)))
	require.NoError(t, r.eng.snapshots.save(t.Context()))
	again := newRigOn(t, testHost{storageID: mem}, func(c *Config) { throughputOnly(nil)(c); withStorage(nil)(c) })
	g.at = g.at.Add(40 * time.Minute)
	require.Empty(t, marked(again.send(g.atRandom(20, 10*time.Minute)...)), "the pause is no drop")
	assert.NotEmpty(t, marked(again.send(g.atRandom(2, 10*time.Minute)...)), "the rate is known")
}

// The incidents of the traffic generator are found on their series, whatever
// the seed, and the clean first half gives nothing.
func TestGeneratedIncidentsAreFound(t *testing.T) {
	kinds := []llmtraffic.Kind{llmtraffic.KindErrorBurst, llmtraffic.KindSilence, llmtraffic.KindThroughputDrop, llmtraffic.KindThroughputSurge}
	for seed := range uint64(4) {
		for _, flat := range []bool{true, false} {
			o := llmtraffic.DefaultOptions(epoch)
			o.Seed, o.FlatRate = seed+1, flat
			o.Start, o.Duration, o.Rate = epoch.Add(-4*time.Hour), 4*time.Hour, 4
			var err error
			o.Incidents, err = llmtraffic.Schedule(kinds, o.Series(), o.Start, o.Duration)
			require.NoError(t, err)
			gen, err := llmtraffic.NewGenerator(o, 0, 1)
			require.NoError(t, err)
			r := newRig(t, nil)
			batch := llmtraffic.NewBatch(200)
			var found []anomaly.Anomaly
			var c llmtraffic.Call
			for more := gen.Next(&c); more; more = gen.Next(&c) {
				if batch.Add(&c); batch.Calls() == 200 {
					found = append(found, marked(r.sendTraces(batch.Take()))...)
				}
			}
			found = append(found, marked(r.sendTraces(batch.Take()))...)
			answers := map[string]string{}
			for _, m := range o.Models {
				answers[m.Name] = m.Response
			}
			for _, in := range o.Incidents {
				first := time.Duration(math.MaxInt64)
				for i := range found {
					a := &found[i]
					if a.Service == in.Service && a.Model == answers[in.Model] && string(a.Type) == in.Expected[0] && !a.Time.Before(in.Start) {
						first = min(first, a.Time.Sub(in.Start))
					}
				}
				assert.Less(t, first, in.End.Sub(in.Start)+2*time.Minute, "seed %d, flat %v: %s on %s/%s", o.Seed, flat, in.Kind, in.Service, in.Model)
				t.Logf("seed %d, flat %v: %s found after %v", o.Seed, flat, in.Kind, first)
			}
			for i := range found {
				a := &found[i]
				if a.Details.Metric != metricErrorRate && a.Details.Metric != metricThroughput {
					continue
				}
				explained := false
				for _, in := range o.Incidents {
					explained = explained || a.Service == in.Service && a.Model == answers[in.Model] && !a.Time.Before(in.Start)
				}
				assert.True(t, explained, "seed %d, flat %v: false alarm on %s/%s: %s", o.Seed, flat, a.Service, a.Model, a.RootCause)
			}
		}
	}
}

// BenchmarkRules is the cost of the two rules for a call of a steady series.
func BenchmarkRules(b *testing.B) {
	for name, step := range map[string]time.Duration{"10 calls a second": 100 * time.Millisecond, "6 calls a minute": 10 * time.Second} {
		b.Run(name, func(b *testing.B) {
			r := newRig(b, func(c *Config) {
				c.Drift.Types, c.Evaluations.Enabled, c.Security.Enabled = nil, false, false
			})
			bt := &batch{event: &genai.Event{}, engine: r.eng}
			ent := &entry{}
			bt.at, bt.now = epoch.UnixNano(), epoch
			b.ReportAllocs()
			for b.Loop() {
				bt.at += int64(step)
				bt.found = bt.judgeRules(ent, false, bt.found[:0])
			}
		})
	}
}

func TestRulesAllocateNothing(t *testing.T) {
	r := newRig(t, nil)
	bt := &batch{event: &genai.Event{}, engine: r.eng, now: epoch, at: epoch.UnixNano(), from: emptyOrigin()}
	ent := &entry{}
	assert.Zero(t, testing.AllocsPerRun(5000, func() {
		bt.at += int64(3 * time.Second)
		bt.event.Failed = bt.at/3e9%200 == 0
		bt.event.ErrorType = "429"
		bt.found = bt.judgeRules(ent, false, bt.found[:0])
	}))
}
