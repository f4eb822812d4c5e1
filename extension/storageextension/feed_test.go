package storageextension

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"

	"github.com/llm-devops/llm-sentinel/internal/anomaly"
	"github.com/llm-devops/llm-sentinel/internal/store"
)

func anomalies(n int) []anomaly.Anomaly {
	out := make([]anomaly.Anomaly, n)
	for i := range out {
		out[i].ID = uuid.New()
	}
	return out
}

func (s *school) writeAnomalies(t *testing.T, batch []anomaly.Anomaly) error {
	t.Helper()
	w, err := s.StoreWriter(t.Context())
	require.NoError(t, err)
	return w.WriteAnomalies(t.Context(), batch)
}

func TestSubscribersGetTheAnomaliesOfKeptBatches(t *testing.T) {
	s := newSchool(t, nil)
	a, b := s.Subscribe(t.Context(), 4), s.Subscribe(t.Context(), 4)
	batch := anomalies(2)
	want := append([]anomaly.Anomaly(nil), batch...)
	require.NoError(t, s.writeAnomalies(t, batch))
	batch[0] = anomaly.Anomaly{} // the slice is the writer's
	assert.Equal(t, store.FeedItem{Anomalies: want}, <-a)
	assert.Equal(t, store.FeedItem{Anomalies: want}, <-b)

	require.NoError(t, s.writeAnomalies(t, nil))
	s.backend.fail(errDisk)
	require.ErrorIs(t, s.writeAnomalies(t, anomalies(1)), errDisk)
	assert.Empty(t, a, "neither an empty batch nor one that was not kept is told")
	assert.EqualValues(t, 2, s.sum(t, "storage_feed_subscribers", ""))
	s.stop(t)
}

func TestASlowSubscriberMissesBatchesAndIsTold(t *testing.T) {
	s := newSchool(t, nil)
	slow, quick := s.Subscribe(t.Context(), 1), s.Subscribe(t.Context(), 8)
	for range 3 {
		require.NoError(t, s.writeAnomalies(t, anomalies(2)), "the writer never waits")
	}
	first := <-slow
	assert.Len(t, first.Anomalies, 2)
	assert.Zero(t, first.Missed)
	require.NoError(t, s.writeAnomalies(t, anomalies(1)))
	second := <-slow
	assert.Len(t, second.Anomalies, 1)
	assert.EqualValues(t, 4, second.Missed)
	for range 4 {
		assert.Zero(t, (<-quick).Missed)
	}
	assert.EqualValues(t, 4, s.sum(t, "storage_feed_missed_total", ""))
	s.stop(t)
}

func TestASubscriptionEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSchool(t, nil)
		ctx, cancel := context.WithCancel(t.Context())
		ch := s.Subscribe(ctx, 1)
		cancel()
		_, more := <-ch
		assert.False(t, more)
		assert.Zero(t, s.sum(t, "storage_feed_subscribers", ""))
		require.NoError(t, s.writeAnomalies(t, anomalies(1)))
		s.stop(t)
	})
}

func TestShutdownEndsSubscriptions(t *testing.T) {
	e := create1(t, configIn(t.TempDir()), componenttest.NewNopTelemetrySettings())
	_, more := <-e.Subscribe(t.Context(), 1)
	assert.False(t, more, "not started")
	require.NoError(t, e.Start(t.Context(), componenttest.NewNopHost()))
	ctx, cancel := context.WithCancel(t.Context())
	ch := e.Subscribe(ctx, 0)
	require.NoError(t, e.Shutdown(t.Context()))
	_, more = <-ch
	assert.False(t, more)
	_, more = <-e.Subscribe(t.Context(), 1)
	assert.False(t, more, "stopped")
	cancel()
}

func TestSubscribersAreBounded(t *testing.T) {
	f := feed{isOpen: true}
	for range maxSubscribers {
		f.subscribe(t.Context(), 1)
	}
	_, more := <-f.subscribe(t.Context(), 1)
	assert.False(t, more)
	assert.Equal(t, maxFeedBuffer, cap((&feed{isOpen: true}).subscribe(t.Context(), 1<<30)))
	f.close()
}
