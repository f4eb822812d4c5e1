package anomalyprocessor

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/llm-devops/llm-sentinel/internal/detect/burst"
)

// EvaluationsConfig tunes the judgement of evaluation results: hallucination
// and quality_degradation.
type EvaluationsConfig struct {
	// Enabled switches the rule on or off. Default true.
	Enabled bool `mapstructure:"enabled"`
	// MaxEvaluators is the most evaluators that are kept for each series,
	// 1..256; results of further ones are counted as evaluator_limit. Default 16.
	MaxEvaluators int `mapstructure:"max_evaluators"`
	// MinFailures is the least number of failed results in a burst, 4..32.
	// Default 4.
	MinFailures int `mapstructure:"min_failures"`
	// MinExcess is the smallest difference worth reporting between the share of
	// failed results and the normal one, above 0, at most 1. Default 0.1.
	MinExcess float64 `mapstructure:"min_excess"`
	// HigherIsWorse and HigherIsBetter name evaluators whose scores are not
	// read as their names suggest. Letter case does not matter.
	HigherIsWorse  []string `mapstructure:"higher_is_worse"`
	HigherIsBetter []string `mapstructure:"higher_is_better"`

	// prevent unkeyed literal initialization
	_ struct{}
}

func defaultEvaluations() EvaluationsConfig {
	return EvaluationsConfig{Enabled: true, MaxEvaluators: 16, MinFailures: burst.DefaultMinHits, MinExcess: .1}
}

func (c *EvaluationsConfig) validate() error {
	var errs []error
	if c.MaxEvaluators < 1 || c.MaxEvaluators > 256 {
		errs = append(errs, fmt.Errorf("evaluations::max_evaluators must be in 1..256, got %d", c.MaxEvaluators))
	}
	if c.MinFailures < 4 || c.MinFailures > 32 {
		errs = append(errs, fmt.Errorf("evaluations::min_failures must be in 4..32, got %d", c.MinFailures))
	}
	if !(c.MinExcess > 0 && c.MinExcess <= 1) {
		errs = append(errs, fmt.Errorf("evaluations::min_excess must be above 0 and at most 1, got %v", c.MinExcess))
	}
	for _, name := range c.HigherIsWorse {
		if slices.ContainsFunc(c.HigherIsBetter, func(o string) bool { return strings.EqualFold(o, name) }) {
			errs = append(errs, fmt.Errorf("evaluations::higher_is_worse and higher_is_better must not both name %q", name))
		}
	}
	return errors.Join(errs...)
}
