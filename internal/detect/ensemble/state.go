package ensemble

import "math"

// Sizes of the parts of a [State].
const (
	// warmUp is the number of values before the first is judged, minChanges the
	// number of those that must differ from the one before.
	warmUp     = 32
	minChanges = 8
	// recentSize is the number of newest values that are kept.
	recentSize = 32
	// seasonBins is the number of bins of a day, of which there are two kinds,
	// weekdays and weekends. stepBins is that of the jump detector.
	seasonBins = 48
	stepBins   = 24
	// shapeSize is the number of values of a shape, shapeBins the number of
	// bins of its histogram, shapes the number of shapes that are remembered.
	shapeSize = 30
	shapeBins = 8
	shapes    = 16
)

// State is the memory of one series. The zero value is that of a new series.
// It is flat, may be copied, and is used by one goroutine at a time. Nearly all
// of it is read for every value: a smaller one is a faster one.
type State struct {
	// n is the number of values since the warm-up ended, those of the warm-up
	// included; during the warm-up, the number of values in recent.
	n uint64
	// last is the time of the last value, during the warm-up that of the first
	// one.
	last int64
	// origin and unit standardise values: (x - origin) / unit.
	origin, unit float64
	// root is the signed square root of the last value, in units.
	root float64
	// interval is the usual time between two values, in ns.
	interval float32
	// serial is the correlation of values with the ones before them.
	serial float32

	fast, mid, slow track

	// record is the highest evidence within the cool-down, age the number of
	// values since, quiet that of values in a row that showed little.
	record   float32
	age      uint16
	quiet    uint8
	evidence excess
	peaks    peaks
	// parent is the scale of the parent, as a ratio of its level; 0 for none.
	parent float32

	// recent holds the newest values, standardised (during the warm-up, as they
	// came). Value k is at k % recentSize.
	recent  [recentSize]float32
	level   level
	falls   falls
	shape   shape
	tails   [ranked]tail
	steps   steps
	profile season
}

// Samples returns the number of values that were judged or learned.
func (s *State) Samples() uint64 { return s.n }

// Ready reports whether the next value is judged.
func (s *State) Ready() bool { return s.unit > 0 }

// back returns the value so many before the newest one, which is number n.
func (s *State) back(n, k uint64) float64 { return float64(s.recent[(n-k)%recentSize]) }

// Fetch reads a word of each cache line that the next value will need, but for
// those that depend on its time, and returns anything made of them. With very
// many series none of them is in the cache: asked for together, they arrive
// together. What is in the cache already costs some nanoseconds.
//
//go:noinline
func (s *State) Fetch() (all uint64) {
	for i := range s.tails {
		all += uint64(s.tails[i].seen) + s.tails[i].atLeast[tailWords-1]
	}
	for i := 0; i < recentSize; i += 16 {
		all += uint64(math.Float32bits(s.recent[i]))
	}
	for i := 0; i < shapes; i += 8 {
		all += s.shape.memory[i]
	}
	return all + s.n + uint64(math.Float32bits(s.slow.scale)) + uint64(s.level.deviations[0]) + uint64(s.steps.seen[0])
}

// track follows centre and scale of a series. Values far from the centre count
// as if they were at the edge.
type track struct {
	centre, scale float32
}

// meanAbsToSigma turns a mean absolute deviation into the standard deviation of
// a normal distribution.
const meanAbsToSigma = 1.2533

// follow learns y as one of memory values, or of those seen so far. The edge is
// at bound scales, of which the least is floor.
func (t *track) follow(y float64, seen uint64, memory, bound, floor float64) {
	a := 1 / memory
	if f := float64(seen); f < memory {
		a = 1 / f
	}
	centre, scale := float64(t.centre), float64(t.scale)
	d := cut(y-centre, bound*atLeast(scale, floor))
	t.centre = float32(centre + a*d)
	t.scale = float32(scale + a*(meanAbsToSigma*math.Abs(d)-scale))
}

// cut cuts d at edge, which is not negative, on either side. As a number that
// is not negative sorts like its bits, there is no branch.
func cut(d, edge float64) float64 {
	const sign = 1 << 63
	b := math.Float64bits(d)
	return math.Float64frombits(min(b&^sign, math.Float64bits(edge)) | b&sign)
}

// atLeast is max for numbers that are not NaN.
func atLeast(x, least float64) float64 {
	if x < least {
		return least
	}
	return x
}
