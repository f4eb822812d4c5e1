package influx

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/llm-devops/llm-sentinel/internal/influx/line"
	"github.com/llm-devops/llm-sentinel/internal/store"
)

// maxPending bounds the items that wait for their order because their times lie
// within the shift of points.
const maxPending = 200_000

// ordered yields the items of a question in exact order, each once, at most
// need of them when that is not negative.
//
// Items wait until no later point can come before them: the time of a point is
// less than ShiftBefore before and less than ShiftAfter after that of its item.
func ordered[T any](ctx context.Context, d dialect, q *question[T], need int) iter.Seq2[*point[T], error] {
	return func(yield func(*point[T], error) bool) {
		first := pageRows
		if need >= 0 && need < pageRows {
			first = need + minPageRows // a few more, to know that they are the first
		}
		w := waiting[T]{ascending: q.ascending, need: need}
		for p, err := range points(ctx, d, q, first) {
			if err != nil {
				yield(nil, err)
				return
			}
			if !w.release(p.nanos, yield) {
				return
			}
			if q.wanted(p.position, &p.item) {
				if err := w.add(p); err != nil {
					yield(nil, err)
					return
				}
			}
		}
		w.releaseAll(yield)
	}
}

// waiting holds items until their order is certain.
type waiting[T any] struct {
	ascending bool
	need      int // still to be yielded, negative: all
	items     []point[T]
	// next is the position of the first of items.
	next position
	// last is what was yielded before, if anything.
	last  position
	begun bool
}

func (w *waiting[T]) compare(a, b position) int {
	if w.ascending {
		return a.compare(b)
	}
	return b.compare(a)
}

func (w *waiting[T]) sort() {
	slices.SortFunc(w.items, func(a, b point[T]) int { return w.compare(a.position, b.position) })
}

func (w *waiting[T]) add(p *point[T]) error {
	if len(w.items) == 0 || w.compare(p.position, w.next) < 0 {
		w.next = p.position
	}
	w.items = append(w.items, *p)
	if w.need >= 0 && len(w.items) >= 2*w.need+pageRows {
		// Those that come last are not needed. Some are there twice, perhaps.
		w.sort()
		w.items = slices.CompactFunc(w.items, func(a, b point[T]) bool { return a.position == b.position })
		clear(w.items[min(w.need, len(w.items)):])
		w.items = w.items[:min(w.need, len(w.items))]
	}
	if len(w.items) > maxPending {
		return fmt.Errorf("%w: more than %d items lie within %s", store.ErrTooMany, maxPending, line.ShiftBefore+line.ShiftAfter)
	}
	return nil
}

// release yields what comes before everything behind a point of the given time.
// It reports whether to go on.
func (w *waiting[T]) release(nanos int64, yield func(*point[T], error) bool) bool {
	if len(w.items) == 0 || !w.certain(w.next, nanos) {
		return true
	}
	w.sort()
	n := 0
	for n < len(w.items) && w.certain(w.items[n].position, nanos) {
		n++
	}
	if !w.emit(n, yield) {
		return false
	}
	if len(w.items) > 0 {
		w.next = w.items[0].position
	}
	return true
}

func (w *waiting[T]) certain(p position, nanos int64) bool {
	if w.ascending {
		return p.nanos <= add(nanos, -line.ShiftAfter)
	}
	return p.nanos >= add(nanos, line.ShiftBefore)
}

func (w *waiting[T]) releaseAll(yield func(*point[T], error) bool) {
	w.sort()
	w.emit(len(w.items), yield)
}

// emit yields the first n items and forgets them.
func (w *waiting[T]) emit(n int, yield func(*point[T], error) bool) bool {
	for i := range w.items[:n] {
		p := &w.items[i]
		if w.begun && w.last == p.position {
			continue // written twice, under different tags
		}
		if w.need == 0 {
			return false
		}
		w.need--
		w.last, w.begun = p.position, true
		if !yield(p, nil) {
			return false
		}
	}
	w.items = slices.Delete(w.items, 0, n)
	return w.need != 0
}

var errPointTime = errors.New("the time of a point must be unix nanoseconds or RFC 3339")

// pointTime reads the time of a point, as both languages give it.
func pointTime(v any) (int64, error) {
	switch v := v.(type) {
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return n, nil
		}
	case string:
		for _, layout := range [...]string{"2006-01-02T15:04:05.999999999", time.RFC3339Nano} {
			if t, err := time.Parse(layout, v); err == nil {
				return t.UnixNano(), nil
			}
		}
	}
	return 0, fmt.Errorf("%w, got %v", errPointTime, v)
}
