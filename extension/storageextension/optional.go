package storageextension

import (
	"context"
	"iter"
	"sync/atomic"
	"time"

	"github.com/llm-devops/llm-sentinel/internal/store"
)

// The wrapper has the methods of all that a backend may be. Those of what it is
// not answer with store.ErrUnsupported; Capabilities tell before.
var (
	_ store.Aggregator    = (*observed)(nil)
	_ store.BaselineStore = (*observed)(nil)
	_ store.FeedbackStore = (*observed)(nil)
	_ store.Versioned     = (*observed)(nil)
)

func (o *observed) Aggregate(ctx context.Context, q store.AggregateQuery) iter.Seq2[store.Aggregate, error] {
	b, ok := o.Backend.(store.Aggregator)
	if !ok {
		return unsupported[store.Aggregate]
	}
	return countErrors(ctx, o, o.events.read, b.Aggregate(ctx, q))
}

func (o *observed) WriteBaselines(ctx context.Context, batch []store.Baseline) error {
	b, ok := o.Backend.(store.BaselineStore)
	if !ok {
		return store.ErrUnsupported
	}
	start := time.Now()
	return o.wrote(ctx, &o.baselines, start, len(batch), b.WriteBaselines(ctx, batch))
}

func (o *observed) Baselines(ctx context.Context, q store.BaselineQuery) iter.Seq2[store.Baseline, error] {
	b, ok := o.Backend.(store.BaselineStore)
	if !ok {
		return unsupported[store.Baseline]
	}
	return countErrors(ctx, o, o.baselines.read, b.Baselines(ctx, q))
}

func (o *observed) WriteFeedback(ctx context.Context, f store.Feedback) error {
	b, ok := o.Backend.(store.FeedbackStore)
	if !ok {
		return store.ErrUnsupported
	}
	start := time.Now()
	return o.wrote(ctx, &o.feedback, start, 1, b.WriteFeedback(ctx, f))
}

func (o *observed) Feedback(ctx context.Context, q store.FeedbackQuery) iter.Seq2[store.Feedback, error] {
	b, ok := o.Backend.(store.FeedbackStore)
	if !ok {
		return unsupported[store.Feedback]
	}
	return countErrors(ctx, o, o.feedback.read, b.Feedback(ctx, q))
}

// unversioned makes each version of a backend that knows none a new one, so that
// nothing is kept under it.
var unversioned atomic.Uint64

func (o *observed) Version(start, end time.Time) uint64 {
	if b, ok := o.Backend.(store.Versioned); ok {
		return b.Version(start, end)
	}
	return unversioned.Add(1)
}

func unsupported[T any](yield func(T, error) bool) {
	var zero T
	yield(zero, store.ErrUnsupported)
}
