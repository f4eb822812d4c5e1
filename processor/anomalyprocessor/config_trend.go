package anomalyprocessor

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/llm-devops/llm-sentinel/internal/detect/ensemble"
)

// Defaults and limits of [TrendConfig].
const (
	defaultTrendStep     = time.Minute
	minTrendStep         = 10 * time.Second
	maxTrendStep         = time.Hour
	defaultTrendCalls    = 8
	maxTrendCalls        = 10_000
	defaultAlertsPerWeek = 2
	maxAlertsPerWeek     = 100
	week                 = 7 * 24 * time.Hour
)

// TrendConfig tunes the rule that judges the mean of the calls of a time step.
type TrendConfig struct {
	// Metrics are judged; an empty list switches the rule off. Default
	// latency_ms, total_tokens.
	Metrics []string `mapstructure:"metrics"`
	// Step is the shortest time that a mean covers, 10s..1h. Default 1m.
	Step time.Duration `mapstructure:"step"`
	// MinCalls is the number of calls that a mean needs; a step lasts until it
	// has them, 1..10000. Unit: calls. Default 8.
	MinCalls int `mapstructure:"min_calls"`
	// AlertsPerWeek is how often a normal series of one step after the other may
	// alarm, for each metric, above 0 and at most 100. Default 2.
	AlertsPerWeek float64 `mapstructure:"alerts_per_week"`
	// Threshold is the evidence that an alarm needs in any case, 1.5..50.
	// Default: see the README.
	Threshold float64 `mapstructure:"threshold"`

	// prevent unkeyed literal initialization
	_ struct{}
}

func defaultTrendConfig() TrendConfig {
	return TrendConfig{
		Metrics: []string{"latency_ms", "total_tokens"}, Step: defaultTrendStep, MinCalls: defaultTrendCalls,
		AlertsPerWeek: defaultAlertsPerWeek, Threshold: ensemble.DefaultThreshold,
	}
}

// Validate reports every setting that cannot be used.
func (c TrendConfig) Validate() error {
	var errs []error
	fail := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	for i, name := range c.Metrics {
		if metricByName(name) == nil {
			fail("metrics must be among %s, got %q", strings.Join(metricNames(), ", "), name)
		}
		if slices.Index(c.Metrics, name) != i {
			fail("metrics must not repeat a name, got %q twice", name)
		}
	}
	if c.Step < minTrendStep || c.Step > maxTrendStep {
		fail("step must be in %v..%v, got %v", minTrendStep, maxTrendStep, c.Step)
	}
	if c.MinCalls < 1 || c.MinCalls > maxTrendCalls {
		fail("min_calls must be in 1..%d, got %d", maxTrendCalls, c.MinCalls)
	}
	if !(c.AlertsPerWeek > 0 && c.AlertsPerWeek <= maxAlertsPerWeek) {
		fail("alerts_per_week must be above 0 and at most %d, got %v", maxAlertsPerWeek, c.AlertsPerWeek)
	}
	if err := (ensemble.Config{Threshold: c.Threshold}).Validate(); err != nil || c.Threshold == 0 {
		fail("threshold must be in 1.5..50, got %v", c.Threshold)
	}
	return errors.Join(errs...)
}
