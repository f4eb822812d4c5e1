package ensemble

import "math"

const (
	// newShape is the relative entropy, in hundredths, from which on a shape is
	// remembered.
	newShape = 20
	// shapeBase is added to the relative entropy, so that the difference
	// between two close matches is none.
	shapeBase = .1
)

// shapeEdges are the inner edges of the bins of a shape, in standard deviations
// from the slow reference.
var shapeEdges = [shapeBins - 1]float64{-3, -1.5, -.75, 0, .75, 1.5, 3}

// shape compares the histogram of the newest values with earlier ones.
type shape struct {
	// now is the histogram of the newest values, a byte for each bin.
	now uint64
	// past holds the bins of the newest 32 values, 4 bits each, the newest in
	// the lowest ones.
	past [2]uint64
	// memory holds the shapes that are remembered, 5 bits for each bin, and
	// above them the cross entropy of now relative to each. That is in steps,
	// hence exact, and is carried on from one value to the next.
	memory     [shapes]uint64
	size, next uint8
}

const (
	countBits = 5
	countMask = 1<<countBits - 1
	crossFrom = shapeBins * countBits // the first bit of the cross entropy
	// entropyUnit is the number of steps of an entropy of 1.
	entropyUnit = 1 << 21
)

// crossBase is what a cross entropy is too high by: its logarithms are relative
// to the largest one, so that none is negative.
var crossBase = uint64(math.Round(math.Log((shapeSize+.5)/shapeSize) * entropyUnit))

// observe learns z, the n-th value, and returns the relative entropy of the
// newest shapeSize values against the nearest shape that is remembered.
func (s *shape) observe(n uint64, z float64) float64 {
	in := uint64(0)
	for _, e := range shapeEdges {
		in += math.Float64bits(e-z) >> 63 // 1 beyond the edge
	}
	out := s.past[1] >> (4 * (shapeSize - 1 - 16)) & 15
	s.past[0], s.past[1] = s.past[0]<<4|in, s.past[1]<<4|s.past[0]>>60
	s.now += 1 << (8 * in)
	if n >= shapeSize {
		s.now -= 1 << (8 * out)
	}
	if n < 2*shapeSize {
		if n == 2*shapeSize-1 {
			s.recross()
		}
		return 0
	}
	own := crossBase
	for k := 0; k < 64; k += 8 {
		own += entropy[s.now>>k&countMask]
	}
	best := max(s.nearest(in, out), own) - own
	if best > newShape*entropyUnit/100 && n%(shapeSize/2) == 0 {
		s.remember()
	}
	if best == nothing-own {
		return 0
	}
	return float64(best)/entropyUnit + shapeBase
}

// nothing is the cross entropy while no shape is remembered.
const nothing = uint64(math.MaxUint64)

// nearest takes a value in bin out from the cross entropies and one in bin in
// into them, and returns the least.
func (s *shape) nearest(in, out uint64) uint64 {
	best := nothing
	in, out = in*countBits, out*countBits
	for i := range s.memory[:s.size] {
		m := s.memory[i]
		m += cross[m>>(in&63)&countMask] - cross[m>>(out&63)&countMask]
		s.memory[i] = m
		best = min(best, m>>crossFrom)
	}
	return best
}

// remember adds the shape of now to the memory, in place of the oldest one.
func (s *shape) remember() {
	m := uint64(0)
	for k := range shapeBins {
		m |= s.now >> (8 * k) & countMask << (countBits * k)
	}
	s.memory[s.next] = m + s.cross(m)
	s.next = (s.next + 1) % shapes
	s.size = min(s.size+1, shapes)
}

// cross is the cross entropy of now relative to the counts of m.
func (s *shape) cross(m uint64) (sum uint64) {
	for k := range shapeBins {
		sum += s.now >> (8 * k) & math.MaxUint8 * cross[m>>(countBits*k)&countMask]
	}
	return sum
}

// derive fills in now and the cross entropies after n values.
func (s *shape) derive(n uint64) {
	s.now = 0
	for i := range min(n, shapeSize) {
		s.now += 1 << (8 * (s.past[i/16] >> (4 * (i % 16)) & (shapeBins - 1)))
	}
	if n >= 2*shapeSize {
		s.recross()
	}
}

// recross fills in the cross entropies. Shapes can be remembered from another
// series, before there is a histogram to compare with them.
func (s *shape) recross() {
	for i := range s.memory[:s.size] {
		m := s.memory[i] & (1<<crossFrom - 1)
		s.memory[i] = m + s.cross(m)
	}
}

// entropy[c] is -p log p for p = c of shapeSize values, in steps; cross[c] is
// minus the logarithm of such a share, never 0, relative to the largest one, for
// one of shapeSize values, in steps from crossFrom on.
var entropy, cross = func() (e, x [countMask + 1]uint64) {
	for c := range shapeSize + 1 {
		p := float64(c) / shapeSize
		if c > 0 {
			e[c] = uint64(math.Round(-p * math.Log(p) * entropyUnit))
		}
		x[c] = uint64(math.Round(-math.Log((float64(c)+.5)/(shapeSize+.5))/shapeSize*entropyUnit)) << crossFrom
	}
	return e, x
}()
