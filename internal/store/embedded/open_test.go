package embedded

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/llm-devops/llm-sentinel/internal/anomaly"
	"github.com/llm-devops/llm-sentinel/internal/store"
)

func TestFilesAreForTheOwnerOnly(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("modes mean nothing there")
	}
	dir := filepath.Join(t.TempDir(), "a", "b")
	s := openFor(t, dir, nil)
	write(t, s, eventAt(time.Now()))
	info, err := os.Stat(dir)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o700), info.Mode().Perm())
	files, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, files, 4, "database, log, its index, lock")
	for _, f := range files {
		info, err := f.Info()
		require.NoError(t, err)
		require.Equal(t, os.FileMode(0o600), info.Mode().Perm(), f.Name())
	}
	require.NoError(t, s.Close(t.Context()))
}

func TestDirectoryBelongsToOneStore(t *testing.T) {
	dir := t.TempDir()
	s := openFor(t, dir, nil)
	_, err := Open(t.Context(), Config{Directory: dir})
	require.ErrorIs(t, err, ErrInUse)
	require.ErrorContains(t, err, dir)
	write(t, s, eventAt(time.Now()))
	require.NoError(t, s.Close(t.Context()))
	s = openFor(t, dir, nil)
	require.NoError(t, s.Close(t.Context()))
}

func TestOpenNeedsAWritableDirectory(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	_, err := Open(t.Context(), Config{Directory: filepath.Join(file, "below")})
	require.ErrorContains(t, err, file)
}

func TestOpenStopsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	dir := t.TempDir()
	_, err := Open(ctx, Config{Directory: dir})
	require.ErrorIs(t, err, context.Canceled)
	s := openFor(t, dir, nil)
	require.NoError(t, s.Close(t.Context()))
}

// edit changes a database with a connection of its own.
func edit(path, script string) error {
	conn, err := sqlite.OpenConn(path, sqlite.OpenReadWrite|sqlite.OpenCreate)
	if err != nil {
		return err
	}
	return errors.Join(sqlitex.ExecuteScript(conn, script, nil), conn.Close())
}

func TestNewerSchemaIsRefused(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, openFor(t, dir, nil).Close(t.Context()))
	require.NoError(t, edit(filepath.Join(dir, fileName), fmt.Sprintf("UPDATE meta SET value = %d WHERE key = 'schema_version'", schemaVersion+1)))
	for _, recreate := range []bool{false, true} {
		_, err := Open(t.Context(), Config{Directory: dir, Recreate: recreate})
		require.ErrorIs(t, err, ErrSchema)
		require.ErrorContains(t, err, fmt.Sprintf("has version %d, this build knows up to %d", schemaVersion+1, schemaVersion))
	}
}

func TestForeignDatabaseIsRefused(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, edit(filepath.Join(dir, fileName), "CREATE TABLE t(x)"))
	_, err := Open(t.Context(), Config{Directory: dir, Recreate: true})
	require.ErrorIs(t, err, ErrSchema)
	require.ErrorContains(t, err, "another program")
}

// Each kind of damage is found at Open, told with path and way out, and can be
// set aside.
func TestDamage(t *testing.T) {
	for name, damage := range map[string]func(path string) error{
		"no database": func(path string) error {
			return os.WriteFile(path, []byte("certainly no database, but text"), 0o600)
		},
		"missing table": func(path string) error {
			return edit(path, "DROP TABLE ev_"+partitionName(hourOf(noon.UnixNano())))
		},
		"garbage in pages": func(path string) error {
			b, err := os.ReadFile(path)
			for i := 8 * 4096; i < len(b); i++ {
				b[i] = 0xa5
			}
			return errors.Join(err, os.WriteFile(path, b, 0o600))
		},
		"truncated":  func(path string) error { return os.Truncate(path, 5*4096) },
		"no version": func(path string) error { return edit(path, "DELETE FROM meta") },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			c := newClock(noon)
			change := func(cfg *Config) { cfg.Now = c.now }
			s := openFor(t, dir, change)
			for i := range 200 {
				write(t, s, eventAt(noon.Add(time.Duration(i))))
			}
			require.NoError(t, s.Close(t.Context()))
			require.NoError(t, damage(filepath.Join(dir, fileName)))

			_, err := Open(t.Context(), Config{Directory: dir, Now: c.now})
			require.ErrorIs(t, err, ErrDamaged)
			require.ErrorContains(t, err, filepath.Join(dir, fileName))
			require.ErrorContains(t, err, "recreate")

			s = openFor(t, dir, func(cfg *Config) { cfg.Now, cfg.Recreate = c.now, true })
			require.Empty(t, ids(t, s))
			write(t, s, eventAt(noon))
			require.Len(t, ids(t, s), 1)
			require.NoError(t, s.Close(t.Context()))
			aside, err := filepath.Glob(filepath.Join(dir, fileName+".damaged-*"))
			require.NoError(t, err)
			require.NotEmpty(t, aside, "the damaged file is kept")
		})
	}
}

func TestDamageFoundLaterIsReported(t *testing.T) {
	s := openFor(t, t.TempDir(), nil)
	defer func() { require.NoError(t, s.Close(t.Context())) }()
	cause := sqlite.ResultCorrupt.ToError()
	require.ErrorIs(t, s.explain(t.Context(), "read events", cause), ErrDamaged)
	require.ErrorIs(t, s.explain(t.Context(), "write events", sqlite.ResultFull.ToError()), store.ErrFull)
}

func TestViewsShowStoredEventsAsText(t *testing.T) {
	dir := t.TempDir()
	s := openFor(t, dir, nil)
	e := eventAt(time.Now().Add(-3 * time.Hour))
	e.ErrorType = "rate_limit"
	write(t, s, e, eventAt(time.Now()))
	require.NoError(t, s.WriteAnomalies(t.Context(), []anomaly.Anomaly{{
		ID: uuid.New(), Time: time.Now(), Severity: anomaly.SeverityHigh, Type: anomaly.TypeCostAnomaly, Service: "chat",
	}}))
	// A second process may read while the store is open.
	conn, err := sqlite.OpenConn(filepath.Join(dir, fileName), sqlite.OpenReadOnly)
	require.NoError(t, err)
	var got []string
	require.NoError(t, sqlitex.ExecuteTransient(conn, "SELECT at, svc, model, error_type FROM events ORDER BY at", &sqlitex.ExecOptions{
		ResultFunc: func(stmt *sqlite.Stmt) error {
			at, err := time.Parse(time.RFC3339, stmt.ColumnText(0))
			got = append(got, fmt.Sprintf("%v %s %s %s", time.Since(at).Hours() > 2, stmt.ColumnText(1), stmt.ColumnText(2), stmt.ColumnText(3)))
			return err
		},
	}))
	require.Equal(t, []string{"true chat m rate_limit", "false chat m "}, got)
	n, err := queryInt(conn, "SELECT count(*) FROM anomalies WHERE type = 'cost_anomaly' AND svc = 'chat'")
	require.NoError(t, err)
	require.EqualValues(t, 1, n)
	require.NoError(t, conn.Close())
	require.NoError(t, s.Close(t.Context()))
}

func TestHealthIsReportedOnChange(t *testing.T) {
	var seen []error
	s := openFor(t, t.TempDir(), func(c *Config) {
		c.SyncInterval = time.Minute // the loop must not interfere
		c.OnHealth = func(err error) { seen = append(seen, err) }
	})
	defer func() { require.NoError(t, s.Close(t.Context())) }()
	bad := errors.New("disk on fire")
	s.setHealth(nil)
	s.setHealth(bad)
	s.setHealth(bad)
	require.ErrorIs(t, s.Ping(t.Context()), bad)
	s.setHealth(nil)
	require.NoError(t, s.Ping(t.Context()))
	require.Equal(t, []error{bad, nil}, seen)
}

func TestCloseGivesUpWithItsContext(t *testing.T) {
	s := openFor(t, t.TempDir(), nil)
	<-s.writing // a writer that does not end
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	require.ErrorIs(t, s.Close(ctx), context.DeadlineExceeded)
	s.release() // now it ends, and closing completes in the background
}

func TestConfigIsChecked(t *testing.T) {
	for name, c := range map[string]struct {
		cfg  Config
		want string
	}{
		"directory":      {Config{}, "directory must not be empty"},
		"retention":      {Config{Directory: "x", Retention: time.Minute}, "retention must be"},
		"long retention": {Config{Directory: "x", Retention: 10000 * time.Hour}, "retention must be"},
		"size":           {Config{Directory: "x", MaxBytes: 5}, "max_bytes must be at least"},
		"sync":           {Config{Directory: "x", SyncInterval: -1}, "sync_interval must be"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Open(t.Context(), c.cfg)
			require.ErrorContains(t, err, c.want)
		})
	}
}
