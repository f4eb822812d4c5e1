package genaiprocessor

import (
	"fmt"
	"time"

	"go.opentelemetry.io/collector/component"

	"github.com/llm-devops/llm-sentinel/internal/genai/ledger"
)

// Config of the processor.
type Config struct {
	// Normalize writes the current gen_ai.* names next to those of the emitter.
	// Default: false.
	Normalize bool `mapstructure:"normalize"`
	// Ledger says how calls are told apart.
	Ledger LedgerConfig `mapstructure:"ledger"`
}

// LedgerConfig bounds what the ledger remembers.
type LedgerConfig struct {
	// Window is how long an item is remembered after it was last met; what comes
	// later is a call of its own. From 1s to 24h. Default: 15m.
	Window time.Duration `mapstructure:"window"`
	// MaxCalls is how many items that tell of calls are remembered, and as many
	// other spans. About 500 bytes each. From 256 to 10000000. Default: 65536.
	MaxCalls int `mapstructure:"max_calls"`
	// MaxMetricSeries is how many time series of cumulative metrics are followed.
	// From 1 to 1000000. Default: 10000.
	MaxMetricSeries int `mapstructure:"max_metric_series"`
	// MaxServices is how many services, and pairs of service and model, are told
	// apart when metrics are set against spans. From 1 to 100000. Default: 4096.
	MaxServices int `mapstructure:"max_services"`
}

func createDefaultConfig() component.Config {
	return &Config{
		Ledger: LedgerConfig{Window: 15 * time.Minute, MaxCalls: 65536, MaxMetricSeries: 10_000, MaxServices: 4096},
	}
}

// Validate checks the bounds that a single field can break.
func (c *Config) Validate() error {
	l := &c.Ledger
	switch {
	case l.Window < time.Second || l.Window > 24*time.Hour:
		return fmt.Errorf("ledger::window must be from 1s to 24h, got %v", l.Window)
	case l.MaxCalls < ledger.MinCalls || l.MaxCalls > ledger.MaxCalls:
		return fmt.Errorf("ledger::max_calls must be from %d to %d, got %d", ledger.MinCalls, ledger.MaxCalls, l.MaxCalls)
	case l.MaxMetricSeries < 1 || l.MaxMetricSeries > 1_000_000:
		return fmt.Errorf("ledger::max_metric_series must be from 1 to 1000000, got %d", l.MaxMetricSeries)
	case l.MaxServices < 1 || l.MaxServices > 100_000:
		return fmt.Errorf("ledger::max_services must be from 1 to 100000, got %d", l.MaxServices)
	}
	return nil
}
