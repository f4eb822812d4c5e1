package embedded

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"go.uber.org/zap"
	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/llm-devops/llm-sentinel/internal/store"
)

// trimRows is how many of the oldest rows are removed at once when a single
// hour is larger than the size limit.
const trimRows = 2000

// measure reads the figures that are kept up to date from then on.
func (s *Store) measure() error {
	parts, err := listPartitions(s.w.conn)
	if err != nil {
		return err
	}
	for _, p := range parts {
		s.stats.events.Add(p.events)
		s.stats.anomalies.Add(p.anomalies)
		if runs, _ := decodeRuns(p.lookup); len(runs) > 1 {
			s.w.scattered[p.hour] = time.Time{}
		}
	}
	s.stats.partitions.Store(int64(len(parts)))
	used, err := s.w.used()
	s.stats.bytes.Store(used)
	return err
}

// noteSize updates the figures that a commit may have changed.
func (s *Store) noteSize() {
	used, err := s.w.used()
	if err != nil {
		return // figures stay as they were; the next statement reports the error
	}
	s.stats.bytes.Store(used)
	if s.oversize() {
		select {
		case s.kick <- struct{}{}:
		default:
		}
	}
}

func (s *Store) oversize() bool { return s.stats.bytes.Load() > s.cfg.MaxBytes }

// hardLimit is where writing has to wait for space: retention runs beside
// writing and may lag behind.
func (s *Store) hardLimit() int64 { return s.cfg.MaxBytes + s.cfg.MaxBytes/8 }

// makeRoom enforces the limits that must hold before rows are written, and
// returns the rows that may be written. It needs the writer.
func (s *Store) makeRoom(ctx context.Context, rows []planned) ([]planned, error) {
	if s.stats.bytes.Load() > s.hardLimit() {
		if err := s.shrink(ctx); err != nil {
			return nil, err
		}
		if s.stats.bytes.Load() > s.hardLimit() {
			return nil, fmt.Errorf("%w: %d bytes are used, max_bytes is %d", store.ErrFull, s.stats.bytes.Load(), s.cfg.MaxBytes)
		}
	}
	hours := 1
	for i := 1; i < len(rows); i++ {
		if hourOf(rows[i].nanos) != hourOf(rows[i-1].nanos) {
			hours++
		}
	}
	if s.stats.partitions.Load()+int64(hours) <= int64(s.cfg.maxPartitions) {
		return rows, nil
	}
	return s.limitPartitions(ctx, rows)
}

// limitPartitions keeps the newest maxPartitions hours of those that exist and
// those that rows would add.
func (s *Store) limitPartitions(ctx context.Context, rows []planned) ([]planned, error) {
	parts, err := listPartitions(s.w.conn)
	if err != nil {
		return nil, err
	}
	hours := make([]int64, 0, len(parts)+len(rows))
	for _, p := range parts {
		hours = append(hours, p.hour)
	}
	for _, r := range rows {
		hours = append(hours, hourOf(r.nanos))
	}
	slices.Sort(hours)
	hours = slices.Compact(hours)
	first := hours[max(0, len(hours)-s.cfg.maxPartitions)]
	for _, p := range parts {
		if p.hour < first {
			if err := s.retire(ctx, p, &s.stats.bySize); err != nil {
				return nil, err
			}
		}
	}
	n := 0
	for n < len(rows) && hourOf(rows[n].nanos) < first {
		n++
	}
	s.refuseOld(int64(n))
	return rows[n:], nil
}

// retain applies retention by age and by size. Hours are dropped one at a time
// so that writers get their turn.
func (s *Store) retain(ctx context.Context) error {
	for {
		more, err := s.retainOne(ctx)
		if err != nil {
			if errors.Is(err, store.ErrClosed) || ctx.Err() != nil {
				return nil
			}
			return fmt.Errorf("apply retention: %w", err)
		}
		if !more {
			return nil
		}
	}
}

func (s *Store) retainOne(ctx context.Context) (more bool, err error) {
	if err := s.acquire(ctx); err != nil {
		return false, err
	}
	defer s.release()
	parts, err := listPartitions(s.w.conn)
	if err != nil || len(parts) == 0 {
		return false, err
	}
	if oldest := parts[len(parts)-1]; oldest.hour < s.firstHour(s.cfg.Now()) {
		return true, s.retire(ctx, oldest, &s.stats.byAge)
	}
	if !s.oversize() {
		return false, nil
	}
	return false, s.shrink(ctx)
}

// shrink lowers the size to the limit: the oldest hours first, and when one is
// left, its oldest rows. It needs the writer.
func (s *Store) shrink(ctx context.Context) error {
	parts, err := listPartitions(s.w.conn)
	if err != nil {
		return err
	}
	for ; len(parts) > 1 && s.oversize(); parts = parts[:len(parts)-1] {
		if err := s.retire(ctx, parts[len(parts)-1], &s.stats.bySize); err != nil {
			return err
		}
	}
	for len(parts) == 1 && s.oversize() {
		removed, err := s.trim(ctx, parts[0])
		if err != nil || removed == 0 {
			return err
		}
	}
	return nil
}

// retire drops an hour and counts its rows.
func (s *Store) retire(ctx context.Context, p catalogued, reason interface{ Add(int64) int64 }) error {
	if err := s.w.transaction(ctx.Done(), func() error { return s.w.drop(p) }); err != nil {
		return fmt.Errorf("drop hour %s: %w", p.name, err)
	}
	s.stats.events.Add(-p.events)
	s.stats.anomalies.Add(-p.anomalies)
	s.stats.partitions.Add(-1)
	reason.Add(p.events + p.anomalies)
	used, err := s.w.used()
	if err != nil {
		return err
	}
	s.stats.bytes.Store(used)
	s.cfg.Logger.Debug("dropped an hour", zap.String("hour", p.name), zap.Int64("events", p.events), zap.Int64("anomalies", p.anomalies))
	return nil
}

// trim removes the oldest rows of an hour and returns their number.
func (s *Store) trim(ctx context.Context, p catalogued) (int64, error) {
	var events, anomalies, baselines int64
	err := s.w.transaction(ctx.Done(), func() error {
		s.w.touch(p.hour)
		err := s.w.dropMeasures(p.hour)
		if err != nil {
			return err
		}
		if events, err = s.trimTable("ev_"+p.name, "time, id"); err != nil {
			return err
		}
		if anomalies, err = s.trimTable("an_"+p.name, "time, id"); err != nil {
			return err
		}
		if events+anomalies == 0 && p.layout > 1 { // all that is left
			if baselines, err = s.trimTable("bl_"+p.name, "time, series"); err != nil {
				return err
			}
		}
		if err := s.trimLookup(p.hour); err != nil {
			return err
		}
		return sqlitex.ExecuteTransient(s.w.conn, "UPDATE partitions SET events = events - ?, anomalies = anomalies - ? WHERE hour = ?",
			&sqlitex.ExecOptions{Args: []any{events, anomalies, p.hour}})
	})
	if err != nil {
		return 0, fmt.Errorf("remove oldest rows of hour %s: %w", p.name, err)
	}
	s.stats.events.Add(-events)
	s.stats.anomalies.Add(-anomalies)
	s.stats.bySize.Add(events + anomalies)
	used, err := s.w.used()
	s.stats.bytes.Store(used)
	return events + anomalies + baselines, err
}

// trimLookup drops what the lookup tells of rows that are gone.
func (s *Store) trimLookup(hour int64) error {
	p, err := s.w.partition(hour)
	if err != nil || !p.indexed {
		return err
	}
	oldest := int64(math.MaxInt64)
	err = sqlitex.ExecuteTransient(s.w.conn, "SELECT time FROM ev_"+p.name+" ORDER BY time LIMIT 1", &sqlitex.ExecOptions{
		ResultFunc: func(stmt *sqlite.Stmt) error { oldest = stmt.ColumnInt64(0); return nil },
	})
	if err != nil {
		return err
	}
	if err := s.w.trimRunsBefore(p, oldest-hour*nanosPerHour); err != nil {
		return err
	}
	return p.count(0, 1)
}

// trimTable removes the first rows in the order of the columns, which are the
// key of the table.
func (s *Store) trimTable(table, key string) (int64, error) {
	err := sqlitex.ExecuteTransient(s.w.conn, fmt.Sprintf(
		"DELETE FROM %[1]s WHERE (%[2]s) IN (SELECT %[2]s FROM %[1]s ORDER BY %[2]s LIMIT %[3]d)", table, key, trimRows), nil)
	return int64(s.w.conn.Changes()), err
}
