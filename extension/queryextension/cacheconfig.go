package queryextension

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.opentelemetry.io/collector/config/configopaque"
	"go.opentelemetry.io/collector/config/configoptional"
	"go.opentelemetry.io/collector/config/configtls"

	"github.com/llm-devops/llm-sentinel/internal/cache"
)

// CacheConfig says how long answers are kept.
type CacheConfig struct {
	// Enabled turns keeping answers on. ETags work without it. Default: true.
	Enabled bool `mapstructure:"enabled"`
	// MaxBytes bounds the memory of kept answers, which are kept compressed.
	// Default: 67108864 bytes (64 MiB), at least 1048576.
	MaxBytes int64 `mapstructure:"max_bytes"`
	// TTL is the longest time that an answer is kept. Default: 5m.
	TTL time.Duration `mapstructure:"ttl"`
	// TTI is the time after which an answer that nobody asks for is dropped.
	// Default: 1m.
	TTI time.Duration `mapstructure:"tti"`
	// RecentTTL takes the place of TTL for time ranges that reach into the last
	// hour, when the storage cannot tell that something has changed (InfluxDB):
	// how long a new event may stay unseen. Default: 1s; 0 keeps no such answer.
	RecentTTL time.Duration `mapstructure:"recent_ttl"`
	// Redis is an optional second level that several collectors share.
	Redis configoptional.Optional[RedisConfig] `mapstructure:"redis"`

	// prevent unkeyed literal initialization
	_ struct{}
}

// RedisConfig says how to reach the Redis that shares answers.
type RedisConfig struct {
	// Endpoint is host:port. Default: localhost:6379.
	Endpoint string `mapstructure:"endpoint"`
	// Username and Password; empty for none.
	Username string              `mapstructure:"username"`
	Password configopaque.String `mapstructure:"password"`
	// DB is the number of the database. Default: 0.
	DB int `mapstructure:"db"`
	// TLS settings; left out, the connection is not encrypted.
	TLS configoptional.Optional[configtls.ClientConfig] `mapstructure:"tls"`
	// KeyPrefix stands before each key, at most 256 bytes. Collectors that ask
	// different databases must have different ones. Default: "sentinel:".
	KeyPrefix string `mapstructure:"key_prefix"`
	// Timeout of one call, at most 1s. Default: 100ms.
	Timeout time.Duration `mapstructure:"timeout"`

	// prevent unkeyed literal initialization
	_ struct{}
}

const defaultRecentTTL = time.Second

func defaultCache() CacheConfig {
	return CacheConfig{
		Enabled: true, MaxBytes: cache.DefaultMaxBytes, TTL: cache.DefaultTTL, TTI: cache.DefaultTTI, RecentTTL: defaultRecentTTL,
		Redis: configoptional.Default(RedisConfig{
			Endpoint: "localhost:6379", KeyPrefix: cache.DefaultKeyPrefix, Timeout: cache.DefaultRedisTimeout,
			TLS: configoptional.Default(configtls.NewDefaultClientConfig()),
		}),
	}
}

// Validate reports every setting that cannot work.
func (c *CacheConfig) Validate() error {
	settings := c.settings()
	var recent error
	if c.RecentTTL < 0 || c.RecentTTL > c.TTL {
		recent = fmt.Errorf("recent_ttl must be from 0 to ttl (%s), got %s", c.TTL, c.RecentTTL)
	}
	return errors.Join(settings.Validate(), recent)
}

// settings are those of the cache, without TLS.
func (c *CacheConfig) settings() cache.Config {
	to := cache.Config{MaxBytes: c.MaxBytes, TTL: c.TTL, TTI: c.TTI}
	if r := c.Redis.Get(); r != nil {
		to.Redis = &cache.RedisConfig{
			Addr: r.Endpoint, Username: r.Username, Password: string(r.Password), DB: r.DB, KeyPrefix: r.KeyPrefix, Timeout: r.Timeout,
		}
	}
	return to
}

// open reads the certificates, too.
func (c *CacheConfig) open(ctx context.Context) (cache.Config, error) {
	to := c.settings()
	if to.Redis == nil || !c.Redis.Get().TLS.HasValue() {
		return to, nil
	}
	var err error
	to.Redis.TLS, err = c.Redis.Get().TLS.Get().LoadTLSConfig(ctx)
	if err != nil {
		return to, fmt.Errorf("redis::tls: %w", err)
	}
	return to, nil
}
