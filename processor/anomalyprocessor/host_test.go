package anomalyprocessor

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/llm-devops/llm-sentinel/internal/series"
	"github.com/llm-devops/llm-sentinel/internal/store"
)

func keyOf(g *traffic) series.Key { return series.Key{Service: g.service, Model: g.model} }

// baselines returns what the engine expects of each metric.
func (r *rig) baselines(since time.Time) map[string]store.Baseline {
	out := map[string]store.Baseline{}
	r.eng.Baselines(since, func(b store.Baseline) bool {
		out[b.Metric] = b
		return true
	})
	return out
}

func TestBaselinesSayWhatIsExpectedAndWhatIsMarked(t *testing.T) {
	r := taughtRig(t, func(c *Config) { c.CoolDown = 0 })
	g := newTraffic(90)
	require.Empty(t, r.baselines(time.Time{}))
	r.send(g.calls(10)...)
	require.Empty(t, r.baselines(time.Time{}), "too few samples")
	r.send(g.calls(190)...)
	got := r.baselines(time.Time{})
	require.Len(t, got, len(metrics))
	b := got["latency_ms"]
	assert.Equal(t, "anomaly", r.eng.Name())
	assert.Equal(t, g.at, b.Time)
	assert.Equal(t, []string{"chat-api", "gpt-4"}, []string{b.Service, b.Model})
	assert.InEpsilon(t, 800, b.Expected, .1)
	assert.Greater(t, b.Samples, int64(100))
	assert.Zero(t, b.Lower, "a fast call is not marked")
	assert.InEpsilon(t, 200, got["ttft_ms"].Expected, .1)

	assert.Empty(t, marked(r.send(g.with(lasting(b.Upper*.999)))), "within the band")
	r.settle(g)
	b = r.baselines(time.Time{})["latency_ms"]
	a := marked(r.send(g.with(lasting(b.Upper * 1.001))))
	require.Len(t, a, 1, "beyond the band")
	r.settle(g)
	a = marked(r.send(g.with(lasting(3 * b.Upper))))
	require.Len(t, a, 1)
	r.settle(g)
	before := r.baselines(time.Time{})["latency_ms"]
	r.say(&a[0], store.VerdictFalse)
	after := r.baselines(time.Time{})["latency_ms"]
	assert.Greater(t, after.Upper, before.Upper, "what was called false widens the band")
	assert.Empty(t, marked(r.send(g.with(lasting(after.Upper*.999)))))
	r.settle(g)
	after = r.baselines(time.Time{})["latency_ms"]
	assert.Len(t, marked(r.send(g.with(lasting(after.Upper*1.001)))), 1)
}

func TestBaselinesOfSeriesThatHadACall(t *testing.T) {
	r := taughtRig(t, nil)
	g, other := newTraffic(91), newTraffic(92)
	other.service = "search"
	r.send(other.calls(50)...)
	quiet := other.at
	g.at = other.at
	r.send(g.calls(50)...)
	services := func(since time.Time) map[string]bool {
		out := map[string]bool{}
		r.eng.Baselines(since, func(b store.Baseline) bool { out[b.Service] = true; return true })
		return out
	}
	assert.Len(t, services(time.Time{}), 2)
	assert.Len(t, services(quiet), 2)
	assert.Equal(t, map[string]bool{"chat-api": true}, services(quiet.Add(1)))
	assert.Empty(t, services(g.at.Add(1)))

	n := 0
	r.eng.Baselines(time.Time{}, func(store.Baseline) bool { n++; return n < 3 })
	assert.Equal(t, 3, n, "it stops when it is told to")
	// Nothing is locked meanwhile: the series can have calls.
	r.eng.Baselines(time.Time{}, func(store.Baseline) bool { r.send(g.call()); return false })
}

// fullTable is an engine that knows n series.
func fullTable(tb testing.TB, n int) *rig {
	tb.Helper()
	r := taughtRig(tb, func(c *Config) { c.Drift.Types, c.Trend.Metrics, c.Agents.Enabled = nil, nil, false })
	r.setClock(epoch.AddDate(50, 0, 0))
	gens := make([]*traffic, n)
	for i := range gens {
		gens[i] = newTraffic(uint64(i + 1))
		gens[i].service, gens[i].model = fmt.Sprintf("service-%d", i/8), fmt.Sprintf("model-%d", i%8)
	}
	for range 18 {
		for i := 0; i < n; i += 100 {
			var calls []call
			for k := i; k < min(i+100, n); k++ {
				calls = append(calls, gens[k].call())
			}
			_, err := r.eng.processTraces(context.Background(), traces(calls...))
			require.NoError(tb, err)
		}
	}
	return r
}

func TestBaselinesAllocateForTheNamesOnly(t *testing.T) {
	r := fullTable(t, 500)
	n := 0
	allocs := testing.AllocsPerRun(10, func() {
		r.eng.Baselines(time.Time{}, func(store.Baseline) bool { n++; return true })
	})
	assert.Positive(t, n)
	assert.LessOrEqual(t, allocs, 3., "for 500 series")
}

// BenchmarkBaselines asks for all that is expected, as the storage extension does
// each minute.
func BenchmarkBaselines(b *testing.B) {
	for _, n := range []int{1000, 50_000} {
		b.Run(fmt.Sprintf("series=%d", n), func(b *testing.B) {
			r := fullTable(b, n)
			b.ReportAllocs()
			cpu, seen := cpuNanos(), 0
			for b.Loop() {
				r.eng.Baselines(time.Time{}, func(store.Baseline) bool { seen++; return true })
			}
			b.ReportMetric((cpuNanos()-cpu)/float64(max(seen, 1)), "cpu-ns/baseline")
			b.ReportMetric(float64(seen)/float64(b.N), "baselines")
		})
	}
}
