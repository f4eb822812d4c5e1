package anomalyprocessor

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/llm-devops/llm-sentinel/internal/anomaly"
	"github.com/llm-devops/llm-sentinel/internal/series"
)

// stepCalls is the number of calls of a step of the traffic of these tests.
const stepCalls = 8

// model returns traffic of eight calls a minute.
func model(seed uint64, service, name string) *traffic {
	g := newTraffic(seed)
	g.step = time.Minute / stepCalls
	g.service, g.model = service, name
	return g
}

// times multiplies the latency of a call.
func times(factor float64) func(*call) {
	return func(c *call) { c.latencyMS *= factor }
}

// steps sends so many steps with changed calls and returns the anomalies of the
// trend. A step is judged with the first call after it.
func steps(r *rig, g *traffic, n int, change func(*call)) []anomaly.Anomaly {
	r.t.Helper()
	var all [][]anomaly.Anomaly
	for range n {
		var calls []call
		for range stepCalls {
			calls = append(calls, g.with(change))
		}
		all = append(all, r.send(calls...)...)
	}
	return trends(all)
}

func (r *rig) entry(service, model string) *entry {
	r.t.Helper()
	ref, ok := r.eng.table.Find(series.Key{Service: service, Model: model})
	require.True(r.t, ok)
	defer ref.Release()
	return ref.Value
}

func (r *rig) parentOf(service, model string) string {
	r.t.Helper()
	p := r.entry(service, model).parent
	if p == nil {
		return ""
	}
	return p.service + "/" + p.model
}

func TestANewServiceHasAnIncidentMarkedAtIts33rdStep(t *testing.T) {
	r := newRig(t, onlyTrend)
	g := model(1, "new-api", "gpt-4")
	require.Empty(t, steps(r, g, 32, times(1)))
	begin := g.at
	found := steps(r, g, 2, times(5))
	require.NotEmpty(t, found)
	a := found[0]
	assert.Equal(t, "latency_ms", a.Details.Metric)
	assert.EqualValues(t, 32, a.Context.SampleCount)
	assert.Equal(t, begin.Add(g.step).Format(time.RFC3339Nano), a.Context.Additional[contextOnset])
	assert.Contains(t, a.RootCause, "steps of a series that is as new as this")
	assert.NotContains(t, a.Context.Additional, contextParent)
	assert.Equal(t, "level", a.Context.Additional["detectors"])
}

func TestANewModelOfAKnownServiceHasAnIncidentMarkedAtIts17thStep(t *testing.T) {
	for _, c := range []struct {
		name, service, parent string
		off                   bool
	}{
		{name: "another model of the service", service: "chat-api", parent: "chat-api/gpt-4"},
		{name: "cold_start::parent is off", service: "chat-api", off: true},
		{name: "another service, with another model", service: "other-api"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, func(cfg *Config) {
				onlyTrend(cfg)
				cfg.ColdStart.Parent = !c.off
			})
			known := model(2, "chat-api", "gpt-4")
			require.Empty(t, steps(r, known, 520, times(1)))
			fresh := model(3, c.service, "gpt-5")
			fresh.at = known.at
			require.Empty(t, steps(r, fresh, 16, times(4)), "at another level")
			found := steps(r, fresh, 2, times(20))
			require.Equal(t, c.parent, r.parentOf(c.service, "gpt-5"))
			if c.parent == "" {
				assert.Empty(t, found)
				return
			}
			require.NotEmpty(t, found)
			a := found[0]
			assert.EqualValues(t, 16, a.Context.SampleCount)
			assert.Equal(t, c.parent, a.Context.Additional[contextParent])
			assert.InDelta(t, .5, a.Details.Additional[detailParent], .02)
			assert.Contains(t, a.RootCause, "; a new series: what is usual in gpt-4 of chat-api counts for 48 % of the spread")
			assert.InEpsilon(t, 3200, a.Details.Baseline, .2)
		})
	}
}

func TestTheParentIsNamedUntilItIsOutgrown(t *testing.T) {
	r := newRig(t, nil)
	known := model(4, "chat-api", "gpt-4")
	steps(r, known, 520, times(1))
	fresh := model(5, "chat-api", "gpt-5")
	fresh.at = known.at
	fresh.step = 10 * time.Second
	r.send(fresh.calls(16)...)
	a := one(t, r.send(fresh.with(slow))[0])
	require.NotEqual(t, methodTrend, a.Method)
	assert.Equal(t, "chat-api/gpt-4", a.Context.Additional[contextParent])
	assert.InDelta(t, .5, a.Details.Additional[detailParent], .01)
	assert.Contains(t, a.RootCause, "counts for 50 % of the spread")
	for range 30 {
		r.send(fresh.calls(50)...)
	}
	assert.Empty(t, r.parentOf("chat-api", "gpt-5"))
	a = one(t, r.send(fresh.with(slow))[0])
	assert.NotContains(t, a.Context.Additional, contextParent)
	assert.NotContains(t, a.Details.Additional, detailParent)
	assert.NotContains(t, a.RootCause, "a new series")
}

func TestWhoIsAParent(t *testing.T) {
	r := newRig(t, nil)
	newest := epoch
	send := func(service, model string, n int) {
		g := newTraffic(uint64(len(service)*1000 + len(model)*100 + n))
		g.service, g.model, g.step, g.at = service, model, time.Second, newest
		for range n / 10 {
			g.at = g.at.Add(touchEvery)
			r.send(g.calls(10)...)
		}
		newest = g.at
	}
	born := 0
	parent := func(service string) string {
		born++
		name := fmt.Sprintf("new-%d", born)
		g := newTraffic(uint64(900 + born))
		g.service, g.model, g.at = service, name, newest
		r.send(g.calls(1)...)
		return r.parentOf(service, name)
	}
	assert.Empty(t, parent("a"), "there is nobody")
	send("a", "young", 100)
	assert.Empty(t, parent("a"), "too few samples")
	send("a", "known", 400)
	assert.Equal(t, "a/known", parent("a"))
	send("a", "older", 900)
	newest = newest.Add(2 * time.Hour)
	assert.Equal(t, "a/older", parent("a"), "the one with most samples")

	send("b", "shared", 1200)
	send("c", "other", 10)
	assert.Empty(t, parent("c"))
	g := newTraffic(77)
	g.service, g.model, g.at = "c", "shared", newest
	r.send(g.calls(1)...)
	assert.Equal(t, "b/shared", r.parentOf("c", "shared"), "the model in another service")
	g.service = "a"
	r.send(g.calls(1)...)
	assert.Equal(t, "a/older", r.parentOf("a", "shared"), "the service comes first")

	g = newTraffic(78)
	g.service, g.model, g.at = "a", "older", newest.Add(time.Minute)
	require.NotEmpty(t, marked(r.send(g.with(slow), g.with(slow))))
	assert.Equal(t, "a/known", parent("a"), "the other one is outside its limits")
}

// heavy is noise with a heavy tail, which 16 values do not show.
func heavy(g *traffic) func(*call) {
	return func(c *call) {
		chi := 0.
		for range 3 {
			z := g.rng.NormFloat64()
			chi += z * z
		}
		c.latencyMS = 800 * math.Exp(.3*g.rng.NormFloat64()/math.Sqrt(chi/3))
	}
}

func TestFreshNoiseIsMarkedLessWithAParent(t *testing.T) {
	marks := func(parent bool) (n int) {
		r := newRig(t, func(c *Config) { c.ColdStart.Parent, c.Drift.Types = parent, nil })
		known := model(6, "chat-api", "gpt-4")
		steps(r, known, 520, heavy(known))
		for i := range 400 {
			g := model(uint64(1000+i), "chat-api", fmt.Sprintf("fresh-%d", i))
			g.at = known.at
			var calls []call
			for range 48 {
				calls = append(calls, g.with(heavy(g)))
			}
			n += len(marked(r.send(calls...)))
			if parent {
				require.Equal(t, "chat-api/gpt-4", r.parentOf("chat-api", g.model))
			}
		}
		return n
	}
	with, without := marks(true), marks(false)
	assert.Positive(t, without)
	assert.Less(t, with, without)
}

func TestTheParentSurvivesARestart(t *testing.T) {
	host := testHost{storageID: newMemStorage()}
	known, fresh := model(7, "chat-api", "gpt-4"), model(8, "chat-api", "gpt-5")
	run(t, host, onlyTrend, nil, func(r *rig) {
		steps(r, known, 520, times(1))
		fresh.at = known.at
		steps(r, fresh, 10, times(1))
	})
	run(t, host, onlyTrend, nil, func(r *rig) {
		require.Equal(t, "chat-api/gpt-4", r.parentOf("chat-api", "gpt-5"))
		assert.Empty(t, r.parentOf("chat-api", "gpt-4"))
		require.Empty(t, steps(r, fresh, 6, times(1)))
		found := steps(r, fresh, 2, times(5))
		require.NotEmpty(t, found)
		assert.EqualValues(t, 16, found[0].Context.SampleCount)
		assert.Equal(t, "chat-api/gpt-4", found[0].Context.Additional[contextParent])
	})
}

func TestADamagedParentIsRefused(t *testing.T) {
	good := appendText(appendText(nil, "chat-api"), "gpt-4")
	p, err := readParent(good)
	require.NoError(t, err)
	assert.Equal(t, &parentage{service: "chat-api", model: "gpt-4"}, p)
	for n := range good {
		_, err := readParent(good[:n])
		require.Error(t, err)
	}
	_, err = readParent(append(good, 0))
	require.Error(t, err)
}

// The children of one series share what it lends, and a known series does not
// look for a parent.
func TestWhatIsLentIsShared(t *testing.T) {
	r := newRig(t, func(c *Config) { c.Peers.Enabled = false })
	known := model(9, "chat-api", "gpt-4")
	steps(r, known, 520, times(1))
	var lent *parentage
	for i := range 5 {
		g := model(uint64(20+i), "chat-api", fmt.Sprintf("fresh-%d", i))
		g.at = known.at
		r.send(g.calls(3)...)
		p := r.entry("chat-api", g.model).parent
		require.NotNil(t, p, "although nothing is compared with peers")
		if lent == nil {
			lent = p
		}
		assert.Same(t, lent, p)
	}
	assert.NotZero(t, lent.spreads[0])
	assert.NotNil(t, lent.mean(0))
	assert.Nil(t, lent.mean(len(lent.means)))
	assert.Nil(t, (*parentage)(nil).mean(0))
	a := one(t, r.send(known.with(slow))[0])
	assert.NotContains(t, a.Context.Additional, contextServiceModels)
}
