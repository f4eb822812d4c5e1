package influx

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/llm-devops/llm-sentinel/internal/store"
)

// Kind says what is wrong with a request.
type Kind string

// The kinds.
const (
	// KindUnauthorized: credentials are missing, wrong or not enough.
	KindUnauthorized Kind = "unauthorized"
	// KindMissing: there is no such database, or no such API.
	KindMissing Kind = "not found"
	// KindRefused: the server does not accept the query.
	KindRefused Kind = "refused"
	// KindThrottled: the server wants fewer requests.
	KindThrottled Kind = "throttled"
	// KindUnavailable: the server cannot be reached or has a fault of its own.
	KindUnavailable Kind = "unavailable"
	// KindMalformed: the answer is not one of InfluxDB.
	KindMalformed Kind = "malformed answer"
	// KindRedirected: the server points elsewhere.
	KindRedirected Kind = "redirected"
)

// Error is a failed request. Its text holds no credentials.
type Error struct {
	Kind Kind
	// Status of the answer, 0 without one.
	Status  int
	Message string
	cause   error
}

func (e *Error) Error() string {
	text := "influxdb: " + string(e.Kind)
	if e.Status != 0 {
		text += fmt.Sprintf(" (%d)", e.Status)
	}
	if e.Message != "" {
		text += ": " + e.Message
	}
	return text
}

func (e *Error) Unwrap() error { return e.cause }

// maxMessage bounds the text of a server that is quoted, in bytes.
const maxMessage = 512

func printable(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < 0x20 || r == 0x7f {
			return ' '
		}
		return r
	}, s)
	if len(s) <= maxMessage {
		return strings.TrimSpace(s)
	}
	n := maxMessage
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return strings.TrimSpace(s[:n]) + "…"
}

// serverError makes the error of an answer.
func serverError(status int, message string) error {
	e := &Error{Kind: KindRefused, Status: status, Message: printable(message)}
	text := strings.ToLower(message)
	switch {
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		e.Kind = KindUnauthorized
		e.Message += " (check the username and password or the token, and that it may read)"
	case strings.Contains(text, "database not found"):
		e.Kind = KindMissing
	case status == http.StatusTooManyRequests:
		e.Kind = KindThrottled
	case status == http.StatusNotFound || status == http.StatusMethodNotAllowed:
		e.Kind = KindMissing
		e.Message += " (check endpoint and api)"
	case status >= 500 || status == http.StatusRequestTimeout || strings.Contains(text, "timeout"):
		e.Kind = KindUnavailable
	case status >= 300 && status < 400:
		e.Kind = KindRedirected
		e.Message += " (set endpoint to the address that it redirects to)"
	}
	return e
}

func malformed(err error) error {
	var e *Error
	if errors.As(err, &e) || errors.Is(err, errTooLarge) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err // the answer was cut off, for a reason of its own
	}
	return &Error{Kind: KindMalformed, Message: printable(err.Error()), cause: err}
}

// errTooLarge ends the reading of an answer. A page with fewer rows may fit.
var errTooLarge = fmt.Errorf("%w: an answer of the server has more bytes than max_response_bytes", store.ErrTooMany)

func isKind(err error, k Kind) bool {
	var e *Error
	return errors.As(err, &e) && e.Kind == k
}

func isMissingDatabase(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.Kind == KindMissing && strings.Contains(strings.ToLower(e.Message), "database not found")
}

// isRefused: 3.x reports mistakes of a query with different statuses.
func isRefused(err error) bool {
	var e *Error
	return errors.As(err, &e) && (e.Kind == KindRefused || e.Kind == KindUnavailable && e.Status == http.StatusInternalServerError)
}
