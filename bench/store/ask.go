package main

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/llm-devops/llm-sentinel/internal/anomaly"
	"github.com/llm-devops/llm-sentinel/internal/genai"
	"github.com/llm-devops/llm-sentinel/internal/store"
)

// question is one kind of question; i picks what is asked for. It returns the
// number of rows of the answer.
type question struct {
	name  string
	times int
	ask   func(ctx context.Context, i int) (rows int, err error)
}

func (b *bench) questions() []question {
	s := b.store
	end := b.from.Add(span)
	pick := func(i int) *genai.Event { return &b.sample.picked[i%len(b.sample.picked)] }
	events := func(ctx context.Context, q store.EventQuery) (int, error) { return drain(s.Events(ctx, q)) }
	list := []question{
		{"newest_ms", b.o.reads, func(ctx context.Context, i int) (int, error) {
			e := pick(i)
			return events(ctx, store.EventQuery{Query: store.Query{
				Service: e.Service, Model: e.ResponseModel, Start: end.Add(-time.Hour), End: end, Limit: 1000,
			}})
		}},
		{"trace_ms", b.o.reads, func(ctx context.Context, i int) (int, error) {
			return events(ctx, store.EventQuery{Query: store.Query{Limit: 1000}, EventFilter: store.EventFilter{TraceID: pick(i).TraceID.String()}})
		}},
		{"session_ms", b.o.reads, func(ctx context.Context, i int) (int, error) {
			return events(ctx, store.EventQuery{Query: store.Query{Limit: 100}, EventFilter: store.EventFilter{Conversation: pick(i).Conversation}})
		}},
		{"event_by_id_ms", b.o.reads, func(ctx context.Context, i int) (int, error) {
			return events(ctx, store.EventQuery{Query: store.Query{Limit: 1}, ID: pick(i).ID})
		}},
		{"anomalies_ms", b.o.reads, func(ctx context.Context, _ int) (int, error) {
			return drain(s.Anomalies(ctx, store.AnomalyQuery{
				Query: store.Query{Start: end.Add(-24 * time.Hour), End: end, Limit: 100}, Severity: anomaly.SeverityCritical,
			}))
		}},
	}
	service, share := b.sample.service(.05, b.o.events)
	b.report.aggregates = fmt.Sprintf("The aggregates are of %s, which has %.1f %% of the events.", service, share*100)
	if a, ok := any(s).(store.Aggregator); ok && s.Capabilities().Aggregate {
		list = append(list, question{"aggregate_ms", max(1, b.o.reads/20), func(ctx context.Context, _ int) (int, error) {
			return drain(a.Aggregate(ctx, store.AggregateQuery{Service: service, Start: end.Add(-24 * time.Hour), End: end, Step: time.Minute}))
		}})
	}
	return list
}

func drain[T any](seq iter.Seq2[T, error]) (n int, err error) {
	for _, err := range seq {
		if err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

// ask measures each kind of question on the idle store. The first answers warm
// the caches and do not count.
func (b *bench) ask(ctx context.Context) error {
	for _, q := range b.questions() {
		var times []time.Duration
		var used time.Duration
		rows := 0
		for i := range q.times + warmUp {
			begin, before := time.Now(), cpu()
			n, err := q.ask(ctx, i)
			if err != nil {
				return fmt.Errorf("%s: %w", q.name, err)
			}
			if i >= warmUp {
				times = append(times, time.Since(begin))
				used += cpu() - before
				rows += n
			}
			b.tell.at("asking "+q.name, i, q.times)
		}
		if rows == 0 {
			return fmt.Errorf("%s: all answers are empty", q.name)
		}
		b.report.question(q.name, times, used, rows)
	}
	return nil
}

const warmUp = 3

// beside writes on one core as fast as the store takes it, while questions are
// asked 20 times a second.
func (b *bench) beside(ctx context.Context) error {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	events := min(b.o.events/10, 1_000_000)
	questions := slices.DeleteFunc(b.questions(), func(q question) bool { return q.name == "aggregate_ms" })
	times := map[string][]time.Duration{}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var wg sync.WaitGroup
	var asking error
	wg.Go(func() {
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		for i := 0; ; i++ {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			q := questions[i%len(questions)]
			begin := time.Now()
			if _, err := q.ask(ctx, i); err == nil {
				times[q.name] = append(times[q.name], time.Since(begin))
			} else if !errors.Is(err, context.Canceled) {
				asking = fmt.Errorf("%s: %w", q.name, err)
				return
			}
		}
	})
	// Continue after what is there.
	g := newTraffic(b.o.seed+1, b.from.Add(span), b.o.events)
	g.all = events
	buf := make([]genai.Event, batchSize)
	start, before := time.Now(), cpu()
	for g.n < g.all {
		batch, _ := g.batch(buf)
		if err := b.store.WriteEvents(ctx, batch); err != nil {
			return err
		}
		b.tell.at("writing beside questions", g.n, g.all)
	}
	wall, used := time.Since(start), cpu()-before
	cancel()
	wg.Wait()
	if asking != nil {
		return asking
	}
	b.report.add("beside_events_per_s", float64(events)/wall.Seconds(), "per_s")
	// What a core gives when it is not shared with other processes.
	b.report.add("beside_events_per_cpu_s", float64(events)/used.Seconds(), "per_s")
	for _, q := range questions {
		if t := times[q.name]; len(t) > 0 {
			b.report.add("beside_"+q.name, ms(percentile(t, .5)), "ms")
			b.report.add("beside_p99_"+q.name, ms(percentile(t, .99)), "ms")
		}
	}
	b.report.hours = b.store.Stats().Partitions
	return nil
}
