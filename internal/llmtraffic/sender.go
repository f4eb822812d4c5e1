package llmtraffic

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/stats"
	"google.golang.org/grpc/status"

	"github.com/llm-devops/llm-sentinel/internal/retryafter"
)

// Protocol is the transport of OTLP.
type Protocol string

// The transports.
const (
	ProtocolGRPC Protocol = "grpc"
	ProtocolHTTP Protocol = "http" // binary protobuf
)

// UnmarshalText implements encoding.TextUnmarshaler.
func (p *Protocol) UnmarshalText(text []byte) error {
	switch v := Protocol(text); v {
	case ProtocolGRPC, ProtocolHTTP:
		*p = v
		return nil
	default:
		return fmt.Errorf("protocol must be grpc or http, got %q", text)
	}
}

// SenderOptions describe the connection to a collector.
type SenderOptions struct {
	// Endpoint is host:port, or a URL; for http without a path, /v1/traces is
	// added.
	Endpoint string
	Protocol Protocol
	// Insecure turns TLS off. A URL with http:// or https:// decides by itself.
	Insecure bool
	// Headers are sent with every request.
	Headers map[string]string
	// Timeout bounds one attempt; default 30 s.
	Timeout time.Duration
	// MaxRetries bounds the attempts after the first; default 10, negative = 0.
	MaxRetries int
	// MinBackoff and MaxBackoff bound the waiting time between attempts when
	// the server names none; defaults 250 ms and 10 s.
	MinBackoff, MaxBackoff time.Duration
}

// Result says what became of one request.
type Result struct {
	// Rejected spans were refused by the server in a partial success.
	Rejected int64
	// Message is the server's text of a partial success.
	Message string
	Retries int64
	// Bytes of the request as sent, all attempts together, before TLS.
	Bytes int64
}

// Sender sends export requests. It is safe for concurrent use; requests of one
// caller stay in order, because Send returns when the request is answered.
type Sender struct {
	opt    SenderOptions
	conn   *grpc.ClientConn
	client ptraceotlp.GRPCClient
	http   *http.Client
	url    string
}

// NewSender prepares a connection; nothing is sent before the first request.
func NewSender(o SenderOptions) (*Sender, error) {
	if o.Timeout == 0 {
		o.Timeout = 30 * time.Second
	}
	if o.MaxRetries == 0 {
		o.MaxRetries = 10
	}
	if o.MinBackoff <= 0 {
		o.MinBackoff = 250 * time.Millisecond
	}
	if o.MaxBackoff <= 0 {
		o.MaxBackoff = 10 * time.Second
	}
	host, secure := o.Endpoint, !o.Insecure
	if h, ok := strings.CutPrefix(host, "http://"); ok {
		host, secure = h, false
	} else if h, ok := strings.CutPrefix(host, "https://"); ok {
		host, secure = h, true
	}
	if host == "" {
		return nil, errors.New("endpoint must not be empty")
	}
	s := &Sender{opt: o}
	if o.Protocol == ProtocolHTTP {
		scheme := "http://"
		if secure {
			scheme = "https://"
		}
		u, err := url.Parse(scheme + host)
		if err != nil {
			return nil, fmt.Errorf("endpoint: %w", err)
		}
		if u.Path == "" || u.Path == "/" {
			u.Path = "/v1/traces"
		}
		s.url = u.String()
		s.http = &http.Client{
			Transport:     &http.Transport{MaxIdleConnsPerHost: 64, Proxy: http.ProxyFromEnvironment},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}
		return s, nil
	}
	creds := insecure.NewCredentials()
	if secure {
		creds = credentials.NewTLS(&tls.Config{MinVersion: tls.VersionTLS12})
	}
	conn, err := grpc.NewClient(strings.TrimSuffix(host, "/"), grpc.WithTransportCredentials(creds), grpc.WithStatsHandler(byteCounter{}))
	if err != nil {
		return nil, fmt.Errorf("endpoint: %w", err)
	}
	s.conn, s.client = conn, ptraceotlp.NewGRPCClient(conn)
	return s, nil
}

// Close releases the connection.
func (s *Sender) Close() error {
	if s.http != nil {
		s.http.CloseIdleConnections()
		return nil
	}
	return s.conn.Close()
}

// attemptError carries what a failed attempt says about the next one.
type attemptError struct {
	err   error
	retry bool
	// after is the waiting time that the server asked for; 0 for none.
	after time.Duration
}

func (e *attemptError) Error() string { return e.err.Error() }
func (e *attemptError) Unwrap() error { return e.err }

// Send delivers td. An error means that no attempt was answered with success;
// the server may nevertheless have taken an attempt whose answer was lost.
func (s *Sender) Send(ctx context.Context, td ptrace.Traces) (Result, error) {
	var res Result
	req := ptraceotlp.NewExportRequestFromTraces(td)
	var body []byte
	if s.http != nil {
		var err error
		if body, err = req.MarshalProto(); err != nil {
			return res, fmt.Errorf("encode request: %w", err)
		}
	}
	backoff := s.opt.MinBackoff
	for {
		err := s.attempt(ctx, req, body, &res)
		if err == nil {
			return res, nil
		}
		var ae *attemptError
		if ctx.Err() != nil || !errors.As(err, &ae) || !ae.retry || res.Retries >= int64(s.opt.MaxRetries) {
			return res, fmt.Errorf("send %d spans (attempt %d): %w", td.SpanCount(), res.Retries+1, err)
		}
		wait := ae.after
		if wait <= 0 {
			// Jitter keeps parallel senders from coming back together.
			wait = backoff/2 + rand.N(backoff/2+1)
			backoff = min(backoff*2, s.opt.MaxBackoff)
		}
		t := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			t.Stop()
			return res, fmt.Errorf("send %d spans: %w (last error: %w)", td.SpanCount(), ctx.Err(), err)
		case <-t.C:
		}
		res.Retries++
	}
}

func (s *Sender) attempt(ctx context.Context, req ptraceotlp.ExportRequest, body []byte, res *Result) error {
	ctx, cancel := context.WithTimeout(ctx, s.opt.Timeout)
	defer cancel()
	if s.http != nil {
		return s.attemptHTTP(ctx, body, res)
	}
	if len(s.opt.Headers) > 0 {
		ctx = metadata.NewOutgoingContext(ctx, metadata.New(s.opt.Headers))
	}
	var sent atomic.Int64
	resp, err := s.client.Export(context.WithValue(ctx, byteCounterKey{}, &sent), req)
	res.Bytes += sent.Load()
	if err != nil {
		return grpcError(err)
	}
	res.Rejected, res.Message = resp.PartialSuccess().RejectedSpans(), resp.PartialSuccess().ErrorMessage()
	return nil
}

// grpcError sorts statuses by the retry rules of the OTLP specification.
func grpcError(err error) error {
	st, _ := status.FromError(err)
	ae := &attemptError{err: err}
	for _, d := range st.Details() {
		if ri, ok := d.(*errdetails.RetryInfo); ok {
			ae.after = ri.GetRetryDelay().AsDuration()
			ae.retry = st.Code() == codes.ResourceExhausted
		}
	}
	switch st.Code() {
	case codes.Canceled, codes.DeadlineExceeded, codes.Aborted, codes.OutOfRange, codes.Unavailable, codes.DataLoss:
		ae.retry = true
	}
	return ae
}

func (s *Sender) attemptHTTP(ctx context.Context, body []byte, res *Result) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/x-protobuf")
	for k, v := range s.opt.Headers {
		r.Header.Set(k, v)
	}
	resp, err := s.http.Do(r)
	if err != nil {
		return &attemptError{err: err, retry: true}
	}
	defer func() { _ = resp.Body.Close() }()
	res.Bytes += int64(len(body))
	answer, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return &attemptError{err: err, retry: true}
	}
	if resp.StatusCode/100 != 2 {
		ae := &attemptError{err: fmt.Errorf("server answered %s: %s", resp.Status, excerpt(answer))}
		switch resp.StatusCode {
		case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
			ae.retry = true
			ae.after = retryafter.Parse(resp.Header.Get("Retry-After"), time.Now(), time.Hour)
		}
		return ae
	}
	out := ptraceotlp.NewExportResponse()
	if len(answer) > 0 && strings.HasPrefix(resp.Header.Get("Content-Type"), "application/x-protobuf") {
		if err := out.UnmarshalProto(answer); err != nil {
			return fmt.Errorf("decode answer: %w", err)
		}
	}
	res.Rejected, res.Message = out.PartialSuccess().RejectedSpans(), out.PartialSuccess().ErrorMessage()
	return nil
}

// excerpt makes an answer printable: protobuf answers hold control bytes.
func excerpt(b []byte) string {
	if len(b) > 200 {
		b = b[:200]
	}
	return strconv.QuoteToGraphic(string(b))
}

// byteCounter adds the size of each outgoing message to the counter in its
// context.
type byteCounter struct{}

type byteCounterKey struct{}

func (byteCounter) TagRPC(ctx context.Context, _ *stats.RPCTagInfo) context.Context { return ctx }
func (byteCounter) HandleRPC(ctx context.Context, s stats.RPCStats) {
	if out, ok := s.(*stats.OutPayload); ok {
		if n, ok := ctx.Value(byteCounterKey{}).(*atomic.Int64); ok {
			n.Add(int64(out.WireLength))
		}
	}
}
func (byteCounter) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context { return ctx }
func (byteCounter) HandleConn(context.Context, stats.ConnStats)                       {}

// MarshalText implements encoding.TextMarshaler.
func (p Protocol) MarshalText() ([]byte, error) { return []byte(p), nil }
