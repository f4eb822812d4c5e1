package ledger

// Total is what calls add up to.
type Total struct {
	Calls, Failed int64
	Tokens        [TokenTypes]int64
}

// Pair names a total.
type Pair struct{ Service, Model string }

// Other is the pair of all that found no place of their own.
var Other = Pair{"other", "other"}

type totals struct {
	sum   Total
	pairs map[Pair]*Total
	limit int
}

func newTotals(limit int) totals { return totals{pairs: map[Pair]*Total{}, limit: limit} }

func (t *totals) of(service, model string) *Total {
	p := Pair{service, model}
	if x := t.pairs[p]; x != nil {
		return x
	}
	if len(t.pairs) >= t.limit || len(service) > maxText || len(model) > maxText {
		p = Other
		if x := t.pairs[p]; x != nil {
			return x
		}
	}
	x := &Total{}
	t.pairs[p] = x
	return x
}

// Totals is what has been counted so far, by service and model. Pairs that add
// up to nothing are left out.
func (l *Ledger) Totals() map[Pair]Total {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := make(map[Pair]Total, len(l.totals.pairs))
	for p, t := range l.totals.pairs {
		if *t != (Total{}) {
			out[p] = *t
		}
	}
	return out
}

// Stats are sums over the life of a ledger. They only grow: what was counted
// and later taken back is in Added and in Removed.
type Stats struct {
	Added, Removed Total
	// Corrections is how often an item that had been passed on as a call, or with
	// counts, turned out to be none.
	Corrections int64
	// Evicted is how many items were forgotten.
	Evicted int64
	// Entries is how many are remembered now.
	Entries int64
}

// change enters the difference of two sums.
func (s *Stats) change(before, after *Total) {
	add := func(added, removed *int64, d int64) {
		if d > 0 {
			*added += d
		} else {
			*removed -= d
		}
	}
	add(&s.Added.Calls, &s.Removed.Calls, after.Calls-before.Calls)
	add(&s.Added.Failed, &s.Removed.Failed, after.Failed-before.Failed)
	for i := range after.Tokens {
		add(&s.Added.Tokens[i], &s.Removed.Tokens[i], after.Tokens[i]-before.Tokens[i])
	}
}

// Stats returns the sums.
func (l *Ledger) Stats() Stats {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.stats
	s.Evicted = l.arena.evicted
	for i := range l.arena.lists {
		s.Entries += int64(l.arena.lists[i].size)
	}
	return s
}
