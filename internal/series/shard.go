package series

import (
	"math/bits"
	"sync"
	"unsafe"
)

const (
	// slabBits is the number of bits of a slot that say where in its slab it
	// is; the others number the slab.
	slabBits = 6
	// A slab has minSlab to maxSlab entries that are allocated together, see
	// slabSize.
	minSlab, maxSlab = 32, 1 << slabBits
	none             = int32(-1)
	// cacheSize is about what the cache of a core holds.
	cacheSize = 1 << 20
)

// slabSize is the number of entries of a size, in bytes, whose slab loses least
// to the page size of the allocator.
func slabSize(entry uintptr) int {
	const page = 8192
	best, least := minSlab, float64(page)
	for n := minSlab; n <= maxSlab; n++ {
		rest := -(uintptr(n) * entry) % page
		if lost := float64(rest) / float64(n); lost < least {
			best, least = n, lost
		}
	}
	return best
}

// entry is one series. Entries never move, so that a *V stays valid while its
// shard is locked.
type entry[V any] struct {
	key        packed
	last       int64  // event time of the latest item, unix ns
	moved      uint32 // last when the entry was moved to the front of the list, see shard.grain
	hash       uint32 // the low half, which is what the index asks for
	prev, next int32  // LRU list: prev is more recent
	value      V
}

// shard is a part of a table with its own lock, LRU list and index.
type shard[V any] struct {
	mu    sync.Mutex
	opts  *Options[V]
	count *counters

	// grain is the binary logarithm of the event time that an entry stays where
	// it is in the LRU list: moving it at each item would cost more memory
	// accesses than the look-up. Negative: it is moved each time.
	grain int
	// slab is the number of entries of a slab.
	slab int
	// many is the number of entries from which on they are taken not to be in
	// the cache of a core, those of the other shards included.
	many int

	limit   int // entries at most
	common  int // entries that ordinary series may use; the rest is for parents
	parents int // parent entries held
	used    int // entries held

	slabs  [][]entry[V]
	free   int32 // list of free slots, linked by next
	newest int32
	oldest int32
	index  index

	_ [64]byte // keeps the locks of neighbours on different cache lines
}

func (s *shard[V]) init(limit, shards int, o *Options[V], c *counters) {
	s.opts, s.count = o, c
	s.limit = limit
	s.grain = bits.Len64(uint64(max(0, o.LiveFor))/64) - 1
	s.slab = slabSize(unsafe.Sizeof(entry[V]{}))
	s.many = max(1, cacheSize/int(unsafe.Sizeof(entry[V]{}))/shards)
	s.common = limit - max(limit/16, min(1, limit-1))
	s.free, s.newest, s.oldest = none, none, none
}

func (s *shard[V]) at(i int32) *entry[V] { return &s.slabs[i>>slabBits][i&(maxSlab-1)] }

// find returns the slot of k, none when there is none.
func (s *shard[V]) find(h uint64, k *Key) int32 {
	for p := s.index.start(h); ; p = s.index.next(p) {
		slot, ok := s.index.at(p, h)
		if !ok || slot != none && s.at(slot).key.is(k) {
			return slot
		}
	}
}

// get finds or creates the entry of k. It returns nil when k is not a parent
// and no place can be made for it.
func (s *shard[V]) get(h uint64, k *Key, now int64, parent bool) (e *entry[V], created bool) {
	slot := s.find(h, k)
	if slot != none {
		e := s.at(slot)
		e.last = max(e.last, now)
		if moved := s.move(e.last); moved != e.moved || s.grain < 0 {
			e.moved = moved
			s.touch(slot)
		}
		return e, false
	}
	if !s.makeRoom(now, parent) {
		return nil, false
	}
	slot = s.take()
	e = s.at(slot)
	e.key = pack(k, parent)
	e.hash, e.last, e.moved = uint32(h), now, s.move(now)
	if s.opts.Init != nil {
		s.opts.Init(&e.value)
	}
	s.pushNewest(slot)
	s.index.insert(h, slot)
	s.used++
	if parent {
		s.parents++
	}
	s.count.series.Add(1)
	s.count.created.Add(1)
	return e, true
}

// move is the time of a move to the front, in grains.
func (s *shard[V]) move(at int64) uint32 { return uint32(at >> max(0, s.grain)) }

// makeRoom sees to it that one more entry fits.
func (s *shard[V]) makeRoom(now int64, parent bool) bool {
	if parent {
		if s.used >= s.limit {
			s.remove(s.oldest, Evicted)
		}
		return true
	}
	if s.used < s.limit && s.used-s.parents < s.common {
		return true
	}
	if s.oldest == none {
		return false
	}
	e := s.at(s.oldest)
	switch idle := now - e.last; {
	case s.opts.IdleTimeout > 0 && idle > int64(s.opts.IdleTimeout):
		s.remove(s.oldest, Expired)
	case s.opts.LiveFor < 0 || idle > int64(s.opts.LiveFor):
		s.remove(s.oldest, Evicted)
	default:
		return false
	}
	return true
}

func (s *shard[V]) expire(now int64, budget int) (removed int) {
	if s.opts.IdleTimeout < 0 {
		return 0
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for removed < budget && s.oldest != none && now-s.at(s.oldest).last > int64(s.opts.IdleTimeout) {
		s.remove(s.oldest, Expired)
		removed++
	}
	return removed
}

func (s *shard[V]) each(f func(k Key, last int64, v *V) bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := s.oldest; i != none; {
		e := s.at(i)
		i = e.prev
		if !f(e.key.unpack(), e.last, &e.value) {
			return false
		}
	}
	return true
}

// remove takes slot out and puts it on the free list, zeroed so that it keeps
// nothing alive.
func (s *shard[V]) remove(slot int32, why Reason) {
	e := s.at(slot)
	if s.opts.OnEvict != nil {
		s.opts.OnEvict(e.key.unpack(), &e.value, why)
	}
	s.unlink(slot)
	s.index.remove(uint64(e.hash), slot)
	s.used--
	if e.key.parent() {
		s.parents--
	}
	*e = entry[V]{next: s.free}
	s.free = slot
	s.count.series.Add(-1)
	if why == Expired {
		s.count.expired.Add(1)
	} else {
		s.count.evicted.Add(1)
	}
}

// take returns a zeroed slot.
func (s *shard[V]) take() int32 {
	if s.free == none {
		base := int32(len(s.slabs) << slabBits)
		slab := make([]entry[V], min(s.slab, s.limit-len(s.slabs)*s.slab))
		s.slabs = append(s.slabs, slab)
		for i := len(slab) - 1; i >= 0; i-- {
			slab[i].next = s.free
			s.free = base + int32(i)
		}
	}
	slot := s.free
	s.free = s.at(slot).next
	return slot
}

func (s *shard[V]) touch(slot int32) {
	if slot == s.newest {
		return
	}
	s.unlink(slot)
	s.pushNewest(slot)
}

func (s *shard[V]) pushNewest(slot int32) {
	e := s.at(slot)
	e.prev, e.next = none, s.newest
	if s.newest != none {
		s.at(s.newest).prev = slot
	} else {
		s.oldest = slot
	}
	s.newest = slot
}

func (s *shard[V]) unlink(slot int32) {
	e := s.at(slot)
	if e.prev != none {
		s.at(e.prev).next = e.next
	} else {
		s.newest = e.next
	}
	if e.next != none {
		s.at(e.next).prev = e.prev
	} else {
		s.oldest = e.prev
	}
}
