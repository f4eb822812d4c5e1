package storageextension

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/configoptional"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/confmap/confmaptest"

	"github.com/llm-devops/llm-sentinel/extension/storageextension/internal/metadata"
)

func TestLoadConfig(t *testing.T) {
	with := func(change func(*EmbeddedConfig)) *Config {
		c := defaultEmbedded()
		change(&c)
		return &Config{Embedded: configoptional.Some(c), Baselines: defaultBaselines()}
	}
	cm, err := confmaptest.LoadConf(filepath.Join("testdata", "config.yaml"))
	require.NoError(t, err)
	for id, want := range map[string]struct {
		cfg *Config
		err string
	}{
		"":              {cfg: createDefaultConfig().(*Config)},
		"empty_backend": {cfg: with(func(*EmbeddedConfig) {})},
		"all": {cfg: with(func(c *EmbeddedConfig) {
			c.Directory, c.Retention, c.MaxBytes, c.SyncInterval, c.Recreate = "/var/lib/sentinel/events", 720*time.Hour, 3<<29, 0, true
		})},
		"plain_bytes":  {cfg: with(func(c *EmbeddedConfig) { c.MaxBytes = 512 << 20 })},
		"no_age_limit": {cfg: with(func(c *EmbeddedConfig) { c.Retention = 0 })},
		"baselines": {cfg: &Config{
			Embedded: createDefaultConfig().(*Config).Embedded, Baselines: BaselinesConfig{Interval: 10 * time.Second, MaxSeries: 200},
		}},
		"fast_baselines":  {err: "baselines: interval must be between 1s and 1h, got 10ms"},
		"no_series":       {err: "baselines: max_series must be between 1 and 1000000, got 0"},
		"no_directory":    {err: "embedded: directory must not be empty"},
		"short_retention": {err: "retention must be 0 (no limit by age) or between 1h and 2400h, got 10m0s"},
		"small":           {err: "max_bytes must be at least 16777216, got 1048576"},
		"zero_bytes":      {err: "max_bytes must be at least 16777216, got 0"},
		"bad_size":        {err: `size must be a number of bytes with an optional unit (KiB, MiB, GiB, TiB), got "lots"`},
		"bad_sync":        {err: "sync_interval must be between 0 (each write) and 1m, got 2h0m0s"},
		"unknown_key":     {err: "retentoin"},
		"unknown_backend": {err: "floppy"},
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
}

func TestByteSize(t *testing.T) {
	for text, want := range map[string]ByteSize{
		"0": 0, "17": 17, "1b": 1, "1KiB": 1024, "2 MiB": 2 << 20, "0.5gib": 1 << 29, "1TiB": 1 << 40, "3kB": 3000, " 4MB ": 4_000_000,
	} {
		var got ByteSize
		require.NoError(t, got.UnmarshalText([]byte(text)), text)
		require.Equal(t, want, got, text)
	}
	for _, text := range []string{"", "GiB", "-1", "1e30", "NaN", "inf", "1 2", "1PiB", "0x10GiBx"} {
		var got ByteSize
		require.Error(t, got.UnmarshalText([]byte(text)), text)
	}
}

func FuzzByteSize(f *testing.F) {
	f.Add("1GiB")
	f.Add("9223372036854775807")
	f.Fuzz(func(t *testing.T, text string) {
		var b ByteSize
		if b.UnmarshalText([]byte(text)) == nil && b < 0 {
			t.Errorf("%q became %d", text, b)
		}
	})
}

func TestOneBackendAtMost(t *testing.T) {
	yes, no := func(*Config) bool { return true }, func(*Config) bool { return false }
	kinds := func(a, b func(*Config) bool) []backend {
		return []backend{{name: "first", configured: a}, {name: "second", configured: b}}
	}
	for _, c := range []struct {
		kinds []backend
		want  string
	}{{kinds(no, no), "first"}, {kinds(yes, no), "first"}, {kinds(no, yes), "second"}} {
		got, err := choose(c.kinds, nil)
		require.NoError(t, err)
		require.Equal(t, c.want, got.name)
	}
	_, err := choose(kinds(yes, yes), nil)
	require.ErrorContains(t, err, "only one backend must be configured, got first and second")
}
