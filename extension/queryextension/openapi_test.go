package queryextension

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"mime"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componentstatus"

	"github.com/llm-devops/llm-sentinel/internal/anomaly"
)

// scenario brings one route to one status.
type scenario struct {
	path    string
	status  int
	options map[string]any
	adjust  func(*server)
	prepare func(*api)
	request func(*http.Request)
}

func scenarios() []scenario {
	auth := map[string]any{"http": map[string]any{"auth": map[string]any{"authenticator": "fake_auth"}}}
	noMetrics := map[string]any{"metrics_endpoint": "http://127.0.0.1:1/metrics"}
	query := func(q string) func(*http.Request) { return func(r *http.Request) { r.URL.RawQuery = q } }
	answer := func(body string, err error) func(*server) {
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
	all := []scenario{
		{path: pathIndex, status: 200},
		{path: pathLive, status: 200},
		{path: pathOpenAPI, status: 200},
		{path: pathHealth, status: 200, prepare: func(a *api) {
			a.report(alertID, component.KindExporter, componentstatus.NewRecoverableErrorEvent(errors.New("x")), traces)
		}},
		{path: pathReady, status: 200, prepare: func(a *api) { a.health.setReady(true) }},
		{path: pathReady, status: 503},
		{path: pathMetrics, status: 200, adjust: answer("up 1\n", nil)},
		{path: pathMetrics, status: 404, options: map[string]any{"metrics_endpoint": ""}},
		{path: pathMetrics, status: 408, options: map[string]any{"request_timeout": "5ms"}, adjust: answer("", errors.New("slow"))},
		{path: pathMetrics, status: 502, options: noMetrics},
		{path: pathMetrics, status: 503, prepare: (*api).closeNow, request: gone, adjust: answer("", errors.New("slow"))},
		{path: pathMetrics, status: 508, request: func(r *http.Request) { r.Header.Set(headerMetricsFetch, "1") }},
	}
	for _, path := range []string{pathTelemetry, pathAnomalies} {
		all = append(all,
			scenario{path: path, status: 200, request: query("limit=1"), prepare: func(a *api) {
				a.store.addEvents(makeEvent(1, 0), makeEvent(2, time.Minute))
				custom := makeAnomaly(2, time.Minute)
				custom.Type, custom.Method = "my_own", "my_method"
				a.store.with(func(f *fakeReader) { f.anomalies = []anomaly.Anomaly{custom, makeAnomaly(1, time.Hour)} })
			}},
			scenario{path: path, status: 400, request: query("limit=0")},
			scenario{path: path, status: 408, options: map[string]any{"request_timeout": "5ms"}, prepare: func(a *api) { a.store.with(func(f *fakeReader) { f.hang = true }) }},
			scenario{path: path, status: 500, prepare: func(a *api) { a.store.with(func(f *fakeReader) { f.rowErr = errors.New("x") }) }},
			scenario{path: path, status: 503, prepare: func(a *api) { a.storage.fail(errors.New("x")) }},
		)
	}
	for _, path := range []string{pathMetrics, pathTelemetry, pathAnomalies} {
		all = append(all, scenario{path: path, status: 429, options: map[string]any{"max_concurrent_requests": 1}, prepare: func(a *api) { a.slots <- struct{}{} }})
	}
	for _, path := range []string{pathIndex, pathHealth, pathLive, pathReady, pathMetrics, pathTelemetry, pathAnomalies, pathOpenAPI} {
		all = append(all,
			scenario{path: path, status: 401, options: auth},
			scenario{path: path, status: 405, request: func(r *http.Request) { r.Method = http.MethodPost }},
			scenario{path: path, status: 413, request: func(r *http.Request) { r.ContentLength = 1 << 40 }},
			scenario{path: path, status: 500, adjust: func(s *server) {
				for i := range s.routes {
					s.routes[i].handle = func(http.ResponseWriter, *http.Request) { panic("bug") }
				}
			}},
		)
	}
	return all
}

func (a *api) closeNow() { a.close() }

// gone replaces the context by one that has ended.
func gone(r *http.Request) {
	ctx, cancel := context.WithCancel(r.Context())
	cancel()
	*r = *r.WithContext(ctx)
}

func TestDescriptionAndRoutesAgree(t *testing.T) {
	t.Parallel()
	s := loadSpec(t)
	described := slices.Sorted(maps.Keys(s.paths()))
	var served []string
	for _, rt := range newAPI(t, nil).routes {
		served = append(served, rt.path)
	}
	slices.Sort(served)
	assert.Equal(t, described, served)
	for _, path := range described {
		assert.Equal(t, []string{"get"}, slices.Sorted(maps.Keys(s.resolve(s.paths()[path]))))
	}
}

// Each described status can be reached, each reached one is described, and the
// responses have the form that the description says.
func TestEveryDescribedResponse(t *testing.T) {
	t.Parallel()
	s := loadSpec(t)
	reached := map[string]bool{}
	for _, sc := range scenarios() {
		a := newAPI(t, sc.options, func(srv *server) {
			if sc.adjust != nil {
				sc.adjust(srv)
			}
		})
		if sc.prepare != nil {
			sc.prepare(a)
		}
		r := request(t, http.MethodGet, sc.path, http.NoBody)
		if sc.request != nil {
			sc.request(r)
		}
		w := a.do(r)
		where := fmt.Sprintf("%s %d", sc.path, sc.status)
		require.Equal(t, sc.status, w.Code, "%s: %s", where, w.Body.String())
		reached[where] = true

		described, ok := s.operation(sc.path)["responses"].(map[string]any)[strconv.Itoa(sc.status)]
		require.True(t, ok, "%s is not described", where)
		response := s.resolve(described)
		for name := range response["headers"].(map[string]any) {
			assert.NotEmpty(t, w.Header().Get(name), "%s: header %s", where, name)
		}
		media, _, err := mime.ParseMediaType(w.Header().Get("Content-Type"))
		require.NoError(t, err)
		content, ok := response["content"].(map[string]any)[media]
		require.True(t, ok, "%s: %s is not described", where, media)
		if media == typeJSON {
			var body any
			require.NoError(t, json.Unmarshal(w.Body.Bytes(), &body))
			require.NoError(t, s.check(where, s.resolve(s.resolve(content)["schema"]), body))
		}
	}
	for path := range s.paths() {
		for status := range s.operation(path)["responses"].(map[string]any) {
			assert.True(t, reached[path+" "+status], "no scenario reaches %s %s", path, status)
		}
	}
}

func TestDescribedParameters(t *testing.T) {
	t.Parallel()
	s := loadSpec(t)
	a := newAPI(t, nil)
	for path := range s.paths() {
		want := map[string][]string{pathTelemetry: telemetryParams, pathAnomalies: anomalyParams}[path]
		params := s.parameters(path)
		assert.Len(t, params, len(want), path)
		for _, name := range want {
			schema, ok := params[name]
			if !assert.True(t, ok, "%s: %s is not described", path, name) {
				continue
			}
			good, bad := samples(name, schema)
			for _, v := range good {
				r := request(t, http.MethodGet, path, http.NoBody)
				r.URL.RawQuery = name + "=" + v
				w := a.do(r)
				assert.Equal(t, http.StatusOK, w.Code, "%s?%s: %s", path, r.URL.RawQuery, w.Body.String())
			}
			for _, v := range bad {
				r := request(t, http.MethodGet, path, http.NoBody)
				r.URL.RawQuery = name + "=" + v
				assert.Equal(t, http.StatusBadRequest, a.do(r).Code, "%s?%s", path, r.URL.RawQuery)
			}
		}
	}
	for name, want := range map[string]int{"limit": defaultLimit, "hours": defaultHours, "offset": 0} {
		assert.Equal(t, want, s.parameters(pathTelemetry)[name]["default"], name)
	}
	assert.Equal(t, defaultLimit, a.page(pathTelemetry).Metadata.PageSize)
}

// samples derives values at and beyond the described limits.
func samples(name string, schema map[string]any) (good, bad []string) {
	switch schema["type"] {
	case "integer":
		low, high := schema["minimum"].(int), schema["maximum"].(int)
		return []string{strconv.Itoa(low), strconv.Itoa(high)}, []string{strconv.Itoa(low - 1), strconv.Itoa(high + 1), "1.5", "x", ""}
	case "number":
		low, high := schema["minimum"].(int), schema["maximum"].(int)
		return []string{strconv.Itoa(low), strconv.Itoa(high), "0.25"}, []string{strconv.Itoa(low - 1), strconv.Itoa(high + 1), "NaN", "x", ""}
	case "boolean":
		return []string{"true", "false"}, []string{"1", "TRUE", ""}
	}
	switch {
	case schema["format"] == "date-time":
		return []string{"1999-12-31T23:59:59.5Z", "1999-12-31T23:59:59%2B02:00"}, []string{"1999-12-31", "x", ""}
	case schema["enum"] != nil:
		for _, v := range schema["enum"].([]any) {
			good = append(good, v.(string), strings.ToUpper(v.(string)))
		}
		return good, []string{"x", ""}
	case schema["pattern"] != nil:
		return []string{strings.Repeat("aF", 16)}, []string{strings.Repeat("a", 31), strings.Repeat("a", 33), strings.Repeat("g", 32), ""}
	case schema["examples"] != nil:
		for _, v := range schema["examples"].([]any) {
			good = append(good, v.(string))
		}
		return good, []string{strings.Repeat("x", schema["maxLength"].(int)+1), ""}
	case schema["maxLength"] != nil:
		return []string{strings.Repeat("x", schema["maxLength"].(int))}, []string{strings.Repeat("x", schema["maxLength"].(int)+1), ""}
	default:
		return nil, []string{"x", ""} // cursor: only the server can write one
	}
}

func TestAllTypesAreListedAsExamples(t *testing.T) {
	t.Parallel()
	var names []any
	for _, typ := range anomaly.Types() {
		names = append(names, string(typ))
	}
	assert.Equal(t, names, loadSpec(t).parameters(pathAnomalies)["anomaly_type"]["examples"])
}

// The list of codes in the description is the list in respond.go.
func TestDescribedCodes(t *testing.T) {
	t.Parallel()
	s := loadSpec(t)
	schema := s.root["components"].(map[string]any)["schemas"].(map[string]any)["Error"].(map[string]any)
	described := schema["properties"].(map[string]any)["code"].(map[string]any)["enum"].([]any)
	codes := []any{
		codeBadRequest, codeInternal, codeInvalidCursor, codeInvalidLimit, codeInvalidParameter, codeInvalidSeverity, codeInvalidTime,
		codeLoopDetected, codeMethodNotAllowed, codeMetricsFailed, codeNotFound, codePayloadTooLarge, codeQueryFailed,
		codeResponseTooLarge, codeStorageUnavailable, codeTimeout, codeTooManyRequests, codeUnauthorized, codeUnhealthy, codeUnsupported,
	}
	assert.Equal(t, codes, described)
}

func TestDescriptionIsServed(t *testing.T) {
	t.Parallel()
	w := newAPI(t, nil).get(pathOpenAPI)
	assert.Equal(t, "application/yaml", w.Header().Get("Content-Type"))
	assert.True(t, bytes.Equal(openAPI, w.Body.Bytes()))
}
