package alertexporter

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/confmap/confmaptest"

	"github.com/llm-devops/llm-sentinel/exporter/alertexporter/internal/notify/rabbitmq"
	"github.com/llm-devops/llm-sentinel/exporter/alertexporter/internal/notify/webhook"
	"github.com/llm-devops/llm-sentinel/internal/anomaly"
)

// load reads one entry of testdata/config.yaml. err is from unmarshalling or
// from validation.
func load(t *testing.T, id string) (*Config, error) {
	t.Helper()
	cm, err := confmaptest.LoadConf(filepath.Join("testdata", "config.yaml"))
	require.NoError(t, err)
	require.True(t, cm.IsSet(id), "no such entry")
	sub, err := cm.Sub(id)
	require.NoError(t, err)
	cfg := NewFactory().CreateDefaultConfig().(*Config)
	if err := sub.Unmarshal(cfg); err != nil {
		return cfg, err
	}
	return cfg, confmap.Validate(cfg)
}

func TestConfigDefaults(t *testing.T) {
	cfg, err := load(t, "alert")
	require.NoError(t, err)
	assert.Equal(t, anomaly.SeverityMedium, cfg.MinSeverity)
	assert.Equal(t, DeduplicationConfig{Enabled: true, Window: 5 * time.Minute, MaxEntries: 10000}, cfg.Deduplication)
	assert.False(t, cfg.RabbitMQ.HasValue())
	assert.False(t, cfg.SendResolved)
	hook := cfg.Webhook.Get()
	assert.Equal(t, 15*time.Second, hook.HTTP.Timeout)
	assert.Equal(t, webhook.FormatStandard, hook.Format)
	assert.Equal(t, int64(1000), cfg.Queue.Get().QueueSize)
	assert.Equal(t, 4, cfg.Queue.Get().NumConsumers)
	assert.Equal(t, time.Hour, cfg.Retry.MaxElapsedTime)
	assert.Equal(t, 30*time.Second, cfg.Timeout.Timeout)
}

func TestConfigEveryOption(t *testing.T) {
	cfg, err := load(t, "alert/full")
	require.NoError(t, err)
	assert.Equal(t, anomaly.SeverityHigh, cfg.MinSeverity)
	assert.Equal(t, DeduplicationConfig{Enabled: true, Window: 10 * time.Minute, MaxEntries: 500}, cfg.Deduplication)

	assert.True(t, cfg.SendResolved)
	hook := cfg.Webhook.Get()
	assert.Equal(t, webhook.FormatSentinel, hook.Format)
	assert.Equal(t, 20*time.Second, hook.HTTP.Timeout)
	assert.Len(t, hook.PreviousSecrets, 1)

	mq := *cfg.RabbitMQ.Get()
	want := rabbitmq.NewDefaultConfig()
	want.Endpoint = "amqps://broker.example.com:5671/alerts"
	want.Username, want.Password = "sentinel", "p@ss/word"
	want.Exchange, want.ExchangeType = "incidents", rabbitmq.ExchangeDirect
	want.RoutingKey = "incidents.{severity}.{service}"
	want.Declare, want.Mandatory, want.OnReturn = rabbitmq.DeclareActive, false, rabbitmq.OnReturnRetry
	want.ReturnGrace = 2 * time.Second
	want.ConfirmTimeout, want.ConnectTimeout, want.WriteTimeout = 3*time.Second, 4*time.Second, 6*time.Second
	want.Heartbeat, want.ConnectionName = 20*time.Second, "ops"
	want.Reconnect.InitialInterval, want.Reconnect.MaxInterval = 2*time.Second, time.Minute
	assert.Equal(t, want, mq)

	assert.Equal(t, int64(50), cfg.Queue.Get().QueueSize)
	assert.Equal(t, component.MustNewID("file_storage"), *cfg.Queue.Get().StorageID)
	assert.Equal(t, time.Duration(0), cfg.Retry.MaxElapsedTime)
	assert.Equal(t, 45*time.Second, cfg.Timeout.Timeout)
}

func TestConfigValid(t *testing.T) {
	for _, id := range []string{"alert/no_queue", "alert/external"} {
		_, err := load(t, id)
		assert.NoError(t, err, id)
	}
}

func TestConfigRefused(t *testing.T) {
	for id, want := range map[string]string{
		"alert/no_target":           "at least one target must be configured, one of: webhook, rabbitmq",
		"alert/bad_severity":        `severity must be one of low, medium, high, critical, got "urgent"`,
		"alert/batch":               "sending_queue::batch must be absent",
		"alert/bad_window":          "deduplication: window must be above 0 and at most 24h0m0s, got 48h0m0s",
		"alert/bad_entries":         "deduplication: max_entries must be 1 to 1000000, got 0",
		"alert/webhook_no_endpoint": "webhook: endpoint must be set",
		"alert/webhook_scheme":      `webhook: endpoint must be an http:// or https:// URL with a host, got scheme "ftp"`,
		"alert/webhook_unparsable":  "webhook: endpoint must be a valid http:// or https:// URL",
		"alert/webhook_timeout":     "webhook: timeout must be positive, got 0s",
		"alert/webhook_compression": `compression must be unset`,
		"alert/webhook_format":      `format must be standard or sentinel, got "xml"`,
		"alert/webhook_header":      `headers must not set "webhook-id"`,
		"alert/secret_prefix":       `secret must start with "whsec_"`,
		"alert/secret_base64":       `secret must be "whsec_" followed by standard base64`,
		"alert/secret_short":        "secret must hold 24 to 64 bytes, got 7",
		"alert/previous_without":    "previous_secrets must be empty when secret is not set",
		"alert/previous_bad":        `previous_secrets[0] must start with "whsec_"`,
		"alert/amqp_no_endpoint":    "rabbitmq: endpoint must be set",
		"alert/amqp_scheme":         `endpoint must begin with amqp:// or amqps://, got scheme "http"`,
		"alert/amqp_credentials":    "endpoint must not hold credentials, use username and password",
		"alert/amqp_query":          "endpoint must not have query parameters",
		"alert/amqp_auth":           `auth must be one of [plain external], got "kerberos"`,
		"alert/amqp_external":       "endpoint must begin with amqps:// with auth: external",
		"alert/amqp_username":       "username must not be empty with auth: plain",
		"alert/amqp_exchange":       "exchange must have 1 to 255 bytes, got 0",
		"alert/amqp_exchange_type":  `exchange_type must be one of [topic direct fanout headers], got "queue"`,
		"alert/amqp_declare":        `declare must be one of [none passive active], got "maybe"`,
		"alert/amqp_on_return":      `on_return must be one of [drop retry], got "keep"`,
		"alert/amqp_routing_key":    "routing_key knows {severity}, {type}, {service} and {model}, got {user}",
		"alert/amqp_heartbeat":      "heartbeat must be at least 1s, got 100ms",
		"alert/amqp_reconnect":      "reconnect::max_interval must be at least 2m0s, got 30s",
	} {
		t.Run(id, func(t *testing.T) {
			_, err := load(t, id)
			require.ErrorContains(t, err, want)
			assert.NotContains(t, err.Error(), "hunter2", "a secret is in the message")
		})
	}
}

func TestReadmeConfigurationsAreValid(t *testing.T) {
	text, err := os.ReadFile("README.md")
	require.NoError(t, err)
	env := strings.NewReplacer("${env:WEBHOOK_URL}", "https://hooks.example.com", "${env:WEBHOOK_SECRET}", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
	blocks := strings.Split(env.Replace(string(text)), "```yaml\n")[1:]
	require.NotEmpty(t, blocks)
	for _, b := range blocks {
		yaml, _, _ := strings.Cut(b, "```")
		raw, err := confmap.NewRetrievedFromYAML([]byte(yaml))
		require.NoError(t, err)
		conf, err := raw.AsConf()
		require.NoError(t, err)
		sub, err := conf.Sub("exporters::alert")
		require.NoError(t, err)
		cfg := createDefaultConfig().(*Config)
		require.NoError(t, sub.Unmarshal(cfg), yaml)
		require.NoError(t, confmap.Validate(cfg), yaml)
	}
}
