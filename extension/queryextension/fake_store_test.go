package queryextension

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"iter"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/llm-devops/llm-sentinel/internal/anomaly"
	"github.com/llm-devops/llm-sentinel/internal/genai"
	"github.com/llm-devops/llm-sentinel/internal/store"
)

var (
	_ store.Aggregator    = (*fakeReader)(nil)
	_ store.BaselineStore = (*fakeReader)(nil)
	_ store.FeedbackStore = (*fakeReader)(nil)
	_ store.EngineHost    = (*fakeExtension)(nil)
	_ store.Feed          = (*fakeExtension)(nil)
)

func filterMatch(f store.EventFilter, service, model string, e *genai.Event) bool {
	for _, p := range [...][2]string{
		{service, e.Service},
		{model, e.Model()},
		{f.TraceID, e.TraceID.String()},
		{f.Conversation, e.Conversation},
		{f.Provider, e.Provider},
		{f.Operation, e.Operation},
		{f.Environment, e.Environment},
		{f.Tenant, e.Tenant},
		{f.User, e.User},
	} {
		if p[0] != "" && p[0] != p[1] {
			return false
		}
	}
	return !f.Failed || e.Failed
}

type bucketKey struct {
	start int64
	group store.Group
}

func (f *fakeReader) Aggregate(ctx context.Context, q store.AggregateQuery) iter.Seq2[store.Aggregate, error] {
	return func(yield func(store.Aggregate, error) bool) {
		if q.Start.IsZero() || q.End.IsZero() || q.Step%time.Minute != 0 {
			yield(store.Aggregate{}, fmt.Errorf("%w: %+v", store.ErrInvalid, q))
			return
		}
		f.mu.Lock()
		rows := map[bucketKey][]genai.Event{}
		for _, e := range f.events {
			if inRange(e.Time(), store.Query{Start: q.Start, End: q.End}) && filterMatch(q.EventFilter, q.Service, q.Model, &e) {
				k := bucketKey{q.Start.UnixNano(), store.GroupOf(&e, q.By)}
				if q.Step > 0 {
					k.start = e.Time().Truncate(q.Step).UnixNano()
				}
				rows[k] = append(rows[k], e)
			}
		}
		f.mu.Unlock()
		all := make([]store.Aggregate, 0, len(rows))
		for k, events := range rows {
			all = append(all, aggregateOf(time.Unix(0, k.start).UTC(), k.group, events))
		}
		slices.SortFunc(all, func(a, b store.Aggregate) int {
			g, h := a.Group, b.Group
			return cmp.Or(a.Start.Compare(b.Start), strings.Compare(g.Service, h.Service), strings.Compare(g.Model, h.Model), strings.Compare(g.Provider, h.Provider),
				strings.Compare(g.Operation, h.Operation), strings.Compare(g.Environment, h.Environment), strings.Compare(g.Tenant, h.Tenant))
		})
		fakeYield(ctx, f, all, yield)
	}
}

func aggregateOf(start time.Time, g store.Group, events []genai.Event) store.Aggregate {
	a := store.Aggregate{Start: start, Group: g}
	var latency, ttft []float64
	for i := range events {
		e := &events[i]
		a.Calls++
		if e.Failed {
			a.Failed++
		}
		a.InputTokens += e.InputTokens
		a.OutputTokens += e.OutputTokens
		a.TotalTokens += e.TotalTokens
		a.CacheReadTokens += e.CacheReadTokens
		a.CacheWriteTokens += e.CacheWriteTokens
		a.ReasoningTokens += e.ReasoningTokens
		if e.Has(genai.FieldCost) {
			a.CostUSD += e.CostUSD
			a.Priced++
		}
		if e.Has(genai.FieldLatency) {
			latency = append(latency, e.LatencyMillis)
		}
		if e.Has(genai.FieldTTFT) {
			ttft = append(ttft, e.TTFTMillis)
		}
	}
	a.Latency, a.TTFT = distributionOf(latency), distributionOf(ttft)
	return a
}

func distributionOf(v []float64) (d store.Distribution) {
	if len(v) == 0 {
		return d
	}
	slices.Sort(v)
	rank := func(p float64) float64 { return v[max(0, int(math.Ceil(p*float64(len(v))))-1)] }
	d = store.Distribution{Count: int64(len(v)), Min: v[0], Max: v[len(v)-1], P50: rank(.5), P95: rank(.95), P99: rank(.99)}
	for _, x := range v {
		d.Sum += x
	}
	return d
}

func (f *fakeReader) WriteBaselines(_ context.Context, batch []store.Baseline) error {
	f.with(func(f *fakeReader) { f.baselines = append(f.baselines, batch...) })
	return nil
}

func (f *fakeReader) Baselines(ctx context.Context, q store.BaselineQuery) iter.Seq2[store.Baseline, error] {
	return func(yield func(store.Baseline, error) bool) {
		f.mu.Lock()
		rows := slices.Clone(f.baselines)
		f.mu.Unlock()
		rows = slices.DeleteFunc(rows, func(b store.Baseline) bool {
			return !inRange(b.Time, store.Query{Start: q.Start, End: q.End}) || (q.Service != "" && q.Service != b.Service) ||
				(q.Model != "" && q.Model != b.Model) || (q.Metric != "" && q.Metric != b.Metric)
		})
		slices.SortFunc(rows, func(a, b store.Baseline) int {
			return cmp.Or(series{a.Service, a.Model, a.Metric}.compare(series{b.Service, b.Model, b.Metric}), a.Time.Compare(b.Time))
		})
		if q.Latest {
			var newest []store.Baseline
			for i, b := range rows {
				if i+1 == len(rows) || rows[i+1].Service != b.Service || rows[i+1].Model != b.Model || rows[i+1].Metric != b.Metric {
					newest = append(newest, b)
				}
			}
			rows = newest
		}
		fakeYield(ctx, f, rows[:min(len(rows), q.Limit)], yield)
	}
}

func (f *fakeReader) WriteFeedback(_ context.Context, fb store.Feedback) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.rowErr != nil {
		return f.rowErr
	}
	if !slices.ContainsFunc(f.feedback, func(old store.Feedback) bool { return old.ID == fb.ID }) {
		f.feedback = append(f.feedback, fb)
	}
	return nil
}

func (f *fakeReader) Feedback(ctx context.Context, q store.FeedbackQuery) iter.Seq2[store.Feedback, error] {
	return func(yield func(store.Feedback, error) bool) {
		f.mu.Lock()
		rows := slices.Clone(f.feedback)
		f.mu.Unlock()
		rows = slices.DeleteFunc(rows, func(fb store.Feedback) bool {
			return (q.AnomalyID != uuid.Nil && fb.AnomalyID != q.AnomalyID) || fb.Time.Before(q.Start)
		})
		slices.SortFunc(rows, func(a, b store.Feedback) int {
			return cmp.Or(b.Time.Compare(a.Time), bytes.Compare(b.ID[:], a.ID[:]))
		})
		fakeYield(ctx, f, rows[:min(len(rows), q.Limit)], yield)
	}
}

// fakeExtension is a storage extension that hosts engines and tells of new
// anomalies.
type fakeExtension struct {
	*fakeStorage
	store *fakeReader
	live  map[string][]store.Baseline
	given chan store.Feedback

	feed        sync.Mutex
	subscribers []chan store.FeedItem
	subscribed  chan struct{}
	// onSubscribe runs before a subscriber goes on.
	onSubscribe func()
}

func newFakeExtension(r *fakeReader) *fakeExtension {
	return &fakeExtension{
		fakeStorage: &fakeStorage{reader: r}, store: r, live: map[string][]store.Baseline{},
		given: make(chan store.Feedback, 16), subscribed: make(chan struct{}, 256),
	}
}

func (f *fakeExtension) RegisterEngine(context.Context, store.Engine) (func(), error) {
	return nil, store.ErrUnsupported
}

func (f *fakeExtension) GiveFeedback(ctx context.Context, fb store.Feedback) error {
	if err := f.store.WriteFeedback(ctx, fb); err != nil {
		return err
	}
	f.given <- fb
	return nil
}

func (f *fakeExtension) LiveBaselines(yield func(string, store.Baseline) bool) {
	for engine, all := range f.live {
		for _, b := range all {
			if !yield(engine, b) {
				return
			}
		}
	}
}

func (f *fakeExtension) Subscribe(ctx context.Context, buffer int) <-chan store.FeedItem {
	c := make(chan store.FeedItem, buffer)
	f.feed.Lock()
	f.subscribers = append(f.subscribers, c)
	f.feed.Unlock()
	context.AfterFunc(ctx, func() {
		f.feed.Lock()
		defer f.feed.Unlock()
		f.subscribers = slices.DeleteFunc(f.subscribers, func(o chan store.FeedItem) bool { return o == c })
		close(c)
	})
	if f.onSubscribe != nil {
		f.onSubscribe()
	}
	f.subscribed <- struct{}{}
	return c
}

// found keeps anomalies and tells the subscribers.
func (f *fakeExtension) found(missed int64, all ...anomaly.Anomaly) {
	f.store.with(func(r *fakeReader) {
		for i := range all { // what is written again is there once, as store.Writer has it
			if !slices.ContainsFunc(r.anomalies, func(old anomaly.Anomaly) bool { return old.ID == all[i].ID }) {
				r.anomalies = append(r.anomalies, all[i])
			}
		}
	})
	f.feed.Lock()
	defer f.feed.Unlock()
	for _, c := range f.subscribers {
		c <- store.FeedItem{Anomalies: all, Missed: missed}
	}
}
