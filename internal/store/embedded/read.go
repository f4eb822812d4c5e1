package embedded

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"slices"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/llm-devops/llm-sentinel/internal/anomaly"
	"github.com/llm-devops/llm-sentinel/internal/genai"
	"github.com/llm-devops/llm-sentinel/internal/store"
)

// Events implements [store.Reader].
func (s *Store) Events(ctx context.Context, q store.EventQuery) iter.Seq2[genai.Event, error] {
	sel, err := eventSelection(q)
	return results(ctx, s, "read events", sel, err, scanEvent)
}

// Anomalies implements [store.Reader].
func (s *Store) Anomalies(ctx context.Context, q store.AnomalyQuery) iter.Seq2[anomaly.Anomaly, error] {
	sel, err := anomalySelection(q)
	return results(ctx, s, "read anomalies", sel, err, scanAnomaly)
}

// snapshot runs f on a connection that sees one state of the database.
func (s *Store) snapshot(ctx context.Context, f func(*sqlite.Conn) error) (err error) {
	if s.isClosed() {
		return store.ErrClosed
	}
	conn, err := s.readers.Take(ctx)
	if err != nil {
		return err
	}
	defer func() {
		conn.SetInterrupt(nil) // the end of the transaction must not be interrupted
		if !conn.AutocommitEnabled() {
			err = errors.Join(err, sqlitex.ExecuteTransient(conn, "ROLLBACK", nil))
		}
		s.readers.Put(conn)
	}()
	if err := sqlitex.ExecuteTransient(conn, "BEGIN", nil); err != nil {
		return err
	}
	return f(conn)
}

// partitionsFor lists the hours that may hold matches, in the query's order.
func partitionsFor(conn *sqlite.Conn, sel *selection) ([]catalogued, error) {
	first, last := sel.hours()
	order := "DESC"
	if sel.ascending {
		order = "ASC"
	}
	var out []catalogued
	err := sqlitex.ExecuteTransient(conn, "SELECT "+catalogueColumns+" FROM partitions WHERE hour >= ? AND hour <= ? ORDER BY hour "+order,
		&sqlitex.ExecOptions{
			Args: []any{first, last},
			ResultFunc: func(stmt *sqlite.Stmt) error {
				out = append(out, scanCatalogued(stmt))
				return nil
			},
		})
	return out, err
}

// words reads the dictionary of an hour.
type words struct {
	conn  *sqlite.Conn
	table string
	known map[int64]string
	byID  *sqlite.Stmt
}

func (w *words) text(id int64) (string, error) {
	if v, ok := w.known[id]; ok {
		return v, nil
	}
	if w.byID == nil {
		stmt, _, err := w.conn.PrepareTransient("SELECT val FROM " + w.table + " WHERE id = ?")
		if err != nil {
			return "", err
		}
		w.byID = stmt
	}
	w.byID.BindInt64(1, id)
	found, err := w.byID.Step()
	if err != nil {
		return "", err
	}
	if !found {
		return "", fmt.Errorf("dictionary %s has no id %d", w.table, id)
	}
	v := w.byID.ColumnText(0)
	w.known[id] = v
	return v, w.byID.Reset()
}

// stored is the form in which v appears in the rows of the hour. It is nil when
// no row has it: a short string is in the dictionary unless that is full.
func (w *words) stored(v string) (any, error) {
	var out any
	if err := sqlitex.ExecuteTransient(w.conn, "SELECT id FROM "+w.table+" WHERE val = ?", &sqlitex.ExecOptions{
		Args:       []any{v},
		ResultFunc: func(stmt *sqlite.Stmt) error { out = stmt.ColumnInt64(0); return nil },
	}); err != nil || out != nil {
		return out, err
	}
	if len(v) > maxDictText {
		return v, nil
	}
	last, err := queryInt(w.conn, "SELECT coalesce(max(id), 0) FROM "+w.table)
	if err != nil || last < maxDict {
		return nil, err
	}
	return v, nil
}

func (w *words) close() {
	if w.byID != nil {
		_ = w.byID.Finalize() // repeats the error of the last step
	}
}

func results[T any](ctx context.Context, s *Store, what string, sel selection, bad error, scan func(*row) (T, error)) iter.Seq2[T, error] {
	if bad == nil {
		bad = checkLimit(sel.limit)
	}
	return stream(ctx, s, what, bad, func(conn *sqlite.Conn, emit func(T, int) error) error {
		return selectRows(conn, sel, func(r *row) error {
			v, err := scan(r)
			if err != nil {
				return err
			}
			return emit(v, r.size)
		})
	})
}

// eachRow runs a query and calls f for each of its rows.
func eachRow(conn *sqlite.Conn, query string, args []any, f func(*sqlite.Stmt) error) error {
	stmt, _, err := conn.PrepareTransient(query)
	if err != nil {
		return err
	}
	bindAll(stmt, args)
	return errors.Join(drain(stmt, f), stmt.Finalize())
}

// drain calls f for each row of a statement and resets it.
func drain(stmt *sqlite.Stmt, f func(*sqlite.Stmt) error) error {
	for {
		more, err := stmt.Step()
		if err == nil && more {
			err = f(stmt)
		}
		if err != nil || !more {
			return errors.Join(err, stmt.Reset())
		}
	}
}

// selectRows calls emit for each match, in order, up to the limit.
func selectRows(conn *sqlite.Conn, sel selection, emit func(*row) error) error {
	parts, err := partitionsFor(conn, &sel)
	if err != nil {
		return err
	}
	for _, p := range parts {
		if sel.limit == 0 {
			return nil
		}
		if sel.rows(p) == 0 {
			continue
		}
		if err := selectFrom(conn, &sel, p, emit); err != nil {
			return err
		}
	}
	return nil
}

// selectFrom reads one hour and takes what it found off the limit and offset.
func selectFrom(conn *sqlite.Conn, sel *selection, p catalogued, emit func(*row) error) (err error) {
	w := &words{conn: conn, table: "d_" + p.name, known: map[int64]string{}}
	defer w.close()
	times, found, err := sel.times(conn, &p)
	if err != nil || found && len(times) == 0 {
		return err
	}
	cond, err := sel.where(&p, w.stored, found)
	if err != nil || cond == nil {
		return err
	}
	cond.goOn(sel)
	if found {
		return selectAt(conn, sel, p, times, cond, w, emit)
	}
	if sel.offset > 0 {
		n, err := countWhere(conn, sel.prefix+p.name, cond)
		if err != nil {
			return err
		}
		if n <= int64(sel.offset) {
			sel.offset -= int(n)
			return nil
		}
	}
	err = eachRow(conn, sel.statement(p, cond)+" OFFSET ?", append(cond.args, int64(sel.limit), int64(sel.offset)), func(stmt *sqlite.Stmt) error {
		sel.limit--
		return emit(&row{stmt: stmt, name: w.text})
	})
	sel.offset = 0
	return err
}

// selectAt reads the rows of one hour that lie at some of the given times. The
// newest of a service may be few of many: the times are tried in pieces that
// hold as many as are wanted, and more when not all of them match.
func selectAt(conn *sqlite.Conn, sel *selection, p catalogued, times []int64, cond *where, w *words, emit func(*row) error) (err error) {
	if !sel.ascending {
		slices.Reverse(times)
	}
	cond.add(timeIn, "")
	stmt, _, err := conn.PrepareTransient(sel.statement(p, cond))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stmt.Finalize()) }()
	for size := minPiece; len(times) > 0 && sel.limit > 0; size *= 4 {
		size = min(max(size, sel.rowsUpTo(maxLookup)), len(times))
		cond.args[len(cond.args)-1] = jsonArray(times[:size])
		times = times[size:]
		bindAll(stmt, append(cond.args, int64(sel.rowsUpTo(math.MaxInt/2))))
		if err := drain(stmt, func(stmt *sqlite.Stmt) error {
			if sel.offset > 0 {
				sel.offset--
				return nil
			}
			sel.limit--
			return emit(&row{stmt: stmt, name: w.text})
		}); err != nil {
			return err
		}
	}
	return nil
}

// rowsUpTo is the number of rows that a query passes over and then gives, where
// each of the two counts up to most.
func (sel *selection) rowsUpTo(most int) int { return min(sel.limit, most) + min(sel.offset, most) }

// minPiece is the smallest number of times of one statement.
const minPiece = 64

// statement reads the rows of one hour, in order, up to a limit that is its last
// parameter.
func (sel *selection) statement(p catalogued, cond *where) string {
	return "SELECT " + columnsOf(sel.prefix, sel.columns, p.layout) + " FROM " + sel.prefix + p.name + cond.sql.String() + " " + sel.order() + " LIMIT ?"
}
