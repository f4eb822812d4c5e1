package queryextension

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/extension"
	"go.opentelemetry.io/collector/extension/extensiontest"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/llm-devops/llm-sentinel/extension/queryextension/internal/metadata"
	"github.com/llm-devops/llm-sentinel/internal/store"
)

var (
	storageID = component.MustNewID("llm_storage")
	authID    = component.MustNewID("fake_auth")
)

// api is the whole server stack without a socket.
type api struct {
	*server
	t         testing.TB
	store     *fakeReader
	storage   *fakeStorage
	telemetry *componenttest.Telemetry
	logs      *observer.ObservedLogs
	health    *health
	http      http.Handler
	close     context.CancelFunc
}

// newAPI builds the stack. The options are changed as the configuration file
// would; adjust may change the server before its handler is built.
func newAPI(t testing.TB, options map[string]any, adjust ...func(*server)) *api {
	t.Helper()
	cfg := newConfig(t, options)
	telemetry := componenttest.NewTelemetry()
	t.Cleanup(func() { require.NoError(t, telemetry.Shutdown(context.Background())) })
	core, logs := observer.New(zapcore.InfoLevel)
	set := extensiontest.NewNopSettings(metadata.Type)
	set.TelemetrySettings = telemetry.NewTelemetrySettings()
	set.Logger = zap.New(core)
	set.BuildInfo.Version = "1.2.3"

	tb, err := metadata.NewTelemetryBuilder(set.TelemetrySettings)
	require.NoError(t, err)
	a := &api{t: t, store: newFakeReader(), telemetry: telemetry, logs: logs, health: newHealth()}
	a.storage = &fakeStorage{reader: a.store}
	a.server = newServer(cfg, set, tb, a.health, func(ctx context.Context) (store.Reader, error) { return a.storage.StoreReader(ctx) })
	closing, stop := context.WithCancel(context.Background())
	t.Cleanup(stop)
	a.closing, a.close = closing.Done(), stop
	a.extension = a.storage
	a.now = func() time.Time { return testNow }
	for _, f := range adjust {
		f(a.server)
	}
	t.Cleanup(func() {
		a.server.storage.wait(context.Background())
		a.metrics.CloseIdleConnections()
		require.NoError(t, a.closeCache())
	})
	srv, err := a.httpServer(t.Context(), newHost(a.storage), set.TelemetrySettings)
	require.NoError(t, err)
	a.http = srv.Handler
	return a
}

func newHost(storage component.Component) *fakeHost {
	return &fakeHost{extensions: map[component.ID]component.Component{storageID: storage, authID: fakeAuth{}}}
}

func newConfig(t testing.TB, options map[string]any) *Config {
	t.Helper()
	cfg := createDefaultConfig().(*Config)
	cfg.RateLimit.Enabled = false // tests ask more often than people
	require.NoError(t, confmap.NewFromStringMap(options).Unmarshal(cfg))
	require.NoError(t, confmap.Validate(cfg))
	return cfg
}

func (a *api) do(r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	a.http.ServeHTTP(w, r)
	return w
}

func (a *api) get(target string) *httptest.ResponseRecorder {
	a.t.Helper()
	return a.do(httptest.NewRequestWithContext(a.t.Context(), http.MethodGet, target, http.NoBody))
}

type page struct {
	Data     []map[string]any `json:"data"`
	Metadata struct {
		TotalCount *int64 `json:"total_count"`
		Page       *int   `json:"page"`
		PageSize   int    `json:"page_size"`
		NextCursor string `json:"next_cursor"`
	} `json:"metadata"`
}

func (a *api) page(target string) page {
	a.t.Helper()
	w := a.get(target)
	require.Equal(a.t, http.StatusOK, w.Code, w.Body.String())
	var p page
	require.NoError(a.t, json.Unmarshal(w.Body.Bytes(), &p))
	require.NotNil(a.t, p.Data, "data must be a list, also when it is empty")
	return p
}

func (p page) ids(key string) []string {
	ids := make([]string, len(p.Data))
	for i, row := range p.Data {
		ids[i], _ = row[key].(string)
	}
	return ids
}

// fails checks the form of an error response and returns it.
func (a *api) fails(w *httptest.ResponseRecorder, status int, code string) errorBody {
	a.t.Helper()
	return failure(a.t, w.Result(), status, code)
}

func failure(t testing.TB, resp *http.Response, status int, code string) errorBody {
	t.Helper()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, status, resp.StatusCode, string(body))
	require.Equal(t, "application/json", resp.Header.Get("Content-Type"))
	var e errorBody
	require.NoError(t, json.Unmarshal(body, &e), string(body))
	require.Equal(t, code, e.Code, string(body))
	require.NotEmpty(t, e.Message)
	return e
}

// started is an extension that serves on a free port of the loopback.
type started struct {
	*queryExtension
	host  *fakeHost
	store *fakeReader
	url   string
}

func startExtension(t *testing.T, options map[string]any) *started {
	t.Helper()
	return startWith(t, options, func(r *fakeReader) component.Component { return &fakeStorage{reader: r} })
}

// startWith is startExtension with another storage extension.
func startWith(t *testing.T, options map[string]any, storage func(*fakeReader) component.Component) *started {
	t.Helper()
	s := newStarted(t, options)
	s.host.extensions[storageID] = storage(s.store)
	require.NoError(t, s.Start(t.Context(), s.host))
	t.Cleanup(func() { require.NoError(t, s.Shutdown(context.Background())) })
	s.url = "http://" + s.listener.Addr().String()
	return s
}

func newStarted(t *testing.T, options map[string]any) *started {
	t.Helper()
	cfg := newConfig(t, options)
	if _, ok := options["http"]; !ok {
		cfg.HTTP.NetAddr.Endpoint = "127.0.0.1:0"
	}
	s := &started{store: newFakeReader()}
	s.host = newHost(&fakeStorage{reader: s.store})
	ext, err := NewFactory().Create(t.Context(), extensiontest.NewNopSettings(metadata.Type), cfg)
	require.NoError(t, err)
	s.queryExtension = ext.(*queryExtension)
	return s
}

var _ extension.Extension = (*started)(nil)
