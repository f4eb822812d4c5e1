package storageextension

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/configoptional"

	"github.com/llm-devops/llm-sentinel/internal/store/embedded"
)

const defaultDirectory = "./data/events"

// Config of the extension. At most one backend may be configured; without any,
// the embedded one is used with its defaults.
type Config struct {
	// Embedded keeps the data in a directory of this machine.
	Embedded configoptional.Optional[EmbeddedConfig] `mapstructure:"embedded"`
	// Baselines says how what the detection engines expect is kept.
	Baselines BaselinesConfig `mapstructure:"baselines"`

	_ struct{}
}

// BaselinesConfig says how baselines of engines that name this extension are
// kept, by a backend that can.
type BaselinesConfig struct {
	// Interval is the time between two pulls, 1s to 1h. Default: 1m.
	Interval time.Duration `mapstructure:"interval"`
	// MaxSeries is the most series (one for each service and model, with all its
	// metrics) that one pull writes, 1 to 1000000. When more had calls, they take
	// turns. Default: 5000.
	MaxSeries int `mapstructure:"max_series"`

	_ struct{}
}

// EmbeddedConfig configures the embedded backend.
type EmbeddedConfig struct {
	// Directory holds the database. It is created when missing and belongs to
	// one process at a time. Default: ./data/events.
	Directory string `mapstructure:"directory"`
	// Retention is the age, by event time, from which data is dropped, an hour
	// at a time. Default: 168h; 0 keeps data until max_bytes is reached.
	Retention time.Duration `mapstructure:"retention"`
	// MaxBytes bounds the size of the data, in bytes or with a unit (KiB, MiB,
	// GiB, TiB); the oldest data is dropped above it. Default: 10GiB.
	MaxBytes ByteSize `mapstructure:"max_bytes"`
	// SyncInterval is how often writes are flushed to disk: what power loss may
	// take. The end of the process takes nothing. 0 flushes each batch before
	// it is acknowledged. Default: 1s.
	SyncInterval time.Duration `mapstructure:"sync_interval"`
	// Recreate sets a damaged database aside at start and begins an empty one.
	// Default: false, the collector then does not start.
	Recreate bool `mapstructure:"recreate"`

	_ struct{}
}

// ByteSize is a number of bytes.
type ByteSize int64

var byteUnits = []struct {
	suffix string
	factor float64
}{
	{"kib", 1 << 10},
	{"mib", 1 << 20},
	{"gib", 1 << 30},
	{"tib", 1 << 40},
	{"kb", 1e3},
	{"mb", 1e6},
	{"gb", 1e9},
	{"tb", 1e12},
	{"b", 1},
	{"", 1},
}

// UnmarshalText reads a number with an optional unit, for example 512MiB.
func (b *ByteSize) UnmarshalText(text []byte) error {
	s := strings.ToLower(strings.TrimSpace(string(text)))
	for _, u := range byteUnits {
		number, ok := strings.CutSuffix(s, u.suffix)
		if !ok {
			continue
		}
		v, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
		if err != nil || math.IsNaN(v) || v < 0 || v*u.factor >= math.MaxInt64 {
			break
		}
		*b = ByteSize(v * u.factor)
		return nil
	}
	return fmt.Errorf("size must be a number of bytes with an optional unit (KiB, MiB, GiB, TiB), got %q", text)
}

func createDefaultConfig() component.Config {
	return &Config{
		Embedded:  configoptional.Default(defaultEmbedded()),
		Baselines: defaultBaselines(),
	}
}

func defaultBaselines() BaselinesConfig {
	return BaselinesConfig{Interval: time.Minute, MaxSeries: 5000}
}

func defaultEmbedded() EmbeddedConfig {
	return EmbeddedConfig{
		Directory: defaultDirectory, Retention: embedded.DefaultRetention,
		MaxBytes: embedded.DefaultMaxBytes, SyncInterval: embedded.DefaultSyncInterval,
	}
}

// Validate reports what is wrong with the configuration as a whole.
func (c *Config) Validate() error {
	_, err := c.backend()
	return err
}

// Validate reports what is wrong with how baselines are kept.
func (c *BaselinesConfig) Validate() error {
	var errs []error
	if c.Interval < time.Second || c.Interval > time.Hour {
		errs = append(errs, fmt.Errorf("interval must be between 1s and 1h, got %v", c.Interval))
	}
	if c.MaxSeries < 1 || c.MaxSeries > 1_000_000 {
		errs = append(errs, fmt.Errorf("max_series must be between 1 and 1000000, got %d", c.MaxSeries))
	}
	return errors.Join(errs...)
}

// Validate reports what is wrong with the configuration of the backend.
func (c *EmbeddedConfig) Validate() error {
	cfg := c.settings()
	err := cfg.Validate()
	if c.MaxBytes == 0 { // the settings would take it as the default
		err = errors.Join(err, fmt.Errorf("max_bytes must be at least %d, got 0", embedded.MinMaxBytes))
	}
	return err
}

func (c *EmbeddedConfig) settings() embedded.Config {
	return embedded.Config{
		Directory: c.Directory, Retention: c.Retention, MaxBytes: int64(c.MaxBytes),
		SyncInterval: c.SyncInterval, Recreate: c.Recreate,
	}
}
