package genaiprocessor

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/confmap/confmaptest"

	"github.com/llm-devops/llm-sentinel/internal/price"
	"github.com/llm-devops/llm-sentinel/processor/genaiprocessor/internal/metadata"
)

// loadConfig reads one entry of testdata/config.yaml on top of the defaults.
func loadConfig(t *testing.T, name string) (*Config, error) {
	t.Helper()
	all, err := confmaptest.LoadConf(filepath.Join("testdata", "config.yaml"))
	require.NoError(t, err)
	id := component.NewIDWithName(metadata.Type, name)
	require.True(t, all.IsSet(id.String()), "no entry %s", id)
	sub, err := all.Sub(id.String())
	require.NoError(t, err)
	cfg := createDefaultConfig().(*Config)
	if err := sub.Unmarshal(cfg); err != nil {
		return nil, err
	}
	return cfg, confmap.Validate(cfg)
}

func TestEmptyConfigIsComplete(t *testing.T) {
	cfg, err := loadConfig(t, "")
	require.NoError(t, err)
	assert.Equal(t, createDefaultConfig(), cfg)
}

func TestAllOptionsAreRead(t *testing.T) {
	cfg, err := loadConfig(t, "all")
	require.NoError(t, err)
	assert.Equal(t, &Config{
		Normalize: true,
		Ledger:    LedgerConfig{Window: time.Hour, MaxCalls: 1000, MaxMetricSeries: 10, MaxServices: 20},
		Prices: PricesConfig{
			Enabled: true, ReloadInterval: 10 * time.Second, Tolerance: 0.1, Period: time.Hour, MaxModels: 5, PreferReported: true,
			Rules: []price.Rule{{Provider: "openai", Model: "gpt-4o*", Prices: map[string]float64{"input_mtok": 2, "output_mtok": 10}}},
		},
	}, cfg)
}

func TestBadOptionsAreNamed(t *testing.T) {
	for name, want := range map[string]string{
		"bad_window":    "ledger::window must be from 1s to 24h, got 10ms",
		"bad_max_calls": "ledger::max_calls must be from 256 to 10000000, got 1",
		"bad_series":    "ledger::max_metric_series must be from 1 to 1000000, got 0",
		"bad_services":  "ledger::max_services must be from 1 to 100000, got -1",
		"bad_reload":    "prices::reload_interval must be from 1s to 24h, got 0s",
		"bad_tolerance": "prices::tolerance must be above 0 and below 1, got 1",
		"bad_period":    "prices::period must be from 1m to 720h, got 1s",
		"bad_models":    "prices::max_models must be from 1 to 100000, got 0",
		"bad_rule":      "prices::rules[0]",
		"unknown":       "normalise",
	} {
		_, err := loadConfig(t, name)
		assert.ErrorContains(t, err, want, name)
	}
}
