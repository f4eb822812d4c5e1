package embedded

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.uber.org/zap"
	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

const (
	// sealMinEvents: a smaller hour is read as fast as its measures would be.
	sealMinEvents = 2000
	// sealQuiet is how long nothing must have been written to an hour.
	sealQuiet = 5 * time.Second
	// sealInterval is how often closed hours are looked for.
	sealInterval = time.Second
	// sealRest is how many times as long as a seal took the next one has to wait:
	// late data must not make this the main work.
	sealRest = 3
	// sealRows is how many events are read in one snapshot.
	sealRows = 50_000
	// sealPiece is about how many bytes of measures are written in one transaction.
	sealPiece = 8 << 20
)

// seals looks for closed hours until the store is closed.
func (s *Store) seals() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		<-s.closed
		cancel()
	}()
	tick := time.NewTicker(sealInterval)
	defer tick.Stop()
	var failed bool
	var rest time.Time
	tried := map[int64]uint64{}
	for {
		select {
		case <-s.closed:
			return
		case now := <-tick.C:
			if now.Before(rest) {
				continue
			}
		}
		start := time.Now()
		err := s.sealNext(ctx, tried)
		rest = time.Now().Add(sealRest * time.Since(start))
		// Measures only save time, so failing to make them is no failure of the store.
		if err != nil && !failed && ctx.Err() == nil {
			s.cfg.Logger.Warn("the measures of an hour cannot be written; aggregates read its events (logged once)",
				zap.String("directory", s.cfg.Directory), zap.Error(err))
		}
		failed = failed || err != nil
	}
}

// sealNext seals the newest hour that is over, has been left alone for a while
// and has no measures yet. tried are the versions of the hours when they were
// sealed: none is tried twice without a change.
func (s *Store) sealNext(ctx context.Context, tried map[int64]uint64) error {
	var next *catalogued
	err := s.snapshot(ctx, func(conn *sqlite.Conn) error {
		parts, err := listPartitions(conn)
		if err != nil {
			return err
		}
		now := s.cfg.Now()
		for _, p := range parts {
			if p.measured == p.events || p.events < sealMinEvents || hourStart(p.hour+1).After(now) || s.w.versions.quiet(p.hour) < sealQuiet {
				continue
			}
			if v, ok := tried[p.hour]; !ok || v != s.w.versions.of(p.hour, p.hour) {
				next = &p
				return nil
			}
		}
		return nil
	})
	if err != nil || next == nil {
		return err
	}
	if len(tried) > maxVersioned {
		clear(tried)
	}
	tried[next.hour] = s.w.versions.of(next.hour, next.hour)
	if done, err := s.sealCollected(ctx, next.hour); done || err != nil {
		return err
	}
	return s.seal(ctx, *next)
}

// seal writes the measures of an hour: what aggregations read of its events, in
// a form that is read some ten times as fast. They count only as long as the hour
// has exactly the events that they were made from: partitions.measured is the
// number of these, and anything that removes events resets it. While they are
// made it is a negative number that nothing else uses.
func (s *Store) seal(ctx context.Context, p catalogued) error {
	w, err := s.beginSeal(ctx, p)
	if err != nil {
		return err
	}
	// Pieces, so that a large hour takes no connection from others for long. What
	// comes in between changes the number of events.
	for more := true; more; {
		err := s.snapshot(ctx, func(conn *sqlite.Conn) (err error) {
			more, err = w.read(conn, &p, sealRows)
			return err
		})
		if err != nil {
			return s.explain(ctx, "seal hour "+p.name, err)
		}
		if more && w.size < sealPiece {
			continue
		}
		if err := w.flush(); errors.Is(err, errChanged) {
			return nil // it is found again when it is quiet
		} else if err != nil {
			return err
		}
	}
	return w.finish()
}

func (s *Store) beginSeal(ctx context.Context, p catalogued) (*measureWriter, error) {
	mark := -2 - s.sealed.Add(1)
	w := newMeasureWriter(p.hour)
	w.write = func(pieces []measurePiece) error {
		return s.change(ctx, "seal hour", nil, func([]planned) error { return s.w.addMeasures(p.hour, mark, pieces) })
	}
	w.finish = func() error {
		return s.change(ctx, "seal hour", nil, func([]planned) error {
			return sqlitex.ExecuteTransient(s.w.conn, "UPDATE partitions SET measured = events WHERE hour = ? AND measured = ? AND events = ?",
				&sqlitex.ExecOptions{Args: []any{p.hour, mark, w.events}})
		})
	}
	return w, s.change(ctx, "seal hour", nil, func([]planned) error {
		if err := s.w.dropMeasures(p.hour); err != nil {
			return err
		}
		return s.w.setMeasured(p.hour, mark)
	})
}

// errChanged says that the hour changed while it was sealed.
var errChanged = errors.New("the hour has changed")

type measurePiece struct {
	service string
	seq     int64
	events  int64
	data    []byte
}

// measureWriter collects the chunks of the services of an hour.
type measureWriter struct {
	hour   int64
	chunks map[string]*chunkWriter
	// ids and groups number the names that events share.
	ids    map[[len(dimensionColumns)]int64]int
	groups []measureGroup
	size   int
	seq    int64
	full   []measurePiece
	write  func([]measurePiece) error
	// finish makes the measures valid, if nothing has changed.
	finish func() error
	// The events that were read, and the key of the last of them.
	events int64
	last   []any
}

type measureGroup struct {
	names [len(dimensionColumns)]string
	chunk *chunkWriter // of the service, nil before the first event and after a flush
}

func newMeasureWriter(hour int64) *measureWriter {
	return &measureWriter{hour: hour, chunks: map[string]*chunkWriter{}, ids: map[[len(dimensionColumns)]int64]int{}}
}

func (w *measureWriter) add(group int, m *measure) {
	g := &w.groups[group]
	service := g.names[0]
	if g.chunk == nil || g.chunk.events >= chunkEvents {
		if g.chunk = w.chunks[service]; g.chunk == nil {
			g.chunk = newChunkWriter(w.hour)
			w.chunks[service] = g.chunk
		}
	}
	before := g.chunk.size()
	g.chunk.add(group, &g.names, m)
	w.size += g.chunk.size() - before
	if g.chunk.events == chunkEvents {
		w.take(service, g.chunk)
	}
}

// group numbers names that were not seen before.
func (w *measureWriter) group(names *[len(dimensionColumns)]string) int {
	w.groups = append(w.groups, measureGroup{names: *names})
	return len(w.groups) - 1
}

func (w *measureWriter) take(service string, c *chunkWriter) {
	w.seq++
	w.full = append(w.full, measurePiece{service, w.seq, c.events, c.bytes()})
	delete(w.chunks, service)
}

// flush writes all chunks, also those that are not full.
func (w *measureWriter) flush() error {
	for service, c := range w.chunks {
		w.take(service, c)
	}
	for i := range w.groups {
		w.groups[i].chunk = nil
	}
	pieces := w.full
	w.full, w.size = nil, 0
	if len(pieces) == 0 {
		return nil
	}
	return w.write(pieces)
}

// read reads the next events of the hour, up to a number of them, and reports
// whether there may be more.
func (w *measureWriter) read(conn *sqlite.Conn, p *catalogued, most int) (more bool, err error) {
	words := &words{conn: conn, table: "d_" + p.name, known: map[int64]string{}}
	defer words.close()
	all := [len(dimensionColumns)]bool{}
	for i := range all {
		all[i] = true
	}
	dims := newDimensionReader(words, all)
	dims.ids = w.ids // ids of a dictionary keep their meaning
	// In the order in which rows lie, which is that of time or of arrival.
	key, place := "rowid", "?"
	if !p.hasSeries() {
		key, place = "time, id", "?, ?"
	}
	query, args := "SELECT "+measureColumns+dims.columns()+", "+key+" FROM ev_"+p.name, w.last
	if w.last != nil {
		query += " WHERE (" + key + ") > (" + place + ")"
	}
	keyColumn := dims.first + len(dimensionColumns)
	var m measure
	n := 0
	err = eachRow(conn, query+" ORDER BY "+key+" LIMIT ?", append(args, int64(most)), func(stmt *sqlite.Stmt) error {
		scanMeasure(stmt, &m)
		g, err := dims.number(stmt, w.group)
		if err != nil {
			return err
		}
		w.add(g, &m)
		w.events++
		if n++; n < most {
			return nil
		}
		w.last = []any{stmt.ColumnInt64(keyColumn)}
		if !p.hasSeries() {
			id := make([]byte, 16)
			stmt.ColumnBytes(keyColumn+1, id)
			w.last = append(w.last, id)
		}
		return nil
	})
	return n == most, err
}

func (w *writer) setMeasured(hour, value int64) error {
	return sqlitex.ExecuteTransient(w.conn, "UPDATE partitions SET measured = ? WHERE hour = ?", &sqlitex.ExecOptions{Args: []any{value, hour}})
}

// dropMeasures removes the measures of an hour, also those that were only
// collected. It must come with whatever removes events.
func (w *writer) dropMeasures(hour int64) error {
	w.forgetCollected(hour)
	err := sqlitex.ExecuteTransient(w.conn, "DELETE FROM measures WHERE hour = ?", &sqlitex.ExecOptions{Args: []any{hour}})
	return errors.Join(err, w.setMeasured(hour, -1))
}

// addMeasures writes chunks, as long as the hour bears the mark of its seal.
func (w *writer) addMeasures(hour, mark int64, pieces []measurePiece) error {
	n, err := queryInt(w.conn, fmt.Sprintf("SELECT count(*) FROM partitions WHERE hour = %d AND measured = %d", hour, mark))
	if err != nil {
		return err
	}
	if n == 0 {
		return errChanged
	}
	return w.insertMeasures(hour, pieces)
}

func (w *writer) insertMeasures(hour int64, pieces []measurePiece) error {
	stmt, err := w.conn.Prepare("INSERT INTO measures(hour, service, seq, events, data) VALUES(?, ?, ?, ?, ?)")
	if err != nil {
		return err
	}
	slices.SortFunc(pieces, func(a, b measurePiece) int { return int(a.seq - b.seq) })
	for i := range pieces {
		p := &pieces[i]
		b := &binder{stmt: stmt}
		b.int(hour)
		b.exactly(p.service)
		b.int(p.seq)
		b.int(p.events)
		b.bytes(p.data)
		if err := step(stmt); err != nil {
			return err
		}
	}
	return nil
}
