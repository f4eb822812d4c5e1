package anomalyprocessor

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/llm-devops/llm-sentinel/internal/detect/rate"
)

// ErrorRateConfig tunes the rule that finds more failing calls than usual.
type ErrorRateConfig struct {
	// Enabled switches the rule on or off. Default true.
	Enabled bool `mapstructure:"enabled"`
	// PriorRate is the share of failing calls that is expected of a series of
	// which little is known, above 0 and at most 0.5. Default 0.01.
	PriorRate float64 `mapstructure:"prior_rate"`
	// FalseAlarms bounds the alarms without cause for each call, 1e-12..0.01.
	// Default 1e-6.
	FalseAlarms float64 `mapstructure:"false_alarms"`
	// MinRequests is the fewest calls since the onset that an alarm rests on,
	// 1..10000. Unit: calls. Default 5.
	MinRequests int `mapstructure:"min_requests"`
	// MinIncrease is the smallest increase of the rate that is looked for, above
	// 0 and at most 0.5: 0.02 is 2 percentage points. Default 0.02.
	MinIncrease float64 `mapstructure:"min_increase"`
	// RebaseAfter is the event time after which a rate that lasts becomes the
	// normal one, above 0s. Default 1h.
	RebaseAfter time.Duration `mapstructure:"rebase_after"`

	// prevent unkeyed literal initialization
	_ struct{}
}

// ThroughputConfig tunes the rule that finds changes of the number of calls.
type ThroughputConfig struct {
	// Drop, Surge and Silence switch on what is looked for: fewer calls, more
	// calls, and none at all while nothing arrives. Default true.
	Drop    bool `mapstructure:"drop"`
	Surge   bool `mapstructure:"surge"`
	Silence bool `mapstructure:"silence"`
	// Threshold is the evidence that an alarm needs, 3..10. Unit: standard normal
	// deviates. Default 5, a probability of 3e-7.
	Threshold float64 `mapstructure:"threshold"`
	// DropRatio is the largest share of the expected calls that is a drop, above
	// 0 and at most 0.95. Default 0.5.
	DropRatio float64 `mapstructure:"drop_ratio"`
	// SurgeRatio is the smallest multiple of the expected calls that is a surge,
	// 1.1..1000. Default 2.
	SurgeRatio float64 `mapstructure:"surge_ratio"`
	// MinSilence is the shortest silence worth telling, 0s or longer, by this
	// machine's clock. Default 1m.
	MinSilence time.Duration `mapstructure:"min_silence"`
	// LiveAfter is how long calls must have come as they happened before their
	// absence means anything, 0s or longer, by this machine's clock. Default 5m.
	LiveAfter time.Duration `mapstructure:"live_after"`
	// RebaseAfter is the event time after which a rate that lasts becomes the
	// normal one, at least 30m. Default 1h.
	RebaseAfter time.Duration `mapstructure:"rebase_after"`

	// prevent unkeyed literal initialization
	_ struct{}
}

func defaultErrorRateConfig() ErrorRateConfig {
	d := rate.DefaultErrorConfig()
	return ErrorRateConfig{
		Enabled: true, PriorRate: d.PriorRate, FalseAlarms: d.FalseAlarms, MinRequests: d.MinRequests,
		MinIncrease: d.MinIncrease, RebaseAfter: time.Duration(d.RebaseAfter),
	}
}

func defaultThroughputConfig() ThroughputConfig {
	d := rate.DefaultArrivalConfig()
	return ThroughputConfig{
		Drop: d.Drop, Surge: d.Surge, Silence: d.Silence, Threshold: d.Threshold, DropRatio: d.DropRatio, SurgeRatio: d.SurgeRatio,
		MinSilence: time.Duration(d.MinSilence), LiveAfter: time.Duration(d.LiveAfter), RebaseAfter: time.Duration(d.RebaseAfter),
	}
}

// Validate reports every setting that cannot be used.
func (c *ErrorRateConfig) Validate() error {
	_, err := rate.NewErrors(c.model(0))
	return durations(err, c.RebaseAfter)
}

// Validate reports every setting that cannot be used.
func (c *ThroughputConfig) Validate() error {
	_, err := rate.NewArrivals(c.model(0, 0))
	return durations(err, c.MinSilence, c.LiveAfter, c.RebaseAfter)
}

// durations rewrites the durations of an error, which the algorithms count in
// nanoseconds, as they are written in a configuration.
func durations(err error, list ...time.Duration) error {
	if err == nil {
		return nil
	}
	text := err.Error()
	list = append(list, 30*time.Minute)
	for _, d := range list {
		text = strings.ReplaceAll(text, fmt.Sprintf("%d ns", int64(d)), d.String())
	}
	return errors.New(text)
}

func (c *ErrorRateConfig) model(coolDown time.Duration) rate.ErrorConfig {
	return rate.ErrorConfig{
		PriorRate: c.PriorRate, FalseAlarms: c.FalseAlarms, MinRequests: c.MinRequests, MinIncrease: c.MinIncrease,
		RebaseAfter: int64(c.RebaseAfter), CoolDown: int64(coolDown),
	}
}

// maxLatenessOfWindows bounds how long a window waits for late calls.
const maxLatenessOfWindows = 10 * time.Minute

func (c *ThroughputConfig) model(coolDown, lateness time.Duration) rate.ArrivalConfig {
	return rate.ArrivalConfig{
		Drop: c.Drop, Surge: c.Surge, Silence: c.Silence, Threshold: c.Threshold, DropRatio: c.DropRatio, SurgeRatio: c.SurgeRatio,
		MinSilence: int64(c.MinSilence), LiveAfter: int64(c.LiveAfter), Lateness: int64(min(lateness, maxLatenessOfWindows)),
		RebaseAfter: int64(c.RebaseAfter), CoolDown: int64(coolDown),
	}
}
