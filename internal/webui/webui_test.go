package webui

import (
	"compress/gzip"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// budget bounds what a browser loads for the page, compressed.
const budget = 250 << 10

func get(t *testing.T, method, target string, headers ...string) *http.Response {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, target, http.NoBody)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	Handler().ServeHTTP(w, r)
	return w.Result()
}

func body(t *testing.T, resp *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	return string(b)
}

func TestThePageIsCheckedEachTimeAndLetsNothingForeignRun(t *testing.T) {
	resp := get(t, http.MethodGet, "/")
	require.Equal(t, http.StatusOK, resp.StatusCode)
	assert.Equal(t, "text/html; charset=utf-8", resp.Header.Get("Content-Type"))
	assert.Equal(t, "no-cache", resp.Header.Get("Cache-Control"))
	assert.Equal(t, "nosniff", resp.Header.Get("X-Content-Type-Options"))
	policy := resp.Header.Get("Content-Security-Policy")
	for _, want := range []string{"default-src 'none'", "script-src 'self'", "frame-ancestors 'none'", "require-trusted-types-for 'script'"} {
		assert.Contains(t, policy, want)
	}
	assert.NotContains(t, policy, "unsafe")
	assert.NotContains(t, policy, "http:")

	page := body(t, resp)
	assert.NotRegexp(t, `<script(\s[^>]*)?>[^<]`, page, "the policy forbids inline scripts")
	assert.NotRegexp(t, `(src|href)="(https?:)?//`, page, "nothing may come from another host")
	assert.NotContains(t, page, "<style")
}

func TestAllFilesThatThePageNamesAreServedAndKeptForever(t *testing.T) {
	named := regexp.MustCompile(`(?:src|href)="\./(assets/[^"]+)"`).FindAllStringSubmatch(body(t, get(t, http.MethodGet, "/")), -1)
	require.GreaterOrEqual(t, len(named), 3, "a script, a style sheet and an icon")
	for _, n := range named {
		resp := get(t, http.MethodGet, "/"+n[1])
		require.Equal(t, http.StatusOK, resp.StatusCode, n[1])
		assert.Equal(t, "public, max-age=31536000, immutable", resp.Header.Get("Cache-Control"))
		assert.Equal(t, "nosniff", resp.Header.Get("X-Content-Type-Options"))
		assert.NotEmpty(t, resp.Header.Get("Content-Type"))
		assert.Regexp(t, `-[A-Za-z0-9_-]{8}\.[a-z0-9]+$`, n[1], "a name without a hash must not be kept forever")
	}
}

func TestEveryFileHasATypeAndAllOfThemFitTheBudget(t *testing.T) {
	sum := 0
	for name, f := range load() {
		assert.NotEmpty(t, f.contentType, name)
		sum += len(f.gzip)
	}
	assert.Positive(t, sum)
	assert.LessOrEqual(t, sum, budget)
	t.Logf("assets: %d bytes compressed, of %d", sum, budget)
}

func TestNoFileHoldsWhatIsOnlyForBuilders(t *testing.T) {
	require.NoError(t, fs.WalkDir(dist, ".", func(name string, d fs.DirEntry, err error) error {
		require.NoError(t, err)
		assert.False(t, strings.HasSuffix(name, ".map"), name)
		return nil
	}))
	for name, f := range load() {
		text := string(f.plain)
		assert.NotContains(t, text, "sourceMappingURL", name)
		assert.NotRegexp(t, `\beval\(|new Function\(`, text, name)
	}
}

func TestTheLicencesOfWhatIsBundledAreInside(t *testing.T) {
	var text string
	for name, f := range load() {
		if strings.HasPrefix(name, "/assets/licences-") {
			text = string(f.plain)
		}
	}
	for _, want := range []string{"preact", "uplot", "Permission is hereby granted", "Jason Miller", "Leon Sorokin"} {
		assert.Contains(t, text, want)
	}
}

func TestBothEncodingsAreTheSameFileUnderDifferentTags(t *testing.T) {
	plain := get(t, http.MethodGet, "/")
	zipped := get(t, http.MethodGet, "/", "Accept-Encoding", "br, gzip;q=0.8")
	require.Equal(t, "gzip", zipped.Header.Get("Content-Encoding"))
	assert.Empty(t, plain.Header.Get("Content-Encoding"))
	assert.NotEqual(t, plain.Header.Get("ETag"), zipped.Header.Get("ETag"))
	zr, err := gzip.NewReader(zipped.Body)
	require.NoError(t, err)
	text, err := io.ReadAll(zr)
	require.NoError(t, err)
	assert.Equal(t, body(t, plain), string(text))

	refused := get(t, http.MethodGet, "/", "Accept-Encoding", "gzip;q=0, identity")
	assert.Empty(t, refused.Header.Get("Content-Encoding"))
}

func TestWhatABrowserHasIsNotSentAgain(t *testing.T) {
	for _, encoding := range []string{"identity", "gzip"} {
		etag := get(t, http.MethodGet, "/", "Accept-Encoding", encoding).Header.Get("ETag")
		require.NotEmpty(t, etag)
		for _, sent := range []string{etag, "W/" + etag, `"other", ` + etag, "*"} {
			resp := get(t, http.MethodGet, "/", "Accept-Encoding", encoding, "If-None-Match", sent)
			assert.Equal(t, http.StatusNotModified, resp.StatusCode, sent)
			assert.Empty(t, body(t, resp))
		}
		assert.Equal(t, http.StatusOK, get(t, http.MethodGet, "/", "Accept-Encoding", encoding, "If-None-Match", `"other"`).StatusCode)
	}
}

func TestHeadHasTheHeadersAndNoBody(t *testing.T) {
	resp := get(t, http.MethodHead, "/")
	assert.Equal(t, http.StatusOK, resp.StatusCode)
	assert.NotEqual(t, "0", resp.Header.Get("Content-Length"))
	assert.Empty(t, body(t, resp))
}

func TestOtherPathsAndMethodsAreRefused(t *testing.T) {
	for _, target := range []string{"/index.html", "/assets/", "/assets/none.js", "/assets/../dist/index.html", "/dist/index.html"} {
		resp := get(t, http.MethodGet, target)
		assert.Equal(t, http.StatusNotFound, resp.StatusCode, target)
		assert.Equal(t, "nosniff", resp.Header.Get("X-Content-Type-Options"))
	}
	resp := get(t, http.MethodPost, "/")
	assert.Equal(t, http.StatusMethodNotAllowed, resp.StatusCode)
	assert.Equal(t, "GET, HEAD", resp.Header.Get("Allow"))
}

func TestOnlyABrowserWantsThePage(t *testing.T) {
	for accept, want := range map[string]bool{
		"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8": true,
		"TEXT/HTML;q=0.1":              true,
		"*/*":                          false, // curl
		"":                             false,
		"text/html;q=0":                false,
		"text/html;q=x":                false,
		"application/json, text/htmlx": false,
	} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", http.NoBody)
		if accept != "" {
			r.Header.Set("Accept", accept)
		}
		assert.Equal(t, want, WantsPage(r), accept)
	}
}
