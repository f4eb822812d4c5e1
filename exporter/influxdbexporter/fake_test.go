package influxdbexporter

import (
	"compress/gzip"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// received is one request as the fake server saw it.
type received struct {
	method, path, query, auth, agent, encoding, team string
	lines                                            []string
}

// fake answers writes with the scripted handlers, in order, then with 204.
type fake struct {
	*httptest.Server
	mu     sync.Mutex
	got    []received
	script []http.HandlerFunc
	ping   http.HandlerFunc
	// buckets answers what 2.x is asked about organisations and buckets.
	buckets http.HandlerFunc
}

func newFake(t *testing.T, script ...http.HandlerFunc) *fake {
	t.Helper()
	f := &fake{script: script, ping: func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Influxdb-Version", "1.8.3")
		w.WriteHeader(http.StatusNoContent)
	}}
	f.Server = httptest.NewServer(http.HandlerFunc(f.serve))
	t.Cleanup(f.Close)
	return f
}

func (f *fake) serve(w http.ResponseWriter, r *http.Request) {
	rec := received{
		method: r.Method, path: r.URL.Path, query: r.URL.RawQuery, auth: r.Header.Get("Authorization"),
		agent: r.UserAgent(), encoding: r.Header.Get("Content-Encoding"), team: r.Header.Get("X-Team"),
	}
	body := io.Reader(r.Body)
	if rec.encoding == "gzip" {
		body, _ = gzip.NewReader(r.Body)
	}
	text, _ := io.ReadAll(body)
	if len(text) > 0 {
		rec.lines = strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
	}
	f.mu.Lock()
	f.got = append(f.got, rec)
	handler := func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }
	switch {
	case strings.HasSuffix(r.URL.Path, "/ping"):
		handler = f.ping
	case f.buckets != nil && (strings.HasSuffix(r.URL.Path, "/orgs") || strings.HasSuffix(r.URL.Path, "/buckets")):
		handler = f.buckets
	case len(f.script) > 0:
		handler, f.script = f.script[0], f.script[1:]
	}
	f.mu.Unlock()
	handler(w, r)
}

// requests returns the requests to a path, in order.
func (f *fake) requests(path string) []received {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []received
	for _, r := range f.got {
		if strings.HasSuffix(r.path, path) {
			out = append(out, r)
		}
	}
	return out
}

func (f *fake) config(api API) *Config {
	cfg := createDefaultConfig().(*Config)
	cfg.ClientConfig.Endpoint = f.URL
	cfg.API = api
	return cfg
}

func answer(status int, body string, kv ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i < len(kv); i += 2 {
			w.Header().Set(kv[i], kv[i+1])
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// reset closes the connection without an answer.
func reset(w http.ResponseWriter, _ *http.Request) {
	conn, _, err := w.(http.Hijacker).Hijack()
	if err == nil {
		_ = conn.(*net.TCPConn).SetLinger(0)
		_ = conn.Close()
	}
}

// distinct counts the lines that differ in tags or time.
func distinct(t *testing.T, got []received) int {
	t.Helper()
	seen := map[string]bool{}
	for _, r := range got {
		for _, l := range r.lines {
			tags, rest, ok := strings.Cut(l, " ")
			require.True(t, ok)
			seen[tags+rest[strings.LastIndexByte(rest, ' '):]] = true
		}
	}
	return len(seen)
}
