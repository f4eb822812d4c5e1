package anomalyprocessor

import (
	"context"
	"fmt"
	"syscall"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/stretchr/testify/require"
)

const benchBatch = 100

// plainSpans is a batch of spans as a web service sends them.
func plainSpans(n int) ptrace.Traces {
	td := ptrace.NewTraces()
	rs := td.ResourceSpans().AppendEmpty()
	rs.Resource().Attributes().PutStr("service.name", "shop")
	list := rs.ScopeSpans().AppendEmpty().Spans()
	for i := range n {
		s := list.AppendEmpty()
		s.SetName("GET /cart")
		s.SetKind(ptrace.SpanKindServer)
		s.SetStartTimestamp(pcommon.NewTimestampFromTime(epoch))
		s.SetEndTimestamp(pcommon.NewTimestampFromTime(epoch.Add(1e6)))
		s.Attributes().PutStr("http.request.method", "GET")
		s.Attributes().PutStr("http.route", "/cart")
		s.Attributes().PutStr("url.path", "/cart")
		s.Attributes().PutInt("http.response.status_code", int64(200+i%3))
		s.Attributes().PutStr("server.address", "shop.example")
		s.Attributes().PutStr("network.protocol.version", "1.1")
	}
	return td
}

// steadySeries returns batches of calls spread over n series, whose baselines
// are filled already.
func steadySeries(tb testing.TB, r *rig, n int) []ptrace.Traces {
	tb.Helper()
	gens := make([]*traffic, n)
	for i := range gens {
		gens[i] = newTraffic(uint64(i + 1))
		gens[i].service, gens[i].model = fmt.Sprintf("service-%d", i/8), fmt.Sprintf("model-%d", i%8)
	}
	r.setClock(epoch.AddDate(50, 0, 0))
	batch := func(next *int) ptrace.Traces {
		calls := make([]call, 0, benchBatch)
		for range benchBatch {
			calls = append(calls, gens[*next%n].call())
			*next++
		}
		return traces(calls...)
	}
	next := 0
	for next < n*40 {
		_, err := r.eng.processTraces(context.Background(), batch(&next))
		require.NoError(tb, err)
	}
	list := make([]ptrace.Traces, max(64, 8*n/benchBatch))
	for i := range list {
		list[i] = batch(&next)
	}
	return list
}

// cpuNanos is the processor time of this process: on a busy machine it says
// more than the wall clock.
func cpuNanos() float64 {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return float64(u.Utime.Nano() + u.Stime.Nano())
}

func BenchmarkTraces(b *testing.B) {
	perSpan := func(b *testing.B, cpu float64) {
		b.Helper()
		n := float64(b.N) * benchBatch
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/n, "ns/span")
		b.ReportMetric((cpuNanos()-cpu)/n, "cpu-ns/span")
	}
	for _, n := range []int{8, 1000, 10_000} {
		b.Run(fmt.Sprintf("calls/series=%d", n), func(b *testing.B) {
			// The batches are sent again and again, and must not count as late.
			r := newRig(b, func(c *Config) { c.MaxLateness = 1e6 * time.Hour })
			list := steadySeries(b, r, n)
			i := 0
			b.ReportAllocs()
			cpu := cpuNanos()
			for b.Loop() {
				if _, err := r.eng.processTraces(context.Background(), list[i%len(list)]); err != nil {
					b.Fatal(err)
				}
				i++
			}
			perSpan(b, cpu)
		})
	}
	b.Run("other spans", func(b *testing.B) {
		r := newRig(b, nil)
		td := plainSpans(benchBatch)
		b.ReportAllocs()
		cpu := cpuNanos()
		for b.Loop() {
			if _, err := r.eng.processTraces(context.Background(), td); err != nil {
				b.Fatal(err)
			}
		}
		perSpan(b, cpu)
	})
}

// Extraction and detection allocate nothing: what a batch allocates does not
// depend on the number of its spans.
func TestNormalTrafficAllocatesNothingPerSpan(t *testing.T) {
	r := newRig(t, nil)
	g := newTraffic(1)
	g.step = 1
	r.setClock(epoch.AddDate(1, 0, 0))
	same := func(n int) ptrace.Traces {
		calls := make([]call, 0, n)
		for range n {
			calls = append(calls, g.with(func(c *call) { c.latencyMS, c.ttftMS, c.input, c.output, c.cost = 800, 100, 400, 300, .03 }))
		}
		return traces(calls...)
	}
	measure := func(td ptrace.Traces) float64 {
		return testing.AllocsPerRun(50, func() {
			_, err := r.eng.processTraces(context.Background(), td)
			require.NoError(t, err)
		})
	}
	one, many := same(1), same(1000)
	measure(many)
	perBatch, perBatchOfMany := measure(one), measure(many)
	require.Less(t, perBatch, 10.)
	require.InDelta(t, perBatch, perBatchOfMany, .5)

	plain := measure(plainSpans(1000))
	require.Zero(t, plain, "other spans cost no allocation at all")
}

// BenchmarkSnapshot saves and loads 1000 series whose windows are full.
func BenchmarkSnapshot(b *testing.B) {
	const n = 1000
	mem := newMemStorage()
	r := newRigOn(b, testHost{storageID: mem}, withStorage(nil))
	for range 3 {
		steadySeries(b, r, n)
	}
	b.Run("save", func(b *testing.B) {
		for b.Loop() {
			require.NoError(b, r.eng.snapshots.save(context.Background()))
		}
		size := 0
		for _, v := range mem.data {
			size += len(v)
		}
		b.ReportMetric(float64(size)/n, "B/series")
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/series")
	})
	b.Run("load", func(b *testing.B) {
		for b.Loop() {
			r.eng.snapshots.load(context.Background())
		}
		require.Equal(b, n, r.eng.table.Len())
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/series")
	})
}
