package queryextension

import (
	"net/http"
	"time"

	"github.com/llm-devops/llm-sentinel/internal/store"
)

const (
	kindTelemetry = "telemetry"
	kindAnomalies = "anomalies"
)

var (
	commonParams    = sortedWith(rangeParams, "ascending", "cursor", "limit", "model", "offset", "service")
	telemetryParams = sortedWith(commonParams, "environment", "failed", "operation", "provider", "session_id", "tenant", "trace_id", "user_id")
	anomalyParams   = sortedWith(commonParams, "anomaly_type", "min_confidence", "severity", "trace_id")
)

// listRequest is a checked question for one page of rows.
type listRequest struct {
	filter filter
	query  store.Query
	// cursor is true for a page that continues another one; total then is what
	// was counted for the first page, negative when it was not counted.
	cursor bool
	total  int64
}

func (l *listRequest) events() store.EventQuery {
	return store.EventQuery{Query: l.query, EventFilter: l.filter.events}
}

func (l *listRequest) anomalies() store.AnomalyQuery {
	a := l.filter.anomalies
	return store.AnomalyQuery{
		Query: l.query, TraceID: l.filter.events.TraceID, Severity: a.severity, Type: a.typ, MinConfidence: a.minConfidence,
	}
}

// needs are what the question asks of the backend.
func (l *listRequest) needs(c store.Capabilities) []need {
	f := l.filter.events
	trace := c.Trace
	if l.filter.kind == kindAnomalies {
		trace = c.ByID
	}
	return []need{
		{"cursor", l.cursor, c.Cursor},
		{"offset", l.query.Offset > 0, c.Offset},
		{"trace_id", f.TraceID != "", trace},
		{"session_id", f.Conversation != "", c.Filters},
		{"user_id", f.User != "", c.Filters},
		{"provider", f.Provider != "", c.Filters},
		{"operation", f.Operation != "", c.Filters},
		{"environment", f.Environment != "", c.Filters},
		{"tenant", f.Tenant != "", c.Filters},
		{"failed", f.Failed, c.Filters},
	}
}

// parseList reads the question for a page of kind.
func parseList(raw, kind string, now time.Time) (*listRequest, *apiError) {
	known := telemetryParams
	if kind == kindAnomalies {
		known = anomalyParams
	}
	v, e := parseValues(raw, known)
	if e != nil {
		return nil, e
	}
	l, e := parseFilters(v, kind, now)
	if e != nil {
		return nil, e
	}
	if e := l.parsePage(v); e != nil {
		return nil, e
	}
	if e := l.parseCursor(v); e != nil {
		return nil, e
	}
	return l, nil
}

// parseFilters reads all of a question but which page of its rows is meant.
func parseFilters(v values, kind string, now time.Time) (*listRequest, *apiError) {
	var e *apiError
	l := &listRequest{filter: filter{kind: kind}, total: -1}
	if e := v.texts(map[string]*string{"service": &l.filter.service, "model": &l.filter.model}); e != nil {
		return nil, e
	}
	if l.filter.events, e = v.filter(); e != nil {
		return nil, e
	}
	if l.filter.anomalies, e = v.anomalyFilter(); e != nil {
		return nil, e
	}
	if l.filter.ascending, e = v.ascending(); e != nil {
		return nil, e
	}
	if l.filter.times, e = v.timeRange(now, defaultHours, maxHours); e != nil {
		return nil, e
	}
	l.query.Start, l.query.End = l.filter.times.start, l.filter.times.end
	l.query.Service, l.query.Model, l.query.Ascending = l.filter.service, l.filter.model, l.filter.ascending
	return l, nil
}

func (l *listRequest) parsePage(v values) *apiError {
	var e *apiError
	if l.query.Limit, e = v.limit(); e != nil {
		return e
	}
	if l.query.Offset, e = parseInt(v, codeInvalidParameter, "offset", 0, maxOffset, 0); e != nil {
		return e
	}
	return nil
}

func (v values) ascending() (bool, *apiError) {
	switch text, ok := v["ascending"]; {
	case !ok || text == "false":
		return false, nil
	case text == "true":
		return true, nil
	default:
		return false, badParameter(codeInvalidParameter, "ascending", text, "true or false")
	}
}

func (l *listRequest) parseCursor(v values) *apiError {
	text, ok := v["cursor"]
	if !ok {
		return nil
	}
	if _, both := v["offset"]; both {
		return &apiError{
			status: http.StatusBadRequest, code: codeInvalidParameter, message: "offset must not be given together with cursor",
			details: map[string]any{"parameter": "offset"},
		}
	}
	c, err := decodeCursor(text, l.filter)
	if err != nil {
		return &apiError{
			status: http.StatusBadRequest, code: codeInvalidCursor,
			message: "cursor " + err.Error() + "; repeat the query that gave it, or start again without cursor",
			details: map[string]any{"parameter": "cursor"},
		}
	}
	l.cursor, l.total = true, c.total
	l.query.Start, l.query.End, l.query.After = c.start, c.end, &c.after
	return nil
}
