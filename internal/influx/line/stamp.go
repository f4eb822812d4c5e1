package line

import (
	"encoding/binary"
	"math/bits"
	"sync"

	"github.com/google/uuid"
)

const (
	// slots is the number of points of one series that fit into a microsecond.
	slots = 1000
	// maxHops bounds the search for a free place: so many microseconds, and so
	// many thousand points of equal tags and time, are tried.
	maxHops = 32
	// stamperPoints is the number of points that one generation remembers.
	stamperPoints = 1 << 15
)

// stamper gives every point a timestamp of its own within its series, because
// InfluxDB keeps only the last of two points with equal tags and time.
//
// A point keeps its microsecond; the nanoseconds below it follow from its id.
// So a point that is sent again overwrites itself, also after a restart. Two
// ids of one series and microsecond that want the same nanosecond are told
// apart by a memory of recent points: the later one takes the next free
// nanosecond, or that of a following microsecond when a thousand points share
// one. The memory is bounded by two generations of [stamperPoints]. It is safe
// for concurrent use.
type stamper struct {
	mu struct {
		sync.Mutex
		current, previous generation
	}
}

type generation struct {
	single map[place]uuid.UUID
	crowd  map[place]*crowd
	points int
}

// place is a microsecond of a series. Two series with equal hashes only make
// each other's points step aside.
type place struct {
	series uint64
	micro  int64
}

// crowd is a place with more than one point.
type crowd struct {
	slot map[uuid.UUID]uint16
	used [(slots + 63) / 64]uint64
}

func newGeneration() generation {
	return generation{single: map[place]uuid.UUID{}, crowd: map[place]*crowd{}}
}

func newStamper() *stamper {
	s := &stamper{}
	s.mu.current, s.mu.previous = newGeneration(), newGeneration()
	return s
}

// wanted is the slot that an id asks for.
func wanted(id uuid.UUID) uint16 {
	return uint16(binary.BigEndian.Uint64(id[:8]) % slots)
}

// stamp returns the timestamp, in unix nanoseconds, of the point id of a series
// whose event time is nanos. It fails when there is no place left.
func (s *stamper) stamp(series uint64, nanos int64, id uuid.UUID) (int64, bool) {
	micro := nanos / slots
	if nanos < 0 && nanos%slots != 0 {
		micro--
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.current.points >= stamperPoints {
		s.mu.previous, s.mu.current = s.mu.current, newGeneration()
	}
	for hop := range int64(maxHops) {
		p := place{series: series, micro: micro + hop}
		if slot, ok := s.take(p, id); ok {
			return p.micro*slots + int64(slot), true
		}
	}
	return 0, false
}

// take finds or makes room for id at p. Lock held on entry.
func (s *stamper) take(p place, id uuid.UUID) (uint16, bool) {
	s.recall(p)
	now := &s.mu.current
	if c, ok := now.crowd[p]; ok {
		return now.join(c, id)
	}
	owner, ok := now.single[p]
	if !ok {
		now.single[p] = id
		now.points++
		return wanted(id), true
	}
	if owner == id {
		return wanted(id), true
	}
	c := &crowd{slot: map[uuid.UUID]uint16{}}
	delete(now.single, p)
	now.crowd[p] = c
	c.add(owner)
	return now.join(c, id)
}

// recall moves what the old generation knows about p into the present one, so
// that a place is described in one generation only. Lock held on entry.
func (s *stamper) recall(p place) {
	old, now := &s.mu.previous, &s.mu.current
	if c, ok := old.crowd[p]; ok {
		delete(old.crowd, p)
		now.crowd[p] = c
		now.points += len(c.slot)
	} else if owner, ok := old.single[p]; ok {
		delete(old.single, p)
		now.single[p] = owner
		now.points++
	}
}

func (g *generation) join(c *crowd, id uuid.UUID) (uint16, bool) {
	if slot, ok := c.slot[id]; ok {
		return slot, true
	}
	slot, ok := c.add(id)
	if ok {
		g.points++
	}
	return slot, ok
}

// add gives id the first free slot from the wanted one on, in a circle.
func (c *crowd) add(id uuid.UUID) (uint16, bool) {
	if len(c.slot) >= slots {
		return 0, false
	}
	slot := c.free(wanted(id))
	c.used[slot/64] |= 1 << (slot % 64)
	c.slot[id] = slot
	return slot, true
}

// free finds the first free slot from the given one on. There is one.
func (c *crowd) free(from uint16) uint16 {
	for word, mask := int(from/64), ^uint64(0)<<(from%64); ; mask = ^uint64(0) {
		if open := ^c.used[word] & mask; open != 0 {
			if slot := word*64 + bits.TrailingZeros64(open); slot < slots {
				return uint16(slot)
			}
		}
		word = (word + 1) % len(c.used)
	}
}
