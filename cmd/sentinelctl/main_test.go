package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	time.Local = time.UTC
	goleak.VerifyTestMain(m)
}

// api is a server that answers as the API does, and remembers what was asked.
type api struct {
	*httptest.Server
	mu       sync.Mutex
	requests []*http.Request
	bodies   []string
}

func newAPI(t *testing.T, handle http.HandlerFunc) *api {
	t.Helper()
	a := &api{}
	a.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		a.mu.Lock()
		a.requests, a.bodies = append(a.requests, r), append(a.bodies, string(body))
		a.mu.Unlock()
		handle(w, r)
	}))
	t.Cleanup(func() {
		a.CloseClientConnections()
		a.Close()
		http.DefaultClient.CloseIdleConnections()
	})
	return a
}

func (a *api) asked() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	var out []string
	for _, r := range a.requests {
		out = append(out, r.Method+" "+r.URL.RequestURI())
	}
	return out
}

func answering(body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, body) }
}

type result struct {
	code        int
	out, errors string
}

// ctl runs a command against the server.
func (a *api) ctl(t *testing.T, args ...string) result {
	t.Helper()
	return a.ctlWith(t, nil, args...)
}

func (a *api) ctlWith(t *testing.T, env map[string]string, args ...string) result {
	t.Helper()
	var out, errs bytes.Buffer
	getenv := func(k string) string {
		if k == "SENTINEL_URL" {
			return a.URL
		}
		return env[k]
	}
	code := run(t.Context(), args, getenv, &out, &errs)
	return result{code, out.String(), errs.String()}
}

const oneEvent = `{"event_id":"e1","timestamp":"2026-01-02T03:04:05.6Z","service_name":"chat-api","trace_id":"4bf92f3577b34da6a3ce929d0e0e4736","span_id":null,"model":"gpt-4","prompt":{"tokens":120},"response":{"tokens":340},"latency_ms":812.5,"cost_usd":0.024,"metadata":{},"errors":[]}`

const oneAnomaly = `{"alert_id":"0b7f5d0e-0d6c-4c0c-8a43-5a1f7f6f2c11","timestamp":"2026-01-02T03:04:06Z","severity":"high","anomaly_type":"latency_spike","service_name":"chat-api","model":"gpt-4","detection_method":"mad","confidence":0.93,"details":{"metric":"latency_ms","value":9000.5,"baseline":800},"context":{},"root_cause":"latency 9000; expected 800","remediation":["look at the queue"]}`

func page(cursor string, total int, rows ...string) string {
	next := ""
	if cursor != "" {
		next = fmt.Sprintf(`,"next_cursor":%q`, cursor)
	}
	return fmt.Sprintf(`{"data":[%s],"metadata":{"total_count":%d,"page_size":1%s}}`, strings.Join(rows, ","), total, next)
}

func TestQueryPrintsATable(t *testing.T) {
	a := newAPI(t, answering(page("", 7, oneEvent)))
	r := a.ctl(t, "query", "telemetry", "--service", "chat-api", "--failed", "--start", "2026-01-02T00:00:00Z", "--limit", "1")
	require.Equal(t, exitOK, r.code, r.errors)
	require.Equal(t, `TIME                 SERVICE   MODEL  LATENCY MS  IN   OUT  COST     ERROR  TRACE
2026-01-02 03:04:05  chat-api  gpt-4  812.5       120  340  $0.0240  -      4bf92f3577b34da6a3ce929d0e0e4736
`, r.out)
	require.Equal(t, "1 of 7 rows; --limit shows more\n", r.errors)
	require.Equal(t, []string{"GET /api/v1/telemetry?failed=true&limit=1&service=chat-api&start=2026-01-02T00%3A00%3A00Z"}, a.asked())
}

func TestQueryPrintsJSONAsTheAPIAnswers(t *testing.T) {
	a := newAPI(t, answering(page("", 1, oneAnomaly)))
	r := a.ctl(t, "query", "anomalies", "-o", "json", "--severity", "high", "--type", "latency_spike")
	require.Equal(t, exitOK, r.code, r.errors)
	require.JSONEq(t, "["+oneAnomaly+"]", r.out)
	require.Equal(t, []string{"GET /api/v1/anomalies?anomaly_type=latency_spike&limit=20&severity=high"}, a.asked())

	lines := a.ctl(t, "query", "anomalies", "-o", "jsonl")
	require.Equal(t, []string{oneAnomaly, ""}, strings.Split(lines.out, "\n"))
}

func TestQueryWalksOverPagesUpToTheLimit(t *testing.T) {
	a := newAPI(t, answering(page("next", 9, oneEvent, oneEvent)))
	r := a.ctl(t, "query", "telemetry", "-o", "jsonl", "--limit", "5")
	require.Equal(t, exitOK, r.code, r.errors)
	require.Equal(t, 6, strings.Count(r.out, "\n")) // a server that gives more than asked
	require.Equal(t, []string{"GET /api/v1/telemetry?limit=5", "GET /api/v1/telemetry?cursor=next&limit=3", "GET /api/v1/telemetry?cursor=next&limit=1"}, a.asked())
}

func TestWhatTelemetrySaysCannotRewriteTheTerminal(t *testing.T) {
	hostile := strings.Replace(oneEvent, "chat-api", `a\u001b]0;owned\u0007\n\u202eb`, 1)
	a := newAPI(t, answering(page("", 1, hostile)))
	r := a.ctl(t, "query", "telemetry")
	require.NotContains(t, r.out, "\x1b")
	require.NotContains(t, r.out, "\a")
	require.NotContains(t, r.out, "\u202e")
	require.Equal(t, 2, strings.Count(r.out, "\n"))
}

func TestSinceIsATimeRange(t *testing.T) {
	a := newAPI(t, answering(page("", 0)))
	require.Equal(t, exitOK, a.ctl(t, "query", "anomalies", "--since", "90m").code)
	u, err := url.Parse(strings.TrimPrefix(a.asked()[0], "GET "))
	require.NoError(t, err)
	start, err := time.Parse(time.RFC3339Nano, u.Query().Get("start"))
	require.NoError(t, err)
	require.WithinDuration(t, time.Now().Add(-90*time.Minute), start, time.Minute)

	r := a.ctl(t, "query", "anomalies", "--since", "1h", "--start", "2026-01-01T00:00:00Z")
	require.Equal(t, exitUsage, r.code)
	require.Equal(t, "sentinelctl: --since must not be given together with --start 2026-01-01T00:00:00Z\n", r.errors)
}

func TestErrorsSayWhatToDo(t *testing.T) {
	refuse := func(status int, body string) *api {
		return newAPI(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status); _, _ = io.WriteString(w, body) })
	}
	r := refuse(400, `{"code":"invalid_severity","message":"severity must be one of low, medium, high, critical, got \"x\""}`).ctl(t, "query", "anomalies")
	require.Equal(t, exitError, r.code)
	require.Equal(t, "sentinelctl: /api/v1/anomalies: severity must be one of low, medium, high, critical, got \"x\" (invalid_severity)\n", r.errors)

	r = refuse(401, `{"code":"unauthorized","message":"authentication failed"}`).ctl(t, "services")
	require.Contains(t, r.errors, "set SENTINEL_TOKEN, or --user and SENTINEL_PASSWORD")

	r = refuse(502, "<html>").ctl(t, "services")
	require.Contains(t, r.errors, "502 Bad Gateway, not in the way of LLM-Sentinel; is --url right?")

	r = newAPI(t, answering("<html>")).ctl(t, "services")
	require.Equal(t, exitError, r.code)
	require.Contains(t, r.errors, "read the answer of /api/v1/services")

	gone := newAPI(t, answering(""))
	gone.Close()
	r = gone.ctl(t, "health")
	require.Equal(t, exitError, r.code)
	require.Contains(t, r.errors, "is the collector running, with the query extension, and is --url right?")
}

func TestMistakesOnTheCommandLineAreUsage(t *testing.T) {
	a := newAPI(t, answering(page("", 0)))
	for _, args := range [][]string{
		{"query", "telemetry", "--limit", "0"},
		{"query", "telemetry", "--since", "-1h"},
		{"query", "telemetry", "extra"},
		{"-o", "xml", "services"},
		{"--url", "localhost:8080", "services"},
		{"--url", "http://me:secret@localhost", "services"},
		{"--timeout", "0s", "services"},
		{"--ca-file", "does-not-exist", "services"},
		{"feedback", "id", "maybe"},
		{"silence"},
		{"nonsense"},
	} {
		r := a.ctl(t, args...)
		require.Equal(t, exitUsage, r.code, "%v: %s", args, r.errors)
		require.NotEmpty(t, r.errors)
	}
	require.Empty(t, a.asked())
}

func TestCredentialsComeFromTheEnvironment(t *testing.T) {
	a := newAPI(t, answering(page("", 0)))
	require.Equal(t, exitOK, a.ctlWith(t, map[string]string{"SENTINEL_TOKEN": "tok"}, "services").code)
	require.Equal(t, exitOK, a.ctlWith(t, map[string]string{"SENTINEL_PASSWORD": "pw"}, "--user", "me", "services").code)
	require.Equal(t, "Bearer tok", a.requests[0].Header.Get("Authorization"))
	user, password, ok := a.requests[1].BasicAuth()
	require.True(t, ok)
	require.Equal(t, "me pw", user+" "+password)

	r := a.ctlWith(t, map[string]string{"SENTINEL_TOKEN": "tok", "SENTINEL_USER": "me"}, "services")
	require.Equal(t, exitUsage, r.code)
	require.NotContains(t, r.errors, "tok\n")
	help := a.ctlWith(t, map[string]string{"SENTINEL_TOKEN": "hidden-token", "SENTINEL_PASSWORD": "hidden-password"}, "--help")
	require.NotContains(t, help.out, "hidden-")
}

func TestAServerWithACertificateOfItsOwnIsTrustedByItsFile(t *testing.T) {
	s := httptest.NewTLSServer(answering(page("", 0)))
	defer s.Close()
	s.Config.ErrorLog = nil
	var out, errs bytes.Buffer
	none := func(string) string { return "" }
	require.Equal(t, exitError, run(t.Context(), []string{"--url", s.URL, "services"}, none, &out, &errs))
	require.Contains(t, errs.String(), "certificate")

	ca := filepath.Join(t.TempDir(), "ca.pem")
	require.NoError(t, os.WriteFile(ca, pemOf(s.Certificate().Raw), 0o600))
	require.Equal(t, exitOK, run(t.Context(), []string{"--url", s.URL, "--ca-file", ca, "services"}, none, &out, &errs), errs.String())
	require.Equal(t, exitOK, run(t.Context(), []string{"--url", s.URL, "--insecure-skip-verify", "services"}, none, &out, &errs), errs.String())
}

func TestStatsHasAColumnForEachGroup(t *testing.T) {
	a := newAPI(t, answering(`{"data":[{"start":"2026-01-02T03:00:00Z","group":{"service":"chat-api","model":"gpt-4"},"calls":1200,"failed":12,"error_rate":0.01,"total_tokens":99,"cost_usd":1.5,"latency_ms":{"count":1200,"p50":800,"p95":1500.25,"p99":2000},"ttft_ms":{"count":0,"p50":0,"p95":0,"p99":0}}],"metadata":{"step_seconds":300}}`))
	r := a.ctl(t, "stats", "--by", "service,model", "--step", "5m", "--provider", "openai")
	require.Equal(t, exitOK, r.code, r.errors)
	require.Equal(t, `START                SERVICE   MODEL  CALLS  ERRORS  TOKENS  COST     P50 MS  P95 MS  P99 MS  TTFT P95 MS
2026-01-02 03:00:00  chat-api  gpt-4  1200   1.0 %   99      $1.5000  800     1500.2  2000    -
`, r.out)
	require.Equal(t, []string{"GET /api/v1/stats?group_by=service%2Cmodel&provider=openai&step=5m"}, a.asked())
}

func TestWhatIsNotKnownIsNotZero(t *testing.T) {
	a := newAPI(t, answering(`{"data":[{"service":"new","models":[],"calls":0,"error_rate":null,"cost_usd":null,"latency_p95_ms":null,"anomalies":{}}]}`))
	require.Contains(t, a.ctl(t, "services").out, "new      0       0      -       -       -     -\n")
}

func TestListings(t *testing.T) {
	a := newAPI(t, answering(`{"data":[{"service":"chat-api","model":"gpt-4","provider":"openai","models":["a","b"],"services":["x"],"calls":10,"error_rate":0.5,"cost_usd":0.25,"latency_p95_ms":1234,"anomalies":{"low":0,"critical":2,"medium":1}}]}`))
	require.Contains(t, a.ctl(t, "services").out, "chat-api  2       10     50.0 %  1234    $0.2500  2 critical, 1 medium\n")
	require.Contains(t, a.ctl(t, "models", "--service", "chat-api").out, "gpt-4  openai    1         10     50.0 %  1234    $0.2500  2 critical, 1 medium\n")

	b := newAPI(t, answering(`{"data":[{"key":"k","service":"s","model":"m","metric":"latency_ms","time":"2026-01-02T03:00:00Z","samples":64,"expected":800,"lower":100,"upper":2300.5}]}`))
	require.Contains(t, b.ctl(t, "baselines", "--metric", "latency_ms").out, "s        m      latency_ms  800       100    2300.5  64       2026-01-02 03:00:00\n")
}

func TestTraceAndSession(t *testing.T) {
	a := newAPI(t, answering(`{"data":{"trace_id":"t","start":"2026-01-02T03:04:05Z","end":"2026-01-02T03:04:06.5Z","calls":1,"failed":0,"total_tokens":460,"cost_usd":0.024,"events":[`+oneEvent+`],"anomalies":[`+oneAnomaly+`],"truncated":true}}`))
	r := a.ctl(t, "query", "session", "a/b?c")
	require.Equal(t, exitOK, r.code, r.errors)
	require.Contains(t, r.out, "session a/b?c: 1 calls, 0 failed, 460 tokens, $0.0240, 1.5s\n")
	require.Contains(t, r.out, "more calls than the server shows at once")
	require.Contains(t, r.out, "latency_spike")
	require.Equal(t, exitOK, a.ctl(t, "query", "trace", "t").code)
	require.Equal(t, []string{"GET /api/v1/sessions/a%2Fb%3Fc", "GET /api/v1/traces/t"}, a.asked())
}

func TestExplain(t *testing.T) {
	a := newAPI(t, answering(`{"data":{"anomaly":`+oneAnomaly+`,"spans":[`+oneEvent+`],"similar":[`+oneAnomaly+`]}}`))
	r := a.ctl(t, "explain", "0b7f5d0e-0d6c-4c0c-8a43-5a1f7f6f2c11")
	require.Equal(t, exitOK, r.code, r.errors)
	for _, text := range []string{"latency_spike", "latency 9000; ", "To do: look at the queue", "The trace:", "812.5", "Like it:"} {
		require.Contains(t, r.out, text)
	}
}

func TestSilenceAndFeedback(t *testing.T) {
	a := newAPI(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusCreated)
		_, _ = io.WriteString(w, `{"data":{"anomaly_id":"x","verdict":"mute","until":"2026-01-03T00:00:00Z"}}`)
	})
	r := a.ctl(t, "silence", "x", "--for", "2h", "--comment", "maintenance")
	require.Equal(t, exitOK, r.code, r.errors)
	require.Contains(t, r.out, "x        mute     2026-01-03 00:00:00")
	require.Equal(t, exitOK, a.ctl(t, "feedback", "x", "false", "--author", "me").code)
	require.Equal(t, []string{"POST /api/v1/anomalies/x/feedback", "POST /api/v1/anomalies/x/feedback"}, a.asked())
	require.Equal(t, "application/json", a.requests[0].Header.Get("Content-Type"))
	require.JSONEq(t, `{"verdict":"mute","for":"2h0m0s","comment":"maintenance"}`, a.bodies[0])
	require.JSONEq(t, `{"verdict":"false","author":"me"}`, a.bodies[1])
}

func TestHealthFailsUnlessHealthy(t *testing.T) {
	const body = `{"data":{"status":%q,"version":"1.0","components":[{"name":"influxdb","kind":"exporter","status":%[1]q,"message":"no answer"}]}}`
	r := newAPI(t, answering(fmt.Sprintf(body, "healthy"))).ctl(t, "health")
	require.Equal(t, exitOK, r.code, r.errors)
	r = newAPI(t, answering(fmt.Sprintf(body, "degraded"))).ctl(t, "health")
	require.Equal(t, exitError, r.code)
	require.Contains(t, r.out, "exporter influxdb  degraded  no answer")
	require.Empty(t, r.errors)
}

func TestAnAnswerThatDoesNotComeIsNotWaitedFor(t *testing.T) {
	a := newAPI(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	r := a.ctl(t, "services", "--timeout", "20ms")
	require.Equal(t, exitError, r.code)
	require.Contains(t, r.errors, "deadline exceeded")
}

func TestInterruptionIsNoError(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	a := newAPI(t, func(_ http.ResponseWriter, r *http.Request) { cancel(); <-r.Context().Done() })
	var out, errs bytes.Buffer
	require.Equal(t, exitOK, run(ctx, []string{"--url", a.URL, "services"}, func(string) string { return "" }, &out, &errs))
	require.Empty(t, errs.String())
}

func TestJSONIsNotTouched(t *testing.T) {
	big := `{"n":12345678901234567890,"x":"é\u2028"}`
	a := newAPI(t, answering(`{"data":[`+big+`]}`))
	r := a.ctl(t, "services", "-o", "json")
	require.Contains(t, r.out, "12345678901234567890")
	require.True(t, json.Valid([]byte(r.out)))
}
