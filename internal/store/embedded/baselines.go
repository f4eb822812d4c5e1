package embedded

import (
	"context"
	"fmt"
	"iter"
	"math"
	"slices"
	"time"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/llm-devops/llm-sentinel/internal/store"
)

var _ store.BaselineStore = (*Store)(nil)

// maxSeries bounds the series whose newest baseline is at hand. The one that was
// not written for the longest time goes first, with all its baselines.
const maxSeries = 500_000

// WriteBaselines implements [store.BaselineStore]. A batch is kept whole or not
// at all, what is too old or too far ahead is left out and counted, as events are.
func (s *Store) WriteBaselines(ctx context.Context, batch []store.Baseline) error {
	for i := range batch {
		if b := &batch[i]; b.Metric == "" || b.Samples < 0 {
			return fmt.Errorf("write baselines: %w: baseline of service %q and model %q has metric %q and %d samples",
				store.ErrInvalid, b.Service, b.Model, b.Metric, b.Samples)
		}
	}
	rows := s.plan(len(batch), func(i int) (time.Time, []byte) { return batch[i].Time, nil })
	return s.change(ctx, "write baselines", rows, func(rows []planned) error {
		for _, r := range rows {
			p, err := s.w.partition(hourOf(r.nanos))
			if err != nil {
				return err
			}
			s.w.touch(p.hour)
			if err := s.w.addBaseline(p, r.nanos, &batch[r.index]); err != nil {
				return err
			}
		}
		return s.w.limitSeries(maxSeries)
	})
}

// addBaseline keeps a baseline in its hour, and with its series when it is the
// newest one.
func (w *writer) addBaseline(p *partition, nanos int64, b *store.Baseline) error {
	series, err := w.conn.Prepare("INSERT INTO series(service, model, metric, time, samples, expected, lower, upper) VALUES(?, ?, ?, ?, ?, ?, ?, ?) " +
		"ON CONFLICT(service, model, metric) DO UPDATE SET " +
		"samples = iif(excluded.time > time, excluded.samples, samples), expected = iif(excluded.time > time, excluded.expected, expected), " +
		"lower = iif(excluded.time > time, excluded.lower, lower), upper = iif(excluded.time > time, excluded.upper, upper), " +
		"time = max(excluded.time, time) RETURNING id")
	if err != nil {
		return err
	}
	if err := series.ClearBindings(); err != nil {
		return err
	}
	numbers := func(to *binder) {
		to.int(nanos)
		to.int(b.Samples)
		to.float(b.Expected, true)
		to.float(b.Lower, true)
		to.float(b.Upper, true)
	}
	to := &binder{stmt: series}
	to.exactly(b.Service)
	to.exactly(b.Model)
	to.exactly(b.Metric)
	numbers(to)
	id, err := sqlitex.ResultInt64(series)
	if err != nil {
		return err
	}
	if p.baseline == nil {
		if p.baseline, err = w.conn.Prepare("INSERT INTO bl_" + p.name +
			"(series, time, samples, expected, lower, upper) VALUES(?, ?, ?, ?, ?, ?) ON CONFLICT(series, time) DO NOTHING"); err != nil {
			return err
		}
	}
	if err := p.baseline.ClearBindings(); err != nil {
		return err
	}
	to = &binder{stmt: p.baseline}
	to.int(id)
	numbers(to)
	return step(p.baseline)
}

// limitSeries removes the series beyond most that were not written for the
// longest time. Their rows in the hours go with the hours: nothing finds them.
func (w *writer) limitSeries(most int64) error {
	n, err := queryInt(w.conn, "SELECT count(*) FROM series")
	if err != nil || n <= most {
		return err
	}
	return sqlitex.ExecuteTransient(w.conn, "DELETE FROM series WHERE id IN (SELECT id FROM series ORDER BY time, id LIMIT ?)",
		&sqlitex.ExecOptions{Args: []any{n - most}})
}

// dropSeries removes the series that have no baseline in any hour from first on.
func (w *writer) dropSeries(first int64) error {
	return sqlitex.ExecuteTransient(w.conn, "DELETE FROM series WHERE time < ?",
		&sqlitex.ExecOptions{Args: []any{clampNanos(hourStart(first))}})
}

// Baselines implements [store.BaselineStore]. The newest baselines are at hand
// in one table; older ones are looked up by series and hour.
func (s *Store) Baselines(ctx context.Context, q store.BaselineQuery) iter.Seq2[store.Baseline, error] {
	return stream(ctx, s, "read baselines", checkLimit(q.Limit), func(conn *sqlite.Conn, emit func(store.Baseline, int) error) error {
		r := &baselineReader{conn: conn, left: q.Limit, emit: emit, sel: selection{start: math.MinInt64, end: math.MaxInt64, ascending: !q.Latest}}
		r.sel.between(q.Start, q.End)
		defer r.close()
		w := &where{}
		for _, c := range given(equal{"service", q.Service}, equal{"model", q.Model}, equal{"metric", q.Metric}) {
			w.add(c.column+" = ?", c.text)
		}
		w.add("time >= ?", r.sel.start)
		err := eachRow(conn, "SELECT service, model, metric, time, samples, expected, lower, upper, id FROM series"+w.sql.String()+
			" ORDER BY service, model, metric", w.args, r.series)
		if r.left == 0 {
			return nil
		}
		return err
	})
}

// baselineReader reads the baselines of one series after another.
type baselineReader struct {
	conn *sqlite.Conn
	sel  selection
	left int
	emit func(store.Baseline, int) error
	// hours have a statement each once the first series was asked for.
	hours []*sqlite.Stmt
	ready bool
}

// series takes a row of the table series.
func (r *baselineReader) series(stmt *sqlite.Stmt) error {
	cols := &row{stmt: stmt}
	b := store.Baseline{Service: cols.text(), Model: cols.text(), Metric: cols.text()}
	newest := cols.int()
	b.Time = time.Unix(0, newest).UTC()
	scanBaseline(cols, &b)
	id := cols.int()
	latest := !r.sel.ascending
	if latest && newest < r.sel.end {
		return r.take(b)
	}
	if err := r.prepare(); err != nil {
		return err
	}
	for _, hour := range r.hours {
		hour.BindInt64(1, id)
		found := false
		err := drain(hour, func(stmt *sqlite.Stmt) error {
			found = true
			cols := &row{stmt: stmt}
			b.Time = time.Unix(0, cols.int()).UTC()
			scanBaseline(cols, &b)
			return r.take(b)
		})
		if err != nil || latest && found {
			return err
		}
	}
	return nil
}

func (r *baselineReader) take(b store.Baseline) error {
	if err := r.emit(b, len(b.Service)+len(b.Model)+len(b.Metric)); err != nil {
		return err
	}
	if r.left--; r.left == 0 {
		return errStop
	}
	return nil
}

func scanBaseline(cols *row, b *store.Baseline) {
	b.Samples = cols.int()
	b.Expected, b.Lower, b.Upper = cols.float(), cols.float(), cols.float()
}

func (r *baselineReader) prepare() error {
	if r.ready {
		return nil
	}
	r.ready = true
	parts, err := partitionsFor(r.conn, &r.sel)
	if err != nil {
		return err
	}
	parts = slices.DeleteFunc(parts, func(p catalogued) bool { return p.layout < 2 })
	order := " ORDER BY time"
	if !r.sel.ascending {
		order = " ORDER BY time DESC LIMIT 1"
	}
	for _, p := range parts {
		stmt, _, err := r.conn.PrepareTransient("SELECT time, samples, expected, lower, upper FROM bl_" + p.name +
			" WHERE series = ? AND time >= ? AND time < ?" + order)
		if err != nil {
			return err
		}
		r.hours = append(r.hours, stmt)
		stmt.BindInt64(2, r.sel.start)
		stmt.BindInt64(3, r.sel.end)
	}
	return nil
}

func (r *baselineReader) close() {
	for _, stmt := range r.hours {
		_ = stmt.Finalize() // repeats the error of the last step
	}
}
