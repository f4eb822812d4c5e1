package storetest

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/llm-devops/llm-sentinel/internal/genai"
	"github.com/llm-devops/llm-sentinel/internal/store"
)

// figures is the answer to q as the contract has it.
func figures(events []genai.Event, q store.AggregateQuery) []store.Aggregate {
	type key struct {
		start int64
		group store.Group
	}
	type collected struct {
		store.Aggregate
		latency, ttft []float64
	}
	cells := map[key]*collected{}
	for _, e := range events {
		at := e.Time()
		if at.Before(q.Start) || !at.Before(q.End) || q.Service != "" && e.Service != q.Service || q.Model != "" && e.Model() != q.Model || !matches(&q.EventFilter, &e) {
			continue
		}
		g := store.GroupOf(&e, q.By)
		start := q.Start
		if q.Step > 0 {
			start = time.Unix(0, at.UnixNano()-at.UnixNano()%int64(q.Step))
		}
		c := cells[key{start.UnixNano(), g}]
		if c == nil {
			c = &collected{Aggregate: store.Aggregate{Start: start.UTC(), Group: g}}
			cells[key{start.UnixNano(), g}] = c
		}
		c.Calls++
		if e.Failed {
			c.Failed++
		}
		if e.Has(genai.FieldCost) {
			c.Priced++
			c.CostUSD += e.CostUSD
		}
		for _, n := range []struct {
			to    *int64
			field genai.Field
			value int64
		}{
			{&c.InputTokens, genai.FieldInputTokens, e.InputTokens},
			{&c.OutputTokens, genai.FieldOutputTokens, e.OutputTokens},
			{&c.TotalTokens, genai.FieldTotalTokens, e.TotalTokens},
			{&c.CacheReadTokens, genai.FieldCacheReadTokens, e.CacheReadTokens},
			{&c.CacheWriteTokens, genai.FieldCacheWriteTokens, e.CacheWriteTokens},
			{&c.ReasoningTokens, genai.FieldReasoningTokens, e.ReasoningTokens},
		} {
			if e.Has(n.field) {
				*n.to += n.value
			}
		}
		if e.Has(genai.FieldLatency) {
			c.latency = append(c.latency, e.LatencyMillis)
		}
		if e.Has(genai.FieldTTFT) {
			c.ttft = append(c.ttft, e.TTFTMillis)
		}
	}
	var out []store.Aggregate
	for _, c := range cells {
		c.Latency, c.TTFT = distribution(c.latency), distribution(c.ttft)
		out = append(out, c.Aggregate)
	}
	slices.SortFunc(out, func(a, b store.Aggregate) int {
		return cmp.Or(a.Start.Compare(b.Start), a.Group.Compare(b.Group))
	})
	return out
}

// distribution takes percentiles by the nearest rank.
func distribution(values []float64) (d store.Distribution) {
	if len(values) == 0 {
		return d
	}
	slices.Sort(values)
	for _, v := range values {
		d.Sum += v
	}
	at := func(percent int) float64 { return values[(len(values)*percent+99)/100-1] }
	d.Count, d.Min, d.Max = int64(len(values)), values[0], values[len(values)-1]
	d.P50, d.P95, d.P99 = at(50), at(95), at(99)
	return d
}

// requireFigures compares answers: counts exactly, sums as far as the order of
// addition matters, percentiles by the error that the backend promises.
func requireFigures(t *testing.T, b store.Backend, q store.AggregateQuery, want []store.Aggregate) {
	t.Helper()
	got, err := collect(b.(store.Aggregator).Aggregate(t.Context(), q))
	require.NoError(t, err)
	require.Len(t, got, len(want))
	off := b.Capabilities().PercentileError + 1e-12
	for i := range want {
		w, g := want[i], got[i]
		require.Equal(t, w.Start, g.Start)
		require.Equal(t, w.Group, g.Group)
		for _, p := range [][2]float64{
			{w.CostUSD, g.CostUSD},
			{w.Latency.Sum, g.Latency.Sum},
			{w.TTFT.Sum, g.TTFT.Sum},
		} {
			require.InDelta(t, p[0], p[1], 1e-9*math.Max(1, math.Abs(p[0])))
		}
		for _, p := range [][2]float64{
			{w.Latency.P50, g.Latency.P50},
			{w.Latency.P95, g.Latency.P95},
			{w.Latency.P99, g.Latency.P99},
			{w.TTFT.P50, g.TTFT.P50},
			{w.TTFT.P95, g.TTFT.P95},
			{w.TTFT.P99, g.TTFT.P99},
		} {
			require.InDelta(t, p[0], p[1], off*math.Abs(p[0]), "bucket %s %v", w.Start, w.Group)
		}
		for _, a := range []*store.Aggregate{&w, &g} {
			a.CostUSD = 0
			for _, d := range []*store.Distribution{&a.Latency, &a.TTFT} {
				d.Sum, d.P50, d.P95, d.P99 = 0, 0, 0, 0
			}
		}
		require.Equal(t, w, g)
	}
}

func (c conformance) aggregator() store.Aggregator {
	c.t.Helper()
	a, ok := c.b.(store.Aggregator)
	if !c.b.Capabilities().Aggregate {
		if ok {
			_, err := collect(a.Aggregate(c.t.Context(), store.AggregateQuery{Start: base.Add(-time.Hour), End: base}))
			require.ErrorIs(c.t, err, store.ErrUnsupported)
		}
		c.t.Skip("the backend does not aggregate")
	}
	require.True(c.t, ok, "the capabilities promise aggregates")
	return a
}

func testAggregates(c conformance) {
	t, b := c.t, c.b
	c.aggregator()
	g := newGenerator(70)
	events := diverse(g, 900) // four hours and a bit
	require.NoError(t, b.WriteEvents(t.Context(), events))
	require.NoError(t, b.WriteEvents(t.Context(), events[:300]), "what is delivered twice counts once")
	start, end := base.Add(-5*time.Hour), base.Add(time.Hour)
	like := events[200]
	for name, q := range map[string]store.AggregateQuery{
		"all in one":             {},
		"minutes":                {Step: time.Minute},
		"hours":                  {Step: time.Hour},
		"days":                   {Step: 24 * time.Hour},
		"seven minutes":          {Step: 7 * time.Minute},
		"services":               {By: []store.Dimension{store.ByService}},
		"models in hours":        {Step: time.Hour, By: []store.Dimension{store.ByModel}},
		"order of dimensions":    {Step: time.Hour, By: []store.Dimension{store.ByTenant, store.ByService}},
		"all dimensions":         {Step: 10 * time.Minute, By: store.Dimensions},
		"one service":            {Service: "service-1", Step: 5 * time.Minute, By: []store.Dimension{store.ByModel}},
		"one model":              {Model: "model-2", Step: time.Hour},
		"unknown service":        {Service: "service-99"},
		"range cuts buckets":     {Start: events[700].Time(), End: events[33].Time(), Step: time.Hour, By: []store.Dimension{store.ByService}},
		"ends before an event":   {Start: events[33].Time().Add(-time.Minute), End: events[33].Time()},
		"starts with an event":   {Start: events[33].Time(), End: events[33].Time().Add(1)},
		"one in one":             {Start: events[500].Time(), End: events[20].Time()},
		"empty range":            {Start: events[33].Time(), End: events[33].Time()},
		"reversed range":         {Start: events[33].Time(), End: events[44].Time()},
		"other zone":             {Start: start.In(time.FixedZone("x", 5*3600+1800)), Step: 24 * time.Hour},
		"a service and a filter": {Service: like.Service, EventFilter: store.EventFilter{Provider: "openai", Failed: true}, By: []store.Dimension{store.ByOperation}},
	} {
		if q.Start.IsZero() {
			q.Start = start
		}
		if q.End.IsZero() {
			q.End = end
		}
		if q.EventFilter != (store.EventFilter{}) && !b.Capabilities().Filters {
			_, err := collect(b.(store.Aggregator).Aggregate(t.Context(), q))
			require.ErrorIs(t, err, store.ErrUnsupported, name)
			continue
		}
		t.Run(name, func(t *testing.T) { requireFigures(t, b, q, figures(events, q)) })
	}
	if b.Capabilities().Filters && b.Capabilities().Trace {
		for name, f := range eventFilters(&like) {
			q := store.AggregateQuery{Start: start, End: end, EventFilter: f, Step: time.Hour, By: []store.Dimension{store.ByService, store.ByModel}}
			t.Run("filter "+name, func(t *testing.T) { requireFigures(t, b, q, figures(events, q)) })
		}
	}
	// Late data is counted at once, also in hours that were asked for before.
	late := diverse(newGenerator(71), 600)
	require.NoError(t, b.WriteEvents(t.Context(), late))
	events = append(events, late...)
	for _, step := range []time.Duration{0, time.Minute, time.Hour} {
		q := store.AggregateQuery{Start: start, End: end, Step: step, By: []store.Dimension{store.ByService}}
		requireFigures(t, b, q, figures(events, q))
	}
}

// testAggregatesOfMany: the error of percentiles is as small as promised when
// there are many values, whatever they look like.
func testAggregatesOfMany(c conformance) {
	t, b := c.t, c.b
	c.aggregator()
	g := newGenerator(72)
	var events []genai.Event
	for i := range 12_000 {
		g.n = uint64(i % 200)
		e := g.event()
		e.Present |= genai.FieldTTFT
		e.LatencyMillis = math.Exp(g.r.NormFloat64()*3 + 5)
		switch g.r.IntN(20) {
		case 0:
			e.LatencyMillis = 0
		case 1:
			e.LatencyMillis = -1000
		}
		e.TTFTMillis = float64(g.r.IntN(3))
		events = append(events, e)
	}
	for batch := range slices.Chunk(events, 3000) {
		require.NoError(t, b.WriteEvents(t.Context(), batch))
	}
	for _, by := range [][]store.Dimension{nil, {store.ByService}} {
		for _, step := range []time.Duration{0, time.Hour} {
			q := store.AggregateQuery{Start: base.Add(-2 * time.Hour), End: base.Add(time.Hour), Step: step, By: by}
			requireFigures(t, b, q, figures(events, q))
		}
	}
}

var limitTested sync.Map

func testAggregateLimits(c conformance) {
	t := c.t
	a := c.aggregator()
	for name, q := range map[string]store.AggregateQuery{
		"no start":          {End: base},
		"no end":            {Start: base},
		"negative step":     {Start: base, End: base, Step: -time.Minute},
		"odd step":          {Start: base, End: base, Step: 90 * time.Second},
		"unknown dimension": {Start: base, End: base, By: []store.Dimension{"colour"}},
		"dimension twice":   {Start: base, End: base, By: []store.Dimension{store.ByModel, store.ByModel}},
	} {
		_, err := collect(a.Aggregate(t.Context(), q))
		require.ErrorIs(t, err, store.ErrInvalid, name)
	}
	// One group more than the limit: services × minutes. Once is enough for each
	// type of backend, because it takes long; over a network it takes too long.
	if c.readOnly() {
		require.NoError(t, c.b.Close(t.Context()))
		_, err := collect(a.Aggregate(t.Context(), store.AggregateQuery{Start: base, End: base.Add(1)}))
		require.ErrorIs(t, err, store.ErrClosed)
		return
	}
	if _, done := limitTested.LoadOrStore(fmt.Sprintf("%T", c.b), true); done {
		return
	}
	g := newGenerator(73)
	const minutes = 100
	var events []genai.Event
	for i := range store.MaxGroups + 1 {
		e := g.event()
		e.Service = fmt.Sprint("s", i/minutes)
		e.End = stamp(base.Add(-time.Duration(i%minutes) * time.Minute))
		e.Start = e.End
		e.Present = 0
		events = append(events, e)
	}
	for batch := range slices.Chunk(events, 5000) {
		require.NoError(t, c.b.WriteEvents(t.Context(), batch))
	}
	q := store.AggregateQuery{Start: base.Add(-3 * time.Hour), End: base.Add(time.Minute), Step: time.Minute, By: []store.Dimension{store.ByService}}
	_, err := collect(a.Aggregate(t.Context(), q))
	require.ErrorIs(t, err, store.ErrTooMany)
	q.Step = time.Hour
	got, err := collect(a.Aggregate(t.Context(), q))
	require.NoError(t, err)
	calls := int64(0)
	for _, x := range got {
		calls += x.Calls
	}
	require.EqualValues(t, len(events), calls)

	_, err = collect(a.Aggregate(gone(c), q))
	require.ErrorIs(t, err, context.Canceled)
	late, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	_, err = collect(a.Aggregate(late, q))
	require.ErrorIs(t, err, context.DeadlineExceeded, "in the middle of its work")
	n := 0
	for _, err := range a.Aggregate(t.Context(), q) { // left early, and asked again
		require.NoError(t, err)
		if n++; n == 3 {
			break
		}
	}
	again, err := collect(a.Aggregate(t.Context(), q))
	require.NoError(t, err)
	require.Equal(t, got, again)
	require.NoError(t, c.b.Close(t.Context()))
	_, err = collect(a.Aggregate(t.Context(), q))
	require.ErrorIs(t, err, store.ErrClosed)
}
