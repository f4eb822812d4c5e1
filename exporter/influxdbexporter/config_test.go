package influxdbexporter

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/confmap/confmaptest"

	"github.com/llm-devops/llm-sentinel/exporter/influxdbexporter/internal/metadata"
)

// load reads one entry of testdata/config.yaml and validates it.
func load(t *testing.T, name string) (*Config, error) {
	t.Helper()
	all, err := confmaptest.LoadConf(filepath.Join("testdata", "config.yaml"))
	require.NoError(t, err)
	id := component.NewIDWithName(metadata.Type, name)
	require.True(t, all.IsSet(id.String()), "no entry %s", id)
	sub, err := all.Sub(id.String())
	require.NoError(t, err)
	cfg := createDefaultConfig().(*Config)
	if err := sub.Unmarshal(cfg); err != nil {
		return cfg, err
	}
	return cfg, confmap.Validate(cfg)
}

func TestEmptyConfigIsTheDefault(t *testing.T) {
	cfg, err := load(t, "")
	require.NoError(t, err)
	assert.Equal(t, createDefaultConfig(), cfg)
}

func TestEveryOptionIsRead(t *testing.T) {
	cfg, err := load(t, "full")
	require.NoError(t, err)
	assert.Equal(t, "https://influx.example.com:8086/prefix", cfg.ClientConfig.Endpoint)
	assert.Equal(t, 3*time.Second, cfg.ClientConfig.Timeout)
	assert.EqualValues(t, "none", cfg.ClientConfig.Compression)
	assert.Len(t, cfg.ClientConfig.Headers, 1)
	assert.Equal(t, APIV2, cfg.API)
	assert.Equal(t, V1Config{Database: "llm", AnomalyDatabase: "found", RetentionPolicy: "month", Username: "writer", Password: "secret-1", CreateDatabase: true}, cfg.V1)
	assert.Equal(t, V2Config{Org: "acme", Bucket: "llm", AnomalyBucket: "llm", Token: "secret-2", CreateBucket: true}, cfg.V2)
	assert.Equal(t, V3Config{Database: "llm", AnomalyDatabase: "found", Token: "secret-3", NoSync: true}, cfg.V3)
	assert.True(t, cfg.IncludeText)
	assert.Equal(t, 500, cfg.MaxTextBytes)
	assert.Equal(t, SchemaSentinel, cfg.Schema)
	assert.Equal(t, MeasurementsConfig{Telemetry: "calls", Anomaly: "findings"}, cfg.Measurements)
	assert.Equal(t, TagsConfig{Telemetry: []string{"service", "region"}, Anomaly: []string{"severity"}}, cfg.Tags)
	assert.Equal(t, 500, cfg.MaxSeries)
	assert.Equal(t, time.Hour, cfg.SeriesIdleTimeout)
	assert.Equal(t, 1048576, cfg.PayloadMaxBytes)
	assert.Equal(t, 10, cfg.PayloadMaxLines)
	assert.False(t, cfg.QueueConfig.HasValue())
	assert.False(t, cfg.RetryConfig.Enabled)
}

func TestBadConfigIsRefused(t *testing.T) {
	for name, want := range map[string][]string{
		"bad_api":           {`api must be auto, v1, v2 or v3, got "v9"`},
		"bad_scheme":        {`endpoint must begin with http:// or https://, got "localhost:8086"`},
		"no_host":           {`endpoint must name a host`},
		"credentials":       {`endpoint must not hold credentials`},
		"unparsable":        {`endpoint must be a URL`},
		"query":             {`endpoint must have no query`},
		"bad_timeout":       {`timeout must not be negative, got -1s`},
		"bad_compression":   {`compression must be gzip or none, got "zstd"`},
		"two_auths":         {`auth must not be set together with`},
		"bad_series":        {`max_series must be between 10 and 10000000, got 9`},
		"bad_idle":          {`series_idle_timeout must be at least 1m, got 1s`},
		"bad_bytes":         {`payload_max_bytes must be between 65536 and 1073741824, got 1000`},
		"bad_lines":         {`payload_max_lines must be between 1 and 1000000, got 0`},
		"no_database":       {`v1: database must not be empty`},
		"bad_username":      {`v1: username must not contain a colon`},
		"password_only":     {`v1: username must be set`},
		"no_bucket":         {`v2: bucket must not be empty`, `anomaly_bucket must not be empty`},
		"bad_measurement":   {`measurements: telemetry must be a name`},
		"same_measurements": {`must differ, got "anomaly" twice`},
		"id_as_tag":         {`tags: telemetry must list any of service, model`, `got "trace_id"`},
		"tag_twice":         {`anomaly must list each tag once, got "service" twice`},
		"unknown_key":       {`buckets`},
		"bad_schema":        {`schema must be sentinel or otel, got "both"`},
		"no_v3_database":    {`v3: database must not be empty`, `anomaly_database must not be empty`},
		"bucket_no_org":     {`v2: org must be set when create_bucket is`},
		"bad_text":          {`max_text_bytes must be between 1 and 60000, got 0`},
		"text_too_large":    {`payload_max_bytes must be at least 302144 with include_text and max_text_bytes 10000, got 65536`},
		"bad_precision":     {`precision must be ns, us, ms or s, got "min"`},
		"coarse_sentinel":   {`precision must be ns with schema sentinel`},
		"bad_metrics":       {`metrics_schema must be one of`, `got "mine"`},
		"dimension_twice":   {`span_dimensions must list each attribute once, got "service.name" twice`, `log_record_dimensions must list each`},
		"no_old_db":         {`v1_compatibility::db must be set`},
		"two_buckets":       {`bucket and v2::bucket mean the same`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := load(t, name)
			for _, w := range want {
				require.ErrorContains(t, err, w)
			}
			assert.NotContains(t, err.Error(), "hunter2")
		})
	}
}

func TestSecretsDoNotPrint(t *testing.T) {
	cfg, err := load(t, "full")
	require.NoError(t, err)
	text := fmt.Sprintf("%v %+v %s %+v", cfg.V1, cfg.V2, cfg.V2.Token, cfg.V3)
	assert.NotContains(t, text, "secret")
}
