package queryextension

import (
	"fmt"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/llm-devops/llm-sentinel/internal/anomaly"
	"github.com/llm-devops/llm-sentinel/internal/store"
)

// Limits of the parameters. openapi.yaml repeats them; a test compares.
const (
	defaultLimit = 1000
	maxLimit     = 10_000
	maxOffset    = 1_000_000
	defaultHours = 24
	maxHours     = 8760
	maxTextBytes = 1024

	// futureTolerance is how far ahead of this machine's clock rows are still
	// found when the client sets no end: the clocks that stamped them may be fast.
	futureTolerance = 5 * time.Minute
)

// Times that fit into unix nanoseconds, in which cursors and backends count.
var (
	minTime = time.Unix(0, 0).UTC()
	maxTime = time.Unix(0, math.MaxInt64).UTC()
)

const (
	kindTelemetry = "telemetry"
	kindAnomalies = "anomalies"
)

var (
	commonParams    = []string{"ascending", "cursor", "end", "hours", "limit", "model", "offset", "service", "start"}
	telemetryParams = sortedWith(commonParams, "trace_id")
	anomalyParams   = sortedWith(commonParams, "anomaly_type", "min_confidence", "severity")
)

func sortedWith(names []string, more ...string) []string {
	all := append(slices.Clone(names), more...)
	slices.Sort(all)
	return all
}

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
	return store.EventQuery{Query: l.query, EventFilter: store.EventFilter{TraceID: l.filter.traceID}}
}

func (l *listRequest) anomalies() store.AnomalyQuery {
	return store.AnomalyQuery{
		Query: l.query, Severity: anomaly.Severity(l.filter.severity),
		Type: anomaly.Type(l.filter.anomalyType), MinConfidence: l.filter.minConfidence,
	}
}

// requireCapabilities is the one place where a question is compared with what
// the backend can do: it must be refused there, never answered by an empty list.
func (l *listRequest) requireCapabilities(c store.Capabilities) *apiError {
	for _, f := range [...]struct {
		name        string
		asked, able bool
	}{
		{"cursor", l.cursor, c.Cursor},
		{"offset", l.query.Offset > 0, c.Offset},
		{"trace_id", l.filter.traceID != "", c.Trace},
	} {
		if f.asked && !f.able {
			return unsupported(f.name)
		}
	}
	return nil
}

func unsupported(parameter string) *apiError {
	return &apiError{
		status: http.StatusBadRequest, code: codeUnsupported,
		message: "the configured storage backend cannot serve " + parameter,
		details: map[string]any{"parameter": parameter},
	}
}

// values are the parameters of a request, each given once and not empty.
type values map[string]string

// parseValues refuses what it does not know: an ignored typo in a filter would
// silently match everything. For the same reason no value may be empty.
func parseValues(raw string, known []string) (values, *apiError) {
	parsed, err := url.ParseQuery(raw)
	if err != nil {
		return nil, &apiError{status: http.StatusBadRequest, code: codeInvalidParameter, message: "the query string is malformed: escape reserved characters with %XX", cause: err}
	}
	v := make(values, len(parsed))
	names := make([]string, 0, len(parsed))
	for name := range parsed {
		names = append(names, name)
	}
	slices.Sort(names) // which error is reported must not depend on map order
	for _, name := range names {
		if !slices.Contains(known, name) {
			name = shorten(name, 64)
			return nil, &apiError{
				status: http.StatusBadRequest, code: codeInvalidParameter,
				message: fmt.Sprintf("unknown parameter %q; known are %s", name, strings.Join(known, ", ")),
				details: map[string]any{"parameter": name, "allowed": known},
			}
		}
		if n := len(parsed[name]); n > 1 {
			return nil, &apiError{
				status: http.StatusBadRequest, code: codeInvalidParameter,
				message: fmt.Sprintf("%s must be given once, got it %d times", name, n),
				details: map[string]any{"parameter": name},
			}
		}
		if v[name] = parsed[name][0]; v[name] == "" {
			return nil, &apiError{
				status: http.StatusBadRequest, code: codeInvalidParameter,
				message: name + " must not be empty; leave it out to match all",
				details: map[string]any{"parameter": name},
			}
		}
	}
	return v, nil
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
	l := &listRequest{filter: filter{kind: kind}, total: -1}
	for _, step := range [...]func(values) *apiError{l.parseText, l.parseAnomaly, l.parsePage} {
		if e := step(v); e != nil {
			return nil, e
		}
	}
	if e := l.parseRange(v, now); e != nil {
		return nil, e
	}
	if e := l.parseCursor(v); e != nil {
		return nil, e
	}
	l.query.Service, l.query.Model, l.query.Ascending = l.filter.service, l.filter.model, l.filter.ascending
	return l, nil
}

func (l *listRequest) parseText(v values) *apiError {
	for _, p := range [...]struct {
		name string
		dst  *string
	}{{"service", &l.filter.service}, {"model", &l.filter.model}, {"anomaly_type", &l.filter.anomalyType}} {
		text := v[p.name]
		if len(text) > maxTextBytes || !utf8.ValidString(text) || strings.ContainsRune(text, 0) {
			return badParameter(codeInvalidParameter, p.name, text, fmt.Sprintf("UTF-8 text of at most %d bytes", maxTextBytes))
		}
		*p.dst = text
	}
	if id, ok := v["trace_id"]; ok {
		l.filter.traceID = strings.ToLower(id)
		if len(id) != 32 || strings.Trim(l.filter.traceID, "0123456789abcdef") != "" || strings.Trim(id, "0") == "" {
			return badParameter(codeInvalidParameter, "trace_id", id, "32 hex digits, not all zero")
		}
	}
	return nil
}

func (l *listRequest) parseAnomaly(v values) *apiError {
	if l.filter.anomalyType != "" {
		l.filter.anomalyType = string(anomaly.ParseType(l.filter.anomalyType))
	}
	if text, ok := v["severity"]; ok {
		s, err := anomaly.ParseSeverity(text)
		if err != nil {
			return badParameter(codeInvalidSeverity, "severity", text, "one of low, medium, high, critical")
		}
		l.filter.severity = uint8(s)
	}
	if text, ok := v["min_confidence"]; ok {
		c, err := strconv.ParseFloat(text, 64)
		if err != nil || !(c >= 0 && c <= 1) { // the negation also catches NaN
			return badParameter(codeInvalidParameter, "min_confidence", text, "a number from 0 to 1")
		}
		l.filter.minConfidence = math.Abs(c) // -0 is 0
	}
	return nil
}

func (l *listRequest) parsePage(v values) *apiError {
	var e *apiError
	if l.query.Limit, e = parseInt(v, codeInvalidLimit, "limit", 1, maxLimit, defaultLimit); e != nil {
		return e
	}
	if l.query.Offset, e = parseInt(v, codeInvalidParameter, "offset", 0, maxOffset, 0); e != nil {
		return e
	}
	switch text, ok := v["ascending"]; {
	case !ok || text == "false":
	case text == "true":
		l.filter.ascending = true
	default:
		return badParameter(codeInvalidParameter, "ascending", text, "true or false")
	}
	return nil
}

func parseInt(v values, code, name string, low, high, missing int) (int, *apiError) {
	text, ok := v[name]
	if !ok {
		return missing, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < low || n > high {
		return 0, badParameter(code, name, text, fmt.Sprintf("a whole number from %d to %d", low, high))
	}
	return n, nil
}

// parseRange fixes the time range. Its end is always set, so that rows which
// arrive during a walk over pages lie outside of it or behind the cursor.
func (l *listRequest) parseRange(v values, now time.Time) *apiError {
	f := &l.filter
	for _, p := range [...]struct {
		name string
		dst  *time.Time
	}{{"start", &f.start}, {"end", &f.end}} {
		if text, ok := v[p.name]; ok {
			t, ok := parseTime(text)
			if !ok {
				return badParameter(codeInvalidTime, p.name, text, "an RFC 3339 time from 1970 to 2262, for example 2026-01-02T15:04:05Z")
			}
			*p.dst = t
		}
	}
	_, hasHours := v["hours"]
	hours, e := parseInt(v, codeInvalidTime, "hours", 1, maxHours, defaultHours)
	if e != nil {
		return e
	}
	horizon := now.Add(futureTolerance)
	l.query.Start, l.query.End = f.start, f.end
	if f.start.IsZero() && f.end.IsZero() {
		f.hours = int64(hours)
		l.query.Start, l.query.End = now.Add(-time.Duration(hours)*time.Hour), horizon
		return nil
	}
	if hasHours {
		return &apiError{
			status: http.StatusBadRequest, code: codeInvalidTime, message: "hours must not be given together with start or end",
			details: map[string]any{"parameter": "hours"},
		}
	}
	if f.end.IsZero() {
		if l.query.End = horizon; !f.start.Before(horizon) {
			l.query.End = maxTime
		}
	}
	if !l.query.Start.IsZero() && !l.query.Start.Before(l.query.End) {
		return &apiError{
			status: http.StatusBadRequest, code: codeInvalidTime, message: "start must be before end",
			details: map[string]any{"start": f.start.Format(time.RFC3339Nano), "end": l.query.End.Format(time.RFC3339Nano)},
		}
	}
	return nil
}

// parseTime also reads an offset whose '+' was not escaped and thus arrives as
// a space, which is what most clients send at first.
func parseTime(text string) (time.Time, bool) {
	t, err := time.Parse(time.RFC3339Nano, strings.Replace(text, " ", "+", 1))
	if err != nil || t.Before(minTime) || t.After(maxTime) {
		return time.Time{}, false
	}
	return t.UTC(), true
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
