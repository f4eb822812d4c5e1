package ledger

import "bytes"

// countsCall and countsUsage say what an item is good for by itself.
func (n *node) countsCall() bool {
	return n.has(isCall) && n.flags&(callBelow|elsewhere) == 0
}

func (l *Ledger) countsUsage(n *node) bool {
	switch {
	case !n.has(hasUsage), n.flags&(usageBelow|elsewhere) != 0:
		return false
	case n.has(isEstimated):
		return n.flags&estimateBelow == 0 && !l.givesWay(n)
	default:
		return n.flags&severalBelow == 0
	}
}

// before ranks the items of one response: those that know better first, and
// else by their ids, so that the order of arrival does not matter.
func before(n, m *node) bool {
	if a, b := n.has(isEstimated), m.has(isEstimated); a != b {
		return b
	}
	if a, b := n.sources[Log], m.sources[Log]; a != b {
		return b // spans know more than logs
	}
	for t := range TokenTypes {
		if n.usage.tokens[t] != m.usage.tokens[t] {
			return n.usage.tokens[t] > m.usage.tokens[t]
		}
	}
	if d := bytes.Compare(n.key.span[:], m.key.span[:]); d != 0 {
		return d < 0
	}
	return bytes.Compare(n.key.trace[:], m.key.trace[:]) < 0
}

// settle makes the totals follow what is known of n and of the items that have
// its response id.
func (l *Ledger) settle(n *node) {
	if !n.has(isCall) {
		return
	}
	var call, usage *node
	failed := false
	group := l.group(n)
	for _, m := range group {
		if m.countsCall() {
			if call == nil || before(m, call) {
				call = m
			}
			failed = failed || m.has(isFailed)
		}
		if l.countsUsage(m) && (usage == nil || before(m, usage)) {
			usage = m
		}
	}
	for _, m := range group {
		var want flag
		if m == call {
			want |= addsCall
			if failed {
				want |= addsFailed
			}
		}
		if m == usage {
			want |= addsUsage
		}
		l.contribute(m, want)
	}
}

// withdraw takes back what n adds, before what it adds changes.
func (l *Ledger) withdraw(n *node) { l.apply(n, 0) }

// contribute makes n add what want says.
func (l *Ledger) contribute(n *node, want flag) {
	if n.has(isDecided) && n.flags&^want&(addsCall|addsUsage) != 0 {
		l.stats.Corrections++
	}
	l.apply(n, want)
}

func (l *Ledger) apply(n *node, want flag) {
	have := n.flags & (addsCall | addsFailed | addsUsage)
	if have == want || n.total == nil {
		return
	}
	for _, t := range [...]*Total{n.total, &l.totals.sum} {
		t.Calls += bit(want, addsCall) - bit(have, addsCall)
		t.Failed += bit(want, addsFailed) - bit(have, addsFailed)
		if by := bit(want, addsUsage) - bit(have, addsUsage); by != 0 {
			for i := range n.usage.tokens {
				t.Tokens[i] += by * n.usage.tokens[i]
			}
		}
	}
	n.flags = n.flags&^have | want
}

func bit(f, of flag) int64 {
	if f&of != 0 {
		return 1
	}
	return 0
}
