package influx

import (
	"context"
	"fmt"
	"iter"
	"math"

	"github.com/llm-devops/llm-sentinel/internal/anomaly"
	"github.com/llm-devops/llm-sentinel/internal/genai"
	"github.com/llm-devops/llm-sentinel/internal/influx/line"
	"github.com/llm-devops/llm-sentinel/internal/store"
)

// Events implements [store.Reader].
func (b *Backend) Events(ctx context.Context, q store.EventQuery) iter.Seq2[genai.Event, error] {
	return answer(ctx, b, func(t *target) (*question[genai.Event], error) {
		out, err := b.eventQuestion(&q)
		if err == nil {
			out.selection.place = t.events
		}
		return out, err
	})
}

// Anomalies implements [store.Reader].
func (b *Backend) Anomalies(ctx context.Context, q store.AnomalyQuery) iter.Seq2[anomaly.Anomaly, error] {
	return answer(ctx, b, func(t *target) (*question[anomaly.Anomaly], error) {
		out, err := b.anomalyQuestion(&q)
		if err == nil {
			out.selection.place = t.anomalies
		}
		return out, err
	})
}

func answer[T any](ctx context.Context, b *Backend, ask func(*target) (*question[T], error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var zero T
		t, err := b.target(ctx)
		if err != nil {
			yield(zero, err)
			return
		}
		q, err := ask(t)
		if err == nil && q.limit < 1 {
			err = fmt.Errorf("%w: limit must be at least 1, got %d", store.ErrInvalid, q.limit)
		}
		if err != nil {
			yield(zero, err)
			return
		}
		if q.none {
			return
		}
		need := q.limit
		if q.offset > math.MaxInt/4 || need > math.MaxInt/4 {
			need = math.MaxInt / 4
		}
		skip := min(q.offset, math.MaxInt/4)
		for p, err := range ordered(ctx, t.dialect, q, need+skip) {
			if err != nil {
				yield(zero, err)
				return
			}
			if skip > 0 {
				skip--
				continue
			}
			if err := ctx.Err(); err != nil {
				yield(zero, err)
				return
			}
			if !yield(p.item, nil) {
				return
			}
		}
	}
}

// CountEvents implements [store.Reader].
func (b *Backend) CountEvents(ctx context.Context, q store.EventQuery) (int64, error) {
	return count(ctx, b, func(t *target) (*question[genai.Event], error) {
		q.After, q.Offset = nil, max(0, q.Offset)
		out, err := b.eventQuestion(&q)
		if err == nil {
			out.selection.place = t.events
		}
		return out, err
	})
}

// CountAnomalies implements [store.Reader].
func (b *Backend) CountAnomalies(ctx context.Context, q store.AnomalyQuery) (int64, error) {
	return count(ctx, b, func(t *target) (*question[anomaly.Anomaly], error) {
		q.After, q.Offset = nil, max(0, q.Offset)
		out, err := b.anomalyQuestion(&q)
		if err == nil {
			out.selection.place = t.anomalies
		}
		return out, err
	})
}

// edge is the part of a range at each of its ends in which the time of a point
// does not tell on which side of the end its item lies.
const edge = line.ShiftBefore + line.ShiftAfter

// count lets the server count the points that lie inside of the range for sure,
// and reads those at its ends.
func count[T any](ctx context.Context, b *Backend, ask func(*target) (*question[T], error)) (int64, error) {
	t, err := b.target(ctx)
	if err != nil {
		return 0, err
	}
	q, err := ask(t)
	if err != nil || q.none {
		return 0, err
	}
	inner := q.selection
	var low, high *question[T]
	if inner.from > minNanos {
		at := *q
		inner.from = add(q.from, edge)
		at.to = inner.from - 1
		low = &at
	}
	if inner.to < maxNanos {
		at := *q
		inner.to = add(q.to, -edge)
		at.from = inner.to + 1
		high = &at
	}
	if inner.from > inner.to { // a short range: all of it is read
		return countRows(ctx, t.dialect, q)
	}
	total, err := t.count(ctx, &inner, q.id)
	for _, part := range []*question[T]{low, high} {
		if err != nil || part == nil {
			continue
		}
		var n int64
		n, err = countRows(ctx, t.dialect, part)
		total += n
	}
	if err != nil {
		return 0, err
	}
	return total, nil
}

func countRows[T any](ctx context.Context, d dialect, q *question[T]) (int64, error) {
	asc := *q
	asc.ascending = true
	var n int64
	for _, err := range ordered(ctx, d, &asc, -1) {
		if err != nil {
			return 0, err
		}
		n++
	}
	return n, nil
}
