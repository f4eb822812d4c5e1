package series

// Batch is scratch memory for [Table.Visit]. The zero value is ready. It is used
// by one goroutine at a time.
type Batch struct {
	hash []uint64
	slot []int32
	// first is the first item of each shard, plus one; next the one that
	// follows it in the same shard.
	first, next []int32
	// late are the items whose series did not fit.
	late []int32
	// sink keeps what is read only to have it in the cache.
	sink uint64
}

// Visit calls f with the locked value of each key, at event time now (unix ns)
// of the same index, see [Table.Do]. Items of one series come in their order,
// others in any.
//
// With very many series nothing of a series is in the cache when its turn
// comes. The items of a shard are therefore looked up together, and what they
// need is fetched together, rather than one wait after the other; a shard is
// locked once for all of them. f must not keep v and must not call the table.
func (t *Table[V]) Visit(b *Batch, keys []Key, now []int64, f func(i int, v *V, created, overflow bool)) {
	b.sort(len(keys), len(t.shards))
	for i := len(keys) - 1; i >= 0; i-- {
		h := t.hash(&keys[i])
		b.hash[i] = h
		first := &b.first[t.place(h)]
		b.next[i], *first = *first, int32(i)+1
	}
	for i, first := range b.first {
		if first == 0 {
			continue
		}
		s := &t.shards[i]
		s.mu.Lock()
		s.fetch(b, first)
		for j := first; j != 0; j = b.next[j-1] {
			i := int(j) - 1
			e, created := s.get(b.hash[i], &keys[i], now[i], false)
			if e == nil {
				b.late = append(b.late, int32(i))
				continue
			}
			f(i, &e.value, created, false)
		}
		s.mu.Unlock()
	}
	for _, i := range b.late {
		r := t.Acquire(keys[i], now[i])
		f(int(i), r.Value, r.Created, r.Overflow)
		r.Release()
	}
}

// sort makes room for n items in so many shards.
func (b *Batch) sort(n, shards int) {
	if cap(b.hash) < n {
		b.hash, b.slot, b.next = make([]uint64, n), make([]int32, n), make([]int32, n)
	}
	b.hash, b.slot, b.next, b.late = b.hash[:n], b.slot[:n], b.next[:n], b.late[:0]
	if len(b.first) != shards {
		b.first = make([]int32, shards)
	}
	clear(b.first)
}

// fetch reads a word of each cache line that the items from first on need. No
// read of a pass waits for another one of it.
func (s *shard[V]) fetch(b *Batch, first int32) {
	if b.next[first-1] == 0 || s.used < s.many {
		return // the only one, or all of them are in the cache anyway
	}
	sum := b.sink
	for j := first; j != 0; j = b.next[j-1] {
		sum += uint64(s.index.cells[s.index.start(b.hash[j-1])].home)
	}
	for j := first; j != 0; j = b.next[j-1] {
		slot := s.index.find(b.hash[j-1])
		b.slot[j-1] = slot
		if slot != none {
			e := s.at(slot)
			sum += uint64(e.hash) + uint64(e.key.service)
			if s.opts.Fetch != nil {
				sum += s.opts.Fetch(&e.value)
			}
		}
	}
	for j := first; j != 0; j = b.next[j-1] {
		if slot := b.slot[j-1]; slot != none {
			if text := s.at(slot).key.text; text != "" {
				sum += uint64(text[0])
			}
		}
	}
	b.sink = sum
}
