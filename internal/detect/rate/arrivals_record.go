package rate

import "math"

const (
	// What a series has not shown in a week is news: a fall fallNews times as deep
	// as the deepest, or a gap gapNews times as long as the longest. Both exceed e,
	// so that what comes once a week never is.
	fallNews, gapNews, recordMemory = 4, 3, 7 * 1440
	// recordWindows is the fewest windows of the longest kind, about a day,
	// before the record means anything: it has to know the night.
	recordWindows = 22
	// ownCalls is the number of expected calls from which on windows show how
	// uneven calls are.
	ownCalls = 5
	// habit is the number of long gaps that it takes, about, to become usual, and
	// habitMemory how long one is remembered in bins until the next comes.
	habit, habitMemory = 8, 1440
	// maxFall bounds what is kept, and maxPause (a long weekend, in seconds) what
	// can be a pause.
	maxFall, maxPause = (1 + math.MaxUint32) * longest, 3 * 86400
)

// record is the worst that a series has shown without a mark. The dispersion of
// long windows cannot tell a stop from the rhythm of the day, this can.
type record struct {
	// fall is the largest factor by which windows of each length fell short of
	// their forecast.
	fall [numScales]float64
	// gap is the longest gap between calls, told the longest one of an episode,
	// and open that of the episode that is on, all in seconds.
	gap, told, open float64
	// fresh and ripe are the longest gaps of the last hours, which may turn out to
	// belong to an episode.
	fresh, ripe float64
}

// fall is the factor by which n calls are fewer than mu.
func fall(n, mu float64) float64 { return (mu + 1) / (n + 1) }

// pause notes a gap between two calls.
func (r *record) pause(gap float64, c Change) {
	gap = min(gap, maxPause)
	if c == Drop {
		r.open = max(r.open, gap)
	} else {
		r.fresh = max(r.fresh, gap)
	}
}

// begin begins an episode: what is not learned yet may belong to it.
func (r *record) begin() { r.fresh, r.ripe = 0, 0 }

// close ends an episode. One long gap is an incident; of the next ones a part is
// learned, until they are a habit.
func (r *record) close() {
	r.gap += max(0, min(r.told, r.open)-r.gap) / habit
	r.told = max(r.told, r.open)
	r.open = 0
}

// fade forgets by a bin, of which now is the next.
func (r *record) fade(now int64) {
	if now%longest == 0 {
		r.gap = max(r.gap, r.ripe)
		r.ripe, r.fresh = r.fresh, 0
	}
	const keep = 1 - 1./recordMemory
	for k := range r.fall {
		r.fall[k] *= keep
	}
	r.gap *= keep
	r.told *= 1 - 1./habitMemory
}

// recorded reports that the record is long enough to judge by.
func (s *ArrivalState) recorded() bool { return s.disp[numScales-1].n >= recordWindows }

// pausing is the number of the mu calls expected in a window that are missing
// where it holds the longest pause, as far as the rate itself does not explain
// that pause.
func (m *Arrivals) pausing(s *ArrivalState, mu float64) float64 {
	return min(mu, max(0, s.rate*s.worst.gap*1e9/float64(bin)-m.rare))
}

// deeper reports that n calls are fewer than a window of this length has ever
// held, by a factor.
func (m *Arrivals) deeper(s *ArrivalState, k int, n, mu float64) bool {
	return s.recorded() && fall(n, mu) >= fallNews*(1+s.doubt[Drop])*max(s.worst.fall[k], 1)
}

// longer reports that the series has never paused for nearly as long, by a
// factor.
func (m *Arrivals) longer(s *ArrivalState, gap float64) bool {
	return s.recorded() && gap >= gapNews*(1+s.doubt[Drop])*s.worst.gap
}

// drop is the evidence for a drop in a window of length k, and the dispersion that
// it rests on.
func (m *Arrivals) drop(s *ArrivalState, k int, n, mu float64) (d, z float64) {
	size := float64(scales[k])
	d = s.spread(k, size)
	if rest := mu - m.pausing(s, mu); n < m.cfg.DropRatio*rest {
		z = below(n, rest, d)
	}
	if z < m.threshold(s, Drop) && m.deeper(s, k, n, mu) {
		d = s.own(k, size)
		z = below(n, mu, d)
	}
	return d, z
}

// dropLimit is the number of calls in a window of length k at which a drop begins
// to count.
func (m *Arrivals) dropLimit(s *ArrivalState, k int, mu float64) float64 {
	size := float64(scales[k])
	limit := m.limit(Drop, mu-m.pausing(s, mu), s.spread(k, size))
	if s.recorded() {
		deep := (mu+1)/(fallNews*max(s.worst.fall[k], 1)) - 1
		limit = max(limit, min(deep, m.limit(Drop, mu, s.own(k, size))))
	}
	return limit
}

// own is the spread of a window of n bins if it were no more uneven than the
// shortest windows that hold enough calls to show it, and at most as much as
// those of length k: without what makes forecasts of long windows wrong.
func (s *ArrivalState) own(k int, n float64) float64 {
	j := 0
	for j < k && s.rate*float64(scales[j]) < ownCalls {
		j++
	}
	return s.dispersion(j) * (1 + n/s.weight)
}
