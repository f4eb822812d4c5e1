package alertexporter

import (
	"container/list"
	"context"
	"crypto/sha256"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/llm-devops/llm-sentinel/internal/anomaly"
)

// dedup remembers for one target which incidents were told. It counts a
// notification only after the target confirmed it, and lets one attempt per
// identity run at a time, so that a duplicate waits for the outcome instead of
// being dropped on the strength of an attempt that may fail. The anomalies of
// an identity are judged in the order in which they were offered (arrivals.go),
// so that targets that are up tell the same of them.
//
// Whether an anomaly repeats a told one is decided by event time:
//   - the same anomaly id: always;
//   - a higher severity than any told in the window: never;
//   - otherwise: when it is less than one window younger than the told anomaly
//     that opened the window. The window does not slide, so that a continuing
//     incident is told again in each window;
//   - an anomaly older than that (late data, a replay): while the notification
//     was delivered less than one window of wall-clock time ago. A newer state
//     has been told already, and the wall clock bounds what one timestamp in
//     the far future can hide.
//
// An identity is forgotten two windows of wall-clock time after its last
// notification, or earlier when max entries are reached.
type dedup struct {
	window time.Duration
	max    int
	now    func() time.Time

	mu      sync.Mutex
	entries map[identity]*entry
	// order holds the told entries, least recently told first.
	order *list.List
	// evicted counts the entries that trim forgot before their time and that
	// nobody has been told of.
	evicted int
}

// identity is a digest, so that an entry has a fixed size whatever the length
// of the names.
type identity [sha256.Size]byte

func identify(a *anomaly.Anomaly) identity {
	h := sha256.New()
	for _, s := range [...]string{a.Service, a.Model, string(a.Type)} {
		h.Write([]byte(s))
		h.Write([]byte{0})
	}
	return identity(h.Sum(nil))
}

type entry struct {
	key identity
	// busy is true while an attempt runs.
	busy bool
	// waiting are the ids that were offered and not judged yet, oldest first.
	waiting []uuid.UUID
	// changed is closed when an attempt ends or waiting gets shorter; nil when
	// nobody waits for that.
	changed chan struct{}

	// The rest is valid once told.
	told       bool
	id         uuid.UUID
	start      time.Time // event time that opened the window
	deliveredT time.Time // wall clock of the last notification
	severity   anomaly.Severity
	suppressed uint64
	elem       *list.Element
}

func newDedup(cfg DeduplicationConfig, now func() time.Time) *dedup {
	if !cfg.Enabled {
		return nil
	}
	return &dedup{
		window: cfg.Window, max: cfg.MaxEntries, now: now,
		entries: map[identity]*entry{}, order: list.New(),
	}
}

// claim is the right to send one notification; exactly one of its methods
// must be called.
type claim struct {
	d *dedup
	e *entry
	a *anomaly.Anomaly
	// suppressed is the number of anomalies not told since the last notification.
	suppressed uint64
}

// claim waits for its turn: for the anomalies of the identity that were offered
// before a, and for a running attempt. ok is false when a repeats a delivered
// notification.
func (d *dedup) claim(ctx context.Context, a *anomaly.Anomaly) (c claim, ok bool, err error) {
	if d == nil {
		return claim{}, true, nil
	}
	key := identify(a)
	for {
		d.mu.Lock()
		e := d.entry(key)
		turn := e.turn(a.ID)
		switch {
		case turn <= 0 && d.duplicate(e, a):
			e.suppressed++
			d.leave(e, turn)
			d.mu.Unlock()
			return claim{}, false, nil
		case turn <= 0 && !e.busy:
			d.leave(e, turn)
			e.busy = true
			c = claim{d: d, e: e, a: a, suppressed: e.suppressed}
			d.mu.Unlock()
			return c, true, nil
		}
		changed := e.change()
		d.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			d.giveUpTurn(key, a.ID)
			return claim{}, false, ctx.Err()
		}
	}
}

// delivered records that the target confirmed the notification. It returns
// how many identities were forgotten before their time, since it was called
// last, to make room.
func (c claim) delivered() (evicted int) {
	if c.d == nil {
		return 0
	}
	c.d.mu.Lock()
	defer c.d.mu.Unlock()
	c.d.record(c.e, c.a, c.suppressed)
	c.e.busy = false
	c.e.signal()
	c.d.trim()
	evicted, c.d.evicted = c.d.evicted, 0
	return evicted
}

// failed leaves the incident untold.
func (c claim) failed() {
	if c.d == nil {
		return
	}
	c.d.mu.Lock()
	defer c.d.mu.Unlock()
	c.e.busy = false
	c.e.signal()
	c.d.forgetUntold(c.e)
}

// size is the number of identities remembered.
func (d *dedup) size() int {
	if d == nil {
		return 0
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.trim()
	return d.order.Len()
}

// duplicate needs mu.
func (d *dedup) duplicate(e *entry, a *anomaly.Anomaly) bool {
	if !e.told {
		return false
	}
	age := d.now().Sub(e.deliveredT)
	switch {
	case age >= 2*d.window:
		return false
	case a.ID == e.id:
		return true
	case a.Severity > e.severity:
		return false
	case a.Time.Before(e.start):
		return age < d.window
	default:
		return a.Time.Sub(e.start) < d.window
	}
}

// record needs mu.
func (d *dedup) record(e *entry, a *anomaly.Anomaly, reported uint64) {
	// An escalation keeps the window open; everything else begins a new one.
	since, age := a.Time.Sub(e.start), d.now().Sub(e.deliveredT)
	escalation := e.told && since < d.window && (age < d.window || (since >= 0 && age < 2*d.window))
	if !escalation {
		e.start = a.Time
	}
	e.severity, e.id, e.deliveredT = a.Severity, a.ID, d.now()
	e.suppressed -= reported
	e.told = true
	if e.elem == nil {
		e.elem = d.order.PushBack(e)
	} else {
		d.order.MoveToBack(e.elem)
	}
}

// trim forgets what is out of date or too many. It needs mu. Entries that are
// in use stay; there are no more of them than waiting notifications.
func (d *dedup) trim() {
	limit := d.now().Add(-2 * d.window)
	for el := d.order.Front(); el != nil; {
		e, next := el.Value.(*entry), el.Next()
		expired := !e.deliveredT.After(limit)
		if !expired && d.order.Len() <= d.max {
			return
		}
		if !e.inUse() {
			d.order.Remove(el)
			delete(d.entries, e.key)
			if !expired {
				d.evicted++
			}
		}
		el = next
	}
}
