package queryextension

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"github.com/klauspost/compress/gzip"
)

// Error codes of the interface. They are stable; messages are not.
const (
	codeBadRequest         = "bad_request"
	codeInvalidParameter   = "invalid_parameter"
	codeInvalidTime        = "invalid_time"
	codeInvalidSeverity    = "invalid_severity"
	codeInvalidLimit       = "invalid_limit"
	codeInvalidCursor      = "invalid_cursor"
	codeUnsupported        = "unsupported"
	codeUnsupportedMedia   = "unsupported_media_type"
	codeResponseTooLarge   = "response_too_large"
	codeUnauthorized       = "unauthorized"
	codeNotFound           = "not_found"
	codeMethodNotAllowed   = "method_not_allowed"
	codeTimeout            = "timeout"
	codePayloadTooLarge    = "payload_too_large"
	codeTooManyRequests    = "too_many_requests"
	codeInternal           = "internal"
	codeQueryFailed        = "query_failed"
	codeMetricsFailed      = "metrics_unavailable"
	codeStorageUnavailable = "storage_unavailable"
	codeUnhealthy          = "unhealthy"
	codeLoopDetected       = "loop_detected"
)

const (
	typeJSON = "application/json"
	typeText = "text/plain; charset=utf-8"
	typeYAML = "application/yaml"

	// minGzipBytes is the size from which compression saves a packet.
	minGzipBytes = 1400
)

// apiError is a refusal that the client may see as it is.
type apiError struct {
	status  int
	code    string
	message string
	details map[string]any
	// cause is for the log only.
	cause error
}

func (e *apiError) Error() string { return fmt.Sprintf("%s: %s", e.code, e.message) }
func (e *apiError) Unwrap() error { return e.cause }

// errorBody is the form of every response that is not a success.
type errorBody struct {
	Code    string         `json:"code"`
	Message string         `json:"message"`
	Details map[string]any `json:"details,omitempty"`
}

// badParameter is the refusal of the value of one parameter.
func badParameter(code, name, value, allowed string) *apiError {
	value = shorten(value, 64)
	return &apiError{
		status: http.StatusBadRequest, code: code,
		message: fmt.Sprintf("%s must be %s, got %q", name, allowed, value),
		details: map[string]any{"parameter": name, "value": value, "allowed": allowed},
	}
}

// shorten cuts s to at most n bytes and makes it valid UTF-8.
func shorten(s string, n int) string {
	if len(s) > n {
		s = s[:n] + "..."
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}

func sendError(w http.ResponseWriter, r *http.Request, e *apiError) {
	details := e.details
	if e.status >= http.StatusInternalServerError {
		// Whoever reports the failure can name the log line.
		details = make(map[string]any, len(e.details)+1)
		for k, v := range e.details {
			details[k] = v
		}
		details["request_id"] = infoOf(r.Context()).id
	}
	sendJSON(w, r, e.status, errorBody{Code: e.code, Message: e.message, Details: details})
}

func sendJSON(w http.ResponseWriter, r *http.Request, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		// Only types of this package come here, and none of them can fail.
		status, body = http.StatusInternalServerError, []byte(`{"code":"internal","message":"the response could not be encoded"}`)
	}
	send(w, r, status, typeJSON, append(body, '\n'))
}

// send writes a whole response. Bodies are built before they are sent, so that
// an error on the way is still an error for the client, never half a page.
func send(w http.ResponseWriter, r *http.Request, status int, contentType string, body []byte) {
	h := w.Header()
	h.Set("Content-Type", contentType)
	h.Add("Vary", "Accept-Encoding")
	if len(body) >= minGzipBytes && acceptsGzip(r.Header) {
		h.Set("Content-Encoding", "gzip")
		w.WriteHeader(status)
		if r.Method != http.MethodHead {
			writeGzip(w, body)
		}
		return
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		// A failed write means that the client is gone: there is nobody to tell.
		_, _ = w.Write(body)
	}
}

var gzipWriters = sync.Pool{New: func() any {
	zw, err := gzip.NewWriterLevel(nil, gzip.BestSpeed)
	if err != nil {
		panic(err) // the level is a constant of the same package
	}
	return zw
}}

func writeGzip(w io.Writer, body []byte) {
	zw := gzipWriters.Get().(*gzip.Writer)
	defer gzipWriters.Put(zw)
	zw.Reset(w)
	if _, err := zw.Write(body); err == nil {
		_ = zw.Close() // the client is gone, see send
	}
}

// acceptsGzip reads Accept-Encoding as RFC 9110 section 12.5.3 says; a quality
// of zero is a refusal. Nothing else is ranked: gzip is the only encoding here.
func acceptsGzip(h http.Header) bool {
	star := false
	for _, field := range h.Values("Accept-Encoding") {
		for item := range strings.SplitSeq(field, ",") {
			name, params, _ := strings.Cut(item, ";")
			name = strings.ToLower(strings.TrimSpace(name))
			ok := true
			if q, found := strings.CutPrefix(strings.ReplaceAll(strings.ToLower(params), " ", ""), "q="); found {
				v, err := strconv.ParseFloat(q, 64)
				ok = err == nil && v > 0
			}
			switch name {
			case "gzip", "x-gzip":
				return ok
			case "*":
				star = ok
			}
		}
	}
	return star
}

// pageBuffer collects the body of one response up to a limit.
type pageBuffer struct {
	bytes.Buffer
	limit int
}

// fits reports whether n more bytes may be written.
func (b *pageBuffer) fits(n int) bool { return n <= b.limit-b.Len() }
