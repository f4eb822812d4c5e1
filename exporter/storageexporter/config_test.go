package storageexporter

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/configoptional"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/confmap/confmaptest"
	"go.opentelemetry.io/collector/exporter/exporterhelper"

	"github.com/llm-devops/llm-sentinel/exporter/storageexporter/internal/metadata"
)

func TestLoadConfig(t *testing.T) {
	cm, err := confmaptest.LoadConf(filepath.Join("testdata", "config.yaml"))
	require.NoError(t, err)
	with := func(change func(*Config)) *Config {
		c := createDefaultConfig().(*Config)
		change(c)
		return c
	}
	for id, want := range map[string]struct {
		cfg *Config
		err string
	}{
		"": {cfg: createDefaultConfig().(*Config)},
		"all": {cfg: with(func(c *Config) {
			c.Storage = component.MustNewIDWithName("llm_storage", "long")
			c.IncludeText, c.MaxTextBytes, c.TimeoutConfig.Timeout = true, 500, 5*time.Second
			c.QueueConfig.Get().WaitForResult = false
			c.QueueConfig.Get().Batch = configoptional.None[exporterhelper.BatchConfig]()
			c.RetryConfig.Enabled = false
		})},
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
			require.Equal(t, want.cfg, cfg)
		})
	}
	require.True(t, createDefaultConfig().(*Config).QueueConfig.Get().WaitForResult, "success means stored")
	require.ErrorContains(t, (&Config{MaxTextBytes: 1}).Validate(), "storage must name a storage extension")
}
