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
)

const (
	fileName     = "events.db"
	lockFileName = "lock.db"
)

var (
	// ErrInUse says that another process (or another Store) uses the directory.
	ErrInUse = errors.New("directory is in use")
	// ErrDamaged says that the database cannot be trusted.
	ErrDamaged = errors.New("database is damaged")
	// ErrSchema says that the file was not written by this version or an older one.
	ErrSchema = errors.New("unknown database schema")
)

func damageError(dir string, cause error) error {
	return fmt.Errorf("%w: %s: %w; either set recreate to start an empty one and keep the damaged file beside it, "+
		"or move the directory away (what is readable can be saved with: sqlite3 %s .recover)",
		ErrDamaged, filepath.Join(dir, fileName), cause, fileName)
}

// Open opens the store in cfg.Directory and creates it when it is missing. It
// fails with [ErrInUse], [ErrDamaged] or [ErrSchema], wrapped with the path and
// what to do. ctx bounds opening only.
func Open(ctx context.Context, cfg Config) (*Store, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	dir, err := filepath.Abs(cfg.Directory)
	if err != nil {
		return nil, fmt.Errorf("directory %s: %w", cfg.Directory, err)
	}
	cfg.Directory = dir
	if err := prepareDirectory(dir); err != nil {
		return nil, err
	}
	lock, err := acquire(dir)
	if err != nil {
		return nil, err
	}
	s, err := open(ctx, cfg)
	if errors.Is(err, ErrDamaged) && cfg.Recreate {
		cfg.Logger.Error("event store is damaged, starting an empty one", zap.Error(err))
		if err = setAside(dir, cfg.Now()); err == nil {
			s, err = open(ctx, cfg)
		}
	}
	if err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	s.lock = lock
	s.loop.Go(s.work)
	if cfg.Backup.Directory != "" {
		s.loop.Go(s.backups)
	}
	s.loop.Go(s.seals)
	return s, nil
}

func prepareDirectory(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("create directory for events: %w", err)
	}
	// SQLite gives the files that it puts beside a database the mode of the
	// database, so the mode is decided here.
	for _, name := range [...]string{fileName, lockFileName} {
		f, err := os.OpenFile(filepath.Join(dir, name), os.O_CREATE|os.O_RDWR, 0o600) //nolint:gosec // the path comes from the configuration
		if err != nil {
			return fmt.Errorf("directory for events must be writable: %w", err)
		}
		if err := f.Close(); err != nil {
			return err
		}
	}
	return nil
}

// acquire takes the directory for this process. The lock is a transaction on a
// database of its own, because that works wherever SQLite works and ends with
// the process. It must come before everything else touches the database.
func acquire(dir string) (*sqlite.Conn, error) {
	path := filepath.Join(dir, lockFileName)
	conn, err := sqlite.OpenConn(path, sqlite.OpenReadWrite)
	if err != nil {
		return nil, fmt.Errorf("lock %s: %w", dir, err)
	}
	conn.SetBusyTimeout(0)
	for _, q := range [...]string{"PRAGMA journal_mode = MEMORY", "BEGIN EXCLUSIVE"} {
		if err = sqlitex.ExecuteTransient(conn, q, nil); err != nil {
			break
		}
	}
	if err == nil {
		return conn, nil
	}
	if code := sqlite.ErrCode(err).ToPrimary(); code == sqlite.ResultBusy || code == sqlite.ResultLocked {
		err = fmt.Errorf("%s: %w: another collector, or another storage extension of this one, has it open; stop it or give each its own directory",
			dir, ErrInUse)
	} else {
		err = fmt.Errorf("lock %s: %w", dir, err)
	}
	return nil, errors.Join(err, conn.Close())
}

// setAside renames the files of a damaged database.
func setAside(dir string, now time.Time) error {
	suffix := ".damaged-" + now.UTC().Format("20060102T150405.000")
	for _, part := range [...]string{"", "-wal", "-shm"} {
		from := filepath.Join(dir, fileName+part)
		to := filepath.Join(dir, fileName+suffix+part)
		if err := os.Rename(from, to); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("set damaged database aside: %w", err)
		}
	}
	return prepareDirectory(dir)
}

func open(ctx context.Context, cfg Config) (_ *Store, err error) {
	path := filepath.Join(cfg.Directory, fileName)
	conn, err := sqlite.OpenConn(path, sqlite.OpenReadWrite)
	if err != nil {
		return nil, openError(cfg.Directory, err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, conn.Close())
		}
	}()
	conn.SetInterrupt(ctx.Done())
	synchronous := "NORMAL"
	if cfg.SyncInterval == 0 {
		synchronous = "FULL"
	}
	for _, p := range []string{
		"PRAGMA journal_mode = WAL", "PRAGMA synchronous = " + synchronous, "PRAGMA wal_autocheckpoint = 4000",
		"PRAGMA journal_size_limit = 67108864", "PRAGMA cache_size = -32768", "PRAGMA temp_store = MEMORY",
		"PRAGMA trusted_schema = OFF",
	} {
		if err := sqlitex.ExecuteTransient(conn, p, nil); err != nil {
			return nil, openError(cfg.Directory, err)
		}
	}
	if err := migrate(conn, cfg.Directory); err != nil {
		return nil, err
	}
	if err := check(conn, cfg); err != nil {
		return nil, err
	}
	readers, err := sqlitex.NewPool(path, sqlitex.PoolOptions{
		Flags: sqlite.OpenReadWrite, PoolSize: cfg.Readers,
		PrepareConn: func(c *sqlite.Conn) error {
			return sqlitex.ExecuteScript(c, "PRAGMA query_only = ON; PRAGMA cache_size = -8192; PRAGMA temp_store = MEMORY; PRAGMA trusted_schema = OFF;", nil)
		},
	})
	if err != nil {
		return nil, openError(cfg.Directory, err)
	}
	// The log exists while a connection is open. Only the log may be opened
	// beside SQLite: closing a second handle of the database or its -shm file
	// would drop the locks that SQLite holds on them.
	wal, err := os.OpenFile(path+"-wal", os.O_RDWR, 0) //nolint:gosec // the path comes from the configuration
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open write-ahead log: %w", err), readers.Close())
	}
	conn.SetInterrupt(nil)
	s := &Store{
		cfg: cfg, readers: readers, wal: wal, w: newWriter(conn),
		writing: make(chan struct{}, 1), closed: make(chan struct{}), kick: make(chan struct{}, 1),
	}
	s.writing <- struct{}{}
	if err := s.measure(); err != nil {
		return nil, errors.Join(openError(cfg.Directory, err), readers.Close(), wal.Close())
	}
	return s, nil
}

func openError(dir string, err error) error {
	switch sqlite.ErrCode(err).ToPrimary() {
	case sqlite.ResultCorrupt, sqlite.ResultNotADB:
		return damageError(dir, err)
	case sqlite.ResultInterrupt:
		return fmt.Errorf("open event store in %s: %w", dir, context.Canceled)
	default:
		return fmt.Errorf("open event store in %s: %w", dir, err)
	}
}

func queryInt(conn *sqlite.Conn, query string) (int64, error) {
	stmt, _, err := conn.PrepareTransient(query)
	if err != nil {
		return 0, err
	}
	v, err := sqlitex.ResultInt64(stmt)
	return v, errors.Join(err, stmt.Finalize())
}

// quickCheck returns the first damage of a table, or of all of the database.
func quickCheck(conn *sqlite.Conn, table string) (damage string, err error) {
	query := "PRAGMA quick_check(1)"
	if table != "" {
		query = fmt.Sprintf("PRAGMA quick_check('%s')", table)
	}
	err = sqlitex.ExecuteTransient(conn, query, &sqlitex.ExecOptions{
		ResultFunc: func(stmt *sqlite.Stmt) error {
			if v := stmt.ColumnText(0); v != "ok" && damage == "" {
				damage = v
			}
			return nil
		},
	})
	return damage, err
}

// check looks for damage: the catalogue against the schema, and the structure
// of the tables, newest first, until the budget is used up. What is left is
// checked by SQLite whenever a page is read.
func check(conn *sqlite.Conn, cfg Config) error {
	parts, err := listPartitions(conn)
	if err != nil {
		return openError(cfg.Directory, err)
	}
	known := map[string]bool{}
	if err := sqlitex.ExecuteTransient(conn, "SELECT name FROM sqlite_schema WHERE type = 'table'", &sqlitex.ExecOptions{
		ResultFunc: func(stmt *sqlite.Stmt) error { known[stmt.ColumnText(0)] = true; return nil },
	}); err != nil {
		return openError(cfg.Directory, err)
	}
	last := len(globalTables) - 1
	tables := slices.Clone(globalTables[:last])
	for _, p := range parts {
		tables = append(tables, "d_"+p.name, "ev_"+p.name, "an_"+p.name)
		if p.layout > 1 {
			tables = append(tables, "bl_"+p.name)
		}
	}
	tables = append(tables, globalTables[last])
	for _, t := range tables {
		if !known[t] {
			return damageError(cfg.Directory, fmt.Errorf("table %s is missing", t))
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), cfg.CheckBudget)
	defer cancel()
	old := conn.SetInterrupt(ctx.Done())
	defer conn.SetInterrupt(old)
	for i, t := range tables {
		damage, err := quickCheck(conn, t)
		switch {
		case sqlite.ErrCode(err).ToPrimary() == sqlite.ResultInterrupt:
			cfg.Logger.Info("event store is checked in part", zap.Int("tables_checked", i), zap.Int("tables", len(tables)),
				zap.Duration("budget", cfg.CheckBudget))
			return nil
		case err != nil:
			return openError(cfg.Directory, err)
		case damage != "":
			return damageError(cfg.Directory, fmt.Errorf("table %s: %s", t, damage))
		}
	}
	return nil
}
