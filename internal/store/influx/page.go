package influx

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/llm-devops/llm-sentinel/internal/store"
)

const (
	// pageRows is the number of points of one request.
	pageRows = 2000
	// pageGrowth is how much larger the next page is: a first page that was too
	// short must not be followed by one that is far too long.
	pageGrowth = 4
	// maxTied bounds the points of one nanosecond, which are read together.
	maxTied = 32_000
	// minPageRows ends the attempts to make an answer small enough.
	minPageRows = 16
)

// point is one row of an answer.
type point[T any] struct {
	// nanos is the time of the point.
	nanos int64
	position
	item T
	// unreadable: it is no item, or not yet. InfluxDB 1.x shows points while
	// their fields are written.
	unreadable bool
}

// points yields the points of a question in the order of their own times. The
// first page has as many as are expected to be needed, later ones more. Points of equal time come in any order.
func points[T any](ctx context.Context, d dialect, q *question[T], first int) iter.Seq2[*point[T], error] {
	return func(yield func(*point[T], error) bool) {
		sel := q.selection
		size := min(max(first, minPageRows), pageRows)
		most := pageRows
		var page []point[T]
		for {
			sel.limit = size
			page = page[:0]
			err := d.rows(ctx, &sel, func(columns []string, values []any) error {
				p, err := q.decode(columns, values)
				if err == nil {
					page = append(page, p)
				}
				return err
			})
			if errors.Is(err, errTooLarge) && size > minPageRows {
				size = max(size/4, minPageRows)
				most = size
				continue
			}
			if err != nil {
				yield(nil, err)
				return
			}
			rest, tied := page, int64(0)
			full := len(page) >= size
			if full {
				// More points may share the last time: they come with the next page.
				tied = page[len(page)-1].nanos
				for len(rest) > 0 && rest[len(rest)-1].nanos == tied {
					rest = rest[:len(rest)-1]
				}
				if len(rest) == 0 {
					if size *= 2; size > maxTied {
						yield(nil, fmt.Errorf("%w: more than %d points share one nanosecond", store.ErrTooMany, maxTied))
						return
					}
					continue
				}
			}
			for i := range rest {
				if !rest[i].unreadable && !yield(&rest[i], nil) {
					return
				}
			}
			if !full {
				return
			}
			if sel.ascending {
				sel.from = tied
			} else {
				sel.to = tied
			}
			size = min(max(size*pageGrowth, minPageRows), most)
		}
	}
}

func (q *question[T]) decode(columns []string, values []any) (p point[T], err error) {
	if len(columns) != len(q.columns) {
		return p, malformed(fmt.Errorf("a row must have %d columns, got %d", len(q.columns), len(columns)))
	}
	if p.nanos, err = pointTime(values[0]); err != nil {
		return p, malformed(err)
	}
	// One point that somebody else wrote must not spoil all answers.
	if p.item, err = q.decoder.Decode(values); err != nil {
		p.unreadable = true
		q.unreadable(fmt.Errorf("a point of measurement %q at %d: %w", q.measurement, p.nanos, err))
		return p, nil
	}
	p.position = q.place(&p.item)
	return p, nil
}
