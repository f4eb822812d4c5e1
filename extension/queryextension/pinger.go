package queryextension

import (
	"context"
	"errors"
	"sync"
	"time"
)

const (
	// pingTimeout stays under the three seconds that most probes wait.
	pingTimeout = 2 * time.Second
	// pingMaxAge lets many probes share one question to the storage.
	pingMaxAge = time.Second
)

var errPingTimeout = errors.New("the storage did not answer within " + pingTimeout.String())

// pinger asks the storage whether it answers. At most one question is under
// way, whatever the number of probes and however long the storage hangs.
type pinger struct {
	ping func(context.Context) error
	now  func() time.Time

	mu       sync.Mutex
	running  chan struct{} // closed when the question under way is answered
	answered bool
	at       time.Time // of the last answer
	err      error     // the last answer
	since    time.Time // since when the answer has been like that
	wg       sync.WaitGroup
}

// check returns the state of the storage and since when it is in it; the time
// is zero before the first answer.
func (p *pinger) check(ctx context.Context) (time.Time, error) {
	p.mu.Lock()
	if p.answered && p.now().Sub(p.at) < pingMaxAge {
		defer p.mu.Unlock()
		return p.since, p.err
	}
	if p.running == nil {
		running := make(chan struct{})
		p.running = running
		detached := context.WithoutCancel(ctx)
		p.wg.Go(func() { p.ask(detached, running) })
	}
	done := p.running
	p.mu.Unlock()

	patience, cancel := context.WithTimeout(ctx, pingTimeout)
	defer cancel()
	select {
	case <-done:
		p.mu.Lock()
		defer p.mu.Unlock()
		return p.since, p.err
	case <-patience.Done():
		return time.Time{}, errPingTimeout
	}
}

// ask gets a context that does not end with the probe that came first: one
// that gives up must not fail the others.
func (p *pinger) ask(ctx context.Context, done chan struct{}) {
	ctx, cancel := context.WithTimeout(ctx, pingTimeout)
	defer cancel()
	err := p.ping(ctx)
	if err != nil && ctx.Err() != nil {
		err = errPingTimeout
	}

	p.mu.Lock()
	defer p.mu.Unlock()
	p.at = p.now()
	if !p.answered || (err == nil) != (p.err == nil) {
		p.since = p.at
	}
	p.answered, p.err, p.running = true, err, nil
	close(done)
}

// wait returns when no question is under way or the context ends.
func (p *pinger) wait(ctx context.Context) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		p.wg.Wait()
	}()
	select {
	case <-done:
	case <-ctx.Done():
	}
}
