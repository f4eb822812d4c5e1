package ensemble

import "math"

const (
	// newShape is the relative entropy from which on a shape is remembered.
	newShape = .2
	// shapeBase is added to the relative entropy, so that the difference
	// between two close matches is none.
	shapeBase = .1
)

// shapeEdges are the inner edges of the bins of a shape, in standard deviations
// from the slow reference.
var shapeEdges = [shapeBins - 1]float64{-3, -1.5, -.75, 0, .75, 1.5, 3}

// shape compares the histogram of the newest values with earlier ones.
type shape struct {
	now        [shapeBins]uint8
	bins       [shapeSize]uint8 // those of the newest values; value k at k % shapeSize
	memory     [shapes][shapeBins]uint8
	size, next uint8
}

// observe learns z, the n-th value, and returns the relative entropy of the
// newest shapeSize values against the nearest shape that is remembered.
func (s *shape) observe(n uint64, z float64) float64 {
	b := uint8(0)
	for _, e := range shapeEdges {
		if z > e {
			b++
		}
	}
	at := n % shapeSize
	if n >= shapeSize {
		s.now[s.bins[at]]--
	}
	s.bins[at] = b
	s.now[b]++
	if n < 2*shapeSize {
		return 0
	}
	own := 0.
	for _, c := range s.now {
		own += plogp[c]
	}
	best := math.Inf(1)
	for i := range s.memory[:s.size] {
		q, d := &s.memory[i], own
		for k, c := range s.now {
			d -= float64(c) * logOf[q[k]]
		}
		best = min(best, d)
	}
	if n%(shapeSize/2) == 0 && best > newShape {
		s.memory[s.next] = s.now
		s.next = (s.next + 1) % shapes
		s.size = min(s.size+1, shapes)
	}
	if math.IsInf(best, 1) {
		return 0
	}
	return max(best, 0) + shapeBase
}

// plogp[c] is p log p for p = c of shapeSize values; logOf[c] is the logarithm
// of such a share, never 0, divided by shapeSize.
var plogp, logOf = func() (p, l [shapeSize + 1]float64) {
	for i := range p {
		f := float64(i) / shapeSize
		if i > 0 {
			p[i] = f * math.Log(f)
		}
		l[i] = math.Log((float64(i)+.5)/shapeSize) / shapeSize
	}
	return p, l
}()
