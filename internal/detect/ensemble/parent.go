package ensemble

import "math"

const (
	// parentSamples is the number of values that make a series well known.
	parentSamples = 500
	// parentWeight is the number of own values that the scale of a parent counts
	// for, parentCount that of the values in each of its histograms, and
	// parentBeyond and parentPeaks those of the values and peaks in the tail of
	// its evidence.
	parentWeight = 16
	parentCount  = 128
	parentBeyond = 16
	parentPeaks  = 8
	// parentWarmUp is the number of values before the first is judged with a
	// parent.
	parentWarmUp = 16
	// parentLast is the number of values from which on a parent is outgrown: its
	// weight is a tenth.
	parentLast = 9 * parentWeight
	// A series that has shown evidence of parentUnrest within its last parentRest
	// values is no parent.
	parentUnrest = 5.5
	parentRest   = 30
	// maxParentScale is the largest scale of a parent. A series that spreads more
	// around its level has none that counts.
	maxParentScale = 100
)

// Parent is what a new series can take over from one that is well known: what
// does not depend on its level, such as how rare what is in a series like it. It
// does not change, and is safe for concurrent use.
type Parent struct {
	// scale is the usual deviation as a ratio of the level.
	scale    float32
	tails    [ranked]tail
	evidence excess
	peaks    peaks
	memory   [shapes]uint64
	size     uint8
	next     uint8
}

// Parent returns what a new series can take over from s. ok is false when s is
// not known well, or when something is going on in it.
func (s *State) Parent() (p *Parent, ok bool) {
	if !s.Ready() || s.n < parentSamples || s.age < parentRest && s.record >= parentUnrest {
		return nil, false
	}
	level := math.Abs(s.origin + s.unit*float64(s.slow.centre))
	scale := s.unit * float64(s.slow.scale)
	if !(scale <= maxParentScale*level) {
		return nil, false
	}
	p = &Parent{
		scale: float32(max(scale/level, leastUnit)),
		tails: s.tails, evidence: s.evidence, peaks: s.peaks,
		memory: s.shape.memory, size: s.shape.size, next: s.shape.next,
	}
	for i := range p.memory {
		p.memory[i] &= 1<<crossFrom - 1 // those of the child are its own
	}
	for i := range p.tails {
		p.tails[i].limit(parentCount)
	}
	p.evidence.n = excessReady
	p.evidence.beyond = min(p.evidence.beyond, parentBeyond)
	p.peaks.limit(parentPeaks)
	return p, true
}

// limit makes the counts of t those of about so many values.
func (t *tail) limit(count int) {
	t.seen = min(t.seen, tailReady)
	total := t.total()
	if total <= count {
		return
	}
	share := float64(count) / float64(total)
	t.rescale(func(n int) int { return int(math.Round(share * float64(n))) })
	t.refresh()
}

// Adopt makes p the parent of s, which must be new: s is judged from its 17th
// value on. Its level is its own; its scale is one half that of the parent after
// 16 values, and a tenth after 144.
func (s *State) Adopt(p *Parent) {
	s.parent = p.scale
	s.tails, s.evidence, s.peaks = p.tails, p.evidence, p.peaks
	s.shape.memory, s.shape.size, s.shape.next = p.memory, p.size, p.next
}

// Borrowed returns the weight of the parent in what is known of s, 0..1; 0 when
// there is none or it is outgrown.
func (s *State) Borrowed() float64 {
	if s.parent == 0 || s.Ready() && s.n >= parentLast {
		return 0
	}
	return parentWeight / (parentWeight + float64(s.n))
}

// need is the number of values of the warm-up.
func (s *State) need() uint64 {
	if s.parent > 0 {
		return parentWarmUp
	}
	return warmUp
}

// known reports whether the p-values of s rest on enough values of its own.
func (s *State) known() bool {
	return s.evidence.n >= excessReady && s.Borrowed() == 0
}

// settle makes the scale of the parent count in the unit, of which the warm-up
// gives a rough estimate only.
func (s *State) settle() {
	lent := float64(s.parent) * math.Abs(s.origin)
	if lent > 0 {
		s.unit *= math.Pow(lent/s.unit, s.Borrowed())
	}
}

// accustom lets the scales of the statistics follow those of the warm-up.
func (s *State) accustom(st *statistics) {
	least := s.least()
	for i := range s.tails {
		s.tails[i].judge(st[i], least[i])
	}
}
