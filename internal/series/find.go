package series

// Find returns the locked value of k, when there is one; ok is false when there
// is none, and nothing to release then. It does not count as use of k. The caller
// must release the Ref soon, and must not call the table before.
func (t *Table[V]) Find(k Key) (r Ref[V], ok bool) {
	h := t.hash(&k)
	s := t.shard(h)
	s.mu.Lock()
	slot := s.find(h, &k)
	if slot == none {
		s.mu.Unlock()
		return r, false
	}
	e := s.at(slot)
	return Ref[V]{Value: &e.value, Key: e.key.unpack(), shard: s}, true
}
