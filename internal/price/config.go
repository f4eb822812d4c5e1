package price

import (
	"fmt"
	"math"
	"time"
)

// Config is what a user may set about prices, for a component to embed under a key of
// its own. DefaultConfig has the defaults; Validate checks what was set.
type Config struct {
	// File is the path of a price file that comes before the built-in prices, in our
	// format or in the open format of genai-prices; default none.
	File string `mapstructure:"file"`
	// ReloadInterval is how often the file is looked at; default 1m, at least 1s; 0
	// reads it only at the start.
	ReloadInterval time.Duration `mapstructure:"reload_interval"`
	// MaxFileBytes bounds the file; default 16 MiB.
	MaxFileBytes int64 `mapstructure:"max_file_bytes"`
	// Rules are prices of your own, tried in order before the file; at most 1000.
	Rules []Rule `mapstructure:"rules"`
	// CacheSize is how many pairs of provider and model are remembered; default 4096,
	// from 16 to 1,000,000.
	CacheSize int `mapstructure:"cache_size"`
	// Audit compares the cost that applications report with ours.
	Audit AuditOptions `mapstructure:"audit"`
}

// DefaultConfig returns the built-in prices and the defaults of every field.
func DefaultConfig() Config {
	return Config{
		ReloadInterval: DefaultReloadInterval,
		MaxFileBytes:   DefaultMaxFileBytes,
		CacheSize:      DefaultCacheSize,
		Audit:          DefaultAuditOptions(),
	}
}

// Validate names the field whose value is not allowed. It does not read the file.
func (c *Config) Validate() error {
	switch {
	case c.ReloadInterval != 0 && c.ReloadInterval < time.Second:
		return fmt.Errorf("reload_interval: %v, want 0 or at least 1s", c.ReloadInterval)
	case c.MaxFileBytes < 1024 || c.MaxFileBytes > 1<<30:
		return fmt.Errorf("max_file_bytes: %d, want 1024 to %d", c.MaxFileBytes, 1<<30)
	case c.CacheSize < 16 || c.CacheSize > 1_000_000:
		return fmt.Errorf("cache_size: %d, want 16 to 1000000", c.CacheSize)
	case math.IsNaN(c.Audit.Tolerance) || c.Audit.Tolerance <= 0 || c.Audit.Tolerance >= 1:
		return fmt.Errorf("audit.tolerance: %v, want more than 0 and less than 1", c.Audit.Tolerance)
	case math.IsNaN(c.Audit.MinUSD) || c.Audit.MinUSD <= 0 || c.Audit.MinUSD > maxPrice:
		return fmt.Errorf("audit.min_usd: %v, want more than 0 and at most %v", c.Audit.MinUSD, float64(maxPrice))
	case c.Audit.Period < time.Minute:
		return fmt.Errorf("audit.period: %v, want at least 1m", c.Audit.Period)
	case c.Audit.MaxModels < 1 || c.Audit.MaxModels > 1_000_000:
		return fmt.Errorf("audit.max_models: %d, want 1 to 1000000", c.Audit.MaxModels)
	}
	_, err := compileRules(c.Rules)
	return err
}

// Options returns what Open needs; the caller adds its call-backs.
func (c *Config) Options() Options {
	o := Options{
		File: c.File, ReloadInterval: c.ReloadInterval, Rules: c.Rules, CacheSize: c.CacheSize, MaxFileBytes: c.MaxFileBytes,
	}
	if c.ReloadInterval == 0 {
		o.ReloadInterval = -1
	}
	return o
}
