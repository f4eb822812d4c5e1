package influxdbexporter

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/config/configopaque"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/exporter/exportertest"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.uber.org/zap"
	zapobserver "go.uber.org/zap/zaptest/observer"

	"github.com/llm-devops/llm-sentinel/exporter/influxdbexporter/internal/metadata"
	"github.com/llm-devops/llm-sentinel/internal/anomaly"
)

// received is one request as the fake server saw it.
type received struct {
	method, path, query, auth, agent, encoding, team string
	lines                                            []string
}

// fake answers writes with the scripted handlers, in order, then with 204.
type fake struct {
	*httptest.Server
	mu     sync.Mutex
	got    []received
	script []http.HandlerFunc
	ping   http.HandlerFunc
}

func newFake(t *testing.T, script ...http.HandlerFunc) *fake {
	t.Helper()
	f := &fake{script: script, ping: func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Influxdb-Version", "1.8.3")
		w.WriteHeader(http.StatusNoContent)
	}}
	f.Server = httptest.NewServer(http.HandlerFunc(f.serve))
	t.Cleanup(f.Close)
	return f
}

func (f *fake) serve(w http.ResponseWriter, r *http.Request) {
	rec := received{
		method: r.Method, path: r.URL.Path, query: r.URL.RawQuery, auth: r.Header.Get("Authorization"),
		agent: r.UserAgent(), encoding: r.Header.Get("Content-Encoding"), team: r.Header.Get("X-Team"),
	}
	body := io.Reader(r.Body)
	if rec.encoding == "gzip" {
		body, _ = gzip.NewReader(r.Body)
	}
	text, _ := io.ReadAll(body)
	if len(text) > 0 {
		rec.lines = strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
	}
	f.mu.Lock()
	f.got = append(f.got, rec)
	handler := func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }
	switch {
	case strings.HasSuffix(r.URL.Path, "/ping"):
		handler = f.ping
	case len(f.script) > 0:
		handler, f.script = f.script[0], f.script[1:]
	}
	f.mu.Unlock()
	handler(w, r)
}

// requests returns the requests to a path, in order.
func (f *fake) requests(path string) []received {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []received
	for _, r := range f.got {
		if strings.HasSuffix(r.path, path) {
			out = append(out, r)
		}
	}
	return out
}

func (f *fake) config(api API) *Config {
	cfg := createDefaultConfig().(*Config)
	cfg.ClientConfig.Endpoint = f.URL
	cfg.API = api
	return cfg
}

func answer(status int, body string, kv ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i < len(kv); i += 2 {
			w.Header().Set(kv[i], kv[i+1])
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// reset closes the connection without an answer.
func reset(w http.ResponseWriter, _ *http.Request) {
	conn, _, err := w.(http.Hijacker).Hijack()
	if err == nil {
		_ = conn.(*net.TCPConn).SetLinger(0)
		_ = conn.Close()
	}
}

func TestV1Request(t *testing.T) {
	f := newFake(t)
	cfg := f.config(APIV1)
	cfg.ClientConfig.Endpoint += "/prefix/"
	cfg.ClientConfig.Headers = configopaque.MapList{{Name: "X-Team", Value: "llm"}}
	cfg.V1.Database, cfg.V1.RetentionPolicy, cfg.V1.Username, cfg.V1.Password = "my db", "one month", "writer", "pa:ss"
	e, tel := started(t, cfg)
	td := calls(2, func(i int, span ptrace.Span) { anomaly.MarkSpan(span, []anomaly.Anomaly{finding(i)}) })
	require.NoError(t, e.push(t.Context(), td))

	got := f.requests("/prefix/write")
	require.Len(t, got, 2, "one request a measurement, no probe")
	assert.Len(t, f.got, 2)
	assert.Equal(t, "db=my+db&precision=ns&rp=one+month", got[0].query)
	assert.Equal(t, "Basic d3JpdGVyOnBhOnNz", got[0].auth)
	assert.Equal(t, "otelcol-sentinel/1.2.3", got[0].agent)
	assert.Equal(t, "gzip", got[0].encoding)
	assert.Equal(t, "llm", got[0].team)
	assert.True(t, strings.HasPrefix(got[0].lines[0], "telemetry,environment=prod,model=gpt-4,operation=chat,provider=openai,service=chat-api "), got[0].lines[0])
	assert.True(t, strings.HasPrefix(got[1].lines[1], "anomaly,method=z_score,model=gpt-4,service=chat-api,severity=high,type=latency_spike "), got[1].lines[1])
	assert.EqualValues(t, 2, sum(t, tel, "sentinel_influxdb_points_total", "measurement", "telemetry"))
	assert.EqualValues(t, 2, sum(t, tel, "sentinel_influxdb_points_total", "measurement", "anomaly"))
	assert.EqualValues(t, 2, sum(t, tel, "sentinel_influxdb_series", "", ""))
}

func TestV2Request(t *testing.T) {
	f := newFake(t)
	cfg := f.config(APIV2)
	cfg.V2.Org, cfg.V2.Token = "acme & sons", "secret-token"
	e, _ := started(t, cfg)
	td := calls(1, func(i int, span ptrace.Span) { anomaly.MarkSpan(span, []anomaly.Anomaly{finding(i)}) })
	require.NoError(t, e.push(t.Context(), td))
	got := f.requests("/api/v2/write")
	require.Len(t, got, 2)
	assert.Equal(t, "bucket=telemetry&org=acme+%26+sons&precision=ns", got[0].query)
	assert.Equal(t, "bucket=anomalies&org=acme+%26+sons&precision=ns", got[1].query)
	assert.Equal(t, "Token secret-token", got[0].auth)
}

func TestTheServerIsAskedForItsAPIOnce(t *testing.T) {
	version := func(v string) http.HandlerFunc { return answer(204, "", "X-Influxdb-Version", v) }
	for _, c := range []struct {
		name string
		ping http.HandlerFunc
		edit func(*Config)
		want string
	}{
		{name: "1.x", ping: version("1.8.3"), want: "/write"},
		{name: "2.x", ping: version("v2.7.1"), want: "/api/v2/write"},
		{name: "3.x", ping: version("3.2.0"), want: "/api/v2/write"},
		{name: "silent, nothing set", ping: answer(404, "no"), want: "/write"},
		{name: "silent, token set", ping: answer(401, "no"), edit: func(c *Config) { c.V2.Token = "t" }, want: "/api/v2/write"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFake(t)
			f.ping = c.ping
			cfg := f.config(APIAuto)
			if c.edit != nil {
				c.edit(cfg)
			}
			e, _ := started(t, cfg)
			assert.Empty(t, f.got, "start does not talk to the server")
			for range 3 {
				require.NoError(t, e.push(t.Context(), calls(1)))
			}
			assert.Len(t, f.requests("/ping"), 1)
			assert.Len(t, f.requests(c.want), 3)
			assert.Empty(t, f.requests("/ping")[0].lines)
			assert.Equal(t, http.MethodGet, f.requests("/ping")[0].method)
		})
	}
}

func TestTheVersionMayStandInTheBodyOfHealth(t *testing.T) {
	f := newFake(t, answer(200, `{"name":"influxdb","status":"pass","version":"v2.7.1"}`))
	f.ping = answer(204, "")
	e, _ := started(t, f.config(APIAuto))
	require.NoError(t, e.push(t.Context(), calls(1)))
	assert.Len(t, f.requests("/health"), 1)
	assert.Len(t, f.requests("/api/v2/write"), 1)
}

func TestADeadServerStopsNothing(t *testing.T) {
	f := newFake(t)
	f.Close()
	e, tel := started(t, f.config(APIAuto))
	err := e.push(t.Context(), calls(1))
	require.Error(t, err)
	assert.False(t, consumererror.IsPermanent(err))
	// The failed probe is remembered for a moment: no second connection.
	require.Equal(t, err, e.push(t.Context(), calls(1)))
	assert.EqualValues(t, 2, sum(t, tel, "sentinel_influxdb_request_failures_total", "reason", "unreachable"))
}

func TestAServerThatStartsLaterIsFound(t *testing.T) {
	f := newFake(t)
	f.ping = answer(503, "starting", "Retry-After", "1")
	e, _ := started(t, f.config(APIAuto))
	now := at
	e.client.now = func() time.Time { return now }
	require.ErrorContains(t, e.push(t.Context(), calls(1)), "starting")
	f.mu.Lock()
	f.ping = answer(204, "", "X-Influxdb-Version", "1.8.3")
	f.mu.Unlock()
	now = now.Add(probePause)
	require.NoError(t, e.push(t.Context(), calls(1)))
}

func TestTheDatabaseIsCreatedOnce(t *testing.T) {
	f := newFake(t, answer(200, `{"results":[{"statement_id":0}]}`))
	cfg := f.config(APIV1)
	cfg.V1.CreateDatabase, cfg.V1.Database = true, `my "db"\`
	e, _ := started(t, cfg)
	for range 2 {
		require.NoError(t, e.push(t.Context(), calls(1)))
	}
	got := f.requests("/query")
	require.Len(t, got, 1)
	assert.Equal(t, http.MethodPost, got[0].method)
	assert.Equal(t, "q=CREATE+DATABASE+%22my+%5C%22db%5C%22%5C%5C%22", got[0].query)
	assert.Len(t, f.requests("/write"), 2)
}

func TestADatabaseThatCannotBeCreatedIsAPermanentError(t *testing.T) {
	f := newFake(t, answer(200, `{"results":[{"statement_id":0,"error":"no space left"}]}`))
	cfg := f.config(APIV1)
	cfg.V1.CreateDatabase = true
	e, tel := started(t, cfg)
	err := e.push(t.Context(), calls(3))
	require.ErrorContains(t, err, "no space left")
	assert.True(t, consumererror.IsPermanent(err))
	assert.EqualValues(t, 3, sum(t, tel, "sentinel_influxdb_points_dropped_total", "reason", "rejected"))
}

func TestFaults(t *testing.T) {
	for _, c := range []struct {
		name      string
		answer    http.HandlerFunc
		permanent bool
		contains  []string
		reason    reason
	}{
		{name: "429", answer: answer(429, "", "Retry-After", "3"), contains: []string{"Throttle (3s)", "429 Too Many Requests"}, reason: reasonThrottled},
		{name: "503", answer: answer(503, "overloaded"), contains: []string{"503", "overloaded"}, reason: reasonUnavailable},
		{name: "500", answer: answer(500, `{"error":"timeout"}`), contains: []string{"timeout"}, reason: reasonUnavailable},
		{name: "reset", answer: reset, contains: []string{"/write"}, reason: reasonUnreachable},
		{name: "400", answer: answer(400, `{"error":"unable to parse"}`), permanent: true, contains: []string{"unable to parse"}, reason: reasonRejected},
		{name: "413", answer: answer(413, ""), permanent: true, contains: []string{"payload_max_bytes"}, reason: reasonRequestSize},
		{name: "422", answer: answer(422, `{"message":"nope"}`), permanent: true, contains: []string{"nope"}, reason: reasonRejected},
		{name: "401", answer: answer(401, `{"error":"authorization failed"}`), permanent: true, contains: []string{"authorization failed", "v1.username and v1.password"}, reason: reasonUnauthorized},
		{name: "403", answer: answer(403, ""), permanent: true, contains: []string{"v1.username"}, reason: reasonUnauthorized},
		{name: "404", answer: answer(404, `{"error":"database not found: \"telemetry\""}`), permanent: true, contains: []string{"v1.create_database"}, reason: reasonNotFound},
		{name: "302", answer: answer(302, "", "Location", "http://127.0.0.1:1/"), permanent: true, contains: []string{"redirects are not followed"}, reason: reasonRedirect},
		{name: "endless body", answer: answer(500, strings.Repeat("x", 10*maxBodyBytes)), contains: []string{"xxx"}, reason: reasonUnavailable},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFake(t, c.answer)
			cfg := f.config(APIV1)
			cfg.V1.Username, cfg.V1.Password, cfg.V2.Token = "u", "hunter2", "hunter2"
			e, tel := started(t, cfg)
			err := e.push(t.Context(), calls(4))
			require.Error(t, err)
			assert.Equal(t, c.permanent, consumererror.IsPermanent(err))
			for _, w := range c.contains {
				require.ErrorContains(t, err, w)
			}
			assert.NotContains(t, err.Error(), "hunter2")
			assert.Less(t, len(err.Error()), 2*maxMessageBytes)
			dropped := int64(0)
			if c.permanent {
				dropped = 4
			}
			assert.Equal(t, dropped, sum(t, tel, "sentinel_influxdb_points_dropped_total", "reason", string(c.reason)))
			assert.EqualValues(t, 1, sum(t, tel, "sentinel_influxdb_request_failures_total", "reason", string(c.reason)))
			assert.EqualValues(t, 0, sum(t, tel, "sentinel_influxdb_points_total", "", ""))

			require.NoError(t, e.push(t.Context(), calls(4)), "the next push succeeds")
		})
	}
}

func TestHintsNameTheSettingOfTheAPIInUse(t *testing.T) {
	f := newFake(t, answer(401, ""), answer(404, ""))
	cfg := f.config(APIV2)
	cfg.V2.Token = "hunter2"
	e, _ := started(t, cfg)
	require.ErrorContains(t, e.push(t.Context(), calls(1)), "check v2.token")
	require.ErrorContains(t, e.push(t.Context(), calls(1)), "v2.org, v2.bucket")
}

func TestAPartialWriteIsCountedAndLoggedOnce(t *testing.T) {
	partial := answer(400, `{"error":"partial write: field type conflict dropped=2"}`)
	f := newFake(t, partial, partial)
	core, logs := zapobserver.New(zap.WarnLevel)
	e, tel := started(t, f.config(APIV1), func(s *exporter.Settings) { s.Logger = zap.New(core) })
	for range 2 {
		require.NoError(t, e.push(t.Context(), calls(5)))
	}
	assert.Len(t, f.requests("/write"), 2, "what was kept is not sent again")
	assert.EqualValues(t, 6, sum(t, tel, "sentinel_influxdb_points_total", "", ""))
	assert.EqualValues(t, 4, sum(t, tel, "sentinel_influxdb_points_dropped_total", "reason", "partial_write"))
	require.Equal(t, 1, logs.Len())
	assert.Contains(t, logs.All()[0].ContextMap()["server_message"], "field type conflict")
}

func TestPayloadsAreSplitByLinesAndBytes(t *testing.T) {
	f := newFake(t)
	cfg := f.config(APIV1)
	cfg.PayloadMaxLines = 7
	e, _ := started(t, cfg)
	require.NoError(t, e.push(t.Context(), calls(50)))
	got := f.requests("/write")
	require.Len(t, got, 8)
	assert.Equal(t, 50, distinct(t, got))
	for i, r := range got {
		assert.Len(t, r.lines, min(7, 50-7*i))
	}

	f = newFake(t)
	cfg = f.config(APIV1)
	cfg.ClientConfig.Compression = ""
	cfg.PayloadMaxBytes = minPayloadBytes
	e, _ = started(t, cfg)
	require.NoError(t, e.push(t.Context(), calls(1000)))
	got = f.requests("/write")
	assert.Greater(t, len(got), 3)
	assert.Equal(t, 1000, distinct(t, got))
	for _, r := range got {
		assert.LessOrEqual(t, len(strings.Join(r.lines, "\n"))+1, minPayloadBytes)
	}
}

// distinct counts the lines that differ in tags or time.
func distinct(t *testing.T, got []received) int {
	t.Helper()
	seen := map[string]bool{}
	for _, r := range got {
		for _, l := range r.lines {
			tags, rest, ok := strings.Cut(l, " ")
			require.True(t, ok)
			seen[tags+rest[strings.LastIndexByte(rest, ' '):]] = true
		}
	}
	return len(seen)
}

func TestOnlyWhatWasNotWrittenIsTriedAgain(t *testing.T) {
	f := newFake(t, answer(204, ""), answer(400, "refused"), answer(503, ""))
	cfg := f.config(APIV1)
	cfg.PayloadMaxLines = 10
	core, logs := zapobserver.New(zap.ErrorLevel)
	e, tel := started(t, cfg, func(s *exporter.Settings) { s.Logger = zap.New(core) })
	err := e.push(t.Context(), calls(50))
	require.False(t, consumererror.IsPermanent(err))
	var failed consumererror.Traces
	require.ErrorAs(t, err, &failed)
	assert.Equal(t, 30, failed.Data().SpanCount(), "the second payload was refused, the third is due")
	assert.Equal(t, 1, logs.Len(), "the refusal is not lost")
	require.NoError(t, e.push(t.Context(), failed.Data()))

	got := f.requests("/write")
	require.Len(t, got, 6)
	assert.Equal(t, got[2].lines, got[3].lines, "the third again, first")
	assert.EqualValues(t, 40, sum(t, tel, "sentinel_influxdb_points_total", "", ""))
	assert.EqualValues(t, 10, sum(t, tel, "sentinel_influxdb_points_dropped_total", "", ""))
}

func TestALineThatWaitsIsTriedAgainWithTheRequestThatFailed(t *testing.T) {
	// The second payload of anomalies begins with span 1 and fails while the
	// call of span 0 still waits for its own request.
	f := newFake(t, answer(204, ""), answer(503, ""))
	cfg := f.config(APIV1)
	cfg.PayloadMaxLines = 5
	e, _ := started(t, cfg)
	td := calls(3, func(i int, span ptrace.Span) {
		var found []anomaly.Anomaly
		for k := range 4 {
			found = append(found, finding(10*i+k))
		}
		anomaly.MarkSpan(span, found)
	})
	again := td
	err := e.push(t.Context(), td)
	require.Error(t, err)
	var failed consumererror.Traces
	if errors.As(err, &failed) {
		again = failed.Data()
	}
	require.NoError(t, e.push(t.Context(), again))
	byName := map[string]map[string]bool{"telemetry": {}, "anomaly": {}}
	for _, r := range f.requests("/write") {
		for _, l := range r.lines {
			name, _, _ := strings.Cut(l, ",")
			byName[name][l] = true
		}
	}
	assert.Len(t, byName["telemetry"], 3)
	assert.Len(t, byName["anomaly"], 12)
}

func TestARetryOverwritesWhatItWroteBefore(t *testing.T) {
	// The server kept the points, but the answer was lost.
	f := newFake(t, reset)
	e, _ := started(t, f.config(APIV1))
	td := calls(3000) // of equal tags and time
	require.Error(t, e.push(t.Context(), td))
	require.NoError(t, e.push(t.Context(), td))
	got := f.requests("/write")
	require.Len(t, got, 2)
	assert.Equal(t, got[0].lines, got[1].lines)
	assert.Equal(t, 3000, distinct(t, got))
}

func TestSpansThatAreNoLLMCallsAreIgnored(t *testing.T) {
	f := newFake(t)
	e, tel := started(t, f.config(APIAuto))
	td := ptrace.NewTraces()
	span := td.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans().AppendEmpty()
	span.SetName("GET /")
	require.NoError(t, e.push(t.Context(), td))
	require.NoError(t, e.push(t.Context(), ptrace.NewTraces()))
	assert.Empty(t, f.got, "nothing to say, nothing sent")

	// The anomaly of a window travels on a span of its own.
	anomaly.MarkSpan(span, []anomaly.Anomaly{finding(1), finding(2)})
	require.NoError(t, e.push(t.Context(), td))
	assert.EqualValues(t, 2, sum(t, tel, "sentinel_influxdb_points_total", "measurement", "anomaly"))
	assert.EqualValues(t, 0, sum(t, tel, "sentinel_influxdb_points_total", "measurement", "telemetry"))
}

func TestAnomaliesThatCannotBeReadAreCounted(t *testing.T) {
	f := newFake(t)
	e, tel := started(t, f.config(APIV1))
	td := calls(1, func(_ int, span ptrace.Span) {
		anomaly.MarkSpan(span, []anomaly.Anomaly{finding(1), finding(2)})
		span.Events().At(0).Attributes().PutStr(anomaly.AttrID, "not a uuid")
	})
	require.NoError(t, e.push(t.Context(), td))
	assert.EqualValues(t, 1, sum(t, tel, "sentinel_influxdb_points_total", "measurement", "anomaly"))
	assert.EqualValues(t, 1, sum(t, tel, "sentinel_influxdb_points_dropped_total", "reason", "undecodable"))
}

func TestOverflowIsCounted(t *testing.T) {
	f := newFake(t)
	cfg := f.config(APIV1)
	cfg.MaxSeries = minSeries
	e, tel := started(t, cfg)
	require.NoError(t, e.push(t.Context(), calls(100, func(i int, span ptrace.Span) {
		span.Attributes().PutStr("gen_ai.request.model", fmt.Sprintf("model-%d", i))
	})))
	assert.EqualValues(t, 100, sum(t, tel, "sentinel_influxdb_points_total", "", ""))
	assert.EqualValues(t, 96, sum(t, tel, "sentinel_influxdb_series_overflow_total", "", ""))
	assert.LessOrEqual(t, sum(t, tel, "sentinel_influxdb_series", "", ""), int64(minSeries))
}

func TestTheConfigurationIsNotChanged(t *testing.T) {
	f := newFake(t)
	newConfig := func() *Config {
		cfg := f.config(APIV1)
		cfg.ClientConfig.Headers = configopaque.MapList{{Name: "X-Team", Value: "llm"}}
		cfg.ClientConfig.CompressionParams.Level = 0 // which the HTTP client would fill in
		cfg.V1.Username, cfg.V1.Password = "u", "p"
		return cfg
	}
	cfg := newConfig()
	e, _ := started(t, cfg)
	require.NoError(t, e.push(t.Context(), calls(1)))
	assert.Equal(t, newConfig(), cfg)
}

func TestConcurrentPushes(t *testing.T) {
	f := newFake(t)
	cfg := f.config(APIAuto)
	cfg.PayloadMaxLines = 100
	e, _ := started(t, cfg)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() { assert.NoError(t, e.push(t.Context(), calls(500))) })
	}
	wg.Wait()
	assert.Len(t, f.requests("/ping"), 1)
	assert.Equal(t, 500, distinct(t, f.requests("/write")), "four times the same spans")
}

func TestACancelledPushEnds(t *testing.T) {
	f := newFake(t)
	e, _ := started(t, f.config(APIV1))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, e.push(ctx, calls(1)), context.Canceled)
}

func TestShutdownWithoutStart(t *testing.T) {
	e, err := newExporter(createDefaultConfig().(*Config), exportertest.NewNopSettings(metadata.Type))
	require.NoError(t, err)
	require.ErrorIs(t, e.push(t.Context(), calls(1)), errNotStarted)
	require.NoError(t, e.shutdown(t.Context()))
	require.NoError(t, e.shutdown(t.Context()))
}

func TestStartNamesAMissingExtension(t *testing.T) {
	cfg, err := load(t, "two_auths")
	require.Error(t, err)
	e, err := newExporter(cfg, exportertest.NewNopSettings(metadata.Type))
	require.NoError(t, err)
	require.ErrorContains(t, e.start(t.Context(), componenttest.NewNopHost()), "basicauth")
}

// statusHost records what is reported.
type statusHost struct {
	component.Host
	mu     sync.Mutex
	events []*componentstatus.Event
}

func (h *statusHost) Report(e *componentstatus.Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.events = append(h.events, e)
}

func TestStatusFollowsTheServer(t *testing.T) {
	f := newFake(t, answer(503, ""), answer(503, ""))
	e, _ := started(t, f.config(APIV1))
	h := &statusHost{Host: componenttest.NewNopHost()}
	e.host = h
	for range 4 {
		_ = e.push(t.Context(), calls(1))
	}
	require.Len(t, h.events, 2)
	assert.Equal(t, componentstatus.StatusRecoverableError, h.events[0].Status())
	assert.Equal(t, componentstatus.StatusOK, h.events[1].Status())
}

func TestThroughTheHelperNothingIsLostWhenTheServerRecovers(t *testing.T) {
	f := newFake(t, answer(503, ""), reset, answer(429, "", "Retry-After", "0"))
	cfg := f.config(APIV1)
	cfg.RetryConfig.InitialInterval = time.Millisecond
	cfg.RetryConfig.MaxInterval = 5 * time.Millisecond
	factory := NewFactory()
	exp, err := factory.CreateTraces(t.Context(), exportertest.NewNopSettings(metadata.Type), cfg)
	require.NoError(t, err)
	require.NoError(t, exp.Start(t.Context(), componenttest.NewNopHost()))
	require.NoError(t, exp.ConsumeTraces(t.Context(), calls(10)))
	require.Eventually(t, func() bool { return len(f.requests("/write")) == 4 }, 10*time.Second, 5*time.Millisecond)
	require.NoError(t, exp.Shutdown(t.Context()))
	got := f.requests("/write")
	assert.Equal(t, got[0].lines, got[3].lines)
	assert.Equal(t, 10, distinct(t, got[3:]))
}

func TestSpansThatArriveOneByOneShareRequests(t *testing.T) {
	f := newFake(t)
	exp, err := NewFactory().CreateTraces(t.Context(), exportertest.NewNopSettings(metadata.Type), f.config(APIV1))
	require.NoError(t, err)
	require.NoError(t, exp.Start(t.Context(), componenttest.NewNopHost()))
	const n = 200
	all := calls(n)
	for i := range n {
		one := calls(1)
		all.ResourceSpans().At(0).ScopeSpans().At(0).Spans().At(i).CopyTo(one.ResourceSpans().At(0).ScopeSpans().At(0).Spans().At(0))
		require.NoError(t, exp.ConsumeTraces(t.Context(), one))
	}
	require.NoError(t, exp.Shutdown(t.Context()))
	got := f.requests("/write")
	assert.Equal(t, n, distinct(t, got), "the shutdown flushes")
	assert.Less(t, len(got), n/4)
}

func TestReasonOfForeignErrors(t *testing.T) {
	assert.Equal(t, reasonUnreachable, reasonOf(errors.New("x")))
}
