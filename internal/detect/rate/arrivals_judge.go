package rate

import "math"

// below is the standard normal deviate of n calls or fewer where mu are
// expected, above that of n or more, both with the index of dispersion d.
func below(n, mu, d float64) float64 {
	a := n/d + 1
	return 3 * math.Sqrt(a) * (math.Cbrt(mu/d/a) - 1 + 1/(9*a))
}

func above(n, mu, d float64) float64 {
	a := n / d
	return 3 * math.Sqrt(a) * (1 - 1/(9*a) - math.Cbrt(mu/d/a))
}

// arm sets the count of the newest bin at which a surge is possible.
func (m *Arrivals) arm(s *ArrivalState) {
	s.trigger = math.MaxUint32
	if !m.cfg.Surge || s.change != Steady || !s.ready() {
		return
	}
	low := math.Inf(1)
	for _, size := range scales {
		if s.now-size+1 < s.first {
			break
		}
		from := s.now - size + 1
		rate := s.rateAt(from)
		if rate == 0 {
			continue
		}
		need := max(m.cfg.SurgeRatio*rate*float64(size), surgeCalls) - s.sum(from, s.now)
		low = min(low, need)
	}
	s.trigger = uint32(min(max(math.Ceil(low), 1), math.MaxUint32))
}

// surge judges the windows that end with the newest bin. The newest bin is
// taken for complete, so that the number can only grow.
func (m *Arrivals) surge(s *ArrivalState, at int64) Signal {
	if s.change != Steady {
		return None
	}
	for k, size := range scales {
		from := s.now - size + 1
		if from < s.first {
			break
		}
		rate := s.rateAt(from)
		n, mu := s.sum(from, s.now+1), rate*float64(size)
		if mu == 0 || n < surgeCalls || n < m.cfg.SurgeRatio*mu {
			continue
		}
		d := s.spread(k, float64(size))
		if z := above(n, mu, d); z >= m.threshold(s, Surge) {
			s.rate = rate
			s.open(Surge, k, m.onset(s, Surge, from, s.now), s.now)
			return m.tell(s, at, n, mu, d, z)
		}
	}
	n := s.total[s.now%ringLen] - s.base
	s.trigger = n + 1 + n/8
	return None
}

// closed judges the windows of which no call is missing any more, and what is
// on, when a call at the time at has closed a bin.
func (m *Arrivals) closed(s *ArrivalState, at int64) Signal {
	end := s.now - m.delay // exclusive
	if !s.ready() || end-s.first < 1 {
		return None
	}
	if s.change != Steady {
		return m.follow(s, end, at)
	}
	if !m.cfg.Drop {
		return None
	}
	for k, size := range scales {
		from := end - size
		if from < s.first {
			break
		}
		rate := s.rateAt(from)
		n, mu := s.sum(from, end), rate*float64(size)
		if n > m.cfg.DropRatio*mu || mu < 1 {
			continue
		}
		d, z := m.drop(s, k, n, mu)
		if z >= m.threshold(s, Drop) {
			s.rate = rate
			s.open(Drop, k, m.onset(s, Drop, from, end-1), end)
			return m.tell(s, at, n, mu, d, z)
		}
	}
	return None
}

// threshold is the deviate that a change must reach in this series.
func (m *Arrivals) threshold(s *ArrivalState, c Change) float64 {
	return m.cfg.Threshold * (1 + s.doubt[c])
}

// onset is the beginning of the window from..last without the bins at its front
// that look normal.
func (m *Arrivals) onset(s *ArrivalState, c Change, from, last int64) int64 {
	for ; from < last && s.rate >= solid; from++ {
		if !m.normal(c, s.sum(from, from+1), s.rate) {
			break
		}
	}
	return from * bin
}

// normal reports that n calls are nearer to the expected mu than to what counts
// as a change.
func (m *Arrivals) normal(c Change, n, mu float64) bool {
	if c == Surge {
		return n <= mu*(1+m.cfg.SurgeRatio)/2
	}
	return n >= mu*(1+m.cfg.DropRatio)/2
}

// open begins an episode. What belongs to it is not learned.
func (s *ArrivalState) open(c Change, scale int, onset, after int64) {
	s.change, s.scale, s.onset, s.after, s.silent, s.told = c, uint8(scale), onset, after, false, 0
	s.trigger = math.MaxUint32
	s.worst.begin()
	s.doubt[c] = min(s.doubt[c]+doubtStep, maxDoubt)
	s.forget()
}

// close ends an episode; judging and learning go on with bin next.
func (s *ArrivalState) close(next int64) {
	s.change, s.told, s.silent = Steady, 0, false
	s.worst.close()
	s.first, s.learned = max(s.first, next), max(s.learned, next)
	s.forget()
}

// follow looks whether the episode is over, has become the normal state, or has
// become worse.
func (m *Arrivals) follow(s *ArrivalState, end, at int64) Signal {
	begin := max(s.onset/bin, s.first)
	s.silent = false
	// The shortest window that holds enough calls to end an episode of this size.
	k := max(int(s.scale)-1, 0)
	for k < numScales-1 && s.rate*float64(scales[k]) < solid {
		k++
	}
	size := scales[k]
	if end-size >= max(s.first, s.after) {
		if m.normal(s.change, s.sum(end-size, end), s.rate*float64(size)) {
			s.close(end - size)
			return Recovered
		}
	}
	if m.rebase(s, end) {
		return Rebased
	}
	size = scales[s.scale]
	if end-size < begin {
		return None
	}
	n, mu := s.sum(end-size, end), s.rate*float64(size)
	d, z := m.drop(s, int(s.scale), n, mu)
	if s.change == Surge {
		d = s.spread(int(s.scale), float64(size))
		z = above(max(n, 1), mu, d)
	}
	if sev := m.severity(s.change, n, mu, z); sev > s.told && sev >= High && z >= m.cfg.Threshold {
		return m.tell(s, at, n, mu, d, z)
	}
	return None
}

// rebase makes the rate of an episode the normal one when it has lasted. Silence
// never becomes normal: a series of which nothing comes is forgotten.
func (m *Arrivals) rebase(s *ArrivalState, end int64) bool {
	length := s.now*bin - s.onset
	bins := min(end-max(s.after, s.first), longest)
	if length < m.cfg.RebaseAfter || bins < rebaseBins {
		return false
	}
	n := s.sum(end-bins, end)
	if n < rebaseMin && (n == 0 || length/rebaseLate < m.cfg.RebaseAfter) {
		return false
	}
	s.rate, s.weight = n/float64(bins), float64(bins)
	s.close(end)
	return true
}

// severity follows the size of the change, one step up when the evidence is
// twice what an alarm needs.
func (m *Arrivals) severity(c Change, n, mu, z float64) uint8 {
	sev := uint8(Low)
	ratio := n / mu
	if c == Drop {
		ratio = mu / max(n, 1e-9)
	}
	switch {
	case ratio >= 10:
		sev = High
	case ratio >= 10./3:
		sev = Medium
	}
	if z >= 2*m.cfg.Threshold {
		sev++
	}
	return sev
}

// tell fills the report and decides whether it is news.
func (m *Arrivals) tell(s *ArrivalState, at int64, n, mu, d, z float64) Signal {
	sev := m.severity(s.change, n, mu, z)
	size := scales[s.scale]
	r := ArrivalReport{
		Change: s.change, Onset: s.onset, At: at, Calls: uint64(n), Window: size * bin, Expected: mu,
		Rate: n / float64(size), Normal: s.rate, Dispersion: d, Deviate: z,
	}
	if s.change == Drop {
		r.Limit = m.dropLimit(s, int(s.scale), mu)
	} else {
		r.Limit = m.limit(Surge, mu, d)
	}
	return m.news(s, sev, at, &r)
}

// limit is the number of calls in a window at which a change begins to count.
func (m *Arrivals) limit(c Change, mu, d float64) float64 {
	if c == Drop {
		low, high := 0., m.cfg.DropRatio*mu
		for range 40 {
			if mid := (low + high) / 2; below(mid, mu, d) >= m.cfg.Threshold {
				low = mid
			} else {
				high = mid
			}
		}
		return low
	}
	low := max(m.cfg.SurgeRatio*mu, surgeCalls)
	high := low
	for above(high, mu, d) < m.cfg.Threshold && high < math.MaxUint32 {
		high *= 2
	}
	for range 40 {
		if mid := (low + high) / 2; above(mid, mu, d) >= m.cfg.Threshold {
			high = mid
		} else {
			low = mid
		}
	}
	return high
}

func (m *Arrivals) news(s *ArrivalState, sev uint8, at int64, r *ArrivalReport) Signal {
	c := s.change
	if s.told == 0 && s.lastTold[c] > 0 && at-s.lastAlarm[c] < m.cfg.CoolDown && (sev <= s.lastTold[c] || sev < High) {
		s.told = s.lastTold[c]
		return Ongoing
	}
	s.told, s.lastTold[c], s.lastAlarm[c] = sev, sev, at
	r.Severity, r.Bins = sev, uint64(s.weight)
	r.Confidence = min(.99, 1-.5*math.Exp(-2*(r.Deviate/m.cfg.Threshold-1))) * s.weight / (s.weight + 4)
	s.report = *r
	return Alarm
}

// Untell takes back the alarm that was given last, when nobody was told of it:
// the episode alarms when it becomes high or critical, and so does another one
// within the cool-down.
func (s *ArrivalState) Untell() {
	s.lastTold[s.report.Change] = 0
	if s.change != Steady {
		s.told = Low
	}
}

// Silence judges that nothing comes, at the arrival time now. It says nothing
// about a stream that is not live: a replay and a backlog come when they come.
func (m *Arrivals) Silence(s *ArrivalState, now int64) Signal {
	if !m.cfg.Silence || s.live == 0 || s.now == 0 || s.change == Surge || !s.ready() || s.arrival-s.live < m.cfg.LiveAfter {
		return None
	}
	gap := now - s.arrival
	if gap < m.cfg.MinSilence || gap <= 0 || float64(gap)/1e9 < s.worst.gap {
		return None
	}
	bins := float64(gap) / float64(bin)
	k, d := s.spreadOf(bins)
	mu := s.rate * bins
	need := m.rare
	if s.change == Steady { // the logarithm of p goes with the square of z
		need *= (1 + s.doubt[Drop]) * (1 + s.doubt[Drop])
	}
	if mu/d < need && m.longer(s, float64(gap)/1e9) {
		d = s.own(k, bins)
	}
	rare := mu / d
	if rare < need {
		return None
	}
	shape := s.shape()
	if rare = min(rare, math.Pow(mu*math.Gamma(1+1/shape), shape)); rare < need {
		return None
	}
	sev := uint8(High)
	if rare >= 2*m.rare && gap >= 10*bin {
		sev = Critical
	}
	if s.change == Drop && sev <= s.told {
		return None
	}
	if s.change != Drop {
		s.open(Drop, k, s.last, s.now+1)
	}
	s.silent = true
	at := s.last + gap
	r := ArrivalReport{
		Change: Drop, Silent: true, Onset: s.last, At: at, Window: gap, Expected: mu, Normal: s.rate,
		Limit: m.limit(Drop, mu, d), Dispersion: d, Deviate: m.cfg.Threshold * math.Sqrt(rare/m.rare),
	}
	return m.news(s, sev, at, &r)
}

// spreadOf is the spread of a window of any length, between those of the two
// nearest lengths, and the shorter one of these.
func (s *ArrivalState) spreadOf(bins float64) (k int, d float64) {
	for k < numScales-1 && float64(scales[k+1]) <= bins {
		k++
	}
	d = s.spread(k, bins)
	if size := float64(scales[k]); k < numScales-1 && bins > size {
		d *= math.Pow(s.dispersion(k+1)/s.dispersion(k), math.Log(bins/size)/math.Log(float64(scales[k+1])/size))
	}
	return k, d
}

// Normal is the expected number of calls in a minute.
func (s *ArrivalState) Normal() float64 { return s.rate }

// Report describes what the last [Alarm] was about.
func (s *ArrivalState) Report() ArrivalReport { return s.report }
