// Package burst finds bursts of a property that an item either has or has not:
// a refusal, a failed evaluation, personal data in a prompt. It compares the
// share of items that have it with what is normal for the series. There is no
// clock, no goroutine and no randomness.
//
// # Rule
//
// The baseline is a Beta distribution of the share: hits and misses seen so far
// with a memory of about 2000 items, and half a hit and half a miss to begin
// with (Jeffreys). The newest 32 to 63 items are not part of it, nor are those
// of a burst. At each hit the times since the 4th, 6th, 8th, 12th, 16th, 24th
// and 32nd last hit, counted in items, are judged: that m items after a hit
// hold k or more further hits has under the baseline the tail probability of
// the Beta-Binomial distribution (Skellam 1948), which accounts for a baseline
// of few items. One of the seven below FalseAlarm / 7 (Bonferroni) is a burst,
// if the share in the window is also above the normal one by MinExcess.
//
// A burst is told once, and once more when it becomes critical. It ends after
// 64 items without a significant window, or becomes the new normal after 1024.
// The hits of a burst that has ended are no part of the next one.
package burst

import (
	"fmt"
	"math"
)

// Defaults of [Config].
const (
	DefaultFalseAlarm = 1e-6
	DefaultMinExcess  = .05
	DefaultMinHits    = 4
)

const (
	// block is the number of items that are learned together; the baseline lags
	// by one to two blocks.
	block = 32
	// minBaseline is the number of items that the baseline needs.
	minBaseline = 32
	// memory is the number of items after which what was learned counts for a
	// share of 1/e.
	memory = 2048
	// ringSize is the number of latest hits that are kept.
	ringSize = 32
	// calmAfter and rebaseAfter are the numbers of items after which a burst has
	// ended, and after which it is normal.
	calmAfter   = 64
	rebaseAfter = 1024
	// maxTerms bounds the work on one tail probability.
	maxTerms = 4096
)

// windows are the numbers of hits, the newest included, that are judged.
var windows = [...]int{4, 6, 8, 12, 16, 24, 32}

// Config tunes a [Detector]. The zero value stands for the defaults.
type Config struct {
	// FalseAlarm is the probability that a normal hit is taken for a burst,
	// 1e-15..0.01. Default 1e-6.
	FalseAlarm float64
	// MinExcess is the smallest difference between the share in a burst and the
	// normal one, 0..1. Default .05.
	MinExcess float64
	// MinHits is the least number of hits in a burst, 4..32. Default 4.
	MinHits int
}

// Detector judges series. It is immutable and safe for concurrent use.
type Detector struct {
	cfg   Config
	alpha float64
}

// New returns a detector.
func New(c Config) (*Detector, error) {
	if c.FalseAlarm == 0 {
		c.FalseAlarm = DefaultFalseAlarm
	}
	if c.MinExcess == 0 {
		c.MinExcess = DefaultMinExcess
	}
	if c.MinHits == 0 {
		c.MinHits = DefaultMinHits
	}
	switch {
	case !(c.FalseAlarm >= 1e-15 && c.FalseAlarm <= .01):
		return nil, fmt.Errorf("false_alarm must be in 1e-15..0.01, got %v", c.FalseAlarm)
	case !(c.MinExcess > 0 && c.MinExcess <= 1):
		return nil, fmt.Errorf("min_excess must be above 0 and at most 1, got %v", c.MinExcess)
	case c.MinHits < DefaultMinHits || c.MinHits > ringSize:
		return nil, fmt.Errorf("min_hits must be in %d..%d, got %d", DefaultMinHits, ringSize, c.MinHits)
	}
	return &Detector{cfg: c, alpha: c.FalseAlarm / float64(len(windows))}, nil
}

// State is what is kept of one series. The zero value is a new series.
type State struct {
	items uint64
	// baseN and baseHits are the baseline; pending are the two newest blocks,
	// the older first.
	baseN, baseHits float64
	pending         [2]pending
	// hits is the number of hits since the last burst that ended, or of all.
	hits  uint64
	burst burst
	// ring holds the latest hits, as positions in the series and event times.
	ring [ringSize]hit
}

type pending struct{ n, hits uint8 }

type hit struct {
	item uint64
	at   int64
}

// burst is what goes on; told is the highest severity told, 0 for no burst.
type burst struct {
	told        uint8
	start, last uint64 // items
	hits        uint64 // value of State.hits at start
	onset       int64
}

// Severities of a verdict, ordered as those of an anomaly.
const (
	Low uint8 = iota + 1
	Medium
	High
	Critical
)

// End says that a burst that was told is over.
type End uint8

const (
	// Recovered says that the share of hits is back.
	Recovered End = iota + 1
	// Rebased says that the share has lasted so long that it is the normal one.
	Rebased
)

// Verdict is what there is to tell about an item.
type Verdict struct {
	// End is set by the item with which a burst ends, unless another one begins
	// with it. The other fields have no meaning then, but for Normal.
	End      End
	Severity uint8
	// Share is that of hits in the window of Hits hits and Items items; Normal
	// is the expected share, Limit the share from which on the window would be
	// a burst.
	Share, Normal, Limit float64
	Hits, Items          int
	// P is the tail probability, at least 1e-300.
	P float64
	// Onset is the event time of the first hit of the window, unix ns.
	Onset int64
	// Samples is the number of items that the baseline rests on.
	Samples uint64
}

// Items is the number of items seen.
func (s *State) Items() uint64 { return s.items }

// InBurst reports whether a burst goes on.
func (s *State) InBurst() bool { return s.burst.told != 0 }

// Learn counts an item without judging it.
func (d *Detector) Learn(s *State, at int64, isHit bool) { s.count(at, isHit) }

// Observe counts an item with event time at (unix ns) and judges it. It reports
// whether there is something to tell of a burst; when there is not, the End of v
// may tell that one is over.
func (d *Detector) Observe(s *State, at int64, isHit bool) (v Verdict, news bool) {
	s.count(at, isHit)
	if s.burst.told != 0 {
		v.End = s.settle()
		v.Normal = (s.baseHits + .5) / (s.baseN + 1)
	}
	if !isHit || s.baseN < minBaseline || s.hits < uint64(d.cfg.MinHits) {
		return v, false
	}
	if hit, news := d.hit(s); news {
		return hit, true
	}
	return v, false
}

// hit judges the newest item, which is a hit.
func (d *Detector) hit(s *State) (v Verdict, news bool) {
	b := &s.burst
	if !d.judge(s, &v) {
		return v, false
	}
	if b.told == 0 {
		*b = burst{start: s.items, hits: s.hits, onset: v.Onset}
	}
	b.last = s.items
	if b.told == 0 || v.Severity > b.told && v.Severity == Critical {
		b.told = v.Severity
		v.Onset = b.onset
		v.Limit = max(v.Normal+d.cfg.MinExcess, d.limit(uint64(v.Items), s.baseHits+.5, s.baseN-s.baseHits+.5))
		return v, true
	}
	return v, false
}

// count adds an item.
func (s *State) count(at int64, isHit bool) {
	p := &s.pending[1]
	p.n++
	if isHit {
		p.hits++
		s.ring[s.hits%ringSize] = hit{s.items, at}
		s.hits++
	}
	s.items++
	if p.n < block {
		return
	}
	if old := s.pending[0]; s.burst.told == 0 && old.n > 0 {
		const keep = 1 - float64(block)/memory
		s.baseN = s.baseN*keep + float64(old.n)
		s.baseHits = s.baseHits*keep + float64(old.hits)
	}
	s.pending[0], *p = *p, pending{}
}

// settle ends a burst that is over, or makes it the normal state.
func (s *State) settle() End {
	b := &s.burst
	switch n := s.items - b.start; {
	case s.items-b.last > calmAfter:
		// What waits to be learned is part of the burst still.
		*b, s.pending = burst{}, [2]pending{}
		s.forget()
		return Recovered
	case n >= rebaseAfter:
		s.baseN, s.baseHits = float64(n), float64(min(s.hits-b.hits, n))
		*b, s.pending = burst{}, [2]pending{}
		return Rebased
	}
	return 0
}

// forget drops all hits but that of the newest item: else a long window that
// reaches back into a burst that has ended would tell it once more.
func (s *State) forget() {
	newest := s.ring[(s.hits-1)%ringSize]
	s.hits = 0
	if newest.item == s.items-1 {
		s.ring[0], s.hits = newest, 1
	}
}

// judge finds the most significant window that ends with the newest hit.
func (d *Detector) judge(s *State, v *Verdict) bool {
	a, b := s.baseHits+.5, s.baseN-s.baseHits+.5
	normal := a / (a + b)
	v.P = 1
	for _, k := range windows {
		if k < d.cfg.MinHits || uint64(k) > s.hits {
			continue
		}
		first := &s.ring[(s.hits-uint64(k))%ringSize]
		items := s.items - first.item
		share := float64(k) / float64(items)
		if share < normal+d.cfg.MinExcess {
			continue
		}
		if p := tail(items-1, uint64(k-1), a, b); p < v.P {
			*v = Verdict{P: p, Share: share, Hits: k, Items: int(items), Onset: first.at}
		}
	}
	if v.P >= d.alpha {
		return false
	}
	v.P = max(v.P, 1e-300)
	v.Normal, v.Samples = normal, uint64(s.baseN)
	v.Severity = severity(math.Log(v.P)/math.Log(d.alpha), v.Share)
	return true
}

// limit is the share of hits in a window of that many items that would be just
// significant.
func (d *Detector) limit(items uint64, a, b float64) float64 {
	lo, hi := uint64(0), items // tail(lo) >= alpha > tail(hi)
	for hi-lo > 1 {
		if mid := (lo + hi) / 2; tail(items, mid, a, b) < d.alpha {
			hi = mid
		} else {
			lo = mid
		}
	}
	return float64(hi) / float64(items)
}

// severity grows with the evidence (1 is the threshold) and the share of items
// that are affected.
func severity(score, share float64) uint8 {
	switch {
	case score >= 3 && share >= .8:
		return Critical
	case score >= 1.5 && share >= .3:
		return High
	case score >= 1.2 || share >= .3:
		return Medium
	}
	return Low
}

// tail is the probability that k or more of n items are hits when their number
// has a Beta-Binomial distribution with parameters a and b.
func tail(n, k uint64, a, b float64) float64 {
	if k == 0 {
		return 1
	}
	if k > n {
		return 0
	}
	N, j := float64(n), float64(k)
	term := math.Exp(logChoose(N, j) + logBeta(j+a, N-j+b) - logBeta(a, b))
	sum := term
	for range maxTerms {
		if j >= N || term < sum*1e-12 && j > N*a/(a+b) {
			break
		}
		term *= (N - j) / (j + 1) * (j + a) / (N - j - 1 + b)
		j++
		sum += term
	}
	return min(sum, 1)
}

func logChoose(n, k float64) float64 { return lgamma(n+1) - lgamma(k+1) - lgamma(n-k+1) }

func logBeta(a, b float64) float64 { return lgamma(a) + lgamma(b) - lgamma(a+b) }

func lgamma(x float64) float64 {
	v, _ := math.Lgamma(x)
	return v
}
