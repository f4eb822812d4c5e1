package embedded

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/llm-devops/llm-sentinel/internal/genai"
)

func backupTo(dir string) func(*Config) {
	return func(c *Config) {
		c.Backup = BackupConfig{Directory: dir, Interval: time.Hour, Keep: 2, BytesPerSecond: 1 << 40}
	}
}

// restore opens a copy as a user would: put in the place of the database.
func restore(t *testing.T, backup string, change func(*Config)) *Store {
	t.Helper()
	dir := t.TempDir()
	data, err := os.ReadFile(backup)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, fileName), data, 0o600))
	return openFor(t, dir, change)
}

func backupFiles(t *testing.T, dir string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	require.NoError(t, err)
	return files
}

// While a backup is made in small steps, batches are written, hours are created
// and dropped, and a transaction is rolled back. The copy is sound and holds all
// batches that were acknowledged before it began, each as a whole.
func TestABackupIsSoundWhileWritesGoOn(t *testing.T) {
	c := newClock(noon)
	dir, to := t.TempDir(), filepath.Join(t.TempDir(), "copies")
	s := openFor(t, dir, func(cfg *Config) {
		cfg.Now, cfg.Retention, cfg.SyncInterval = c.now, 40*time.Hour, time.Minute
	})
	s.cfg.Backup = BackupConfig{Directory: to, Interval: time.Hour, Keep: 2, BytesPerSecond: 64 << 20}
	const size = 50
	batch := func(i int) []genai.Event {
		out := make([]genai.Event, size)
		for j := range out {
			out[j] = fat(noon.Add(-time.Duration(i%30)*time.Hour - time.Duration(i*size+j)))
			out[j].TraceID[0] = byte(1 + i%100)
		}
		return out
	}
	var before []uuid.UUID
	for i := range 40 {
		b := batch(i)
		write(t, s, b...)
		if i%30 < 27 { // the others are dropped below
			for _, e := range b {
				before = append(before, e.ID)
			}
		}
	}
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := 40; ; i++ {
			select {
			case <-done:
				return
			default:
			}
			if err := s.WriteEvents(t.Context(), batch(i%28+i/28*30)); err != nil {
				t.Error(err)
				return
			}
			if i%10 == 0 {
				ctx, cancel := context.WithCancel(t.Context())
				cancel()
				if err := s.WriteEvents(ctx, batch(i)); !errors.Is(err, context.Canceled) {
					t.Error(err)
				}
			}
			if i == 45 {
				c.set(noon.Add(13*time.Hour + time.Minute))
				if err := s.retain(t.Context()); err != nil {
					t.Error(err)
				}
			}
		}
	})
	s.loop.Go(func() {
		if err := s.backupOnce(t.Context()); err != nil {
			t.Error(err)
		}
		close(done)
	})
	wg.Wait()
	st := s.Stats()
	require.EqualValues(t, 1, st.Backups)
	require.Equal(t, noon.UnixNano(), st.LastBackup.UnixNano())
	require.NoError(t, s.Close(t.Context()))

	files := backupFiles(t, to)
	require.Equal(t, []string{filepath.Join(to, "events-20310517T120000.000Z.db")}, files)
	info, err := os.Stat(files[0])
	require.NoError(t, err)
	require.Equal(t, st.BackupBytes, info.Size())
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())

	r := restore(t, files[0], func(cfg *Config) { cfg.Now, cfg.Retention = c.now, 0 })
	defer func() { require.NoError(t, r.Close(t.Context())) }()
	damage, err := quickCheck(r.w.conn, "")
	require.NoError(t, err)
	require.Empty(t, damage)
	got := map[uuid.UUID]bool{}
	for _, id := range ids(t, r) {
		got[id] = true
	}
	require.Zero(t, len(got)%size, "a batch is there in part")
	for _, id := range before {
		require.True(t, got[id])
	}
}

func TestBackupsAreMadeAtStartAndOldOnesRemoved(t *testing.T) {
	dir, to := t.TempDir(), t.TempDir()
	c := newClock(noon)
	foreign := filepath.Join(to, "events-mine.db")
	require.NoError(t, os.WriteFile(foreign, []byte("mine"), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(to, partialName), []byte("left by a crash"), 0o600))
	for i := range 4 {
		c.set(noon.Add(time.Duration(i) * 40 * time.Minute)) // the second and the fourth are too early
		s := openFor(t, dir, func(cfg *Config) { backupTo(to)(cfg); cfg.Now = c.now })
		if i%2 == 0 {
			require.Eventually(t, func() bool { return s.Stats().Backups == 1 }, 30*time.Second, time.Millisecond)
		}
		require.NoError(t, s.Close(t.Context()))
	}
	require.Len(t, backupFiles(t, to), 3)
	c.set(noon.Add(5 * time.Hour))
	s := openFor(t, dir, func(cfg *Config) { backupTo(to)(cfg); cfg.Now = c.now })
	require.Eventually(t, func() bool { return s.Stats().Backups == 1 }, 30*time.Second, time.Millisecond)
	require.NoError(t, s.Close(t.Context()))
	require.Equal(t, []string{
		filepath.Join(to, "events-20310517T132000.000Z.db"), filepath.Join(to, "events-20310517T170000.000Z.db"), foreign,
	}, backupFiles(t, to))
}

func TestAFailedBackupIsToldAndLeavesTheStoreWorking(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	core, logs := observer.New(zap.ErrorLevel)
	s := openFor(t, t.TempDir(), func(cfg *Config) {
		backupTo(filepath.Join(file, "below"))(cfg)
		cfg.Logger = zap.New(core)
	})
	require.Eventually(t, func() bool { return s.Stats().BackupFailures == 1 }, 30*time.Second, time.Millisecond)
	require.Eventually(t, func() bool { return logs.FilterMessage("backup of the event store failed").Len() == 1 }, 30*time.Second, time.Millisecond)
	write(t, s, eventAt(time.Now()))
	require.NoError(t, s.Ping(t.Context()))
	require.Zero(t, s.Stats().Backups)
	require.NoError(t, s.Close(t.Context()))
}

func TestADamagedCopyIsNoBackup(t *testing.T) {
	dir := t.TempDir()
	s := openFor(t, dir, nil)
	for range 20 {
		write(t, s, fat(time.Now()))
	}
	require.NoError(t, s.Close(t.Context()))
	path := filepath.Join(dir, fileName)
	require.NoError(t, verify(t.Context(), path))
	overwrite(t, path, 12, 4)
	require.ErrorIs(t, verify(t.Context(), path), ErrDamaged)
}

func TestClosingEndsABackup(t *testing.T) {
	to := t.TempDir()
	dir := t.TempDir()
	s := openFor(t, dir, nil)
	for range 100 {
		write(t, s, fat(time.Now())) // 2 MB, two seconds at the lowest rate
	}
	require.NoError(t, s.Close(t.Context()))
	s = openFor(t, dir, func(cfg *Config) { backupTo(to)(cfg); cfg.Backup.BytesPerSecond = 1 << 20 })
	require.Eventually(t, func() bool { return len(backupFiles(t, to)) > 0 }, 30*time.Second, time.Millisecond)
	require.NoError(t, s.Close(t.Context()))
	require.Zero(t, s.Stats().Backups)
	require.Empty(t, backupFiles(t, to), "nothing unfinished is left")
}

func TestBackupOptionsAreChecked(t *testing.T) {
	err := (&Config{Directory: "x", Backup: BackupConfig{Directory: "y", Interval: time.Second, BytesPerSecond: 5}}).Validate()
	require.ErrorContains(t, err, "backup interval must be at least 1m0s, got 1s")
	require.ErrorContains(t, err, "backup keep must be between 1 and 1000, got 0")
	require.ErrorContains(t, err, "backup bytes_per_second must be at least 1048576, got 5")
}
