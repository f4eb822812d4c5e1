package price

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/confmap"
)

func TestTheConfigurationIsReadByItsKeys(t *testing.T) {
	c := DefaultConfig()
	require.NoError(t, c.Validate())
	require.NoError(t, confmap.NewFromStringMap(map[string]any{
		"file": "prices.json", "reload_interval": "5m", "max_file_bytes": 4096, "cache_size": 100,
		"audit": map[string]any{"tolerance": 0.2, "min_usd": 0.01, "period": "1h", "max_models": 5},
		"rules": []any{map[string]any{
			"provider": "vllm", "model": "meta-llama/*", "match": "glob",
			"prices":        map[string]any{"input_mtok": 0.1, "output_mtok": 1},
			"above":         []any{map[string]any{"input_tokens": 1000, "prices": map[string]any{"input_mtok": 2}}},
			"service_tiers": map[string]any{"batch": 0.5},
		}, map[string]any{"model": "*", "multiply": 0.9}},
	}).Unmarshal(&c))
	require.NoError(t, c.Validate())
	require.Equal(t, Config{
		File: "prices.json", ReloadInterval: 5 * time.Minute, MaxFileBytes: 4096, CacheSize: 100,
		Audit: AuditOptions{Tolerance: 0.2, MinUSD: 0.01, Period: time.Hour, MaxModels: 5},
		Rules: []Rule{{
			Provider: "vllm", Model: "meta-llama/*", Match: "glob", Prices: map[string]float64{"input_mtok": 0.1, "output_mtok": 1},
			Above:        []Above{{InputTokens: 1000, Prices: map[string]float64{"input_mtok": 2}}},
			ServiceTiers: map[string]float64{"batch": 0.5},
		}, {Model: "*", Multiply: 0.9}},
	}, c)
	o := c.Options()
	require.Equal(t, 5*time.Minute, o.ReloadInterval)
	require.Equal(t, c.Rules, o.Rules)
	c.ReloadInterval = 0
	require.Negative(t, c.Options().ReloadInterval)
}

func TestAValueOutOfRangeIsNamedWithItsField(t *testing.T) {
	for want, set := range map[string]func(*Config){
		"reload_interval: 1ms, want 0 or at least 1s": func(c *Config) { c.ReloadInterval = time.Millisecond },
		"reload_interval: -1s":                        func(c *Config) { c.ReloadInterval = -time.Second },
		"max_file_bytes: 3, want 1024":                func(c *Config) { c.MaxFileBytes = 3 },
		"cache_size: 0, want 16":                      func(c *Config) { c.CacheSize = 0 },
		"audit.tolerance: 1, want":                    func(c *Config) { c.Audit.Tolerance = 1 },
		"audit.tolerance: NaN, want":                  func(c *Config) { c.Audit.Tolerance = math.NaN() },
		"audit.min_usd: 0, want":                      func(c *Config) { c.Audit.MinUSD = 0 },
		"audit.period: 1s, want":                      func(c *Config) { c.Audit.Period = time.Second },
		"audit.max_models: 0, want":                   func(c *Config) { c.Audit.MaxModels = 0 },
		"rules[0]: match: \"x\"":                      func(c *Config) { c.Rules = []Rule{{Model: "m", Match: "x"}} },
	} {
		c := DefaultConfig()
		set(&c)
		require.ErrorContains(t, c.Validate(), want)
	}
}
