package ledger

// maxWrappers is how many spans around one call are looked at for what they know of it.
const maxWrappers = 8

// decide says what an item is to be taken for. Wrappers have their turn last.
func (l *Ledger) decide(e *Entry, d *Decision, now int64, wrappers bool) {
	k, _ := keyOf(e)
	n := l.arena.find(&k, now)
	if n == nil {
		return // pushed out by the rest of a huge batch
	}
	if n.has(callBelow) != wrappers {
		return
	}
	if d.Redelivered {
		d.Duplicate, d.Of = n.reason[e.Source], n.of[e.Source]
		return
	}
	usage := e.Usage.Known() && !e.NoUsage
	d.Duplicate, d.Of = l.judge(n, e, usage, now)
	n.reason[e.Source], n.of[e.Source] = d.Duplicate, d.Of
	n.flags |= isDecided
	if d.Duplicate != Counted {
		return
	}
	n.flags |= isPassed
	if usage {
		n.flags |= passedUsage
	}
	l.merge(n, e, d, now)
}

// judge is why an item is not a call of its own, and which item is.
func (l *Ledger) judge(n *node, e *Entry, usage bool, now int64) (Reason, [16]byte) {
	// Whoever went by as this call must have had the counts, or this one goes by
	// as a call too: a call too many does less harm than tokens that are lost.
	stands := func(m *node) bool { return m.has(isPassed) && (!usage || m.has(passedUsage)) }

	if n.has(isPassed) { // the other of a span and its log record
		if stands(n) {
			if e.Source == EventOfSpan {
				return LogOfSpan, n.id
			}
			return SpanOfLog, n.id
		}
		return Counted, n.id
	}
	if n.has(callBelow) {
		leaf := l.arena.find(&key{n.key.trace, n.call}, now)
		for range maxWrappers {
			if leaf == nil || !leaf.has(callBelow) {
				break
			}
			leaf = l.arena.find(&key{n.key.trace, leaf.call}, now)
		}
		of := n.id
		if leaf != nil {
			of = leaf.id
		}
		if n.has(addsUsage) && (leaf == nil || !leaf.has(passedUsage)) {
			return Counted, of // its counts are found nowhere else
		}
		return Wrapper, of
	}
	for _, m := range l.group(n)[1:] {
		if n.has(elsewhere) && m.has(isDecided) {
			return SameResponse, m.of[Span]
		}
		if stands(m) {
			return SameResponse, m.id
		}
		// A span above m went by in its place.
		if m.reason[Span] == LateChild && (!usage || m.has(hasUsage)) {
			return SameResponse, m.of[Span]
		}
		// The better one of the same batch goes by, and takes the counts along.
		if m.has(addsCall) && m.batch == l.batch && !m.has(isDecided) {
			return SameResponse, m.id
		}
	}
	if p := l.above(n, now, isPassed); p != nil && p.batch != l.batch && stands(p) {
		return LateChild, p.id
	}
	return Counted, n.id
}

// above is the nearest span above n that is a call and has f, or nil.
func (l *Ledger) above(n *node, now int64, f flag) *node {
	child := n
	for range maxDepth {
		if child.has(isTool) || child.parent == [8]byte{} {
			return nil
		}
		p := l.arena.find(&key{n.key.trace, child.parent}, now)
		if p == nil || !p.has(isSeen) {
			return nil
		}
		if p.has(isCall | f) {
			return p
		}
		child = p
	}
	return nil
}

// merge gives the item that goes by as the call what others know of it.
func (l *Ledger) merge(n *node, e *Entry, d *Decision, now int64) {
	known := e.Context
	give := func(m *node) {
		if m == n {
			return
		}
		missing := known.lacks(&m.context)
		d.Context.fill(&missing)
		known.fill(&m.context)
		if !n.has(passedUsage) && m.has(addsUsage) && !m.has(passedUsage) {
			d.Usage = m.usage
			n.flags |= passedUsage
			m.flags |= passedUsage
		}
	}
	for _, m := range l.group(n) {
		give(m)
	}
	if n.parent == [8]byte{} {
		return
	}
	p := n
	for range maxWrappers {
		if p = l.above(p, now, isCall); p == nil {
			return
		}
		give(p)
	}
}
