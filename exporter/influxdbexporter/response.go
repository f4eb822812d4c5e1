package influxdbexporter

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/llm-devops/llm-sentinel/internal/influx/line"
	"github.com/llm-devops/llm-sentinel/internal/retryafter"
)

// reason says why a point was dropped or a request failed. The texts are label
// values, beside those of [line.Reason].
type reason string

// Reasons for which a point never reaches a request.
const (
	reasonNone        reason = ""
	reasonTooLarge    reason = "too_large"
	reasonUndecodable reason = "undecodable"
	reasonInvalid     reason = "invalid"
)

// Reasons for which a request fails.
const (
	reasonPartial      reason = "partial_write"
	reasonRejected     reason = "rejected"
	reasonUnauthorized reason = "unauthorized"
	reasonNotFound     reason = "not_found"
	reasonRequestSize  reason = "request_too_large"
	reasonRedirect     reason = "redirected"
	reasonThrottled    reason = "throttled"
	reasonUnavailable  reason = "unavailable"
	reasonUnreachable  reason = "unreachable"
)

const (
	maxBodyBytes    = 1 << 20
	maxMessageBytes = 512
	// maxRetryAfter bounds what a server may ask for: a sender that waits holds
	// a consumer of the queue.
	maxRetryAfter = 5 * time.Minute
)

// outcome is what a response says about the points of a request.
type outcome struct {
	// reason is empty when all points were written.
	reason reason
	// retry says that the same request may succeed later, not before after.
	retry bool
	after time.Duration
	// dropped counts the points that were refused while the others were kept;
	// it is used with reasonPartial only.
	dropped int
	// message is the server's own, bounded and printable.
	message string
}

// classify reads a response to a write of so many lines. body may be cut off.
func classify(status int, header http.Header, body []byte, lines int, now time.Time) outcome {
	if status >= 200 && status < 300 {
		return outcome{}
	}
	o := outcome{message: message(header, body)}
	switch {
	case status < 400:
		o.reason = reasonRedirect
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		o.reason = reasonUnauthorized
	case status == http.StatusNotFound:
		o.reason = reasonNotFound
	case status == http.StatusRequestEntityTooLarge:
		o.reason = reasonRequestSize
	case status == http.StatusTooManyRequests:
		o.reason, o.retry, o.after = reasonThrottled, true, retryafter.Parse(header.Get("Retry-After"), now, maxRetryAfter)
	case status == http.StatusRequestTimeout, status >= 500:
		o.reason, o.retry, o.after = reasonUnavailable, true, retryafter.Parse(header.Get("Retry-After"), now, maxRetryAfter)
	default:
		o.reason = reasonRejected
		if n, ok := partial(body, lines); ok {
			o.reason, o.dropped = reasonPartial, n
		}
	}
	return o
}

// partial reports whether the server kept some points of a request, and how
// many of them it did not keep. Forms of the text:
//
//	1.x and 2.x  partial write: … dropped=3
//	1.x and 2.x  partial write: unable to parse '…': …  (one line each) dropped=0
//	2.x          partial write error (7 written): …
//	3.x          partial write of line protocol occurred, one object a line in "data"
//
// Of a body that is cut off, at least what is seen is counted.
func partial(body []byte, lines int) (int, bool) {
	text := string(body)
	if !strings.Contains(text, "partial write") {
		return 0, false
	}
	n := -1
	if v, ok := numberAfter(text, "dropped="); ok {
		n = v
	}
	n = max(n, strings.Count(text, "unable to parse"))
	if refused := refusedLines(body); refused != nil {
		n = max(n, len(refused))
	} else {
		n = max(n, strings.Count(text, `"line_number":`))
	}
	if v, ok := numberAfter(text, "partial write error ("); ok {
		n = max(n, lines-v)
	}
	if n <= 0 {
		// Something was refused, or this would be no error.
		n = 1
	}
	return min(n, lines), true
}

// refusedLine is what 3.x says about one line. The line itself, which it
// repeats, may be personal and is not read.
type refusedLine struct {
	Number  int    `json:"line_number"`
	Message string `json:"error_message"`
}

// refusedLines reads the answer of 3.x to a write with bad lines: a list, or
// one of them when the whole request was refused.
func refusedLines(body []byte) []refusedLine {
	var j struct {
		Data json.RawMessage `json:"data"`
	}
	if json.Unmarshal(body, &j) != nil || len(j.Data) == 0 {
		return nil
	}
	var list []refusedLine
	if json.Unmarshal(j.Data, &list) == nil {
		return list
	}
	var one refusedLine
	if json.Unmarshal(j.Data, &one) == nil && one.Message != "" {
		return []refusedLine{one}
	}
	return nil
}

// numberAfter reads the decimal number that follows the last mark in text.
func numberAfter(text, mark string) (int, bool) {
	i := strings.LastIndex(text, mark)
	if i < 0 {
		return 0, false
	}
	text = text[i+len(mark):]
	end := 0
	for end < len(text) && text[end] >= '0' && text[end] <= '9' {
		end++
	}
	n, err := strconv.Atoi(text[:end])
	return n, err == nil
}

// message finds the server's explanation: a header of 1.x, or the member error
// (1.x, 3.x) or message (2.x) of a JSON body, or else the body itself.
func message(header http.Header, body []byte) string {
	var j struct {
		Error   any `json:"error"`
		Message any `json:"message"`
	}
	text := ""
	if json.Unmarshal(body, &j) == nil {
		text, _ = j.Message.(string)
		if e, ok := j.Error.(string); ok && text == "" {
			text = e
		}
	}
	// One bad line is enough to see what is wrong.
	if bad := refusedLines(body); len(bad) > 0 && bad[0].Message != "" {
		text += fmt.Sprintf(": line %d: %s", bad[0].Number, bad[0].Message)
	}
	if text == "" {
		text = header.Get("X-Influxdb-Error")
	}
	if text == "" {
		text = string(bytes.TrimSpace(body))
	}
	return printable(withoutLines(text))
}

// withoutLines takes out the lines that 1.x and 2.x repeat when they cannot read
// them, because those may be personal.
func withoutLines(text string) string {
	const mark = "unable to parse '"
	parts := strings.Split(text, mark)
	for i, part := range parts[1:] {
		why := ""
		if at := strings.LastIndex(part, "': "); at >= 0 {
			why = part[at+len("': "):]
		}
		parts[i+1] = "unable to parse a line: " + why
	}
	return strings.Join(parts, "")
}

// printable makes a foreign text fit for an error message: one line, bounded.
func printable(s string) string {
	if len(s) > maxMessageBytes {
		s = line.Cut(s, maxMessageBytes) + "…"
	}
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if r < 0x20 || r == 0x7f {
			return ' '
		}
		return r
	}, s))
}

// majorVersion reads the first number of a version such as "1.8.3" or "v2.7.1".
func majorVersion(version string) (int, bool) {
	version = strings.TrimPrefix(strings.TrimSpace(version), "v")
	head, _, _ := strings.Cut(version, ".")
	n, err := strconv.Atoi(head)
	return n, err == nil && n >= 0
}
