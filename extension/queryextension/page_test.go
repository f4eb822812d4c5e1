package queryextension

import (
	"net/http"
	"net/http/httptest"
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestABrowserGetsThePageAndEverybodyElseTheList(t *testing.T) {
	a := newAPI(t, nil)
	ask := func(accept string) *httptest.ResponseRecorder {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", http.NoBody)
		r.Header.Set("Accept", accept)
		return a.do(r)
	}
	list := ask("*/*")
	assert.Equal(t, "text/plain; charset=utf-8", list.Header().Get("Content-Type"))
	assert.Contains(t, list.Body.String(), "/api/v1/anomalies")
	assert.Contains(t, list.Header().Values("Vary"), "Accept", "a cache must not mix them up")

	page := ask("text/html,application/xhtml+xml,*/*;q=0.8")
	require.Equal(t, http.StatusOK, page.Code)
	assert.Equal(t, "text/html; charset=utf-8", page.Header().Get("Content-Type"))
	assert.Contains(t, page.Header().Get("Content-Security-Policy"), "script-src 'self'")
	assert.Contains(t, page.Header().Values("Vary"), "Accept")

	script := regexp.MustCompile(`src="\./(assets/[^"]+\.js)"`).FindStringSubmatch(page.Body.String())
	require.NotNil(t, script, page.Body.String())
	asset := a.get("/" + script[1])
	assert.Equal(t, http.StatusOK, asset.Code)
	assert.Contains(t, asset.Header().Get("Cache-Control"), "immutable")
	assert.Equal(t, http.StatusNotFound, a.get("/assets/none.js").Code)
}

func TestABrowserIsToldToAskForAPassword(t *testing.T) {
	for id, want := range map[string]string{
		"basicauth":       `Basic realm="LLM-Sentinel", charset="UTF-8"`,
		"basicauth/query": `Basic realm="LLM-Sentinel", charset="UTF-8"`,
		"bearertokenauth": "Bearer",
	} {
		s := &server{cfg: newConfig(t, map[string]any{"http": map[string]any{"auth": map[string]any{"authenticator": id}}})}
		assert.Equal(t, want, s.challenge(), id)
	}
	a := newAPI(t, map[string]any{"http": map[string]any{"auth": map[string]any{"authenticator": "fake_auth"}}})
	w := a.get("/")
	a.fails(w, http.StatusUnauthorized, codeUnauthorized)
	assert.Equal(t, "Bearer", w.Header().Get("WWW-Authenticate"))
}
