package embedded

import (
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"
)

const (
	// DefaultRetention is how long events are kept when nothing else is said.
	DefaultRetention = 7 * 24 * time.Hour
	// DefaultMaxBytes bounds the database when nothing else is said.
	DefaultMaxBytes = 10 << 30
	// DefaultSyncInterval is how often the log is flushed to disk.
	DefaultSyncInterval = time.Second
	// MinMaxBytes is the smallest usable bound: the tables of one hour and the
	// write-ahead log have a size of their own.
	MinMaxBytes = 16 << 20
	// MaxPartitions bounds the number of hours that are kept, and with it the
	// size of the schema that each connection holds in memory.
	MaxPartitions = 2400
	// MaxAhead is how far in the future the time of an item may lie. Clocks
	// differ; a time beyond this is a mistake of a unit or a zone.
	MaxAhead = 24 * time.Hour

	defaultReaders     = 4
	defaultCheckBudget = 2 * time.Second
	retentionInterval  = time.Minute
)

// Config of a [Store].
type Config struct {
	// Directory holds the files. It is created (mode 0700) when missing.
	Directory string
	// Retention is the age, by event time, from which an hour is dropped.
	// Zero means no limit by age; MaxBytes and MaxPartitions still apply.
	Retention time.Duration
	// MaxBytes bounds the size of the data; the oldest hours are dropped above
	// it. Zero means [DefaultMaxBytes].
	MaxBytes int64
	// SyncInterval is how often the log is flushed to disk. Zero flushes each
	// write before it returns.
	SyncInterval time.Duration
	// Recreate sets a damaged database aside at Open and starts an empty one.
	Recreate bool
	// Readers is the number of queries that run at once. Zero means 4.
	Readers int
	// CheckBudget bounds the time that Open spends on looking for damage, the
	// newest hours first. Zero means 2 s.
	CheckBudget time.Duration
	// Backup copies the database while it is in use. Zero means never.
	Backup BackupConfig
	// Now is the wall clock against which retention is measured. Nil means
	// time.Now.
	Now func() time.Time
	// Logger may be nil.
	Logger *zap.Logger
	// OnHealth, if set, is called with an error when background work starts to
	// fail and with nil when it works again. It must not call the Store.
	OnHealth func(error)

	// maxPartitions is lowered by tests.
	maxPartitions int
}

// Validate reports what is wrong with c.
func (c *Config) Validate() error {
	var errs []error
	if c.Directory == "" {
		errs = append(errs, errors.New("directory must not be empty"))
	}
	if c.Retention != 0 && (c.Retention < time.Hour || c.Retention > MaxPartitions*time.Hour) {
		errs = append(errs, fmt.Errorf("retention must be 0 (no limit by age) or between 1h and %dh, got %s", MaxPartitions, c.Retention))
	}
	if c.MaxBytes != 0 && c.MaxBytes < MinMaxBytes {
		errs = append(errs, fmt.Errorf("max_bytes must be at least %d, got %d", MinMaxBytes, c.MaxBytes))
	}
	if c.SyncInterval < 0 || c.SyncInterval > time.Minute {
		errs = append(errs, fmt.Errorf("sync_interval must be between 0 (each write) and 1m, got %s", c.SyncInterval))
	}
	return errors.Join(append(errs, c.Backup.validate())...)
}

func (c Config) withDefaults() Config {
	if c.MaxBytes == 0 {
		c.MaxBytes = DefaultMaxBytes
	}
	if c.Readers <= 0 {
		c.Readers = defaultReaders
	}
	if c.CheckBudget == 0 {
		c.CheckBudget = defaultCheckBudget
	}
	if c.maxPartitions == 0 {
		c.maxPartitions = MaxPartitions
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Logger == nil {
		c.Logger = zap.NewNop()
	}
	return c
}
