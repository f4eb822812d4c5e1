package drift

import (
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/llm-devops/llm-sentinel/internal/detect"
)

// Defaults of [Config].
const (
	DefaultMinSamples   = 128
	DefaultMinDuration  = 5 * time.Minute
	DefaultWarmup       = 8
	DefaultMemory       = 32
	DefaultSignificance = 1e-6
)

const (
	// priorPairs is the number of pairs that the design effect of independent
	// values is credited with; maxPairs bounds what it rests on, and so its memory.
	priorPairs = 4
	maxPairs   = 40
	// maxSurprise bounds a statistic on its way into the design effect.
	maxSurprise = 4
	// maxWindow is the most values of a window; a fuller one closes early.
	maxWindow = 60_000
	// partly is the share of the smallest effect that each window of a pair
	// must show by itself; less than 1 because half the values say less.
	partly = .7
)

// Config of a comparison. It must not change during the life of a state.
type Config struct {
	// MinSamples is the fewest values of a window, 16..10000.
	MinSamples int
	// MinDuration is the shortest event time of a window, 0 or longer.
	MinDuration time.Duration
	// Warmup is the number of windows in the reference before anything is
	// judged, 2..Memory.
	Warmup int
	// Memory is the number of windows after which the reference has forgotten
	// 63 % of a window, 2..1000.
	Memory int
	// Significance is the largest p-value that counts, in (0, .01].
	Significance float64
}

// DefaultConfig returns the defaults.
func DefaultConfig() Config {
	return Config{MinSamples: DefaultMinSamples, MinDuration: DefaultMinDuration, Warmup: DefaultWarmup, Memory: DefaultMemory, Significance: DefaultSignificance}
}

// Validate reports every setting that cannot be used.
func (c *Config) Validate() error {
	var errs []error
	fail := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if c.MinSamples < 16 || c.MinSamples > 10_000 {
		fail("min samples must be in 16..10000, got %d", c.MinSamples)
	}
	if c.MinDuration < 0 {
		fail("min duration must be 0s or longer, got %v", c.MinDuration)
	}
	if c.Memory < 2 || c.Memory > 1000 {
		fail("memory must be in 2..1000 windows, got %d", c.Memory)
	}
	if c.Warmup < 2 || c.Warmup > c.Memory {
		fail("warmup must be in 2..memory (%d) windows, got %d", c.Memory, c.Warmup)
	}
	if !(c.Significance > 0 && c.Significance <= .01) {
		fail("significance must be above 0 and at most 0.01, got %v", c.Significance)
	}
	return errors.Join(errs...)
}

// keep is the share of the reference that stays when a window comes in.
func (c *Config) keep() float64 { return 1 - 1/float64(c.Memory) }

// Result is what the close of a window showed.
type Result struct {
	// Judged says that there was a reference to compare with.
	Judged bool
	// Drift says that the distribution has changed, and that the pair of
	// windows has become the reference.
	Drift bool
	// P is the p-value, Statistic T over the design effect. P is 1, and all that
	// follows is 0, where T says that there is no drift.
	P, Statistic, DesignEffect float64
	// Effect is the size of the change without the part due to chance, in the
	// measure of the detector.
	Effect float64
	// PSI, KS and JS are measures of the change of a [Dist].
	PSI, KS, JS float64
	// Before and After are told of a drift only: the bins of the medians of
	// numbers; the shares of Category, which has grown most; the numbers
	// expected and seen of a relation; unit lengths of mean vectors.
	Before, After float64
	Category      int
	// Cosine is that between the two mean vectors of a [Centroid].
	Cosine float64
	// Samples is the number of values of the pair, Reference that of the
	// reference as far as it is remembered.
	Samples, Reference float64
	// Onset is the event time (unix ns) at which the pair began.
	Onset int64
}

// timeline is the part that all detectors share: the two open windows in time,
// and the design effect.
type timeline struct {
	curStart, prevStart int64
	curN, prevN         uint32
	// windows is the number of windows in the reference, as far as it matters.
	windows uint16
	// effect is the design effect, resting on pairs pairs; pairs is 0 in the
	// zero value, which means the prior.
	effect, pairs float32
}

// add takes note of a value and reports whether the window is full with it.
func (t *timeline) add(c *Config, at int64) bool {
	if t.curN == 0 {
		t.curStart = at
	}
	t.curN++
	return int(t.curN) >= c.MinSamples && (at-t.curStart >= int64(c.MinDuration) || t.curN >= maxWindow)
}

// shift makes the current window the previous one.
func (t *timeline) shift() {
	t.prevStart, t.prevN = t.curStart, t.curN
	t.curStart, t.curN = 0, 0
}

// absorbed takes note that the previous window went into the reference.
func (t *timeline) absorbed(c *Config) { t.windows = min(t.windows+1, uint16(c.Warmup)) }

// restart takes note that the pair has become the reference.
func (t *timeline) restart() {
	t.windows = 2
	t.curStart, t.prevStart, t.curN, t.prevN = 0, 0, 0, 0
}

func (t *timeline) design() (effect, pairs float64) {
	if t.pairs == 0 {
		return 1, priorPairs
	}
	return max(1, float64(t.effect)), float64(t.pairs)
}

// quick settles the usual case, in which the statistic is far from significant,
// without the logarithms: the tail of chi-square with up to 3 degrees of
// freedom, by them, is above exp(-1.5 x), and that of F is above it.
func (t *timeline) quick(c *Config, r *Result, statistic float64) bool {
	design, _ := t.design()
	r.Judged = int(t.windows) >= c.Warmup
	r.P, r.DesignEffect, r.Statistic = 1, design, statistic/design
	return !r.Judged || r.Statistic < -math.Log(c.Significance)/1.5
}

// judge fills in what follows from the statistic, with its first degrees of
// freedom, and from the effects of the pair and of its windows.
func (t *timeline) judge(c *Config, r *Result, statistic, freedom, least, prev, cur float64) {
	design, pairs := t.design()
	r.DesignEffect, r.Statistic = design, statistic/design
	// What makes values depend on each other mostly moves them along one line.
	freedom = 1 + (freedom-1)/design
	r.P = detect.FTail(r.Statistic, freedom, freedom*pairs)
	r.Samples, r.Onset = float64(t.prevN)+float64(t.curN), t.prevStart
	r.Drift = r.Judged && r.P <= c.Significance && r.Effect >= least && min(prev, cur) >= partly*least
}

// learn takes the statistic of a pair into the design effect. Pairs overlap, so
// that each counts as half. What is judged is cut, so that a change that is not
// a drift yet does not hide itself.
func (t *timeline) learn(c *Config, statistic float64) {
	if math.IsNaN(statistic) {
		return
	}
	effect, pairs := 1., float64(priorPairs)
	if t.pairs != 0 {
		effect, pairs = float64(t.effect), float64(t.pairs)
	}
	x := statistic
	if int(t.windows) >= c.Warmup {
		x = min(x, maxSurprise*max(effect, 1))
	}
	effect += (x - effect) * .5 / (pairs + .5)
	t.effect, t.pairs = float32(effect), float32(min(pairs+.5, maxPairs))
}
