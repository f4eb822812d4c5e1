package queryextension

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/confmap/confmaptest"
)

func load(t *testing.T, id string) (*Config, error) {
	t.Helper()
	conf, err := confmaptest.LoadConf(filepath.Join("testdata", "config.yaml"))
	require.NoError(t, err)
	sub, err := conf.Sub(id)
	require.NoError(t, err)
	cfg := createDefaultConfig().(*Config)
	if err := sub.Unmarshal(cfg); err != nil {
		return nil, err
	}
	return cfg, confmap.Validate(cfg)
}

func TestDefaultConfigIsComplete(t *testing.T) {
	t.Parallel()
	cfg, err := load(t, "query")
	require.NoError(t, err)
	assert.Equal(t, createDefaultConfig(), cfg)
	assert.Equal(t, "localhost:8080", cfg.HTTP.NetAddr.Endpoint)
	assert.Equal(t, "llm_storage", cfg.Storage.String())
	assert.False(t, cfg.HTTP.CORS.HasValue())
}

func TestAllOptions(t *testing.T) {
	t.Parallel()
	cfg, err := load(t, "query/all")
	require.NoError(t, err)
	assert.Equal(t, "localhost:9999", cfg.HTTP.NetAddr.Endpoint)
	assert.Equal(t, 2*time.Minute, cfg.HTTP.WriteTimeout)
	assert.EqualValues(t, 4096, cfg.HTTP.MaxRequestBodySize)
	assert.Equal(t, component.MustNewIDWithName("llm_storage", "second"), cfg.Storage)
	assert.Empty(t, cfg.MetricsEndpoint)
	assert.Equal(t, 5*time.Second, cfg.RequestTimeout)
	assert.Equal(t, 8, cfg.MaxConcurrentRequests)
	assert.Equal(t, 1<<20, cfg.MaxResponseBytes)
	assert.Equal(t, []string{"https://example.com"}, cfg.HTTP.CORS.Get().AllowedOrigins)
}

func TestWrongConfigs(t *testing.T) {
	t.Parallel()
	for id, says := range map[string][]string{
		"query/no_endpoint":      {"http::endpoint must not be empty"},
		"query/no_storage":       {"storage", "empty"},
		"query/bad_storage":      {"storage", "two words"},
		"query/metrics_scheme":   {"metrics_endpoint must be an http or https URL or empty", "ftp"},
		"query/metrics_host":     {"metrics_endpoint must be", "localhost:8888"},
		"query/metrics_syntax":   {"metrics_endpoint must be"},
		"query/metrics_password": {"metrics_endpoint must not hold"},
		"query/no_time":          {"request_timeout must be positive, got 0s"},
		"query/write_timeout":    {"http::write_timeout must be longer than request_timeout (1m0s)", "got 1m0s"},
		"query/no_streams":       {"max_streams must be at least 1, got 0"},
		"query/no_requests":      {"max_concurrent_requests must be at least 1, got 0"},
		"query/small_response":   {"max_response_bytes must be at least 65536, got 100"},
		"query/unknown":          {"port"},
		"query/many":             {"request_timeout must be positive", "max_concurrent_requests must be at least 1, got -1"},
	} {
		_, err := load(t, id)
		for _, text := range says {
			require.ErrorContains(t, err, text, id)
		}
		assert.NotContains(t, err.Error(), "hunter2")
	}
	_, err := load(t, "query/no_write_timeout")
	require.NoError(t, err)
	cfg := createDefaultConfig().(*Config)
	cfg.Storage = component.ID{}
	require.ErrorContains(t, cfg.Validate(), "storage must be the id")
}
