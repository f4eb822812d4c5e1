package storageextension

import (
	"context"
	"slices"
	"sync"

	"github.com/llm-devops/llm-sentinel/internal/anomaly"
	"github.com/llm-devops/llm-sentinel/internal/store"
)

const (
	// maxFeedBuffer is the most batches that wait for one subscriber.
	maxFeedBuffer = 1024
	// maxSubscribers bounds those who are told at a time.
	maxSubscribers = 1024
)

// feed hands new anomalies on to subscribers. Publishing never waits: who does
// not keep up misses batches, and is told how many anomalies they held. The zero
// value is closed to subscribers until open.
type feed struct {
	// missed is told of anomalies that were not delivered. It must not block.
	missed func(ctx context.Context, n int64)

	mu          sync.Mutex
	isOpen      bool
	subscribers []*subscriber
}

type subscriber struct {
	ch chan store.FeedItem
	// missed are the anomalies since the last value that was delivered.
	missed int64
	// release ends the watch over the context of the subscriber.
	release func() bool
}

func (f *feed) open() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.isOpen = true
}

// subscribe implements [store.Feed]. The channel is closed at once when the
// extension does not run or has too many subscribers.
func (f *feed) subscribe(ctx context.Context, buffer int) <-chan store.FeedItem {
	s := &subscriber{ch: make(chan store.FeedItem, min(max(buffer, 1), maxFeedBuffer))}
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.isOpen || len(f.subscribers) >= maxSubscribers {
		close(s.ch)
		return s.ch
	}
	f.subscribers = append(f.subscribers, s)
	s.release = context.AfterFunc(ctx, func() { f.leave(s) })
	return s.ch
}

func (f *feed) leave(s *subscriber) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if i := slices.Index(f.subscribers, s); i >= 0 {
		f.subscribers = slices.Delete(f.subscribers, i, i+1)
		close(s.ch)
	}
}

// publish tells the subscribers of a batch that was kept. The slice stays the
// caller's.
func (f *feed) publish(ctx context.Context, batch []anomaly.Anomaly) {
	if len(batch) == 0 {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.subscribers) == 0 {
		return
	}
	batch = slices.Clone(batch)
	for _, s := range f.subscribers {
		select {
		case s.ch <- store.FeedItem{Anomalies: batch, Missed: s.missed}:
			s.missed = 0
		default:
			s.missed += int64(len(batch))
			f.missed(ctx, int64(len(batch)))
		}
	}
}

// close ends all subscriptions.
func (f *feed) close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.isOpen = false
	for _, s := range f.subscribers {
		s.release()
		close(s.ch)
	}
	f.subscribers = nil
}

func (f *feed) len() int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return int64(len(f.subscribers))
}
