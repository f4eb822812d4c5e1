package detect

import "math"

// push appends y, seen at event time at, to the lag and, once there is a block
// of values behind the newest lagSize ones, hands that to the baseline.
func (m *Model) push(s *State, at int64, y float64, suspect bool) {
	if int(s.win.n) < m.cfg.MinSamples {
		m.warm(s, y)
		return
	}
	i := s.lagN & (2*lagSize - 1)
	s.lag[i] = float32(y)
	if suspect {
		s.suspect |= 1 << i
	}
	s.lagN = i + 1
	if s.lagN < 2*lagSize {
		return
	}
	if m.spare(s, at) {
		s.dropBlock()
		return
	}
	s.learned = max(s.learned, at)
	m.advance(s)
}

// spare reports whether the oldest block of the lag need not be learned: another
// one was just before, and there is nothing about it that must be known.
func (m *Model) spare(s *State, at int64) bool {
	since := at - s.learned
	return since > 0 && since < int64(m.cfg.LearnEvery) && int(s.win.n) == m.cfg.Window && s.suspect|s.doubted == 0
}

// dropBlock takes the oldest block out of the lag.
func (s *State) dropBlock() {
	copy(s.lag[:lagSize], s.lag[lagSize:])
	s.suspect >>= lagSize
	s.doubted >>= lagSize
	s.lagN = lagSize
}

// advance learns the oldest block of the lag.
func (m *Model) advance(s *State) {
	var block [lagSize]float32
	k := 0
	if s.shiftSide == 0 {
		for i, y := range s.lag[:lagSize] {
			if s.suspect&(1<<i) == 0 {
				block[k] = min(max(y, s.quick.learnLo), s.quick.learnHi)
				k++
			}
		}
	}
	doubted := s.doubted&(1<<lagSize-1) != 0
	s.dropBlock()
	if k == 0 {
		return
	}
	m.learnLong(s, block[:k])
	s.win.merge(block[:k], m.cfg.Window)
	s.count(k)
	s.widen = max(0, s.widen-widenStep*spikeBudget*float32(k))
	if doubted { // and nothing came of it
		s.widen = min(s.widen+widenStep, widenMax)
	}
	m.refresh(s)
}

// warm learns one of the first values, as it comes.
func (m *Model) warm(s *State, y float64) {
	one := [1]float32{float32(y)}
	s.win.merge(one[:], m.cfg.Window)
	s.count(1)
	if int(s.win.n) == m.cfg.MinSamples {
		m.settle(s)
	}
}

// count adds to the number of values learned.
func (s *State) count(n int) { s.samples = uint32(min(uint64(s.samples)+uint64(n), math.MaxUint32)) }

// settle winsorises the first values, which were learned as they came: a slow
// first request must not blind the series for a window.
func (m *Model) settle(s *State) {
	var r reference
	m.refer(s, &r)
	bound := winsorWindow * max(r.mad*madToSigma, r.floor)
	s.win.clamp(r.med-bound, r.med+bound, m.cfg.Window)
	if s.lent > 0 {
		m.lend(s)
	}
	s.mean = r.med
	ring := s.win.ring(m.cfg.Window) // has not wrapped yet
	m.learnLong(s, ring[:s.win.n])
	m.refresh(s)
}

// learnLong adds values to the long baseline.
func (m *Model) learnLong(s *State, values []float32) {
	mean, variance, rho, prev := s.mean, s.variance, s.rho, s.prev
	// The floor keeps rounding from passing for correlation.
	floor := m.floor(s.mean)
	for _, v := range values {
		inv := 1. / longSamples
		if s.longN < longSamples {
			s.longN++
			inv = 1 / float64(s.longN)
		}
		d := float64(v) - mean
		mean += d * inv
		switch {
		case s.longN == longSamples:
			variance += ((1-inv)*d*d - variance) * inv
		case s.longN > 1: // Welford, for the variance over n-1
			variance += d*d*inv - variance/float64(s.longN-1)
		}
		// Branches that are foreseen cost less than min and max, which every step
		// would have to wait for.
		sd := floor
		if variance > floor*floor {
			sd = math.Sqrt(variance)
		}
		z := d / sd
		if z > winsorCUSUM {
			z = winsorCUSUM
		} else if z < -winsorCUSUM {
			z = -winsorCUSUM
		}
		rho += (float32(z)*prev - rho) * float32(inv)
		prev = float32(z)
	}
	s.mean, s.variance, s.rho, s.prev = mean, variance, rho, prev
}

// refresh derives quick. It must be called after every change of the window,
// the long baseline or the width of the limits.
func (m *Model) refresh(s *State) {
	if int(s.win.n) < m.cfg.MinSamples {
		s.quick = quick{}
		return
	}
	var r reference
	m.refer(s, &r)
	q := &s.quick
	q.learnLo, q.learnHi = float32(r.med-winsorWindow*r.scale), float32(r.med+winsorWindow*r.scale)
	q.perSD, q.slow = float32(r.perSD), float32(r.slow)
	lo, hi := m.spikeLimits(&r)
	// Rounding must not let a score of 1 pass.
	const slack = 1e-9
	q.lo = math.Nextafter32(float32(lo+slack*(math.Abs(lo)+r.scale)), math.MaxFloat32)
	q.hi = math.Nextafter32(float32(hi-slack*(math.Abs(hi)+r.scale)), -math.MaxFloat32)
}

// spikeLimits are the limits of the strictest spike detector; without one,
// they are out of the way.
func (m *Model) spikeLimits(r *reference) (lo, hi float64) {
	lo, hi = -math.MaxFloat64, math.MaxFloat64
	for _, d := range m.spikes {
		l, h := d.limits(*r)
		lo, hi = max(lo, l), min(hi, h)
	}
	return lo, hi
}
