package storageexporter

import (
	"errors"
	"fmt"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/configoptional"
	"go.opentelemetry.io/collector/config/configretry"
	"go.opentelemetry.io/collector/exporter/exporterhelper"
)

const (
	defaultStorage      = "llm_storage"
	defaultMaxTextBytes = 10_000
	defaultTimeout      = 30 * time.Second
	maxMaxTextBytes     = 1 << 20

	defaultQueueItems   = 50_000
	defaultConsumers    = 4
	defaultFlushTimeout = 5 * time.Millisecond
	defaultBatchItems   = 1000
	defaultMaxBatch     = 5000
)

// Config of the exporter.
type Config struct {
	// Storage is the component id of the storage extension. Default: llm_storage.
	Storage component.ID `mapstructure:"storage"`
	// IncludeText also stores prompts and responses. They are often personal
	// data; have them redacted before. Default: false.
	IncludeText bool `mapstructure:"include_text"`
	// MaxTextBytes is the longest prompt or response that is stored, in bytes;
	// what is longer is cut. Between 1 and 1048576. Default: 10000.
	MaxTextBytes int `mapstructure:"max_text_bytes"`

	// TimeoutConfig bounds one write. Default: timeout 30s.
	TimeoutConfig exporterhelper.TimeoutConfig `mapstructure:",squash"`
	// QueueConfig gathers the spans of concurrent senders into one write and, by
	// default, makes each sender wait for the result of that write.
	QueueConfig configoptional.Optional[exporterhelper.QueueBatchConfig] `mapstructure:"sending_queue"`
	// RetryConfig is how failed writes are tried again. Default: enabled, up to 5m.
	RetryConfig configretry.BackOffConfig `mapstructure:"retry_on_failure"`

	_ struct{}
}

func createDefaultConfig() component.Config {
	queue := exporterhelper.NewDefaultQueueConfig()
	queue.WaitForResult = true
	queue.Sizer = exporterhelper.RequestSizerTypeItems
	queue.QueueSize = defaultQueueItems
	queue.NumConsumers = defaultConsumers
	queue.Batch = configoptional.Some(exporterhelper.BatchConfig{
		FlushTimeout: defaultFlushTimeout, Sizer: exporterhelper.RequestSizerTypeItems,
		MinSize: defaultBatchItems, MaxSize: defaultMaxBatch,
	})
	return &Config{
		Storage:       component.MustNewID(defaultStorage),
		MaxTextBytes:  defaultMaxTextBytes,
		TimeoutConfig: exporterhelper.TimeoutConfig{Timeout: defaultTimeout},
		QueueConfig:   configoptional.Some(queue),
		RetryConfig:   configretry.NewDefaultBackOffConfig(),
	}
}

// Validate reports what is wrong with the configuration.
func (c *Config) Validate() error {
	var errs []error
	if c.Storage == (component.ID{}) {
		errs = append(errs, errors.New("storage must name a storage extension, got nothing"))
	}
	if c.MaxTextBytes < 1 || c.MaxTextBytes > maxMaxTextBytes {
		errs = append(errs, fmt.Errorf("max_text_bytes must be between 1 and %d, got %d", maxMaxTextBytes, c.MaxTextBytes))
	}
	return errors.Join(errs...)
}
