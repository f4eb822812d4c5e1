package storetest

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/llm-devops/llm-sentinel/internal/anomaly"
	"github.com/llm-devops/llm-sentinel/internal/genai"
	"github.com/llm-devops/llm-sentinel/internal/store"
)

// baselines makes points of series at their times, from the newest to the oldest.
func baselines(series, points int) []store.Baseline {
	var out []store.Baseline
	for p := range points {
		for s := range series {
			out = append(out, store.Baseline{
				Time: base.Add(-time.Duration(p) * 25 * time.Minute), Service: fmt.Sprintf("service-%d", s%3), Model: fmt.Sprintf("model-%d", s/3%2),
				Metric:  []string{"latency_ms", "cost_usd"}[s/6%2] + strings.Repeat("x", s/12),
				Samples: int64(100 - p), Expected: float64(p) + 0.25, Lower: float64(p) - 1, Upper: float64(p) + 1e-9,
			})
		}
	}
	return out
}

func sortBaselines(list []store.Baseline) []store.Baseline {
	list = slices.Clone(list)
	slices.SortFunc(list, func(a, b store.Baseline) int {
		return cmp.Or(cmp.Compare(a.Service, b.Service), cmp.Compare(a.Model, b.Model), cmp.Compare(a.Metric, b.Metric), a.Time.Compare(b.Time))
	})
	return list
}

// newestOfSeries keeps the last of each series of a sorted list.
func newestOfSeries(list []store.Baseline) []store.Baseline {
	var out []store.Baseline
	for _, b := range list {
		if n := len(out); n > 0 && out[n-1].Service == b.Service && out[n-1].Model == b.Model && out[n-1].Metric == b.Metric {
			out[n-1] = b
		} else {
			out = append(out, b)
		}
	}
	return out
}

func (c conformance) baselines() store.BaselineStore {
	c.t.Helper()
	if !c.b.Capabilities().Baselines {
		if b, ok := c.b.(store.BaselineStore); ok {
			_, err := collect(b.Baselines(c.t.Context(), store.BaselineQuery{Limit: 1}))
			require.ErrorIs(c.t, err, store.ErrUnsupported)
			require.ErrorIs(c.t, b.WriteBaselines(c.t.Context(), baselines(1, 1)), store.ErrUnsupported)
		}
		c.t.Skip("the backend keeps no baselines")
	}
	b, ok := c.b.(store.BaselineStore)
	require.True(c.t, ok, "the capabilities promise baselines")
	return b
}

func testBaselines(c conformance) {
	t, b := c.t, c.baselines()
	all := baselines(20, 9)
	for batch := range slices.Chunk(all, 33) {
		require.NoError(t, b.WriteBaselines(t.Context(), batch))
	}
	require.NoError(t, b.WriteBaselines(t.Context(), all), "again")
	odd := store.Baseline{Time: base.Add(-time.Minute), Metric: "m", Expected: math.NaN(), Lower: math.Inf(-1), Upper: math.MaxFloat64, Service: "a\x00'b", Samples: math.MaxInt64}
	require.NoError(t, b.WriteBaselines(t.Context(), []store.Baseline{odd}))
	got, err := collect(b.Baselines(t.Context(), store.BaselineQuery{Metric: "m", Limit: 2}))
	require.NoError(t, err)
	require.Len(t, got, 1)
	require.True(t, math.IsNaN(got[0].Expected), "what is not defined stays so")
	got[0].Expected, odd.Expected = 0, 0
	require.Equal(t, odd, got[0])
	all = sortBaselines(append(all, odd))

	for name, q := range map[string]store.BaselineQuery{
		"all":                {},
		"service":            {Service: "service-1"},
		"model":              {Model: "model-1"},
		"metric":             {Metric: "latency_ms"},
		"one series":         {Service: "service-2", Model: "model-0", Metric: "cost_usd"},
		"unknown":            {Service: "service-99"},
		"from":               {Start: base.Add(-75 * time.Minute)},
		"until":              {End: base.Add(-75 * time.Minute)},
		"one instant":        {Start: base.Add(-75 * time.Minute), End: base.Add(-75*time.Minute + 1)},
		"before all":         {End: base.Add(-100 * time.Hour)},
		"range of a service": {Service: "service-0", Start: base.Add(-2 * time.Hour), End: base.Add(-time.Hour)},
	} {
		for _, latest := range []bool{false, true} {
			q.Latest, q.Limit = latest, 1000
			want := keep(all, func(x store.Baseline) bool {
				return (q.Service == "" || x.Service == q.Service) && (q.Model == "" || x.Model == q.Model) && (q.Metric == "" || x.Metric == q.Metric) &&
					!x.Time.Before(q.Start) && (q.End.IsZero() || x.Time.Before(q.End))
			})
			if latest {
				want = newestOfSeries(want)
			}
			requireBaselines(c, b, fmt.Sprint(name, " ", latest), q, want)
			if len(want) > 3 {
				q.Limit = 3
				requireBaselines(c, b, name+", cut", q, want[:3])
			}
		}
	}
	// A late point is none that is the newest.
	late := all[0]
	late.Time = late.Time.Add(-time.Nanosecond)
	require.NoError(t, b.WriteBaselines(t.Context(), []store.Baseline{late}))
	q := store.BaselineQuery{Service: late.Service, Model: late.Model, Metric: late.Metric, Latest: true, Limit: 5}
	requireBaselines(c, b, "late", q, newestOfSeries(sortBaselines(keep(all, func(x store.Baseline) bool {
		return x.Service == late.Service && x.Model == late.Model && x.Metric == late.Metric
	}))))
	_, err = collect(b.Baselines(t.Context(), store.BaselineQuery{}))
	require.ErrorIs(t, err, store.ErrInvalid, "no limit")
	requireUnusable(c, b.WriteBaselines, all[:1], b.Baselines(gone(c), store.BaselineQuery{Limit: 1}))
}

func requireBaselines(c conformance, b store.BaselineStore, name string, q store.BaselineQuery, want []store.Baseline) {
	c.t.Helper()
	got, err := collect(b.Baselines(c.t.Context(), q))
	require.NoError(c.t, err, name)
	// NaN is not equal to itself; that it is kept is tested by itself.
	for _, list := range [][]store.Baseline{want, got} {
		for i := range list {
			if math.IsNaN(list[i].Expected) {
				list[i].Expected = 0
			}
		}
	}
	if len(want) == 0 {
		require.Empty(c.t, got, name)
		return
	}
	require.Equal(c.t, want, got, name)
}

func gone(c conformance) context.Context {
	ctx, cancel := context.WithCancel(c.t.Context())
	cancel()
	return ctx
}

// requireUnusable checks writing with a context that has ended, a reading that was
// given one, and both after the backend was closed, which it does.
func requireUnusable[W, R any](c conformance, write func(context.Context, W) error, item W, read iter.Seq2[R, error]) {
	c.t.Helper()
	require.ErrorIs(c.t, write(gone(c), item), context.Canceled)
	_, err := collect(read)
	require.ErrorIs(c.t, err, context.Canceled)
	require.NoError(c.t, c.b.Close(c.t.Context()))
	require.ErrorIs(c.t, write(c.t.Context(), item), store.ErrClosed)
	_, err = collect(read)
	require.ErrorIs(c.t, err, store.ErrClosed)
}

func testFeedback(c conformance) {
	t := c.t
	f, ok := c.b.(store.FeedbackStore)
	if !c.b.Capabilities().Feedback {
		if ok {
			_, err := collect(f.Feedback(t.Context(), store.FeedbackQuery{Limit: 1}))
			require.ErrorIs(t, err, store.ErrUnsupported)
		}
		t.Skip("the backend keeps no feedback")
	}
	require.True(t, ok, "the capabilities promise feedback")
	g := newGenerator(60)
	var all []store.Feedback // newest first
	for i := range 30 {
		x := store.Feedback{
			ID: g.id(), Time: base.Add(-time.Duration(i) * 20 * 24 * time.Hour), AnomalyID: uuid.NewSHA1(uuid.Nil, []byte{byte(i % 4)}),
			Verdict: []store.Verdict{store.VerdictTrue, store.VerdictFalse, store.VerdictMute}[i%3],
			Service: "service-1", Model: "model-1", Type: anomaly.TypeLatencySpike, Method: anomaly.MethodMAD, Metric: "latency_ms", Value: 9000, Baseline: 800,
		}
		if x.Verdict == store.VerdictMute {
			x.Until = x.Time.Add(time.Hour + 1)
		}
		if i == 7 {
			x.Comment, x.Author, x.Service, x.Model = "it's \"nothing\"; --\n\x00", strings.Repeat("é", 512), "", ""
		}
		all = append(all, x)
	}
	for _, i := range g.r.Perm(len(all)) {
		require.NoError(t, f.WriteFeedback(t.Context(), all[i]))
		require.NoError(t, f.WriteFeedback(t.Context(), all[i]), "again")
	}
	for name, q := range map[string]store.FeedbackQuery{
		"all":                {Limit: 100},
		"anomaly":            {AnomalyID: all[1].AnomalyID, Limit: 100},
		"unknown anomaly":    {AnomalyID: uuid.Max, Limit: 100},
		"from":               {Start: all[10].Time, Limit: 100},
		"newest":             {Limit: 4},
		"anomaly from":       {AnomalyID: all[2].AnomalyID, Start: all[14].Time, Limit: 100},
		"newest of its kind": {AnomalyID: all[3].AnomalyID, Limit: 2},
	} {
		want := keep(all, func(x store.Feedback) bool {
			return (q.AnomalyID == uuid.Nil || x.AnomalyID == q.AnomalyID) && !x.Time.Before(q.Start)
		})
		got, err := collect(f.Feedback(t.Context(), q))
		require.NoError(t, err, name)
		require.Equal(t, want[:min(len(want), q.Limit)], got, name)
	}

	for name, change := range map[string]func(*store.Feedback){
		"no id":                            func(x *store.Feedback) { x.ID = uuid.Nil },
		"no anomaly":                       func(x *store.Feedback) { x.AnomalyID = uuid.Nil },
		"no time":                          func(x *store.Feedback) { x.Time = time.Time{} },
		"no verdict":                       func(x *store.Feedback) { x.Verdict = "" },
		"unknown verdict":                  func(x *store.Feedback) { x.Verdict = "perhaps" },
		"mute without an end":              func(x *store.Feedback) { x.Verdict, x.Until = store.VerdictMute, time.Time{} },
		"end without a mute":               func(x *store.Feedback) { x.Verdict, x.Until = store.VerdictTrue, base },
		"comment of a kibibyte and a byte": func(x *store.Feedback) { x.Comment = strings.Repeat("c", 1025) },
		"long author":                      func(x *store.Feedback) { x.Author = strings.Repeat("a", 1025) },
	} {
		x := all[0]
		x.ID = g.id()
		change(&x)
		require.ErrorIs(t, f.WriteFeedback(t.Context(), x), store.ErrInvalid, name)
	}
	got, err := collect(f.Feedback(t.Context(), store.FeedbackQuery{Limit: 100}))
	require.NoError(t, err)
	require.Len(t, got, len(all), "what is invalid is not kept")
	_, err = collect(f.Feedback(t.Context(), store.FeedbackQuery{}))
	require.ErrorIs(t, err, store.ErrInvalid, "no limit")
	requireUnusable(c, f.WriteFeedback, all[0], f.Feedback(gone(c), store.FeedbackQuery{Limit: 1}))
}

// testVersion: whoever reads a version before an answer, and finds it unchanged,
// has the answer of now.
func testVersion(c conformance) {
	t := c.t
	v, ok := c.b.(store.Versioned)
	if !ok {
		t.Skip("the backend does not know what changed")
	}
	g := newGenerator(61)
	events := g.events(600) // three hours
	old := events[len(events)-1].Time()
	all := func() uint64 { return v.Version(time.Time{}, time.Time{}) }
	oldHour := func() uint64 { return v.Version(old.Add(-time.Minute), old.Add(time.Minute)) }
	newHour := func() uint64 { return v.Version(base.Add(-time.Second), base.Add(time.Minute)) }
	require.Equal(t, all(), all(), "nothing happens")
	changes := func(name string, f func(), watched ...func() uint64) {
		t.Helper()
		before := make([]uint64, len(watched))
		for i, w := range watched {
			before[i] = w()
		}
		f()
		for i, w := range watched {
			require.NotEqual(t, before[i], w(), "%s, version %d", name, i)
		}
	}
	changes("events", func() { require.NoError(t, c.b.WriteEvents(t.Context(), events)) }, all, oldHour, newHour)
	another := events[0]
	another.ID = g.id()
	changes("one event", func() { require.NoError(t, c.b.WriteEvents(t.Context(), []genai.Event{another})) }, newHour, all)
	late := g.event()
	changes("a late event", func() { require.NoError(t, c.b.WriteEvents(t.Context(), []genai.Event{late})) }, all,
		func() uint64 { return v.Version(late.Time(), late.Time().Add(1)) })
	a := g.anomaly()
	changes("an anomaly", func() { require.NoError(t, c.b.WriteAnomalies(t.Context(), []anomaly.Anomaly{a})) }, all,
		func() uint64 { return v.Version(a.Time, time.Time{}) }, func() uint64 { return v.Version(time.Time{}, a.Time.Add(1)) })
	if f, ok := c.b.(store.FeedbackStore); ok && c.b.Capabilities().Feedback {
		changes("feedback", func() {
			require.NoError(t, f.WriteFeedback(t.Context(), store.Feedback{ID: g.id(), Time: base, AnomalyID: a.ID, Verdict: store.VerdictTrue}))
		}, all)
	}
}
