package ledger

import "hash/maphash"

// key identifies a span.
type key struct {
	trace [16]byte
	span  [8]byte
}

type flag uint32

const (
	// What is known of the item itself.
	isSeen flag = 1 << iota
	isCall
	isTool
	isFailed
	isEstimated
	hasUsage
	// Marks of what is below it.
	callBelow
	usageBelow
	// estimateBelow: counts below it, but only estimates; severalBelow: of more than one call.
	estimateBelow
	severalBelow
	// What it adds to the totals.
	addsCall
	addsFailed
	addsUsage
	// elsewhere: what it tells of was counted by an item that is forgotten.
	elsewhere
	// What was passed on.
	isDecided
	isPassed
	passedUsage
	inResponses
)

const marks = callBelow | usageBelow | estimateBelow | severalBelow

// node is what is remembered of a span, or of a span that is yet to come.
type node struct {
	key    key
	parent [8]byte
	id     [16]byte
	// call and estimate are the spans below it that set the marks.
	call, estimate [8]byte
	flags          flag
	sources        [sources]bool
	reason         [sources]Reason
	of             [sources][16]byte
	touched        int64
	batch          uint64
	usage          Usage
	context        Context
	total          *Total
	// links of the lists, 1-based positions.
	next, prev, chain, response int32
	list                        uint8
}

func (n *node) has(f flag) bool { return n.flags&f == f }

// Lists of nodes, each with a limit of its own, so that spans that have nothing
// to do with calls do not push calls out.
const (
	listCalls = iota
	listOthers
	lists
)

const chunk = 512

// arena holds all nodes, found by key and by response id.
type arena struct {
	seed maphash.Seed
	// window in nanoseconds.
	window int64
	chunks [][]node
	used   int32
	free   int32
	heads  []int32
	byResp []int32
	lists  [lists]struct {
		first, last int32
		size, limit int
	}
	evicted int64
}

func newArena(calls, others int, window int64) *arena {
	size := 16
	for size < calls+others {
		size *= 2
	}
	a := &arena{seed: maphash.MakeSeed(), window: window, heads: make([]int32, size), byResp: make([]int32, size)}
	a.lists[listCalls].limit, a.lists[listOthers].limit = calls, others
	return a
}

// at is the node at a 1-based position.
func (a *arena) at(i int32) *node { return &a.chunks[(i-1)/chunk][(i-1)%chunk] }

func (a *arena) bucket(k *key) *int32 {
	return &a.heads[maphash.Comparable(a.seed, *k)&uint64(len(a.heads)-1)]
}

func (a *arena) responses(id string) *int32 {
	return &a.byResp[maphash.String(a.seed, id)&uint64(len(a.byResp)-1)]
}

// find is the node of a key, or nil.
func (a *arena) find(k *key, now int64) *node {
	for i := *a.bucket(k); i != 0; {
		n := a.at(i)
		if n.key == *k {
			if now-n.touched > a.window {
				a.remove(i)
				return nil
			}
			return n
		}
		i = n.chain
	}
	return nil
}

// add makes a node for a key that has none.
func (a *arena) add(k *key, list uint8, now int64) *node {
	l := &a.lists[list]
	if l.size >= l.limit {
		a.remove(l.last)
	}
	i := a.free
	if i != 0 {
		a.free = a.at(i).chain
	} else {
		if int(a.used)%chunk == 0 {
			a.chunks = append(a.chunks, make([]node, chunk))
		}
		a.used++
		i = a.used
	}
	n := a.at(i)
	*n = node{key: *k, touched: now, list: list}
	b := a.bucket(k)
	n.chain, *b = *b, i
	a.link(i, n)
	return n
}

// touch makes n the most recently used of the list.
func (a *arena) touch(n *node, list uint8, now int64) {
	n.touched = now
	i := a.position(n)
	if n.list == list && a.lists[list].first == i {
		return
	}
	a.unlink(n)
	if l := &a.lists[list]; l.size >= l.limit {
		a.remove(l.last)
	}
	n.list = list
	a.link(i, n)
}

// position is where n is: its bucket leads to it.
func (a *arena) position(n *node) int32 {
	for i := *a.bucket(&n.key); i != 0; {
		m := a.at(i)
		if m == n {
			return i
		}
		i = m.chain
	}
	return 0
}

func (a *arena) link(i int32, n *node) {
	l := &a.lists[n.list]
	n.prev, n.next = 0, l.first
	if l.first != 0 {
		a.at(l.first).prev = i
	} else {
		l.last = i
	}
	l.first = i
	l.size++
}

func (a *arena) unlink(n *node) {
	l := &a.lists[n.list]
	if n.prev != 0 {
		a.at(n.prev).next = n.next
	} else {
		l.first = n.next
	}
	if n.next != 0 {
		a.at(n.next).prev = n.prev
	} else {
		l.last = n.prev
	}
	l.size--
}

// remove forgets a node. What it added to the totals stays.
func (a *arena) remove(i int32) {
	n := a.at(i)
	a.unlink(n)
	for p := a.bucket(&n.key); *p != 0; p = &a.at(*p).chain {
		if *p == i {
			*p = n.chain
			break
		}
	}
	if n.has(inResponses) {
		id := n.context.ResponseID
		for p := a.responses(id); *p != 0; p = &a.at(*p).response {
			if *p == i {
				*p = n.response
				break
			}
		}
		if n.flags&(addsCall|addsUsage) != 0 {
			for j := *a.responses(id); j != 0; j = a.at(j).response {
				if m := a.at(j); m.context.ResponseID == id {
					m.flags |= elsewhere
				}
			}
		}
	}
	*n = node{chain: a.free} // strings are let go
	a.free = i
	a.evicted++
}

// expire forgets a few nodes that are older than the window.
func (a *arena) expire(now int64) {
	for l := range a.lists {
		for range 2 {
			last := a.lists[l].last
			if last == 0 || now-a.at(last).touched <= a.window {
				break
			}
			a.remove(last)
		}
	}
}
