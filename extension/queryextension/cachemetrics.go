package queryextension

import (
	"context"
	"errors"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/llm-devops/llm-sentinel/internal/cache"
)

var (
	levelMemory = metric.WithAttributeSet(attribute.NewSet(attribute.String("cache", "memory")))
	levelRedis  = metric.WithAttributeSet(attribute.NewSet(attribute.String("cache", "redis")))
)

// observeCache shows the figures of the cache when metrics are collected.
func (s *server) observeCache(c *cache.Cache) error {
	levels := func(of func(cache.Level) int64) metric.Int64Callback {
		return func(_ context.Context, o metric.Int64Observer) error {
			st := c.Stats()
			o.Observe(of(st.Memory), levelMemory)
			if st.HasRedis {
				o.Observe(of(st.Redis), levelRedis)
			}
			return nil
		}
	}
	memory := func(of func(cache.Stats) int64) metric.Int64Callback {
		return func(_ context.Context, o metric.Int64Observer) error {
			o.Observe(of(c.Stats()))
			return nil
		}
	}
	redis := func(of func(cache.Stats) int64) metric.Int64Callback {
		return func(_ context.Context, o metric.Int64Observer) error {
			if st := c.Stats(); st.HasRedis {
				o.Observe(of(st))
			}
			return nil
		}
	}
	tb := s.telemetry
	return errors.Join(
		tb.RegisterCacheHitsTotalCallback(levels(func(l cache.Level) int64 { return l.Hits })),
		tb.RegisterCacheMissesTotalCallback(levels(func(l cache.Level) int64 { return l.Misses })),
		tb.RegisterCacheInsertsTotalCallback(levels(func(l cache.Level) int64 { return l.Inserts })),
		tb.RegisterCacheRemovalsTotalCallback(levels(func(l cache.Level) int64 { return l.Removals })),
		tb.RegisterCacheEntriesCallback(memory(func(s cache.Stats) int64 { return s.Entries })),
		tb.RegisterCacheBytesCallback(memory(func(s cache.Stats) int64 { return s.Bytes })),
		tb.RegisterCacheRedisErrorsTotalCallback(redis(func(s cache.Stats) int64 { return s.RedisErrors })),
		tb.RegisterCacheRedisSkippedTotalCallback(redis(func(s cache.Stats) int64 { return s.RedisSkipped })),
		tb.RegisterCacheRedisUpCallback(redis(func(s cache.Stats) int64 {
			if s.RedisUp {
				return 1
			}
			return 0
		})),
	)
}
