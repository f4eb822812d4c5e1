package rate

import "math"

const (
	// bin is the width of a count, in nanoseconds.
	bin = int64(60e9)
	// ringLen is the number of bins that are kept, a power of two that holds the
	// longest window behind the longest delays.
	ringLen   = 128
	numScales = 4
	longest   = 64
	// learnLag is the age in bins at which a bin is learned.
	learnLag = 16
	// minBins is the fewest bins, and minCalls the fewest learned calls, before
	// anything is judged.
	minBins, minCalls = 20, 20
	// surgeCalls is the fewest calls in the window of a surge.
	surgeCalls = 20
	// The memory of the rate: calls, and bounds in bins.
	rateCalls, minMemory, maxMemory = 256, 60, 1440
	// The index of dispersion: that of a fresh series, how much more uneven longer
	// windows of it are, what both count for, the memory in windows, and the
	// smallest (Weibull gaps as measured on a public trace have 1.2).
	freshDispersion, longerDispersion, freshWindows, dispersionMemory, minDispersion = 3, 1.5, 8, 128, 1.2
	// The memory for gaps in calls, the squared coefficient of variation of those
	// of a fresh series and the calls that it counts for, and how many times the
	// mean a gap counts at most.
	gapMemory, freshGap, freshGaps, maxGap = 512, 1.5, 16, 40
	// clip bounds what one bin or window can teach, in standard deviations.
	clip = 4
	// solid is the number of expected calls in a window that can end an episode.
	solid = 10
	// liveWithin is how far behind its arrival the event time of a live call may
	// lie, in nanoseconds.
	liveWithin = int64(60e9)
	// A series that alarms often gets wider limits: by doubtStep for each episode,
	// at most maxDoubt, forgotten over doubtMemory bins (a week).
	doubtStep, maxDoubt, doubtMemory = .5, 2, 7 * 1440
	// rebaseBins and rebaseMin are the fewest bins and calls behind a new normal
	// rate. After rebaseLate times the usual length one call will do.
	rebaseBins, rebaseMin, rebaseLate = 30, 10, 24
)

// scales are the lengths of the windows, in bins.
var scales = [numScales]int64{1, 4, 16, longest}

// Change says how the number of calls has changed.
type Change uint8

// Changes. A silence is a drop without any call.
const (
	Steady Change = iota
	Drop
	Surge
)

// ArrivalState is what is kept of one series. The zero value is a series of
// which nothing is known.
type ArrivalState struct {
	// now is the number of the newest bin, 0 before the first call; first that of
	// the oldest bin that was counted in full, learned the next to be learned.
	now, first, learned int64
	// total is the number of calls up to the end of each bin, so that the sum of
	// a window is a difference. It may wrap; differences do not mind.
	total [ringLen]uint32
	// base is the total before the newest bin, trigger the count of that bin at
	// which to look for a surge.
	base, trigger uint32

	// rate is the expected number of calls in a bin, weight the bins behind it
	// and calls those behind it with the same memory.
	rate, weight float64
	// past is the rate as it was when a block of bins began, by block. A long
	// window is compared with the rate before it, of which it is no part yet.
	past  [ringLen / learnLag]float64
	disp  [numScales]dispersion
	worst record // without an alarm

	// The mean of the gaps between calls and of their squares, in seconds, and
	// the number of gaps behind them.
	gap, gap2, gaps float64
	// The last call, and since when the stream has been live: arrival time, 0
	// when it is not.
	last, arrival, live int64
	// held is the time of a call that is far ahead of the last one and that no
	// second call has confirmed yet, else 0.
	held int64

	// The episode: what, since when, at which window length, how severe it was
	// told.
	change Change
	onset  int64
	// after is the first bin that can show that it is over.
	after     int64
	scale     uint8
	told      uint8
	silent    bool
	lastAlarm [Surge + 1]int64
	lastTold  [Surge + 1]uint8
	// doubt widens the limits, by change: threshold times 1 + doubt.
	doubt  [Surge + 1]float64
	report ArrivalReport
}

// dispersion learns how far windows of one length are from their forecast.
type dispersion struct {
	// sum of squared errors over expected numbers, of n windows.
	sum, n float64
	// rate is the forecast for the window that is being filled.
	rate float64
}

// ArrivalReport describes a change. Rates are calls in a minute.
type ArrivalReport struct {
	Change   Change
	Silent   bool
	Severity uint8
	// Onset is the event time at which it began, At that of the call that showed
	// it; of a silence, the time that has passed since the last call is added.
	Onset, At int64
	// Calls came in Window nanoseconds, where Expected were expected and Limit
	// would have been tolerated.
	Calls           uint64
	Window          int64
	Expected, Limit float64
	// Rate and Normal are observed and expected calls in a minute.
	Rate, Normal float64
	// Dispersion is the index of dispersion of windows of this length.
	Dispersion float64
	// Deviate is the evidence as a standard normal deviate.
	Deviate float64
	// Bins is the number of minutes behind Normal.
	Bins uint64
	// Confidence in [0, 1) ranks reports; it is no probability.
	Confidence float64
}

// Observe counts a call that ended at the event time at and arrived at the time
// arrival. When the signal is [Alarm], Report describes what was found.
func (m *Arrivals) Observe(s *ArrivalState, at, arrival int64) Signal {
	b := at / bin
	if b == s.now && b > 0 {
		c := &s.total[b%ringLen]
		*c++
		s.seen(at, arrival)
		if *c-s.base < s.trigger {
			return None
		}
		return m.surge(s, at)
	}
	switch {
	case b <= 0:
		return None
	case b < s.now:
		m.Learn(s, at)
		return None
	}
	// One wrong clock must not close windows that others still fill. The clock
	// of a live call of a live stream is right.
	if at-s.last > max(m.cfg.Lateness, bin) && (s.live == 0 || !isLive(at, arrival)) {
		first := s.held
		s.held = at
		if first == 0 || at < first-m.cfg.Lateness {
			return None
		}
		s.held = 0
		return either(m.count(s, min(first, at), arrival), m.count(s, max(first, at), arrival))
	}
	s.held = 0
	return m.count(s, at, arrival)
}

// either is the signal to return of two: an alarm, else the later one.
func either(a, b Signal) Signal {
	if a == Alarm || b == None {
		return a
	}
	return b
}

// count counts a call whose time is believed.
func (m *Arrivals) count(s *ArrivalState, at, arrival int64) (sig Signal) {
	b := at / bin
	switch {
	case b < s.now:
		m.Learn(s, at)
		return None
	case s.now == 0:
		s.begin(b, b+1)
	case b > s.now:
		sig = m.advance(s, at)
	}
	s.total[b%ringLen]++
	s.seen(at, arrival)
	if sig == None && s.total[b%ringLen]-s.base >= s.trigger {
		sig = m.surge(s, at)
	}
	return sig
}

// Learn counts a call that is late and not to be judged: in its own bin, as
// long as that is not learned.
func (m *Arrivals) Learn(s *ArrivalState, at int64) {
	b := at / bin
	if at <= 0 || b < s.first || b < s.learned || b > s.now {
		return
	}
	if b < s.now {
		s.base++
	}
	for ; b <= s.now; b++ {
		s.total[b%ringLen]++
	}
}

// begin starts counting with bin b, of which it is known whether all its calls
// are seen: first is the first bin of which they are.
func (s *ArrivalState) begin(b, first int64) {
	s.now, s.first, s.learned = b, first, first
	s.total, s.base = [ringLen]uint32{}, 0
	s.trigger = math.MaxUint32
	s.forget()
}

// known is the rate, 0 while that is not known well.
func (s *ArrivalState) known() float64 {
	if s.weight < minBins/2 {
		return 0
	}
	return s.rate
}

// rateAt is the rate as it was known when a window began with bin from, 0 when
// it was not.
func (s *ArrivalState) rateAt(from int64) float64 {
	if s.now-from <= learnLag {
		return s.rate
	}
	return s.past[from/learnLag%int64(len(s.past))]
}

// forget gives up the windows that are being filled for the dispersion, and what
// the rate was.
func (s *ArrivalState) forget() {
	for i := range s.past {
		s.past[i] = s.known()
	}
	for i := range s.disp {
		s.disp[i].rate = 0
	}
}

func isLive(at, arrival int64) bool { return arrival-at <= liveWithin && at-arrival <= liveWithin }

// seen notes the newest call and whether it is live.
func (s *ArrivalState) seen(at, arrival int64) {
	if at < s.last {
		return
	}
	if s.last != 0 {
		gap := float64(at-s.last) / 1e9
		if s.change == Steady {
			s.learnGap(gap)
		}
		s.worst.pause(gap, s.change)
	}
	s.last = at
	if !isLive(at, arrival) {
		s.live = 0
		return
	}
	s.arrival = arrival
	if s.live == 0 {
		s.live = arrival
	}
}

// advance closes the bins before that of at.
func (m *Arrivals) advance(s *ArrivalState, at int64) (sig Signal) {
	b := at / bin
	silent := s.silent || b-s.now > rebaseBins
	// What is later than all windows tells nothing new.
	end := min(b, s.now+longest+learnLag)
	for s.now < end {
		s.base = s.total[s.now%ringLen]
		s.now++
		s.total[s.now%ringLen] = s.base
		if s.now%learnLag == 0 {
			s.past[s.now/learnLag%int64(len(s.past))] = s.known()
		}
		for c := range s.doubt {
			s.doubt[c] *= 1 - 1./doubtMemory
		}
		s.worst.fade(s.now)
		m.learn(s)
		sig = either(sig, m.closed(s, at))
	}
	if end < b {
		s.begin(b, b)
	}
	if silent && s.change == Drop {
		s.after = b // the silence is no part of a new normal
	}
	m.arm(s)
	return sig
}
