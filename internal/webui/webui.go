// Package webui serves the page of the query interface: the built files of the
// folder web, embedded, so that the collector needs nothing beside itself. See
// README.md for how they are made.
package webui

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"net/http"
	"path"
	"strconv"
	"strings"
	"sync"
)

//go:embed dist
var dist embed.FS

// contentSecurityPolicy lets the page run its own files only: no inline script,
// no other host, no frame around it, and no text that becomes markup.
const contentSecurityPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"

const (
	// The names of assets hold a hash of their content.
	cacheForever = "public, max-age=31536000, immutable"
	// The page names its assets: it is asked for each time, and answered by 304.
	cacheChecked = "no-cache"
)

// contentTypes of what a build makes. The system's table is not asked: what it
// says differs between machines, and with nosniff a wrong type breaks the page.
var contentTypes = map[string]string{
	".html":  "text/html; charset=utf-8",
	".js":    "text/javascript; charset=utf-8",
	".css":   "text/css; charset=utf-8",
	".svg":   "image/svg+xml",
	".txt":   "text/plain; charset=utf-8",
	".woff2": "font/woff2",
}

// file is one answer, in both encodings.
type file struct {
	contentType string
	cache       string
	etag        string
	plain       []byte
	gzip        []byte
}

// load reads and compresses the files once, when the first one is asked for.
var load = sync.OnceValue(func() map[string]*file {
	files := map[string]*file{}
	err := fs.WalkDir(dist, "dist", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		plain, err := dist.ReadFile(name)
		if err != nil {
			return err
		}
		at := strings.TrimPrefix(name, "dist")
		f := &file{contentType: contentTypes[path.Ext(name)], cache: cacheForever, plain: plain, gzip: compress(plain)}
		if at == "/index.html" {
			at, f.cache = "/", cacheChecked
		}
		sum := sha256.Sum256(plain)
		f.etag = hex.EncodeToString(sum[:12])
		files[at] = f
		return nil
	})
	if err != nil {
		panic(err) // the file system is part of the program
	}
	return files
})

func compress(plain []byte) []byte {
	var b bytes.Buffer
	zw, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err != nil {
		panic(err) // the level is a constant of the same package
	}
	if _, err := zw.Write(plain); err != nil {
		panic(err) // a bytes.Buffer takes everything
	}
	if err := zw.Close(); err != nil {
		panic(err)
	}
	return b.Bytes()
}

// Handler serves the page at "/" and its files below "/assets/", for GET and
// HEAD; other paths get 404 as plain text. It keeps no state and is safe for
// concurrent use.
func Handler() http.Handler { return http.HandlerFunc(serve) }

func serve(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("X-Content-Type-Options", "nosniff")
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		h.Set("Allow", "GET, HEAD")
		http.Error(w, "this address answers GET and HEAD only", http.StatusMethodNotAllowed)
		return
	}
	f := load()[r.URL.Path]
	if f == nil {
		http.Error(w, "there is no such file", http.StatusNotFound)
		return
	}
	h.Set("Content-Security-Policy", contentSecurityPolicy)
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cache-Control", f.cache)
	h.Set("Content-Type", f.contentType)
	h.Add("Vary", "Accept-Encoding")
	body, etag := f.plain, `"`+f.etag+`"`
	if accepts(r.Header.Values("Accept-Encoding"), "gzip") {
		// Another encoding is another representation, with a tag of its own.
		body, etag = f.gzip, `"`+f.etag+`-gzip"`
		h.Set("Content-Encoding", "gzip")
	}
	h.Set("ETag", etag)
	if matches(r.Header.Values("If-None-Match"), etag) {
		h.Del("Content-Encoding")
		w.WriteHeader(http.StatusNotModified)
		return
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	if r.Method == http.MethodHead {
		return
	}
	// A failed write means that the client is gone: there is nobody to tell.
	_, _ = w.Write(body)
}

// WantsPage reports whether a request for "/" comes from a browser: its Accept
// names text/html. Others, like curl, are better served by plain text.
func WantsPage(r *http.Request) bool { return accepts(r.Header.Values("Accept"), "text/html") }

// accepts reports whether a list as in RFC 9110 section 12.5 names the token
// with a quality above zero. Wildcards do not count: they ask for nothing.
func accepts(fields []string, token string) bool {
	for _, field := range fields {
		for item := range strings.SplitSeq(field, ",") {
			name, params, _ := strings.Cut(item, ";")
			if !strings.EqualFold(strings.TrimSpace(name), token) {
				continue
			}
			for p := range strings.SplitSeq(params, ";") {
				k, v, _ := strings.Cut(p, "=")
				if strings.EqualFold(strings.TrimSpace(k), "q") {
					q, err := strconv.ParseFloat(strings.TrimSpace(v), 64)
					return err == nil && q > 0
				}
			}
			return true
		}
	}
	return false
}

// matches compares by the weak comparison of RFC 9110 section 8.8.3.2.
func matches(fields []string, etag string) bool {
	for _, field := range fields {
		for item := range strings.SplitSeq(field, ",") {
			if item = strings.TrimSpace(item); item == "*" || strings.TrimPrefix(item, "W/") == etag {
				return true
			}
		}
	}
	return false
}
