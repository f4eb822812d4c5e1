// Package series keeps per-series state in a table that is bounded, sharded
// and expiring.
//
// A table never holds more than MaxSeries values. When a new series does not
// fit because all others are live, its items are served from the state of a
// parent series, see [Key.Parent], and counted as overflow. Values lie in
// slabs: a series costs no allocation of its own apart from its key, and a
// look-up of a known series costs none at all. A batch of items is best looked up
// by [Table.Visit], which does not wait for the memory of each in turn.
//
// Time is the event time that the caller passes in; there is no clock and no
// goroutine in this package.
package series

import (
	"errors"
	"fmt"
	"hash/maphash"
	"math/bits"
	"sync/atomic"
	"time"
)

// Defaults of [Options].
const (
	DefaultMaxSeries   = 50_000
	DefaultIdleTimeout = 24 * time.Hour
	DefaultLiveFor     = 10 * time.Minute
)

// Reason says why a series left the table.
type Reason uint8

// Reasons.
const (
	// Evicted: the space was needed for another series.
	Evicted Reason = iota
	// Expired: idle for longer than IdleTimeout.
	Expired
)

// Options of a [Table]. The zero value is valid.
type Options[V any] struct {
	// MaxSeries is the most series held, parents included. Default 50 000.
	MaxSeries int
	// Shards is the number of independently locked parts, a power of two.
	// Default: 64, or fewer when MaxSeries is so small that a part would hold
	// less than 64 series.
	Shards int
	// IdleTimeout is the event time without an item after which Sweep removes
	// a series. Default 24 h; negative: never.
	IdleTimeout time.Duration
	// LiveFor is the event time after its last item during which a series is
	// live: it is not evicted in favour of a new ordinary series. Default
	// 10 min; negative: never live, the least recently used series is evicted.
	// The order of use is kept to within LiveFor/64.
	LiveFor time.Duration
	// Init prepares the zeroed value of a new series. May be nil.
	Init func(v *V)
	// Fetch reads a word of each cache line of v that the next item will need,
	// and returns anything made of them, see [Table.Visit]. May be nil.
	Fetch func(v *V) uint64
	// OnEvict is told of each series that leaves, while its shard is locked:
	// it must be quick, must not keep v and must not call the table. May be nil.
	OnEvict func(k Key, v *V, why Reason)
}

// Validate reports every option that cannot be used.
func (o Options[V]) Validate() error {
	var errs []error
	if o.MaxSeries < 0 {
		errs = append(errs, fmt.Errorf("max_series must be >= 1 or 0 (default), got %d", o.MaxSeries))
	}
	if o.Shards < 0 || o.Shards&(o.Shards-1) != 0 || o.Shards > 1<<12 {
		errs = append(errs, fmt.Errorf("shards must be a power of two up to 4096 or 0 (default), got %d", o.Shards))
	}
	return errors.Join(errs...)
}

// Stats are the counters of a table since it was made.
type Stats struct {
	// Series is the number of series held now.
	Series int64
	// Created, Evicted and Expired count series.
	Created, Evicted, Expired uint64
	// Overflow counts items that were served by a parent series.
	Overflow uint64
}

type counters struct {
	series                              atomic.Int64
	created, evicted, expired, overflow atomic.Uint64
}

// Table maps keys to values of type V. Safe for concurrent use.
type Table[V any] struct {
	seed   maphash.Seed
	shift  uint
	shards []shard[V]
	sweep  atomic.Uint32
	count  counters
}

// NewTable makes a table.
func NewTable[V any](o Options[V]) (*Table[V], error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	if o.MaxSeries == 0 {
		o.MaxSeries = DefaultMaxSeries
	}
	if o.IdleTimeout == 0 {
		o.IdleTimeout = DefaultIdleTimeout
	}
	if o.LiveFor == 0 {
		o.LiveFor = DefaultLiveFor
	}
	n := o.Shards
	if n == 0 {
		n = 64
		for n > 1 && o.MaxSeries/n < 64 {
			n /= 2
		}
	}
	for n > o.MaxSeries {
		n /= 2
	}
	t := &Table[V]{seed: maphash.MakeSeed(), shards: make([]shard[V], n)}
	t.shift = uint(64 - bits.TrailingZeros(uint(n)))
	for i := range t.shards {
		size := o.MaxSeries / n
		if i < o.MaxSeries%n {
			size++
		}
		t.shards[i].init(size, n, &o, &t.count)
	}
	return t, nil
}

// hash mixes the hashes of the parts. The order of parts matters, so that
// ("a", "b") and ("b", "a") differ.
func (t *Table[V]) hash(k *Key) uint64 {
	h := maphash.String(t.seed, k.Service)
	h = bits.RotateLeft64(h, 23)*0x9e3779b97f4a7c15 + maphash.String(t.seed, k.Model)
	h = bits.RotateLeft64(h, 23)*0x9e3779b97f4a7c15 + maphash.String(t.seed, k.Metric)
	h ^= h >> 32
	return h * 0xd6e8feb86659fd93
}

func (t *Table[V]) shard(h uint64) *shard[V] { return &t.shards[t.place(h)] }

func (t *Table[V]) place(h uint64) uint64 {
	return (h >> (t.shift & 63)) & uint64(len(t.shards)-1)
}

// Ref is a locked value. It must be released, and not used afterwards.
type Ref[V any] struct {
	// Value is the state of the series, nil when !ok.
	Value *V
	// Key is the key under which Value is kept: the one asked for, or its
	// parent. It stays valid after Release.
	Key Key
	// Created is set when the value is new.
	Created bool
	// Overflow is set when Value belongs to the parent of the key asked for.
	Overflow bool

	shard *shard[V]
}

// Release unlocks the value.
func (r *Ref[V]) Release() {
	r.Value = nil
	r.shard.mu.Unlock()
}

// Acquire returns the locked value of k, at event time now (unix ns), and
// creates it when needed. The strings of k may alias a buffer: they are
// cloned when they are kept. The caller must release the Ref soon, and must
// not call the table before.
func (t *Table[V]) Acquire(k Key, now int64) Ref[V] {
	h := t.hash(&k)
	s := t.shard(h)
	s.mu.Lock()
	if e, created := s.get(h, &k, now, false); e != nil {
		return Ref[V]{Value: &e.value, Key: e.key.unpack(), Created: created, shard: s}
	}
	s.mu.Unlock()
	t.count.overflow.Add(1)
	k = k.Parent()
	h = t.hash(&k)
	s = t.shard(h)
	s.mu.Lock()
	e, created := s.get(h, &k, now, true)
	return Ref[V]{Value: &e.value, Key: e.key.unpack(), Created: created, Overflow: true, shard: s}
}

// Do calls f with the value of k while it is locked, see [Table.Acquire].
// f must not keep v and must not call the table.
func (t *Table[V]) Do(k Key, now int64, f func(v *V, created, overflow bool)) {
	r := t.Acquire(k, now)
	defer r.Release()
	f(r.Value, r.Created, r.Overflow)
}

// Sweep removes series that have been idle since before now minus
// IdleTimeout, at most budget of them, and returns their number. It locks one
// shard at a time and goes on where the last call stopped.
func (t *Table[V]) Sweep(now int64, budget int) int {
	removed := 0
	for range t.shards {
		if removed >= budget {
			break
		}
		i := int(t.sweep.Load()) & (len(t.shards) - 1)
		n := t.shards[i].expire(now, budget-removed)
		removed += n
		if removed < budget {
			t.sweep.Add(1)
		}
	}
	return removed
}

// Range calls f for every series, with the event time of its latest item,
// until f returns false. Within a shard the least recently used series come
// first (to within LiveFor/64), so that feeding them to Acquire in this order
// restores the order of eviction. One shard is locked at a time: f sees each series in a consistent
// state, but not all at one instant. f must not keep v, block or call the
// table.
func (t *Table[V]) Range(f func(k Key, last int64, v *V) bool) {
	for i := range t.shards {
		if !t.shards[i].each(f) {
			return
		}
	}
}

// Len returns the number of series.
func (t *Table[V]) Len() int { return int(t.count.series.Load()) }

// Stats returns the counters.
func (t *Table[V]) Stats() Stats {
	return Stats{
		Series:   t.count.series.Load(),
		Created:  t.count.created.Load(),
		Evicted:  t.count.evicted.Load(),
		Expired:  t.count.expired.Load(),
		Overflow: t.count.overflow.Load(),
	}
}
