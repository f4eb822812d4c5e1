package queryextension

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func metricsAPI(t *testing.T, handle http.HandlerFunc) *api {
	t.Helper()
	upstream := httptest.NewServer(handle)
	t.Cleanup(upstream.Close)
	return newAPI(t, map[string]any{"metrics_endpoint": upstream.URL + "/metrics", "max_response_bytes": minResponseBytes})
}

func TestMetricsArePassedOn(t *testing.T) {
	t.Parallel()
	a := metricsAPI(t, func(w http.ResponseWriter, r *http.Request) {
		assert.Equal(t, "/metrics", r.URL.Path)
		assert.Empty(t, r.Header.Get("Authorization"), "credentials for this server are not for that one")
		if strings.Contains(r.Header.Get("Accept"), "openmetrics") {
			w.Header().Set("Content-Type", "application/openmetrics-text; version=1.0.0")
		} else {
			w.Header().Set("Content-Type", "text/plain; version=0.0.4")
		}
		_, _ = w.Write([]byte("otelcol_process_uptime 1\n"))
	})
	w := a.get(pathMetrics)
	require.Equal(t, http.StatusOK, w.Code)
	assert.Equal(t, "otelcol_process_uptime 1\n", w.Body.String())
	assert.Equal(t, "text/plain; version=0.0.4", w.Header().Get("Content-Type"))

	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, pathMetrics, http.NoBody)
	r.Header.Set("Accept", "application/openmetrics-text")
	r.Header.Set("Authorization", "Bearer secret")
	assert.Equal(t, "application/openmetrics-text; version=1.0.0", a.do(r).Header().Get("Content-Type"))
}

func TestMetricsThatCannotBeFetched(t *testing.T) {
	t.Parallel()
	for name, handle := range map[string]http.HandlerFunc{
		"error":     func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) },
		"redirect":  func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/elsewhere", http.StatusFound) },
		"too large": func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, minResponseBytes+1)) },
		"cut off": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			_, _ = w.Write([]byte("half"))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := metricsAPI(t, handle)
			w := a.get(pathMetrics)
			e := a.fails(w, http.StatusBadGateway, codeMetricsFailed)
			assert.Contains(t, e.Message, "service::telemetry::metrics")
			assert.NotContains(t, w.Body.String(), "127.0.0.1")
		})
	}
}

func TestMetricsEndpointThatIsDown(t *testing.T) {
	t.Parallel()
	upstream := httptest.NewServer(http.NotFoundHandler())
	url := upstream.URL
	upstream.Close()
	a := newAPI(t, map[string]any{"metrics_endpoint": url})
	a.fails(a.get(pathMetrics), http.StatusBadGateway, codeMetricsFailed)
}

func TestMetricsTurnedOff(t *testing.T) {
	t.Parallel()
	a := newAPI(t, map[string]any{"metrics_endpoint": ""})
	assert.Contains(t, a.fails(a.get(pathMetrics), http.StatusNotFound, codeNotFound).Message, "metrics_endpoint")
}

func TestMetricsEndpointThatLeadsBack(t *testing.T) {
	t.Parallel()
	turns := 0
	var self http.Handler
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		turns++
		self.ServeHTTP(w, r)
	}))
	t.Cleanup(upstream.Close)
	a := newAPI(t, map[string]any{"metrics_endpoint": upstream.URL + pathMetrics})
	self = a.http
	a.fails(a.get(pathMetrics), http.StatusBadGateway, codeMetricsFailed)
	assert.Equal(t, 1, turns)
	require.Len(t, a.logs.All(), 1)
	assert.Contains(t, a.logs.All()[0].ContextMap()["error"], "508")
}

func TestMetricsThatTakeTooLong(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	upstream := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-release:
		case <-r.Context().Done():
		}
	}))
	t.Cleanup(upstream.Close)
	t.Cleanup(func() { close(release) })
	a := newAPI(t, map[string]any{"metrics_endpoint": upstream.URL, "request_timeout": "50ms"})
	a.fails(a.get(pathMetrics), http.StatusRequestTimeout, codeTimeout)

	a = newAPI(t, map[string]any{"metrics_endpoint": upstream.URL}, func(s *server) {
		s.metrics.Transport = roundTripFunc(func(*http.Request) (*http.Response, error) { return nil, errors.New("no route") })
	})
	a.fails(a.get(pathMetrics), http.StatusBadGateway, codeMetricsFailed)
}

type roundTripFunc func(*http.Request) (*http.Response, error)

func (f roundTripFunc) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
