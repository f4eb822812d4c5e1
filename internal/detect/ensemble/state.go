package ensemble

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
// It is flat, may be copied, and is used by one goroutine at a time.
type State struct {
	// n is the number of values since the warm-up ended, those of the warm-up
	// included; during the warm-up, the number of values in recent.
	n uint64
	// first is the time of the first value of the warm-up.
	first int64
	// last is the time of the last value, interval the usual time between two.
	last     int64
	interval float32
	// origin and unit standardise values: (x - origin) / unit.
	origin, unit float64
	// root is the signed square root of the last value, in units.
	root float64
	// size is the absolute last value, typical a mean of such.
	size, typical float64

	fast, mid, slow track

	// recent holds the newest values, standardised (during the warm-up, as they
	// came), deviations those of the level detector. Value k is at
	// k % recentSize.
	recent, deviations [recentSize]float32

	profile season
	steps   steps
	shape   shape

	tails    [detectors]tail
	evidence excess

	// parent is the scale of the parent, as a ratio of its level; 0 for none.
	parent float32
	// record is the highest evidence within the cool-down, age the number of
	// values since.
	record float32
	age    uint16
}

// Samples returns the number of values that were judged or learned.
func (s *State) Samples() uint64 { return s.n }

// Ready reports whether the next value is judged.
func (s *State) Ready() bool { return s.unit > 0 }

// track follows centre and scale of a series. Values far from the centre count
// as if they were at the edge.
type track struct {
	centre, scale float64
}

// meanAbsToSigma turns a mean absolute deviation into the standard deviation of
// a normal distribution.
const meanAbsToSigma = 1.2533

// follow learns y as one of memory values, or of those seen so far. The edge is
// at bound scales, of which the least is floor.
func (t *track) follow(y float64, seen uint64, memory, bound, floor float64) {
	a := 1 / min(float64(seen), memory)
	edge := bound * max(t.scale, floor)
	d := min(max(y-t.centre, -edge), edge)
	t.centre += a * d
	if d < 0 {
		d = -d
	}
	t.scale += a * (meanAbsToSigma*d - t.scale)
}
