package influxdbexporter

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/config/configopaque"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/exporter/exportertest"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/llm-devops/llm-sentinel/exporter/influxdbexporter/internal/metadata"
	"github.com/llm-devops/llm-sentinel/internal/anomaly"
)

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
		{name: "3.x", ping: version("3.2.0"), want: "/api/v3/write_lp"},
		{name: "3.x, in the body", ping: answer(200, `{"version":"3.1.0","revision":"abc"}`), want: "/api/v3/write_lp"},
		{name: "silent, nothing set", ping: answer(404, "no"), want: "/write"},
		{name: "silent, token of 3.x set", ping: answer(401, "no"), edit: func(c *Config) { c.V3.Token = "t" }, want: "/api/v3/write_lp"},
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

func TestStartNamesAMissingExtension(t *testing.T) {
	cfg, err := load(t, "two_auths")
	require.Error(t, err)
	e, err := newExporter(cfg, exportertest.NewNopSettings(metadata.Type))
	require.NoError(t, err)
	require.ErrorContains(t, e.start(t.Context(), componenttest.NewNopHost()), "basicauth")
}

func TestReasonOfForeignErrors(t *testing.T) {
	assert.Equal(t, reasonUnreachable, reasonOf(errors.New("x")))
}
