package redact

import (
	"cmp"
	"slices"
	"strings"
)

// automaton finds keywords without regard to the case of ASCII letters, in one pass:
// Aho and Corasick, Efficient String Matching, CACM 18(6), 1975, with the failure
// links compiled into a dense table over classes of bytes.
type automaton struct {
	classes [256]uint8
	// next[state+class] is the next state; states are multiples of stride, and those
	// with output come last, from outputs on.
	next    []uint32
	outputs uint32
	// hits[(state-outputs)/stride] are the keywords that end there.
	hits [][]hit
}

// hit is a keyword of a rule.
type hit struct {
	rule   int
	length int
}

const stride = 64

type trieNode struct {
	next map[byte]int
	fail int
	hits []hit
}

// newAutomaton compiles the keywords of the rules; nil when there are none. Bytes
// beyond the 63 most common of the keywords would share a class, so keywords with
// others are refused by loadRules.
func newAutomaton(rules []*secretRule) *automaton {
	nodes := []trieNode{{next: map[byte]int{}}}
	a := &automaton{}
	classes := uint8(0)
	for r, rule := range rules {
		for _, k := range rule.keywords {
			at := 0
			for _, b := range []byte(strings.ToLower(k)) {
				if a.classes[b] == 0 {
					classes++
					a.classes[b] = classes
				}
				to, ok := nodes[at].next[b]
				if !ok {
					to = len(nodes)
					nodes[at].next[b] = to
					nodes = append(nodes, trieNode{next: map[byte]int{}})
				}
				at = to
			}
			nodes[at].hits = append(nodes[at].hits, hit{r, len(k)})
		}
	}
	if len(nodes) == 1 {
		return nil
	}
	order := link(nodes)
	a.table(nodes, order)
	for b := byte('A'); b <= 'Z'; b++ {
		a.classes[b] = a.classes[b|0x20]
	}
	return a
}

// link computes failure links, and merges outputs along them. It returns the nodes
// in the order of their depth.
func link(nodes []trieNode) []int {
	order := []int{0}
	for k := 0; k < len(order); k++ {
		at := order[k]
		for _, b := range sortedKeys(nodes[at].next) {
			to := nodes[at].next[b]
			order = append(order, to)
			if at == 0 {
				continue
			}
			f := nodes[at].fail
			for {
				if n, ok := nodes[f].next[b]; ok {
					nodes[to].fail = n
					break
				}
				if f == 0 {
					break
				}
				f = nodes[f].fail
			}
			nodes[to].hits = append(nodes[to].hits, nodes[nodes[to].fail].hits...)
		}
	}
	return order
}

func sortedKeys(m map[byte]int) []byte {
	keys := make([]byte, 0, len(m))
	for b := range m {
		keys = append(keys, b)
	}
	slices.Sort(keys)
	return keys
}

func (a *automaton) table(nodes []trieNode, order []int) {
	// States without output first, shallow ones before deep ones.
	states := slices.Clone(order)
	slices.SortStableFunc(states, func(x, y int) int {
		return cmp.Compare(min(len(nodes[x].hits), 1), min(len(nodes[y].hits), 1))
	})
	id := make([]uint32, len(nodes))
	a.outputs = uint32(len(nodes)) * stride
	for i, n := range states {
		id[n] = uint32(i) * stride
		if len(nodes[n].hits) > 0 {
			a.outputs = min(a.outputs, id[n])
			a.hits = append(a.hits, nodes[n].hits)
		}
	}
	a.next = make([]uint32, len(nodes)*stride)
	for _, n := range order {
		row := a.next[id[n]:][:stride]
		if n != 0 {
			copy(row, a.next[id[nodes[n].fail]:][:stride])
		}
		for b, to := range nodes[n].next {
			row[a.classes[b]] = id[to]
		}
	}
}
