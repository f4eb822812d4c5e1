package embedded

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/llm-devops/llm-sentinel/internal/genai"
	"github.com/llm-devops/llm-sentinel/internal/store"
)

// traffic makes events of 50 services and 20 models, 300 µs apart, with five
// spans a trace.
type traffic struct {
	r  *rand.Rand
	z  *rand.Zipf
	at time.Time
	n  uint64
}

func newTraffic(at time.Time) *traffic {
	r := rand.New(rand.NewPCG(1, 2))
	return &traffic{r: r, z: rand.NewZipf(r, 1.1, 4, 49), at: at}
}

func (g *traffic) batch(n int) []genai.Event {
	out := make([]genai.Event, n)
	var trace pcommon.TraceID
	for i := range out {
		if g.n%5 == 0 || i == 0 {
			binary.BigEndian.PutUint64(trace[:], g.r.Uint64())
			binary.BigEndian.PutUint64(trace[8:], g.r.Uint64())
		}
		var span pcommon.SpanID
		binary.BigEndian.PutUint64(span[:], g.r.Uint64())
		g.n++
		g.at = g.at.Add(300 * time.Microsecond)
		latency := g.r.Float64() * 5000
		model := fmt.Sprintf("model-%d", g.z.Uint64()%20)
		out[i] = genai.Event{
			ID: genai.NewEventID(trace, span), TraceID: trace, SpanID: span,
			Start: pcommon.NewTimestampFromTime(g.at.Add(-time.Duration(latency * 1e6))), End: pcommon.NewTimestampFromTime(g.at),
			Service: fmt.Sprintf("service-%d", g.z.Uint64()), RequestModel: model, ResponseModel: model,
			Provider: "openai", Operation: "chat", Region: "eu-west-1", Environment: "prod", FinishReason: "stop",
			ResponseID: "chatcmpl-" + uuid.UUID(trace).String()[:18], Conversation: fmt.Sprintf("session-%d", g.r.IntN(100000)),
			User: fmt.Sprintf("user-%d", g.r.IntN(20000)),
			Present: genai.FieldInputTokens | genai.FieldOutputTokens | genai.FieldTotalTokens | genai.FieldCost |
				genai.FieldTTFT | genai.FieldLatency,
			InputTokens: g.r.Int64N(4000), OutputTokens: g.r.Int64N(1000), TotalTokens: g.r.Int64N(5000),
			CostUSD: g.r.Float64() / 10, TTFTMillis: g.r.Float64() * 500, LatencyMillis: latency,
			Metadata: map[string]string{"version": "1.2.3"},
		}
	}
	return out
}

func openBench(b *testing.B) *Store {
	b.Helper()
	s, err := Open(b.Context(), Config{Directory: b.TempDir(), Retention: DefaultRetention, SyncInterval: DefaultSyncInterval})
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, s.Close(context.Background())) })
	return s
}

func cpu() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkWriteEvents reports CPU time of all threads for each event.
func BenchmarkWriteEvents(b *testing.B) {
	for _, size := range []int{10, 1000} {
		b.Run(fmt.Sprintf("batch=%d", size), func(b *testing.B) {
			s := openBench(b)
			g := newTraffic(time.Now().Add(-6 * 24 * time.Hour))
			var spent, elapsed time.Duration
			for b.Loop() {
				batch := g.batch(size)
				start, before := time.Now(), cpu()
				require.NoError(b, s.WriteEvents(b.Context(), batch))
				spent += cpu() - before
				elapsed += time.Since(start)
			}
			b.ReportMetric(float64(spent.Nanoseconds())/float64(g.n), "cpu-ns/event")
			b.ReportMetric(float64(g.n)/elapsed.Seconds(), "events/s")
			b.ReportMetric(float64(s.Stats().Bytes)/float64(g.n), "B/event")
		})
	}
}

// BenchmarkReadEvents measures usual questions against 300,000 events.
func BenchmarkReadEvents(b *testing.B) {
	s := openBench(b)
	g := newTraffic(time.Now().Add(-12 * time.Hour))
	var last genai.Event
	for range 300 {
		batch := g.batch(1000)
		last = batch[500]
		require.NoError(b, s.WriteEvents(b.Context(), batch))
		g.at = g.at.Add(2 * time.Minute)
	}
	for _, c := range []struct {
		name string
		q    store.EventQuery
	}{
		{"newest 1000 of a service and model", store.EventQuery{Query: store.Query{Service: last.Service, Model: last.ResponseModel, Limit: 1000}}},
		{"newest 100", store.EventQuery{Query: store.Query{Limit: 100}}},
		{"trace", store.EventQuery{Query: store.Query{Limit: 100}, EventFilter: store.EventFilter{TraceID: last.TraceID.String()}}},
		{"rare model", store.EventQuery{Query: store.Query{Model: "none", Limit: 100}}},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				n := 0
				for _, err := range s.Events(b.Context(), c.q) {
					require.NoError(b, err)
					n++
				}
				b.ReportMetric(float64(n), "rows")
			}
		})
	}
	b.Run("count of a service", func(b *testing.B) {
		for b.Loop() {
			_, err := s.CountEvents(b.Context(), store.EventQuery{Query: store.Query{Service: last.Service}})
			require.NoError(b, err)
		}
	})
}

// BenchmarkAggregate measures aggregations of three hours of 200,000 events, by
// their events and by their measures.
func BenchmarkAggregate(b *testing.B) {
	s := openBench(b)
	end := time.Now().Truncate(time.Hour)
	g := newTraffic(end.Add(-3 * time.Hour))
	const events = 600_000
	var service string
	for g.n < events {
		batch := g.batch(1000)
		for i := range batch { // an hour lasts as long as 200,000 of them
			batch[i].End = pcommon.NewTimestampFromTime(end.Add(-3*time.Hour + time.Duration(g.n-1000+uint64(i))*18*time.Millisecond))
		}
		service = batch[500].Service
		require.NoError(b, s.WriteEvents(b.Context(), batch))
	}
	questions := []struct {
		name string
		q    store.AggregateQuery
	}{
		{"minutes of a service", store.AggregateQuery{Service: service, Step: time.Minute}},
		{"minutes of a service by model", store.AggregateQuery{Service: service, Step: time.Minute, By: []store.Dimension{store.ByModel}}},
		{"hours", store.AggregateQuery{Step: time.Hour}},
		{"hours by service and model", store.AggregateQuery{Step: time.Hour, By: []store.Dimension{store.ByService, store.ByModel}}},
		{"minutes by all", store.AggregateQuery{Step: time.Minute, By: []store.Dimension{store.ByService}}},
	}
	ask := func(kind string) {
		for _, c := range questions {
			c.q.Start, c.q.End = end.Add(-3*time.Hour), end
			b.Run(kind+"/"+c.name, func(b *testing.B) {
				b.ReportAllocs()
				var calls int64
				before := cpu()
				for b.Loop() {
					calls = 0
					for a, err := range s.Aggregate(b.Context(), c.q) {
						require.NoError(b, err)
						calls += a.Calls
					}
				}
				b.ReportMetric(float64((cpu()-before).Nanoseconds())/float64(b.N)/float64(calls), "cpu-ns/event")
				b.ReportMetric(float64(calls), "events")
			})
		}
	}
	ask("events")
	b.Run("seal", func(b *testing.B) {
		parts := hours(b, s)
		before := cpu()
		for b.Loop() {
			for _, p := range parts {
				require.NoError(b, s.seal(b.Context(), p))
			}
		}
		b.ReportMetric(float64((cpu()-before).Nanoseconds())/float64(b.N)/events, "cpu-ns/event")
		b.ReportMetric(float64(number(b, s, "SELECT sum(length(data)) FROM measures"))/events, "B/event")
	})
	ask("measures")
}

// BenchmarkDropHour measures the removal of an hour of 200,000 events. Writers
// wait for it.
func BenchmarkDropHour(b *testing.B) {
	s := openBench(b)
	var spent time.Duration
	for b.Loop() {
		b.StopTimer()
		g := newTraffic(time.Now().Add(-24 * time.Hour).Truncate(time.Hour))
		for range 200 {
			batch := g.batch(1000)
			g.at = g.at.Add(10 * time.Second)
			require.NoError(b, s.WriteEvents(b.Context(), batch))
		}
		require.NoError(b, s.acquire(b.Context()))
		parts, err := listPartitions(s.w.conn)
		require.NoError(b, err)
		require.Len(b, parts, 1)
		b.StartTimer()
		before := cpu()
		require.NoError(b, s.retire(b.Context(), parts[0], &s.stats.byAge))
		spent += cpu() - before
		s.release()
	}
	b.ReportMetric(float64(spent.Milliseconds())/float64(b.N), "cpu-ms/hour")
}

// BenchmarkBaselines writes the baselines of 50,000 series, in batches of 1000,
// and reads the newest of each, and the history of one.
func BenchmarkBaselines(b *testing.B) {
	s := openBench(b)
	now := time.Now()
	var batch []store.Baseline
	for i := range 50_000 {
		batch = append(batch, store.Baseline{Service: fmt.Sprintf("service-%d", i/200), Model: fmt.Sprintf("model-%d", i/4%50), Metric: fmt.Sprintf("metric_%d", i%4)})
	}
	round := 0
	write := func(b *testing.B) {
		b.Helper()
		round++
		for i := range batch {
			batch[i].Time = now.Add(time.Duration(round-48*12) * 5 * time.Minute)
		}
		for part := range slices.Chunk(batch, 1000) {
			require.NoError(b, s.WriteBaselines(b.Context(), part))
		}
	}
	for range 3 {
		write(b)
	}
	b.Run("write", func(b *testing.B) {
		for b.Loop() {
			write(b)
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(batch)), "ns/baseline")
	})
	read := func(name string, q store.BaselineQuery, want int) {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				n := 0
				for _, err := range s.Baselines(b.Context(), q) {
					require.NoError(b, err)
					n++
				}
				require.GreaterOrEqual(b, n, want)
			}
		})
	}
	read("newest of all", store.BaselineQuery{Latest: true, Limit: 1 << 20}, len(batch))
	read("one series", store.BaselineQuery{Service: "service-7", Model: "model-3", Metric: "metric_1", Limit: 1000}, 3)
}
