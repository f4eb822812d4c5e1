package queryextension

import (
	"context"
	"os"
	"testing"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/metric/metricdata/metricdatatest"

	"github.com/llm-devops/llm-sentinel/extension/queryextension/internal/metadatatest"
	"github.com/llm-devops/llm-sentinel/internal/store"
)

// Two collectors ask the same database, which cannot tell what changed; a third
// one asks another.
func TestCollectorsShareAnswersThroughRedis(t *testing.T) {
	t.Parallel()
	addr := os.Getenv("SENTINEL_REDIS_ADDR")
	if addr == "" {
		t.Skip("NOT TESTED: set SENTINEL_REDIS_ADDR to a Redis (scripts/services/services.sh up redis) to test shared answers")
	}
	prefix := "sentinel-test:" + uuid.NewString() + ":"
	direct := redis.NewClient(&redis.Options{Addr: addr})
	t.Cleanup(func() {
		keys, err := direct.Keys(context.Background(), prefix+"*").Result()
		require.NoError(t, err)
		assert.NotEmpty(t, keys)
		require.NoError(t, direct.Del(context.Background(), keys...).Err())
		require.NoError(t, direct.Close())
	})
	open := func(prefix string) *api {
		a := withEvents(t, 30, map[string]any{"cache": map[string]any{
			"recent_ttl": "1m", "redis": map[string]any{"endpoint": addr, "key_prefix": prefix, "timeout": "1s"},
		}})
		a.storage.reader = struct{ store.Reader }{a.store}
		return a
	}
	first, second, other := open(prefix), open(prefix), open(prefix+"other:")
	target := pathTelemetry + "?limit=20"
	want := first.get(target)
	require.Equal(t, statusMiss, want.Header().Get(headerCacheStatus))
	got := second.get(target)
	assert.Equal(t, "sentinel; hit; detail=redis", got.Header().Get(headerCacheStatus))
	assert.Equal(t, want.Body.String(), got.Body.String())
	for _, name := range []string{"ETag", "Content-Type", "Link"} {
		assert.NotEmpty(t, want.Header().Get(name), name)
		assert.Equal(t, want.Header().Get(name), got.Header().Get(name), name)
	}
	assert.Equal(t, statusHit, second.cacheStatus(target))
	assert.Equal(t, statusMiss, other.cacheStatus(target))
	metadatatest.AssertEqualCacheHitsTotal(t, second.telemetry, []metricdata.DataPoint[int64]{
		{Value: 1, Attributes: attribute.NewSet(attribute.String("cache", "memory"))},
		{Value: 1, Attributes: attribute.NewSet(attribute.String("cache", "redis"))},
	}, metricdatatest.IgnoreTimestamp(), metricdatatest.IgnoreExemplars())
	metadatatest.AssertEqualCacheRedisUp(t, second.telemetry, []metricdata.DataPoint[int64]{{Value: 1}},
		metricdatatest.IgnoreTimestamp(), metricdatatest.IgnoreExemplars())
}

// A Redis that is not there is not noticed, apart from the metric.
func TestAnswersWithoutTheRedisThatIsConfigured(t *testing.T) {
	t.Parallel()
	a := withEvents(t, 3, map[string]any{"cache": map[string]any{"redis": map[string]any{"endpoint": "127.0.0.1:1"}}})
	for n := range 5 {
		a.store.addEvents(makeEvent(1000+n, 0))
		assert.Equal(t, statusMiss, a.cacheStatus(pathTelemetry))
		assert.Equal(t, statusHit, a.cacheStatus(pathTelemetry))
	}
	metadatatest.AssertEqualCacheRedisUp(t, a.telemetry, []metricdata.DataPoint[int64]{{Value: 0}},
		metricdatatest.IgnoreTimestamp(), metricdatatest.IgnoreExemplars())
}
