package embedded

import (
	"context"
	"math"
	"time"
)

// openHours are the events of the hours that are being written, as far as
// measures tell of them, and as they were before a query began.
type openHours map[int64]openHour

type openHour struct {
	events int64
	chunks []openChunk
}

type openChunk struct {
	service string
	data    []byte // of a full chunk
	growing written
}

// openHoursPatience is how long a query waits for the writer. Then it reads rows.
const openHoursPatience = 50 * time.Millisecond

// openHours returns what is collected of the hours that a query is about. It is
// empty when that is not known in time.
func (s *Store) openHours(ctx context.Context, sel *selection) openHours {
	first, last := sel.hours()
	if !sel.measurable() || last < s.w.oldestCollected.Load() {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, openHoursPatience)
	defer cancel()
	if s.acquire(ctx) != nil {
		return nil
	}
	defer s.release()
	out := openHours{}
	for _, p := range s.w.open {
		if p.collected != nil && first <= p.hour && p.hour <= last {
			out[p.hour] = p.collected.soFar(sel.service())
		}
	}
	return out
}

// has reports whether the hour had exactly the events that are known when the
// query began to read.
func (o openHours) has(p catalogued) bool {
	h, ok := o[p.hour]
	return ok && h.events == p.events
}

// soFar is what was collected, of one service unless that is empty.
func (w *measureWriter) soFar(service string) openHour {
	out := openHour{events: w.events}
	for _, p := range w.full {
		if service == "" || p.service == service {
			out.chunks = append(out.chunks, openChunk{service: p.service, data: p.data})
		}
	}
	for name, c := range w.chunks {
		if service == "" || name == service {
			out.chunks = append(out.chunks, openChunk{service: name, growing: c.written()})
		}
	}
	return out
}

// addOpen adds the events of an hour that is being written.
func (a *aggregation) addOpen(ctx context.Context, open openHours, p catalogued) error {
	for _, c := range open[p.hour].chunks {
		if err := a.addChunk(ctx, p, c.service, func(kind func(measureKind), event func(int, *measure) error) error {
			if c.data != nil {
				return readChunk(c.data, p.hour, kind, event)
			}
			return c.growing.read(p.hour, kind, event)
		}); err != nil {
			return err
		}
	}
	return nil
}

// noteCollected notes the oldest hour whose measures are collected.
func (w *writer) noteCollected() {
	oldest := int64(math.MaxInt64)
	for _, p := range w.open {
		if p.collected != nil {
			oldest = min(oldest, p.hour)
		}
	}
	w.oldestCollected.Store(oldest)
}
