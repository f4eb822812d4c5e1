package main

import (
	"github.com/llm-devops/llm-sentinel/internal/series"
)

// holder keeps the states of all series.
type holder[S any] interface {
	// Judge shows one chunk of values to the series keys, or ids, and returns
	// the number of alarms. at and step are the event time of the first value
	// and the time between two.
	Judge(m engine[S], keys []series.Key, ids []uint32, values []float64, at, step int64) (alarms int)
}

// tableHolder is how the product holds states: found by name in a table that is
// sharded and bounded, under the lock of a shard.
// The values of a chunk are looked up together, as those of a batch of telemetry
// can be.
type tableHolder[S any] struct {
	*series.Table[S]
	scratch *scratch
}

// scratch is what one goroutine needs to judge a chunk.
type scratch struct {
	batch series.Batch
	at    [chunk]int64
}

func newTableHolder[S any](m engine[S], keys []series.Key, blobs [][]byte) (tableHolder[S], error) {
	table, err := series.NewTable(series.Options[S]{MaxSeries: 2 * len(keys), Init: m.Init, Fetch: m.Fetch})
	if err != nil {
		return tableHolder[S]{}, err
	}
	for i, k := range keys {
		ref := table.Acquire(k, epoch)
		err := restore(m, blobs[i%len(blobs)], ref.Value)
		ref.Release()
		if err != nil {
			return tableHolder[S]{}, err
		}
	}
	return tableHolder[S]{table, &scratch{}}, nil
}

// another is the same table for another goroutine.
func (t tableHolder[S]) another() tableHolder[S] { return tableHolder[S]{t.Table, &scratch{}} }

func (t tableHolder[S]) Judge(m engine[S], keys []series.Key, _ []uint32, values []float64, at, step int64) (alarms int) {
	times := t.scratch.at[:len(keys)]
	for i := range times {
		times[i] = at + int64(i)*step
	}
	t.Visit(&t.scratch.batch, keys, times, func(i int, st *S, _, _ bool) {
		if m.Judge(st, times[i], values[i]) {
			alarms++
		}
	})
	return alarms
}

// oneByOne looks each value up by itself: items that come alone.
type oneByOne[S any] struct{ *series.Table[S] }

func (t oneByOne[S]) Judge(m engine[S], keys []series.Key, _ []uint32, values []float64, at, step int64) (alarms int) {
	for i := range keys {
		ref := t.Acquire(keys[i], at)
		if m.Judge(ref.Value, at, values[i]) {
			alarms++
		}
		ref.Release()
		at += step
	}
	return alarms
}

// slabHolder is an array: what the detectors cost without finding the state.
type slabHolder[S any] []S

func newSlabHolder[S any](m engine[S], n int, blobs [][]byte) (slabHolder[S], error) {
	states := make(slabHolder[S], n)
	for i := range states {
		m.Init(&states[i])
		if err := restore(m, blobs[i%len(blobs)], &states[i]); err != nil {
			return nil, err
		}
	}
	return states, nil
}

func (s slabHolder[S]) Judge(m engine[S], _ []series.Key, ids []uint32, values []float64, at, step int64) (alarms int) {
	for i, id := range ids {
		if m.Judge(&s[id], at, values[i]) {
			alarms++
		}
		at += step
	}
	return alarms
}

// snapshot serialises all states, as the product does: one shard at a time,
// with a copy in memory. It returns the bytes in pieces of about a megabyte.
func (t tableHolder[S]) snapshot(m engine[S]) (parts [][]byte) {
	const part = 1 << 20
	buf := make([]byte, 0, part+1<<14)
	t.Range(func(_ series.Key, _ int64, st *S) bool {
		buf = m.Save(buf, st)
		if len(buf) >= part {
			parts = append(parts, buf)
			buf = make([]byte, 0, part+1<<14)
		}
		return true
	})
	return append(parts, buf)
}

// Load restores what snapshot wrote, under the keys in any order.
func (t tableHolder[S]) Load(m engine[S], keys []series.Key, parts [][]byte) error {
	i := 0
	for _, b := range parts {
		for len(b) > 0 {
			ref := t.Acquire(keys[i], epoch)
			rest, err := m.Load(b, ref.Value)
			ref.Release()
			if err != nil {
				return err
			}
			b = rest
			i++
		}
	}
	return nil
}
