package llmtraffic

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.opentelemetry.io/collector/pdata/ptrace"
)

// Source yields calls in the order of their event time.
type Source interface {
	Next(*Call) bool
}

// Exporter takes the requests of a run; [Sender] is one.
type Exporter interface {
	Send(context.Context, ptrace.Traces) (Result, error)
}

// RunOptions say how calls are sent.
type RunOptions struct {
	// SpansPerRequest is the size of a full request; default 100.
	SpansPerRequest int
	// Speed is event time per wall time; 0 sends as fast as possible.
	Speed float64
	// Start is the event time that belongs to the beginning of the run; needed
	// with Speed.
	Start time.Time
	// FlushInterval is the wall time after which a request is sent although it
	// is not full; default 250 ms. Only with Speed.
	FlushInterval time.Duration
	// Grace is how long requests in flight may take after ctx ends; default 5 s.
	Grace time.Duration
}

// A run ends when so many requests in a row failed: unanswered ones, which were
// retried to the end, or refused ones, for which no retry helps.
const (
	maxUnanswered = 3
	maxRefused    = 20
)

// Run sends the calls of each source in order, one request at a time per
// source, sources side by side. It returns when all sources are exhausted,
// when ctx ends (with its cause; what was collected is still sent), or when
// several requests in a row failed. Every span is accounted for in stats.
func Run(ctx context.Context, sources []Source, exp Exporter, o RunOptions, stats *Stats) error {
	if o.SpansPerRequest <= 0 {
		o.SpansPerRequest = 100
	}
	if o.FlushInterval <= 0 {
		o.FlushInterval = 250 * time.Millisecond
	}
	if o.Grace <= 0 {
		o.Grace = 5 * time.Second
	}
	if o.Speed < 0 || (o.Speed > 0 && o.Start.IsZero()) {
		return fmt.Errorf("speed must be 0 or above and needs a start, got %v", o.Speed)
	}
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	sendCtx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	// Requests in flight get some time after the end of ctx, so that Ctrl-C
	// does not tear them.
	detach := context.AfterFunc(ctx, func() { time.AfterFunc(o.Grace, cancel) })
	defer detach()

	var wg sync.WaitGroup
	begin := time.Now()
	for _, src := range sources {
		l := &lane{src: src, exp: exp, o: o, stats: stats, begin: begin, batch: NewBatch(o.SpansPerRequest)}
		wg.Add(1)
		go func() {
			defer wg.Done()
			if err := l.run(ctx, sendCtx); err != nil {
				stop(err)
			}
		}()
	}
	wg.Wait()
	return context.Cause(ctx)
}

type lane struct {
	src   Source
	exp   Exporter
	o     RunOptions
	stats *Stats
	begin time.Time
	batch *Batch

	unanswered, refused int

	firstDue time.Time
	latest   int64
}

func (l *lane) run(ctx, sendCtx context.Context) error {
	var c Call
	for ctx.Err() == nil && l.src.Next(&c) {
		if l.o.Speed > 0 {
			due := l.begin.Add(time.Duration(float64(c.Time()-l.o.Start.UnixNano()) / l.o.Speed))
			if l.batch.Len() > 0 && due.Sub(l.firstDue) > l.o.FlushInterval {
				if err := l.flush(sendCtx); err != nil {
					return err
				}
			}
			if l.batch.Len() == 0 {
				l.firstDue = due
			}
			if !sleepUntil(ctx, due) {
				break
			}
		}
		before := l.batch.Len()
		l.batch.Add(&c)
		l.stats.calls.Add(1)
		l.stats.spans.Add(int64(l.batch.Len() - before))
		l.latest = c.Time()
		if c.Incident >= 0 {
			l.stats.affected(&c)
		}
		if l.batch.Len() >= l.o.SpansPerRequest {
			if err := l.flush(sendCtx); err != nil {
				return err
			}
		}
	}
	return l.flush(sendCtx)
}

// sleepUntil reports false when ctx ended first.
func sleepUntil(ctx context.Context, t time.Time) bool {
	d := time.Until(t)
	if d <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// flush sends what was collected. An error ends the run.
func (l *lane) flush(ctx context.Context) error {
	n := int64(l.batch.Len())
	if n == 0 || ctx.Err() != nil {
		return nil
	}
	res, err := l.exp.Send(ctx, l.batch.Take())
	l.stats.requests.Add(1)
	l.stats.retries.Add(res.Retries)
	l.stats.volume.Add(res.Bytes)
	if err != nil {
		l.stats.failed.Add(n)
		l.stats.failedRequests.Add(1)
		l.stats.message(rootCause(err).Error())
		if ae := (*attemptError)(nil); errors.As(err, &ae) && !ae.retry {
			l.refused++
		} else {
			l.unanswered++
		}
		if l.unanswered >= maxUnanswered || l.refused >= maxRefused {
			return fmt.Errorf("%d requests in a row failed: %w", l.unanswered+l.refused, err)
		}
		return nil
	}
	l.unanswered, l.refused = 0, 0
	rejected := min(max(res.Rejected, 0), n)
	l.stats.rejected.Add(rejected)
	l.stats.accepted.Add(n - rejected)
	if res.Message != "" {
		l.stats.message("partial success: " + res.Message)
	}
	for {
		p := l.stats.position.Load()
		if l.latest <= p || l.stats.position.CompareAndSwap(p, l.latest) {
			return nil
		}
	}
}

// rootCause drops the wrapping that differs from request to request, so that
// equal errors are counted together.
func rootCause(err error) error {
	var ae *attemptError
	if errors.As(err, &ae) {
		return ae.err
	}
	return err
}
