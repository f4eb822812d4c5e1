package detect

import "math"

const (
	// lagSize is the number of newest values that are never part of the
	// reference, so that the first points of a shift do not hide the rest. The
	// reference advances in blocks of as many values.
	lagSize = 8
	// wordCount is the number of words that detectors share in a state.
	wordCount = 6
	// longSamples is the memory of the long baseline in samples.
	longSamples = 128
)

// State is the memory of one series. It must be made by [Model.NewState], is
// used with that model only, and by one goroutine at a time. It may be moved,
// but when the window exceeds 64 a copy shares memory with the original.
type State struct {
	// What Absorb reads and writes comes first, so that it touches few cache
	// lines: quick is derived from the rest, words are those of the detectors.
	quick quick
	words [wordCount]uint64
	// lag holds the newest values, oldest first; bit i of suspect marks lag[i]
	// as not to be learned.
	lag     [2 * lagSize]float32
	suspect uint16
	// doubted marks values outside the limits that were not believed, because
	// they were alone.
	doubted uint16
	lagN    uint8
	// learned is the event time at which a block of the lag was learned last.
	learned int64

	// A run lasts from the first value outside the limits, on either side,
	// until the series is calm again. Its values have their own mean and
	// variance, in case that they become the new normal.
	calm      uint8 // values within limits since the last one outside
	runN      uint16
	inRun     bool
	sustained bool // the run contains a shift
	shiftSide int8 // sustained shift, 0 none: learning is frozen
	// A report is the part of a run that the user hears of.
	reported bool
	told     uint8 // highest severity told within the run or the cool-down

	// Long baseline of learned values: mean and variance, growing at first,
	// then exponentially weighted, and the lag-1 correlation.
	longN          uint8
	rho, prev      float32
	mean, variance float64
	// widen is the logarithm of the factor by which spike limits of this
	// series are widened, because it exceeds them too often.
	widen   float32
	samples uint32 // at most what it can hold
	// lent is the spread of a parent, 0 for none, see Borrow.
	lent float32

	runMean, runVar float64
	onset           int64
	lastAlarm       int64

	win window
}

// quick is what the values since the last block are judged by on the quick
// way, on the judged scale. It follows from the reference.
type quick struct {
	// Strictly between lo and hi no spike detector reaches its threshold. The
	// interval is empty while nothing is judged.
	lo, hi float32
	// learnLo and learnHi are the limits to which learned values are cut.
	learnLo, learnHi float32
	// perSD and slow turn a distance from the long mean into the step of a sum.
	perSD, slow float32
}

// NewState returns the state of a new series.
func (m *Model) NewState() State {
	var s State
	m.Reset(&s)
	return s
}

// Reset makes s the state of a new series. It keeps memory that s owns.
func (m *Model) Reset(s *State) {
	long := s.win.long
	*s = State{}
	if m.cfg.Window > flatWindow {
		if long == nil {
			long = new(tail)
		}
		s.win.long = long
	}
}

// Fetch reads a word of each cache line that the next value will need, and
// returns anything made of them. With very many series none of them is in the
// cache: asked for together, they arrive together.
//
//go:noinline
func (s *State) Fetch() (all uint64) {
	all = s.words[0] + uint64(math.Float32bits(s.quick.slow)) + uint64(math.Float32bits(s.lag[0])) + uint64(s.lagN) + s.words[wordCount-1]
	if s.lagN == 2*lagSize-1 { // the next value brings the window up to date
		for i := 0; i < flatWindow; i += 16 {
			all += uint64(math.Float32bits(s.win.value[i]))
		}
		all += uint64(s.win.born[0]) + uint64(s.win.born[flatWindow-1]) + uint64(s.win.n) + uint64(s.lastAlarm)
	}
	return all
}

// level returns the mean of the newest n values, at most lagSize.
func (s *State) level(n int) float64 {
	n = max(1, min(n, int(s.lagN), lagSize))
	sum := 0.0
	for _, y := range s.lag[int(s.lagN)-n : s.lagN] {
		sum += float64(y)
	}
	return sum / float64(n)
}

// distrust marks the newest n values of the lag as not to be learned.
func (s *State) distrust(n int) {
	n = min(n, int(s.lagN))
	s.suspect |= (1<<n - 1) << (int(s.lagN) - n)
}

// Outside reports whether the series is in a run: outside its limits, or not
// yet calm again.
func (s *State) Outside() bool { return s.inRun }

// LastAlarm returns the event time (unix ns) of the last alarm, if there was
// one.
func (s *State) LastAlarm() (at int64, ever bool) { return s.lastAlarm, s.lastAlarm != 0 }
