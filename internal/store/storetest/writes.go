package storetest

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/llm-devops/llm-sentinel/internal/anomaly"
	"github.com/llm-devops/llm-sentinel/internal/genai"
	"github.com/llm-devops/llm-sentinel/internal/store"
)

func testIdempotent(c conformance) {
	t, b := c.t, c.b
	g := newGenerator(30)
	events, anomalies := g.events(250), g.anomalies(150)
	fresh, freshAnomalies := g.events(50), g.anomalies(50)
	require.NoError(t, b.WriteEvents(t.Context(), events))
	require.NoError(t, b.WriteEvents(t.Context(), events), "the whole batch again")
	require.NoError(t, b.WriteEvents(t.Context(), append(slices.Clone(events[100:200]), fresh...)), "partly new")
	require.NoError(t, b.WriteEvents(t.Context(), append(slices.Clone(events[:3]), events[:3]...)), "twice in one batch")
	require.NoError(t, b.WriteAnomalies(t.Context(), anomalies))
	require.NoError(t, b.WriteAnomalies(t.Context(), anomalies))
	require.NoError(t, b.WriteAnomalies(t.Context(), append(slices.Clone(anomalies[50:]), freshAnomalies...)))
	requireEvents(t, b, store.EventQuery{Query: store.Query{Limit: 1000}}, newestEventsFirst(append(events, fresh...)))
	requireAnomalies(t, b, store.AnomalyQuery{Query: store.Query{Limit: 1000}}, newestAnomaliesFirst(append(anomalies, freshAnomalies...)))
	requireEvents(t, b, store.EventQuery{Query: store.Query{Service: "service-1", Limit: 1000}},
		keep(newestEventsFirst(append(events, fresh...)), func(e genai.Event) bool { return e.Service == "service-1" }))
}

// testAtomicity cancels writes at all stages of large batches: a reader must
// see all rows of a batch or none, also while it is written.
func testAtomicity(c conformance) {
	c.needWriter()
	t, b := c.t, c.b
	const size = 400
	g := newGenerator(31)
	var wg sync.WaitGroup
	written := make(chan struct{})
	batchOf := map[uuid.UUID]int{}
	var batches [][]genai.Event
	for i := range 16 {
		batch := g.events(size)
		for _, e := range batch {
			batchOf[e.ID] = i
		}
		batches = append(batches, batch)
	}
	check := func(t assert.TestingT) map[int]int {
		got, err := collect(b.Events(context.Background(), store.EventQuery{Query: store.Query{Limit: size * 30}}))
		assert.NoError(t, err)
		sums := map[int]int{}
		for _, e := range got {
			sums[batchOf[e.ID]]++
		}
		for i, n := range sums {
			assert.Equal(t, size, n, "batch %d is visible in part", i)
		}
		return sums
	}
	wg.Go(func() {
		for {
			select {
			case <-written:
				return
			default:
				check(t)
			}
		}
	})
	errs := make([]error, len(batches))
	for i, batch := range batches {
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i)*300*time.Microsecond)
		errs[i] = b.WriteEvents(ctx, batch)
		cancel()
	}
	sums := check(t)
	for i, err := range errs {
		if err == nil {
			assert.Equal(t, size, sums[i], "batch %d was acknowledged", i)
		} else {
			assert.ErrorIs(t, err, context.DeadlineExceeded)
		}
		assert.NoError(t, b.WriteEvents(t.Context(), batches[i]), "any error may be retried")
	}
	close(written)
	wg.Wait()
	require.Len(t, check(t), len(batches))
}

func testBatchIsCallers(c conformance) {
	t, b := c.t, c.b
	g := newGenerator(32)
	e, a := fullEvent(g), fullAnomaly(g)
	events, anomalies := []genai.Event{e}, []anomaly.Anomaly{a}
	require.NoError(t, b.WriteEvents(t.Context(), events))
	require.NoError(t, b.WriteAnomalies(t.Context(), anomalies))
	events[0] = genai.Event{}
	anomalies[0] = anomaly.Anomaly{}
	e.Metadata["a"] = "changed"
	a.Remediation[0] = "changed"
	gotE, err := collect(b.Events(t.Context(), store.EventQuery{Query: store.Query{Limit: 1}}))
	require.NoError(t, err)
	require.Equal(t, "1", gotE[0].Metadata["a"])
	gotA, err := collect(b.Anomalies(t.Context(), store.AnomalyQuery{Query: store.Query{Limit: 1}}))
	require.NoError(t, err)
	require.Equal(t, "do this", gotA[0].Remediation[0])
}

func testResultsAreCallers(c conformance) {
	t, b := c.t, c.b
	g := newGenerator(33)
	want := fullEvent(g)
	require.NoError(t, b.WriteEvents(t.Context(), []genai.Event{want}))
	q := store.EventQuery{Query: store.Query{Limit: 1}}
	first, err := collect(b.Events(t.Context(), q))
	require.NoError(t, err)
	first[0].Metadata["a"] = "changed"
	second, err := collect(b.Events(t.Context(), q))
	require.NoError(t, err)
	require.Equal(t, c.kept.event(want), second[0])
}

// testConcurrent lets writers and readers meet; every acknowledged row must be
// there at once, and at the end each exactly once.
func testConcurrent(c conformance) {
	t, b := c.t, c.b
	const writers, perWriter, size = 4, 10, 25
	var wg sync.WaitGroup
	for w := range writers {
		g := newGenerator(uint64(100 + w))
		wg.Go(func() {
			for range perWriter {
				batch := g.events(size)
				if !assert.NoError(t, b.WriteEvents(t.Context(), batch)) {
					return
				}
				got, err := collect(b.Events(t.Context(), store.EventQuery{Query: store.Query{
					Start: batch[size-1].Time(), End: batch[0].Time().Add(1), Limit: writers * size * 2,
				}}))
				assert.NoError(t, err)
				assert.Subset(t, eventIDs(got), eventIDs(batch), "acknowledged rows are visible")
				assert.NoError(t, b.WriteAnomalies(t.Context(), g.anomalies(3)))
			}
		})
	}
	done := make(chan struct{})
	var readers sync.WaitGroup
	for range 6 {
		readers.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				_, err := collect(b.Events(t.Context(), store.EventQuery{Query: store.Query{Service: "service-1", Limit: 50}}))
				assert.NoError(t, err)
				_, err = collect(b.Anomalies(t.Context(), store.AnomalyQuery{Query: store.Query{Limit: 50}, Severity: anomaly.SeverityHigh}))
				assert.NoError(t, err)
			}
		})
	}
	wg.Wait()
	close(done)
	readers.Wait()
	got, err := collect(b.Events(t.Context(), store.EventQuery{Query: store.Query{Limit: 10000}}))
	require.NoError(t, err)
	require.Len(t, got, writers*perWriter*size)
}
