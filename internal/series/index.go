package series

// index maps hashes to slots by open addressing with linear probing. Equality
// of keys is checked by the caller: different keys may share a hash.
type index struct {
	cells []cell
	n     int
}

// cell holds a slot plus one, so that the zero cell is empty, and the low half
// of the hash: it places the cell, and spares most look-ups of foreign keys.
type cell struct {
	home uint32
	slot int32
}

func (x *index) start(h uint64) int { return int(h) & (len(x.cells) - 1) }
func (x *index) next(p int) int     { return (p + 1) & (len(x.cells) - 1) }

// at looks at position p. ok is false at the end of the run; slot is none
// when the cell belongs to another hash.
func (x *index) at(p int, h uint64) (slot int32, ok bool) {
	if len(x.cells) == 0 {
		return none, false
	}
	c := x.cells[p]
	if c.slot == 0 {
		return none, false
	}
	if c.home != uint32(h) {
		return none, true
	}
	return c.slot - 1, true
}

// find returns the first slot with the hash, none when there is none.
func (x *index) find(h uint64) int32 {
	for p := x.start(h); ; p = x.next(p) {
		if slot, ok := x.at(p, h); !ok || slot != none {
			return slot
		}
	}
}

// insert adds slot under h.
func (x *index) insert(h uint64, slot int32) {
	if 4*(x.n+1) > 3*len(x.cells) {
		x.grow()
	}
	x.place(cell{home: uint32(h), slot: slot + 1})
	x.n++
}

func (x *index) place(c cell) {
	p := int(c.home) & (len(x.cells) - 1)
	for x.cells[p].slot != 0 {
		p = x.next(p)
	}
	x.cells[p] = c
}

func (x *index) grow() {
	old := x.cells
	x.cells = make([]cell, max(16, 2*len(old)))
	for _, c := range old {
		if c.slot != 0 {
			x.place(c)
		}
	}
}

// remove takes slot out and moves later cells of the run up, so that no run
// has a gap.
func (x *index) remove(h uint64, slot int32) {
	p := x.start(h)
	for x.cells[p].slot != slot+1 {
		p = x.next(p)
	}
	mask := len(x.cells) - 1
	gap := p
	for q := x.next(gap); x.cells[q].slot != 0; q = x.next(q) {
		home := int(x.cells[q].home) & mask
		if (q-home)&mask >= (q-gap)&mask {
			x.cells[gap] = x.cells[q]
			gap = q
		}
	}
	x.cells[gap] = cell{}
	x.n--
}
