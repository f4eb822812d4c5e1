package queryextension

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap/zapcore"

	"github.com/llm-devops/llm-sentinel/internal/anomaly"
	"github.com/llm-devops/llm-sentinel/internal/store"
)

func TestStorageThatTellsIsPreferredToPolls(t *testing.T) {
	t.Parallel()
	a := newAPI(t, nil)
	assert.Same(t, a.poller, a.feed(allCapabilities), "an extension that is no feed")
	ext := newFakeExtension(a.store)
	a.extension = ext
	assert.Same(t, ext, a.feed(allCapabilities))
	assert.Same(t, a.poller, a.feed(store.Capabilities{}), "what others write passes no feed")
}

// polled reads what comes within a minute, until there is nothing more.
func polled(items <-chan store.FeedItem) (ids []string, missed int64) {
	for {
		select {
		case item := <-items:
			missed += item.Missed
			for i := range item.Anomalies {
				ids = append(ids, item.Anomalies[i].ID.String())
			}
		case <-time.After(10 * pollInterval):
			return ids, missed
		}
	}
}

func TestPollerTellsOfWhatIsNew(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAPI(t, nil)
		keep := func(all ...anomaly.Anomaly) {
			a.store.with(func(f *fakeReader) { f.anomalies = append(f.anomalies, all...) })
		}
		keep(makeAnomaly(0, time.Minute))
		ctx, cancel := context.WithCancel(t.Context())
		first := a.poller.Subscribe(ctx, 4)
		late, early := makeAnomaly(1, time.Second), makeAnomaly(2, 5*time.Minute)
		keep(late, early, makeAnomaly(3, time.Hour))
		ids, missed := polled(first)
		assert.Equal(t, []string{early.ID.String(), late.ID.String()}, ids, "oldest first, also what was kept late, but nothing of long ago")
		assert.Zero(t, missed)

		second := a.poller.Subscribe(ctx, 4)
		both := makeAnomaly(4, 0)
		keep(both)
		for _, c := range []<-chan store.FeedItem{first, second} {
			ids, _ = polled(c)
			assert.Equal(t, []string{both.ID.String()}, ids)
		}
		cancel()
		synctest.Wait()
		a.poller.wait()
		_, open := <-first
		assert.False(t, open)
		_, open = <-second
		assert.False(t, open)

		// It can begin again.
		ctx, cancel = context.WithCancel(t.Context())
		defer cancel()
		third := a.poller.Subscribe(ctx, 4)
		again := makeAnomaly(5, 0)
		keep(again)
		ids, _ = polled(third)
		assert.Equal(t, []string{again.ID.String()}, ids)
		cancel()
		synctest.Wait()
	})
}

func TestPollerCountsWhatASlowSubscriberMisses(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAPI(t, nil)
		ctx, cancel := context.WithCancel(t.Context())
		items := a.poller.Subscribe(ctx, 1)
		for i := range 4 {
			a.store.with(func(f *fakeReader) { f.anomalies = append(f.anomalies, makeAnomaly(2*i, 0), makeAnomaly(2*i+1, 0)) })
			time.Sleep(pollInterval)
			synctest.Wait()
		}
		assert.Len(t, (<-items).Anomalies, 2)
		a.store.with(func(f *fakeReader) { f.anomalies = append(f.anomalies, makeAnomaly(99, 0)) })
		ids, missed := polled(items)
		assert.Len(t, ids, 1)
		assert.EqualValues(t, 6, missed)
		cancel()
		synctest.Wait()
	})
}

func TestPollerTriesAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAPI(t, nil)
		ctx, cancel := context.WithCancel(t.Context())
		items := a.poller.Subscribe(ctx, 4)
		a.storage.fail(errors.New("no connection"))
		time.Sleep(5 * pollInterval)
		synctest.Wait()
		require.Equal(t, 1, a.logs.FilterLevelExact(zapcore.WarnLevel).Len(), "said once")
		while := makeAnomaly(1, 0)
		a.store.with(func(f *fakeReader) { f.anomalies = append(f.anomalies, while) })
		a.storage.fail(nil)
		ids, _ := polled(items)
		assert.Equal(t, []string{while.ID.String()}, ids, "what was kept meanwhile is not lost")
		cancel()
		synctest.Wait()
	})
}
