package influx_test

import (
	"fmt"
	"iter"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/llm-devops/llm-sentinel/internal/genai"
	"github.com/llm-devops/llm-sentinel/internal/store"
	"github.com/llm-devops/llm-sentinel/internal/store/influx"
)

func all[T any](seq iter.Seq2[T, error]) ([]T, error) {
	var out []T
	for v, err := range seq {
		if err != nil {
			return out, err
		}
		out = append(out, v)
	}
	return out, nil
}

// calls are n events, one every seven seconds up to end, newest last.
func calls(n int, end time.Time) []genai.Event {
	r := rand.New(rand.NewPCG(7, 7))
	out := make([]genai.Event, n)
	for i := range out {
		at := end.Add(-time.Duration(n-1-i) * 7 * time.Second)
		e := genai.Event{
			ID: uuid.UUID{1: byte(i >> 8), 2: byte(i), 15: 1}, End: pcommon.NewTimestampFromTime(at), Start: pcommon.NewTimestampFromTime(at.Add(-time.Second)),
			Service: fmt.Sprintf("service-%d", r.IntN(3)), ResponseModel: fmt.Sprintf("model-%d", r.IntN(2)),
			Provider: "openai", Operation: "chat", Environment: "prod", Tenant: fmt.Sprintf("tenant-%d", r.IntN(2)), Failed: r.IntN(9) == 0,
			InputTokens: r.Int64N(1000), OutputTokens: r.Int64N(1000), CacheReadTokens: r.Int64N(10), CacheWriteTokens: r.Int64N(10), ReasoningTokens: r.Int64N(10),
			CostUSD: r.Float64(), LatencyMillis: r.Float64() * 1000, TTFTMillis: r.Float64() * 100,
			Present: genai.FieldInputTokens | genai.FieldOutputTokens | genai.FieldTotalTokens | genai.FieldLatency,
		}
		e.TotalTokens = e.InputTokens + e.OutputTokens
		for _, f := range []genai.Field{genai.FieldCost, genai.FieldTTFT, genai.FieldReasoningTokens, genai.FieldCacheReadTokens, genai.FieldCacheWriteTokens} {
			if r.IntN(2) == 0 {
				e.Present |= f
			}
		}
		out[i] = e
	}
	return out
}

// nearestRank is the definition of the contract, written out: the smallest value
// that at least p of the values do not exceed.
func nearestRank(values []float64, p float64) float64 {
	for _, v := range slices.Sorted(slices.Values(values)) {
		n := 0
		for _, w := range values {
			if w <= v {
				n++
			}
		}
		if float64(n) >= p*float64(len(values))-1e-9 {
			return v
		}
	}
	return 0
}

func requireDistribution(t *testing.T, values []float64, got store.Distribution) {
	t.Helper()
	if len(values) == 0 {
		require.Equal(t, store.Distribution{}, got)
		return
	}
	sum := 0.0
	for _, v := range values {
		sum += v
	}
	require.InEpsilon(t, sum, got.Sum, 1e-12)
	got.Sum = 0
	require.Equal(t, store.Distribution{
		Count: int64(len(values)), Min: slices.Min(values), Max: slices.Max(values),
		P50: nearestRank(values, .5), P95: nearestRank(values, .95), P99: nearestRank(values, .99),
	}, got)
}

func testAggregate(t *testing.T, b *influx.Backend, w *writer) {
	t.Helper()
	end := time.Now().UTC().Truncate(time.Hour).Add(1234567 * time.Nanosecond)
	events := calls(3000, end)
	for batch := range slices.Chunk(events, 500) {
		require.NoError(t, w.WriteEvents(t.Context(), batch))
	}
	everything := store.AggregateQuery{Start: end.Add(-24 * time.Hour), End: end.Add(1)}
	with := func(change func(*store.AggregateQuery)) store.AggregateQuery { q := everything; change(&q); return q }
	for name, q := range map[string]store.AggregateQuery{
		"one figure":         everything,
		"by minute":          with(func(q *store.AggregateQuery) { q.Step = time.Minute }),
		"by an odd step":     with(func(q *store.AggregateQuery) { q.Step = 7 * time.Minute; q.By = []store.Dimension{store.ByModel} }),
		"by all dimensions":  with(func(q *store.AggregateQuery) { q.Step = time.Hour; q.By = slices.Clone(store.Dimensions) }),
		"by tenant, no tag":  with(func(q *store.AggregateQuery) { q.By = []store.Dimension{store.ByTenant} }),
		"of a service":       with(func(q *store.AggregateQuery) { q.Service, q.Step = "service-1", 10*time.Minute }),
		"of a model, failed": with(func(q *store.AggregateQuery) { q.Model, q.Failed = "model-1", true }),
		"of nobody":          with(func(q *store.AggregateQuery) { q.Service = "nobody" }),
		"cut between buckets": with(func(q *store.AggregateQuery) {
			q.Start, q.End, q.Step = events[1000].Time(), events[2000].Time(), time.Hour
		}),
		"one nanosecond": with(func(q *store.AggregateQuery) { q.Start = events[1000].Time(); q.End = q.Start.Add(1) }),
		"empty range":    with(func(q *store.AggregateQuery) { q.End = q.Start }),
	} {
		t.Run(name, func(t *testing.T) { requireAggregates(t, b, q, events) })
	}
}

func requireAggregates(t *testing.T, b *influx.Backend, q store.AggregateQuery, events []genai.Event) {
	t.Helper()
	type key struct {
		start time.Time
		group store.Group
	}
	members := map[key][]genai.Event{}
	for _, e := range events {
		if e.Time().Before(q.Start) || !e.Time().Before(q.End) || q.Service != "" && e.Service != q.Service ||
			q.Model != "" && e.ResponseModel != q.Model || q.Failed && !e.Failed {
			continue
		}
		k := key{start: q.Start}
		if q.Step > 0 {
			k.start = e.Time().Truncate(q.Step) // from year 1, as from 1970 for these steps
			if rest := e.Time().UnixNano() % int64(q.Step); k.start.UnixNano() != e.Time().UnixNano()-rest {
				k.start = time.Unix(0, e.Time().UnixNano()-rest).UTC()
			}
		}
		for _, d := range q.By {
			switch d {
			case store.ByService:
				k.group.Service = e.Service
			case store.ByModel:
				k.group.Model = e.ResponseModel
			case store.ByProvider:
				k.group.Provider = e.Provider
			case store.ByOperation:
				k.group.Operation = e.Operation
			case store.ByEnvironment:
				k.group.Environment = e.Environment
			case store.ByTenant:
				k.group.Tenant = e.Tenant
			}
		}
		members[k] = append(members[k], e)
	}
	got, err := all(b.Aggregate(t.Context(), q))
	require.NoError(t, err)
	require.Len(t, got, len(members))
	require.True(t, slices.IsSortedFunc(got, func(a, b store.Aggregate) int {
		if c := a.Start.Compare(b.Start); c != 0 {
			return c
		}
		return slices.Compare([]string{a.Group.Service, a.Group.Model, a.Group.Tenant}, []string{b.Group.Service, b.Group.Model, b.Group.Tenant})
	}))
	for _, a := range got {
		list := members[key{a.Start, a.Group}]
		require.NotEmpty(t, list, "%s %+v", a.Start, a.Group)
		want := store.Aggregate{Start: a.Start, Group: a.Group, Calls: int64(len(list)), Latency: a.Latency, TTFT: a.TTFT}
		var latency, ttft []float64
		for _, e := range list {
			if e.Failed {
				want.Failed++
			}
			want.InputTokens += e.InputTokens
			want.OutputTokens += e.OutputTokens
			want.TotalTokens += e.TotalTokens
			latency = append(latency, e.LatencyMillis)
			if e.Has(genai.FieldCacheReadTokens) {
				want.CacheReadTokens += e.CacheReadTokens
			}
			if e.Has(genai.FieldCacheWriteTokens) {
				want.CacheWriteTokens += e.CacheWriteTokens
			}
			if e.Has(genai.FieldReasoningTokens) {
				want.ReasoningTokens += e.ReasoningTokens
			}
			if e.Has(genai.FieldCost) {
				want.CostUSD += e.CostUSD
				want.Priced++
			}
			if e.Has(genai.FieldTTFT) {
				ttft = append(ttft, e.TTFTMillis)
			}
		}
		require.InDelta(t, want.CostUSD, a.CostUSD, 1e-9*math.Max(1, want.CostUSD))
		want.CostUSD = a.CostUSD
		require.Equal(t, want, a)
		requireDistribution(t, latency, a.Latency)
		requireDistribution(t, ttft, a.TTFT)
	}
}

func TestAggregatesOf3x(t *testing.T) {
	b, w, _ := threeX(t)
	testAggregate(t, b, w)
}

func TestAggregatesOfReal1x(t *testing.T) {
	b, w := oneX(t, influx.APIAuto)
	testAggregate(t, b, w)
}

func TestAggregatesAreBounded(t *testing.T) {
	_, w, s := threeX(t)
	c := config(t, s.URL)
	c.V3.Token, c.MaxAggregateEvents = token, 99
	b := open(t, c)
	end := time.Now().UTC()
	require.NoError(t, w.WriteEvents(t.Context(), calls(100, end)))
	q := store.AggregateQuery{Start: end.Add(-time.Hour), End: end.Add(time.Second)}
	_, err := all(b.Aggregate(t.Context(), q))
	require.ErrorIs(t, err, store.ErrTooMany)
	assert.ErrorContains(t, err, "max_aggregate_events")
	q.Start = end.Add(-time.Minute)
	got, err := all(b.Aggregate(t.Context(), q))
	require.NoError(t, err, "a narrower question can be answered")
	require.Len(t, got, 1)
}

func TestMalformedAggregationsAreRefused(t *testing.T) {
	b, _, _ := threeX(t)
	end := time.Now()
	good := store.AggregateQuery{Start: end.Add(-time.Hour), End: end}
	for name, change := range map[string]func(*store.AggregateQuery){
		"no start":          func(q *store.AggregateQuery) { q.Start = time.Time{} },
		"no end":            func(q *store.AggregateQuery) { q.End = time.Time{} },
		"negative step":     func(q *store.AggregateQuery) { q.Step = -time.Minute },
		"half a minute":     func(q *store.AggregateQuery) { q.Step = 30 * time.Second },
		"unknown dimension": func(q *store.AggregateQuery) { q.By = []store.Dimension{"colour"} },
		"dimension twice":   func(q *store.AggregateQuery) { q.By = []store.Dimension{store.ByModel, store.ByModel} },
		"short trace":       func(q *store.AggregateQuery) { q.TraceID = "abc" },
	} {
		q := good
		change(&q)
		_, err := all(b.Aggregate(t.Context(), q))
		require.ErrorIs(t, err, store.ErrInvalid, name)
	}
	require.NoError(t, b.Close(t.Context()))
	_, err := all(b.Aggregate(t.Context(), good))
	require.ErrorIs(t, err, store.ErrClosed)
}
