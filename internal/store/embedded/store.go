package embedded

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/llm-devops/llm-sentinel/internal/store"
)

var (
	_ store.Backend    = (*Store)(nil)
	_ store.Observable = (*Store)(nil)
)

// Store is the embedded backend. Create it with [Open].
type Store struct {
	cfg     Config
	lock    *sqlite.Conn
	readers *sqlitex.Pool
	wal     *os.File

	// writing holds one token; who takes it owns w.
	writing chan struct{}
	w       *writer

	closed    chan struct{}
	closeOnce sync.Once
	closeErr  error
	loop      sync.WaitGroup
	// kick asks the loop for retention before its next tick.
	kick chan struct{}
	// sealed counts the seals that were begun.
	sealed atomic.Int64

	// unsynced says that commits are in the log but not flushed yet.
	unsynced atomic.Bool
	health   atomic.Pointer[error]
	warned   [2]atomic.Bool

	stats struct {
		events, anomalies, bytes, partitions atomic.Int64
		byAge, bySize, tooOld, tooFarAhead   atomic.Int64
		// lastBackup is in unix nanoseconds, 0 for none.
		backups, backupFailures, backupBytes, lastBackup atomic.Int64
	}
}

// Stats implements [store.Observable].
func (s *Store) Stats() store.Stats {
	st := store.Stats{
		Events: s.stats.events.Load(), Anomalies: s.stats.anomalies.Load(),
		Bytes: s.stats.bytes.Load(), Partitions: s.stats.partitions.Load(),
		RetiredByAge: s.stats.byAge.Load(), RetiredBySize: s.stats.bySize.Load(),
		RefusedTooOld: s.stats.tooOld.Load(), RefusedTooFarAhead: s.stats.tooFarAhead.Load(),
	}
	s.backupStats(&st)
	return st
}

// Capabilities implements [store.Reader].
func (*Store) Capabilities() store.Capabilities {
	return store.Capabilities{
		Count: true, Cursor: true, Offset: true, Trace: true, Filters: true, ByID: true,
		Aggregate: true, PercentileError: percentileError, Baselines: true, Feedback: true, Write: true,
	}
}

// Ping reports whether a query can be answered and background work succeeds.
func (s *Store) Ping(ctx context.Context) error {
	if err := s.healthErr(); err != nil {
		return err
	}
	return s.snapshot(ctx, func(conn *sqlite.Conn) error {
		return sqlitex.ExecuteTransient(conn, "SELECT count(*) FROM partitions", nil)
	})
}

func (s *Store) healthErr() error {
	if p := s.health.Load(); p != nil {
		return *p
	}
	return nil
}

// setHealth records the result of background work and reports its changes.
func (s *Store) setHealth(err error) {
	before := s.healthErr()
	switch {
	case err != nil:
		s.health.Store(&err)
		if before == nil {
			s.cfg.Logger.Error("background work of the event store fails", zap.String("directory", s.cfg.Directory), zap.Error(err))
		}
	case before != nil:
		s.health.Store(nil)
		s.cfg.Logger.Info("background work of the event store succeeds again", zap.String("directory", s.cfg.Directory))
	}
	if s.cfg.OnHealth != nil && (err == nil) != (before == nil) {
		s.cfg.OnHealth(err)
	}
}

func (s *Store) isClosed() bool {
	select {
	case <-s.closed:
		return true
	default:
		return false
	}
}

// explain turns the error of a statement into what the contract promises.
func (s *Store) explain(ctx context.Context, what string, err error) error {
	switch code := sqlite.ErrCode(err).ToPrimary(); {
	case err == nil:
		return nil
	case s.isClosed():
		return store.ErrClosed
	case ctx.Err() != nil:
		return fmt.Errorf("%s: %w", what, ctx.Err())
	case code == sqlite.ResultFull:
		return fmt.Errorf("%s: %w: %w", what, store.ErrFull, err)
	case code == sqlite.ResultCorrupt || code == sqlite.ResultNotADB:
		return fmt.Errorf("%s: %w", what, damageError(s.cfg.Directory, err))
	default:
		return fmt.Errorf("%s: %w", what, err)
	}
}

// Close stops writes, interrupts queries, flushes what was written and releases
// the directory. It waits for running calls until ctx ends; do not call it from
// inside an iteration over results. Further calls return the first result.
func (s *Store) Close(ctx context.Context) error {
	s.closeOnce.Do(func() {
		close(s.closed)
		done := make(chan error, 1)
		go func() { done <- s.shut() }()
		select {
		case s.closeErr = <-done:
		case <-ctx.Done():
			s.closeErr = fmt.Errorf("close event store: %w", ctx.Err())
		}
	})
	return s.closeErr
}

func (s *Store) shut() error {
	s.loop.Wait()
	<-s.writing // the token is never given back
	errs := []error{s.readers.Close(), s.w.close()}
	if s.unsynced.Load() {
		errs = append(errs, s.wal.Sync())
	}
	errs = append(errs, s.wal.Close(), s.lock.Close())
	return errors.Join(errs...)
}

// work is the loop that flushes the log and applies retention.
func (s *Store) work() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		<-s.closed
		cancel()
	}()
	every := s.cfg.SyncInterval
	if every == 0 {
		every = DefaultSyncInterval
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	var last time.Time
	for {
		select {
		case <-s.closed:
			return
		case <-tick.C:
		case <-s.kick:
			last = time.Time{}
		}
		err := s.sync()
		if now := time.Now(); now.Sub(last) >= retentionInterval || s.oversize() {
			last = now
			err = errors.Join(err, s.retain(ctx))
		}
		if err == nil {
			err = s.gatherQuietHours(ctx, every)
		}
		if ctx.Err() == nil {
			s.setHealth(err)
		}
	}
}

// sync flushes the log. SQLite itself does so only before it copies the log
// into the database.
func (s *Store) sync() error {
	if !s.unsynced.Swap(false) {
		return nil
	}
	if err := s.wal.Sync(); err != nil {
		s.unsynced.Store(true)
		return fmt.Errorf("flush %s: %w", s.wal.Name(), err)
	}
	return nil
}
