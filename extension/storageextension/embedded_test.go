package storageextension

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"

	"github.com/llm-devops/llm-sentinel/internal/genai"
	"github.com/llm-devops/llm-sentinel/internal/store"
)

// What engines expect and people say goes through the embedded backend and is
// there after a restart.
func TestTheEmbeddedBackendKeepsBaselinesAndFeedback(t *testing.T) {
	cfg := configIn(t.TempDir())
	cfg.Baselines.Interval = time.Second
	now := time.Now().UTC()
	f := verdict(store.VerdictMute, now)

	start := func() (*storageExtension, store.Reader) {
		e := create1(t, cfg, componenttest.NewNopTelemetrySettings())
		require.NoError(t, e.Start(t.Context(), componenttest.NewNopHost()))
		r, err := e.StoreReader(t.Context())
		require.NoError(t, err)
		require.True(t, r.Capabilities().Baselines && r.Capabilities().Feedback && r.Capabilities().Aggregate)
		return e, r
	}
	kept := func(r store.Reader) []store.Baseline {
		list, err := all(r.(store.BaselineStore).Baselines(t.Context(), store.BaselineQuery{Limit: 10}))
		require.NoError(t, err)
		return list
	}

	e, r := start()
	before := r.(store.Versioned).Version(now.Add(-time.Hour), now.Add(time.Hour))
	p := &pupil{name: "anomaly"}
	p.knows(1, now)
	leave, err := e.RegisterEngine(t.Context(), p)
	require.NoError(t, err)
	require.NoError(t, e.GiveFeedback(t.Context(), f))
	require.EventuallyWithT(t, func(c *assert.CollectT) { assert.Len(c, kept(r), 2) }, 10*time.Second, 10*time.Millisecond)
	w, err := e.StoreWriter(t.Context())
	require.NoError(t, err)
	ev := event()
	require.NoError(t, w.WriteEvents(t.Context(), []genai.Event{ev}))
	assert.NotEqual(t, before, r.(store.Versioned).Version(now.Add(-time.Hour), now.Add(time.Hour)))
	figures, err := all(r.(store.Aggregator).Aggregate(t.Context(), store.AggregateQuery{Start: now.Add(-time.Hour), End: now.Add(time.Hour)}))
	require.NoError(t, err)
	require.Len(t, figures, 1)
	assert.EqualValues(t, 1, figures[0].Calls)
	leave()
	require.NoError(t, e.Shutdown(t.Context()))

	e, r = start()
	assert.Equal(t, p.series, sortedBaselines(kept(r), p.series))
	list, err := all(r.(store.FeedbackStore).Feedback(t.Context(), store.FeedbackQuery{Limit: 10}))
	require.NoError(t, err)
	assert.Equal(t, []store.Feedback{f}, list)
	later := &pupil{name: "anomaly"}
	_, err = e.RegisterEngine(t.Context(), later)
	require.NoError(t, err)
	assert.Equal(t, []store.Feedback{f}, later.lessons())
	require.NoError(t, e.Shutdown(t.Context()))
}

// sortedBaselines puts list into the order of metrics of like.
func sortedBaselines(list, like []store.Baseline) (out []store.Baseline) {
	for _, l := range like {
		for _, b := range list {
			if b.Metric == l.Metric {
				out = append(out, b)
			}
		}
	}
	return out
}
