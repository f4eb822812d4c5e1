package rate

import (
	"slices"
	"strings"
)

const (
	// maxKinds is the number of kinds of failure that are told apart, the first
	// of which is the rest.
	maxKinds = 8
	// lastKinds is the number of failed calls whose kinds are remembered outside
	// an episode.
	lastKinds = 16
	// maxKindName is the longest name of a kind, in bytes.
	maxKindName = 64
)

// OtherKind is the kind of failed calls that do not say how they failed, or in
// one way too many.
const OtherKind = "_OTHER"

// KindCount is a kind of failure and how often it was seen.
type KindCount struct {
	Kind  string
	Count uint32
}

// kinds counts the ways in which calls fail, in bounded memory: the last failed
// calls one by one, and those of an episode as counts.
type kinds struct {
	names  [maxKinds]string
	counts [maxKinds]uint32
	last   [lastKinds]uint8
	// n counts the entries of last that were written.
	n uint32
}

func (k *kinds) add(kind string, counting bool) {
	i := k.index(kind)
	k.last[k.n%lastKinds] = i
	k.n++
	if counting {
		k.counts[i]++
	}
}

func (k *kinds) index(kind string) uint8 {
	if len(kind) > maxKindName {
		kind = strings.ToValidUTF8(kind[:maxKindName], "")
	}
	if kind == "" || kind == OtherKind {
		return 0
	}
	free := uint8(0)
	for i := uint8(1); i < maxKinds; i++ {
		if k.names[i] == kind {
			return i
		}
		if free == 0 && (k.names[i] == "" || k.unused(i)) {
			free = i
		}
	}
	if free != 0 {
		k.names[free] = strings.Clone(kind)
	}
	return free
}

// unused reports that no count speaks of kind i any more.
func (k *kinds) unused(i uint8) bool {
	return k.counts[i] == 0 && !slices.Contains(k.last[:min(k.n, lastKinds)], i)
}

// begin starts an episode whose last failed calls are in the ring already.
func (k *kinds) begin(failed uint32) {
	k.counts = [maxKinds]uint32{}
	for i := range min(failed, lastKinds, k.n) {
		k.counts[k.last[(k.n-1-i)%lastKinds]]++
	}
}

func (k *kinds) end() {
	if k != nil {
		k.counts = [maxKinds]uint32{}
	}
}

// list returns the kinds of the episode, the most frequent first.
func (k *kinds) list() []KindCount {
	var out []KindCount
	for i, n := range k.counts {
		if n == 0 {
			continue
		}
		name := k.names[i]
		if i == 0 {
			name = OtherKind
		}
		out = append(out, KindCount{Kind: name, Count: n})
	}
	slices.SortStableFunc(out, func(a, b KindCount) int { return int(b.Count) - int(a.Count) })
	return out
}
