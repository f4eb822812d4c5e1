package genai

// index maps a fixed set of strings to small numbers. It beats a map because
// most lookups are misses: the length and the first byte refuse nearly all
// of them, and the rest is hashed over the last sixteen bytes only, which is
// where attribute names differ.
//
// Not safe for change while in use; lookups are safe from any goroutine.
type index struct {
	// filter has, for a length, one bit for each first byte modulo 64, and middle
	// one for each byte in the middle.
	filter, middle [maxKey + 1]uint64
	// slots is an open addressing table of 1-based positions in entries; its
	// size is a power of two and at least four times the number of entries.
	slots   []uint16
	shift   uint
	entries []indexEntry
}

type indexEntry struct {
	key   string
	value int
	// words are the first and the last sixteen bytes of a key of middling length,
	// which make it up: they are compared faster than a string is.
	words [4]uint64
}

// middling are the lengths of most keys.
func middling(n int) bool { return n >= 16 && n <= 32 }

// maxKey is the longest key that an index can hold.
const maxKey = 127

// add registers a key. Adding a key twice keeps its first value.
func (x *index) add(key string, value int) {
	for _, e := range x.entries {
		if e.key == key {
			return
		}
	}
	e := indexEntry{key: key, value: value}
	if n := len(key); middling(n) {
		e.words = [4]uint64{load64(key, n-8), load64(key, n-16), load64(key, 0), load64(key, 8)}
	}
	x.entries = append(x.entries, e)
}

// build makes the index ready for find.
func (x *index) build() {
	size := 16
	x.shift = 64 - 4
	for size < 8*len(x.entries) {
		size *= 2
		x.shift--
	}
	x.slots = make([]uint16, size)
	for i, e := range x.entries {
		x.filter[len(e.key)] |= 1 << (e.key[0] & 63)
		x.middle[len(e.key)] |= 1 << (e.key[len(e.key)/2] & 63)
		h := hashKey(e.key) >> x.shift
		for x.slots[h] != 0 {
			h = (h + 1) & uint64(size-1)
		}
		x.slots[h] = uint16(i + 1)
	}
}

// allow lets keys that begin with first and have n bytes or more pass maybe, for
// those that are looked at although they are not in the index.
func (x *index) allow(first byte, n int) {
	for i := n; i < len(x.filter); i++ {
		x.filter[i] |= 1 << (first & 63)
	}
}

// find returns the value of a key, or -1.
func (x *index) find(key string) int {
	if !x.maybe(key) {
		return -1
	}
	return x.lookup(key)
}

// maybe is the quick refusal, small enough to be inlined.
func (x *index) maybe(key string) bool {
	n := len(key)
	return n-1 < maxKey && n > 0 && x.filter[n]>>(key[0]&63)&1 != 0
}

// likely refuses most of what passes maybe where keys begin alike.
func (x *index) likely(key string) bool {
	n := len(key)
	return x.middle[n&maxKey]>>(key[n/2]&63)&1 != 0
}

func (x *index) lookup(key string) int {
	n := len(key)
	if !middling(n) {
		return x.lookupAny(key)
	}
	a, b := load64(key, n-8), load64(key, n-16)
	for h := hash(a, b, n) >> x.shift; ; h = (h + 1) & uint64(len(x.slots)-1) {
		i := x.slots[h]
		if i == 0 {
			return -1
		}
		e := &x.entries[i-1]
		if len(e.key) == n && e.words == [4]uint64{a, b, load64(key, 0), load64(key, 8)} {
			return e.value
		}
	}
}

func (x *index) lookupAny(key string) int {
	for h := hashKey(key) >> x.shift; ; h = (h + 1) & uint64(len(x.slots)-1) {
		i := x.slots[h]
		if i == 0 {
			return -1
		}
		if e := &x.entries[i-1]; e.key == key {
			return e.value
		}
	}
}

func hash(a, b uint64, n int) uint64 {
	const m1, m2 = 0x9e3779b97f4a7c15, 0xc2b2ae3d27d4eb4f
	return (a*m1 ^ b ^ uint64(n)) * m2
}

func hashKey(s string) uint64 {
	n := len(s)
	switch {
	case n >= 16:
		return hash(load64(s, n-8), load64(s, n-16), n)
	case n >= 8:
		return hash(load64(s, n-8), load64(s, 0), n)
	default:
		var v uint64
		for i := range n {
			v = v<<8 | uint64(s[i])
		}
		return hash(v, 0, n)
	}
}

func load64(s string, i int) uint64 {
	b := s[i : i+8]
	return uint64(b[0]) | uint64(b[1])<<8 | uint64(b[2])<<16 | uint64(b[3])<<24 |
		uint64(b[4])<<32 | uint64(b[5])<<40 | uint64(b[6])<<48 | uint64(b[7])<<56
}

// value is find for an index that is not built yet.
func (x *index) value(key string) int {
	for _, e := range x.entries {
		if e.key == key {
			return e.value
		}
	}
	return -1
}
