package anomalyprocessor

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/llm-devops/llm-sentinel/internal/anomaly"
	"github.com/llm-devops/llm-sentinel/internal/genai"
	"github.com/llm-devops/llm-sentinel/internal/series"
)

// fleet is the traffic of several series at the same times.
type fleet struct {
	gens      []*traffic
	providers []string
}

// newFleet takes "service model provider" for each series.
func newFleet(series ...string) *fleet {
	f := &fleet{}
	for i, s := range series {
		parts := strings.Fields(s)
		g := newTraffic(uint64(50 + i))
		g.service, g.model = parts[0], parts[1]
		f.gens = append(f.gens, g)
		f.providers = append(f.providers, parts[2])
	}
	return f
}

// call is the next call of series i; change may be nil.
func (f *fleet) call(i int, change func(*call)) call {
	c := f.gens[i].call()
	c.change = func(s ptrace.Span) { s.Attributes().PutStr(genai.AttrProviderName, f.providers[i]) }
	if change != nil {
		change(&c)
	}
	return c
}

// send sends n calls of every series, and returns the anomalies.
func (f *fleet) send(r *rig, n int) (found []anomaly.Anomaly) {
	for range n {
		var calls []call
		for i := range f.gens {
			calls = append(calls, f.call(i, nil))
		}
		found = append(found, marked(r.send(calls...))...)
	}
	return found
}

// slow sends a slow call of series i and returns its anomaly.
func (f *fleet) slow(t *testing.T, r *rig, i int) anomaly.Anomaly {
	t.Helper()
	return one(t, r.send(f.call(i, slow))[0])
}

func TestProviderThatIsSlowIsToldFromOthers(t *testing.T) {
	r := newRig(t, nil)
	f := newFleet("a gpt-4 openai", "b gpt-4o openai", "c o3 openai", "d gpt-4o-mini openai", "e claude anthropic", "f opus anthropic")
	require.Empty(t, f.send(r, 60))

	first := f.slow(t, r, 0)
	assert.Contains(t, first.RootCause, "; latency_ms beside it: of 4 compared models of provider openai only gpt-4 is outside its limits, within limits: gpt-4o, gpt-4o-mini, o3; "+
		"0 of 2 compared models of other providers (anthropic) are outside their limits")
	assert.Equal(t, "1/4", first.Context.Additional["peers.models_of_provider"])
	assert.Equal(t, "0/2", first.Context.Additional["peers.models_of_other_providers"])
	assert.Empty(t, first.RelatedAlerts)
	f.slow(t, r, 1)
	third := f.slow(t, r, 2)
	onset := first.Context.Additional["onset"]
	assert.Contains(t, third.RootCause, "3 of 4 compared models of provider openai are outside their limits (gpt-4, gpt-4o, o3; the first since "+onset+"), within limits: gpt-4o-mini; "+
		"0 of 2 compared models of other providers (anthropic) are outside their limits")
	fourth := f.slow(t, r, 3)
	assert.Contains(t, fourth.RootCause, "all 4 compared models of provider openai are outside their limits (gpt-4, gpt-4o, gpt-4o-mini, o3; the first since ")
	foreign := f.slow(t, r, 4)
	assert.Contains(t, foreign.RootCause, "of 2 compared models of provider anthropic only claude is outside its limits, within limits: opus; "+
		"4 of 4 compared models of other providers (openai) are outside their limits: openai gpt-4, openai gpt-4o, openai gpt-4o-mini, openai o3")
	assert.Zero(t, r.counter("explanations_limited_total"))
}

func TestServiceThatIsSlowIsToldFromItsModelAndTheOtherWayRound(t *testing.T) {
	r := newRig(t, nil)
	f := newFleet("chat gpt-4o openai", "search gpt-4o openai", "agent gpt-4o openai", "chat gpt-4 openai")
	require.Empty(t, f.send(r, 60))
	a := f.slow(t, r, 0)
	assert.Contains(t, a.RootCause, "of 3 compared services that use gpt-4o only chat is outside its limits, within limits: agent, search")
	assert.Contains(t, a.RootCause, "of 2 compared models of service chat only gpt-4o is outside its limits, within limits: gpt-4")
	assert.Contains(t, a.RootCause, "of 2 compared models of provider openai only gpt-4o is outside its limits, in some services only: gpt-4o, within limits: gpt-4")
	assert.NotContains(t, a.RootCause, "other providers", "none is known")
	assert.Equal(t, "1/3", a.Context.Additional["peers.services_of_model"])
	assert.Equal(t, "1/2", a.Context.Additional["peers.models_of_service"])
	f.slow(t, r, 1)
	a = f.slow(t, r, 2)
	assert.Contains(t, a.RootCause, "all 3 compared services that use gpt-4o are outside their limits (agent, chat, search; the first since ")
	assert.NotContains(t, a.RootCause, "in some services only")
}

// What is not known is not said.
func TestNothingIsSaidOfPeersThatCannotBeCompared(t *testing.T) {
	silent := func(t *testing.T, a anomaly.Anomaly) {
		t.Helper()
		assert.NotContains(t, a.RootCause, "beside it")
		for k := range a.Context.Additional {
			assert.False(t, strings.HasPrefix(k, "peers."), k)
		}
	}
	t.Run("alone", func(t *testing.T) {
		r := newRig(t, nil)
		f := newFleet("a gpt-4 openai")
		f.send(r, 60)
		silent(t, f.slow(t, r, 0))
	})
	t.Run("without a baseline", func(t *testing.T) {
		r := newRig(t, nil)
		f := newFleet("a gpt-4 openai")
		f.send(r, 60)
		young := newFleet("a o3 openai")
		young.gens[0].at = f.gens[0].at
		young.send(r, 10)
		silent(t, f.slow(t, r, 0))
	})
	t.Run("not in use any more", func(t *testing.T) {
		r := newRig(t, nil)
		f, old := newFleet("a gpt-4 openai"), newFleet("a o3 openai", "b gpt-4 openai")
		old.send(r, 60)
		f.gens[0].at = old.gens[0].at
		f.send(r, 100)
		require.Greater(t, f.gens[0].at.Sub(old.gens[0].at), 11*time.Minute)
		silent(t, f.slow(t, r, 0))
	})
	t.Run("in use at another time", func(t *testing.T) {
		// A replay, one service after the other.
		r := newRig(t, nil)
		f, other := newFleet("a gpt-4 openai"), newFleet("a o3 openai")
		other.send(r, 400)
		f.send(r, 60)
		silent(t, f.slow(t, r, 0))
	})
	t.Run("without the metric", func(t *testing.T) {
		r := newRig(t, nil)
		f := newFleet("a gpt-4 openai", "a o3 openai")
		for range 60 {
			r.send(f.call(0, nil), f.call(1, func(c *call) { c.cost = -1 }))
		}
		a := one(t, r.send(f.call(0, func(c *call) { c.cost *= 20 }))[0])
		require.Equal(t, "cost_usd", a.Details.Metric)
		silent(t, a)
	})
	t.Run("no provider", func(t *testing.T) {
		r := newRig(t, nil)
		f := newFleet("a gpt-4 openai", "b o3 openai")
		none := func(c *call) { c.change = func(s ptrace.Span) { s.Attributes().Remove(genai.AttrProviderName) } }
		for range 60 {
			r.send(f.call(0, none), f.call(1, none))
		}
		silent(t, one(t, r.send(f.call(0, func(c *call) { none(c); slow(c) }))[0]))
	})
	t.Run("switched off", func(t *testing.T) {
		r := newRig(t, func(c *Config) { c.Peers.Enabled = false })
		f := newFleet("a gpt-4 openai", "a o3 openai")
		f.send(r, 60)
		silent(t, f.slow(t, r, 0))
		silent(t, f.slow(t, r, 1))
		assert.Equal(t, 60, int(r.counter("events_processed_total"))/2-1)
	})
}

// A peer that is kept back by the cool-down or the severity is not within its
// limits all the same.
func TestPeersThatAreKeptBackCountAsOutside(t *testing.T) {
	r := newRig(t, func(c *Config) { c.MinSeverity = anomaly.SeverityCritical })
	f := newFleet("a gpt-4 openai", "b o3 openai")
	f.send(r, 100)
	var calls []call
	for range 30 {
		f.call(0, nil) // time goes on
		calls = append(calls, f.call(1, func(c *call) { c.latencyMS *= 1.7 }))
	}
	require.Empty(t, marked(r.send(calls...)), "high at most")
	require.NotZero(t, r.counter("anomalies_suppressed_total", "reason", "min_severity"))
	a := f.slow(t, r, 0)
	assert.Contains(t, a.RootCause, "all 2 compared models of provider openai are outside their limits (gpt-4, o3; ")
	assert.Empty(t, a.RelatedAlerts, "the other was not reported")
}

// A series whose calls go to two providers belongs to neither.
func TestSeriesOfTwoProvidersIsLeftOutOfBoth(t *testing.T) {
	r := newRig(t, nil)
	f := newFleet("a gpt-4 openai", "a gpt-4o openai", "b gpt-4 azure")
	f.send(r, 50)
	f.providers[1] = "azure"
	f.send(r, 50)
	a := f.slow(t, r, 0)
	assert.NotContains(t, a.RootCause, "of provider openai")
	assert.Contains(t, a.RootCause, "of 2 compared models of service a only gpt-4 is outside its limits")
	assert.Contains(t, a.RootCause, "0 of 1 compared models of other providers (azure.ai.openai) are outside their limits")
}

func TestARestartDoesNotForgetWhichPeersAreOutside(t *testing.T) {
	mem := newMemStorage()
	host := testHost{storageID: mem}
	r := newRigOn(t, host, withStorage(nil))
	f := newFleet("a gpt-4 openai", "b o3 openai")
	f.send(r, 60)
	f.slow(t, r, 1)
	require.NoError(t, r.eng.snapshots.save(t.Context()))

	again := newRigOn(t, host, withStorage(nil))
	again.send(f.call(1, nil), f.call(0, nil))
	a := f.slow(t, again, 0)
	assert.Contains(t, a.RootCause, "all 2 compared models of provider openai are outside their limits")
}

// Of a group that is not known as a whole nothing is said.
func TestLargeGroupsAreNotDescribed(t *testing.T) {
	r := newRig(t, nil)
	f := newFleet("a gpt-4 openai", "b gpt-4 openai")
	f.send(r, 60)
	var calls []call
	for i := range maxGroup {
		c := f.call(0, nil)
		c.model = "m" + strconv.Itoa(i)
		c.end = f.gens[1].at
		calls = append(calls, c)
	}
	r.send(calls...)
	f.gens[0].at = f.gens[1].at
	a := f.slow(t, r, 0)
	assert.NotContains(t, a.RootCause, "of provider")
	assert.NotContains(t, a.RootCause, "of service")
	assert.Contains(t, a.RootCause, "of 2 compared services that use gpt-4 only a is outside its limits", "this group is small")
	assert.EqualValues(t, 2, r.counter("explanations_limited_total", "reason", "group_size"))

	// When series are forgotten the memory shrinks with them.
	r.eng.table.Sweep(epoch.AddDate(1, 0, 0).UnixNano(), 1000)
	require.Zero(t, r.eng.table.Len())
	for _, groups := range r.eng.peers.groups {
		assert.Empty(t, groups)
	}
}

// An event need not come from a span.
func TestProviderOfAnEventWithoutASpan(t *testing.T) {
	r := newRig(t, nil)
	b := &batch{event: &genai.Event{}, engine: r.eng}
	b.event.Provider = "openai"
	key := series.Key{Service: "a", Model: "gpt-4"}
	ent := &entry{newest: 1}
	b.touch(origin{}, ent, &key)
	assert.Equal(t, "openai", ent.member.provider)
}

// Names of any length and number do not make a report long.
func TestStatementsAreBounded(t *testing.T) {
	cfg := defaultPeersConfig()
	p := newPeers(&cfg, false)
	var own *member
	for i := range maxGroup {
		own = &member{service: strings.Repeat("s", 1020) + strconv.Itoa(i%16), model: strings.Repeat("ä", 500) + strconv.Itoa(i/16), judged: 1, outside: uint(i % 3 & 1)}
		p.serve(own, strings.Repeat("p", 1024))
		p.join(own)
	}
	own.outside = 1
	a := anomaly.Anomaly{Service: own.service, Model: own.model, Context: anomaly.Context{Additional: map[string]string{}}}
	facts := p.facts(&a, subjectOf(&a, 0, own, own.provider, 0, 0))
	assert.Len(t, a.Context.Additional, 3)
	assert.Less(t, len(facts), 3000)
	assert.True(t, utf8.ValidString(facts))
	assert.Contains(t, facts, " more")
}

// world is what the memory of peers should know, kept in the plainest way.
type world []*member

// The counts must be those of a search through all series, for any order of
// events, and every number of a sentence must be one of them.
func TestCountsAgreeWithASearchThroughAllSeries(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 7))
	for round := range 300 {
		cfg := defaultPeersConfig()
		p := newPeers(&cfg, false)
		var all world
		for range 2 + rng.IntN(30) {
			m := &member{
				service: "s" + strconv.Itoa(rng.IntN(4)), model: "m" + strconv.Itoa(rng.IntN(5)),
				seen: int64(rng.IntN(40)) * int64(time.Minute), judged: uint(rng.IntN(4)), outside: uint(rng.IntN(2)),
			}
			if all.has(m) {
				continue // a series is one member
			}
			m.since[0] = m.seen
			p.serve(m, "p"+strconv.Itoa(rng.IntN(3)))
			p.join(m)
			all = append(all, m)
			if rng.IntN(5) == 0 {
				p.leave(m)
				all = all[:len(all)-1]
			}
		}
		if len(all) == 0 {
			continue
		}
		own := all[rng.IntN(len(all))]
		own.outside, own.seen = 1, 20*int64(time.Minute)
		a := anomaly.Anomaly{Service: own.service, Model: own.model, Context: anomaly.Context{Additional: map[string]string{}}}
		s := subjectOf(&a, 0, own, own.provider, own.seen, own.seen)
		facts := p.facts(&a, s)
		check := func(key string, in func(*member) bool, name func(*member) string, least int) {
			affected, compared := map[string]bool{}, map[string]bool{}
			for _, m := range all {
				if in(m) && m.seen >= own.seen-p.window && m.seen <= own.seen+p.window && (m.judged|m.outside)&1 != 0 {
					compared[name(m)] = true
					if m.outside&1 != 0 {
						affected[name(m)] = true
					}
				}
			}
			want := fmt.Sprintf("%d/%d", len(affected), len(compared))
			if len(compared) < least {
				want = ""
			}
			require.Equal(t, want, a.Context.Additional[key], "round %d, %s: %s", round, key, facts)
		}
		byModel := func(m *member) string { return m.model }
		check(contextProviderModels, func(m *member) bool { return m.provider == own.provider }, byModel, 2)
		check(contextOtherProviders, func(m *member) bool { return m.provider != own.provider }, func(m *member) string { return m.provider + m.model }, 1)
		check(contextModelServices, func(m *member) bool { return m.model == own.model }, func(m *member) string { return m.service }, 2)
		check(contextServiceModels, func(m *member) bool { return m.service == own.service }, byModel, 2)
		for key, v := range a.Context.Additional {
			affected, compared, _ := strings.Cut(v, "/")
			if affected == "1" && key != contextOtherProviders {
				assert.Contains(t, facts, "of "+compared+" compared ")
			} else if affected != compared || key == contextOtherProviders {
				assert.Contains(t, facts, affected+" of "+compared+" compared ")
			}
		}
		require.Equal(t, len(a.Context.Additional) == 0, facts == "")
	}
}

func (w world) has(m *member) bool {
	for _, o := range w {
		if o.service == m.service && o.model == m.model {
			return true
		}
	}
	return false
}

func TestPeersAreSafeForConcurrentUse(t *testing.T) {
	r := newRig(t, func(c *Config) { c.MaxSeries = 64 })
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			g := newTraffic(uint64(w + 100))
			g.service = "s" + strconv.Itoa(w)
			for i := range 300 {
				g.model = "m" + strconv.Itoa(i%7)
				c := g.call()
				if i > 200 && i%10 < 2 {
					slow(&c)
				}
				_, err := r.eng.processTraces(t.Context(), traces(c))
				assert.NoError(t, err)
				r.eng.table.Range(func(series.Key, int64, *entry) bool { return true })
			}
		})
	}
	wg.Wait()
	assert.Positive(t, r.counter("anomalies_detected_total"))
}
