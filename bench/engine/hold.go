package main

import (
	"github.com/llm-devops/llm-sentinel/internal/detect"
	"github.com/llm-devops/llm-sentinel/internal/series"
)

// holder keeps the states of all series.
type holder interface {
	// judge shows one chunk of values to the series keys, or ids, and returns
	// the number of alarms. at and step are the event time of the first value
	// and the time between two.
	judge(m *detect.Model, keys []series.Key, ids []uint32, values []float64, at, step int64) (alarms int)
}

// tableHolder is how the product holds states: found by name in a table that is
// sharded and bounded, under the lock of a shard.
type tableHolder struct{ *series.Table[detect.State] }

func newTableHolder(m *detect.Model, keys []series.Key, blobs [][]byte) (tableHolder, error) {
	table, err := series.NewTable(series.Options[detect.State]{MaxSeries: 2 * len(keys), Init: m.Reset})
	if err != nil {
		return tableHolder{}, err
	}
	for i, k := range keys {
		ref := table.Acquire(k, epoch)
		err := restore(m, blobs[i%len(blobs)], ref.Value)
		ref.Release()
		if err != nil {
			return tableHolder{}, err
		}
	}
	return tableHolder{table}, nil
}

func (t tableHolder) judge(m *detect.Model, keys []series.Key, _ []uint32, values []float64, at, step int64) (alarms int) {
	for i := range keys {
		ref := t.Acquire(keys[i], at)
		if x := values[i]; !m.Absorb(ref.Value, at, x) {
			if v := m.Observe(ref.Value, at, x); v.Alarm {
				alarms++
			}
		}
		ref.Release()
		at += step
	}
	return alarms
}

// slabHolder is an array: what the detectors cost without finding the state.
type slabHolder []detect.State

func newSlabHolder(m *detect.Model, n int, blobs [][]byte) (slabHolder, error) {
	states := make(slabHolder, n)
	for i := range states {
		m.Reset(&states[i])
		if err := restore(m, blobs[i%len(blobs)], &states[i]); err != nil {
			return nil, err
		}
	}
	return states, nil
}

func (s slabHolder) judge(m *detect.Model, _ []series.Key, ids []uint32, values []float64, at, step int64) (alarms int) {
	for i, id := range ids {
		if x := values[i]; !m.Absorb(&s[id], at, x) {
			if v := m.Observe(&s[id], at, x); v.Alarm {
				alarms++
			}
		}
		at += step
	}
	return alarms
}

// snapshot serialises all states, as the product does: one shard at a time,
// with a copy in memory. It returns the bytes in pieces of about a megabyte.
func (t tableHolder) snapshot(m *detect.Model) (parts [][]byte) {
	const part = 1 << 20
	buf := make([]byte, 0, part+1<<14)
	t.Range(func(_ series.Key, _ int64, st *detect.State) bool {
		buf = m.AppendState(buf, st)
		if len(buf) >= part {
			parts = append(parts, buf)
			buf = make([]byte, 0, part+1<<14)
		}
		return true
	})
	return append(parts, buf)
}

// load restores what snapshot wrote, under the keys in any order.
func (t tableHolder) load(m *detect.Model, keys []series.Key, parts [][]byte) error {
	i := 0
	for _, b := range parts {
		for len(b) > 0 {
			ref := t.Acquire(keys[i], epoch)
			rest, err := m.ReadState(b, ref.Value)
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
