package embedded

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"slices"
	"time"

	"go.uber.org/zap"
	"zombiezen.com/go/sqlite"

	"github.com/llm-devops/llm-sentinel/internal/store"
)

var _ store.Aggregator = (*Store)(nil)

// maxAggregateBytes bounds what the values of one aggregation take in memory.
const maxAggregateBytes = 256 << 20

// Aggregate implements [store.Aggregator]. Percentiles of up to 2048 values are
// exact, those of more are at most 1/64 off. It reads the measures of closed
// hours, see [Store.seal], and the events of others. It ends with
// [store.ErrTooMany] also when the values would take more than 256 MiB.
func (s *Store) Aggregate(ctx context.Context, q store.AggregateQuery) iter.Seq2[store.Aggregate, error] {
	asked, err := newAggregation(&q)
	if err != nil {
		return stream[store.Aggregate](ctx, s, "aggregate events", err, nil)
	}
	return func(yield func(store.Aggregate, error) bool) {
		open := s.openHours(ctx, &asked.sel)
		s.aggregate(ctx, asked, open)(yield)
	}
}

func (s *Store) aggregate(ctx context.Context, asked *aggregation, open openHours) iter.Seq2[store.Aggregate, error] {
	return stream(ctx, s, "aggregate events", nil, func(conn *sqlite.Conn, emit func(store.Aggregate, int) error) error {
		a := asked.again()
		err := a.run(ctx, conn, open, true)
		if errors.Is(err, errMeasures) {
			s.warnOfMeasures(err)
			a = asked.again()
			err = a.run(ctx, conn, nil, false)
		}
		if err != nil {
			return err
		}
		for i := range a.done {
			if err := emit(a.done[i], 0); err != nil {
				return err
			}
		}
		return nil
	})
}

// warnOfMeasures: they were made from the events, which are still there.
func (s *Store) warnOfMeasures(err error) {
	s.cfg.Logger.Error("reading events instead of damaged measures", zap.String("directory", s.cfg.Directory), zap.Error(err))
}

// run reads all hours of the range.
func (a *aggregation) run(ctx context.Context, conn *sqlite.Conn, open openHours, measures bool) error {
	parts, err := partitionsFor(conn, &a.sel)
	if err != nil {
		return err
	}
	for _, p := range parts {
		if p.events == 0 {
			continue
		}
		switch {
		case measures && a.sel.measured(&p):
			err = a.addMeasures(ctx, conn, p)
		case open.has(p):
			err = a.addOpen(ctx, open, p)
		default:
			err = a.addEvents(conn, p)
		}
		if err != nil {
			return err
		}
		if err := a.finish(p.hour + 1); err != nil {
			return err
		}
	}
	return a.finish(math.MaxInt64)
}

// again is a run of the same question that has not begun.
func (a *aggregation) again() *aggregation {
	return &aggregation{
		sel: a.sel, by: a.by, step: a.step, start: a.start, maxBytes: maxAggregateBytes,
		groups: map[store.Group]int{}, cells: map[cellKey]*cell{},
	}
}

// dimensionColumns are the columns of the dimensions, in their order.
var dimensionColumns = [...]string{"svc", "model", "provider", "op", "env", "tenant"}

// aggregation is one run through the events of a range.
type aggregation struct {
	sel   selection
	by    [len(dimensionColumns)]bool
	step  int64 // nanoseconds, 0 for one bucket
	start time.Time

	groups map[store.Group]int
	// states of the groups by number.
	states []groupState
	cells  map[cellKey]*cell
	done   []store.Aggregate
	calls  int
	// kinds are the groups of the kinds of a chunk, -1 for those that are not
	// asked for.
	kinds []int
	// maxBytes bounds the values of the open cells.
	maxBytes int
}

// add counts a call of a group.
func (a *aggregation) add(group int, m *measure) error {
	c, err := a.cell(group, m.nanos)
	if err != nil {
		return err
	}
	c.count(m)
	if a.calls++; a.calls%(1<<20) == 0 {
		return a.checkMemory()
	}
	return nil
}

// checkMemory keeps the values of the open cells within their bound.
func (a *aggregation) checkMemory() error {
	size := 0
	for _, c := range a.cells {
		size += c.latency.bytes() + c.ttft.bytes()
	}
	if size > a.maxBytes {
		return fmt.Errorf("%w: its values take more than %d bytes; ask for a shorter range, smaller steps or fewer dimensions",
			store.ErrTooMany, a.maxBytes)
	}
	return nil
}

type groupState struct {
	group store.Group
	// The cell that was used last.
	bucket int64
	cell   *cell
}

type cellKey struct {
	bucket int64
	group  int
}

// cell collects one group in one bucket.
type cell struct {
	store.Aggregate
	latency, ttft distribution
}

func newAggregation(q *store.AggregateQuery) (*aggregation, error) {
	bad := func(format string, args ...any) (*aggregation, error) {
		return nil, fmt.Errorf("%w: "+format, append([]any{store.ErrInvalid}, args...)...)
	}
	switch {
	case q.Start.IsZero() || q.End.IsZero():
		return bad("an aggregation needs start and end")
	case q.Step < 0 || q.Step%time.Minute != 0:
		return bad("step must be 0 or a multiple of a minute, got %s", q.Step)
	}
	a := &aggregation{step: int64(q.Step), start: q.Start.UTC()}
	for _, d := range q.By {
		i := slices.Index(store.Dimensions, d)
		if i < 0 {
			return bad("unknown dimension %q", d)
		}
		if a.by[i] {
			return bad("dimension %q is given twice", d)
		}
		a.by[i] = true
	}
	var err error
	if a.sel, err = newSelection(store.Query{Service: q.Service, Model: q.Model, Start: q.Start, End: q.End, Ascending: true}, "ev_", ""); err != nil {
		return nil, err
	}
	return a, a.sel.filterEvents(&q.EventFilter)
}

// group numbers a group. names are the values of all dimensions.
func (a *aggregation) group(names *[len(dimensionColumns)]string) int {
	var g store.Group
	for i, to := range [...]*string{&g.Service, &g.Model, &g.Provider, &g.Operation, &g.Environment, &g.Tenant} {
		if a.by[i] {
			*to = names[i]
		}
	}
	n, ok := a.groups[g]
	if !ok {
		n = len(a.states)
		a.groups[g] = n
		a.states = append(a.states, groupState{group: g})
	}
	return n
}

// bucket is the number of the bucket that holds a time.
func (a *aggregation) bucket(nanos int64) int64 {
	if a.step == 0 {
		return 0
	}
	b := nanos / a.step
	if nanos%a.step < 0 {
		b--
	}
	return b
}

// cell is where a call of a group at a time is counted.
func (a *aggregation) cell(group int, nanos int64) (*cell, error) {
	st := &a.states[group]
	b := a.bucket(nanos)
	if st.cell != nil && st.bucket == b {
		return st.cell, nil
	}
	key := cellKey{b, group}
	c := a.cells[key]
	if c == nil {
		if len(a.cells)+len(a.done) >= store.MaxGroups {
			return nil, fmt.Errorf("%w: more than %d rows; ask for a shorter range, larger steps or fewer dimensions", store.ErrTooMany, store.MaxGroups)
		}
		c = &cell{Aggregate: store.Aggregate{Start: a.start, Group: st.group}}
		if a.step != 0 {
			c.Start = time.Unix(0, b*a.step).UTC()
		}
		a.cells[key] = c
	}
	st.bucket, st.cell = b, c
	return c, nil
}

// count adds one call.
func (c *cell) count(m *measure) {
	c.Calls++
	if m.failed {
		c.Failed++
	}
	c.InputTokens += m.tokens[0]
	c.OutputTokens += m.tokens[1]
	c.TotalTokens += m.tokens[2]
	c.CacheReadTokens += m.tokens[3]
	c.CacheWriteTokens += m.tokens[4]
	c.ReasoningTokens += m.tokens[5]
	if m.known&knowsCost != 0 {
		c.CostUSD += m.cost
		c.Priced++
	}
	if m.known&knowsTTFT != 0 {
		c.ttft.add(m.ttft)
	}
	if m.known&knowsLatency != 0 {
		c.latency.add(m.latency)
	}
}

// finish turns the cells that lie before an hour into results.
func (a *aggregation) finish(hour int64) error {
	var ready []store.Aggregate
	for key, c := range a.cells {
		if hour != math.MaxInt64 && (a.step == 0 || (key.bucket+1)*a.step > hour*nanosPerHour) {
			continue
		}
		c.Latency, c.TTFT = c.latency.summary(), c.ttft.summary()
		ready = append(ready, c.Aggregate)
		delete(a.cells, key)
		a.states[key.group].cell = nil
	}
	slices.SortFunc(ready, func(x, y store.Aggregate) int {
		return cmp.Or(x.Start.Compare(y.Start), x.Group.Compare(y.Group))
	})
	a.done = append(a.done, ready...)
	return a.checkMemory()
}
