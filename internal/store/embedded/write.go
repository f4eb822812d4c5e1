package embedded

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/llm-devops/llm-sentinel/internal/anomaly"
	"github.com/llm-devops/llm-sentinel/internal/genai"
	"github.com/llm-devops/llm-sentinel/internal/store"
)

// WriteEvents implements [store.Writer]. The identity of an event is its time
// and id: an event that is delivered again has the same time.
func (s *Store) WriteEvents(ctx context.Context, batch []genai.Event) error {
	rows := s.plan(len(batch), func(i int) (time.Time, []byte) { return batch[i].Time(), batch[i].ID[:] })
	return s.write(ctx, "write events", rows, func(p *partition, b *binder, r planned) error {
		b.stmt = p.event
		return bindEvent(b, r.nanos, &batch[r.index])
	}, func(p *partition, r planned) {
		e := &batch[r.index]
		p.index(r.nanos, e)
		if p.collected != nil {
			p.collected.note(r.nanos, e)
		}
	}, &s.stats.events, 1)
}

// WriteAnomalies implements [store.Writer]. The identity of an anomaly is its
// time and id.
func (s *Store) WriteAnomalies(ctx context.Context, batch []anomaly.Anomaly) error {
	for i := range batch {
		if a := &batch[i]; !a.Severity.Valid() || a.Type == "" {
			return fmt.Errorf("write anomalies: %w: anomaly %s has severity %s and type %q", store.ErrInvalid, a.ID, a.Severity, a.Type)
		}
	}
	rows := s.plan(len(batch), func(i int) (time.Time, []byte) { return batch[i].Time, batch[i].ID[:] })
	return s.write(ctx, "write anomalies", rows, func(p *partition, b *binder, r planned) error {
		b.stmt = p.anomaly
		return bindAnomaly(b, r.nanos, &batch[r.index])
	}, nil, &s.stats.anomalies, 2)
}

// planned is one item of a batch: its time, its id and its index.
type planned struct {
	nanos int64
	id    []byte
	index int
}

// plan orders a batch as the tables are ordered, which makes inserts cheap, and
// leaves out what must not be kept.
func (s *Store) plan(n int, item func(int) (time.Time, []byte)) []planned {
	now := s.cfg.Now()
	last := now.Add(MaxAhead)
	first := s.firstHour(now)
	rows := make([]planned, 0, n)
	var tooOld, tooFarAhead int64
	for i := range n {
		t, id := item(i)
		nanos := clampNanos(t)
		switch {
		case t.After(last):
			tooFarAhead++
		case t.Before(minTime) || hourOf(nanos) < first:
			tooOld++
		default:
			rows = append(rows, planned{nanos, id, i})
		}
	}
	s.refuseOld(tooOld)
	if tooFarAhead > 0 {
		s.stats.tooFarAhead.Add(tooFarAhead)
		s.warnOnce(1, "items from the future are not stored; check the clocks and units of the senders", zap.Duration("tolerance", MaxAhead))
	}
	slices.SortFunc(rows, func(a, b planned) int {
		if c := cmp.Compare(a.nanos, b.nanos); c != 0 {
			return c
		}
		return bytes.Compare(a.id, b.id)
	})
	return rows
}

func (s *Store) refuseOld(n int64) {
	if n > 0 {
		s.stats.tooOld.Add(n)
		s.warnOnce(0, "items older than what is kept are not stored", zap.Duration("retention", s.cfg.Retention))
	}
}

func (s *Store) warnOnce(i int, msg string, f zap.Field) {
	if !s.warned[i].Swap(true) {
		s.cfg.Logger.Warn(msg+" (counted, logged once)", f, zap.String("directory", s.cfg.Directory))
	}
}

// firstHour is the oldest hour that retention by age keeps.
func (s *Store) firstHour(now time.Time) int64 {
	if s.cfg.Retention == 0 {
		return hourOf(-1 << 63)
	}
	return hourOf(clampNanos(now.Add(-s.cfg.Retention)))
}

// acquire takes the writer.
func (s *Store) acquire(ctx context.Context) error {
	if s.isClosed() {
		return store.ErrClosed
	}
	select {
	case <-s.closed:
		return store.ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	case <-s.writing:
	}
	// All three may have been ready.
	if s.isClosed() {
		s.release()
		return store.ErrClosed
	}
	return nil
}

func (s *Store) release() { s.writing <- struct{}{} }

// write inserts the rows in one transaction. note, if set, is called for those
// that were not there before. column is the parameter of addCount that takes
// their number.
func (s *Store) write(ctx context.Context, what string, rows []planned,
	bind func(*partition, *binder, planned) error, note func(*partition, planned), total interface{ Add(int64) int64 }, column int,
) error {
	if err := s.acquire(ctx); err != nil {
		return err
	}
	defer s.release()
	if len(rows) == 0 {
		return nil
	}
	rows, err := s.makeRoom(ctx, rows)
	if err != nil {
		return s.explain(ctx, what, err)
	}
	var added int64
	err = s.w.transaction(ctx.Done(), func() error {
		added = 0
		for len(rows) > 0 {
			hour := hourOf(rows[0].nanos)
			n := 1
			for n < len(rows) && hourOf(rows[n].nanos) == hour {
				n++
			}
			p, err := s.w.partition(hour)
			if err != nil {
				return err
			}
			fresh, err := s.insert(p, rows[:n], bind, note)
			if err != nil {
				return err
			}
			added += fresh
			if fresh > 0 {
				s.w.touch(hour)
			}
			s.w.limitCollected(p)
			if err := s.w.appendRun(p); err != nil {
				return err
			}
			if err := p.count(fresh, column); err != nil {
				return err
			}
			rows = rows[n:]
		}
		return nil
	})
	if err != nil {
		return s.explain(ctx, what, err)
	}
	total.Add(added)
	s.stats.partitions.Add(s.w.added)
	if s.cfg.SyncInterval > 0 {
		s.unsynced.Store(true)
	}
	s.noteSize()
	return nil
}

// change runs f in a transaction of the writer, with those rows that may be
// written.
func (s *Store) change(ctx context.Context, what string, rows []planned, f func([]planned) error) error {
	if err := s.acquire(ctx); err != nil {
		return err
	}
	defer s.release()
	rows, err := s.makeRoom(ctx, rows)
	if err != nil {
		return s.explain(ctx, what, err)
	}
	if err := s.w.transaction(ctx.Done(), func() error { return f(rows) }); err != nil {
		return s.explain(ctx, what, err)
	}
	s.stats.partitions.Add(s.w.added)
	if s.cfg.SyncInterval > 0 {
		s.unsynced.Store(true)
	}
	s.noteSize()
	return nil
}

// insert returns how many rows were new.
func (s *Store) insert(p *partition, rows []planned, bind func(*partition, *binder, planned) error, note func(*partition, planned)) (fresh int64, err error) {
	var wordErr error
	dict := func(v string) (int64, bool) {
		id, ok, err := p.word(v)
		if err != nil && wordErr == nil {
			wordErr = err
		}
		return id, ok
	}
	b := binder{dict: dict}
	defer func() {
		if b.stmt != nil { // it must not hold on to the texts of the last row
			err = errors.Join(err, b.stmt.ClearBindings())
		}
	}()
	for _, r := range rows {
		b.n = 0
		if err := bind(p, &b, r); err != nil {
			return 0, err
		}
		if wordErr != nil {
			return 0, wordErr
		}
		if err := step(b.stmt); err != nil {
			return 0, err
		}
		if s.w.conn.Changes() > 0 {
			fresh++
			if note != nil {
				note(p, r)
			}
		}
	}
	return fresh, nil
}

func (p *partition) count(fresh int64, column int) error {
	if fresh == 0 && !p.runsChanged {
		return nil
	}
	p.addCount.BindInt64(1, 0)
	p.addCount.BindInt64(2, 0)
	p.addCount.BindNull(3)
	p.addCount.BindInt64(column, fresh)
	if p.runsChanged {
		p.addCount.BindBytes(3, encodeRuns(p.runs))
		p.runsChanged = false
	}
	return step(p.addCount)
}
