package sentineljsonencodingextension

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/configopaque"
	"go.opentelemetry.io/collector/config/configoptional"
	"go.opentelemetry.io/collector/config/configtls"
)

// Formats of messages.
const (
	formatJSON      = "json"
	formatOTLPProto = "otlp_proto"
	formatOTLPJSON  = "otlp_json"
	formatAuto      = "auto"
)

var formats = []string{formatJSON, formatOTLPProto, formatOTLPJSON, formatAuto}

const (
	defaultMaxMessageBytes    = 1 << 20
	defaultMaxEvents          = 10_000
	defaultMaxDepth           = 32
	defaultMaxMetadataEntries = 64
	defaultMaxFileBytes       = 64 << 20
	defaultMaxFiles           = 16
	defaultClientID           = "sentinel-dead-letter"

	maxMaxMessageBytes    = 16 << 20
	maxMaxEvents          = 1_000_000
	maxMaxDepth           = 128
	maxMaxMetadataEntries = 64
	minMaxFileBytes       = 64 << 10
	maxMaxFiles           = 10_000
)

// Config of the extension. The default configuration decodes JSON events and
// drops, counted, what it cannot decode.
type Config struct {
	// Format of the messages: json (JSON events), otlp_proto, otlp_json, or auto
	// (told apart message by message). Default: json.
	Format string `mapstructure:"format"`
	// MaxMessageBytes is the largest message that is decoded, in bytes. Between 1
	// and 16777216. Default: 1048576, the limit of a Kafka broker.
	MaxMessageBytes int `mapstructure:"max_message_bytes"`
	// MaxEvents is how many JSON events a message may hold. Between 1 and
	// 1000000. Default: 10000.
	MaxEvents int `mapstructure:"max_events"`
	// MaxDepth is how deep JSON may be nested, in levels. Between 4 and 128.
	// Default: 32.
	MaxDepth int `mapstructure:"max_depth"`
	// MaxMetadataEntries is how many entries of an event's metadata are taken
	// over, in the order of the message. Between 0 and 64. Default: 64.
	MaxMetadataEntries int `mapstructure:"max_metadata_entries"`
	// DeadLetter is where what cannot be decoded goes. Default: nowhere; it is
	// counted and dropped.
	DeadLetter DeadLetterConfig `mapstructure:"dead_letter"`

	_ struct{}
}

// DeadLetterConfig names the places that take what cannot be decoded. With
// both, a record must be durable in both.
type DeadLetterConfig struct {
	File  configoptional.Optional[FileConfig]  `mapstructure:"file"`
	Kafka configoptional.Optional[KafkaConfig] `mapstructure:"kafka"`

	_ struct{}
}

// FileConfig is a directory of dead letter files.
type FileConfig struct {
	// Directory is made if it is missing, readable by its owner only. No two
	// collectors may share it. Required.
	Directory string `mapstructure:"directory"`
	// MaxFileBytes is the size in bytes at which a new file is begun; a file may
	// be larger by one message. At least 65536. Default: 67108864 (64 MiB).
	MaxFileBytes int64 `mapstructure:"max_file_bytes"`
	// MaxFiles is how many files are kept; the oldest are removed, which is
	// counted and logged. Between 1 and 10000. Default: 16.
	MaxFiles int `mapstructure:"max_files"`

	_ struct{}
}

// KafkaConfig is a topic of dead letters.
type KafkaConfig struct {
	// Brokers are the addresses, host:port, of brokers to begin with. Required.
	Brokers []string `mapstructure:"brokers"`
	// Topic takes the dead letters. It must not be one that is read through this
	// extension. Required.
	Topic string `mapstructure:"topic"`
	// ClientID is how the extension names itself to the brokers. Default:
	// sentinel-dead-letter.
	ClientID string `mapstructure:"client_id"`
	// TLS of the connections. Default: none.
	TLS configoptional.Optional[configtls.ClientConfig] `mapstructure:"tls"`
	// SASL is how the extension authenticates. Default: not at all.
	SASL configoptional.Optional[SASLConfig] `mapstructure:"sasl"`

	_ struct{}
}

// SASLConfig holds a user name and a password.
type SASLConfig struct {
	// Mechanism is PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512. Required.
	Mechanism string              `mapstructure:"mechanism"`
	Username  string              `mapstructure:"username"`
	Password  configopaque.String `mapstructure:"password"`

	_ struct{}
}

func createDefaultConfig() component.Config {
	return &Config{
		Format:             formatJSON,
		MaxMessageBytes:    defaultMaxMessageBytes,
		MaxEvents:          defaultMaxEvents,
		MaxDepth:           defaultMaxDepth,
		MaxMetadataEntries: defaultMaxMetadataEntries,
		DeadLetter: DeadLetterConfig{
			File:  configoptional.Default(FileConfig{MaxFileBytes: defaultMaxFileBytes, MaxFiles: defaultMaxFiles}),
			Kafka: configoptional.Default(KafkaConfig{ClientID: defaultClientID, TLS: configoptional.Default(configtls.NewDefaultClientConfig())}),
		},
	}
}

// Validate reports every setting that cannot work.
func (c *Config) Validate() error {
	errs := []error{
		between("max_message_bytes", c.MaxMessageBytes, 1, maxMaxMessageBytes),
		between("max_events", c.MaxEvents, 1, maxMaxEvents),
		between("max_depth", c.MaxDepth, 4, maxMaxDepth),
		between("max_metadata_entries", c.MaxMetadataEntries, 0, maxMaxMetadataEntries),
	}
	if !slices.Contains(formats, c.Format) {
		errs = append(errs, fmt.Errorf("format must be one of %s, got %q", strings.Join(formats, ", "), c.Format))
	}
	return errors.Join(errs...)
}

// Validate reports every setting that cannot work.
func (c *FileConfig) Validate() error {
	var errs []error
	if c.Directory == "" {
		errs = append(errs, errors.New("directory must name a folder, got nothing"))
	}
	if c.MaxFileBytes < minMaxFileBytes {
		errs = append(errs, fmt.Errorf("max_file_bytes must be at least %d, got %d", minMaxFileBytes, c.MaxFileBytes))
	}
	return errors.Join(append(errs, between("max_files", c.MaxFiles, 1, maxMaxFiles))...)
}

// Validate reports every setting that cannot work.
func (c *KafkaConfig) Validate() error {
	var errs []error
	if len(c.Brokers) == 0 || slices.Contains(c.Brokers, "") {
		errs = append(errs, fmt.Errorf("brokers must name at least one broker and no empty one, got %q", c.Brokers))
	}
	if c.Topic == "" {
		errs = append(errs, errors.New("topic must name a topic, got nothing"))
	}
	return errors.Join(errs...)
}

// Validate reports every setting that cannot work.
func (c *SASLConfig) Validate() error {
	var errs []error
	if _, ok := mechanisms[c.Mechanism]; !ok {
		errs = append(errs, fmt.Errorf("mechanism must be PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512, got %q", c.Mechanism))
	}
	if c.Username == "" || c.Password == "" {
		errs = append(errs, errors.New("username and password must not be empty"))
	}
	return errors.Join(errs...)
}

func between(name string, value, low, high int) error {
	if value < low || value > high {
		return fmt.Errorf("%s must be between %d and %d, got %d", name, low, high, value)
	}
	return nil
}
