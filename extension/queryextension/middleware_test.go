package queryextension

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/metric/metricdata/metricdatatest"

	"github.com/llm-devops/llm-sentinel/extension/queryextension/internal/metadatatest"
)

func request(t testing.TB, method, target string, body io.Reader) *http.Request {
	t.Helper()
	return httptest.NewRequestWithContext(t.Context(), method, target, body)
}

func TestUnknownPaths(t *testing.T) {
	t.Parallel()
	a := newAPI(t, nil)
	for _, target := range []string{
		"/nothing", "/health/", "/health/nothing", "//health", "/./health", "/a/../health", "/api/v1", "/api/v1/telemetry/",
		"/api%2Fv1/telemetry", "/metrics/x", "/index.html",
	} {
		a.fails(a.get(target), http.StatusNotFound, codeNotFound)
	}
	star := request(t, http.MethodOptions, "/", http.NoBody)
	star.URL.Path, star.RequestURI = "*", "*"
	a.fails(a.do(star), http.StatusNotFound, codeNotFound)
}

func TestOtherMethodsAreNotAllowed(t *testing.T) {
	t.Parallel()
	a := newAPI(t, nil)
	for _, rt := range a.routes {
		for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions, http.MethodTrace, "BREW"} {
			if strings.Contains(rt.answers(), method) {
				continue
			}
			w := a.do(request(t, method, example(rt.path), http.NoBody))
			assert.Equal(t, rt.answers(), w.Header().Get("Allow"))
			if method == http.MethodHead {
				assert.Equal(t, http.StatusMethodNotAllowed, w.Code)
				continue
			}
			a.fails(w, http.StatusMethodNotAllowed, codeMethodNotAllowed)
		}
	}
}

func TestHeadIsGetWithoutBody(t *testing.T) {
	t.Parallel()
	a := withEvents(t, 3, nil)
	for _, target := range []string{pathIndex, pathLive, pathTelemetry, pathTelemetry + "?limit=0", pathOpenAPI, "/nothing"} {
		get, head := a.get(target), a.do(request(t, http.MethodHead, target, http.NoBody))
		assert.Equal(t, get.Code, head.Code, target)
		assert.Zero(t, head.Body.Len(), target)
		assert.Equal(t, get.Header().Get("Content-Type"), head.Header().Get("Content-Type"))
		assert.Equal(t, get.Header().Get("Content-Length"), head.Header().Get("Content-Length"))
	}
}

func TestSecurityHeadersAreEverywhere(t *testing.T) {
	t.Parallel()
	a := newAPI(t, nil)
	for _, target := range []string{pathIndex, pathTelemetry, pathTelemetry + "?limit=0", "/nothing"} {
		h := a.get(target).Header()
		assert.Equal(t, "nosniff", h.Get("X-Content-Type-Options"))
		if target != pathTelemetry { // see answers_test.go
			assert.Equal(t, "no-store", h.Get("Cache-Control"))
		}
		assert.Contains(t, h.Get("Content-Security-Policy"), "default-src 'none'")
		assert.Empty(t, h.Get("Access-Control-Allow-Origin"), "CORS is off by default")
	}
}

func TestRequestIDs(t *testing.T) {
	t.Parallel()
	a := newAPI(t, nil)
	id := func(given string) string {
		r := request(t, http.MethodGet, pathLive, http.NoBody)
		if given != "" {
			r.Header.Set(headerRequestID, given)
		}
		return a.do(r).Header().Get(headerRequestID)
	}
	assert.Equal(t, "abc-1.2_X", id("abc-1.2_X"))
	assert.Len(t, id(""), 36)
	first, second := id(""), id("")
	assert.NotEqual(t, first, second)
	for _, bad := range []string{"a b", "a\nb", "ä", strings.Repeat("x", maxRequestID+1), `"><script>`} {
		assert.Len(t, id(bad), 36, bad)
	}
}

func TestCompression(t *testing.T) {
	t.Parallel()
	a := withEvents(t, 50, nil)
	plain := a.get(pathTelemetry)
	require.Greater(t, plain.Body.Len(), minGzipBytes)
	for accept, zipped := range map[string]bool{
		"": false, "gzip": true, "GZIP": true, "deflate, gzip;q=0.5": true, "*": true, "br": false, "identity": false,
		"gzip;q=0": false, "gzip; q=0.0, *": false, "*;q=0": false, "gzip;q=x": false,
	} {
		r := request(t, http.MethodGet, pathTelemetry, http.NoBody)
		r.Header.Set("Accept-Encoding", accept)
		w := a.do(r)
		assert.Contains(t, w.Header().Values("Vary"), "Accept-Encoding")
		if !zipped {
			assert.Empty(t, w.Header().Get("Content-Encoding"), accept)
			assert.Equal(t, plain.Body.String(), w.Body.String())
			continue
		}
		require.Equal(t, "gzip", w.Header().Get("Content-Encoding"), accept)
		assert.Less(t, w.Body.Len(), plain.Body.Len()/2)
		zr, err := gzip.NewReader(w.Body)
		require.NoError(t, err)
		body, err := io.ReadAll(zr)
		require.NoError(t, err)
		assert.Equal(t, plain.Body.String(), string(body))
	}
	r := request(t, http.MethodGet, pathLive, http.NoBody)
	r.Header.Set("Accept-Encoding", "gzip")
	assert.Empty(t, a.do(r).Header().Get("Content-Encoding"), "small responses stay as they are")
}

func TestBodies(t *testing.T) {
	t.Parallel()
	a := newAPI(t, map[string]any{"http": map[string]any{"max_request_body_size": 1000}})
	assert.Equal(t, http.StatusOK, a.do(request(t, http.MethodGet, pathTelemetry, strings.NewReader("{}"))).Code)
	a.fails(a.do(request(t, http.MethodGet, pathTelemetry, bytes.NewReader(make([]byte, 1001)))), http.StatusRequestEntityTooLarge, codePayloadTooLarge)

	chunked := func(n int) *http.Request {
		r := request(t, http.MethodGet, pathTelemetry, io.MultiReader(bytes.NewReader(make([]byte, n))))
		r.ContentLength = -1
		return r
	}
	assert.Equal(t, http.StatusOK, a.do(chunked(1000)).Code)
	a.fails(a.do(chunked(1001)), http.StatusRequestEntityTooLarge, codePayloadTooLarge)

	var bomb bytes.Buffer
	zw := gzip.NewWriter(&bomb)
	_, err := zw.Write(make([]byte, 100_000))
	require.NoError(t, err)
	require.NoError(t, zw.Close())
	require.Less(t, bomb.Len(), 1000)
	r := request(t, http.MethodGet, pathTelemetry, &bomb)
	r.Header.Set("Content-Encoding", "gzip")
	a.fails(a.do(r), http.StatusRequestEntityTooLarge, codePayloadTooLarge)

	for _, encoding := range []string{"gzip", "rot13"} {
		r = request(t, http.MethodGet, pathTelemetry, strings.NewReader("this is no gzip"))
		r.Header.Set("Content-Encoding", encoding)
		a.fails(a.do(r), http.StatusBadRequest, codeBadRequest)
	}
	r = request(t, http.MethodGet, pathTelemetry, io.MultiReader(timeoutReader{}))
	r.ContentLength = -1
	a.fails(a.do(r), http.StatusRequestTimeout, codeTimeout)
}

type timeoutReader struct{}

func (timeoutReader) Read([]byte) (int, error) { return 0, timeoutError{} }

type timeoutError struct{}

func (timeoutError) Error() string   { return "i/o timeout" }
func (timeoutError) Timeout() bool   { return true }
func (timeoutError) Temporary() bool { return true }

func TestTooManyRequestsAtOnce(t *testing.T) {
	t.Parallel()
	entered, release := make(chan struct{}), make(chan struct{})
	a := newAPI(t, map[string]any{"max_concurrent_requests": 2}, func(s *server) {
		for i := range s.routes {
			if s.routes[i].path == pathAnomalies {
				s.routes[i].handle = func(w http.ResponseWriter, r *http.Request) {
					entered <- struct{}{}
					<-release
					send(w, r, http.StatusOK, typeText, nil)
				}
			}
		}
	})
	done := make(chan int, 2)
	for _, limit := range []string{"1", "2"} { // equal questions would share one answer
		go func() { done <- a.get(pathAnomalies + "?limit=" + limit).Code }()
		<-entered
	}
	w := a.get(pathTelemetry)
	e := a.fails(w, http.StatusTooManyRequests, codeTooManyRequests)
	assert.Equal(t, "1", w.Header().Get("Retry-After"))
	assert.EqualValues(t, 2, e.Details["max_concurrent_requests"])
	assert.Equal(t, http.StatusOK, a.get(pathLive).Code, "probes are not limited")
	assert.Equal(t, http.StatusOK, a.get(pathHealth).Code, "probes are not limited")
	close(release)
	assert.Equal(t, []int{http.StatusOK, http.StatusOK}, []int{<-done, <-done})
	assert.Equal(t, http.StatusOK, a.get(pathTelemetry).Code)
}

func TestPanicIsAnInternalError(t *testing.T) {
	t.Parallel()
	a := newAPI(t, nil)
	a.store.with(func(f *fakeReader) { f.panics = true })
	w := a.get(pathTelemetry)
	a.fails(w, http.StatusInternalServerError, codeInternal)
	assert.NotContains(t, w.Body.String(), "bug")
	require.Equal(t, 1, a.logs.FilterMessage("request handler panicked").Len())
	metadatatest.AssertEqualAPIPanicsTotal(t, a.telemetry, []metricdata.DataPoint[int64]{{Value: 1}}, metricdatatest.IgnoreTimestamp(), metricdatatest.IgnoreExemplars())

	a.store.with(func(f *fakeReader) { f.panics = false })
	assert.Equal(t, http.StatusOK, a.get(pathTelemetry).Code, "the slot was given back")
	assert.Empty(t, a.slots)
}

func TestPanicInTheMiddleOfAResponseBreaksIt(t *testing.T) {
	t.Parallel()
	a := newAPI(t, nil, func(s *server) {
		s.routes[0].handle = func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte("half"))
			panic("bug")
		}
		s.routes[1].handle = func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }
	})
	assert.PanicsWithValue(t, http.ErrAbortHandler, func() { a.get(a.routes[0].path) })
	assert.PanicsWithValue(t, http.ErrAbortHandler, func() { a.get(a.routes[1].path) })
	metadatatest.AssertEqualAPIPanicsTotal(t, a.telemetry, []metricdata.DataPoint[int64]{{Value: 1}}, metricdatatest.IgnoreTimestamp(), metricdatatest.IgnoreExemplars())
}

func TestOwnTelemetry(t *testing.T) {
	t.Parallel()
	a := withEvents(t, 1, map[string]any{"request_timeout": "10ms"})
	a.get(pathTelemetry)
	a.get(pathTelemetry + "?limit=0")
	a.get("/nothing")
	a.store.with(func(f *fakeReader) { f.hang = true })
	a.get(pathAnomalies)
	point := func(v int64, kv ...attribute.KeyValue) metricdata.DataPoint[int64] {
		return metricdata.DataPoint[int64]{Value: v, Attributes: attribute.NewSet(kv...)}
	}
	labels := func(route, class string) []attribute.KeyValue {
		return []attribute.KeyValue{attribute.String("route", route), attribute.String("status_class", class)}
	}
	metadatatest.AssertEqualAPIRequestsTotal(t, a.telemetry, []metricdata.DataPoint[int64]{
		point(1, labels(pathTelemetry, "2xx")...), point(1, labels(pathTelemetry, "4xx")...),
		point(1, labels(pathAnomalies, "4xx")...), point(1, labels(routeUnmatched, "4xx")...),
	}, metricdatatest.IgnoreTimestamp(), metricdatatest.IgnoreExemplars())
	metadatatest.AssertEqualAPIRequestsInFlight(t, a.telemetry, []metricdata.DataPoint[int64]{point(0)}, metricdatatest.IgnoreTimestamp(), metricdatatest.IgnoreExemplars())
	metadatatest.AssertEqualAPIRejectedTotal(t, a.telemetry, []metricdata.DataPoint[int64]{
		point(1, attribute.String("reason", rejectedTimeout)),
	}, metricdatatest.IgnoreTimestamp(), metricdatatest.IgnoreExemplars())
	got, err := a.telemetry.GetMetric("sentinel_api_request_duration_seconds")
	require.NoError(t, err)
	var n uint64
	for _, p := range got.Data.(metricdata.Histogram[float64]).DataPoints {
		n += p.Count
	}
	assert.EqualValues(t, 4, n)
	metadatatest.AssertEqualAPIRequestDurationSeconds(t, a.telemetry, got.Data.(metricdata.Histogram[float64]).DataPoints,
		metricdatatest.IgnoreTimestamp(), metricdatatest.IgnoreExemplars(), metricdatatest.IgnoreValue())
}

func TestIndexTellsTheRoutesAndWhereDataGoes(t *testing.T) {
	t.Parallel()
	a := newAPI(t, nil)
	w := a.get(pathIndex)
	assert.Equal(t, typeText, w.Header().Get("Content-Type"))
	for _, rt := range a.routes {
		method, _, _ := strings.Cut(rt.answers(), ",")
		assert.Regexp(t, "(?m)^  "+method+" +"+regexp.QuoteMeta(rt.path)+" +"+regexp.QuoteMeta(rt.summary)+"$", w.Body.String())
	}
	assert.Contains(t, w.Body.String(), "OTEL_EXPORTER_OTLP_ENDPOINT")
	assert.Less(t, len(a.index()), minResponseBytes)
}

// The deadline of the connection must leave time to send a 408.
func TestDefaultsLeaveTimeToAnswer(t *testing.T) {
	t.Parallel()
	cfg := createDefaultConfig().(*Config)
	assert.Greater(t, cfg.HTTP.WriteTimeout, cfg.RequestTimeout+20*time.Second)
}
