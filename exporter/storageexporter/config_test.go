package storageexporter

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/confmap/confmaptest"

	"github.com/llm-devops/llm-sentinel/exporter/storageexporter/internal/metadata"
)

func TestLoadConfig(t *testing.T) {
	cm, err := confmaptest.LoadConf(filepath.Join("testdata", "config.yaml"))
	require.NoError(t, err)
	for id, want := range map[string]struct {
		check func(*testing.T, *Config)
		err   string
	}{
		"": {check: func(t *testing.T, c *Config) {
			require.Equal(t, createDefaultConfig(), c)
			require.True(t, c.QueueConfig.Get().WaitForResult)
			require.False(t, c.IncludeText)
		}},
		"all": {check: func(t *testing.T, c *Config) {
			require.Equal(t, "llm_storage/long", c.Storage.String())
			require.True(t, c.IncludeText)
			require.Equal(t, 500, c.MaxTextBytes)
			require.Equal(t, 5*time.Second, c.TimeoutConfig.Timeout)
			require.False(t, c.QueueConfig.Get().WaitForResult)
			require.False(t, c.QueueConfig.Get().Batch.HasValue())
			require.False(t, c.RetryConfig.Enabled)
		}},
		"no_storage":      {err: "storage"},
		"no_text_bytes":   {err: "max_text_bytes must be between 1 and 1048576, got 0"},
		"many_text_bytes": {err: "max_text_bytes must be between 1 and 1048576, got 100000000"},
		"unknown_key":     {err: "include_texts"},
	} {
		t.Run(id, func(t *testing.T) {
			cfg := createDefaultConfig()
			sub, err := cm.Sub(component.NewIDWithName(metadata.Type, id).String())
			require.NoError(t, err)
			err = sub.Unmarshal(cfg)
			if err == nil {
				err = confmap.Validate(cfg)
			}
			if want.err != "" {
				require.ErrorContains(t, err, want.err)
				return
			}
			require.NoError(t, err)
			want.check(t, cfg.(*Config))
		})
	}
	require.ErrorContains(t, (&Config{MaxTextBytes: 1}).Validate(), "storage must name a storage extension")
}
