package queryextension

import (
	"context"
	"errors"
	"net/http"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/google/uuid"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.uber.org/zap"
)

const (
	headerRequestID = "X-Request-Id"
	maxRequestID    = 128

	routeUnmatched = "unmatched"

	rejectedBusy    = "too_many_requests"
	rejectedRate    = "rate_limit"
	rejectedTimeout = "timeout"
	rejectedSize    = "response_too_large"
	rejectedStreams = "too_many_streams"
)

// errRequestTimeout tells the request_timeout from a client that went away.
var errRequestTimeout = errors.New("request_timeout has passed")

// requestInfo is what the outermost middleware and the handlers share.
type requestInfo struct {
	id    string
	route string
}

type requestInfoKey struct{}

func infoOf(ctx context.Context) *requestInfo {
	if i, ok := ctx.Value(requestInfoKey{}).(*requestInfo); ok {
		return i
	}
	return &requestInfo{route: routeUnmatched}
}

// requestID keeps the id that a proxy or client gave when it is harmless in
// logs and headers.
func requestID(given string) string {
	if given == "" || len(given) > maxRequestID {
		return uuid.NewString()
	}
	for i := range len(given) {
		switch c := given[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '_', c == '.':
		default:
			return uuid.NewString()
		}
	}
	return given
}

// statusRecorder remembers what was answered.
type statusRecorder struct {
	http.ResponseWriter
	status int
}

func (s *statusRecorder) WriteHeader(status int) {
	if s.status == 0 {
		s.status = status
	}
	s.ResponseWriter.WriteHeader(status)
}

func (s *statusRecorder) Write(b []byte) (int, error) {
	if s.status == 0 {
		s.status = http.StatusOK
	}
	return s.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController reach the connection.
func (s *statusRecorder) Unwrap() http.ResponseWriter { return s.ResponseWriter }

// observe stands around everything, also around authentication: each response
// has an id and the security headers and is counted, and a panic is a 500.
func (s *server) observe(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		begin := time.Now()
		info := &requestInfo{id: requestID(r.Header.Get(headerRequestID)), route: routeUnmatched}
		ctx := context.WithValue(r.Context(), requestInfoKey{}, info)
		r = r.WithContext(ctx)
		rec := &statusRecorder{ResponseWriter: w}
		h := w.Header()
		h.Set(headerRequestID, info.id)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Cache-Control", "no-store")
		h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
		h.Set("Referrer-Policy", "no-referrer")

		s.telemetry.APIRequestsInFlight.Add(ctx, 1)
		defer func() {
			v := recover()
			if v != nil {
				s.recovered(rec, r, v)
			}
			s.telemetry.APIRequestsInFlight.Add(ctx, -1)
			status := rec.status
			if status == 0 {
				status = http.StatusOK
			}
			opt := s.labels.of(info.route, status)
			elapsed := time.Since(begin)
			s.telemetry.APIRequestsTotal.Add(ctx, 1, opt)
			s.telemetry.APIRequestDurationSeconds.Record(ctx, elapsed.Seconds(), opt)
			if ce := s.logger.Check(zap.DebugLevel, "request answered"); ce != nil {
				ce.Write(zap.String("request_id", info.id), zap.String("method", r.Method), zap.String("route", info.route),
					zap.Int("status", status), zap.Duration("duration", elapsed))
			}
			if v != nil && rec.status == statusAborted {
				panic(http.ErrAbortHandler)
			}
		}()
		next.ServeHTTP(rec, r)
	})
}

// statusAborted marks a response that was cut off: it is counted as 5xx.
const statusAborted = 599

func (s *server) recovered(rec *statusRecorder, r *http.Request, v any) {
	if v == http.ErrAbortHandler { //nolint:errorlint // net/http compares the panic value itself
		rec.status = statusAborted
		return
	}
	s.telemetry.APIPanicsTotal.Add(r.Context(), 1)
	s.logger.Error("request handler panicked", zap.String("request_id", infoOf(r.Context()).id),
		zap.Any("panic", v), zap.ByteString("stack", debug.Stack()))
	if rec.status != 0 {
		// Too late for an error response: the client must see a broken one.
		rec.status = statusAborted
		return
	}
	rec.Header().Del("Content-Encoding")
	rec.Header().Del("Content-Length")
	sendError(rec, r, &apiError{status: http.StatusInternalServerError, code: codeInternal, message: "the request failed inside the server; see the collector's log"})
}

// limited puts the request_timeout and the limit on concurrent requests around
// a handler. The slot is kept until the response is sent, because the limit
// bounds the memory that responses take.
func (s *server) limited(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		select {
		case s.slots <- struct{}{}:
			defer func() { <-s.slots }()
		default:
			s.reject(r.Context(), rejectedBusy)
			w.Header().Set("Retry-After", "1")
			sendError(w, r, &apiError{
				status: http.StatusTooManyRequests, code: codeTooManyRequests,
				message: "too many requests are being answered; try again later",
				details: map[string]any{"max_concurrent_requests": cap(s.slots)},
			})
			return
		}
		ctx, cancel := context.WithTimeoutCause(r.Context(), s.cfg.RequestTimeout, errRequestTimeout)
		defer cancel()
		next(w, r.WithContext(ctx))
	}
}

func (s *server) reject(ctx context.Context, reason string) {
	s.telemetry.APIRejectedTotal.Add(ctx, 1, metric.WithAttributeSet(attribute.NewSet(attribute.String("reason", reason))))
}

// labelSets are the attributes of every route and status class, built once.
type labelSets map[string][5]metric.MeasurementOption

func newLabelSets(routes []string) labelSets {
	l := make(labelSets, len(routes)+1)
	for _, route := range append(routes, routeUnmatched) {
		var sets [5]metric.MeasurementOption
		for i := range sets {
			sets[i] = metric.WithAttributeSet(attribute.NewSet(
				attribute.String("route", route), attribute.String("status_class", strconv.Itoa(i+1)+"xx")))
		}
		l[route] = sets
	}
	return l
}

func (l labelSets) of(route string, status int) metric.MeasurementOption {
	return l[route][min(max(status/100, 1), 5)-1]
}
