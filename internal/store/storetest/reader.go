package storetest

import (
	"context"
	"iter"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/llm-devops/llm-sentinel/internal/anomaly"
	"github.com/llm-devops/llm-sentinel/internal/genai"
	"github.com/llm-devops/llm-sentinel/internal/store"
)

// Kept says what a backend keeps of an item: the item itself, or one without
// what its documentation names. A nil function keeps everything.
type Kept struct {
	Event   func(genai.Event) genai.Event
	Anomaly func(anomaly.Anomaly) anomaly.Anomaly
}

func (k Kept) event(e genai.Event) genai.Event {
	if k.Event == nil {
		return e
	}
	return k.Event(e)
}

func (k Kept) anomaly(a anomaly.Anomaly) anomaly.Anomaly {
	if k.Anomaly == nil {
		return a
	}
	return k.Anomaly(a)
}

// RunReader runs the suite for a backend that only reads. open returns an empty
// one and a writer of the same data; the suite closes the backend.
//
// What is promised by the writer of such a backend, and not by the backend, is
// left out: that a batch is kept whole or not at all, that invalid items are
// refused, and that a closed backend takes none.
func RunReader(t *testing.T, kept Kept, open func(t *testing.T) (store.Backend, store.Writer)) {
	t.Helper()
	run(t, kept, func(t *testing.T) store.Backend {
		t.Helper()
		b, w := open(t)
		return written{b, w}
	})
	t.Run("its own writer refuses", func(t *testing.T) {
		b, _ := open(t)
		require.False(t, b.Capabilities().Write)
		g := newGenerator(5)
		require.ErrorIs(t, b.WriteEvents(t.Context(), g.events(1)), store.ErrUnsupported)
		require.ErrorIs(t, b.WriteAnomalies(t.Context(), g.anomalies(1)), store.ErrUnsupported)
		requireEvents(t, b, store.EventQuery{Query: store.Query{Limit: 1}}, nil)
		require.NoError(t, b.Close(t.Context()))
		require.ErrorIs(t, b.WriteEvents(t.Context(), g.events(1)), store.ErrClosed)
		require.ErrorIs(t, b.WriteAnomalies(t.Context(), g.anomalies(1)), store.ErrClosed)
	})
}

// written is a backend whose data comes from a writer beside it.
type written struct {
	store.Backend
	writer store.Writer
}

func (w written) WriteEvents(ctx context.Context, batch []genai.Event) error {
	return w.writer.WriteEvents(ctx, batch)
}

func (w written) WriteAnomalies(ctx context.Context, batch []anomaly.Anomaly) error {
	return w.writer.WriteAnomalies(ctx, batch)
}

// Aggregate implements [store.Aggregator] for a backend that can.
func (w written) Aggregate(ctx context.Context, q store.AggregateQuery) iter.Seq2[store.Aggregate, error] {
	return w.Backend.(store.Aggregator).Aggregate(ctx, q)
}

// readOnly reports whether the writes of the suite go past the backend.
func (c conformance) readOnly() bool {
	_, ok := c.b.(written)
	return ok
}

// needWriter ends a test of what only a writer can promise.
func (c conformance) needWriter() {
	c.t.Helper()
	if c.readOnly() {
		c.t.Skip("the backend only reads: its writer promises this, or does not")
	}
}
