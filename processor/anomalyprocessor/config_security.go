package anomalyprocessor

import (
	"errors"
	"fmt"

	"github.com/llm-devops/llm-sentinel/internal/detect/burst"
)

// SecurityConfig tunes the judgement of what guards and sanitizers mark, of
// refusals and of floods: security_threat.
type SecurityConfig struct {
	// Enabled switches the rule on or off. Default true.
	Enabled bool `mapstructure:"enabled"`
	// InjectionScore is the score, in (0, 1], from which on a single prompt is a
	// finding. Default 0.9.
	InjectionScore float64 `mapstructure:"injection_score"`
	// MinHits is the least number of refusals, of calls with personal data, or
	// of near-identical prompts in a burst, 4..32. Default 6.
	MinHits int `mapstructure:"min_hits"`
	// MinExcess is the smallest difference worth reporting between the share of
	// such calls and the normal one, above 0, at most 1. Default 0.1.
	MinExcess float64 `mapstructure:"min_excess"`
	// Flood switches the comparison of prompts on or off; it needs prompts in
	// the telemetry. Default true.
	Flood bool `mapstructure:"flood"`

	// prevent unkeyed literal initialization
	_ struct{}
}

func defaultSecurity() SecurityConfig {
	return SecurityConfig{Enabled: true, InjectionScore: .9, MinHits: 6, MinExcess: .1, Flood: true}
}

func (c *SecurityConfig) validate() error {
	var errs []error
	if !(c.InjectionScore > 0 && c.InjectionScore <= 1) {
		errs = append(errs, fmt.Errorf("security::injection_score must be above 0 and at most 1, got %v", c.InjectionScore))
	}
	if c.MinHits < burst.DefaultMinHits || c.MinHits > 32 {
		errs = append(errs, fmt.Errorf("security::min_hits must be in 4..32, got %d", c.MinHits))
	}
	if !(c.MinExcess > 0 && c.MinExcess <= 1) {
		errs = append(errs, fmt.Errorf("security::min_excess must be above 0 and at most 1, got %v", c.MinExcess))
	}
	return errors.Join(errs...)
}
