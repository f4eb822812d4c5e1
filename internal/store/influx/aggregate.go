package influx

import (
	"context"
	"fmt"
	"iter"
	"math"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/llm-devops/llm-sentinel/internal/genai"
	"github.com/llm-devops/llm-sentinel/internal/influx/line"
	"github.com/llm-devops/llm-sentinel/internal/store"
)

// aggregateColumns are those that figures, groups and filters need.
var aggregateColumns = withExact(
	line.ColumnTime, line.ColumnEventTime, line.ColumnEventID, "no_end", "model_asked", "has_errors",
	"service", "model", "provider", "operation", "environment", "tenant_id", "session_id", "user_id", line.ColumnTraceID,
	"prompt_tokens", "response_tokens", "total_tokens", "cache_read_tokens", "cache_write_tokens", "reasoning_tokens",
	"cost_usd", "latency_ms", "ttft_ms",
)

var aggregateDecoder = line.NewEventDecoder(aggregateColumns)

// withExact adds, behind each dimension, the column of what it is in truth.
func withExact(names ...string) (out []string) {
	dimensions := line.EventDimensions()
	for _, n := range names {
		out = append(out, n)
		if slices.Contains(dimensions, n) {
			out = append(out, n+line.ExactSuffix)
		}
	}
	return out
}

// Aggregate implements [store.Aggregator]. The figures are computed here, from
// the events in order of time: InfluxQL groups by tags only, cuts by the time of
// points, and its percentile rounds the rank to the nearest where the contract
// takes the next. One bucket is held in memory at a time.
func (b *Backend) Aggregate(ctx context.Context, q store.AggregateQuery) iter.Seq2[store.Aggregate, error] {
	return func(yield func(store.Aggregate, error) bool) {
		t, err := b.target(ctx)
		if err == nil {
			err = validAggregate(&q)
		}
		var ask *question[genai.Event]
		if err == nil {
			ask, err = b.aggregateQuestion(&q, t.events)
		}
		if err != nil {
			yield(store.Aggregate{}, err)
			return
		}
		if ask.none {
			return
		}
		bucket := newBucket(&q)
		rows, events := 0, int64(0)
		flush := func() bool {
			for _, a := range bucket.aggregates() {
				if rows++; rows > store.MaxGroups {
					yield(store.Aggregate{}, fmt.Errorf("%w: more than %d rows", store.ErrTooMany, store.MaxGroups))
					return false
				}
				if !yield(a, nil) {
					return false
				}
			}
			return true
		}
		for p, err := range ordered(ctx, t.dialect, ask, -1) {
			if err == nil {
				if events++; events > b.config.MaxAggregateEvents {
					err = fmt.Errorf("%w: more than %d events (max_aggregate_events)", store.ErrTooMany, b.config.MaxAggregateEvents)
				}
			}
			if err == nil && !bucket.holds(p.position.nanos) {
				if !flush() {
					return
				}
				bucket.begin(p.position.nanos)
			}
			if err == nil {
				err = bucket.add(&p.item)
			}
			if err != nil {
				yield(store.Aggregate{}, err)
				return
			}
		}
		flush()
	}
}

func validAggregate(q *store.AggregateQuery) error {
	switch {
	case q.Start.IsZero() || q.End.IsZero():
		return fmt.Errorf("%w: an aggregation needs a start and an end", store.ErrInvalid)
	case q.Step < 0 || q.Step%time.Minute != 0:
		return fmt.Errorf("%w: step must be 0 or a multiple of a minute, got %s", store.ErrInvalid, q.Step)
	}
	for i, d := range q.By {
		if !slices.Contains(store.Dimensions, d) {
			return fmt.Errorf("%w: unknown dimension %q", store.ErrInvalid, d)
		}
		if slices.Contains(q.By[:i], d) {
			return fmt.Errorf("%w: dimension %q is there twice", store.ErrInvalid, d)
		}
	}
	return nil
}

func (b *Backend) aggregateQuestion(q *store.AggregateQuery, at place) (*question[genai.Event], error) {
	out, err := b.eventQuestion(&store.EventQuery{
		Query:       store.Query{Service: q.Service, Model: q.Model, Start: q.Start, End: q.End, Ascending: true, Limit: math.MaxInt},
		EventFilter: q.EventFilter, ID: uuid.Nil,
	})
	if err != nil {
		return nil, err
	}
	out.selection.place, out.columns, out.decoder = at, aggregateColumns, aggregateDecoder
	out.few = true
	return out, nil
}

// timeBucket collects the events of one time bucket.
type timeBucket struct {
	query *store.AggregateQuery
	// start is inclusive, end exclusive, in unix nanoseconds.
	start, end int64
	groups     map[store.Group]*figures
}

type figures struct {
	store.Aggregate
	latency, ttft []float64
}

func newBucket(q *store.AggregateQuery) *timeBucket {
	b := &timeBucket{query: q, groups: map[store.Group]*figures{}}
	b.begin(clampNanos(q.Start))
	return b
}

func (b *timeBucket) holds(nanos int64) bool { return nanos >= b.start && nanos < b.end }

// begin empties the bucket and moves it to where nanos is.
func (b *timeBucket) begin(nanos int64) {
	clear(b.groups)
	step := int64(b.query.Step)
	if step == 0 {
		b.start, b.end = clampNanos(b.query.Start), math.MaxInt64
		return
	}
	past := nanos % step
	if past < 0 {
		past += step
	}
	b.start = add(nanos, -time.Duration(past))
	b.end = add(b.start, b.query.Step)
}

func (b *timeBucket) add(e *genai.Event) error {
	g := store.GroupOf(e, b.query.By)
	f := b.groups[g]
	if f == nil {
		if len(b.groups) >= store.MaxGroups {
			return fmt.Errorf("%w: more than %d groups", store.ErrTooMany, store.MaxGroups)
		}
		f = &figures{Aggregate: store.Aggregate{Start: time.Unix(0, b.start).UTC(), Group: g}}
		b.groups[g] = f
	}
	f.Calls++
	if e.Failed {
		f.Failed++
	}
	for _, n := range [...]struct {
		field genai.Field
		value int64
		sum   *int64
	}{
		{genai.FieldInputTokens, e.InputTokens, &f.InputTokens},
		{genai.FieldOutputTokens, e.OutputTokens, &f.OutputTokens},
		{genai.FieldTotalTokens, e.TotalTokens, &f.TotalTokens},
		{genai.FieldCacheReadTokens, e.CacheReadTokens, &f.CacheReadTokens},
		{genai.FieldCacheWriteTokens, e.CacheWriteTokens, &f.CacheWriteTokens},
		{genai.FieldReasoningTokens, e.ReasoningTokens, &f.ReasoningTokens},
	} {
		if e.Has(n.field) {
			*n.sum += n.value
		}
	}
	if e.Has(genai.FieldCost) {
		f.CostUSD += e.CostUSD
		f.Priced++
	}
	if e.Has(genai.FieldLatency) {
		f.latency = append(f.latency, e.LatencyMillis)
	}
	if e.Has(genai.FieldTTFT) {
		f.ttft = append(f.ttft, e.TTFTMillis)
	}
	return nil
}

// aggregates are the groups of the bucket in order.
func (b *timeBucket) aggregates() []store.Aggregate {
	out := make([]store.Aggregate, 0, len(b.groups))
	for _, f := range b.groups {
		f.Latency, f.TTFT = distribution(f.latency), distribution(f.ttft)
		out = append(out, f.Aggregate)
	}
	slices.SortFunc(out, func(a, b store.Aggregate) int { return a.Group.Compare(b.Group) })
	return out
}

// distribution sorts the values and describes them. Percentiles are by nearest
// rank, as store.Distribution defines them.
func distribution(values []float64) store.Distribution {
	if len(values) == 0 {
		return store.Distribution{}
	}
	slices.Sort(values)
	d := store.Distribution{Count: int64(len(values)), Min: values[0], Max: values[len(values)-1]}
	for _, v := range values {
		d.Sum += v
	}
	d.P50, d.P95, d.P99 = rank(values, 50), rank(values, 95), rank(values, 99)
	return d
}

// rank is the smallest of the sorted values that at least percent of them do not
// exceed.
func rank(values []float64, percent int) float64 {
	return values[(len(values)*percent+99)/100-1]
}
