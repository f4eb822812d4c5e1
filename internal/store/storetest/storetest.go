// Package storetest is the conformance suite of storage backends. Every
// backend runs it from its own tests.
package storetest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/llm-devops/llm-sentinel/internal/store"
)

// conformance is what a test of the suite works with.
type conformance struct {
	t *testing.T
	b store.Backend
}

// Run runs the suite. open returns an empty backend that keeps data of the last
// hours; the suite closes it. Subtests open one backend each.
func Run(t *testing.T, open func(t *testing.T) store.Backend) {
	t.Helper()
	for _, s := range []struct {
		name string
		f    func(conformance)
	}{
		{"round trip of events", testEventRoundTrip},
		{"round trip of anomalies", testAnomalyRoundTrip},
		{"strange text", testStrangeText},
		{"strange times", testStrangeTimes},
		{"empty backend", testEmpty},
		{"repeated writes change nothing", testIdempotent},
		{"a batch is kept whole or not at all", testAtomicity},
		{"writer does not keep the batch", testBatchIsCallers},
		{"results are the caller's", testResultsAreCallers},
		{"invalid items are refused", testInvalidItems},
		{"order", testOrder},
		{"event filters", testEventFilters},
		{"anomaly filters", testAnomalyFilters},
		{"more filters of events", testMoreEventFilters},
		{"by id", testByID},
		{"aggregates", testAggregates},
		{"aggregates of many values", testAggregatesOfMany},
		{"limits of aggregates", testAggregateLimits},
		{"baselines", testBaselines},
		{"feedback", testFeedback},
		{"versions", testVersion},
		{"time range", testTimeRange},
		{"limit and offset", testLimitOffset},
		{"cursor visits each row once", testCursor},
		{"cursor of a row that is gone", testCursorAnywhere},
		{"cursor under concurrent writes", testCursorUnderWrites},
		{"unsupported filters are refused", testUnsupported},
		{"malformed queries are refused", testMalformedQueries},
		{"iteration may be left and repeated", testLeaveIteration},
		{"cancelled context", testCancelled},
		{"concurrent readers and writers", testConcurrent},
		{"use after close", testClosed},
	} {
		t.Run(s.name, func(t *testing.T) {
			b := open(t)
			t.Cleanup(func() { require.NoError(t, b.Close(context.Background())) })
			s.f(conformance{t, b})
		})
	}
}

// RunDurable checks what a backend keeps over a restart. open opens the backend
// at a place, which is the same for the same directory.
func RunDurable(t *testing.T, open func(t *testing.T, dir string) store.Backend) {
	t.Helper()
	dir := t.TempDir()
	g := newGenerator(1)
	events, anomalies := g.events(300), g.anomalies(100)
	func() {
		b := open(t, dir)
		require.NoError(t, b.WriteEvents(t.Context(), events))
		require.NoError(t, b.WriteAnomalies(t.Context(), anomalies))
		require.NoError(t, b.Close(t.Context()))
	}()

	b := open(t, dir)
	requireEvents(t, b, store.EventQuery{Query: store.Query{Limit: 1000}}, newestEventsFirst(events))
	requireAnomalies(t, b, store.AnomalyQuery{Query: store.Query{Limit: 1000}}, newestAnomaliesFirst(anomalies))
	// What was written before the restart is still known as written.
	require.NoError(t, b.WriteEvents(t.Context(), events))
	requireEvents(t, b, store.EventQuery{Query: store.Query{Limit: 1000}}, newestEventsFirst(events))
	require.NoError(t, b.Close(t.Context()))
}

func testClosed(c conformance) {
	t, b := c.t, c.b
	g := newGenerator(2)
	events, anomalies := g.events(5), g.anomalies(5)
	require.NoError(t, b.WriteEvents(t.Context(), events))
	require.NoError(t, b.Close(t.Context()))
	require.NoError(t, b.Close(t.Context()), "closing twice is allowed")

	require.ErrorIs(t, b.WriteEvents(t.Context(), events), store.ErrClosed)
	require.ErrorIs(t, b.WriteAnomalies(t.Context(), anomalies), store.ErrClosed)
	_, err := collect(b.Events(t.Context(), store.EventQuery{Query: store.Query{Limit: 1}}))
	require.ErrorIs(t, err, store.ErrClosed)
	_, err = collect(b.Anomalies(t.Context(), store.AnomalyQuery{Query: store.Query{Limit: 1}}))
	require.ErrorIs(t, err, store.ErrClosed)
	require.ErrorIs(t, b.Ping(t.Context()), store.ErrClosed)
	if b.Capabilities().Count {
		_, err = b.CountEvents(t.Context(), store.EventQuery{})
		require.ErrorIs(t, err, store.ErrClosed)
		_, err = b.CountAnomalies(t.Context(), store.AnomalyQuery{})
		require.ErrorIs(t, err, store.ErrClosed)
	}
}

func testCancelled(c conformance) {
	t, b := c.t, c.b
	g := newGenerator(3)
	events := g.events(2500)
	require.NoError(t, b.WriteEvents(t.Context(), events))

	gone, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, b.WriteEvents(gone, g.events(10)), context.Canceled)
	_, err := collect(b.Events(gone, store.EventQuery{Query: store.Query{Limit: 10}}))
	require.ErrorIs(t, err, context.Canceled)
	_, err = collect(b.Anomalies(gone, store.AnomalyQuery{Query: store.Query{Limit: 10}}))
	require.ErrorIs(t, err, context.Canceled)
	require.Error(t, b.Ping(gone))

	late, stop := context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
	defer stop()
	_, err = collect(b.Events(late, store.EventQuery{Query: store.Query{Limit: 10}}))
	require.ErrorIs(t, err, context.DeadlineExceeded)

	// Cancelled in the middle: the iteration ends, with the error once.
	mid, cancelMid := context.WithCancel(t.Context())
	defer cancelMid()
	n, failures := 0, 0
	for _, err := range b.Events(mid, store.EventQuery{Query: store.Query{Limit: 5000}}) {
		if err != nil {
			require.ErrorIs(t, err, context.Canceled)
			failures++
			continue
		}
		n++
		cancelMid()
	}
	require.LessOrEqual(t, failures, 1)
	require.True(t, failures == 1 || n == len(events), "%d rows and no error: cut off in silence", n)

	// Nothing of this has hurt the backend.
	require.NoError(t, b.Ping(t.Context()))
	requireEvents(t, b, store.EventQuery{Query: store.Query{Limit: 5000}}, newestEventsFirst(events))
}

func testUnsupported(c conformance) {
	t, b := c.t, c.b
	g := newGenerator(4)
	require.NoError(t, b.WriteEvents(t.Context(), g.events(5)))
	can := b.Capabilities()
	check := func(name string, supported bool, err error) {
		if supported {
			require.NotErrorIs(t, err, store.ErrUnsupported, name)
		} else {
			require.ErrorIs(t, err, store.ErrUnsupported, name)
		}
	}
	_, err := b.CountEvents(t.Context(), store.EventQuery{})
	check("count of events", can.Count, err)
	_, err = b.CountAnomalies(t.Context(), store.AnomalyQuery{})
	check("count of anomalies", can.Count, err)
	_, err = collect(b.Events(t.Context(), store.EventQuery{Query: store.Query{Limit: 1, Offset: 1}}))
	check("offset", can.Offset, err)
	_, err = collect(b.Events(t.Context(), store.EventQuery{Query: store.Query{Limit: 1, After: &store.Position{Time: base}}}))
	check("cursor", can.Cursor, err)
	_, err = collect(b.Events(t.Context(), store.EventQuery{Query: store.Query{Limit: 1}, EventFilter: store.EventFilter{TraceID: traceID(1).String()}}))
	check("trace", can.Trace, err)
}

func testMalformedQueries(c conformance) {
	t, b := c.t, c.b
	for name, q := range map[string]store.EventQuery{
		"no limit":        {},
		"negative limit":  {Query: store.Query{Limit: -1}},
		"negative offset": {Query: store.Query{Limit: 1, Offset: -1}},
		"short trace":     {Query: store.Query{Limit: 1}, EventFilter: store.EventFilter{TraceID: "abc"}},
		"no hex trace":    {Query: store.Query{Limit: 1}, EventFilter: store.EventFilter{TraceID: "zz000000000000000000000000000000"}},
	} {
		_, err := collect(b.Events(t.Context(), q))
		require.True(t, errors.Is(err, store.ErrInvalid) || errors.Is(err, store.ErrUnsupported), "%s: %v", name, err)
	}
	for name, q := range map[string]store.AnomalyQuery{
		"no limit":            {},
		"unknown severity":    {Query: store.Query{Limit: 1}, Severity: 9},
		"confidence above 1":  {Query: store.Query{Limit: 1}, MinConfidence: 1.5},
		"negative confidence": {Query: store.Query{Limit: 1}, MinConfidence: -0.5},
	} {
		_, err := collect(b.Anomalies(t.Context(), q))
		require.True(t, errors.Is(err, store.ErrInvalid) || errors.Is(err, store.ErrUnsupported), "%s: %v", name, err)
	}
}
