package influxdbexporter

import (
	"context"
	"encoding/pem"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/open-telemetry/opentelemetry-collector-contrib/extension/bearertokenauthextension"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/config/configopaque"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/exporter/exportertest"
	"go.opentelemetry.io/collector/extension/extensiontest"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/llm-devops/llm-sentinel/exporter/influxdbexporter/internal/metadata"
	"github.com/llm-devops/llm-sentinel/internal/anomaly"
)

// writePath is where points go in each API.
var writePath = map[API]string{APIV1: "/write", APIV2: "/api/v2/write", APIV3: "/api/v3/write_lp"}

// pusher is a started exporter on a host with extensions.
func pusher(t *testing.T, cfg *Config, host component.Host) *influxExporter {
	t.Helper()
	require.NoError(t, confmap.Validate(cfg))
	e, err := newExporter(cfg, exportertest.NewNopSettings(metadata.Type))
	require.NoError(t, err)
	require.NoError(t, e.start(t.Context(), host))
	t.Cleanup(func() { require.NoError(t, e.shutdown(context.Background())) })
	return e
}

func TestAnExtensionAuthenticatesEveryAPI(t *testing.T) {
	factory := bearertokenauthextension.NewFactory()
	settings := factory.CreateDefaultConfig()
	require.NoError(t, confmap.NewFromStringMap(map[string]any{"token": "from-extension"}).Unmarshal(settings))
	id := component.NewID(factory.Type())
	ext, err := factory.Create(t.Context(), extensiontest.NewNopSettings(factory.Type()), settings)
	require.NoError(t, err)
	require.NoError(t, ext.Start(t.Context(), componenttest.NewNopHost()))
	defer func() { require.NoError(t, ext.Shutdown(context.Background())) }()
	host := &storageHost{Host: componenttest.NewNopHost(), extensions: map[component.ID]component.Component{id: ext}}
	for api, path := range writePath {
		f := newFake(t)
		cfg := f.config(api)
		require.NoError(t, confmap.NewFromStringMap(map[string]any{"auth": map[string]any{"authenticator": id.String()}}).Unmarshal(cfg))
		require.NoError(t, pusher(t, cfg, host).push(t.Context(), calls(1)))
		got := f.requests(path)
		require.Len(t, got, 1, path)
		assert.Equal(t, "Bearer from-extension", got[0].auth)
	}
}

func TestTLSVerifiesTheServer(t *testing.T) {
	for api, path := range writePath {
		f := newFake(t)
		secure := httptest.NewUnstartedServer(http.HandlerFunc(f.serve))
		secure.Config.ErrorLog = log.New(io.Discard, "", 0)
		secure.StartTLS()
		defer secure.Close()
		cfg := f.config(api)
		cfg.ClientConfig.Endpoint = secure.URL
		err := pusher(t, cfg, componenttest.NewNopHost()).push(t.Context(), calls(1))
		require.ErrorContains(t, err, "certificate")
		assert.Equal(t, reasonUnreachable, reasonOf(err))
		assert.Empty(t, f.requests(path), "nothing is sent to a server that nobody vouches for")

		cfg.ClientConfig.TLS.CAPem = configopaque.String(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: secure.Certificate().Raw}))
		require.NoError(t, pusher(t, cfg, componenttest.NewNopHost()).push(t.Context(), calls(1)))
		assert.Len(t, f.requests(path), 1)
	}
}

func TestAProxyCarriesEveryAPI(t *testing.T) {
	for api, path := range writePath {
		f := newFake(t)
		cfg := f.config(api)
		cfg.ClientConfig.Endpoint, cfg.ClientConfig.ProxyURL = "http://influx.invalid:8086", f.URL
		require.NoError(t, pusher(t, cfg, componenttest.NewNopHost()).push(t.Context(), calls(1)))
		assert.Len(t, f.requests(path), 1, path)
	}
}

func TestEveryAPIWaitsAsLongAsTheServerAsks(t *testing.T) {
	for api := range writePath {
		f := newFake(t, answer(429, "", "Retry-After", "7"), answer(503, "", "Retry-After", "8"))
		e := pusher(t, f.config(api), componenttest.NewNopHost())
		for _, want := range []string{"Throttle (7s)", "Throttle (8s)"} {
			err := e.push(t.Context(), calls(1))
			require.ErrorContains(t, err, want)
			assert.False(t, consumererror.IsPermanent(err))
		}
		require.NoError(t, e.push(t.Context(), calls(1)))
	}
}

func TestABadLineCostsOnlyItselfInEveryAPI(t *testing.T) {
	for api, body := range map[API]string{
		APIV1: `{"error":"partial write: field type conflict dropped=2"}`,
		APIV2: `{"code":"unprocessable entity","message":"failure writing points to database: partial write: x dropped=2"}`,
		APIV3: `{"error":"partial write of line protocol occurred","data":[{"line_number":1,"error_message":"a"},{"line_number":2,"error_message":"b"}]}`,
	} {
		f := newFake(t, answer(400, body))
		e, tel := started(t, f.config(api))
		require.NoError(t, e.push(t.Context(), calls(5)), api)
		assert.EqualValues(t, 3, sum(t, tel, "sentinel_influxdb_points_total", "", ""), api)
		assert.EqualValues(t, 2, sum(t, tel, "sentinel_influxdb_points_dropped_total", "reason", "partial_write"), api)
	}
}

func TestAnomaliesMayHaveADatabaseOfTheirOwn(t *testing.T) {
	f := newFake(t, answer(200, `{}`), answer(200, `{}`))
	cfg := f.config(APIV1)
	cfg.V1.AnomalyDatabase, cfg.V1.CreateDatabase = "anomalies", true
	e := pusher(t, cfg, componenttest.NewNopHost())
	require.NoError(t, e.push(t.Context(), calls(1, func(i int, span ptrace.Span) { anomaly.MarkSpan(span, []anomaly.Anomaly{finding(i)}) })))
	made, got := f.requests("/query"), f.requests("/write")
	require.Len(t, made, 2)
	assert.Equal(t, "q=CREATE+DATABASE+%22telemetry%22", made[0].query)
	assert.Equal(t, "q=CREATE+DATABASE+%22anomalies%22", made[1].query)
	require.Len(t, got, 2)
	assert.Equal(t, "db=telemetry&precision=ns", got[0].query)
	assert.Equal(t, "db=anomalies&precision=ns", got[1].query)
}

func TestPromptsAreWrittenOnRequestOnly(t *testing.T) {
	td := calls(1, func(_ int, span ptrace.Span) {
		span.Attributes().PutStr("gen_ai.input.messages", `[{"role":"user","parts":[{"type":"text","content":"a very private question"}]}]`)
	})
	for _, include := range []bool{false, true} {
		f := newFake(t)
		cfg := f.config(APIV1)
		cfg.IncludeText, cfg.MaxTextBytes = include, 14
		e, _ := started(t, cfg)
		require.NoError(t, e.push(t.Context(), td))
		line := f.requests("/write")[0].lines[0]
		assert.NotContains(t, line, "question")
		if include {
			assert.Contains(t, line, `prompt_text="a very private"`)
		} else {
			assert.NotContains(t, line, "private")
		}
	}
}

func TestTextsThatAreCutAreCounted(t *testing.T) {
	f := newFake(t)
	e, tel := started(t, f.config(APIV1))
	require.NoError(t, e.push(t.Context(), calls(3, func(i int, span ptrace.Span) {
		if i == 1 {
			span.Status().SetCode(ptrace.StatusCodeError)
			span.Status().SetMessage(strings.Repeat("x", 5000))
		}
	})))
	assert.EqualValues(t, 1, sum(t, tel, "sentinel_influxdb_points_cut_total", "measurement", "telemetry"))
}
