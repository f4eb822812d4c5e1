package e2e

import (
	"context"
	"fmt"
	"iter"
	"time"

	"github.com/llm-devops/llm-sentinel/internal/store"
)

// switchable is the reader of a storage that can be switched off, or down to
// the least, while somebody holds it.
type switchable struct {
	store.Backend
	k *kept
}

func (s *switchable) Capabilities() store.Capabilities {
	if s.k.least.Load() {
		return store.Capabilities{Write: true}
	}
	return s.Backend.Capabilities()
}

// Version also changes with the switches, so that no answer outlives them.
func (s *switchable) Version(start, end time.Time) uint64 {
	v := s.Backend.(store.Versioned).Version(start, end)
	if s.k.down.Load() {
		v ^= 1 << 63
	}
	if s.k.least.Load() {
		v ^= 1 << 62
	}
	return v
}

func (s *switchable) Ping(ctx context.Context) error {
	if s.k.down.Load() {
		return errDown
	}
	return s.Backend.Ping(ctx)
}

func (s *switchable) Aggregate(ctx context.Context, q store.AggregateQuery) iter.Seq2[store.Aggregate, error] {
	if s.k.down.Load() {
		return failed[store.Aggregate]
	}
	return s.Backend.(store.Aggregator).Aggregate(ctx, q)
}

func (s *switchable) WriteBaselines(ctx context.Context, batch []store.Baseline) error {
	return s.Backend.(store.BaselineStore).WriteBaselines(ctx, batch)
}

func (s *switchable) Baselines(ctx context.Context, q store.BaselineQuery) iter.Seq2[store.Baseline, error] {
	if s.k.down.Load() {
		return failed[store.Baseline]
	}
	return s.Backend.(store.BaselineStore).Baselines(ctx, q)
}

func (s *switchable) WriteFeedback(ctx context.Context, f store.Feedback) error {
	return s.Backend.(store.FeedbackStore).WriteFeedback(ctx, f)
}

func (s *switchable) Feedback(ctx context.Context, q store.FeedbackQuery) iter.Seq2[store.Feedback, error] {
	return s.Backend.(store.FeedbackStore).Feedback(ctx, q)
}

func failed[T any](yield func(T, error) bool) {
	var zero T
	yield(zero, fmt.Errorf("reading: %w", errDown))
}
