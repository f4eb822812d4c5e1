package influxdbexporter

import (
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestClassify(t *testing.T) {
	now := at
	header := func(kv ...string) http.Header {
		h := http.Header{}
		for i := 0; i < len(kv); i += 2 {
			h.Set(kv[i], kv[i+1])
		}
		return h
	}
	for _, c := range []struct {
		name   string
		status int
		header http.Header
		body   string
		want   outcome
	}{
		{name: "written", status: 204, want: outcome{}},
		{name: "written, empty 200", status: 200, want: outcome{}},
		{
			name: "1.x partial write", status: 400, header: header("X-Influxdb-Error", "from the header"),
			body: `{"error":"partial write: field type conflict: input field \"x\" on measurement \"m\" is type float, already exists as type integer dropped=3"}`,
			want: outcome{reason: reasonPartial, dropped: 3, message: `partial write: field type conflict: input field "x" on measurement "m" is type float, already exists as type integer dropped=3`},
		},
		{
			name: "1.x partial parse", status: 400, body: "{\"error\":\"partial write: unable to parse 'a': missing fields\\nunable to parse 'b': missing fields dropped=0\"}",
			want: outcome{reason: reasonPartial, dropped: 2, message: "partial write: unable to parse a line: missing fields unable to parse a line: missing fields dropped=0"},
		},
		{
			name: "1.x all refused", status: 400, body: `{"error":"unable to parse 'x': invalid"}`,
			want: outcome{reason: reasonRejected, message: "unable to parse a line: invalid"},
		},
		{
			name: "2.x partial write", status: 422, body: `{"code":"unprocessable entity","message":"failure writing points to database: partial write: points beyond retention policy dropped=2"}`,
			want: outcome{reason: reasonPartial, dropped: 2, message: "failure writing points to database: partial write: points beyond retention policy dropped=2"},
		},
		{
			name: "2.x partial parse", status: 400, body: `{"code":"invalid","message":"partial write error (7 written): unable to parse 'x': bad"}`,
			want: outcome{reason: reasonPartial, dropped: 3, message: "partial write error (7 written): unable to parse a line: bad"},
		},
		{
			name: "3.x partial write", status: 400, body: `{"error":"partial write of line protocol occurred","data":[{"line_number":1},{"line_number":4}]}`,
			want: outcome{reason: reasonPartial, dropped: 2, message: "partial write of line protocol occurred"},
		},
		{
			name: "3.x partial write, explained", status: 400,
			body: `{"error":"partial write of line protocol occurred","data":[{"original_line":"telemetry,service=a prompt_text=\"my secret","line_number":2,"error_message":"invalid column type for column 'x'"}]}`,
			want: outcome{reason: reasonPartial, dropped: 1, message: "partial write of line protocol occurred: line 2: invalid column type for column 'x'"},
		},
		{
			name: "3.x whole request refused", status: 400,
			body: `{"error":"parsing failed for write_lp endpoint","data":{"original_line":"telemetry x=secret","line_number":3,"error_message":"no fields"}}`,
			want: outcome{reason: reasonRejected, message: "parsing failed for write_lp endpoint: line 3: no fields"},
		},
		{
			name: "3.x answer that is cut off", status: 400,
			body: `{"error":"partial write of line protocol occurred","data":[{"line_number":1},{"line_number":4},{"line_number":5},{"orig`,
			want: outcome{reason: reasonPartial, dropped: 3, message: `{"error":"partial write of line protocol occurred","data":[{"line_number":1},{"line_number":4},{"line_number":5},{"orig`},
		},
		{
			name: "a line with quotes is not repeated", status: 400,
			body: `{"error":"unable to parse 'm p=\"my 'secret': yes\nno\" 1': bad field"}`,
			want: outcome{reason: reasonRejected, message: "unable to parse a line: bad field"},
		},
		{
			name: "absurd count", status: 400, body: `{"error":"partial write: x dropped=99999"}`,
			want: outcome{reason: reasonPartial, dropped: 10, message: "partial write: x dropped=99999"},
		},
		{name: "unauthorized", status: 401, body: `{"code":"unauthorized","message":"unauthorized access"}`, want: outcome{reason: reasonUnauthorized, message: "unauthorized access"}},
		{name: "forbidden", status: 403, want: outcome{reason: reasonUnauthorized}},
		{name: "not found", status: 404, body: `{"error":"database not found: \"x\""}`, want: outcome{reason: reasonNotFound, message: `database not found: "x"`}},
		{name: "redirect", status: 307, want: outcome{reason: reasonRedirect}},
		{name: "too large", status: 413, body: "Request Entity Too Large\n", want: outcome{reason: reasonRequestSize, message: "Request Entity Too Large"}},
		{name: "throttled", status: 429, header: header("Retry-After", "7"), want: outcome{reason: reasonThrottled, retry: true, after: 7 * time.Second}},
		{name: "throttled until a date", status: 503, header: header("Retry-After", now.Add(90*time.Second).UTC().Format(http.TimeFormat)), want: outcome{reason: reasonUnavailable, retry: true, after: 90 * time.Second}},
		{name: "throttled for a year", status: 429, header: header("Retry-After", "31536000"), want: outcome{reason: reasonThrottled, retry: true, after: maxRetryAfter}},
		{name: "date in the past", status: 429, header: header("Retry-After", "Fri, 02 Jan 1998 03:04:05 GMT"), want: outcome{reason: reasonThrottled, retry: true}},
		{name: "nonsense in Retry-After", status: 429, header: header("Retry-After", "soon"), want: outcome{reason: reasonThrottled, retry: true}},
		{name: "server error", status: 500, header: header("X-Influxdb-Error", "timeout"), want: outcome{reason: reasonUnavailable, retry: true, message: "timeout"}},
		{name: "proxy page", status: 502, body: "<html>\n\x00bad gateway</html>", want: outcome{reason: reasonUnavailable, retry: true, message: "<html>  bad gateway</html>"}},
		{name: "request timeout", status: 408, want: outcome{reason: reasonUnavailable, retry: true}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.header == nil {
				c.header = http.Header{}
			}
			assert.Equal(t, c.want, classify(c.status, c.header, []byte(c.body), 10, now.Truncate(time.Second)))
		})
	}
}

func TestMajorVersion(t *testing.T) {
	for in, want := range map[string]int{"1.8.3": 1, "v2.7.1": 2, "3.0.0-beta": 3, "1.8\n": 1} {
		got, ok := majorVersion(in)
		assert.True(t, ok, in)
		assert.Equal(t, want, got, in)
	}
	for _, in := range []string{"", "unknown", "v", "-1.2"} {
		_, ok := majorVersion(in)
		assert.False(t, ok, in)
	}
}

func FuzzClassify(f *testing.F) {
	f.Add(400, "", `{"error":"partial write: x dropped=3"}`)
	f.Add(400, "", `partial write error (7 written): unable to parse`)
	f.Add(429, "7", "{")
	f.Add(503, "Fri, 02 Jan 1998 03:04:05 GMT", strings.Repeat("é", maxMessageBytes))
	f.Add(400, "-1", `{"error":null,"message":1,"data":{}}`)
	f.Fuzz(func(t *testing.T, status int, wait, body string) {
		const lines = 10
		o := classify(status, http.Header{"Retry-After": {wait}, "X-Influxdb-Error": {body}}, []byte(body), lines, at)
		require.Equal(t, status >= 200 && status < 300, o.reason == reasonNone)
		require.GreaterOrEqual(t, o.after, time.Duration(0))
		require.LessOrEqual(t, o.after, maxRetryAfter)
		require.LessOrEqual(t, len(o.message), 3*maxMessageBytes+len("…"))
		require.True(t, utf8.ValidString(o.message))
		require.NotContains(t, o.message, "\n")
		if o.reason == reasonPartial {
			require.False(t, o.retry)
			require.Positive(t, o.dropped)
			require.LessOrEqual(t, o.dropped, lines)
		} else {
			require.Zero(t, o.dropped)
		}
	})
}
