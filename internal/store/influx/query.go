package influx

import (
	"cmp"
	"encoding/hex"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/llm-devops/llm-sentinel/internal/anomaly"
	"github.com/llm-devops/llm-sentinel/internal/genai"
	"github.com/llm-devops/llm-sentinel/internal/influx/line"
	"github.com/llm-devops/llm-sentinel/internal/store"
)

// question is a checked query: what to ask the server for, and what to do with
// the answer.
type question[T any] struct {
	selection
	// none: nothing can match.
	none bool
	// start is inclusive, end exclusive, both exact unix nanoseconds.
	start, end int64
	after      *position
	offset     int
	limit      int
	// matches is what the conditions mean exactly.
	matches func(*T) bool
	decoder *line.Decoder[T]
	place   func(*T) position
	id      string // the column with the id
	// unreadable takes notice of points that are left out.
	unreadable func(error)
}

// position of an item in the order of answers.
type position struct {
	nanos int64
	id    uuid.UUID
}

func (p position) compare(o position) int {
	if c := cmp.Compare(p.nanos, o.nanos); c != 0 {
		return c
	}
	return strings.Compare(string(p.id[:]), string(o.id[:]))
}

// columnNames lists the columns to ask for. Dimensions come with what they are
// in truth.
func columnNames(columns []line.Column) []string {
	names := []string{line.ColumnTime}
	for _, c := range columns {
		names = append(names, c.Name)
		if c.Dimension {
			names = append(names, c.Name+line.ExactSuffix)
		}
	}
	return names
}

var (
	eventColumns   = columnNames(line.EventColumns())
	anomalyColumns = columnNames(line.AnomalyColumns())
	eventDecoder   = line.NewEventDecoder(eventColumns)
	anomalyDecoder = line.NewAnomalyDecoder(anomalyColumns)
)

func eventPlace(e *genai.Event) position       { return position{e.Time().UnixNano(), e.ID} }
func anomalyPlace(a *anomaly.Anomaly) position { return position{a.Time.UnixNano(), a.ID} }

func (b *Backend) eventQuestion(q *store.EventQuery) (*question[genai.Event], error) {
	out := &question[genai.Event]{
		selection: selection{columns: eventColumns}, decoder: eventDecoder, place: eventPlace, id: line.ColumnEventID,
		unreadable: b.client.unreadable,
	}
	if err := out.paging(&q.Query); err != nil {
		return nil, err
	}
	if q.TraceID != "" {
		if err := validTrace(q.TraceID); err != nil {
			return nil, err
		}
	}
	if err := b.boundScan(&out.start, out.end, &q.EventFilter, q.ID); err != nil {
		return nil, err
	}
	out.where = eventConditions(q.Service, q.Model, &q.EventFilter, q.ID)
	out.matches = eventMatcher(q.Service, q.Model, &q.EventFilter, q.ID)
	out.narrow()
	return out, nil
}

func eventConditions(service, model string, f *store.EventFilter, id uuid.UUID) (where []oneOf) {
	for _, d := range []struct{ column, text string }{
		{line.ColumnService, service},
		{line.ColumnModel, model},
		{"provider", f.Provider},
		{"operation", f.Operation},
		{"environment", f.Environment},
	} {
		if d.text != "" {
			where = append(where, dimension(d.column, d.text))
		}
	}
	for _, d := range []struct{ column, text string }{
		{line.ColumnTraceID, f.TraceID},
		{"session_id", f.Conversation},
		{"tenant_id", f.Tenant},
		{"user_id", f.User},
	} {
		if d.text != "" {
			where = append(where, only(d.column, "=", line.CleanText(d.text)))
		}
	}
	if f.Failed {
		where = append(where, only("has_errors", "=", int64(1)))
	}
	if id != uuid.Nil {
		where = append(where, only(line.ColumnEventID, "=", id.String()))
	}
	return where
}

// same reports whether an item that has the text got is one of those that were
// asked for: all, or those of which the same text is kept.
func same(got, asked string) bool { return asked == "" || got == asked }

func eventMatcher(service, model string, f *store.EventFilter, id uuid.UUID) func(*genai.Event) bool {
	service, model = line.CleanText(service), line.CleanText(model)
	w := *f
	for _, s := range []*string{&w.Conversation, &w.Provider, &w.Operation, &w.Environment, &w.Tenant, &w.User} {
		*s = line.CleanText(*s)
	}
	return func(e *genai.Event) bool {
		return same(e.Service, service) && same(e.Model(), model) && same(e.Provider, w.Provider) &&
			same(e.Operation, w.Operation) && same(e.Environment, w.Environment) && same(e.Conversation, w.Conversation) &&
			same(e.Tenant, w.Tenant) && same(e.User, w.User) && (!w.Failed || e.Failed) &&
			(w.TraceID == "" || e.TraceID.String() == w.TraceID) && (id == uuid.Nil || e.ID == id)
	}
}

func (b *Backend) anomalyQuestion(q *store.AnomalyQuery) (*question[anomaly.Anomaly], error) {
	out := &question[anomaly.Anomaly]{
		selection: selection{columns: anomalyColumns}, decoder: anomalyDecoder, place: anomalyPlace, id: line.ColumnAlertID,
		unreadable: b.client.unreadable,
	}
	if err := out.paging(&q.Query); err != nil {
		return nil, err
	}
	switch {
	case q.Severity != 0 && !q.Severity.Valid():
		return nil, fmt.Errorf("%w: unknown severity %d", store.ErrInvalid, q.Severity)
	case !(q.MinConfidence >= 0 && q.MinConfidence <= 1):
		return nil, fmt.Errorf("%w: min confidence must be between 0 and 1, got %v", store.ErrInvalid, q.MinConfidence)
	}
	if q.TraceID != "" {
		if err := validTrace(q.TraceID); err != nil {
			return nil, err
		}
		out.where = append(out.where, only(line.ColumnTraceID, "=", q.TraceID))
	}
	severity := ""
	if q.Severity != 0 {
		severity = q.Severity.String()
	}
	for _, d := range []struct{ column, text string }{
		{line.ColumnService, q.Service},
		{line.ColumnModel, q.Model},
		{line.ColumnSeverity, severity},
		{line.ColumnType, string(q.Type)},
	} {
		if d.text != "" {
			out.where = append(out.where, dimension(d.column, d.text))
		}
	}
	if q.MinConfidence > 0 {
		out.where = append(out.where, only("confidence", ">=", q.MinConfidence))
	}
	if q.ID != uuid.Nil {
		out.where = append(out.where, only(line.ColumnAlertID, "=", q.ID.String()))
	}
	asked := *q
	asked.Service, asked.Model, asked.Type = line.CleanText(q.Service), line.CleanText(q.Model), anomaly.Type(line.CleanText(string(q.Type)))
	out.matches = func(a *anomaly.Anomaly) bool {
		return same(a.Service, asked.Service) && same(a.Model, asked.Model) && same(string(a.Type), string(asked.Type)) &&
			(asked.Severity == 0 || a.Severity == asked.Severity) && (asked.MinConfidence == 0 || a.Confidence >= asked.MinConfidence) &&
			same(a.Context.TraceID, asked.TraceID) && (asked.ID == uuid.Nil || a.ID == asked.ID)
	}
	out.narrow()
	return out, nil
}

func validTrace(id string) error {
	if b, err := hex.DecodeString(id); err != nil || len(b) != 16 || strings.ToLower(id) != id {
		return fmt.Errorf("%w: trace id must be 32 lower-case hex digits, got %q", store.ErrInvalid, id)
	}
	return nil
}

// paging takes over the part that is common to all queries.
func (q *question[T]) paging(from *store.Query) error {
	if from.Offset < 0 {
		return fmt.Errorf("%w: offset must not be negative, got %d", store.ErrInvalid, from.Offset)
	}
	q.ascending, q.offset, q.limit = from.Ascending, from.Offset, from.Limit
	q.start, q.end = minNanos, math.MaxInt64
	if !from.Start.IsZero() {
		q.start = clampNanos(from.Start)
	}
	if !from.End.IsZero() {
		q.end = clampNanos(from.End)
	}
	if from.After == nil {
		return nil
	}
	p := position{clampNanos(from.After.Time), from.After.ID}
	switch {
	case p.nanos == maxNanos && q.ascending, p.nanos == minNanos && !q.ascending:
		q.none = true
	case p.nanos > minNanos && p.nanos < maxNanos:
		q.after = &p
	}
	return nil
}

// boundScan keeps what is no tag from being looked for in everything.
func (b *Backend) boundScan(start *int64, end int64, f *store.EventFilter, id uuid.UUID) error {
	widest := b.config.MaxScanRange
	if widest == 0 || f.TraceID == "" && f.Conversation == "" && f.User == "" && id == uuid.Nil {
		return nil
	}
	end = min(end, time.Now().UnixNano())
	if *start == minNanos {
		*start = add(end, -widest)
	} else if *start < add(end, -widest) {
		return fmt.Errorf("%w: a trace, event, session or user can be looked for in at most %s at once (max_scan_range), got %s",
			store.ErrTooMany, widest, time.Duration(end-*start))
	}
	return nil
}

// narrow turns the exact range and position into the range of times of points.
func (q *question[T]) narrow() {
	q.from, q.to = minNanos, maxNanos
	low, high := q.start, q.end-1 // inclusive
	if q.after != nil && q.ascending {
		low = max(low, q.after.nanos)
	} else if q.after != nil {
		high = min(high, q.after.nanos)
	}
	if q.start >= q.end || low > high {
		q.none = true
	}
	if low > minNanos {
		q.from = add(low, -line.ShiftBefore)
	}
	if high < maxNanos {
		q.to = add(high, line.ShiftAfter)
	}
}

// wanted reports whether an item at p belongs to the answer.
func (q *question[T]) wanted(p position, v *T) bool {
	if p.nanos < q.start || p.nanos >= q.end {
		return false
	}
	if q.after != nil {
		if c := p.compare(*q.after); q.ascending && c <= 0 || !q.ascending && c >= 0 {
			return false
		}
	}
	return q.matches(v)
}
