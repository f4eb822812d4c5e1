package influx

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"
	"time"
)

// sqlV3 speaks SQL over /api/v3/query_sql.
//
// SQL refuses names of columns that were never written. A table knows its
// columns, and they only become more, so those that conditions need are
// remembered once they were seen, and looked for again until then.
type sqlV3 struct {
	c *client

	mu    sync.Mutex
	known map[place]map[string]bool
}

// maxKnownColumns bounds what is remembered of a table.
const maxKnownColumns = 1000

func quoteSQL(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// sqlStatement builds the query for what is selected: points, or their number.
// All columns are taken, because a list must not name one that does not exist
// yet, unless few are wanted: then those that do.
func sqlStatement(sel *selection, count bool) *statement {
	s := &statement{}
	if count {
		s.text.WriteString("SELECT count(*) AS n")
	} else if sel.few {
		s.text.WriteString("SELECT " + strings.Join(existing(sel), ", "))
	} else {
		s.text.WriteString("SELECT *")
	}
	s.text.WriteString(" FROM " + quoteSQL(sel.measurement))
	next := s.writeWhere(sel.where, quoteSQL)
	if sel.from > minNanos {
		s.text.WriteString(next + "time >= '" + sqlTime(sel.from) + "'")
		next = " AND "
	}
	if sel.to < maxNanos {
		s.text.WriteString(next + "time <= '" + sqlTime(sel.to) + "'")
	}
	if count {
		return s
	}
	s.text.WriteString(" ORDER BY time")
	if !sel.ascending {
		s.text.WriteString(" DESC")
	}
	s.text.WriteString(" LIMIT " + strconv.Itoa(sel.limit))
	return s
}

func existing(sel *selection) (quoted []string) {
	for _, name := range sel.columns {
		if sel.known[name] {
			quoted = append(quoted, quoteSQL(name))
		}
	}
	return quoted
}

func sqlTime(nanos int64) string {
	return time.Unix(0, nanos).UTC().Format("2006-01-02T15:04:05.000000000Z")
}

func (d *sqlV3) rows(ctx context.Context, sel *selection, emit func(columns []string, values []any) error) error {
	values := make([]any, len(sel.columns))
	return d.ask(ctx, sel, false, func(r map[string]any) error {
		for i, name := range sel.columns {
			values[i] = r[name]
		}
		return emit(sel.columns, values)
	})
}

func (d *sqlV3) count(ctx context.Context, sel *selection, _ string) (int64, error) {
	var n int64
	err := d.ask(ctx, sel, true, func(r map[string]any) (err error) {
		n, err = asCount(r["n"])
		return err
	})
	return n, err
}

// ask runs a query with the conditions that can hold, given the columns there
// are.
func (d *sqlV3) ask(ctx context.Context, sel *selection, count bool, emit func(map[string]any) error) error {
	for again := false; ; again = true {
		// Which of few columns exist is found out for each question.
		known, err := d.columns(ctx, sel, again || sel.few && sel.known == nil)
		if err != nil || len(known) == 0 {
			return err // no such table: nothing was written yet
		}
		possible := *sel
		var ok bool
		if possible.where, ok = without(sel.where, func(name string) bool { return known[name] }); !ok {
			return nil
		}
		rows := 0
		err = d.run(ctx, sel.place, sqlStatement(&possible, count), func(r map[string]any) error { rows++; return emit(r) })
		// A table that was dropped and made again may have lost columns.
		if !again && rows == 0 && isRefused(err) {
			continue
		}
		return err
	}
}

// columns are those of the table, as far as the conditions need them.
func (d *sqlV3) columns(ctx context.Context, sel *selection, fresh bool) (map[string]bool, error) {
	if !fresh && sel.known != nil {
		return sel.known, nil
	}
	d.mu.Lock()
	known := d.known[sel.place]
	d.mu.Unlock()
	if !fresh && len(known) > 0 {
		missing := false
		for _, name := range columnsIn(sel.where) {
			missing = missing || !known[name]
		}
		if !missing {
			return known, nil
		}
	}
	s := &statement{}
	s.text.WriteString("SELECT column_name FROM information_schema.columns WHERE table_name = " + s.value(sel.measurement))
	known = map[string]bool{}
	err := d.run(ctx, sel.place, s, func(r map[string]any) error {
		name, ok := r["column_name"].(string)
		if !ok {
			return malformed(fmt.Errorf("a name of a column must be a text, got %v", r["column_name"]))
		}
		if len(known) < maxKnownColumns {
			known[name] = true
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.known == nil {
		d.known = map[place]map[string]bool{}
	}
	d.known[sel.place] = known // never changed afterwards
	sel.known = known
	return known, nil
}

// reachable asks something cheap that needs the right to read.
func (d *sqlV3) reachable(ctx context.Context, p place) error {
	_, err := d.columns(ctx, &selection{place: p}, true)
	return err
}

func (d *sqlV3) run(ctx context.Context, p place, s *statement, emit func(map[string]any) error) error {
	body, err := json.Marshal(struct {
		DB     string         `json:"db"`
		Q      string         `json:"q"`
		Format string         `json:"format"`
		Params map[string]any `json:"params,omitempty"`
	}{p.database, s.text.String(), "jsonl", s.params})
	if err != nil {
		return err
	}
	err = d.c.post(ctx, "/api/v3/query_sql", "application/json", "application/jsonl", bytes.NewReader(body), func(body io.Reader) error {
		return decodeLines(body, emit)
	})
	if isMissingDatabase(err) {
		d.c.missingDatabase(p, err)
		return nil
	}
	return err
}

// decodeLines reads JSON objects, one after the other. What is null may be left
// out.
func decodeLines(body io.Reader, emit func(map[string]any) error) error {
	d := json.NewDecoder(body)
	d.UseNumber()
	for {
		var r map[string]any
		switch err := d.Decode(&r); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return malformed(err)
		case r == nil:
			return malformed(errors.New("a row must be an object, got null"))
		}
		if err := emit(r); err != nil {
			return err
		}
	}
}
