package embedded

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"go.uber.org/zap"
	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/llm-devops/llm-sentinel/internal/store"
)

const (
	backupPrefix = "events-"
	backupSuffix = ".db"
	// backupTime is the form of the time in names; names order as times do.
	backupTime   = "20060102T150405.000Z"
	partialName  = "unfinished.db"
	backupChunk  = 256 << 10
	backupRetry  = 10 * time.Minute
	minBackupGap = time.Minute
)

// BackupConfig says whether and how the database is copied while it is in use.
type BackupConfig struct {
	// Directory takes the copies. It is created (mode 0700) when missing. Empty
	// means no backups.
	Directory string
	// Interval between copies. The first is made at once when the directory holds
	// none that is younger. At least a minute.
	Interval time.Duration
	// Keep is the number of copies that are kept, at least 1; the oldest go first,
	// and only after a newer one was verified.
	Keep int
	// BytesPerSecond bounds how fast the copy is made. At least 1 MiB.
	BytesPerSecond int64
}

func (c *BackupConfig) validate() error {
	if c.Directory == "" {
		return nil
	}
	var errs []error
	if c.Interval < minBackupGap {
		errs = append(errs, fmt.Errorf("backup interval must be at least %s, got %s", minBackupGap, c.Interval))
	}
	if c.Keep < 1 || c.Keep > 1000 {
		errs = append(errs, fmt.Errorf("backup keep must be between 1 and 1000, got %d", c.Keep))
	}
	if c.BytesPerSecond < 1<<20 {
		errs = append(errs, fmt.Errorf("backup bytes_per_second must be at least %d, got %d", 1<<20, c.BytesPerSecond))
	}
	return errors.Join(errs...)
}

// backups makes copies until the store is closed.
func (s *Store) backups() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		<-s.closed
		cancel()
	}()
	cfg := s.cfg.Backup
	for {
		wait, err := untilBackup(cfg, s.cfg.Now())
		if err == nil && wait <= 0 {
			wait = cfg.Interval
			err = s.backupOnce(ctx)
		}
		if err != nil {
			if ctx.Err() != nil {
				return
			}
			wait = min(cfg.Interval, backupRetry)
			s.stats.backupFailures.Add(1)
			s.cfg.Logger.Error("backup of the event store failed", zap.String("directory", cfg.Directory), zap.Duration("retry_after", wait), zap.Error(err))
		}
		select {
		case <-s.closed:
			return
		case <-time.After(wait):
		}
	}
}

// untilBackup is how long the youngest copy is young enough.
func untilBackup(cfg BackupConfig, now time.Time) (time.Duration, error) {
	names, err := listBackups(cfg.Directory)
	if err != nil || len(names) == 0 {
		return 0, err
	}
	last := names[len(names)-1]
	at, err := time.Parse(backupPrefix+backupTime+backupSuffix, last)
	if err != nil || at.After(now) { // a clock that was set back must not stop backups
		return 0, nil
	}
	return at.Add(cfg.Interval).Sub(now), nil
}

// listBackups returns the names of finished copies, oldest first.
func listBackups(dir string) ([]string, error) {
	files, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("list backups: %w", err)
	}
	var names []string
	for _, f := range files {
		if _, err := time.Parse(backupPrefix+backupTime+backupSuffix, f.Name()); err == nil && f.Type().IsRegular() {
			names = append(names, f.Name())
		}
	}
	slices.Sort(names)
	return names, nil
}

// backupOnce makes one verified copy and removes those that are too many.
func (s *Store) backupOnce(ctx context.Context) error {
	cfg := s.cfg.Backup
	if err := os.MkdirAll(cfg.Directory, 0o700); err != nil {
		return fmt.Errorf("create directory for backups: %w", err)
	}
	start := s.cfg.Now()
	partial := filepath.Join(cfg.Directory, partialName)
	size, err := s.copyTo(ctx, partial)
	if err == nil {
		err = verify(ctx, partial)
	}
	if err == nil {
		final := filepath.Join(cfg.Directory, backupPrefix+start.UTC().Format(backupTime)+backupSuffix)
		err = publish(partial, final)
	}
	if err != nil {
		return errors.Join(err, removeDatabase(partial))
	}
	s.stats.backups.Add(1)
	s.stats.lastBackup.Store(start.UnixNano())
	s.stats.backupBytes.Store(size)
	s.cfg.Logger.Info("backup of the event store is complete", zap.String("directory", cfg.Directory), zap.Int64("bytes", size))
	return prune(cfg)
}

func prune(cfg BackupConfig) error {
	names, err := listBackups(cfg.Directory)
	if err != nil {
		return err
	}
	for _, n := range names[:max(0, len(names)-cfg.Keep)] {
		if err := os.Remove(filepath.Join(cfg.Directory, n)); err != nil {
			return fmt.Errorf("remove old backup: %w", err)
		}
	}
	return nil
}

// copyTo copies the database with SQLite's online backup. The writer's own
// connection is the source: what it changes meanwhile is changed in the copy,
// too, so that the copy need not start again, and no snapshot has to be held
// open, which would keep the log from being emptied. The copy is the state at
// its end. It takes the writer for about a millisecond at a time.
func (s *Store) copyTo(ctx context.Context, path string) (size int64, err error) {
	if err := removeDatabase(path); err != nil {
		return 0, err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600) //nolint:gosec // the path comes from the configuration
	if err != nil {
		return 0, fmt.Errorf("create backup: %w", err)
	}
	if err := f.Close(); err != nil {
		return 0, err
	}
	to, err := sqlite.OpenConn(path, sqlite.OpenReadWrite)
	if err != nil {
		return 0, fmt.Errorf("create backup: %w", err)
	}
	defer func() { err = errors.Join(err, to.Close()) }()
	if err := sqlitex.ExecuteTransient(to, "PRAGMA synchronous = OFF", nil); err != nil {
		return 0, err
	}
	if size, err = s.copyPages(ctx, to); err != nil {
		return 0, fmt.Errorf("copy to %s: %w", path, err)
	}
	// One file without a log beside it.
	if err := sqlitex.ExecuteTransient(to, "PRAGMA journal_mode = DELETE", nil); err != nil {
		return 0, fmt.Errorf("close backup: %w", err)
	}
	return size, nil
}

func (s *Store) copyPages(ctx context.Context, to *sqlite.Conn) (size int64, err error) {
	var copying *sqlite.Backup
	defer func() {
		if copying != nil {
			<-s.writing // also when the store is closing, which waits for this
			err = errors.Join(err, copying.Close())
			s.release()
		}
	}()
	var pageSize, pages int64
	for {
		if err := s.acquire(ctx); err != nil {
			return 0, err
		}
		more, err := func() (bool, error) {
			defer s.release()
			if copying == nil {
				if pageSize, err = queryInt(s.w.conn, "PRAGMA page_size"); err != nil {
					return false, err
				}
				if copying, err = sqlite.NewBackup(to, "", s.w.conn, ""); err != nil {
					return false, err
				}
			}
			// As much again as was added meanwhile, so that the end comes nearer with
			// each step however fast others write.
			now, err := queryInt(s.w.conn, "PRAGMA page_count")
			if err != nil {
				return false, err
			}
			grown := max(0, now-pages)
			if pages == 0 {
				grown = 0
			}
			pages = now
			more, err := copying.Step(int(backupChunk/pageSize + 2*grown))
			size = int64(copying.PageCount()) * pageSize
			return more, err
		}()
		if err != nil || !more {
			return size, err
		}
		select {
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-time.After(time.Duration(float64(backupChunk) / float64(s.cfg.Backup.BytesPerSecond) * float64(time.Second))):
		}
	}
}

// verify opens a copy as Open would and checks all of it.
func verify(ctx context.Context, path string) (err error) {
	conn, err := sqlite.OpenConn(path, sqlite.OpenReadOnly)
	if err != nil {
		return fmt.Errorf("verify backup: %w", err)
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	conn.SetInterrupt(ctx.Done())
	version, err := readVersion(conn, filepath.Dir(path))
	if err != nil || version != schemaVersion {
		return fmt.Errorf("verify backup: schema version is %d: %w", version, errors.Join(err, ErrDamaged))
	}
	damage, err := quickCheck(conn, "")
	if err == nil && damage != "" {
		err = fmt.Errorf("%w: %s", ErrDamaged, damage)
	}
	if err != nil {
		return fmt.Errorf("verify backup: %w", err)
	}
	return nil
}

// publish gives a copy its name once it is on the disk.
func publish(partial, final string) error {
	if err := syncPath(partial); err != nil {
		return err
	}
	if err := os.Rename(partial, final); err != nil {
		return fmt.Errorf("finish backup: %w", err)
	}
	return syncPath(filepath.Dir(final))
}

func syncPath(path string) error {
	f, err := os.Open(path) //nolint:gosec // the path comes from the configuration
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

func removeDatabase(path string) error {
	for _, part := range [...]string{"", "-wal", "-shm", "-journal"} {
		if err := os.Remove(path + part); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("remove unfinished backup: %w", err)
		}
	}
	return nil
}

// backupStats adds the figures of backups.
func (s *Store) backupStats(st *store.Stats) {
	st.Backups, st.BackupFailures = s.stats.backups.Load(), s.stats.backupFailures.Load()
	st.BackupBytes = s.stats.backupBytes.Load()
	if at := s.stats.lastBackup.Load(); at != 0 {
		st.LastBackup = time.Unix(0, at)
	}
}
