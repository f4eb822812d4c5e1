package series

// Find returns the locked value of k, when there is one; ok is false when there
// is none, and nothing to release then. It does not count as use of k. The caller
// must release the Ref soon, and must not call the table before.
func (t *Table[V]) Find(k Key) (r Ref[V], ok bool) {
	h := t.hash(&k)
	s := t.shard(h)
	s.mu.Lock()
	for p := s.index.start(h); ; p = s.index.next(p) {
		slot, ok := s.index.at(p, h)
		if !ok {
			break
		}
		if slot == none {
			continue
		}
		if e := s.at(slot); e.key.is(&k) {
			return Ref[V]{Value: &e.value, Key: e.key.unpack(), shard: s}, true
		}
	}
	s.mu.Unlock()
	return r, false
}
