package queryextension

import (
	"crypto/tls"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
)

const goodBody = `{"verdict":"true"}`

// askRoute calls a route as a client would, with a body where one is needed.
func askRoute(t *testing.T, c *http.Client, base string, rt *route, headers ...string) *http.Response {
	t.Helper()
	method, body := http.MethodGet, io.Reader(http.NoBody)
	if rt.method != "" {
		method, body = rt.method, strings.NewReader(goodBody)
	}
	target := base + example(rt.path)
	if rt.path == pathSession {
		target += "?start=2026-01-01T00:00:00Z" // by default it looks a week back
	}
	r, err := http.NewRequestWithContext(t.Context(), method, target, body)
	require.NoError(t, err)
	if rt.method != "" {
		r.Header.Set("Content-Type", typeJSON)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	resp, err := c.Do(r)
	require.NoError(t, err)
	t.Cleanup(func() { _ = resp.Body.Close() })
	return resp
}

func TestAuthenticationCoversAllRoutes(t *testing.T) {
	t.Parallel()
	s := startWith(t, map[string]any{"metrics_endpoint": "", "http": map[string]any{
		"endpoint": "127.0.0.1:0", "auth": map[string]any{"authenticator": "fake_auth"},
	}}, func(r *fakeReader) component.Component { return newFakeExtension(r) })
	fillStore(&api{store: s.store})
	for i := range s.server.routes {
		rt := &s.server.routes[i]
		for _, wrong := range []string{"", "Bearer open", "Basic c2VzYW1l"} {
			resp := askRoute(t, newClient(), s.url, rt, "Authorization", wrong)
			e := failure(t, resp, http.StatusUnauthorized, codeUnauthorized)
			assert.NotContains(t, e.Message, "/etc/tokens")
			assert.NotEmpty(t, resp.Header.Get(headerRequestID))
			assert.Equal(t, "nosniff", resp.Header.Get("X-Content-Type-Options"))
		}
		resp := askRoute(t, newClient(), s.url, rt, "Authorization", "Bearer sesame")
		assert.NotEqual(t, http.StatusUnauthorized, resp.StatusCode, rt.path)
		if strings.HasPrefix(rt.path, "/api/") {
			assert.Equal(t, 2, resp.StatusCode/100, rt.path)
		}
	}
	assert.Empty(t, s.store.feedback[1:len(s.store.feedback)-1], "only the request that was let in gave feedback")
	assert.Equal(t, "ali", s.store.feedback[len(s.store.feedback)-1].Author, "the proven name is the author")
}

// What a browser does for a page of another origin.
func TestPagesOfAllowedOriginsCanUseEveryRoute(t *testing.T) {
	t.Parallel()
	const page, evil = "https://ui.example.com", "https://evil.example.com"
	s := startWith(t, map[string]any{"metrics_endpoint": "", "http": map[string]any{
		"endpoint": "127.0.0.1:0", "auth": map[string]any{"authenticator": "fake_auth"},
		"cors": map[string]any{"allowed_origins": []string{page}, "exposed_headers": []string{"X-Mine"}},
	}}, func(r *fakeReader) component.Component { return newFakeExtension(r) })
	fillStore(&api{store: s.store})
	for i := range s.server.routes {
		rt := &s.server.routes[i]
		method, _, _ := strings.Cut(rt.answers(), ",")
		ask := func(origin, method, headers string) http.Header {
			resp := call(t, newClient(), http.MethodOptions, s.url+example(rt.path), "Origin", origin,
				"Access-Control-Request-Method", method, "Access-Control-Request-Headers", headers)
			require.Equal(t, http.StatusNoContent, resp.StatusCode)
			return resp.Header
		}
		// The preflight comes without credentials.
		h := ask(page, method, "authorization,content-type,if-none-match,last-event-id,x-request-id")
		assert.Equal(t, page, h.Get("Access-Control-Allow-Origin"), rt.path)
		assert.Contains(t, h.Get("Access-Control-Allow-Methods"), method)
		assert.Equal(t, "authorization,content-type,if-none-match,last-event-id,x-request-id", h.Get("Access-Control-Allow-Headers"))
		assert.Equal(t, "true", h.Get("Access-Control-Allow-Credentials"))
		assert.Empty(t, ask(evil, method, "content-type").Get("Access-Control-Allow-Origin"))
		assert.Empty(t, ask(page, http.MethodDelete, "content-type").Get("Access-Control-Allow-Origin"))
		assert.Empty(t, ask(page, method, "x-other").Get("Access-Control-Allow-Origin"))

		resp := askRoute(t, newClient(), s.url, rt, "Origin", page, "Authorization", "Bearer sesame")
		assert.Equal(t, page, resp.Header.Get("Access-Control-Allow-Origin"), rt.path)
		for _, name := range []string{headerCacheStatus, "ETag", "Link", "Retry-After", headerRequestID, "X-Mine"} {
			assert.Contains(t, strings.ToLower(resp.Header.Get("Access-Control-Expose-Headers")), strings.ToLower(name), rt.path)
		}
		refused := askRoute(t, newClient(), s.url, rt, "Origin", page)
		assert.Equal(t, http.StatusUnauthorized, refused.StatusCode)
		assert.Equal(t, page, refused.Header.Get("Access-Control-Allow-Origin"), "a page can read why it was refused")
		resp = askRoute(t, newClient(), s.url, rt, "Origin", evil, "Authorization", "Bearer sesame")
		assert.Empty(t, resp.Header.Get("Access-Control-Allow-Origin"), rt.path)
	}
}

// A form of another site comes without a preflight, and without JSON.
func TestFormsOfOtherSitesAreRefused(t *testing.T) {
	t.Parallel()
	a := newAPI(t, nil)
	fillStore(a)
	for _, media := range []string{"", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/json; charset=latin1", "application/jsonp", "a/b/c"} {
		r := request(t, http.MethodPost, example(pathGive), strings.NewReader(goodBody))
		r.Header.Set("Content-Type", media)
		a.fails(a.do(r), http.StatusUnsupportedMediaType, codeUnsupportedMedia)
	}
	assert.Len(t, a.store.feedback, 1)
	for _, media := range []string{"application/json", "application/json; charset=utf-8", "Application/JSON; charset=UTF-8"} {
		r := request(t, http.MethodPost, example(pathGive), strings.NewReader(goodBody))
		r.Header.Set("Content-Type", media)
		assert.Equal(t, http.StatusCreated, a.do(r).Code, media)
	}
}

func TestAllowedHeadersOfTheConfigurationStand(t *testing.T) {
	t.Parallel()
	a := newAPI(t, map[string]any{"http": map[string]any{"cors": map[string]any{"allowed_origins": []string{"*"}, "allowed_headers": []string{"X-Only"}}}})
	ask := func(header string) *httptest.ResponseRecorder {
		r := request(t, http.MethodOptions, pathTelemetry, http.NoBody)
		r.Header.Set("Origin", "https://ui.example.com")
		r.Header.Set("Access-Control-Request-Method", http.MethodGet)
		r.Header.Set("Access-Control-Request-Headers", header)
		return a.do(r)
	}
	assert.NotEmpty(t, ask("x-only").Header().Get("Access-Control-Allow-Origin"))
	assert.Empty(t, ask("x-request-id").Header().Get("Access-Control-Allow-Origin"))
}

// Everything, the stream and POST included, also works over HTTP/2.
func TestTLSCoversAllRoutes(t *testing.T) {
	t.Parallel()
	certFile, keyFile, pool := makeCertificate(t)
	s := startWith(t, map[string]any{"metrics_endpoint": "", "http": map[string]any{
		"endpoint": "127.0.0.1:0", "tls": map[string]any{"cert_file": certFile, "key_file": keyFile},
	}}, func(r *fakeReader) component.Component { return newFakeExtension(r) })
	fillStore(&api{store: s.store})
	transport := &http.Transport{ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}}
	t.Cleanup(transport.CloseIdleConnections)
	c := &http.Client{Timeout: 10 * time.Second, Transport: transport}
	base := "https://" + s.listener.Addr().String()
	for i := range s.server.routes {
		rt := &s.server.routes[i]
		resp := askRoute(t, c, base, rt)
		assert.Equal(t, 2, resp.ProtoMajor)
		if strings.HasPrefix(rt.path, "/api/") {
			assert.Equal(t, 2, resp.StatusCode/100, rt.path)
		}
	}
	plain, err := newClient().Get("http://" + s.listener.Addr().String() + pathLive) //nolint:noctx // closed below
	require.NoError(t, err)
	assert.Equal(t, http.StatusBadRequest, plain.StatusCode, "no answer without TLS")
	require.NoError(t, plain.Body.Close())
}
