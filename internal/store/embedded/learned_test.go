package embedded

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/llm-devops/llm-sentinel/internal/store"
)

func baselinesOf(t *testing.T, s *Store, q store.BaselineQuery) (out []store.Baseline) {
	t.Helper()
	q.Limit = 1 << 30
	for b, err := range s.Baselines(t.Context(), q) {
		require.NoError(t, err)
		out = append(out, b)
	}
	return out
}

func TestBaselinesGoWithTheirHours(t *testing.T) {
	c := newClock(noon)
	s := openFor(t, t.TempDir(), func(cfg *Config) { cfg.Retention, cfg.Now = 3*time.Hour, c.now })
	defer func() { require.NoError(t, s.Close(t.Context())) }()
	point := func(metric string, ago time.Duration) store.Baseline {
		return store.Baseline{Time: noon.Add(-ago), Service: "s", Metric: metric, Samples: 1}
	}
	old, gone := point("a", 3*time.Hour), point("b", 3*time.Hour)
	fresh := point("a", 0)
	require.NoError(t, s.WriteBaselines(t.Context(), []store.Baseline{old, fresh, gone, point("c", 5*time.Hour), point("d", -25*time.Hour)}))
	require.Equal(t, []store.Baseline{old, fresh, gone}, baselinesOf(t, s, store.BaselineQuery{}))
	require.EqualValues(t, 1, s.Stats().RefusedTooOld)
	require.EqualValues(t, 1, s.Stats().RefusedTooFarAhead)
	require.Zero(t, s.Stats().Events)

	c.set(noon.Add(time.Hour))
	require.NoError(t, s.retain(t.Context()))
	require.Equal(t, []store.Baseline{fresh}, baselinesOf(t, s, store.BaselineQuery{}))
	require.Equal(t, []store.Baseline{fresh}, baselinesOf(t, s, store.BaselineQuery{Latest: true}), "a series without a point is no series")
	require.EqualValues(t, 1, s.Stats().Series)
	again := point("b", 0)
	require.NoError(t, s.WriteBaselines(t.Context(), []store.Baseline{again}))
	require.Equal(t, []store.Baseline{fresh, again}, baselinesOf(t, s, store.BaselineQuery{}))
}

func TestSeriesAreBounded(t *testing.T) {
	s := openFor(t, t.TempDir(), nil)
	defer func() { require.NoError(t, s.Close(t.Context())) }()
	now := time.Now().UTC().Truncate(time.Second)
	var all []store.Baseline
	for i := range 10 {
		all = append(all, store.Baseline{Time: now.Add(-time.Duration(i) * time.Second), Metric: fmt.Sprint("m", i)})
	}
	require.NoError(t, s.WriteBaselines(t.Context(), all))
	require.EqualValues(t, 10, s.Stats().Series)
	for most, want := range map[int64]int64{20: 10, 10: 10} {
		require.Equal(t, want, asWriter(t, s, func() (int64, error) { return s.w.limitSeries(most) }))
	}
	require.Len(t, baselinesOf(t, s, store.BaselineQuery{}), 10)
	require.EqualValues(t, 4, asWriter(t, s, func() (int64, error) { return s.w.limitSeries(4) }))
	require.Equal(t, all[:4], baselinesOf(t, s, store.BaselineQuery{}), "the newest are kept")
	// A new series does not inherit what is left of another one.
	require.NoError(t, s.WriteBaselines(t.Context(), all[9:]))
	require.Equal(t, append(all[:4:4], all[9]), baselinesOf(t, s, store.BaselineQuery{}))
	require.EqualValues(t, 5, s.Stats().Series)
}

// Baselines alone cannot grow beyond the limit of the store either.
func TestBaselinesAreTrimmedBySize(t *testing.T) {
	s := openFor(t, t.TempDir(), func(cfg *Config) { cfg.MaxBytes = 1 << 60 })
	defer func() { require.NoError(t, s.Close(t.Context())) }()
	hour := time.Now().UTC().Truncate(time.Hour)
	var all []store.Baseline
	for i := range 3 * trimRows {
		all = append(all, store.Baseline{Time: hour.Add(-time.Hour + time.Duration(i)*time.Millisecond), Metric: "m"})
	}
	require.NoError(t, s.WriteBaselines(t.Context(), all))
	require.EqualValues(t, trimRows, trim(t, s, lastHour(t, s)))
	require.Equal(t, all[trimRows:], baselinesOf(t, s, store.BaselineQuery{}))
}

func TestFeedbackOutlivesAllElse(t *testing.T) {
	c := newClock(noon)
	dir := t.TempDir()
	change := func(cfg *Config) { cfg.Retention, cfg.Now = 3*time.Hour, c.now }
	s := openFor(t, dir, change)
	f := store.Feedback{ID: uuid.New(), Time: noon, AnomalyID: uuid.New(), Verdict: store.VerdictMute, Until: noon.Add(time.Hour), Comment: "known", Author: "me"}
	write(t, s, eventAt(noon))
	require.NoError(t, s.WriteFeedback(t.Context(), f))
	c.set(noon.Add(1000 * time.Hour))
	require.NoError(t, s.retain(t.Context()))
	require.Zero(t, s.Stats().Partitions)
	require.NoError(t, s.Close(t.Context()))
	s = openFor(t, dir, change)
	require.Equal(t, []store.Feedback{f}, feedbackOf(t, s))
	require.EqualValues(t, 1, s.Stats().Feedback)
	require.NoError(t, s.Close(t.Context()))
}

func feedbackOf(t *testing.T, s *Store) (out []store.Feedback) {
	t.Helper()
	for f, err := range s.Feedback(t.Context(), store.FeedbackQuery{Limit: 1 << 30}) {
		require.NoError(t, err)
		out = append(out, f)
	}
	return out
}

func TestFeedbackIsBounded(t *testing.T) {
	s := openFor(t, t.TempDir(), nil)
	defer func() { require.NoError(t, s.Close(t.Context())) }()
	var all []store.Feedback
	for i := range 5 {
		f := store.Feedback{ID: uuid.New(), Time: noon.Add(-time.Duration(i) * time.Hour), AnomalyID: uuid.New(), Verdict: store.VerdictFalse}
		require.NoError(t, s.WriteFeedback(t.Context(), f))
		all = append(all, f)
	}
	require.EqualValues(t, 5, s.Stats().Feedback)
	require.EqualValues(t, 5, asWriter(t, s, func() (int64, error) { return s.w.limitFeedback(5) }))
	require.Equal(t, all, feedbackOf(t, s))
	require.EqualValues(t, 2, asWriter(t, s, func() (int64, error) { return s.w.limitFeedback(2) }))
	require.Equal(t, all[:2], feedbackOf(t, s), "the oldest goes first")
}

func TestVersionsTellOpeningsAndRetentionApart(t *testing.T) {
	c := newClock(noon)
	dir := t.TempDir()
	change := func(cfg *Config) { cfg.Retention, cfg.Now = 3*time.Hour, c.now }
	s := openFor(t, dir, change)
	write(t, s, eventAt(noon.Add(-2*time.Hour)), eventAt(noon))
	old := func() uint64 { return s.Version(noon.Add(-2*time.Hour), noon.Add(-time.Hour)) }
	fresh := func() uint64 { return s.Version(noon, noon.Add(time.Hour)) }
	wasOld, wasFresh := old(), fresh()
	write(t, s, eventAt(noon))
	require.Equal(t, wasOld, old(), "another hour has changed")
	require.NotEqual(t, wasFresh, fresh())
	wasFresh = fresh()
	c.set(noon.Add(2 * time.Hour))
	require.NoError(t, s.retain(t.Context()))
	require.NotEqual(t, wasOld, old(), "retention removed the hour")
	require.Equal(t, wasFresh, fresh())
	require.Equal(t, s.Version(noon, noon), s.Version(noon.Add(time.Hour), noon), "empty ranges never change")
	require.NoError(t, s.Close(t.Context()))
	seen := map[uint64]bool{wasFresh: true}
	for range 3 {
		s = openFor(t, dir, change)
		require.False(t, seen[fresh()])
		seen[fresh()] = true
		require.NoError(t, s.Close(t.Context()))
	}
}

func TestVersionsAreBounded(t *testing.T) {
	v := newVersions()
	v.bump([]int64{-1})
	before := v.of(-1, -1)
	for h := range int64(3 * maxVersioned) {
		v.bump([]int64{h})
		require.LessOrEqual(t, len(v.hours), maxVersioned+1)
	}
	require.NotEqual(t, before, v.of(-1, -1), "what is not told apart any more has changed")
	before = v.of(1, 5)
	v.bump([]int64{3})
	require.NotEqual(t, before, v.of(1, 5))
}
