package rate

import (
	"errors"
	"fmt"
	"math"
)

// ArrivalConfig of [Arrivals]. The zero value is not valid, see
// [DefaultArrivalConfig].
type ArrivalConfig struct {
	// Drop, Surge and Silence switch the three judgements on.
	Drop, Surge, Silence bool
	// Threshold is the standard normal deviate that a window must reach, 3..10:
	// 5 is a probability of 2.9e-7.
	Threshold float64
	// DropRatio is the largest share of the expected calls that is a drop, in
	// (0, .95]; SurgeRatio the smallest multiple that is a surge, 1.1..1000.
	DropRatio, SurgeRatio float64
	// MinSilence is the shortest silence worth telling, LiveAfter how long a
	// stream must have been live before its silence means anything; nanoseconds
	// of arrival time, 0 or above.
	MinSilence, LiveAfter int64
	// Lateness is how late calls may come, in nanoseconds, 0..10 minutes: a
	// window is judged for a drop when it is closed for that long.
	Lateness int64
	// RebaseAfter is the length of an episode, in nanoseconds of event time,
	// after which its rate becomes the normal one; at least 30 minutes.
	RebaseAfter int64
	// CoolDown is the event time in nanoseconds after an alarm in which a new
	// episode alarms only if it is worse and high or critical. 0 means none.
	CoolDown int64
}

// DefaultArrivalConfig returns the defaults of the package documentation.
func DefaultArrivalConfig() ArrivalConfig {
	return ArrivalConfig{
		Drop: true, Surge: true, Silence: true, Threshold: 5, DropRatio: .5, SurgeRatio: 2,
		MinSilence: 60e9, LiveAfter: 300e9, Lateness: 60e9, RebaseAfter: 3600e9, CoolDown: 300e9,
	}
}

// Arrivals finds changes of the number of calls. It is immutable.
type Arrivals struct {
	cfg ArrivalConfig
	// delay is the lateness in bins.
	delay int64
	// rare is -ln of the probability that the threshold stands for.
	rare float64
}

// NewArrivals checks the configuration. The error names field and value.
func NewArrivals(cfg ArrivalConfig) (*Arrivals, error) {
	var errs []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	check(cfg.Threshold >= 3 && cfg.Threshold <= 10, "threshold must be in 3..10, got %v", cfg.Threshold)
	check(cfg.DropRatio > 0 && cfg.DropRatio <= .95, "drop_ratio must be above 0 and at most 0.95, got %v", cfg.DropRatio)
	check(cfg.SurgeRatio >= 1.1 && cfg.SurgeRatio <= 1000, "surge_ratio must be in 1.1..1000, got %v", cfg.SurgeRatio)
	check(cfg.MinSilence >= 0, "min_silence must be 0 or above, got %d ns", cfg.MinSilence)
	check(cfg.LiveAfter >= 0, "live_after must be 0 or above, got %d ns", cfg.LiveAfter)
	check(cfg.Lateness >= 0 && cfg.Lateness <= 10*bin, "lateness must be in 0..%d ns, got %d ns", 10*bin, cfg.Lateness)
	check(cfg.RebaseAfter >= 30*bin, "rebase_after must be at least %d ns, got %d ns", 30*bin, cfg.RebaseAfter)
	check(cfg.CoolDown >= 0, "cool_down must be 0 or above, got %d ns", cfg.CoolDown)
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return &Arrivals{cfg: cfg, delay: (cfg.Lateness + bin - 1) / bin, rare: -math.Log(math.Erfc(cfg.Threshold/math.Sqrt2) / 2)}, nil
}
