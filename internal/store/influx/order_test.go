package influx

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/llm-devops/llm-sentinel/internal/genai"
	"github.com/llm-devops/llm-sentinel/internal/influx/line"
	"github.com/llm-devops/llm-sentinel/internal/store"
)

// memory is a server with points whose order among equal times changes with
// each request.
type memory struct {
	points   []point[genai.Event]
	r        *rand.Rand
	requests int
	// fail may answer a request.
	fail func(*selection) error
}

func (m *memory) rows(ctx context.Context, sel *selection, emit func([]string, []any) error) error {
	m.requests++
	if m.fail != nil {
		if err := m.fail(sel); err != nil {
			return err
		}
	}
	m.r.Shuffle(len(m.points), func(i, j int) { m.points[i], m.points[j] = m.points[j], m.points[i] })
	slices.SortStableFunc(m.points, func(a, b point[genai.Event]) int {
		switch {
		case a.nanos == b.nanos:
			return 0
		case (a.nanos < b.nanos) == sel.ascending:
			return -1
		default:
			return 1
		}
	})
	n := 0
	for _, p := range m.points {
		if p.nanos < sel.from || p.nanos > sel.to {
			continue
		}
		if n++; n > sel.limit {
			break
		}
		values := make([]any, len(sel.columns))
		values[0] = json.Number(strconv.FormatInt(p.nanos, 10))
		if p.item.ID != uuid.Nil { // else it is not one of ours
			values[slices.Index(sel.columns, line.ColumnEventID)] = p.item.ID.String()
		}
		values[slices.Index(sel.columns, line.ColumnEventTime)] = json.Number(strconv.FormatInt(int64(p.item.End), 10))
		if err := emit(sel.columns, values); err != nil {
			return err
		}
	}
	return ctx.Err()
}

func (m *memory) count(context.Context, *selection, string) (int64, error) { return 0, nil }

func (m *memory) reachable(context.Context, place) error { return nil }

// crowd makes n events within a few microseconds, whose points are shifted as
// far as they may be, some written twice, and points of others between them.
func crowd(r *rand.Rand, n int, width int64) []point[genai.Event] {
	var out []point[genai.Event]
	for range n {
		e := genai.Event{ID: uuid.UUID{byte(r.IntN(256)), byte(r.IntN(256)), byte(r.IntN(256)), 1}, End: pcommon.Timestamp(1_000_000_000 + r.Int64N(width))}
		shifted := func() int64 {
			return int64(e.End) - int64(line.ShiftBefore) + 1 + r.Int64N(int64(line.ShiftBefore+line.ShiftAfter)-1)
		}
		out = append(out, point[genai.Event]{nanos: shifted(), item: e})
		if r.IntN(5) == 0 {
			out = append(out, point[genai.Event]{nanos: shifted(), item: e})
		}
		if r.IntN(9) == 0 {
			out = append(out, point[genai.Event]{nanos: shifted()})
		}
	}
	return out
}

func TestAnyCrowdComesInExactOrderOnce(t *testing.T) {
	for seed := range uint64(24) {
		r := rand.New(rand.NewPCG(seed, 1))
		width := []int64{1, 2, 500, 40_000, 1_000_000, 100_000_000}[seed%6]
		m := &memory{r: r, points: crowd(r, 1+r.IntN(200), width)}
		var want []position
		for _, p := range m.points {
			if p.item.ID != uuid.Nil {
				want = append(want, eventPlace(&p.item))
			}
		}
		for _, ascending := range []bool{true, false} {
			slices.SortFunc(want, position.compare)
			want = slices.Compact(want)
			if !ascending {
				slices.Reverse(want)
			}
			q := asked(t, store.Query{Limit: 1, Ascending: ascending})
			for _, need := range []int{-1, 1, 5, len(want), len(want) + 1} {
				got := positions(t, m, q, need)
				expected := want
				if need >= 0 {
					expected = want[:min(need, len(want))]
				}
				require.Equal(t, expected, got, "seed %d, %d", seed, need)
			}
			// A walk by position, from page to page.
			var walked []position
			for {
				page := positions(t, m, q, 11)
				if len(page) == 0 {
					break
				}
				walked = append(walked, page...)
				last := page[len(page)-1]
				q = asked(t, store.Query{Limit: 1, Ascending: ascending, After: &store.Position{Time: time.Unix(0, last.nanos), ID: last.id}})
			}
			require.Equal(t, want, walked, "seed %d", seed)
		}
	}
}

func positions(t *testing.T, m *memory, q *question[genai.Event], need int) (out []position) {
	t.Helper()
	for p, err := range ordered(t.Context(), m, q, need) {
		require.NoError(t, err)
		out = append(out, p.position)
	}
	return out
}

func everything(t *testing.T) *question[genai.Event] {
	t.Helper()
	return asked(t, store.Query{Limit: 1, Ascending: true})
}

// asked takes only the columns that the order rests on.
func asked(t *testing.T, q store.Query) *question[genai.Event] {
	t.Helper()
	out, err := testBackend(t).eventQuestion(&store.EventQuery{Query: q})
	require.NoError(t, err)
	out.columns = []string{line.ColumnTime, line.ColumnEventID, line.ColumnEventTime}
	out.decoder = line.NewEventDecoder(out.columns)
	return out
}

func TestMoreTiedPointsThanAPageAreReadTogether(t *testing.T) {
	m := &memory{r: rand.New(rand.NewPCG(1, 1))}
	for i := range 3 * pageRows {
		m.points = append(m.points, point[genai.Event]{nanos: 5, item: genai.Event{ID: uuid.UUID{byte(i >> 8), byte(i), 1}, End: 5}})
	}
	require.Len(t, positions(t, m, everything(t), -1), 3*pageRows)
}

func TestPointsThatCannotBeToldApartAreAnError(t *testing.T) {
	m := &memory{r: rand.New(rand.NewPCG(1, 1))}
	for i := range maxTied + 1 {
		m.points = append(m.points, point[genai.Event]{nanos: 5, item: genai.Event{ID: uuid.UUID{byte(i >> 16), byte(i >> 8), byte(i), 1}, End: 5}})
	}
	var failed error
	for _, err := range ordered(t.Context(), m, everything(t), -1) {
		failed = err
	}
	require.ErrorIs(t, failed, store.ErrTooMany)
}

func TestPagesThatAreTooLargeGetSmaller(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 1))
	largest := 0
	m := &memory{r: r, points: crowd(r, 400, 1_000_000_000), fail: func(sel *selection) error {
		if sel.limit > 100 {
			return fmt.Errorf("read: %w", errTooLarge)
		}
		largest = max(largest, sel.limit)
		return nil
	}}
	require.Len(t, positions(t, m, everything(t), -1), len(distinct(m.points)))
	require.LessOrEqual(t, largest, 100)

	m.fail = func(*selection) error { return errTooLarge }
	var failed error
	for _, err := range ordered(t.Context(), m, everything(t), -1) {
		failed = err
	}
	require.ErrorIs(t, failed, store.ErrTooMany)
}

func distinct(points []point[genai.Event]) map[uuid.UUID]bool {
	seen := map[uuid.UUID]bool{}
	for _, p := range points {
		if p.item.ID != uuid.Nil {
			seen[p.item.ID] = true
		}
	}
	return seen
}

func TestAnErrorEndsTheAnswerOnce(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 1))
	broken := errors.New("broken")
	m := &memory{r: r, points: crowd(r, 3*pageRows, 1_000_000_000)}
	m.fail = func(*selection) error {
		if m.requests > 1 {
			return broken
		}
		return nil
	}
	failures := 0
	for _, err := range ordered(t.Context(), m, everything(t), -1) {
		if err != nil {
			require.ErrorIs(t, err, broken)
			failures++
		}
	}
	require.Equal(t, 1, failures)
}
