package embedded

import (
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

const (
	// openPartitions bounds the hours whose statements and dictionary the
	// writer holds in memory. Late data touches a few hours at a time.
	openPartitions = 8
	// A dictionary holds at most maxDict strings of at most maxDictText bytes.
	// Others are stored in each row.
	maxDict     = 16384
	maxDictText = 200
)

// writer is the one connection that writes. Its methods need the token of
// [Store.writing].
type writer struct {
	conn *sqlite.Conn
	// open are the hours in use, least recently used first.
	open []*partition

	begin, commit, rollback *sqlite.Stmt
	// scattered are the hours whose lookup may have more runs than it needs, with
	// the time of the last write. There are at most as many as hours.
	scattered map[int64]time.Time

	// views is the definition of the views, empty when it is not known.
	views string
	// scratch is working memory, at most that of the largest batch so far.
	scratch entries

	// added, upgraded and dropped are the hours of the last transaction.
	added, upgraded, dropped int64
	// oldestCollected is the oldest hour whose measures are collected, or
	// math.MaxInt64. Anybody may read it.
	oldestCollected atomic.Int64
	// touched are the hours that the transaction changes.
	touched  []int64
	versions *versions
}

// partition is an hour that can be written to.
type partition struct {
	catalogued
	dict map[string]int64
	// indexed: the hour has a lookup, of runs. noted are the entries of rows that were
	// inserted since the last run, trimmed is the time within the hour before
	// which there are no rows.
	indexed     bool
	runs        []run
	runsChanged bool
	noted       entries
	trimmed     int64
	// collected are the measures so far, nil when they are not complete.
	collected *collector

	event, anomaly    *sqlite.Stmt
	addName, addCount *sqlite.Stmt
	baseline          *sqlite.Stmt // nil before the first use
}

// catalogued is a row of the table partitions.
type catalogued struct {
	hour              int64
	name              string
	events, anomalies int64
	layout            int64
	// measured is the number of events that the measures of the hour were made
	// from; they are of use when that is events.
	measured int64
	// lookup are the runs as [decodeRuns] reads them.
	lookup []byte
}

const catalogueColumns = "hour, name, events, anomalies, layout, measured, runs"

func scanCatalogued(stmt *sqlite.Stmt) catalogued {
	c := catalogued{
		hour: stmt.ColumnInt64(0), name: stmt.ColumnText(1), events: stmt.ColumnInt64(2), anomalies: stmt.ColumnInt64(3),
		layout: stmt.ColumnInt64(4), measured: stmt.ColumnInt64(5),
	}
	if n := stmt.ColumnLen(6); n > 0 {
		c.lookup = make([]byte, n)
		stmt.ColumnBytes(6, c.lookup)
	}
	return c
}

func newWriter(conn *sqlite.Conn) *writer {
	w := &writer{conn: conn, versions: newVersions(), scattered: map[int64]time.Time{}}
	w.noteCollected()
	return w
}

// listPartitions returns the catalogue, newest first.
func listPartitions(conn *sqlite.Conn) ([]catalogued, error) {
	var out []catalogued
	err := sqlitex.ExecuteTransient(conn, "SELECT "+catalogueColumns+" FROM partitions ORDER BY hour DESC", &sqlitex.ExecOptions{
		ResultFunc: func(stmt *sqlite.Stmt) error {
			out = append(out, scanCatalogued(stmt))
			return nil
		},
	})
	return out, err
}

// transaction runs f and commits, or rolls back what f did on an error.
// SQLITE_INTERRUPT may hit f, never the commit, so that the outcome is known.
func (w *writer) transaction(done <-chan struct{}, f func() error) (err error) {
	if w.begin == nil {
		for _, p := range []struct {
			stmt **sqlite.Stmt
			sql  string
		}{{&w.begin, "BEGIN IMMEDIATE"}, {&w.commit, "COMMIT"}, {&w.rollback, "ROLLBACK"}} {
			if *p.stmt, err = w.conn.Prepare(p.sql); err != nil {
				return err
			}
		}
	}
	defer w.noteCollected()
	w.conn.SetInterrupt(done)
	defer w.conn.SetInterrupt(nil)
	if err := step(w.begin); err != nil {
		return err
	}
	w.added, w.upgraded, w.dropped, w.touched = 0, 0, 0, w.touched[:0]
	err = f()
	if err == nil && w.added+w.upgraded+w.dropped > 0 {
		err = w.refreshViews()
	}
	w.conn.SetInterrupt(nil)
	if err == nil {
		err = step(w.commit)
	}
	if err != nil {
		// What the open partitions know may have been undone.
		w.forget()
		if !w.conn.AutocommitEnabled() {
			err = errors.Join(err, step(w.rollback))
		}
		return err
	}
	w.versions.bump(w.touched)
	return nil
}

// touch says that the transaction changes what an hour answers.
func (w *writer) touch(hour int64) {
	if n := len(w.touched); n == 0 || w.touched[n-1] != hour {
		w.touched = append(w.touched, hour)
	}
}

// step runs a statement that returns no rows.
func step(stmt *sqlite.Stmt) error {
	_, err := stmt.Step()
	return errors.Join(err, stmt.Reset())
}

// partition returns the hour for writing and creates it when it is new. It
// runs inside a transaction.
func (w *writer) partition(hour int64) (*partition, error) {
	if i := slices.IndexFunc(w.open, func(p *partition) bool { return p.hour == hour }); i >= 0 {
		p := w.open[i]
		w.open = append(slices.Delete(w.open, i, i+1), p)
		return p, nil
	}
	p := &partition{catalogued: catalogued{hour: hour, name: partitionName(hour), lookup: encodeRuns(nil)}, dict: map[string]int64{}}
	if err := sqlitex.ExecuteTransient(w.conn, "SELECT "+catalogueColumns+" FROM partitions WHERE hour = ?", &sqlitex.ExecOptions{
		Args:       []any{hour},
		ResultFunc: func(stmt *sqlite.Stmt) error { p.catalogued = scanCatalogued(stmt); return nil },
	}); err != nil {
		return nil, err
	}
	p.runs, p.indexed = decodeRuns(p.lookup)
	if p.layout == 0 {
		if err := w.create(p); err != nil {
			return nil, fmt.Errorf("create tables of hour %s: %w", p.name, err)
		}
	} else if err := p.loadDict(w.conn); err != nil {
		return nil, err
	}
	if p.layout < layoutUpgraded {
		if err := w.upgrade(p); err != nil {
			return nil, fmt.Errorf("upgrade tables of hour %s: %w", p.name, err)
		}
	}
	for len(w.open) >= openPartitions {
		w.close1(0)
	}
	if err := p.prepare(w.conn); err != nil {
		p.finalize()
		return nil, err
	}
	w.open = append(w.open, p)
	return p, nil
}

func (w *writer) create(p *partition) error {
	if err := sqlitex.ExecuteScript(w.conn, ddlPartition(p.name), nil); err != nil {
		return err
	}
	w.added++
	p.layout = layout
	p.collected = newCollector(p.hour)
	return sqlitex.ExecuteTransient(w.conn, "INSERT INTO partitions(hour, name, layout, runs) VALUES(?, ?, ?, ?)",
		&sqlitex.ExecOptions{Args: []any{p.hour, p.name, layout, p.lookup}})
}

// upgrade brings an hour from the first layout to the second. It runs inside a
// transaction.
func (w *writer) upgrade(p *partition) error {
	if err := sqlitex.ExecuteScript(w.conn, ddlUpgradePartition(p.name), nil); err != nil {
		return err
	}
	w.upgraded++
	p.layout = layoutUpgraded
	return sqlitex.ExecuteTransient(w.conn, "UPDATE partitions SET layout = ? WHERE hour = ?",
		&sqlitex.ExecOptions{Args: []any{p.layout, p.hour}})
}

func (w *writer) refreshViews() error {
	parts, err := listPartitions(w.conn)
	if err != nil {
		return err
	}
	// Dropping old hours leaves the newest ones as they are.
	ddl := ddlViews(parts[:min(len(parts), viewHours)])
	if ddl == w.views {
		return nil
	}
	if err := sqlitex.ExecuteScript(w.conn, ddl, nil); err != nil {
		return err
	}
	w.views = ddl
	return nil
}

func (p *partition) loadDict(conn *sqlite.Conn) error {
	return sqlitex.ExecuteTransient(conn, "SELECT val, id FROM d_"+p.name, &sqlitex.ExecOptions{
		ResultFunc: func(stmt *sqlite.Stmt) error {
			p.dict[stmt.ColumnText(0)] = stmt.ColumnInt64(1)
			return nil
		},
	})
}

func (p *partition) prepare(conn *sqlite.Conn) error {
	for _, s := range []struct {
		stmt **sqlite.Stmt
		sql  string
	}{
		{&p.event, "INSERT INTO ev_" + p.name + "(" + eventColumns + ") VALUES(" + placeholders(countColumns(eventColumns)) + ") ON CONFLICT(time, id) DO NOTHING"},
		{&p.anomaly, "INSERT INTO an_" + p.name + "(" + anomalyColumns + ") VALUES(" + placeholders(countColumns(anomalyColumns)) + ") ON CONFLICT(time, id) DO NOTHING"},
		{&p.addName, "INSERT INTO d_" + p.name + "(id, val) VALUES(?, ?)"},
		{&p.addCount, fmt.Sprintf("UPDATE partitions SET events = events + ?, anomalies = anomalies + ?, runs = coalesce(?, runs) WHERE hour = %d", p.hour)},
	} {
		stmt, err := conn.Prepare(s.sql)
		if err != nil {
			return err
		}
		*s.stmt = stmt
	}
	return nil
}

func placeholders(n int) string {
	b := make([]byte, 0, 2*n)
	for range n {
		b = append(b, '?', ',')
	}
	return string(b[:2*n-1])
}

// word returns the id of v in the dictionary and adds it when there is room.
func (p *partition) word(v string) (int64, bool, error) {
	if id, ok := p.dict[v]; ok {
		return id, true, nil
	}
	if len(v) > maxDictText || len(p.dict) >= maxDict {
		return 0, false, nil
	}
	id := int64(len(p.dict) + 1)
	p.addName.BindInt64(1, id)
	p.addName.BindText(2, v)
	if err := step(p.addName); err != nil {
		return 0, false, err
	}
	// v may be a part of a large request that must not stay in memory.
	p.dict[string(append([]byte(nil), v...))] = id
	return id, true, nil
}

func (p *partition) finalize() {
	for _, s := range []*sqlite.Stmt{p.event, p.anomaly, p.addName, p.addCount, p.baseline} {
		if s != nil {
			_ = s.Finalize() // repeats the error of the last step, which was handled
		}
	}
}

func (w *writer) close1(i int) {
	w.open[i].finalize()
	w.open = slices.Delete(w.open, i, i+1)
}

// forget drops what is known of all hours; they are read again when needed.
func (w *writer) forget() {
	w.views = ""
	for len(w.open) > 0 {
		w.close1(0)
	}
}

// drop removes an hour. It runs inside a transaction.
func (w *writer) drop(p catalogued) error {
	if i := slices.IndexFunc(w.open, func(o *partition) bool { return o.hour == p.hour }); i >= 0 {
		w.close1(i)
	}
	if err := sqlitex.ExecuteScript(w.conn, ddlDropPartition(p.name, p.layout), nil); err != nil {
		return err
	}
	w.dropped++
	delete(w.scattered, p.hour)
	w.touch(p.hour)
	if err := errors.Join(w.dropSeries(p.hour+1), w.dropMeasures(p.hour)); err != nil {
		return err
	}
	for _, q := range [...]string{"DELETE FROM lookup WHERE hour = ?", "DELETE FROM partitions WHERE hour = ?"} {
		if err := sqlitex.ExecuteTransient(w.conn, q, &sqlitex.ExecOptions{Args: []any{p.hour}}); err != nil {
			return err
		}
	}
	return nil
}

// used is the size of the data: pages of the database that are not free.
func (w *writer) used() (int64, error) {
	var v [3]int64
	for i, sql := range [...]string{"PRAGMA page_count", "PRAGMA freelist_count", "PRAGMA page_size"} {
		stmt, err := w.conn.Prepare(sql)
		if err != nil {
			return 0, err
		}
		if v[i], err = sqlitex.ResultInt64(stmt); err != nil {
			return 0, err
		}
	}
	return (v[0] - v[1]) * v[2], nil
}

func (w *writer) close() error {
	w.forget()
	return w.conn.Close() // the last connection copies the log into the database
}
