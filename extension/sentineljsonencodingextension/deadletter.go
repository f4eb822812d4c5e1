package sentineljsonencodingextension

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/collector/extension"
	"go.uber.org/zap"
)

const (
	attemptTimeout = 5 * time.Second
	firstWait      = 100 * time.Millisecond
	longestWait    = 5 * time.Second
	maxErrorText   = 512 // bytes
)

// letter is a record of the dead letter.
type letter struct {
	time    time.Time
	format  string
	message []byte
	err     *poisonError
}

// sink is a place for dead letters. It is safe for use by any number of
// goroutines.
type sink interface {
	// write returns when the letters are durable. Letters that are left may be
	// tried again; those that were refused cannot.
	write(ctx context.Context, list []letter) (left []letter, refused int, err error)
	close(ctx context.Context) error
}

var errGaveUp = errors.New("the collector stops while a dead letter cannot be written")

// deadLetters passes what cannot be decoded to its sinks.
type deadLetters struct {
	cfg    *Config
	set    extension.Settings
	counts *counters
	sinks  []sink
	host   component.Host
	// attempt bounds one attempt to write, and so how long stopping may take.
	attempt time.Duration

	stopping chan struct{}
	stopOnce sync.Once

	mu     sync.Mutex
	recent recent
	logged map[reason]bool
}

func newDeadLetters(cfg *Config, set extension.Settings, counts *counters) *deadLetters {
	return &deadLetters{
		cfg: cfg, set: set, counts: counts, attempt: attemptTimeout,
		stopping: make(chan struct{}), logged: map[reason]bool{}, recent: newRecent(maxRecent),
	}
}

func (d *deadLetters) start(ctx context.Context, host component.Host) error {
	d.host = host
	if c := d.cfg.DeadLetter.File.Get(); c != nil {
		s, err := newFileSink(c, d.set.ID.String(), d.removed)
		if err != nil {
			return fmt.Errorf("dead_letter::file: %w", err)
		}
		d.sinks = append(d.sinks, s)
	}
	if c := d.cfg.DeadLetter.Kafka.Get(); c != nil {
		s, err := newKafkaSink(ctx, c, d.set.ID.String())
		if err != nil {
			return fmt.Errorf("dead_letter::kafka: %w", err)
		}
		d.sinks = append(d.sinks, s)
	}
	return nil
}

// removed is told of files that were removed for want of room.
func (d *deadLetters) removed(names []string) {
	d.counts.removed(len(names))
	d.set.Logger.Warn("dead letter files were removed because there are more than max_files", zap.Strings("files", names))
}

// giveUp ends waiting. What comes later is tried once.
func (d *deadLetters) giveUp() { d.stopOnce.Do(func() { close(d.stopping) }) }

func (d *deadLetters) close(ctx context.Context) error {
	var errs []error
	for _, s := range d.sinks {
		errs = append(errs, s.close(ctx))
	}
	d.sinks = nil
	return errors.Join(errs...)
}

// put counts what cannot be decoded and returns when all of it is durable.
func (d *deadLetters) put(format string, list []poison) error {
	if len(list) == 0 {
		return nil
	}
	d.note(list)
	if len(d.sinks) == 0 {
		d.counts.ended(outcomeDropped, len(list))
		return nil
	}
	letters, digests := d.fresh(format, list)
	d.counts.ended(outcomeRepeated, len(list)-len(letters))
	if len(letters) == 0 {
		return nil
	}
	refused := 0
	for _, s := range d.sinks {
		n, err := d.write(s, letters)
		if err != nil {
			d.counts.ended(outcomeGaveUp, len(letters))
			d.set.Logger.Error("dead letters were not written; whether they come again is up to the receiver", zap.Int("records", len(letters)), zap.Error(err))
			return fmt.Errorf("%w: %d records: %w", errGaveUp, len(letters), err)
		}
		refused = max(refused, n)
	}
	d.counts.ended(outcomeRefused, refused)
	d.counts.ended(outcomeWritten, len(letters)-refused)
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, h := range digests {
		d.recent.add(h)
	}
	return nil
}

// note counts, and logs the first of each reason.
func (d *deadLetters) note(list []poison) {
	for i := range list {
		r := list[i].err.reason
		d.counts.poisoned(r)
		d.mu.Lock()
		first := !d.logged[r]
		d.logged[r] = true
		d.mu.Unlock()
		if first {
			d.set.Logger.Warn("a message, or an event in one, cannot be decoded (counted, logged once for each reason)",
				zap.String("reason", string(r)), zap.Int("bytes", len(list[i].raw)), zap.Error(list[i].err), zap.Bool("dead_letter", len(d.sinks) > 0))
		}
	}
}

// fresh leaves out what was written a moment ago: a receiver that must repeat a
// message because of its good events, or because the pipeline took nothing,
// brings the bad ones again.
func (d *deadLetters) fresh(format string, list []poison) (letters []letter, digests [][sha256.Size]byte) {
	now := time.Now()
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, p := range list {
		h := sha256.Sum256(p.raw)
		if d.recent.has(h) {
			continue
		}
		digests = append(digests, h)
		letters = append(letters, letter{time: now, format: format, message: p.raw, err: p.err})
	}
	return letters, digests
}

// write tries until the sink has all letters, or the collector stops.
func (d *deadLetters) write(s sink, letters []letter) (refused int, err error) {
	wait := firstWait
	for failing := false; ; {
		ctx, cancel := context.WithTimeout(context.Background(), d.attempt)
		left, n, err := s.write(ctx, letters)
		cancel()
		refused += n
		if n > 0 {
			d.set.Logger.Error("dead letters can never be written and are lost", zap.Int("records", n))
		}
		if err == nil {
			if failing {
				d.set.Logger.Info("dead letters can be written again")
				componentstatus.ReportStatus(d.host, componentstatus.NewEvent(componentstatus.StatusOK))
			}
			return refused, nil
		}
		letters = left
		d.counts.failed()
		if !failing {
			failing = true
			d.set.Logger.Error("dead letters cannot be written; the message waits", zap.Error(err))
			componentstatus.ReportStatus(d.host, componentstatus.NewRecoverableErrorEvent(err))
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-d.stopping:
			timer.Stop()
			return refused, err
		}
		wait = min(2*wait, longestWait)
	}
}

// maxRecent is how many digests of records are remembered.
const maxRecent = 4096

// recent is a set of the last digests.
type recent struct {
	set  map[[sha256.Size]byte]struct{}
	ring [][sha256.Size]byte
	next int
}

func newRecent(n int) recent {
	return recent{set: make(map[[sha256.Size]byte]struct{}), ring: make([][sha256.Size]byte, 0, n)}
}

func (r *recent) has(h [sha256.Size]byte) bool {
	_, ok := r.set[h]
	return ok
}

func (r *recent) add(h [sha256.Size]byte) {
	if r.has(h) {
		return
	}
	if len(r.ring) < cap(r.ring) {
		r.ring = append(r.ring, h)
	} else {
		delete(r.set, r.ring[r.next])
		r.ring[r.next] = h
		r.next = (r.next + 1) % len(r.ring)
	}
	r.set[h] = struct{}{}
}
