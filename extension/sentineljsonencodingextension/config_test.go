package sentineljsonencodingextension

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
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
	cfg, err := load(t, "sentinel_json_encoding")
	require.NoError(t, err)
	assert.Equal(t, createDefaultConfig(), cfg)
	assert.Equal(t, "json", cfg.Format)
	assert.Equal(t, 1<<20, cfg.MaxMessageBytes)
	assert.False(t, cfg.DeadLetter.File.HasValue())
	assert.False(t, cfg.DeadLetter.Kafka.HasValue())
}

func TestAllOptions(t *testing.T) {
	cfg, err := load(t, "sentinel_json_encoding/all")
	require.NoError(t, err)
	assert.Equal(t, []any{"auto", 2048, 5, 8, 3}, []any{cfg.Format, cfg.MaxMessageBytes, cfg.MaxEvents, cfg.MaxDepth, cfg.MaxMetadataEntries})
	assert.Equal(t, &FileConfig{Directory: "/var/lib/sentinel/dead-letter", MaxFileBytes: 65536, MaxFiles: 2}, cfg.DeadLetter.File.Get())
	k := cfg.DeadLetter.Kafka.Get()
	assert.Equal(t, []string{"localhost:9092", "localhost:9093"}, k.Brokers)
	assert.Equal(t, []string{"llm.dead-letter", "sentinel"}, []string{k.Topic, k.ClientID})
	assert.True(t, k.TLS.Get().InsecureSkipVerify)
	assert.Equal(t, &SASLConfig{Mechanism: "SCRAM-SHA-512", Username: "u", Password: "p"}, k.SASL.Get())
	assert.Equal(t, "[REDACTED]", k.SASL.Get().Password.String())

	cfg, err = load(t, "sentinel_json_encoding/file_defaults")
	require.NoError(t, err)
	assert.Equal(t, &FileConfig{Directory: "d", MaxFileBytes: 64 << 20, MaxFiles: 16}, cfg.DeadLetter.File.Get())
}

func TestWrongConfigsNameOptionAndValue(t *testing.T) {
	for id, says := range map[string][]string{
		"bad_format": {`format must be one of json, otlp_proto, otlp_json, auto, got "avro"`},
		"bad_limits": {
			"max_message_bytes must be between 1 and 16777216, got 16777217", "max_events must be between 1 and 1000000, got 0",
			"max_depth must be between 4 and 128, got 3", "max_metadata_entries must be between 0 and 64, got 65",
		},
		"bad_file":    {"directory must name a folder", "max_file_bytes must be at least 65536, got 1", "max_files must be between 1 and 10000, got 0"},
		"bad_kafka":   {"brokers must name at least one broker", "topic must name a topic", `mechanism must be PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512, got "OAUTHBEARER"`, "username and password must not be empty"},
		"unknown_key": {"dead_letters"},
	} {
		t.Run(id, func(t *testing.T) {
			_, err := load(t, "sentinel_json_encoding/"+id)
			for _, s := range says {
				require.ErrorContains(t, err, s)
			}
		})
	}
}
