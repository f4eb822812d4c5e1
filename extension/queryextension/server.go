package queryextension

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path"
	"slices"
	"strings"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/confighttp"
	"go.opentelemetry.io/collector/config/configoptional"
	"go.uber.org/zap"

	"github.com/llm-devops/llm-sentinel/extension/queryextension/internal/metadata"
	"github.com/llm-devops/llm-sentinel/internal/store"
)

// server answers requests. It is immutable after newServer apart from its
// counters and is safe for concurrent use.
type server struct {
	cfg       *Config
	logger    *zap.Logger
	telemetry *metadata.TelemetryBuilder
	labels    labelSets
	version   string
	now       func() time.Time

	// reader returns the storage to ask, or why there is none now.
	reader  func(context.Context) (store.Reader, error)
	health  *health
	storage *pinger
	// metrics fetches the collector's own telemetry.
	metrics *http.Client
	slots   chan struct{}
	answers *answers
	limiter *limiter // nil without a limit
	routes  []route
	// extension is the storage extension, which may do more than have a reader.
	extension any
	streams   chan struct{}
	exports   chan struct{}
	poller    *poller
	// draining ends when streams have to.
	draining   chan struct{}
	endStreams func()
	// closing ends when the extension stops waiting for running requests.
	closing <-chan struct{}
}

// handler is everything below TLS, CORS and authentication.
func (s *server) handler() http.Handler {
	mux := http.NewServeMux()
	for i := range s.routes {
		rt := &s.routes[i]
		handle, method := rt.handle, rt.method
		if _, ok := keptRoutes[rt.path]; ok && method == "" {
			handle = s.answers.kept(rt.path, handle)
		}
		if rt.limited {
			handle = s.limited(handle)
		}
		if !unrated[rt.path] {
			handle = s.rated(handle)
		}
		if method == "" {
			method = http.MethodGet // also matches HEAD
			handle = s.drained(handle)
		}
		mux.HandleFunc(method+" "+rt.pattern(), labelled(rt.path, handle))
		mux.HandleFunc(rt.pattern(), labelled(rt.path, s.drained(methodNotAllowed(rt.answers()))))
	}
	mux.HandleFunc(pathAssets, labelled(pathIndex, s.drained(s.handlePage)))
	mux.HandleFunc("/", s.drained(notFound))
	unclean := s.drained(notFound)
	return s.limitBody(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// ServeMux answers unclean paths with a redirect in HTML. What is escaped
		// belongs to a name and is left alone.
		if p := r.URL.EscapedPath(); p == "" || p[0] != '/' || path.Clean(p) != p {
			unclean(w, r)
			return
		}
		mux.ServeHTTP(w, r)
	}))
}

func labelled(route string, next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		infoOf(r.Context()).route = route
		next(w, r)
	}
}

func notFound(w http.ResponseWriter, r *http.Request) {
	sendError(w, r, &apiError{status: http.StatusNotFound, code: codeNotFound, message: "there is no such route; GET / lists them"})
}

func methodNotAllowed(allowed string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Allow", allowed)
		sendError(w, r, &apiError{
			status: http.StatusMethodNotAllowed, code: codeMethodNotAllowed,
			message: "this route answers " + strings.ReplaceAll(allowed, ", ", " and ") + " only",
		})
	}
}

// httpServer puts the collector's standard server settings around the handler.
func (s *server) httpServer(ctx context.Context, host component.Host, set component.TelemetrySettings) (*http.Server, error) {
	if err := s.openCache(ctx); err != nil {
		return nil, fmt.Errorf("cache: %w", err)
	}
	cfg := s.cfg.HTTP
	if cfg.CORS.HasValue() {
		cfg.CORS = configoptional.Some(openCORS(*cfg.CORS.Get()))
	}
	srv, err := cfg.ToServer(ctx, host.GetExtensions(), set, s.handler(), confighttp.WithErrorHandler(s.refusedOutside))
	if err != nil {
		return nil, errors.Join(err, s.closeCache())
	}
	srv.Handler = s.observe(srv.Handler)
	return srv, nil
}

// Headers that a page of another origin needs to use the interface: those that
// it may send, unless the configuration has a list of its own, and those that
// it may read, beside the ones of the configuration.
var (
	corsSent = []string{"Accept", "Authorization", "Content-Type", "If-None-Match", headerLastEventID, headerRequestID, "X-Requested-With"}
	corsRead = []string{headerCacheStatus, "ETag", "Link", "Retry-After", headerRequestID}
)

func openCORS(c confighttp.CORSConfig) confighttp.CORSConfig {
	if len(c.AllowedHeaders) == 0 {
		c.AllowedHeaders = corsSent
	}
	c.ExposedHeaders = append(slices.Clone(corsRead), c.ExposedHeaders...)
	return c
}

// refusedOutside answers what confighttp refuses before the routes are reached:
// failed authentication and bodies that cannot be decompressed. Its messages
// may quote the authenticator's inner workings and are not passed on.
func (s *server) refusedOutside(w http.ResponseWriter, r *http.Request, _ string, status int) {
	e := &apiError{status: status, code: codeBadRequest, message: "the request cannot be read"}
	if status == http.StatusUnauthorized {
		e.code, e.message = codeUnauthorized, "authentication failed"
		w.Header().Set("WWW-Authenticate", s.challenge())
	}
	sendError(w, r, e)
}

// challenge is the scheme of authentication, as RFC 9110 section 11.6.1 wants
// it told: without Basic a browser would not ask its user for a password.
func (s *server) challenge() string {
	if s.cfg.HTTP.Auth.HasValue() {
		switch s.cfg.HTTP.Auth.Get().AuthenticatorID.Type().String() {
		case "basicauth", "basic_auth":
			return `Basic realm="LLM-Sentinel", charset="UTF-8"`
		}
	}
	return "Bearer"
}
