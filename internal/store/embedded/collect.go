package embedded

import (
	"context"
	"fmt"
	"math"

	"github.com/llm-devops/llm-sentinel/internal/genai"
)

const (
	// maxCollected bounds the measures that are collected in memory, of all open
	// hours together, in bytes: 36 an event.
	maxCollected = 32 << 20
	// maxCollectedGroups bounds the sets of names of an hour, which take memory
	// beside their bytes.
	maxCollectedGroups = 16_384
)

// collector makes the measures of an hour while its events are written, so that
// they need not be read again when the hour is over. It is of use only if it
// has seen all of them: it begins with a new hour, and ends with an error, with
// whatever removes events, and when it grows too large. Then the hour is sealed
// from its rows.
type collector struct {
	*measureWriter
	numbers map[[len(dimensionColumns)]string]int
}

func newCollector(hour int64) *collector {
	return &collector{newMeasureWriter(hour), map[[len(dimensionColumns)]string]int{}}
}

// note adds an event as its row will be read.
func (c *collector) note(nanos int64, e *genai.Event) {
	names := [len(dimensionColumns)]string{e.Service, e.Model(), e.Provider, e.Operation, e.Environment, e.Tenant}
	n, ok := c.numbers[names]
	if !ok {
		for i := range names { // they may be parts of a large request
			names[i] = string([]byte(names[i]))
		}
		n = c.group(&names)
		c.numbers[names] = n
	}
	m := measureOf(nanos, e)
	c.add(n, &m)
	c.events++
}

func measureOf(nanos int64, e *genai.Event) measure {
	m := measure{nanos: nanos, failed: e.Failed}
	for i, f := range [...]struct {
		field genai.Field
		value int64
	}{
		{genai.FieldInputTokens, e.InputTokens},
		{genai.FieldOutputTokens, e.OutputTokens},
		{genai.FieldTotalTokens, e.TotalTokens},
		{genai.FieldCacheReadTokens, e.CacheReadTokens},
		{genai.FieldCacheWriteTokens, e.CacheWriteTokens},
		{genai.FieldReasoningTokens, e.ReasoningTokens},
	} {
		if e.Has(f.field) {
			m.tokens[i] = f.value
			m.known |= 1 << i
		}
	}
	for i, f := range [...]struct {
		field genai.Field
		value float64
		to    *float64
	}{
		{genai.FieldCost, e.CostUSD, &m.cost},
		{genai.FieldTTFT, e.TTFTMillis, &m.ttft},
		{genai.FieldLatency, e.LatencyMillis, &m.latency},
	} {
		if e.Has(f.field) && !math.IsNaN(f.value) {
			*f.to = f.value
			m.known |= knowsCost << i
		}
	}
	return m
}

// limitCollected forgets what was collected of an hour when all together is too
// much.
func (w *writer) limitCollected(p *partition) {
	size := 0
	for _, o := range w.open {
		if o.collected != nil {
			size += o.collected.size
		}
	}
	if size > maxCollected || p.collected != nil && len(p.collected.groups) > maxCollectedGroups {
		p.collected = nil
	}
}

// sealCollected writes the measures of an hour that were collected, if they are
// complete.
func (s *Store) sealCollected(ctx context.Context, hour int64) (done bool, err error) {
	err = s.change(ctx, "seal hour", nil, func([]planned) error {
		done = false
		c := s.w.collected(hour)
		if c == nil {
			return nil
		}
		events, err := queryInt(s.w.conn, fmt.Sprintf("SELECT events FROM partitions WHERE hour = %d", hour))
		if err != nil || events != c.events {
			return err
		}
		if err := s.w.dropMeasures(hour); err != nil { // forgets c, too
			return err
		}
		c.write = func(pieces []measurePiece) error { return s.w.insertMeasures(hour, pieces) }
		if err := c.flush(); err != nil {
			return err
		}
		done = true
		return s.w.setMeasured(hour, events)
	})
	return done && err == nil, err
}

// collected returns what was collected of an hour, or nil.
func (w *writer) collected(hour int64) *collector {
	for _, p := range w.open {
		if p.hour == hour {
			return p.collected
		}
	}
	return nil
}

func (w *writer) forgetCollected(hour int64) {
	for _, p := range w.open {
		if p.hour == hour {
			p.collected = nil
		}
	}
}
