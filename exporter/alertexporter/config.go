package alertexporter

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/configoptional"
	"go.opentelemetry.io/collector/config/configretry"
	"go.opentelemetry.io/collector/exporter/exporterhelper"

	"github.com/llm-devops/llm-sentinel/exporter/alertexporter/internal/notify/rabbitmq"
	"github.com/llm-devops/llm-sentinel/exporter/alertexporter/internal/notify/webhook"
	"github.com/llm-devops/llm-sentinel/internal/anomaly"
)

// Config of the alert exporter. At least one target must be present.
type Config struct {
	// MinSeverity is the lowest severity that is notified: low, medium, high or
	// critical. Default medium.
	MinSeverity anomaly.Severity `mapstructure:"min_severity"`

	// SendResolved tells the end of an alert too, to the targets that got the
	// alert, as an event of its own type. Default false: a receiver that expects
	// an anomaly in each message would take the end for a broken one.
	SendResolved bool `mapstructure:"send_resolved"`

	// Deduplication limits how often one incident is told.
	Deduplication DeduplicationConfig `mapstructure:"deduplication"`

	// Webhook posts signed JSON to a URL. Default: absent.
	Webhook configoptional.Optional[webhook.Config] `mapstructure:"webhook"`

	// RabbitMQ publishes to an exchange. Default: absent.
	RabbitMQ configoptional.Optional[rabbitmq.Config] `mapstructure:"rabbitmq"`

	// Queue holds notifications until a target takes them; each target has its
	// own. One request is one anomaly. batch is not supported. Default: 1000
	// requests in memory, 4 consumers.
	Queue configoptional.Optional[exporterhelper.QueueBatchConfig] `mapstructure:"sending_queue"`

	// Retry of failed attempts; each target retries on its own. Default: from 1s
	// to 1m apart, for 1h.
	Retry configretry.BackOffConfig `mapstructure:"retry_on_failure"`

	// Timeout bounds one attempt, including the wait for another attempt of the
	// same identity. Default 30s.
	Timeout exporterhelper.TimeoutConfig `mapstructure:",squash"`

	// prevent unkeyed literal initialization
	_ struct{}
}

// DeduplicationConfig limits how often one incident is told. An incident is
// identified by service, model and anomaly type.
type DeduplicationConfig struct {
	// Enabled switches deduplication. Default true.
	Enabled bool `mapstructure:"enabled"`
	// Window in event time that begins with a delivered notification; further
	// anomalies of the identity in it are counted and not told, unless their
	// severity is higher. Default 5m, at most 24h.
	Window time.Duration `mapstructure:"window"`
	// MaxEntries bounds the identities that each target remembers; the oldest
	// is forgotten first. Default 10000, at most 1000000.
	MaxEntries int `mapstructure:"max_entries"`

	// prevent unkeyed literal initialization
	_ struct{}
}

const (
	maxWindow  = 24 * time.Hour
	maxEntries = 1_000_000
)

func createDefaultConfig() component.Config {
	queue := exporterhelper.NewDefaultQueueConfig()
	queue.NumConsumers = 4
	retry := configretry.NewDefaultBackOffConfig()
	retry.InitialInterval = time.Second
	retry.MaxInterval = time.Minute
	retry.MaxElapsedTime = time.Hour
	return &Config{
		MinSeverity:   anomaly.SeverityMedium,
		Deduplication: DeduplicationConfig{Enabled: true, Window: 5 * time.Minute, MaxEntries: 10_000},
		Webhook:       configoptional.Default(webhook.NewDefaultConfig()),
		RabbitMQ:      configoptional.Default(rabbitmq.NewDefaultConfig()),
		Queue:         configoptional.Some(queue),
		Retry:         retry,
		Timeout:       exporterhelper.TimeoutConfig{Timeout: 30 * time.Second},
	}
}

// Validate checks what concerns the exporter as a whole.
func (c *Config) Validate() error {
	var errs []error
	if !c.MinSeverity.Valid() {
		errs = append(errs, fmt.Errorf("min_severity must be low, medium, high or critical, got %v", c.MinSeverity))
	}
	var names []string
	configured := false
	for _, s := range targetSpecs {
		names = append(names, s.name)
		configured = configured || s.configured(c)
	}
	if !configured {
		errs = append(errs, fmt.Errorf("at least one target must be configured, one of: %s", strings.Join(names, ", ")))
	}
	if c.Queue.HasValue() && c.Queue.Get().Batch.HasValue() {
		errs = append(errs, errors.New("sending_queue::batch must be absent, each notification is delivered on its own"))
	}
	return errors.Join(errs...)
}

// Validate checks the section.
func (c *DeduplicationConfig) Validate() error {
	if !c.Enabled {
		return nil
	}
	var errs []error
	if c.Window <= 0 || c.Window > maxWindow {
		errs = append(errs, fmt.Errorf("window must be above 0 and at most %v, got %v", maxWindow, c.Window))
	}
	if c.MaxEntries < 1 || c.MaxEntries > maxEntries {
		errs = append(errs, fmt.Errorf("max_entries must be 1 to %d, got %d", maxEntries, c.MaxEntries))
	}
	return errors.Join(errs...)
}
