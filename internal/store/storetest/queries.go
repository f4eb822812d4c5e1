package storetest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/llm-devops/llm-sentinel/internal/anomaly"
	"github.com/llm-devops/llm-sentinel/internal/genai"
	"github.com/llm-devops/llm-sentinel/internal/store"
)

func keep[T any](list []T, f func(T) bool) []T {
	var out []T
	for _, v := range list {
		if f(v) {
			out = append(out, v)
		}
	}
	return out
}

// testOrder writes many items of equal time, over the change of an hour.
func testOrder(c conformance) {
	t, b := c.t, c.b
	g := newGenerator(20)
	events, anomalies := g.events(500), g.anomalies(200)
	for i := range events {
		if i%4 != 0 {
			events[i].End = events[i-i%4].End
		}
	}
	for i := range anomalies {
		anomalies[i].Time = anomalies[i-i%5].Time
	}
	g.r.Shuffle(len(events), func(i, j int) { events[i], events[j] = events[j], events[i] })
	g.r.Shuffle(len(anomalies), func(i, j int) { anomalies[i], anomalies[j] = anomalies[j], anomalies[i] })
	for batch := range slices.Chunk(events, 90) {
		require.NoError(t, b.WriteEvents(t.Context(), batch))
	}
	for batch := range slices.Chunk(anomalies, 70) {
		require.NoError(t, b.WriteAnomalies(t.Context(), batch))
	}
	wantEvents, wantAnomalies := newestEventsFirst(events), newestAnomaliesFirst(anomalies)
	requireEvents(t, b, store.EventQuery{Query: store.Query{Limit: 1000}}, wantEvents)
	requireAnomalies(t, b, store.AnomalyQuery{Query: store.Query{Limit: 1000}}, wantAnomalies)
	slices.Reverse(wantEvents)
	slices.Reverse(wantAnomalies)
	requireEvents(t, b, store.EventQuery{Query: store.Query{Limit: 1000, Ascending: true}}, wantEvents)
	requireAnomalies(t, b, store.AnomalyQuery{Query: store.Query{Limit: 1000, Ascending: true}}, wantAnomalies)
}

func testEventFilters(c conformance) {
	t, b := c.t, c.b
	g := newGenerator(21)
	events := g.events(400)
	require.NoError(t, b.WriteEvents(t.Context(), events))
	all := newestEventsFirst(events)
	for _, service := range []string{"", "service-0", "service-3", "SERVICE-0", "service", "service-99"} {
		for _, model := range []string{"", "model-1", "asked", "model-99"} {
			want := keep(all, func(e genai.Event) bool {
				return (service == "" || e.Service == service) && (model == "" || e.Model() == model)
			})
			for _, ascending := range []bool{false, true} {
				want := slices.Clone(want)
				if ascending {
					slices.Reverse(want)
				}
				t.Run(fmt.Sprintf("%q %q %v", service, model, ascending), func(t *testing.T) {
					requireEvents(t, b, store.EventQuery{Query: store.Query{Service: service, Model: model, Limit: 1000, Ascending: ascending}}, want)
				})
			}
		}
	}
	if !b.Capabilities().Trace {
		return
	}
	trace := events[100].TraceID
	ofTrace := keep(all, func(e genai.Event) bool { return e.TraceID == trace })
	require.NotEmpty(t, ofTrace)
	requireEvents(t, b, store.EventQuery{Query: store.Query{Limit: 1000}, EventFilter: store.EventFilter{TraceID: trace.String()}}, ofTrace)
	service := ofTrace[0].Service
	requireEvents(t, b, store.EventQuery{Query: store.Query{Service: service, Limit: 1000}, EventFilter: store.EventFilter{TraceID: trace.String()}},
		keep(ofTrace, func(e genai.Event) bool { return e.Service == service }))
	requireEvents(t, b, store.EventQuery{Query: store.Query{Limit: 1000}, EventFilter: store.EventFilter{TraceID: traceID(1 << 40).String()}}, nil)
}

func testAnomalyFilters(c conformance) {
	t, b := c.t, c.b
	g := newGenerator(22)
	anomalies := g.anomalies(300)
	require.NoError(t, b.WriteAnomalies(t.Context(), anomalies))
	all := newestAnomaliesFirst(anomalies)
	for name, q := range map[string]store.AnomalyQuery{
		"service":               {Query: store.Query{Service: "service-1"}},
		"model":                 {Query: store.Query{Model: "model-2"}},
		"severity":              {Severity: anomaly.SeverityCritical},
		"lowest severity":       {Severity: anomaly.SeverityLow},
		"type":                  {Type: anomaly.TypeLatencySpike},
		"unknown type":          {Type: "nothing_like_that"},
		"confidence":            {MinConfidence: 0.5},
		"confidence, inclusive": {MinConfidence: anomalies[0].Confidence},
		"full confidence":       {MinConfidence: 1},
		"all": {
			Query:    store.Query{Service: anomalies[7].Service, Model: anomalies[7].Model},
			Severity: anomalies[7].Severity, Type: anomalies[7].Type, MinConfidence: anomalies[7].Confidence / 2,
		},
	} {
		t.Run(name, func(t *testing.T) {
			q.Limit = 1000
			requireAnomalies(t, b, q, keep(all, func(a anomaly.Anomaly) bool {
				return (q.Service == "" || a.Service == q.Service) && (q.Model == "" || a.Model == q.Model) &&
					(q.Severity == 0 || a.Severity == q.Severity) && (q.Type == "" || a.Type == q.Type) && a.Confidence >= q.MinConfidence
			}))
		})
	}
}

func testTimeRange(c conformance) {
	t, b := c.t, c.b
	g := newGenerator(23)
	events, anomalies := g.events(500), g.anomalies(200)
	require.NoError(t, b.WriteEvents(t.Context(), events))
	require.NoError(t, b.WriteAnomalies(t.Context(), anomalies))
	hour := base.Truncate(time.Hour)
	far := time.Date(2900, 1, 1, 0, 0, 0, 0, time.UTC)
	long := time.Date(1200, 1, 1, 0, 0, 0, 0, time.UTC)
	for name, r := range map[string]struct{ start, end time.Time }{
		"open":              {},
		"start only":        {start: events[100].Time()},
		"end only":          {end: events[100].Time()},
		"both":              {start: events[300].Time(), end: events[20].Time()},
		"one nanosecond":    {start: events[50].Time(), end: events[50].Time().Add(1)},
		"nanosecond before": {start: events[50].Time().Add(-1), end: events[50].Time()},
		"whole hour":        {start: hour.Add(-time.Hour), end: hour},
		"ends at an hour":   {end: hour.Add(-time.Hour)},
		"starts at an hour": {start: hour.Add(-time.Hour)},
		"empty":             {start: events[50].Time(), end: events[50].Time()},
		"reversed":          {start: events[50].Time(), end: events[60].Time()},
		"before all":        {end: events[499].Time()},
		"behind all":        {start: base.Add(1)},
		"very wide":         {start: long, end: far},
		"far future":        {start: far},
		"long ago":          {end: long},
		"other zone":        {start: events[300].Time().In(time.FixedZone("x", 3*3600)), end: events[20].Time().In(time.FixedZone("y", -5*3600))},
	} {
		t.Run(name, func(t *testing.T) {
			in := func(at time.Time) bool {
				return (r.start.IsZero() || !at.Before(r.start)) && (r.end.IsZero() || at.Before(r.end))
			}
			q := store.Query{Start: r.start, End: r.end, Limit: 1000}
			requireEvents(t, b, store.EventQuery{Query: q}, keep(events, func(e genai.Event) bool { return in(e.Time()) }))
			requireAnomalies(t, b, store.AnomalyQuery{Query: q}, keep(anomalies, func(a anomaly.Anomaly) bool { return in(a.Time) }))
			q.Service, q.Ascending = "service-2", true
			want := keep(events, func(e genai.Event) bool { return e.Service == "service-2" && in(e.Time()) })
			slices.Reverse(want)
			requireEvents(t, b, store.EventQuery{Query: q}, want)
		})
	}
}

func testLimitOffset(c conformance) {
	t, b := c.t, c.b
	g := newGenerator(24)
	events := g.events(500)
	require.NoError(t, b.WriteEvents(t.Context(), events))
	for _, limit := range []int{1, 2, 211, 212, 499, 500, 501, 1 << 40} {
		requireEvents(t, b, store.EventQuery{Query: store.Query{Limit: limit}}, events[:min(limit, 500)])
	}
	if b.Capabilities().Count {
		n, err := b.CountEvents(t.Context(), store.EventQuery{Query: store.Query{
			Limit: 3, Offset: 5, After: &store.Position{Time: events[250].Time(), ID: events[250].ID},
		}})
		require.NoError(t, err)
		require.EqualValues(t, 500, n, "the count does not depend on paging")
	}
	if !b.Capabilities().Offset {
		return
	}
	for _, offset := range []int{0, 1, 211, 212, 213, 499, 500, 1 << 40} {
		for _, limit := range []int{1, 100, 1000} {
			want := events[min(offset, 500):]
			requireEvents(t, b, store.EventQuery{Query: store.Query{Limit: limit, Offset: offset}}, want[:min(limit, len(want))])
		}
	}
	ofService := keep(events, func(e genai.Event) bool { return e.Service == "service-1" })
	requireEvents(t, b, store.EventQuery{Query: store.Query{Service: "service-1", Limit: 10, Offset: 77}}, ofService[77:87])
	if b.Capabilities().Cursor {
		requireEvents(t, b, store.EventQuery{Query: store.Query{
			Limit: 10, Offset: 250, After: &store.Position{Time: events[99].Time(), ID: events[99].ID},
		}}, events[350:360])
	}
}

func testLeaveIteration(c conformance) {
	t, b := c.t, c.b
	g := newGenerator(25)
	events := g.events(1500)
	require.NoError(t, b.WriteEvents(t.Context(), events))
	seq := b.Events(t.Context(), store.EventQuery{Query: store.Query{Limit: 2000}})
	// More often than any backend has connections.
	for stop := range 20 {
		n := 0
		for _, err := range seq {
			require.NoError(t, err)
			if n++; n > stop*70 {
				break
			}
		}
	}
	got, err := collect(seq)
	require.NoError(t, err)
	require.Equal(t, eventIDs(events), eventIDs(got))
	got, err = collect(seq)
	require.NoError(t, err)
	require.Equal(t, eventIDs(events), eventIDs(got))
}
