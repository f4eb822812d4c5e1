package queryextension

import (
	"bytes"
	"encoding/json"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/llm-devops/llm-sentinel/internal/anomaly"
)

func TestDescriptionAndRoutesAgree(t *testing.T) {
	t.Parallel()
	s := loadSpec(t)
	var served []string
	for _, rt := range newAPI(t, nil).routes {
		method, _, _ := strings.Cut(rt.answers(), ",")
		served = append(served, method+" "+rt.path)
		for name := range s.parameters(method, rt.path, "path") {
			assert.Contains(t, rt.path, "{"+name+"}")
		}
		assert.Len(t, s.parameters(method, rt.path, "path"), strings.Count(rt.path, "{"), rt.path)
		described := make([]string, 0, len(rt.params))
		for name := range s.parameters(method, rt.path, "query") {
			described = append(described, name)
		}
		assert.ElementsMatch(t, rt.params, described, rt.path)
	}
	slices.Sort(served)
	assert.Equal(t, s.operations(), served)
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
		r := sc.build(t)
		w := a.do(r)
		where := sc.method + " " + sc.path + " " + strconv.Itoa(sc.status)
		require.Equal(t, sc.status, w.Code, "%s: %s", where, w.Body.String())
		reached[where] = true

		described, ok := s.operation(sc.method, sc.path)["responses"].(map[string]any)[strconv.Itoa(sc.status)]
		require.True(t, ok, "%s is not described", where)
		response := s.resolve(described)
		for name, header := range response["headers"].(map[string]any) {
			value := w.Header().Get(name)
			assert.NotEmpty(t, value, "%s: header %s", where, name)
			if enum, ok := s.resolve(s.resolve(header)["schema"])["enum"].([]any); ok {
				assert.Contains(t, enum, value, "%s: header %s", where, name)
			}
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
	for _, op := range s.operations() {
		method, path, _ := strings.Cut(op, " ")
		for status := range s.operation(method, path)["responses"].(map[string]any) {
			assert.True(t, reached[op+" "+status], "no scenario reaches %s %s", op, status)
		}
	}
}

func TestDescribedParameters(t *testing.T) {
	t.Parallel()
	s := loadSpec(t)
	a := newAPI(t, nil)
	fillStore(a)
	ask := func(path, name, value string) int {
		r := streamless(t, path)
		r.URL.RawQuery = url.Values{name: {value}}.Encode()
		return a.do(r).Code
	}
	for _, rt := range a.routes {
		if rt.method != "" {
			continue
		}
		for name, schema := range s.parameters(http.MethodGet, rt.path, "query") {
			good, bad := samples(name, schema)
			for _, v := range good {
				// The only thing that a good value may lead to beside an answer is that
				// nothing matches.
				assert.Contains(t, []int{http.StatusOK, http.StatusNotFound}, ask(rt.path, name, v), "%s?%s=%s", rt.path, name, v)
			}
			for _, v := range bad {
				assert.Equal(t, http.StatusBadRequest, ask(rt.path, name, v), "%s?%s=%s", rt.path, name, v)
			}
		}
		for name, schema := range s.parameters(http.MethodGet, rt.path, "header") {
			good, bad := samples(name, schema)
			for i, v := range append(good, bad...) {
				r := streamless(t, rt.path)
				r.Header.Set(name, v)
				want := http.StatusBadRequest
				if i < len(good) || v == "" { // an empty header is no header
					want = http.StatusOK
				}
				assert.Equal(t, want, a.do(r).Code, "%s: %q", name, v)
			}
		}
	}
	for name, want := range map[string]int{"limit": defaultLimit, "hours": defaultHours, "offset": 0} {
		assert.Equal(t, want, s.parameters(http.MethodGet, pathTelemetry, "query")[name]["default"], name)
	}
	assert.Equal(t, defaultSessionHours, s.parameters(http.MethodGet, pathSession, "query")["hours"]["default"])
	assert.Equal(t, maxOverviewHours, s.parameters(http.MethodGet, pathOverview, "query")["hours"]["maximum"])
	assert.Equal(t, defaultLimit, a.page(pathTelemetry).Metadata.PageSize)
}

// streamless asks for a route so that the answer has an end: of a stream, only
// the head.
func streamless(t *testing.T, path string) *http.Request {
	t.Helper()
	method := http.MethodGet
	if path == pathStream {
		method = http.MethodHead
	}
	return request(t, method, example(path), http.NoBody)
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
		if schema["enum"] != nil {
			return []string{"true"}, []string{"false", "1", "TRUE", ""}
		}
		return []string{"true", "false"}, []string{"1", "TRUE", ""}
	}
	switch {
	case schema["format"] == "date-time":
		return []string{"1999-12-31T23:59:59.5Z", "1999-12-31T23:59:59+02:00"}, []string{"1999-12-31", "x", ""}
	case schema["format"] == "uuid":
		return []string{"6f1c1a8e-7f0a-4a58-9f0c-2f6f6f3f1d10"}, []string{"x", "00000000-0000-0000-0000-000000000000", ""}
	case schema["enum"] != nil:
		for _, v := range schema["enum"].([]any) {
			good = append(good, v.(string), strings.ToUpper(v.(string)))
		}
		return good, []string{"x", ""}
	case name == headerLastEventID:
		return []string{"1767355200000000000-6f1c1a8e-7f0a-4a58-9f0c-2f6f6f3f1d10"}, []string{
			"x", "1-x", "-1-6f1c1a8e-7f0a-4a58-9f0c-2f6f6f3f1d10", "01-6f1c1a8e-7f0a-4a58-9f0c-2f6f6f3f1d10", "1-6F1C1A8E-7F0A-4A58-9F0C-2F6F6F3F1D10", "",
		}
	case schema["examples"] != nil:
		for _, v := range schema["examples"].([]any) {
			good = append(good, v.(string))
		}
		if limit, ok := schema["maxLength"].(int); ok {
			return good, []string{strings.Repeat("x", limit+1), ""}
		}
		return good, []string{"x", "1s", "service,service", "service,", ""}
	case schema["pattern"] != nil:
		return []string{strings.Repeat("aF", 16)}, []string{strings.Repeat("a", 31), strings.Repeat("a", 33), strings.Repeat("g", 32), ""}
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
	assert.Equal(t, names, loadSpec(t).parameters(http.MethodGet, pathAnomalies, "query")["anomaly_type"]["examples"])
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
		codeUnsupportedMedia,
	}
	assert.Equal(t, codes, described)
}

func TestDescriptionIsServed(t *testing.T) {
	t.Parallel()
	w := newAPI(t, nil).get(pathOpenAPI)
	assert.Equal(t, "application/yaml", w.Header().Get("Content-Type"))
	assert.True(t, bytes.Equal(openAPI, w.Body.Bytes()))
}
