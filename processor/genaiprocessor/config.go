package genaiprocessor

import (
	"fmt"
	"time"

	"go.opentelemetry.io/collector/component"

	"github.com/llm-devops/llm-sentinel/internal/genai/ledger"
	"github.com/llm-devops/llm-sentinel/internal/price"
)

// Config of the processor.
type Config struct {
	// Normalize writes the current gen_ai.* names next to those of the emitter.
	// Default: false.
	Normalize bool `mapstructure:"normalize"`
	// Ledger says how calls are told apart.
	Ledger LedgerConfig `mapstructure:"ledger"`
	// Prices says what calls cost.
	Prices PricesConfig `mapstructure:"prices"`
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

// PricesConfig says where prices come from, in the order rules, file, built in.
type PricesConfig struct {
	// Enabled: calls are priced. Default: true.
	Enabled bool `mapstructure:"enabled"`
	// File is the path of a price file; empty for none. It is looked at again
	// every ReloadInterval, from 1s to 24h. Default: none, 1m.
	File           string        `mapstructure:"file"`
	ReloadInterval time.Duration `mapstructure:"reload_interval"`
	// Rules are prices of the user's own, tried in order.
	Rules []price.Rule `mapstructure:"rules"`
	// PreferReported leaves the cost that an emitter reports to those behind: ours
	// is written only where there is none. Gaps are found all the same. Default:
	// false.
	PreferReported bool `mapstructure:"prefer_reported"`
	// Tolerance is the gap between the reported cost and ours that is not worth
	// telling, as a share of the larger one, above 0 and below 1. Default: 0.05.
	Tolerance float64 `mapstructure:"tolerance"`
	// Period is how long the same finding about a model is not told again. From
	// 1m to 720h. Default: 24h.
	Period time.Duration `mapstructure:"period"`
	// MaxModels is how many pairs of provider and model are remembered for that.
	// From 1 to 100000. Default: 1000.
	MaxModels int `mapstructure:"max_models"`
}

func createDefaultConfig() component.Config {
	return &Config{
		Ledger: LedgerConfig{Window: 15 * time.Minute, MaxCalls: 65536, MaxMetricSeries: 10_000, MaxServices: 4096},
		Prices: PricesConfig{
			Enabled: true, ReloadInterval: time.Minute, Tolerance: 0.05, Period: 24 * time.Hour, MaxModels: 1000,
		},
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
	p := &c.Prices
	switch {
	case p.ReloadInterval < time.Second || p.ReloadInterval > 24*time.Hour:
		return fmt.Errorf("prices::reload_interval must be from 1s to 24h, got %v", p.ReloadInterval)
	case !(p.Tolerance > 0 && p.Tolerance < 1):
		return fmt.Errorf("prices::tolerance must be above 0 and below 1, got %v", p.Tolerance)
	case p.Period < time.Minute || p.Period > 720*time.Hour:
		return fmt.Errorf("prices::period must be from 1m to 720h, got %v", p.Period)
	case p.MaxModels < 1 || p.MaxModels > 100_000:
		return fmt.Errorf("prices::max_models must be from 1 to 100000, got %d", p.MaxModels)
	}
	for i := range p.Rules {
		if err := p.Rules[i].Validate(); err != nil {
			return fmt.Errorf("prices::rules[%d]: %w", i, err)
		}
	}
	return nil
}
