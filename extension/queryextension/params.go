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

	"github.com/google/uuid"

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

var rangeParams = []string{"end", "hours", "start"}

func sortedWith(names []string, more ...string) []string {
	all := append(slices.Clone(names), more...)
	slices.Sort(all)
	return all
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

// text returns a text that must match exactly, "" when it is not given.
func (v values) text(name string) (string, *apiError) {
	return checkText(name, v[name])
}

func checkText(name, text string) (string, *apiError) {
	if len(text) > maxTextBytes || !utf8.ValidString(text) || strings.ContainsRune(text, 0) {
		return "", badParameter(codeInvalidParameter, name, text, fmt.Sprintf("UTF-8 text of at most %d bytes", maxTextBytes))
	}
	return text, nil
}

// texts reads several texts into their places.
func (v values) texts(into map[string]*string) *apiError {
	names := make([]string, 0, len(into))
	for name := range into {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		text, e := v.text(name)
		if e != nil {
			return e
		}
		*into[name] = text
	}
	return nil
}

// filter reads the parameters that say which events are meant. Those that the
// route does not know are not there.
func (v values) filter() (f store.EventFilter, e *apiError) {
	if e := v.texts(map[string]*string{
		"session_id": &f.Conversation, "user_id": &f.User, "provider": &f.Provider, "operation": &f.Operation,
		"environment": &f.Environment, "tenant": &f.Tenant,
	}); e != nil {
		return f, e
	}
	if f.TraceID, e = v.traceID(); e != nil {
		return f, e
	}
	switch text, ok := v["failed"]; {
	case !ok:
	case text == "true":
		f.Failed = true
	default:
		return f, badParameter(codeInvalidParameter, "failed", text, "true; leave it out to match all")
	}
	return f, nil
}

func (v values) traceID() (string, *apiError) {
	id, ok := v["trace_id"]
	if !ok {
		return "", nil
	}
	return checkTraceID(id)
}

func checkTraceID(id string) (string, *apiError) {
	lower := strings.ToLower(id)
	if len(id) != 32 || strings.Trim(lower, "0123456789abcdef") != "" || strings.Trim(id, "0") == "" {
		return "", badParameter(codeInvalidParameter, "trace_id", id, "32 hex digits, not all zero")
	}
	return lower, nil
}

func checkID(name, text string) (uuid.UUID, *apiError) {
	id, err := uuid.Parse(text)
	if err != nil || id == uuid.Nil {
		return uuid.Nil, badParameter(codeInvalidParameter, name, text, "a UUID, not all zero")
	}
	return id, nil
}

// anomalyFilter is which anomalies are meant, beside service and model.
type anomalyFilter struct {
	severity      anomaly.Severity
	typ           anomaly.Type
	minConfidence float64
}

func (v values) anomalyFilter() (f anomalyFilter, e *apiError) {
	text, e := v.text("anomaly_type")
	if e != nil {
		return f, e
	}
	if text != "" {
		f.typ = anomaly.ParseType(text)
	}
	if text, ok := v["severity"]; ok {
		s, err := anomaly.ParseSeverity(text)
		if err != nil {
			return f, badParameter(codeInvalidSeverity, "severity", text, "one of low, medium, high, critical")
		}
		f.severity = s
	}
	if text, ok := v["min_confidence"]; ok {
		c, err := strconv.ParseFloat(text, 64)
		if err != nil || !(c >= 0 && c <= 1) { // the negation also catches NaN
			return f, badParameter(codeInvalidParameter, "min_confidence", text, "a number from 0 to 1")
		}
		f.minConfidence = math.Abs(c) // -0 is 0
	}
	return f, nil
}

func (v values) limit() (int, *apiError) {
	return parseInt(v, codeInvalidLimit, "limit", 1, maxLimit, defaultLimit)
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

// timeRange is a time range as it was asked for and what it means now.
type timeRange struct {
	// hours is 0 when the range was not given in hours.
	hours                int64
	givenStart, givenEnd time.Time
	// start is inclusive, the zero time leaves it open; end is exclusive.
	start, end time.Time
}

// timeRange fixes the time range; missing is the number of hours without any,
// 0 for all that is kept. The end is always set, so that rows which arrive
// during a walk over pages lie outside of it or behind the cursor.
func (v values) timeRange(now time.Time, missing, most int) (timeRange, *apiError) {
	var f timeRange
	for _, p := range [...]struct {
		name string
		dst  *time.Time
	}{{"start", &f.givenStart}, {"end", &f.givenEnd}} {
		if text, ok := v[p.name]; ok {
			t, ok := parseTime(text)
			if !ok {
				return f, badParameter(codeInvalidTime, p.name, text, "an RFC 3339 time from 1970 to 2262, for example 2026-01-02T15:04:05Z")
			}
			*p.dst = t
		}
	}
	_, hasHours := v["hours"]
	hours, e := parseInt(v, codeInvalidTime, "hours", 1, most, missing)
	if e != nil {
		return f, e
	}
	horizon := now.Add(futureTolerance)
	f.start, f.end = f.givenStart, f.givenEnd
	if f.start.IsZero() && f.end.IsZero() {
		f.hours = int64(hours)
		if f.end = horizon; hours > 0 {
			f.start = now.Add(-time.Duration(hours) * time.Hour)
		} else {
			f.end = maxTime
		}
		return f, nil
	}
	if hasHours {
		return f, &apiError{
			status: http.StatusBadRequest, code: codeInvalidTime, message: "hours must not be given together with start or end",
			details: map[string]any{"parameter": "hours"},
		}
	}
	if f.end.IsZero() {
		if f.end = horizon; !f.start.Before(horizon) {
			f.end = maxTime
		}
	}
	if !f.start.IsZero() && !f.start.Before(f.end) {
		return f, &apiError{
			status: http.StatusBadRequest, code: codeInvalidTime, message: "start must be before end",
			details: map[string]any{"start": f.start.Format(time.RFC3339Nano), "end": f.end.Format(time.RFC3339Nano)},
		}
	}
	return f, nil
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
