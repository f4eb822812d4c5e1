package storageextension

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/config/configauth"
	"go.opentelemetry.io/collector/config/configoptional"
	"go.opentelemetry.io/collector/confmap"

	"github.com/llm-devops/llm-sentinel/internal/anomaly"
	"github.com/llm-devops/llm-sentinel/internal/genai"
	"github.com/llm-devops/llm-sentinel/internal/influx/influx3test"
	"github.com/llm-devops/llm-sentinel/internal/store"
	"github.com/llm-devops/llm-sentinel/internal/store/influx"
)

func influxAt(endpoint string, change ...func(*InfluxDBConfig)) *Config {
	c := defaultInfluxDB()
	c.ClientConfig.Endpoint = endpoint
	for _, f := range change {
		f(&c)
	}
	cfg := createDefaultConfig().(*Config)
	cfg.InfluxDB = configoptional.Some(c)
	return cfg
}

func influxReader(t *testing.T, cfg *Config) store.Reader {
	t.Helper()
	e := create1(t, cfg, componenttest.NewNopTelemetrySettings())
	require.NoError(t, e.Start(t.Context(), componenttest.NewNopHost()))
	t.Cleanup(func() { require.NoError(t, e.Shutdown(t.Context())) })
	r, err := e.StoreReader(t.Context())
	require.NoError(t, err)
	return r
}

func TestInfluxDBAnswersWhatItsServerHolds(t *testing.T) {
	s := influx3test.New(t, influx3test.Options{Token: "apiv3_secret"})
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+"/api/v3/write_lp?db=telemetry&precision=nanosecond", nil)
	require.NoError(t, err)
	req.Header.Set("Authorization", "Bearer apiv3_secret")
	req.Body = io.NopCloser(strings.NewReader(`telemetry,model=m,service=chat event_id="11111111-2222-3333-4444-555555555555",has_errors=0i 1700000000000000000`))
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, http.StatusNoContent, resp.StatusCode)
	http.DefaultClient.CloseIdleConnections()

	r := influxReader(t, influxAt(s.URL, func(c *InfluxDBConfig) { c.V3.Token = "apiv3_secret" }))
	require.NoError(t, r.Ping(t.Context()))
	got, err := all(r.Events(t.Context(), store.EventQuery{Query: store.Query{Limit: 10}}))
	require.NoError(t, err)
	require.Len(t, got, 1)
	require.Equal(t, "chat", got[0].Service)
	require.Equal(t, time.Unix(1_700_000_000, 0).UTC(), got[0].Time())
	found, err := all(r.Anomalies(t.Context(), store.AnomalyQuery{Query: store.Query{Limit: 10}}))
	require.NoError(t, err)
	require.Empty(t, found, "the database of anomalies is not there yet")

	denied := influxReader(t, influxAt(s.URL, func(c *InfluxDBConfig) { c.V3.Token = "apiv3_wrong" }))
	err = denied.Ping(t.Context())
	require.ErrorContains(t, err, "unauthorized")
	require.NotContains(t, err.Error(), "apiv3_wrong")
}

func TestADeadInfluxDBDoesNotStopTheCollector(t *testing.T) {
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	e := create1(t, influxAt(gone.URL), componenttest.NewNopTelemetrySettings())
	require.NoError(t, e.Start(t.Context(), componenttest.NewNopHost()))
	r, err := e.StoreReader(t.Context())
	require.NoError(t, err)
	require.ErrorContains(t, r.Ping(t.Context()), "unavailable")
	_, err = all(r.Events(t.Context(), store.EventQuery{Query: store.Query{Limit: 1}}))
	require.ErrorContains(t, err, "unavailable")
	require.NoError(t, e.Shutdown(t.Context()))
	require.ErrorIs(t, r.Ping(t.Context()), store.ErrClosed)
}

func TestInfluxDBIsNotWrittenThroughTheExtension(t *testing.T) {
	e := create1(t, influxAt("http://localhost:1"), componenttest.NewNopTelemetrySettings())
	require.NoError(t, e.Start(t.Context(), componenttest.NewNopHost()))
	w, err := e.StoreWriter(t.Context())
	require.NoError(t, err)
	err = w.WriteEvents(t.Context(), []genai.Event{event()})
	require.ErrorIs(t, err, store.ErrUnsupported)
	require.ErrorContains(t, err, "influxdb exporter")
	require.ErrorIs(t, w.WriteAnomalies(t.Context(), []anomaly.Anomaly{{}}), store.ErrUnsupported)
	require.NoError(t, e.Shutdown(t.Context()))
}

func TestInfluxDBStartsBehindTheExtensionThatAuthenticates(t *testing.T) {
	id := component.MustNewID("bearertokenauth")
	e := create1(t, influxAt("http://localhost:1", func(c *InfluxDBConfig) {
		c.ClientConfig.Auth = configoptional.Some(configauth.Config{AuthenticatorID: id})
	}), componenttest.NewNopTelemetrySettings())
	require.Equal(t, []component.ID{id}, e.Dependencies())
	require.ErrorContains(t, e.Start(t.Context(), componenttest.NewNopHost()), "bearertokenauth")
	require.Empty(t, create1(t, configIn(t.TempDir()), componenttest.NewNopTelemetrySettings()).Dependencies())
}

func TestInfluxDBConfig(t *testing.T) {
	for name, c := range map[string]struct {
		in   map[string]any
		want func(*InfluxDBConfig)
		err  string
	}{
		"defaults": {in: map[string]any{}, want: func(*InfluxDBConfig) {}},
		"all": {
			in: map[string]any{
				"endpoint": "https://influx:8181/prefix", "timeout": "5s", "api": "V3",
				"v1":           map[string]any{"database": "a", "retention_policy": "b", "username": "c", "password": "d"},
				"v2":           map[string]any{"bucket": "e", "anomaly_bucket": "f/g", "token": "h"},
				"v3":           map[string]any{"database": "i", "anomaly_database": "j", "token": "k"},
				"measurements": map[string]any{"telemetry": "l", "anomaly": "m"}, "max_scan_range": "0s",
				"max_response_bytes": "8MiB", "max_aggregate_events": 5,
			},
			want: func(c *InfluxDBConfig) {
				c.ClientConfig.Endpoint, c.ClientConfig.Timeout, c.API = "https://influx:8181/prefix", 5*time.Second, influx.APIV3
				c.V1 = InfluxDBV1Config{Database: "a", RetentionPolicy: "b", Username: "c", Password: "d"}
				c.V2 = InfluxDBV2Config{Bucket: "e", AnomalyBucket: "f/g", Token: "h"}
				c.V3 = InfluxDBV3Config{Database: "i", AnomalyDatabase: "j", Token: "k"}
				c.Measurements = InfluxDBMeasurements{Telemetry: "l", Anomaly: "m"}
				c.MaxScanRange, c.MaxResponseBytes, c.MaxAggregateEvents = 0, 8<<20, 5
			},
		},
		"endpoint with password": {in: map[string]any{"endpoint": "http://me:secret@influx"}, err: "endpoint must not hold credentials"},
		"endpoint of no scheme":  {in: map[string]any{"endpoint": "influx:8086"}, err: "endpoint must begin with http:// or https://"},
		"unknown api":            {in: map[string]any{"api": "v4"}, err: `api must be auto, v1, v2 or v3, got "v4"`},
		"no database":            {in: map[string]any{"v1": map[string]any{"database": ""}}, err: "v1::database must not be empty"},
		"policy of no database":  {in: map[string]any{"v2": map[string]any{"bucket": "/week"}}, err: "v2::bucket must not be empty"},
		"password of nobody":     {in: map[string]any{"v1": map[string]any{"password": "x"}}, err: "v1::username must be set"},
		"one measurement":        {in: map[string]any{"measurements": map[string]any{"anomaly": "telemetry"}}, err: `must differ, got "telemetry" twice`},
		"odd measurement":        {in: map[string]any{"measurements": map[string]any{"anomaly": "a\nb"}}, err: "measurements::anomaly must be a name"},
		"no timeout":             {in: map[string]any{"timeout": "0s"}, err: "timeout must be positive, got 0s"},
		"compression":            {in: map[string]any{"compression": "gzip"}, err: "compression must be none"},
		"negative scan":          {in: map[string]any{"max_scan_range": "-1h"}, err: "max_scan_range must be 0 (no bound) or positive, got -1h0m0s"},
		"small response":         {in: map[string]any{"max_response_bytes": "1KiB"}, err: "max_response_bytes must be between 1048576 and 1073741824, got 1024"},
		"no aggregate":           {in: map[string]any{"max_aggregate_events": 0}, err: "max_aggregate_events must be between 1 and 100000000, got 0"},
		"two authentications": {
			in:  map[string]any{"auth": map[string]any{"authenticator": "basicauth"}, "v3": map[string]any{"token": "x"}},
			err: "auth must not be set together with v1.username, v2.token or v3.token",
		},
		"unknown key": {in: map[string]any{"bukket": "x"}, err: "bukket"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := createDefaultConfig()
			err := confmap.NewFromStringMap(map[string]any{"influxdb": c.in}).Unmarshal(cfg)
			if err == nil {
				err = confmap.Validate(cfg)
			}
			if c.err != "" {
				require.ErrorContains(t, err, c.err)
				require.NotContains(t, err.Error(), "secret")
				return
			}
			require.NoError(t, err)
			want := defaultInfluxDB()
			c.want(&want)
			require.Equal(t, want, *cfg.(*Config).InfluxDB.Get())
		})
	}
	both := influxAt("http://localhost:8086")
	both.Embedded = configoptional.Some(defaultEmbedded())
	err := confmap.Validate(both)
	require.ErrorContains(t, err, "only one backend must be configured, got embedded and influxdb")
}
