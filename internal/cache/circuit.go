package cache

import (
	"sync"
	"time"
)

// circuit keeps calls away from a server that does not answer. After
// circuitFailures failures in a row it is open: nobody calls, until a trial in
// the background has succeeded. So a server that is down costs a few calls their
// timeout, and not every one.
type circuit struct {
	mu       sync.Mutex
	failures int
	open     bool
	// trial is when the next trial may begin; trying that one is under way.
	trial  time.Time
	trying bool
}

const (
	circuitFailures = 3
	circuitPause    = time.Second
)

// allow reports whether the server may be called, and whether the caller has to
// begin a trial, whose end it reports by tried.
func (c *circuit) allow(now time.Time) (call, try bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.open {
		return true, false
	}
	if c.trying || now.Before(c.trial) {
		return false, false
	}
	c.trying = true
	return false, true
}

// result notes the end of a call. It reports whether that opened the circuit.
func (c *circuit) result(ok bool, now time.Time) (opened bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.open {
		return false // a call that began before
	}
	if ok {
		c.failures = 0
		return false
	}
	if c.failures++; c.failures < circuitFailures {
		return false
	}
	c.open, c.trial = true, now.Add(circuitPause)
	return true
}

// tried notes the end of a trial. It reports whether that closed the circuit.
func (c *circuit) tried(ok bool, now time.Time) (closed bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.trying = false
	if !ok {
		c.trial = now.Add(circuitPause)
		return false
	}
	c.open, c.failures = false, 0
	return true
}

func (c *circuit) closed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.open
}
