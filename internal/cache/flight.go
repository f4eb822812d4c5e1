package cache

import (
	"context"
	"errors"
	"sync"
	"time"
)

var (
	// errAbandoned is the cause of a load that nobody waits for any more.
	errAbandoned = errors.New("nobody waits for this answer")
	// errPanicked is what those panic with that waited for a load that panicked.
	errPanicked = errors.New("the load that this call waited for panicked")
)

// maxJoinAge is the age up to which others may join a load. Without it a slow
// load that is asked for all the time would never be cancelled.
const maxJoinAge = 10 * time.Second

// flight runs one load of a key at a time. Unlike golang.org/x/sync/singleflight
// a load does not depend on the context of the call that began it, and ends
// when all that waited for it have left.
type flight struct {
	mu    sync.Mutex
	calls map[Key]*call
}

type call struct {
	begun   time.Time
	done    chan struct{} // closed when value, err and panicked are set
	waiting int           // under the flight's mutex
	cancel  context.CancelCauseFunc

	value    []byte
	err      error
	panicked bool
}

// do returns what load gives, or the error of ctx as soon as that ends (for the
// call that runs the load: as soon as the load is over). joined tells that
// another call ran it.
func (f *flight) do(ctx context.Context, key Key, load func(context.Context) ([]byte, error)) (value []byte, joined bool, err error) {
	f.mu.Lock()
	if c, ok := f.calls[key]; ok && c.waiting > 0 && time.Since(c.begun) < maxJoinAge {
		c.waiting++
		f.mu.Unlock()
		value, err = f.wait(ctx, c)
		return value, true, err
	}
	loading, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	defer cancel(nil)
	c := &call{begun: time.Now(), done: make(chan struct{}), waiting: 1, cancel: cancel}
	if f.calls == nil {
		f.calls = map[Key]*call{}
	}
	f.calls[key] = c
	f.mu.Unlock()

	stop := context.AfterFunc(ctx, func() { f.leave(c) })
	defer stop()
	f.run(loading, key, c, load)
	if err := ctx.Err(); err != nil {
		return nil, false, err
	}
	return c.value, false, c.err
}

// run lets a panic through, with its stack, after it was noted for those that
// wait.
func (f *flight) run(ctx context.Context, key Key, c *call, load func(context.Context) ([]byte, error)) {
	c.panicked = true // until load has returned
	defer func() {
		f.mu.Lock()
		if f.calls[key] == c {
			delete(f.calls, key)
		}
		f.mu.Unlock()
		close(c.done)
	}()
	c.value, c.err = load(ctx)
	c.panicked = false
}

func (f *flight) wait(ctx context.Context, c *call) ([]byte, error) {
	select {
	case <-c.done:
		if c.panicked {
			panic(errPanicked)
		}
		return c.value, c.err
	case <-ctx.Done():
		f.leave(c)
		return nil, ctx.Err()
	}
}

// leave cancels the load when it was the last one that waited.
func (f *flight) leave(c *call) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if c.waiting--; c.waiting == 0 {
		c.cancel(errAbandoned)
	}
}
