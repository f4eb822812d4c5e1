package anomalyprocessor

import (
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/llm-devops/llm-sentinel/internal/detect/ensemble"
	"github.com/llm-devops/llm-sentinel/internal/series"
)

const (
	// parentCalls is the number of values that the baseline of a parent rests on.
	parentCalls = 128
	// lendFor is the event time of the parent during which all its children get
	// the same: what is lent takes some KB.
	lendFor = int64(10 * time.Minute)
)

// parentage is what new series take over from a well-known one. It does not
// change and is shared by them. After a restart only the names are there: what
// had been taken over is in the states.
type parentage struct {
	service, model string
	// spreads are those of the judges, 0 for none.
	spreads [len(metrics)]float64
	// means are those of the rows of the trend rule, nil for none.
	means []*ensemble.Parent
}

// mean returns what row i of the trend rule takes over, nil for nothing.
func (p *parentage) mean(i int) *ensemble.Parent {
	if p == nil || i >= len(p.means) {
		return nil
	}
	return p.means[i]
}

// inherit looks for the parent of the new series ref, which is unlocked
// meanwhile, and locked again when it returns.
func (b *batch) inherit(ref series.Ref[entry]) series.Ref[entry] {
	key := ref.Key
	ref.Release()
	parent := b.parentOf(&key)
	ref = b.table.Acquire(key, b.now.UnixNano())
	if ref.Key == key && ref.Value.newest == 0 {
		ref.Value.parent = parent
	}
	return ref
}

// parentOf returns what the series key can take over, nil when there is nothing.
// No series may be locked.
func (b *batch) parentOf(key *series.Key) *parentage {
	candidates, n := b.peers.candidates(key)
	for _, c := range candidates[:n] {
		if c.lent != nil {
			return c.lent
		}
		ref, ok := b.table.Find(series.Key{Service: c.member.service, Model: c.member.model})
		if !ok {
			continue
		}
		lent := b.lend(ref.Value)
		ref.Release()
		if lent == nil {
			continue
		}
		lent.service, lent.model = c.member.service, c.member.model
		b.peers.keep(c.member, lent)
		return lent
	}
	return nil
}

// lend returns what others can take over from a series, nil for nothing.
func (b *batch) lend(ent *entry) *parentage {
	p, some := &parentage{}, false
	for i := range b.judges {
		if st := ent.states[i]; st != nil {
			if spread, ok := b.judges[i].model.Spread(st); ok {
				p.spreads[i], some = spread, true
			}
		}
	}
	for _, st := range ent.rules {
		st, ok := st.(*trendState)
		if !ok {
			continue
		}
		p.means = make([]*ensemble.Parent, len(st.means))
		for i := range st.means {
			if s := st.means[i].series; s != nil {
				if mean, ok := s.Parent(); ok {
					p.means[i], some = mean, true
				}
			}
		}
	}
	if !some {
		return nil
	}
	return p
}

// candidate is a series that may be a parent. What it has lent lately is nil
// when there is nothing.
type candidate struct {
	member *member
	lent   *parentage
}

// candidates returns the series that may be the parent of key, the best first:
// of the other models of the service, and of the other services that use the
// model, the one that knows most calls and is within its limits.
func (p *peers) candidates(key *series.Key) (list [2]candidate, n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, kinship := range [...]int{sameService, sameModel} {
		name := key.Service
		if kinship == sameModel {
			name = key.Model
		}
		g := p.groups[kinship][name]
		if g == nil {
			continue
		}
		var best *member
		for _, m := range g.members {
			if m.samples < parentCalls || m.outside != 0 || m.service == key.Service && m.model == key.Model {
				continue
			}
			if best == nil || m.samples > best.samples || m.samples == best.samples && m.before(best) {
				best = m
			}
		}
		if best == nil {
			continue
		}
		list[n].member = best
		if best.seen-best.lentAt < lendFor {
			list[n].lent = best.lent
		}
		n++
	}
	return list, n
}

// before is an order of members that does not depend on when they came.
func (m *member) before(o *member) bool {
	if c := strings.Compare(m.service, o.service); c != 0 {
		return c < 0
	}
	return m.model < o.model
}

// keep notes what m has lent.
func (p *peers) keep(m *member, lent *parentage) {
	p.mu.Lock()
	defer p.mu.Unlock()
	m.lent, m.lentAt = lent, m.seen
}

// outgrown reports whether nothing that was taken over counts any more, nor ever
// will. A metric that has not come yet is waited for only while none has.
func (ent *entry) outgrown() bool {
	begun := false
	for _, st := range ent.states {
		if st != nil && st.Borrowed() > 0 {
			return false
		}
		begun = begun || st != nil
	}
	for _, st := range ent.rules {
		st, ok := st.(*trendState)
		if !ok {
			continue
		}
		for i := range st.means {
			if m := &st.means[i]; m.begin != 0 && (m.series == nil || m.series.Borrowed() > 0) {
				return false
			}
		}
	}
	return begun
}

// readParent reads the names of a parent, written by appendText.
func readParent(b []byte) (*parentage, error) {
	r := reader{b: b}
	p := &parentage{service: r.text(), model: r.text()}
	if r.failed || len(r.b) > 0 {
		return nil, refuse("the parent is malformed")
	}
	return p, nil
}

// Keys of Context.Additional and Details.Additional: the parent, and what it
// counts for beside the values of the series itself.
const (
	contextParent = "parent"
	detailParent  = "parent_weight"
)

// tell adds to an explanation what the parent counts for in it, and returns the
// cause with that.
func (p *parentage) tell(weight float64, cause string, detail map[string]float64, context map[string]string) string {
	if p == nil || weight == 0 {
		return cause
	}
	detail[detailParent] = weight
	context[contextParent] = p.service + "/" + p.model
	return cause + "; a new series: what is usual in " + shortName(p.model) + " of " + shortName(p.service) +
		" counts for " + strconv.Itoa(int(math.Round(100*weight))) + " % of the spread"
}
