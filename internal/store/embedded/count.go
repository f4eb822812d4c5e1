package embedded

import (
	"context"
	"errors"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/llm-devops/llm-sentinel/internal/store"
)

// CountEvents implements [store.Reader].
func (s *Store) CountEvents(ctx context.Context, q store.EventQuery) (int64, error) {
	sel, err := eventSelection(q)
	if err != nil {
		return 0, err
	}
	return s.count(ctx, "count events", sel)
}

// CountAnomalies implements [store.Reader].
func (s *Store) CountAnomalies(ctx context.Context, q store.AnomalyQuery) (int64, error) {
	sel, err := anomalySelection(q)
	if err != nil {
		return 0, err
	}
	return s.count(ctx, "count anomalies", sel)
}

func (s *Store) count(ctx context.Context, what string, sel selection) (int64, error) {
	sel.after = nil
	var total int64
	open := s.openHours(ctx, &sel)
	err := s.snapshot(ctx, func(conn *sqlite.Conn) error {
		parts, err := partitionsFor(conn, &sel)
		if err != nil {
			return err
		}
		for _, p := range parts {
			n, err := s.countHour(ctx, conn, &sel, open, p)
			if err != nil {
				return err
			}
			total += n
		}
		return nil
	})
	if err != nil {
		return 0, s.explain(ctx, what, err)
	}
	return total, nil
}

func (s *Store) countHour(ctx context.Context, conn *sqlite.Conn, sel *selection, open openHours, p catalogued) (int64, error) {
	switch {
	case sel.rows(p) == 0:
		return 0, nil
	case !sel.filtered() && sel.covers(p.hour):
		return sel.rows(p), nil
	case sel.measured(&p):
		a := (&aggregation{sel: *sel}).again()
		err := a.addMeasures(ctx, conn, p)
		if err == nil {
			return int64(a.calls), nil
		}
		if !errors.Is(err, errMeasures) {
			return 0, err
		}
		s.warnOfMeasures(err)
	case open.has(p):
		a := (&aggregation{sel: *sel}).again()
		err := a.addOpen(ctx, open, p)
		return int64(a.calls), err
	}
	w := &words{conn: conn, table: "d_" + p.name}
	cond, err := sel.all(conn, &p, w.stored)
	if err != nil || cond == nil {
		return 0, err
	}
	return countWhere(conn, sel.prefix+p.name, cond)
}

// measurable reports whether measures tell which events match.
func (sel *selection) measurable() bool {
	_, byKey := sel.key()
	return sel.prefix == "ev_" && !byKey
}

// measured reports whether the measures of an hour tell which events match.
func (sel *selection) measured(p *catalogued) bool { return p.measured == p.events && sel.measurable() }

func countWhere(conn *sqlite.Conn, table string, cond *where) (int64, error) {
	stmt, _, err := conn.PrepareTransient("SELECT count(*) FROM " + table + cond.sql.String())
	if err != nil {
		return 0, err
	}
	bindAll(stmt, cond.args)
	n, err := sqlitex.ResultInt64(stmt)
	return n, errors.Join(err, stmt.Finalize())
}
