package ledger

import (
	"fmt"
	"sync"
	"time"
)

// Limits of what is looked at for one item.
const (
	// maxDepth is how many spans up a mark goes.
	maxDepth = 128
	// maxResponses is how many items with one response id are compared.
	maxResponses = 16
	// minResponseID is the length from which on a response id is taken to be unique.
	minResponseID = 8
	// maxText is the longest text that is kept, in bytes.
	maxText = 1024
)

// Bounds of the options.
const (
	MinCalls = 256
	MaxCalls = 10_000_000
)

// Options of a ledger.
type Options struct {
	// Window is how long an item is remembered after it was last met. Default: 15 minutes.
	Window time.Duration
	// MaxCalls is how many items that tell of calls, and spans that wait for one,
	// are remembered; as many other spans of traces are remembered beside them.
	// From 256 to 10 million; 500 bytes each. Default: 65536.
	MaxCalls int
	// MaxTotals is how many pairs of service and model have totals of their own;
	// all others share one. Default: 4096.
	MaxTotals int
}

// Ledger counts calls once. It is safe for use by any number of goroutines.
type Ledger struct {
	mu     sync.Mutex
	arena  *arena
	totals totals
	metric services
	stats  Stats
	// batch numbers the batches, so that what is decided together is known.
	batch   uint64
	scratch []*node
}

// New returns an empty ledger.
func New(o Options) (*Ledger, error) {
	if o.Window == 0 {
		o.Window = 15 * time.Minute
	}
	if o.MaxCalls == 0 {
		o.MaxCalls = 65536
	}
	if o.MaxTotals == 0 {
		o.MaxTotals = 4096
	}
	switch {
	case o.Window < 0:
		return nil, fmt.Errorf("window must be positive, got %v", o.Window)
	case o.MaxCalls < MinCalls || o.MaxCalls > MaxCalls:
		return nil, fmt.Errorf("max calls must be from %d to %d, got %d", MinCalls, MaxCalls, o.MaxCalls)
	case o.MaxTotals < 0:
		return nil, fmt.Errorf("max totals must be positive, got %d", o.MaxTotals)
	}
	return &Ledger{
		arena:  newArena(o.MaxCalls, o.MaxCalls, int64(o.Window)),
		totals: newTotals(o.MaxTotals), metric: newServices(o.MaxTotals, int64(o.Window)),
	}, nil
}

// Add is [Ledger.AddBatch] for one entry.
func (l *Ledger) Add(e *Entry, now time.Time) Decision {
	entries, decisions := [1]*Entry{e}, [1]Decision{}
	l.AddBatch(entries[:], decisions[:], now)
	return decisions[0]
}

// AddBatch enters items that came together at the time now, and decides on each
// of them with the knowledge of all, so that their order does not matter.
// decisions must have the length of entries.
func (l *Ledger) AddBatch(entries []*Entry, decisions []Decision, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	at := now.UnixNano()
	before := l.totals.sum
	l.batch++
	l.arena.expire(at)
	for i, e := range entries {
		decisions[i] = Decision{Redelivered: l.enter(e, at)}
	}
	// Wrappers are decided last: by then it is known which call took their counts.
	for i, e := range entries {
		if e.Call {
			l.decide(e, &decisions[i], at, false)
		}
	}
	for i, e := range entries {
		if e.Call {
			l.decide(e, &decisions[i], at, true)
		}
	}
	l.stats.change(&before, &l.totals.sum)
}

// keyOf is the key of an item, and the span above it.
func keyOf(e *Entry) (k key, parent [8]byte) {
	k, parent = key{e.Trace, e.Span}, e.Parent
	switch {
	case e.Trace == [16]byte{}, e.Span == [8]byte{} && e.Source != Log:
		return key{e.ID, [8]byte(e.ID[8:])}, [8]byte{}
	case e.Source == Log:
		return key{e.Trace, [8]byte(e.ID[8:])}, e.Span
	case parent == e.Span: // its own parent
		parent = [8]byte{}
	}
	return k, parent
}

// enter takes an item in, and reports whether it came before.
func (l *Ledger) enter(e *Entry, now int64) (again bool) {
	a := l.arena
	k, parent := keyOf(e)
	n := a.find(&k, now)
	if n != nil && n.sources[e.Source] {
		return true
	}
	list := uint8(listOthers)
	if e.Call || n != nil && n.flags&(marks|isCall) != 0 {
		list = listCalls
	}
	if n == nil {
		n = a.add(&k, list, now)
	} else {
		a.touch(n, list, now)
	}
	l.withdraw(n)
	n.sources[e.Source] = true
	n.batch = l.batch
	n.flags |= isSeen
	if parent != [8]byte{} {
		n.parent = parent
	}
	if e.Tool {
		n.flags |= isTool
	}
	if e.Call {
		l.enterCall(n, e)
	}
	l.settle(n)
	l.up(n, now)
	l.settleEstimates(n, now)
	if n.has(hasUsage | isEstimated) {
		l.settle(n) // what is above may have changed
	}
	if n.has(inResponses | hasUsage) {
		l.share(n, now)
	}
	if n.has(isCall) {
		l.metric.seen(&l.totals, &l.stats, e.Service, n.has(hasUsage), now)
	}
	return false
}

// enterCall takes in what an item tells of its call, beside what is known of it.
func (l *Ledger) enterCall(n *node, e *Entry) {
	if !n.has(isCall) {
		n.id = e.ID
	}
	n.flags |= isCall
	if e.Failed {
		n.flags |= isFailed
	}
	if e.Usage.Known() && !e.NoUsage {
		switch {
		case !n.has(hasUsage):
			n.usage = e.Usage
			n.flags |= hasUsage
			if e.Estimated {
				n.flags |= isEstimated
			}
		case n.has(isEstimated) && !e.Estimated:
			n.usage = e.Usage
			n.flags &^= isEstimated
		case n.has(isEstimated) == e.Estimated:
			n.usage.fill(&e.Usage)
		}
	}
	c := e.Context
	for _, s := range [...]*string{&c.ResponseID, &c.FinishReason, &c.Agent, &c.User, &c.Conversation} {
		if len(*s) > maxText {
			*s = ""
		}
	}
	n.context.fill(&c)
	if len(n.context.ResponseID) >= minResponseID && !n.has(inResponses) {
		n.flags |= inResponses
		first := l.arena.responses(n.context.ResponseID)
		n.response, *first = *first, l.arena.position(n)
		for _, m := range l.group(n) {
			n.flags |= m.flags & elsewhere
		}
	}
	if n.total == nil {
		n.total = l.totals.of(e.Service, e.Model)
	}
}

// group is the items that have the response id of n, n among them. It is valid
// until the next call.
func (l *Ledger) group(n *node) []*node {
	l.scratch = append(l.scratch[:0], n)
	if n.has(inResponses) {
		for i := *l.arena.responses(n.context.ResponseID); i != 0 && len(l.scratch) < maxResponses; {
			m := l.arena.at(i)
			if m != n && m.context.ResponseID == n.context.ResponseID {
				l.scratch = append(l.scratch, m)
			}
			i = m.response
		}
	}
	return l.scratch
}

// share marks what is above those that have the response id of n but no counts.
func (l *Ledger) share(n *node, now int64) {
	var list [maxResponses]*node
	size := copy(list[:], l.group(n)[1:])
	for _, m := range list[:size] {
		if !m.has(hasUsage) {
			l.up(m, now)
		}
	}
}

// up takes the marks of n, and those that it gives rise to, up to the spans above.
func (l *Ledger) up(n *node, now int64) {
	give := n.flags & marks
	if n.has(isCall) {
		give |= callBelow
	}
	switch {
	case !n.has(hasUsage):
	case n.has(isEstimated):
		give |= estimateBelow
	default:
		give |= usageBelow
	}
	// Counts that another item of the same call has are as good as its own, but
	// for a span above that is that item.
	var shared flag
	if n.has(inResponses) && !n.has(hasUsage) {
		for _, m := range l.group(n) {
			if m.has(hasUsage) && !m.has(isEstimated) {
				shared = usageBelow
			}
		}
	}
	if give|shared == 0 {
		return
	}
	call, estimate := n.call, n.estimate
	if n.has(isCall) && !n.has(callBelow) {
		call = n.key.span
	}
	if n.has(hasUsage | isEstimated) {
		estimate = n.key.span
	}
	child := n
	for range maxDepth {
		if child.has(isTool) || child.parent == [8]byte{} {
			return
		}
		k := key{n.key.trace, child.parent}
		p := l.arena.find(&k, now)
		if p == nil {
			p = l.arena.add(&k, listCalls, now)
		}
		add := give
		if shared != 0 && (!p.has(inResponses) || p.context.ResponseID != n.context.ResponseID) {
			add |= shared
		}
		if add&estimateBelow != 0 && p.has(estimateBelow) && p.estimate != estimate {
			add |= severalBelow
		}
		if p.flags&add == add && shared == 0 {
			return // and so have those above
		}
		l.arena.touch(p, listCalls, now)
		if p.flags&callBelow == 0 {
			p.call = call
		}
		if p.flags&estimateBelow == 0 {
			p.estimate = estimate
		}
		p.flags |= add
		l.settle(p)
		if p.has(isCall|hasUsage) || add&severalBelow != 0 {
			l.settleEstimates(p, now)
		}
		if !p.has(isSeen) {
			return
		}
		child = p
	}
}

// settleEstimates looks again at the estimate below p, which gives way to the
// counts of p or comes back.
func (l *Ledger) settleEstimates(p *node, now int64) {
	if !p.has(estimateBelow) {
		return
	}
	if n := l.arena.find(&key{p.key.trace, p.estimate}, now); n != nil && n != p {
		l.settle(n)
	}
}

// givesWay reports whether the estimates of n give way to the counts of a span
// above it that tells of nothing but this call.
func (l *Ledger) givesWay(n *node) bool {
	if !n.has(hasUsage | isEstimated) {
		return false
	}
	child := n
	for range maxDepth {
		if child.has(isTool) || child.parent == [8]byte{} {
			return false
		}
		i := *l.arena.bucket(&key{n.key.trace, child.parent})
		var p *node
		for ; i != 0; i = p.chain {
			if p = l.arena.at(i); p.key == (key{n.key.trace, child.parent}) {
				break
			}
		}
		if i == 0 || !p.has(isSeen) {
			return false
		}
		if p.has(isCall|hasUsage) && p.flags&(isEstimated|usageBelow|severalBelow) == 0 {
			return true
		}
		child = p
	}
	return false
}
