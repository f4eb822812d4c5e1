package sanitizeprocessor

import "sync"

// partKey identifies a part of a text: a keyed hash and the length. The hash
// has a random seed, so that nobody can make a text that collides with another;
// by chance two of 8192 parts do with a probability of about 2e-12.
type partKey struct {
	hash   uint64
	length uint32
	scope  uint32
}

// lru remembers results for the parts that were used last. It is safe for
// concurrent use. Capacity and bytes are fixed; a nil lru remembers nothing.
type lru[V any] struct {
	mu       sync.Mutex
	index    map[partKey]int32
	slots    []slot[V]
	first    int32 // used last
	last     int32
	free     int32 // chained by next
	maxSlots int
	bytes    int
	maxBytes int
	size     func(V) int
}

type slot[V any] struct {
	key        partKey
	value      V
	prev, next int32
}

const noSlot = -1

// newLRU returns a cache of that many entries, nil for 0. size is the memory that
// a value holds outside of the slot.
func newLRU[V any](entries, maxBytes int, size func(V) int) *lru[V] {
	if entries == 0 {
		return nil
	}
	return &lru[V]{index: map[partKey]int32{}, first: noSlot, last: noSlot, free: noSlot, maxSlots: entries, maxBytes: maxBytes, size: size}
}

func (c *lru[V]) get(k partKey) (v V, ok bool) {
	if c == nil {
		return v, false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	i, ok := c.index[k]
	if !ok {
		return v, false
	}
	c.unlink(i)
	c.push(i)
	return c.slots[i].value, true
}

// put remembers v unless it alone is larger than the bytes allowed.
func (c *lru[V]) put(k partKey, v V) {
	if c == nil {
		return
	}
	n := c.size(v)
	if n > c.maxBytes {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if i, ok := c.index[k]; ok {
		c.bytes += n - c.size(c.slots[i].value)
		c.slots[i].value = v
		c.shrink()
		return
	}
	if len(c.index) == c.maxSlots {
		c.forget(c.last)
	}
	i := c.free
	if i == noSlot {
		i = int32(len(c.slots))
		c.slots = append(c.slots, slot[V]{})
	} else {
		c.free = c.slots[i].next
	}
	c.slots[i] = slot[V]{key: k, value: v}
	c.index[k] = i
	c.bytes += n
	c.push(i)
	c.shrink()
}

// shrink forgets what was used longest ago until the bytes fit.
func (c *lru[V]) shrink() {
	for c.bytes > c.maxBytes {
		c.forget(c.last)
	}
}

// forget empties slot i and keeps it for the next key.
func (c *lru[V]) forget(i int32) {
	c.unlink(i)
	delete(c.index, c.slots[i].key)
	c.bytes -= c.size(c.slots[i].value)
	c.slots[i] = slot[V]{next: c.free}
	c.free = i
}

func (c *lru[V]) unlink(i int32) {
	s := &c.slots[i]
	if s.prev == noSlot {
		c.first = s.next
	} else {
		c.slots[s.prev].next = s.next
	}
	if s.next == noSlot {
		c.last = s.prev
	} else {
		c.slots[s.next].prev = s.prev
	}
}

func (c *lru[V]) push(i int32) {
	c.slots[i].prev, c.slots[i].next = noSlot, c.first
	if c.first == noSlot {
		c.last = i
	} else {
		c.slots[c.first].prev = i
	}
	c.first = i
}

func (c *lru[V]) len() int {
	if c == nil {
		return 0
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.index)
}
