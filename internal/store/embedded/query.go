package embedded

import (
	"encoding/hex"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/google/uuid"
	"zombiezen.com/go/sqlite"

	"github.com/llm-devops/llm-sentinel/internal/anomaly"
	"github.com/llm-devops/llm-sentinel/internal/store"
)

// selection is a checked query in the terms of the tables.
type selection struct {
	prefix, columns string

	service, model, kind string
	severity             anomaly.Severity
	minConfidence        float64
	trace                []byte

	// start is inclusive, end exclusive, both in nanoseconds.
	start, end int64
	after      *store.Position
	ascending  bool
	limit      int
	offset     int
}

func newSelection(q store.Query, prefix, columns string) (selection, error) {
	sel := selection{
		prefix: prefix, columns: columns, service: q.Service, model: q.Model,
		start: math.MinInt64, end: math.MaxInt64,
		after: q.After, ascending: q.Ascending, limit: q.Limit, offset: q.Offset,
	}
	if !q.Start.IsZero() {
		sel.start = clampNanos(q.Start)
	}
	if !q.End.IsZero() {
		sel.end = clampNanos(q.End)
	}
	if q.Offset < 0 {
		return sel, fmt.Errorf("%w: offset must not be negative, got %d", store.ErrInvalid, q.Offset)
	}
	return sel, nil
}

func eventSelection(q store.EventQuery) (selection, error) {
	sel, err := newSelection(q.Query, "ev_", eventColumns)
	if rest := q.EventFilter; err == nil {
		if rest.TraceID = ""; rest != (store.EventFilter{}) || q.ID != uuid.Nil {
			return sel, fmt.Errorf("filter of events: %w", store.ErrUnsupported)
		}
	}
	if err == nil && q.TraceID != "" {
		sel.trace, err = hex.DecodeString(q.TraceID)
		if err != nil || len(sel.trace) != 16 || strings.ToLower(q.TraceID) != q.TraceID {
			return sel, fmt.Errorf("%w: trace id must be 32 lower-case hex digits, got %q", store.ErrInvalid, q.TraceID)
		}
	}
	return sel, err
}

func anomalySelection(q store.AnomalyQuery) (selection, error) {
	sel, err := newSelection(q.Query, "an_", anomalyColumns)
	sel.kind, sel.severity, sel.minConfidence = string(q.Type), q.Severity, q.MinConfidence
	switch {
	case err != nil:
		return sel, err
	case q.ID != uuid.Nil || q.TraceID != "":
		return sel, fmt.Errorf("filter of anomalies: %w", store.ErrUnsupported)
	case q.Severity != 0 && !q.Severity.Valid():
		return sel, fmt.Errorf("%w: unknown severity %d", store.ErrInvalid, q.Severity)
	case !(q.MinConfidence >= 0 && q.MinConfidence <= 1):
		return sel, fmt.Errorf("%w: min confidence must be between 0 and 1, got %v", store.ErrInvalid, q.MinConfidence)
	}
	return sel, nil
}

// rows is the number of rows that an hour has in the queried table.
func (sel *selection) rows(p catalogued) int64 {
	if sel.prefix == "an_" {
		return p.anomalies
	}
	return p.events
}

// filtered reports whether anything but time decides about a row.
func (sel *selection) filtered() bool {
	return sel.service != "" || sel.model != "" || sel.kind != "" || sel.severity != 0 || sel.minConfidence > 0 || sel.trace != nil
}

// hours are the first and the last hour that can hold matches.
func (sel *selection) hours() (first, last int64) {
	if sel.end == math.MinInt64 || sel.start >= sel.end {
		return 0, -1
	}
	first, last = hourOf(sel.start), hourOf(sel.end-1)
	if sel.after == nil {
		return first, last
	}
	at := hourOf(clampNanos(sel.after.Time))
	if sel.ascending {
		return max(first, at), last
	}
	return first, min(last, at)
}

// covers reports whether the whole hour lies in the time range.
func (sel *selection) covers(hour int64) bool {
	t := hourStart(hour)
	return sel.start <= clampNanos(t) && sel.end >= clampNanos(hourStart(hour+1))
}

// where is the condition of a query and its arguments.
type where struct {
	sql  strings.Builder
	args []any
}

func (w *where) add(cond string, args ...any) {
	if w.sql.Len() == 0 {
		w.sql.WriteString(" WHERE ")
	} else {
		w.sql.WriteString(" AND ")
	}
	w.sql.WriteString(cond)
	w.args = append(w.args, args...)
}

// condition is where for one hour, by the lookup if it helps.
func (sel *selection) condition(conn *sqlite.Conn, p *catalogued, word func(string) (any, error), withAfter bool) (*where, error) {
	w, err := sel.where(word, withAfter)
	if err != nil || w == nil || sel.trace == nil {
		return w, err
	}
	times, found, err := lookupTimes(conn, p, lookupHash(lookupTrace, sel.trace))
	if err != nil || found && len(times) == 0 {
		return nil, err
	}
	if found {
		w.add("time IN (SELECT value FROM json_each(?))", jsonArray(times))
	}
	return w, nil
}

// jsonArray is the form in which a list is bound to a statement.
func jsonArray(list []int64) string {
	b := []byte{'['}
	for i, v := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendInt(b, v, 10)
	}
	return string(append(b, ']'))
}

// where builds the condition for one hour. word finds the stored form of a
// string in that hour: an id of the dictionary or the string itself. The result
// is nil when no row of the hour can match.
func (sel *selection) where(word func(string) (any, error), withAfter bool) (*where, error) {
	w := &where{}
	// The index over traces beats all others; a unary plus keeps SQLite from
	// taking another one.
	plus := ""
	if sel.trace != nil {
		w.add("trace = ?", sel.trace)
		plus = "+"
	}
	for _, f := range [...]struct{ column, text string }{{"svc", sel.service}, {"model", sel.model}, {"type", sel.kind}} {
		if f.text == "" {
			continue
		}
		v, err := word(f.text)
		if err != nil || v == nil {
			return nil, err
		}
		w.add(plus+f.column+" = ?", v)
	}
	if sel.severity != 0 {
		w.add("severity = ?", int64(sel.severity))
	}
	if sel.minConfidence > 0 {
		w.add("confidence >= ?", sel.minConfidence)
	}
	if sel.start != math.MinInt64 {
		w.add("time >= ?", sel.start)
	}
	if sel.end != math.MaxInt64 {
		w.add("time < ?", sel.end)
	}
	if withAfter && sel.after != nil {
		op := "<"
		if sel.ascending {
			op = ">"
		}
		w.add("(time, id) "+op+" (?, ?)", clampNanos(sel.after.Time), sel.after.ID[:])
	}
	return w, nil
}

func (sel *selection) order() string {
	if sel.ascending {
		return "ORDER BY time, id"
	}
	return "ORDER BY time DESC, id DESC"
}

func bindAll(stmt *sqlite.Stmt, args []any) {
	for i, a := range args {
		switch v := a.(type) {
		case int64:
			stmt.BindInt64(i+1, v)
		case float64:
			stmt.BindFloat(i+1, v)
		case string:
			stmt.BindText(i+1, v)
		case []byte:
			stmt.BindBytes(i+1, v)
		}
	}
}
