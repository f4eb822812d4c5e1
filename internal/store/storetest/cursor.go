package storetest

import (
	"bytes"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/llm-devops/llm-sentinel/internal/genai"
	"github.com/llm-devops/llm-sentinel/internal/store"
)

// walk pages through all results. It calls between after each page.
func walk(t *testing.T, b store.Backend, q store.EventQuery, between func()) []genai.Event {
	t.Helper()
	var all []genai.Event
	for {
		page, err := collect(b.Events(t.Context(), q))
		require.NoError(t, err)
		require.LessOrEqual(t, len(page), q.Limit)
		if len(page) == 0 {
			return all
		}
		all = append(all, page...)
		require.Less(t, len(all), 1_000_000, "the walk does not end")
		last := page[len(page)-1]
		q.After = &store.Position{Time: last.Time(), ID: last.ID}
		between()
	}
}

// sameTimes makes long runs of events with one time.
func sameTimes(events []genai.Event) {
	for i := range events {
		events[i].End = events[i-i%37].End
	}
}

func testCursor(c conformance) {
	t, b := c.t, c.b
	if !b.Capabilities().Cursor {
		t.Skip("the backend has no cursor")
	}
	g := newGenerator(40)
	events := g.events(600)
	sameTimes(events)
	require.NoError(t, b.WriteEvents(t.Context(), events))
	all := newestEventsFirst(events)
	for _, limit := range []int{1, 7, 37, 250, 600, 1000} {
		got := walk(t, b, store.EventQuery{Query: store.Query{Limit: limit}}, func() {})
		require.Equal(t, eventIDs(all), eventIDs(got), "limit %d", limit)
	}
	ascending := slices.Clone(all)
	slices.Reverse(ascending)
	require.Equal(t, eventIDs(ascending), eventIDs(walk(t, b, store.EventQuery{Query: store.Query{Limit: 41, Ascending: true}}, func() {})))
	require.Equal(t,
		eventIDs(keep(all, func(e genai.Event) bool { return e.Service == "service-2" })),
		eventIDs(walk(t, b, store.EventQuery{Query: store.Query{Service: "service-2", Limit: 5}}, func() {})))

	anomalies := g.anomalies(100)
	require.NoError(t, b.WriteAnomalies(t.Context(), anomalies))
	q := store.AnomalyQuery{Query: store.Query{Limit: 9}}
	var ids []uuid.UUID
	for {
		page, err := collect(b.Anomalies(t.Context(), q))
		require.NoError(t, err)
		if len(page) == 0 {
			break
		}
		ids = append(ids, anomalyIDs(page)...)
		q.After = &store.Position{Time: page[len(page)-1].Time, ID: page[len(page)-1].ID}
	}
	require.Equal(t, anomalyIDs(newestAnomaliesFirst(anomalies)), ids)
}

// testCursorAnywhere: a position need not be that of a row.
func testCursorAnywhere(c conformance) {
	t, b := c.t, c.b
	if !b.Capabilities().Cursor {
		t.Skip("the backend has no cursor")
	}
	g := newGenerator(41)
	events := newestEventsFirst(g.events(300))
	require.NoError(t, b.WriteEvents(t.Context(), events))
	for _, at := range []store.Position{
		{Time: events[100].Time().Add(1)},
		{Time: events[100].Time()},
		{Time: events[100].Time(), ID: uuid.Max},
		{Time: base.Truncate(time.Hour)},
		{Time: base.Add(time.Hour)},
		{Time: events[299].Time().Add(-1)},
		{Time: time.Date(1200, 1, 1, 0, 0, 0, 0, time.UTC)},
		{Time: time.Date(2900, 1, 1, 0, 0, 0, 0, time.UTC)},
		{},
	} {
		before := keep(events, func(e genai.Event) bool { return after(at.Time, at.ID, e.Time(), e.ID) < 0 })
		behind := keep(events, func(e genai.Event) bool { return after(at.Time, at.ID, e.Time(), e.ID) > 0 })
		slices.Reverse(behind)
		requireEvents(t, b, store.EventQuery{Query: store.Query{Limit: 1000, After: &at}}, before)
		requireEvents(t, b, store.EventQuery{Query: store.Query{Limit: 1000, After: &at, Ascending: true}}, behind)
	}
}

// testCursorUnderWrites: rows that were there when the walk began are visited
// exactly once, whatever is written meanwhile; no row is visited twice.
func testCursorUnderWrites(c conformance) {
	t, b := c.t, c.b
	if !b.Capabilities().Cursor {
		t.Skip("the backend has no cursor")
	}
	g := newGenerator(42)
	events := g.events(400)
	sameTimes(events)
	require.NoError(t, b.WriteEvents(t.Context(), events))
	for _, ascending := range []bool{false, true} {
		// Fewer events are written beside a page than are on it: otherwise a
		// backend that writes faster than it reads would never come to the end.
		pages := make(chan struct{}, 1)
		var wg sync.WaitGroup
		wg.Go(func() {
			other := newGenerator(43)
			for range pages {
				for range 5 {
					// The same times as those that are walked over.
					batch := other.events(20)
					sameTimes(batch)
					if other.n >= 400 {
						other.n = 0
					}
					assert.NoError(t, b.WriteEvents(t.Context(), batch))
				}
			}
		})
		beside := func() {
			select {
			case pages <- struct{}{}:
			default: // still busy with what was written beside an earlier page
			}
		}
		beside()
		got := walk(t, b, store.EventQuery{Query: store.Query{Limit: 200, Ascending: ascending}}, beside)
		close(pages)
		wg.Wait()
		seen := map[uuid.UUID]int{}
		for _, e := range got {
			seen[e.ID]++
			require.Equal(t, 1, seen[e.ID], "visited twice")
		}
		for _, e := range events {
			require.Equal(t, 1, seen[e.ID], "not visited")
		}
		require.True(t, slices.IsSortedFunc(got, func(a, b genai.Event) int {
			c := after(a.Time(), a.ID, b.Time(), b.ID)
			if ascending {
				return -c
			}
			return c
		}))
	}
	require.False(t, bytes.Equal(events[0].ID[:], events[1].ID[:]))
}
