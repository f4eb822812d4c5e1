package alertexporter

import (
	"slices"

	"github.com/google/uuid"

	"github.com/llm-devops/llm-sentinel/internal/anomaly"
)

// offer registers a for its turn. queue is false when a repeats a delivered
// notification: then it is counted as suppressed and must not be queued, so
// that a continuing incident does not fill the queue. It never waits.
//
// The caller must queue offered anomalies in the order of the offers.
// Otherwise one consumer could wait for an anomaly that stands behind its own.
func (d *dedup) offer(a *anomaly.Anomaly) (queue bool) {
	if d == nil {
		return true
	}
	key := identify(a)
	d.mu.Lock()
	defer d.mu.Unlock()
	e := d.entry(key)
	// With others waiting, what a repeats is known only when they are judged.
	if len(e.waiting) == 0 && d.duplicate(e, a) {
		e.suppressed++
		return false
	}
	e.waiting = append(e.waiting, a.ID)
	return true
}

// withdraw takes back the latest offer of a, which the queue refused.
func (d *dedup) withdraw(a *anomaly.Anomaly) {
	if d == nil {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	e := d.entries[identify(a)]
	if e == nil {
		return
	}
	for i, id := range slices.Backward(e.waiting) {
		if id == a.ID {
			d.leave(e, i)
			break
		}
	}
	d.forgetUntold(e)
}

// giveUpTurn strikes out the offer of id and what stands before it, after a
// wait as long as an attempt may take: what was before it may have been lost in
// a damaged queue and would hold up the identity for ever. The next attempt for
// id waits for no offer.
func (d *dedup) giveUpTurn(key identity, id uuid.UUID) {
	d.mu.Lock()
	defer d.mu.Unlock()
	e := d.entries[key]
	if e == nil {
		return
	}
	if turn := e.turn(id); turn >= 0 {
		e.waiting = slices.Delete(e.waiting, 0, turn+1)
		e.signal()
		d.forgetUntold(e)
	}
}

// entry returns the entry of key, which is new when there was none. It needs mu.
func (d *dedup) entry(key identity) *entry {
	e := d.entries[key]
	if e == nil {
		e = &entry{key: key}
		d.entries[key] = e
	}
	return e
}

// leave strikes out the offer at position turn, if there is one. It needs mu.
func (d *dedup) leave(e *entry, turn int) {
	if turn >= 0 {
		e.waiting = slices.Delete(e.waiting, turn, turn+1)
		e.signal()
	}
}

// forgetUntold drops an entry that holds nothing. It needs mu.
func (d *dedup) forgetUntold(e *entry) {
	if !e.told && !e.inUse() {
		delete(d.entries, e.key)
	}
}

// turn is the number of offers before that of id, or -1 when id has none: a
// repeated attempt, or a notification of a persistent queue from before the
// start. Those are older than all offers and need not wait for them.
func (e *entry) turn(id uuid.UUID) int {
	return slices.Index(e.waiting, id)
}

func (e *entry) inUse() bool {
	return e.busy || len(e.waiting) > 0
}

// change is closed at the next change of busy or waiting.
func (e *entry) change() <-chan struct{} {
	if e.changed == nil {
		e.changed = make(chan struct{})
	}
	return e.changed
}

func (e *entry) signal() {
	if e.changed != nil {
		close(e.changed)
		e.changed = nil
	}
}
