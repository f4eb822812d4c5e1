package rate

import (
	"errors"
	"fmt"
	"math"
)

// Severities of this package, in the order and with the numbers of
// anomaly.Severity.
const (
	Low = iota + 1
	Medium
	High
	Critical
)

const (
	// alternatives is the number of rates that are tested for.
	alternatives = 4
	// priorWeight is the number of calls that the prior counts for.
	priorWeight = 100
	// memory is the number of calls that the baseline remembers, prior included.
	memory = 2000
	// block is the number of calls that are learned together, and largeBlock that
	// once the memory is full.
	block, largeBlock = 32, 128
	// stuck is the number of calls after which a suspicion that leads to nothing
	// is learned.
	stuck = 2048
	// minNull and maxNull bound the rate that the test takes for normal.
	minNull, maxNull = .001, .98
	// highest is the largest alternative.
	highest = .9
	// recoverAt is ln(1000), the evidence that an episode is over.
	recoverAt = 6.9
	// rebaseCalls is the fewest calls of an episode that make a new normal, and
	// rebaseWeight what they count for: little, so that a later recovery is
	// learned soon.
	rebaseCalls, rebaseWeight = 100, 200
)

// ErrorConfig of [Errors]. The zero value is not valid, see [DefaultErrorConfig].
type ErrorConfig struct {
	// PriorRate is the share of failed calls that is expected of a series of
	// which nothing is known, in (0, .5].
	PriorRate float64
	// FalseAlarms bounds the alarms for each call without cause, in [1e-12, .01].
	FalseAlarms float64
	// MinRequests is the fewest calls since the onset that an alarm rests on,
	// 1..10000.
	MinRequests int
	// MinIncrease is the smallest increase of the rate that is looked for, in
	// (0, .5]: .02 is 2 percentage points. The odds must at least double, too.
	MinIncrease float64
	// RebaseAfter is the length of an episode, in nanoseconds of event time,
	// after which its rate becomes the normal one; above 0.
	RebaseAfter int64
	// CoolDown is the event time in nanoseconds after an alarm in which a new
	// episode alarms only if it is worse and high or critical. 0 means none.
	CoolDown int64
}

// DefaultErrorConfig returns the defaults of the package documentation.
func DefaultErrorConfig() ErrorConfig {
	return ErrorConfig{PriorRate: .01, FalseAlarms: 1e-6, MinRequests: 5, MinIncrease: .02, RebaseAfter: 3600e9, CoolDown: 300e9}
}

// Errors finds increases of the share of failed calls. It is immutable.
type Errors struct {
	cfg   ErrorConfig
	limit float64
}

// NewErrors checks the configuration. The error names field and value.
func NewErrors(cfg ErrorConfig) (*Errors, error) {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if !(cfg.PriorRate > 0 && cfg.PriorRate <= .5) {
		bad("prior_rate must be above 0 and at most 0.5, got %v", cfg.PriorRate)
	}
	if !(cfg.FalseAlarms >= 1e-12 && cfg.FalseAlarms <= .01) {
		bad("false_alarms must be in 1e-12..0.01, got %v", cfg.FalseAlarms)
	}
	if cfg.MinRequests < 1 || cfg.MinRequests > 10_000 {
		bad("min_requests must be in 1..10000, got %d", cfg.MinRequests)
	}
	if !(cfg.MinIncrease > 0 && cfg.MinIncrease <= .5) {
		bad("min_increase must be above 0 and at most 0.5, got %v", cfg.MinIncrease)
	}
	if cfg.RebaseAfter <= 0 {
		bad("rebase_after must be above 0, got %d ns", cfg.RebaseAfter)
	}
	if cfg.CoolDown < 0 {
		bad("cool_down must be 0 or above, got %d ns", cfg.CoolDown)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return &Errors{cfg: cfg, limit: math.Log(alternatives / cfg.FalseAlarms)}, nil
}

// Signal is what an observation has led to.
type Signal uint8

// Signals. Ongoing marks a failed call of an episode that was told already.
const (
	None Signal = iota
	Ongoing
	Alarm
	Recovered
	Rebased
)

// cusum is one sum and the window behind it.
type cusum struct {
	sum           float64
	at            int64
	failed, calls uint32
}

// ErrorState is what is kept of one series. The zero value is not usable, see
// [Errors.NewState].
type ErrorState struct {
	// failed and calls are the baseline; it begins with those of the prior.
	failed, calls float64
	// Not learned yet.
	waitFailed, waitCalls uint32
	// hot is set while a sum is above 0.
	hot, on bool
	told    uint8
	// null is the rate that the test takes for normal, up and down are the steps
	// of the sums.
	null     float64
	up, down [alternatives]float64
	sums     [alternatives]cusum

	// The episode: its window and the evidence that it is over against the rate
	// worst.
	window    cusum
	threshold float64
	worst     float64
	// lastAlarm is the time of the last alarm and lastTold its severity.
	lastAlarm int64
	lastTold  uint8
	// kinds is nil until a call fails.
	kinds *kinds
}

// NewState returns the state of a series of which nothing is known.
func (m *Errors) NewState() *ErrorState {
	s := &ErrorState{failed: m.cfg.PriorRate * priorWeight, calls: priorWeight}
	m.refresh(s)
	return s
}

// mean is the expected rate.
func (s *ErrorState) mean() float64 { return s.failed / s.calls }

// refresh derives the test from the baseline.
func (m *Errors) refresh(s *ErrorState) {
	p := s.mean()
	p += math.Sqrt(p * (1 - p) / (s.calls + 1))
	p = min(max(p, minNull), maxNull)
	s.null = p
	q := p + m.cfg.MinIncrease
	if q >= 1 { // it cannot get worse
		s.up, s.down = [alternatives]float64{}, [alternatives]float64{}
		s.sums, s.hot = [alternatives]cusum{}, false
		return
	}
	low := max(2*p/(1-p), q/(1-q))
	high := max(highest/(1-highest), low)
	step := math.Cbrt(high / low)
	for j := range alternatives {
		p1 := low / (1 + low)
		s.up[j], s.down[j] = math.Log(p1/p), math.Log((1-p1)/(1-p))
		low *= step
	}
}

// Observe judges a call and learns from it; only a failed call alarms. kind says how a call failed, for
// example "429"; it may be empty, and is copied when it is kept.
func (m *Errors) Observe(s *ErrorState, at int64, failed bool, kind string) Signal {
	if !failed && !s.hot && !s.on {
		s.waitCalls++
		if s.waitCalls >= s.block() {
			m.learn(s)
		}
		return None
	}
	if failed {
		if s.kinds == nil {
			s.kinds = &kinds{}
		}
		s.kinds.add(kind, s.on)
	}
	if s.on {
		return m.episode(s, at, failed)
	}
	s.waitCalls++
	if failed {
		s.waitFailed++
	}
	peak, best := m.step(s, at, failed)
	if best >= 0 {
		return m.open(s, at, best)
	}
	s.hot = peak > 0
	if s.waitCalls >= s.block() && peak < m.limit/3 || s.waitCalls >= stuck {
		m.learn(s)
	}
	return None
}

// step moves the sums. It returns the largest, and that which alarms or -1.
func (m *Errors) step(s *ErrorState, at int64, failed bool) (peak float64, best int) {
	best = -1
	for j := range s.sums {
		c := &s.sums[j]
		if c.sum == 0 {
			if !failed {
				continue
			}
			*c = cusum{at: at}
		}
		c.calls++
		if failed {
			c.failed++
			c.sum += s.up[j]
		} else {
			c.sum = max(0, c.sum+s.down[j])
		}
		peak = max(peak, c.sum)
		if failed && c.sum >= m.limit && int(c.calls) >= m.cfg.MinRequests && (best < 0 || c.sum > s.sums[best].sum) {
			best = j
		}
	}
	return peak, best
}

// Learn takes a call into the baseline that is not judged.
func (m *Errors) Learn(s *ErrorState, failed bool) {
	if s.on {
		return
	}
	s.waitCalls++
	if failed {
		s.waitFailed++
	}
	if s.waitCalls >= s.block() && !s.hot {
		m.learn(s)
	}
}

// block is the number of calls to learn together.
func (s *ErrorState) block() uint32 {
	if s.calls < memory {
		return block
	}
	return largeBlock
}

func (m *Errors) learn(s *ErrorState) {
	// A rate that has fallen by far is learned soon: the old one counts less.
	if expected := s.mean() * float64(s.waitCalls); expected >= 5 && 4*float64(s.waitFailed) <= expected && s.calls > priorWeight {
		s.failed *= priorWeight / s.calls
		s.calls = priorWeight
	}
	s.failed += float64(s.waitFailed)
	s.calls += float64(s.waitCalls)
	s.waitFailed, s.waitCalls = 0, 0
	if s.calls > memory {
		s.failed *= memory / s.calls
		s.calls = memory
	}
	m.refresh(s)
}

func (m *Errors) open(s *ErrorState, at int64, best int) Signal {
	c := s.sums[best]
	s.on, s.hot = true, false
	s.window = cusum{at: c.at, failed: c.failed, calls: c.calls}
	// The failed calls among as many that would have reached the limit.
	need := (m.limit - float64(c.calls)*s.down[best]) / (s.up[best] - s.down[best])
	s.threshold = min(need/float64(c.calls), 1)
	s.kinds.begin(c.failed)
	s.worsen()
	s.sums = [alternatives]cusum{}
	s.waitFailed, s.waitCalls, s.told = 0, 0, 0
	sev := s.severity()
	if s.lastTold > 0 && at-s.lastAlarm < m.cfg.CoolDown && (sev <= s.lastTold || sev < High) {
		s.told = s.lastTold
		return Ongoing
	}
	return s.tell(at, sev)
}

func (s *ErrorState) tell(at int64, sev uint8) Signal {
	s.told, s.lastTold, s.lastAlarm = sev, sev, at
	return Alarm
}

// Untell takes back the alarm that was given last, when nobody was told of it:
// the episode alarms when it becomes high or critical, and so does another one
// within the cool-down.
func (s *ErrorState) Untell() {
	s.lastTold = 0
	if s.on {
		s.told = Low
	}
}

// worsen sets the rate that a recovery is tested against.
func (s *ErrorState) worsen() {
	s.worst = min(max(s.rate(), min(2*s.null, (1+s.null)/2)), .99)
}

func (s *ErrorState) rate() float64 {
	return float64(s.window.failed) / float64(max(s.window.calls, 1))
}

func (m *Errors) episode(s *ErrorState, at int64, failed bool) Signal {
	w := &s.window
	w.calls++
	if failed {
		w.failed++
		s.worsen()
		w.sum = max(0, w.sum+math.Log(s.null/s.worst))
	} else {
		w.sum += math.Log((1 - s.null) / (1 - s.worst))
	}
	switch {
	case w.sum >= recoverAt:
		s.close()
		return Recovered
	case at-w.at >= m.cfg.RebaseAfter && w.calls >= rebaseCalls:
		s.failed, s.calls = s.rate()*rebaseWeight, rebaseWeight
		s.close()
		m.refresh(s)
		return Rebased
	case !failed:
		return None
	}
	if sev := s.severity(); sev > s.told && sev >= High {
		return s.tell(at, sev)
	}
	return Ongoing
}

func (s *ErrorState) close() {
	s.on, s.told = false, 0
	s.window, s.threshold, s.worst = cusum{}, 0, 0
	s.kinds.end()
}

// severity follows the share of failed calls, capped by their number: a few
// failed calls page nobody.
func (s *ErrorState) severity() uint8 {
	sev := uint8(Low)
	switch r := s.rate(); {
	case r >= .5:
		sev = Critical
	case r >= .2:
		sev = High
	case r >= .05:
		sev = Medium
	}
	switch n := s.window.failed; {
	case n < 6:
		sev = min(sev, Medium)
	case n < 12:
		sev = min(sev, High)
	}
	return sev
}

// ErrorReport describes the episode that is on.
type ErrorReport struct {
	Severity uint8
	// Onset is the event time of the first call of the window.
	Onset         int64
	Failed, Calls uint32
	// Rate is Failed / Calls, Expected the baseline, Limit the rate at which as
	// many calls would have alarmed. Baseline is the number of calls behind
	// Expected, without the prior.
	Rate, Expected, Limit float64
	Baseline              uint64
	// Confidence in [0, 1) ranks reports; it is no probability.
	Confidence float64
	// Kinds are the ways in which the calls failed, the most frequent first.
	// When more than 16 failed before the alarm, the last 16 of them are counted.
	Kinds []KindCount
}

// Report describes the episode of which Observe has returned [Alarm].
func (m *Errors) Report(s *ErrorState) ErrorReport {
	r := ErrorReport{
		Severity: s.told, Onset: s.window.at, Failed: s.window.failed, Calls: s.window.calls,
		Rate: s.rate(), Expected: s.mean(), Limit: s.threshold, Baseline: uint64(max(0, s.calls-priorWeight)),
	}
	r.Confidence = min(.99, 1-.5*math.Exp(-float64(r.Failed)/6))
	if s.kinds != nil {
		r.Kinds = s.kinds.list()
	}
	return r
}
