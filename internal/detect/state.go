package detect

import "math"

const (
	// lagSize is the number of newest values that the reference has not
	// learned yet, so that the first points of a shift do not hide the rest.
	lagSize = 8
	// wordCount is the number of words that detectors share in a state.
	wordCount = 8
	// longSamples is the memory of the long baseline in samples.
	longSamples = 128
)

// State is the memory of one series. It must be made by [Model.NewState], is
// used with that model only, and by one goroutine at a time. It may be moved,
// but when the window exceeds 64 a copy shares memory with the original.
type State struct {
	win window

	// Long baseline of learned values: mean and variance, growing at first,
	// then exponentially weighted, and the lag-1 correlation.
	mean, variance float64
	rho, prev      float32
	longN          uint32

	// lag is a ring of the newest values; bit i of suspect marks lag[i] as not
	// to be learned.
	suspect uint8
	lagN    uint8
	lagHead uint8

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
	// widen is the logarithm of the factor by which spike limits of this
	// series are widened, because it exceeds them too often.
	widen float32
	lag   [lagSize]float32

	runMean, runVar float64
	onset           int64
	lastAlarm       int64
	samples         uint64
	words           [wordCount]float64
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

// push appends y to the lag and hands what falls out to the baseline.
func (m *Model) push(s *State, y float64, suspect bool, b bounds) {
	if int(s.win.n) < m.cfg.MinSamples {
		m.learn(s, y, bounds{})
		if int(s.win.n) == m.cfg.MinSamples {
			m.settle(s)
		}
		return
	}
	i := s.lagHead
	if s.lagN == lagSize {
		if s.suspect&(1<<i) == 0 && s.shiftSide == 0 {
			m.learn(s, float64(s.lag[i]), b)
		}
	} else {
		s.lagN++
	}
	s.lag[i] = float32(y)
	s.suspect &^= 1 << i
	if suspect {
		s.suspect |= 1 << i
	}
	s.lagHead = (i + 1) % lagSize
}

// back returns the slot of the k-th newest value of the lag, k = 1 the newest.
func (s *State) back(k int) uint8 { return uint8((int(s.lagHead) + lagSize - k) % lagSize) }

// level returns the mean of the newest n values, at most lagSize.
func (s *State) level(n int) float64 {
	n = max(1, min(n, int(s.lagN)))
	sum := 0.0
	for k := 1; k <= n; k++ {
		sum += float64(s.lag[s.back(k)])
	}
	return sum / float64(n)
}

// distrust marks the newest n values of the lag as not to be learned.
func (s *State) distrust(n int) {
	for k := 1; k <= min(n, int(s.lagN)); k++ {
		s.suspect |= 1 << s.back(k)
	}
}

// bounds are the limits within which values are learned as they are. The zero
// value sets none.
type bounds struct{ lo, hi float64 }

// learn adds y, winsorised, to both baselines.
func (m *Model) learn(s *State, y float64, b bounds) {
	if b.lo < b.hi {
		y = min(max(y, b.lo), b.hi)
	}
	s.win.push(float32(y), m.cfg.Window)
	s.samples++
	m.learnLong(s, y)
}

// settle winsorises the first values, which were learned as they came: a slow
// first request must not blind the series for a window.
func (m *Model) settle(s *State) {
	r := m.refer(s)
	bound := winsorWindow * max(r.mad*madToSigma, r.floor)
	ring, _ := s.win.slices(m.cfg.Window)
	s.mean, s.variance, s.rho, s.prev, s.longN = 0, 0, 0, 0, 0
	for i := range ring[:s.win.n] {
		ring[i] = float32(min(max(float64(ring[i]), r.med-bound), r.med+bound))
		m.learnLong(s, float64(ring[i]))
	}
	s.win.resum(m.cfg.Window)
}

// learnLong adds y to the long baseline.
func (m *Model) learnLong(s *State, y float64) {
	s.longN = min(s.longN+1, longSamples)
	d, n := y-s.mean, float64(s.longN)
	s.mean += d / n
	switch {
	case s.longN == longSamples:
		s.variance += ((1-1/n)*d*d - s.variance) / n
	case s.longN > 1: // Welford, for the variance over n-1
		s.variance += d*d/n - s.variance/(n-1)
	}
	// The floor keeps rounding from passing for correlation.
	z := d / max(math.Sqrt(max(0, s.variance)), m.floor(s.mean))
	z = min(max(z, -winsorCUSUM), winsorCUSUM)
	s.rho += (float32(z)*s.prev - s.rho) / float32(n)
	s.prev = float32(z)
}
