package influx3test_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/llm-devops/llm-sentinel/internal/influx/influx3test"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type client struct {
	t *testing.T
	s *influx3test.Server
}

func newClient(t *testing.T, o influx3test.Options) client {
	t.Helper()
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	return client{t, influx3test.New(t, o)}
}

func (c client) do(method, path, body string, header ...string) (int, string) {
	c.t.Helper()
	req, err := http.NewRequestWithContext(c.t.Context(), method, c.s.URL+path, strings.NewReader(body))
	require.NoError(c.t, err)
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	require.NoError(c.t, err)
	defer func() { _ = resp.Body.Close() }()
	answer, err := io.ReadAll(resp.Body)
	require.NoError(c.t, err)
	return resp.StatusCode, strings.TrimSpace(string(answer))
}

const writePath = "/api/v3/write_lp?db=test&precision=nanosecond"

func (c client) write(lines string) {
	c.t.Helper()
	status, body := c.do(http.MethodPost, writePath, lines)
	require.Equal(c.t, http.StatusNoContent, status, body)
}

func (c client) query(sql string, params map[string]any) (int, string) {
	c.t.Helper()
	b, err := json.Marshal(map[string]any{"db": "test", "q": sql, "format": "jsonl", "params": params})
	require.NoError(c.t, err)
	return c.do(http.MethodPost, "/api/v3/query_sql", string(b), "Content-Type", "application/json")
}

const weather = "home,room=Kitchen temp=21.5,n=1i,ok=true,note=\"a, b\" 1700000000000000000\n" +
	"home,room=Sunroom temp=19,n=2i 1700000000000001000\n" +
	"# a comment\n" +
	"home,room=Kitchen temp=22,n=9223372036854775807i 1700000000000000001\n"

func TestItAnswersWhatWasWritten(t *testing.T) {
	c := newClient(t, influx3test.Options{})
	c.write(weather)
	for sql, want := range map[string]string{
		`SELECT * FROM "home" WHERE "room" = $r ORDER BY time DESC`: `{"n":9223372036854775807,"room":"Kitchen","temp":22,"time":"2023-11-14T22:13:20.000000001"}
{"n":1,"note":"a, b","ok":true,"room":"Kitchen","temp":21.5,"time":"2023-11-14T22:13:20"}`,
		`SELECT room, time AS t FROM home WHERE time > '2023-11-14T22:13:20.000000001Z' AND room <> $r`:                    `{"room":"Sunroom","t":"2023-11-14T22:13:20.000001"}`,
		`SELECT count(*) AS n FROM home WHERE (n = 1 OR n = 2) AND room >= $r`:                                             `{"n":2}`,
		`SELECT count(note) AS c, min(temp) AS a, max(n) AS b, sum(temp) AS s FROM home WHERE room = $r OR NOT ok IS NULL`: `{"c":1,"a":21.5,"b":9223372036854775807,"s":43.5}`,
		`SELECT n FROM home WHERE room = $r OR note IS NOT NULL ORDER BY temp LIMIT 1`:                                     `{"n":1}`,
		`SELECT column_name FROM information_schema.columns WHERE table_name = 'home' AND column_name <> $r ORDER BY column_name LIMIT 2`: `{"column_name":"n"}
{"column_name":"note"}`,
	} {
		status, body := c.query(sql, map[string]any{"r": "Kitchen"})
		assert.Equal(t, http.StatusOK, status, sql)
		assert.Equal(t, want, body, sql)
	}
	status, body := c.do(http.MethodGet, "/api/v3/query_sql?db=test&q=SELECT+n+FROM+home+WHERE+n%3D%24n&params=%7B%22n%22%3A2%7D", "")
	assert.Equal(t, http.StatusOK, status)
	assert.Equal(t, `[{"n":2}]`, body)
}

func TestPointsWithEqualTagsAndTimeAreOne(t *testing.T) {
	c := newClient(t, influx3test.Options{})
	c.write("m,a=1,b=2 x=1i,y=1i 5\nm,b=2,a=1 x=2i 5\nm,b=2 x=3i 5")
	c.write("m,b=2,a=1 z=4i 5")
	assert.Equal(t, 2, c.s.Rows("test", "m"))
	assert.Equal(t, 2, c.s.Series("test", "m"))
	_, body := c.query("SELECT x, y, z FROM m ORDER BY x", nil)
	assert.Equal(t, "{\"x\":2,\"y\":1,\"z\":4}\n{\"x\":3}", body)
}

func TestPartialWrites(t *testing.T) {
	const lines = "m,a=1 x=1i 5\nm,a=1 x=\"one\" 6\nm,a=1 7\nm,x=1 y=1i 8\nm,a=1 x=2i 9\nm,a=1 time=1i 9\nm,a=1 s=\"two\nlines\" 10"
	c := newClient(t, influx3test.Options{})
	status, body := c.do(http.MethodPost, writePath+"&accept_partial=false", lines)
	assert.Equal(t, http.StatusBadRequest, status)
	assert.JSONEq(t, `{"error":"parsing failed for write_lp endpoint","data":{"original_line":"m,a=1 x=\"one\" 6","line_number":2,
		"error_message":"invalid column type for column 'x', expected iox::column_type::field::integer, got iox::column_type::field::string"}}`, body)
	assert.Zero(t, c.s.Rows("test", "m"))

	status, body = c.do(http.MethodPost, writePath, lines)
	assert.Equal(t, http.StatusBadRequest, status)
	var answer struct {
		Error string
		Data  []struct {
			LineNumber   int    `json:"line_number"`
			ErrorMessage string `json:"error_message"`
		}
	}
	require.NoError(t, json.Unmarshal([]byte(body), &answer))
	assert.Equal(t, "partial write of line protocol occurred", answer.Error)
	var numbers []int
	for _, d := range answer.Data {
		numbers = append(numbers, d.LineNumber)
	}
	assert.Equal(t, []int{2, 3, 4, 6}, numbers)
	assert.Contains(t, answer.Data[2].ErrorMessage, "expected iox::column_type::field::integer, got iox::column_type::tag")
	assert.Equal(t, 3, c.s.Rows("test", "m"))
	_, body = c.query("SELECT s FROM m WHERE s IS NOT NULL", nil)
	assert.JSONEq(t, `{"s":"two\nlines"}`, body)
}

func TestQueriesThatItRefuses(t *testing.T) {
	c := newClient(t, influx3test.Options{})
	c.write(weather)
	for sql, want := range map[string]string{
		"SELECT * FROM nothing":                                  "Error during planning: table 'public.iox.nothing' not found",
		"SELECT wind FROM home":                                  "Schema error: No field named wind.",
		"SELECT * FROM home WHERE wind = 1":                      "Schema error: No field named wind.",
		"SELECT * FROM home ORDER BY wind":                       "Schema error: No field named wind.",
		"SELECT * FROM home WHERE room = 1":                      "Cannot infer common argument type",
		"SELECT * FROM home WHERE n = 'one'":                     "Cannot infer common argument type",
		"SELECT * FROM home WHERE n = 1.5":                       "Cannot infer common argument type",
		"SELECT * FROM home WHERE time > 5":                      "Cannot infer common argument type",
		"SELECT * FROM home WHERE time > 'yesterday'":            "Error parsing timestamp",
		"SELECT * FROM home WHERE time > '9999-01-01T00:00:00Z'": "does not fit",
		"SELECT * FROM home WHERE room = $absent":                "No value found for placeholder",
		"SELECT * FROM home WHERE room LIKE 'K%'":                "operator LIKE",
		"SELECT * FROM Home WHERE \"Room\" = 'x'":                "No field named Room",
		"SELECT * FROM \"Home\"":                                 "table 'public.iox.Home' not found",
		"SELECT room, count(*) FROM home":                        "GROUP BY",
		"SELECT count(*) FROM home GROUP BY room":                "end of statement",
		"SELECT median(temp) FROM home":                          "Expected: FROM",
		"SELECT sum(room) FROM home":                             "does not support",
		"SELECT * FROM home; DROP TABLE home":                    "unexpected character",
		"SELECT * FROM home LIMIT 5 OFFSET 5":                    "end of statement",
		"SELECT * FROM home WHERE room = 'K":                     "Unterminated",
		"SELECT * FROM home WHERE n = 99999999999999999999":      "does not fit into 64 bits",
		"DELETE FROM home":                                       "Expected: SELECT",
	} {
		status, body := c.query(sql, nil)
		assert.Equal(t, http.StatusBadRequest, status, sql)
		assert.Contains(t, body, want, sql)
	}
	status, body := c.query("SELECT * FROM home", map[string]any{"unused": 1})
	assert.Equal(t, http.StatusBadRequest, status)
	assert.Contains(t, body, "not used")

	for name, request := range map[string][2]string{
		"another database": {`{"db":"other","q":"SELECT * FROM home"}`, "database not found: other"},
		"unknown option":   {`{"db":"test","q":"SELECT * FROM home","limit":5}`, "unknown field"},
		"unknown format":   {`{"db":"test","q":"SELECT * FROM home","format":"parquet"}`, "format"},
		"nested parameter": {`{"db":"test","q":"SELECT * FROM home","params":{"a":[1]}}`, "parameter a"},
		"no query":         {`{"db":"test"}`, "missing"},
	} {
		status, body := c.do(http.MethodPost, "/api/v3/query_sql", request[0], "Content-Type", "application/json")
		assert.GreaterOrEqual(t, status, 400, name)
		assert.Contains(t, body, request[1], name)
	}
	status, _ = c.do(http.MethodPost, "/api/v3/query_sql", "{}")
	assert.Equal(t, http.StatusUnsupportedMediaType, status)
}

func TestWritesThatItRefuses(t *testing.T) {
	c := newClient(t, influx3test.Options{})
	for path, want := range map[string]string{
		"/api/v3/write_lp?db=test":                                    "unknown variant",
		"/api/v3/write_lp?db=test&precision=auto":                     "unknown variant",
		"/api/v3/write_lp?precision=nanosecond":                       "db name cannot be empty",
		"/api/v3/write_lp?db=_x&precision=nanosecond":                 "invalid character",
		"/api/v3/write_lp?db=test&precision=nanosecond&bucket=x":      "unknown or repeated parameter",
		"/api/v3/write_lp?db=test&precision=nanosecond&no_sync=maybe": "no_sync",
		"/write?db=test&precision=fortnight":                          "unknown precision",
	} {
		status, body := c.do(http.MethodPost, path, "m x=1i 5")
		assert.Equal(t, http.StatusBadRequest, status, path)
		assert.Contains(t, body, want, path)
	}
	status, _ := c.do(http.MethodPost, writePath, "m x=\""+strings.Repeat("x", influx3test.MaxRequestBytes)+"\" 5")
	assert.Equal(t, http.StatusRequestEntityTooLarge, status)
	status, body := c.do(http.MethodPost, writePath, "m x=\""+strings.Repeat("x", influx3test.MaxTextBytes+1)+"\" 5")
	assert.Equal(t, http.StatusBadRequest, status)
	assert.Contains(t, body, "longer than")
	fields := make([]string, influx3test.MaxColumns)
	for i := range fields {
		fields[i] = fmt.Sprintf("f%d=1i", i)
	}
	status, body = c.do(http.MethodPost, writePath, "m "+strings.Join(fields, ",")+" 5")
	assert.Equal(t, http.StatusBadRequest, status)
	assert.Contains(t, body, "columns per table")
	for i := range influx3test.MaxDatabases - 1 {
		status, body = c.do(http.MethodPost, fmt.Sprintf("/api/v2/write?bucket=db%d&org=o&precision=ns", i), "m x=1i 5")
		assert.Equal(t, http.StatusNoContent, status, body)
	}
	status, _ = c.do(http.MethodPost, "/write?db=onemore&rp=week&precision=ns", "m x=1i 5")
	assert.Equal(t, http.StatusUnprocessableEntity, status)
}

func TestDatabasesAndHealth(t *testing.T) {
	c := newClient(t, influx3test.Options{})
	status, body := c.do(http.MethodPost, "/api/v3/configure/database", `{"db":"test"}`)
	assert.Equal(t, http.StatusOK, status, body)
	status, _ = c.do(http.MethodPost, "/api/v3/configure/database", `{"db":"test"}`)
	assert.Equal(t, http.StatusConflict, status)
	status, _ = c.do(http.MethodDelete, "/api/v3/configure/database?db=test", "")
	assert.Equal(t, http.StatusOK, status)
	status, _ = c.do(http.MethodDelete, "/api/v3/configure/database?db=test", "")
	assert.Equal(t, http.StatusNotFound, status)
	status, body = c.do(http.MethodGet, "/health", "")
	assert.Equal(t, http.StatusOK, status)
	assert.Equal(t, "OK", body)
	status, body = c.do(http.MethodGet, "/ping", "")
	assert.Equal(t, http.StatusOK, status)
	assert.Contains(t, body, influx3test.Version)
	status, _ = c.do(http.MethodHead, "/ping", "")
	assert.Equal(t, http.StatusNotFound, status)
	status, _ = c.do(http.MethodGet, "/api/v3/nothing", "")
	assert.Equal(t, http.StatusNotFound, status)
}

func TestAuthenticationGzipAndFaults(t *testing.T) {
	c := newClient(t, influx3test.Options{Token: "apiv3_secret"})
	for _, bad := range []string{"", "Bearer wrong", "Basic apiv3_secret", "apiv3_secret"} {
		status, body := c.do(http.MethodPost, writePath, "m x=1i 5", "Authorization", bad)
		assert.Equal(t, http.StatusUnauthorized, status, bad)
		assert.Contains(t, body, "not authenticated")
	}
	var z bytes.Buffer
	w := gzip.NewWriter(&z)
	_, _ = w.Write([]byte("m x=1i 5"))
	require.NoError(t, w.Close())
	status, body := c.do(http.MethodPost, writePath, z.String(), "Authorization", "Bearer apiv3_secret", "Content-Encoding", "gzip")
	assert.Equal(t, http.StatusNoContent, status, body)
	assert.Equal(t, 1, c.s.Rows("test", "m"))
	requests := c.s.Requests()
	assert.Equal(t, "m x=1i 5", string(requests[len(requests)-1].Body))
	status, _ = c.do(http.MethodPost, writePath, "m x=1i 5", "Authorization", "Token apiv3_secret", "Content-Encoding", "zstd")
	assert.Equal(t, http.StatusBadRequest, status)

	c.s.SetFault(func(*http.Request) *influx3test.Fault {
		return &influx3test.Fault{Status: http.StatusServiceUnavailable, Header: map[string]string{"Retry-After": "3"}, Body: "later"}
	})
	status, body = c.do(http.MethodGet, "/health", "")
	assert.Equal(t, http.StatusServiceUnavailable, status)
	assert.Equal(t, "later", body)
	c.s.SetFault(nil)
	status, _ = c.do(http.MethodGet, "/health", "")
	assert.Equal(t, http.StatusOK, status)
}
