package queryextension

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"
	"go.uber.org/zap"

	"github.com/llm-devops/llm-sentinel/internal/anomaly"
	"github.com/llm-devops/llm-sentinel/internal/store"
)

const (
	pollInterval = 2 * time.Second
	pollTimeout  = 10 * time.Second
	// pollWindow is how late an anomaly may be kept, by its event time, and is
	// still told of.
	pollWindow = 10 * time.Minute
)

// feed is what tells of new anomalies: the storage extension when everything is
// written through it, else a poller.
func (s *server) feed(c store.Capabilities) store.Feed {
	if f, ok := s.extension.(store.Feed); ok && c.Write {
		return f
	}
	return s.poller
}

// poller is a feed that asks the storage again and again, as long as there are
// subscribers.
type poller struct {
	reader func(context.Context) (store.Reader, error)
	now    func() time.Time
	logger *zap.Logger

	mu          sync.Mutex
	subscribers map[*subscriber]struct{}
	stop        context.CancelFunc
	running     sync.WaitGroup
}

type subscriber struct {
	items  chan store.FeedItem
	missed int64
}

// Subscribe implements [store.Feed].
func (p *poller) Subscribe(ctx context.Context, buffer int) <-chan store.FeedItem {
	sub := &subscriber{items: make(chan store.FeedItem, buffer)}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.subscribers == nil {
		p.subscribers = map[*subscriber]struct{}{}
	}
	p.subscribers[sub] = struct{}{}
	if len(p.subscribers) == 1 {
		// The loop outlives its first subscriber.
		loop, stop := context.WithCancel(context.WithoutCancel(ctx))
		p.stop = stop
		w := &watch{p: p}
		w.poll(loop) // what is there now is not new
		p.running.Go(func() { w.loop(loop) })
	}
	context.AfterFunc(ctx, func() { p.leave(sub) })
	return sub.items
}

func (p *poller) leave(sub *subscriber) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.subscribers, sub)
	close(sub.items)
	if len(p.subscribers) == 0 {
		p.stop()
	}
}

// wait returns when the last poll has ended, after all subscribers have left.
func (p *poller) wait() { p.running.Wait() }

func (p *poller) publish(loop context.Context, fresh []anomaly.Anomaly, missed int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if loop.Err() != nil || len(fresh)+int(missed) == 0 {
		return // the subscribers belong to another loop
	}
	for sub := range p.subscribers {
		select {
		case sub.items <- store.FeedItem{Anomalies: fresh, Missed: sub.missed + missed}:
			sub.missed = 0
		default:
			sub.missed += missed + int64(len(fresh))
		}
	}
}

// watch is one run of polls.
type watch struct {
	p *poller
	// seen are the anomalies of the window.
	seen map[uuid.UUID]struct{}
	// beyond is how many of the window were not looked at.
	beyond int64
	failed bool
}

func (w *watch) loop(ctx context.Context) {
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			first := w.seen == nil
			if fresh, missed := w.poll(ctx); !first {
				w.p.publish(ctx, fresh, missed)
			}
		}
	}
}

// poll returns the anomalies of the window that were not there at the last poll,
// oldest first, and how many more there must be.
func (w *watch) poll(ctx context.Context) (fresh []anomaly.Anomaly, missed int64) {
	ctx, cancel := context.WithTimeout(ctx, pollTimeout)
	defer cancel()
	now, beyond, err := w.window(ctx)
	if err != nil {
		if !w.failed && ctx.Err() == nil {
			w.p.logger.Warn("new anomalies cannot be looked for; trying again", zap.Error(err))
		}
		w.failed = true
		return nil, 0
	}
	w.failed = false
	seen := make(map[uuid.UUID]struct{}, len(now))
	for i := range now {
		seen[now[i].ID] = struct{}{}
		if _, old := w.seen[now[i].ID]; !old {
			fresh = append(fresh, now[i])
		}
	}
	slices.Reverse(fresh)
	missed = max(0, beyond-w.beyond)
	w.seen, w.beyond = seen, beyond
	return fresh, missed
}

func (w *watch) window(ctx context.Context) (rows []anomaly.Anomaly, beyond int64, err error) {
	r, err := w.p.reader(ctx)
	if err != nil {
		return nil, 0, err
	}
	t := w.p.now()
	q := store.AnomalyQuery{Query: store.Query{Start: t.Add(-pollWindow), End: t.Add(futureTolerance), Limit: maxAnomalyScan}}
	if rows, err = take(ctx, maxAnomalyScan, r.Anomalies(ctx, q)); err != nil || len(rows) < maxAnomalyScan || !r.Capabilities().Count {
		return rows, 0, err
	}
	total, err := r.CountAnomalies(ctx, q)
	return rows, max(0, total-maxAnomalyScan), err
}
