package influxdbexporter

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/confmap/confmaptest"

	"github.com/llm-devops/llm-sentinel/exporter/influxdbexporter/internal/metadata"
)

// foreign loads a configuration that was written for contrib's exporter.
func foreign(t *testing.T, name string) *Config {
	t.Helper()
	all, err := confmaptest.LoadConf(filepath.Join("testdata", "foreign.yaml"))
	require.NoError(t, err)
	sub, err := all.Sub(component.NewIDWithName(metadata.Type, name).String())
	require.NoError(t, err)
	cfg := createDefaultConfig().(*Config)
	require.NoError(t, sub.Unmarshal(cfg))
	require.NoError(t, confmap.Validate(cfg))
	return cfg
}

// writesTo is the URL that the configuration writes to, without asking anyone.
func writesTo(t *testing.T, cfg *Config) string {
	t.Helper()
	c, err := newClient(t.Context(), cfg, componenttest.NewNopHost(), componenttest.NewNopTelemetrySettings(), "")
	require.NoError(t, err)
	to, err := c.target(t.Context())
	require.NoError(t, err)
	return to.telemetry
}

func TestAConfigurationForContribDoesTheSameHere(t *testing.T) {
	cfg := foreign(t, "cloud")
	assert.Equal(t, SchemaOTel, cfg.Schema)
	assert.Equal(t, APIV2, cfg.API)
	assert.Equal(t, 700*time.Millisecond, cfg.ClientConfig.Timeout)
	assert.Equal(t, "https://eu-1.influx.example/api/v2/write?bucket=observability&org=acme&precision=ns", writesTo(t, cfg))
	assert.EqualValues(t, "secret-t", cfg.V2.Token)
	assert.Equal(t, []string{"service.name", "span.name", "gen_ai.request.model"}, cfg.OTel.SpanDimensions)
	assert.Equal(t, []string{"service.name", "host.name"}, cfg.OTel.LogRecordDimensions)
	assert.Equal(t, "telegraf-prometheus-v2", cfg.OTel.MetricsSchema)
	assert.Equal(t, 90, cfg.PayloadMaxLines)
	assert.Equal(t, 40, cfg.PayloadMaxBytes)
	assert.Equal(t, 2, cfg.QueueConfig.Get().NumConsumers)
	assert.EqualValues(t, 20, cfg.QueueConfig.Get().QueueSize)
	assert.Equal(t, 20*time.Second, cfg.RetryConfig.MaxElapsedTime)
}

func TestTheLeastConfigurationForContribHasItsDefaults(t *testing.T) {
	cfg := foreign(t, "least")
	assert.Equal(t, SchemaOTel, cfg.Schema)
	assert.Equal(t, []string{"service.name", "span.name"}, cfg.OTel.SpanDimensions)
	assert.Equal(t, []string{"service.name"}, cfg.OTel.LogRecordDimensions)
	assert.Equal(t, "telegraf-prometheus-v1", cfg.OTel.MetricsSchema)
	assert.Equal(t, "http://influx.example:8086/api/v2/write?bucket=observability&org=acme&precision=ns", writesTo(t, cfg))
}

func TestV1CompatibilityWritesToTheOldAPI(t *testing.T) {
	cfg := foreign(t, "old")
	assert.Equal(t, SchemaOTel, cfg.Schema)
	assert.Equal(t, APIV1, cfg.API)
	assert.Equal(t, "http://influx.example:8086/write?db=metrics&precision=ns", writesTo(t, cfg))
	assert.Equal(t, "writer", cfg.V1.Username)
	assert.EqualValues(t, "secret-p", cfg.V1.Password)
	assert.Empty(t, foreign(t, "old_without_password").V1.Username, "contrib's sends no user without a password")
}

func TestAPathOfContribIsTheWholeURL(t *testing.T) {
	assert.Equal(t, "https://gateway.example/team/write?bucket=observability&org=acme&precision=ns&tenant=7", writesTo(t, foreign(t, "path")))
}

func TestASchemaThatIsSetWinsOverTheKeysOfContrib(t *testing.T) {
	cfg := foreign(t, "sentinel")
	assert.Equal(t, SchemaSentinel, cfg.Schema)
	assert.Equal(t, "acme", cfg.V2.Org)
	assert.Equal(t, "llm", cfg.V2.Bucket)
	assert.EqualValues(t, "secret-t", cfg.V2.Token)
}

func TestTheOTelSchemaWritesTo3x(t *testing.T) {
	cfg := foreign(t, "v3")
	assert.Equal(t, SchemaOTel, cfg.Schema)
	assert.Equal(t, "http://influx.example:8181/api/v3/write_lp?accept_partial=true&db=otel&no_sync=false&precision=microsecond", writesTo(t, cfg))
}
