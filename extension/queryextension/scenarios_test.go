package queryextension

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componentstatus"

	"github.com/llm-devops/llm-sentinel/internal/anomaly"
	"github.com/llm-devops/llm-sentinel/internal/genai"
	"github.com/llm-devops/llm-sentinel/internal/store"
)

// scenario brings one route to one status.
type scenario struct {
	method  string
	path    string
	status  int
	options map[string]any
	adjust  func(*server)
	prepare func(*api)
	request func(*http.Request)
}

// theAnomaly and theEvent are what example paths name; fillStore keeps them.
var (
	theEvent   = exampleEvent()
	theAnomaly = exampleAnomaly()
)

func exampleEvent() genai.Event {
	e := makeEvent(1, time.Minute)
	e.Conversation, e.Environment, e.Tenant = "s/1", "prod", "t1"
	return e
}

func exampleAnomaly() anomaly.Anomaly {
	a := makeAnomaly(1, time.Minute)
	a.Context.TraceID, a.Context.EventID = theEvent.TraceID.String(), theEvent.ID.String()
	a.RelatedAlerts = append(a.RelatedAlerts, makeAnomaly(2, time.Minute).ID)
	return a
}

// example is a path whose parameters name what fillStore keeps.
func example(path string) string {
	switch path {
	case pathAnomaly, pathGive:
		return fill(path, theAnomaly.ID.String())
	case pathTrace:
		return fill(path, theEvent.TraceID.String())
	case pathSession:
		return fill(path, theEvent.Conversation)
	case pathBaseline:
		return fill(path, series{"chat-api", "gpt-4", "latency_ms"}.key())
	}
	return path
}

// nothing is a path whose parameters name what is not kept.
func nothing(path string) string {
	switch path {
	case pathAnomaly, pathGive:
		return fill(path, "6f1c1a8e-7f0a-4a58-9f0c-2f6f6f3f1d10")
	case pathTrace:
		return fill(path, strings.Repeat("b", 32))
	case pathSession:
		return fill(path, "nobody")
	default:
		return fill(path, "a:b:c")
	}
}

// fill replaces the parameters of a path by values, in their order.
func fill(path string, values ...string) string {
	for _, v := range values {
		begin, end := strings.IndexByte(path, '{'), strings.IndexByte(path, '}')
		path = path[:begin] + url.PathEscape(v) + path[end+1:]
	}
	return path
}

// fillStore keeps something for every route.
func fillStore(a *api) {
	unpriced := makeEvent(2, 2*time.Minute)
	unpriced.Present, unpriced.Failed, unpriced.Service = genai.FieldTTFT, true, "assistant"
	a.store.addEvents(theEvent, unpriced)
	custom := makeAnomaly(2, time.Minute)
	custom.Type, custom.Method = "my_own", "my_method"
	a.store.with(func(f *fakeReader) {
		f.anomalies = []anomaly.Anomaly{custom, theAnomaly, makeAnomaly(3, time.Hour)}
		for i := range 3 {
			at := testNow.Add(-time.Duration(i) * 20 * time.Minute)
			f.baselines = append(f.baselines, store.Baseline{Time: at, Service: "chat-api", Model: "gpt-4", Metric: "latency_ms", Samples: 64, Expected: 800, Lower: 300, Upper: 2300})
		}
		f.feedback = []store.Feedback{{
			ID: makeAnomaly(9, 0).ID, Time: testNow.Add(-time.Second), AnomalyID: theAnomaly.ID, Verdict: store.VerdictMute, Until: testNow.Add(time.Hour),
			Service: "chat-api", Model: "other", Type: anomaly.TypeCostAnomaly, Method: anomaly.MethodIQR, Metric: "cost_usd", Value: 1, Baseline: 2,
		}}
	})
}

func (sc *scenario) build(t *testing.T) *http.Request {
	t.Helper()
	body := strings.NewReader("")
	if sc.method == http.MethodPost {
		body = strings.NewReader(`{"verdict":"false"}`)
	}
	r := request(t, sc.method, example(sc.path), body)
	if sc.method == http.MethodPost {
		r.Header.Set("Content-Type", typeJSON)
	}
	if sc.request != nil {
		sc.request(r)
	}
	return r
}

func to(path string) func(*http.Request) {
	return func(r *http.Request) {
		u, err := r.URL.Parse(path)
		if err != nil {
			panic(err)
		}
		r.URL = u
	}
}

func metricsAnswer(body string, err error) func(*server) {
	return func(s *server) {
		s.metrics.Transport = roundTripFunc(func(r *http.Request) (*http.Response, error) {
			if err != nil {
				<-r.Context().Done()
				return nil, err
			}
			w := httptest.NewRecorder()
			_, _ = w.WriteString(body)
			return w.Result(), nil
		})
	}
}

func scenarios() []scenario {
	noMetrics := map[string]any{"metrics_endpoint": "http://127.0.0.1:1/metrics"}
	slow := map[string]any{"request_timeout": "5ms"}
	all := []scenario{
		{path: pathIndex, status: 200},
		{path: pathLive, status: 200},
		{path: pathOpenAPI, status: 200},
		{path: pathHealth, status: 200, prepare: func(a *api) {
			a.report(alertID, component.KindExporter, componentstatus.NewRecoverableErrorEvent(errors.New("x")), traces)
		}},
		{path: pathReady, status: 200, prepare: func(a *api) { a.health.setReady(true) }},
		{path: pathReady, status: 503},
		{path: pathMetrics, status: 200, adjust: metricsAnswer("up 1\n", nil)},
		{path: pathMetrics, status: 404, options: map[string]any{"metrics_endpoint": ""}},
		{path: pathMetrics, status: 408, options: slow, adjust: metricsAnswer("", errors.New("slow"))},
		{path: pathMetrics, status: 502, options: noMetrics},
		{path: pathMetrics, status: 503, prepare: (*api).closeNow, request: gone, adjust: metricsAnswer("", errors.New("slow"))},
		{path: pathMetrics, status: 508, request: func(r *http.Request) { r.Header.Set(headerMetricsFetch, "1") }},
		{path: pathStream, status: 200, prepare: (*api).stopStreamsSoon},
		{path: pathStream, status: 400, request: to(pathStream + "?severity=x")},
		{path: pathStream, status: 408, options: slow, adjust: func(s *server) {
			s.reader = func(ctx context.Context) (store.Reader, error) {
				<-ctx.Done()
				return nil, ctx.Err()
			}
		}},
		{path: pathStream, status: 429, options: map[string]any{"max_streams": 1}, prepare: func(a *api) { a.streams <- struct{}{} }},
		{path: pathStream, status: 503, prepare: func(a *api) { a.endStreams() }},
		{method: http.MethodPost, path: pathGive, status: 201, prepare: fillStore},
		{method: http.MethodPost, path: pathGive, status: 415, request: func(r *http.Request) { r.Header.Set("Content-Type", "text/plain") }},
	}
	for _, op := range [][2]string{
		{"", pathTelemetry},
		{"", pathAnomalies},
		{"", pathAnomaly},
		{http.MethodPost, pathGive},
		{"", pathFeedback},
		{"", pathStats},
		{"", pathServices},
		{"", pathModels},
		{"", pathOverview},
		{"", pathBaselines},
		{"", pathBaseline},
		{"", pathTrace},
		{"", pathSession},
		{"", pathExportTelemetry},
		{"", pathExportAnomalies},
	} {
		method, path := op[0], op[1]
		sc := func(status int, options map[string]any, prepare func(*api), request func(*http.Request)) {
			all = append(all, scenario{method: method, path: path, status: status, options: options, prepare: prepare, request: request})
		}
		switch {
		case path == pathTelemetry || path == pathAnomalies:
			sc(200, nil, fillStore, to(path+"?limit=1"))
		case method == "":
			sc(200, nil, fillStore, nil)
		}
		sc(400, nil, fillStore, to(example(path)+"?nonsense=1"))
		sc(408, slow, func(a *api) { fillStore(a); a.store.with(func(f *fakeReader) { f.hang = true }) }, nil)
		// Exports have places of their own.
		sc(429, map[string]any{"max_concurrent_requests": 1, "max_exports": 1}, func(a *api) { a.slots <- struct{}{}; a.exports <- struct{}{} }, nil)
		sc(500, nil, func(a *api) { fillStore(a); a.store.with(func(f *fakeReader) { f.rowErr = errors.New("x") }) }, nil)
		sc(503, nil, func(a *api) { a.storage.fail(errors.New("x")) }, nil)
		if strings.Contains(path, "{") {
			sc(404, nil, fillStore, to(nothing(path)))
		}
	}
	all = append(all, scenario{path: pathMetrics, status: 429, options: map[string]any{"max_concurrent_requests": 1}, prepare: func(a *api) { a.slots <- struct{}{} }})
	all = append(all, forEveryRoute()...)
	for i := range all {
		all[i].method = cmp.Or(all[i].method, http.MethodGet)
	}
	return all
}

// forEveryRoute are the refusals that come from around the routes.
func forEveryRoute() (all []scenario) {
	auth := map[string]any{"http": map[string]any{"auth": map[string]any{"authenticator": "fake_auth"}}}
	for _, rt := range (&server{}).routeTable() {
		all = append(all,
			scenario{method: rt.method, path: rt.path, status: 401, options: auth},
			scenario{method: rt.method, path: rt.path, status: 405, request: func(r *http.Request) { r.Method = http.MethodDelete }},
			scenario{method: rt.method, path: rt.path, status: 413, request: func(r *http.Request) { r.ContentLength = 1 << 40 }},
			scenario{method: rt.method, path: rt.path, status: 500, adjust: func(s *server) {
				for i := range s.routes {
					s.routes[i].handle = func(http.ResponseWriter, *http.Request) { panic("bug") }
				}
			}},
		)
	}
	return all
}

func (a *api) closeNow() { a.close() }

// stopStreamsSoon ends streams when one has begun.
func (a *api) stopStreamsSoon() {
	ext := newFakeExtension(a.store)
	a.extension = ext
	go func() {
		<-ext.subscribed
		a.endStreams()
	}()
}

// gone replaces the context by one that has ended.
func gone(r *http.Request) {
	ctx, cancel := context.WithCancel(r.Context())
	cancel()
	*r = *r.WithContext(ctx)
}

func TestExamplePathsAreThoseOfTheRoutes(t *testing.T) {
	t.Parallel()
	for _, rt := range (&server{}).routeTable() {
		require.NotContains(t, example(rt.path), "{")
	}
}
