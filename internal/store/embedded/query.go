package embedded

import (
	"encoding/hex"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"zombiezen.com/go/sqlite"

	"github.com/llm-devops/llm-sentinel/internal/anomaly"
	"github.com/llm-devops/llm-sentinel/internal/store"
)

// selection is a checked query in the terms of the tables.
type selection struct {
	prefix, columns string

	// names are conditions on columns whose texts are in the dictionary, texts
	// those on plain ones, both in an order of columns.
	names, texts  []equal
	failed        bool
	severity      anomaly.Severity
	minConfidence float64
	// trace and id are nil when they do not matter.
	trace, id []byte

	// start is inclusive, end exclusive, both in nanoseconds.
	start, end int64
	after      *store.Position
	ascending  bool
	limit      int
	offset     int
}

// equal is the condition that a column has a text.
type equal struct{ column, text string }

func given(list ...equal) []equal {
	return slices.DeleteFunc(list, func(e equal) bool { return e.text == "" })
}

func newSelection(q store.Query, prefix, columns string) (selection, error) {
	sel := selection{
		prefix: prefix, columns: columns, names: given(equal{"svc", q.Service}, equal{"model", q.Model}),
		start: math.MinInt64, end: math.MaxInt64,
		after: q.After, ascending: q.Ascending, limit: q.Limit, offset: q.Offset,
	}
	sel.between(q.Start, q.End)
	if q.Offset < 0 {
		return sel, fmt.Errorf("%w: offset must not be negative, got %d", store.ErrInvalid, q.Offset)
	}
	return sel, nil
}

// between sets the time range; zero times leave it open.
func (sel *selection) between(start, end time.Time) {
	if !start.IsZero() {
		sel.start = clampNanos(start)
	}
	if !end.IsZero() {
		sel.end = clampNanos(end)
	}
}

func eventSelection(q store.EventQuery) (selection, error) {
	sel, err := newSelection(q.Query, "ev_", eventColumns)
	if err != nil {
		return sel, err
	}
	sel.id = idOf(q.ID)
	return sel, sel.filterEvents(&q.EventFilter)
}

func (sel *selection) filterEvents(f *store.EventFilter) (err error) {
	sel.names = append(sel.names, given(
		equal{"provider", f.Provider}, equal{"op", f.Operation}, equal{"env", f.Environment}, equal{"tenant", f.Tenant})...)
	sel.texts = given(equal{"conversation", f.Conversation}, equal{"user", f.User})
	sel.failed = f.Failed
	if f.TraceID != "" {
		sel.trace, err = traceOf(f.TraceID)
	}
	return err
}

func idOf(id uuid.UUID) []byte {
	if id == uuid.Nil {
		return nil
	}
	return id[:]
}

// parseTrace accepts what the contract calls a trace id: 32 lower-case hex digits.
func parseTrace(s string) ([]byte, bool) {
	id, err := hex.DecodeString(s)
	return id, err == nil && len(id) == 16 && strings.ToLower(s) == s
}

func traceOf(s string) ([]byte, error) {
	id, ok := parseTrace(s)
	if !ok {
		return nil, fmt.Errorf("%w: trace id must be 32 lower-case hex digits, got %q", store.ErrInvalid, s)
	}
	return id, nil
}

func anomalySelection(q store.AnomalyQuery) (selection, error) {
	sel, err := newSelection(q.Query, "an_", anomalyColumns)
	sel.severity, sel.minConfidence, sel.id = q.Severity, q.MinConfidence, idOf(q.ID)
	sel.names = append(sel.names, given(equal{"type", string(q.Type)})...)
	switch {
	case err != nil:
		return sel, err
	case q.Severity != 0 && !q.Severity.Valid():
		return sel, fmt.Errorf("%w: unknown severity %d", store.ErrInvalid, q.Severity)
	case !(q.MinConfidence >= 0 && q.MinConfidence <= 1):
		return sel, fmt.Errorf("%w: min confidence must be between 0 and 1, got %v", store.ErrInvalid, q.MinConfidence)
	}
	if q.TraceID != "" {
		sel.trace, err = traceOf(q.TraceID)
	}
	return sel, err
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
	return len(sel.names)+len(sel.texts) > 0 || sel.failed || sel.severity != 0 || sel.minConfidence > 0 || sel.trace != nil || sel.id != nil
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

// key is the most selective condition of those that the lookup of each hour
// knows.
func (sel *selection) key() (want hashes, ok bool) {
	switch {
	case sel.prefix != "ev_":
		return want, false
	case sel.id != nil:
		return only(lookupHash(lookupID, sel.id)), true
	case sel.trace != nil:
		return only(lookupHash(lookupTrace, sel.trace)), true
	}
	for _, f := range sel.texts { // a session has fewer events than a user
		switch f.column {
		case "conversation":
			return only(lookupHash(lookupConversation, f.text)), true
		case "user":
			return only(lookupHash(lookupUser, f.text)), true
		}
	}
	return want, false
}

// service is the one that is asked for, or empty.
func (sel *selection) service() string {
	if len(sel.names) > 0 && sel.names[0].column == "svc" {
		return sel.names[0].text
	}
	return ""
}

// series are the hashes of the service that is asked for, and the model if any.
func (sel *selection) series() (want hashes, ok bool) {
	service := sel.service()
	if sel.prefix != "ev_" || service == "" {
		return want, false
	}
	if len(sel.names) > 1 && sel.names[1].column == "model" {
		return only(seriesHash(service, sel.names[1].text)), true
	}
	first := seriesHash(service, "") >> modelBits << modelBits
	return hashes{first, first | (1<<modelBits - 1)}, true
}

// times are those at which rows of an hour may be that match, in ascending
// order. found is false when the lookup of the hour does not tell.
func (sel *selection) times(conn *sqlite.Conn, p *catalogued) (times []int64, found bool, err error) {
	want, ok := sel.key()
	if !ok && p.hasSeries() {
		want, ok = sel.series()
	}
	if !ok {
		return nil, false, nil
	}
	times, found, err = lookupTimes(conn, p, want)
	first, last := sel.start, sel.end // last is exclusive
	if sel.after != nil {
		if at := clampNanos(sel.after.Time); sel.ascending {
			first = max(first, at)
		} else if at < math.MaxInt64 {
			last = min(last, at+1)
		}
	}
	from, _ := slices.BinarySearch(times, first)
	to := len(times)
	if last != math.MaxInt64 {
		to, _ = slices.BinarySearch(times, last)
	}
	return times[min(from, to):to], found, err
}

// rareShare is the part of an hour's events up to which rows are found faster by
// their times than by reading all: a row that is sought costs about as much as 25
// rows that are passed over.
const rareShare = 25

// all builds the condition for all matches of one hour, in any order, by its
// lookup where that helps. The result is nil when no row of the hour can match.
func (sel *selection) all(conn *sqlite.Conn, p *catalogued, word func(string) (any, error)) (*where, error) {
	times, found, err := sel.times(conn, p)
	if err != nil || found && len(times) == 0 {
		return nil, err
	}
	w, err := sel.where(p, word, found)
	if err == nil && w != nil && found && int64(len(times)) <= p.events/rareShare {
		w.add(timeIn, jsonArray(times))
	}
	return w, err
}

// timeIn takes a list of times as a [jsonArray].
const timeIn = "time IN (SELECT value FROM json_each(?))"

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

// where builds the condition for one hour, without the position to go on after.
// word finds the stored form of a string in that hour: an id of the dictionary or
// the string itself. The result is nil when no row of the hour can match. With
// byTime, SQLite is kept from every index but the order by time.
func (sel *selection) where(p *catalogued, word func(string) (any, error), byTime bool) (*where, error) {
	w := &where{}
	// The indexes over ids and traces beat all others; a unary plus keeps SQLite
	// from taking another one.
	plus := ""
	if byTime {
		plus = "+"
	}
	if sel.id != nil {
		w.add(plus+"id = ?", sel.id)
		plus = "+"
	}
	switch {
	case sel.trace == nil:
	case sel.prefix == "an_" && p.layout == 1:
		w.add("body ->> '$.trace_id' = ?", hex.EncodeToString(sel.trace))
	default:
		w.add(plus+"trace = ?", sel.trace)
		plus = "+"
	}
	for _, f := range sel.names {
		v, err := word(f.text)
		if err != nil || v == nil {
			return nil, err
		}
		w.add(plus+f.column+" = ?", v)
	}
	for _, f := range sel.texts {
		w.add(f.column+" = ?", f.text)
	}
	if sel.failed {
		w.add(fmt.Sprintf("flags & %d", flagFailed))
	}
	if sel.severity != 0 {
		w.add("severity = ?", int64(sel.severity))
	}
	if sel.minConfidence > 0 {
		w.add("confidence >= ?", sel.minConfidence)
	}
	if sel.covers(p.hour) {
		return w, nil
	}
	if sel.start != math.MinInt64 {
		w.add("time >= ?", sel.start)
	}
	if sel.end != math.MaxInt64 {
		w.add("time < ?", sel.end)
	}
	return w, nil
}

// goOn adds the position after which results are wanted.
func (w *where) goOn(sel *selection) {
	if sel.after == nil {
		return
	}
	op := "<"
	if sel.ascending {
		op = ">"
	}
	w.add("(time, id) "+op+" (?, ?)", clampNanos(sel.after.Time), sel.after.ID[:])
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
