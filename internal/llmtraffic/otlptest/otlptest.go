// Package otlptest is an OTLP trace receiver for tests, on gRPC and HTTP, that
// answers as it is told to: success, partial success, refusal, delay.
package otlptest

import (
	"context"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"
)

// Answer is what the receiver does with one request.
type Answer struct {
	// Code other than OK refuses the request; over HTTP Unavailable is 503,
	// ResourceExhausted 429 and everything else 400.
	Code codes.Code
	// RetryDelay is sent as RetryInfo or Retry-After (whole seconds).
	RetryDelay time.Duration
	// Rejected spans and Message make a partial success.
	Rejected int64
	Message  string
	// Delay is how long the answer takes.
	Delay time.Duration
}

// Receiver collects what it accepted.
type Receiver struct {
	// GRPC and HTTP are the addresses, host:port.
	GRPC, HTTP string
	answer     func(n int, td ptrace.Traces) Answer

	mu       sync.Mutex
	attempts int
	accepted []ptrace.Traces
	headers  []map[string]string
}

// New starts a receiver that ends with the test. answer is called with the
// number of the attempt, from 0, one call at a time; nil accepts everything.
func New(t testing.TB, answer func(n int, td ptrace.Traces) Answer) *Receiver {
	t.Helper()
	if answer == nil {
		answer = func(int, ptrace.Traces) Answer { return Answer{} }
	}
	r := &Receiver{answer: answer}
	var wg sync.WaitGroup

	gl := listen(t)
	gs := grpc.NewServer(grpc.MaxRecvMsgSize(64 << 20))
	ptraceotlp.RegisterGRPCServer(gs, &grpcServer{r: r})
	hl := listen(t)
	hs := &http.Server{Handler: http.HandlerFunc(r.serveHTTP), ReadHeaderTimeout: 5 * time.Second}
	r.GRPC, r.HTTP = gl.Addr().String(), hl.Addr().String()
	wg.Add(2)
	go func() { defer wg.Done(); _ = gs.Serve(gl) }()
	go func() { defer wg.Done(); _ = hs.Serve(hl) }()
	t.Cleanup(func() {
		gs.Stop()
		_ = hs.Close()
		wg.Wait()
	})
	return r
}

func listen(t testing.TB) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// Attempts is the number of requests that came, refused ones included.
func (r *Receiver) Attempts() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.attempts
}

// Accepted returns the accepted requests in the order of their arrival.
func (r *Receiver) Accepted() []ptrace.Traces {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]ptrace.Traces(nil), r.accepted...)
}

// Headers returns the headers of all attempts, names in lower case.
func (r *Receiver) Headers() []map[string]string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]map[string]string(nil), r.headers...)
}

// Spans visits the accepted spans with the service they belong to, in the
// order of their arrival.
func (r *Receiver) Spans(visit func(service string, span ptrace.Span)) {
	for _, td := range r.Accepted() {
		for _, rs := range td.ResourceSpans().All() {
			service, _ := rs.Resource().Attributes().Get("service.name")
			for _, ss := range rs.ScopeSpans().All() {
				for _, s := range ss.Spans().All() {
					visit(service.AsString(), s)
				}
			}
		}
	}
}

func (r *Receiver) take(td ptrace.Traces, h map[string]string) Answer {
	r.mu.Lock()
	a := r.answer(r.attempts, td)
	r.attempts++
	r.headers = append(r.headers, h)
	if a.Code == codes.OK {
		r.accepted = append(r.accepted, td)
	}
	r.mu.Unlock()
	return a
}

type grpcServer struct {
	ptraceotlp.UnimplementedGRPCServer
	r *Receiver
}

func (s *grpcServer) Export(ctx context.Context, req ptraceotlp.ExportRequest) (ptraceotlp.ExportResponse, error) {
	h := map[string]string{}
	if md, ok := metadata.FromIncomingContext(ctx); ok {
		for k, v := range md {
			h[k] = v[0]
		}
	}
	a := s.r.take(req.Traces(), h)
	if !wait(ctx, a.Delay) {
		return ptraceotlp.NewExportResponse(), ctx.Err()
	}
	if a.Code != codes.OK {
		st := status.New(a.Code, "refused by the test")
		if a.RetryDelay > 0 {
			if d, err := st.WithDetails(&errdetails.RetryInfo{RetryDelay: durationpb.New(a.RetryDelay)}); err == nil {
				st = d
			}
		}
		return ptraceotlp.NewExportResponse(), st.Err()
	}
	return a.response(), nil
}

func (a Answer) response() ptraceotlp.ExportResponse {
	resp := ptraceotlp.NewExportResponse()
	if a.Rejected > 0 || a.Message != "" {
		resp.PartialSuccess().SetRejectedSpans(a.Rejected)
		resp.PartialSuccess().SetErrorMessage(a.Message)
	}
	return resp
}

func wait(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

func (r *Receiver) serveHTTP(w http.ResponseWriter, req *http.Request) {
	if req.Method != http.MethodPost || req.URL.Path != "/v1/traces" || req.Header.Get("Content-Type") != "application/x-protobuf" {
		http.Error(w, "not an OTLP request", http.StatusNotFound)
		return
	}
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return
	}
	er := ptraceotlp.NewExportRequest()
	if err := er.UnmarshalProto(body); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	h := map[string]string{}
	for k := range req.Header {
		h[strings.ToLower(k)] = req.Header.Get(k)
	}
	a := r.take(er.Traces(), h)
	if !wait(req.Context(), a.Delay) {
		return
	}
	if a.RetryDelay > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(a.RetryDelay.Seconds())))
	}
	switch a.Code {
	case codes.OK:
	case codes.Unavailable:
		http.Error(w, "refused by the test", http.StatusServiceUnavailable)
		return
	case codes.ResourceExhausted:
		http.Error(w, "refused by the test", http.StatusTooManyRequests)
		return
	default:
		http.Error(w, "refused by the test", http.StatusBadRequest)
		return
	}
	out, err := a.response().MarshalProto()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/x-protobuf")
	_, _ = w.Write(out)
}
