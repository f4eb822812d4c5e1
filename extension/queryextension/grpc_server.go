package queryextension

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"net/http"
	"runtime/debug"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/google/uuid"
	"go.opentelemetry.io/collector/client"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/collector/config/configgrpc"
	"go.uber.org/zap"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	grpchealth "google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/reflection"
	"google.golang.org/grpc/status"

	queryv1 "github.com/llm-devops/llm-sentinel/api/sentinel/query/v1"
)

const defaultGRPCEndpoint = "localhost:8081"

func defaultGRPC() configgrpc.ServerConfig {
	cfg := configgrpc.NewDefaultServerConfig()
	cfg.NetAddr.Endpoint = defaultGRPCEndpoint
	cfg.MaxRecvMsgSizeMiB = 1
	cfg.MaxConcurrentStreams = 100
	return cfg
}

// grpcAPI serves the questions of the HTTP interface over gRPC.
type grpcAPI struct {
	queryv1.UnimplementedQueryServer
	*server
	grpc     *grpc.Server
	health   *grpchealth.Server
	listener net.Listener
	served   chan struct{}
	// workers are calls that may outlive their handler for a moment.
	workers sync.WaitGroup
}

// grpcMethods are the full names of the methods of the service.
func grpcMethods() []string {
	var names []string
	for _, m := range queryv1.Query_ServiceDesc.Methods {
		names = append(names, methodName(m.MethodName))
	}
	for _, m := range queryv1.Query_ServiceDesc.Streams {
		names = append(names, methodName(m.StreamName))
	}
	return names
}

func methodName(short string) string {
	return "/" + queryv1.Query_ServiceDesc.ServiceName + "/" + short
}

// startGRPC returns nil without a configuration.
func startGRPC(ctx context.Context, s *server, host component.Host, set component.TelemetrySettings) (*grpcAPI, error) {
	cfg := s.cfg.GRPC.Get()
	if cfg == nil {
		return nil, nil
	}
	g := &grpcAPI{server: s, health: grpchealth.NewServer(), served: make(chan struct{})}
	var err error
	g.grpc, err = cfg.ToServer(ctx, host.GetExtensions(), set,
		configgrpc.WithGrpcServerOption(grpc.ChainUnaryInterceptor(g.unary)),
		configgrpc.WithGrpcServerOption(grpc.ChainStreamInterceptor(g.stream)))
	if err != nil {
		return nil, fmt.Errorf("grpc: %w", err)
	}
	queryv1.RegisterQueryServer(g.grpc, g)
	grpc_health_v1.RegisterHealthServer(g.grpc, g.health)
	reflection.Register(g.grpc)
	g.setReady(false)
	g.listener, err = cfg.NetAddr.Listen(ctx)
	if err != nil {
		return nil, fmt.Errorf("grpc::endpoint %s: %w", cfg.NetAddr.Endpoint, err)
	}
	go func() {
		defer close(g.served)
		if err := g.grpc.Serve(g.listener); err != nil && !errors.Is(err, grpc.ErrServerStopped) {
			componentstatus.ReportStatus(host, componentstatus.NewFatalErrorEvent(fmt.Errorf("query server stopped: %w", err)))
		}
	}()
	return g, nil
}

// setReady is what the health service tells.
func (g *grpcAPI) setReady(ready bool) {
	if g == nil {
		return
	}
	state := grpc_health_v1.HealthCheckResponse_NOT_SERVING
	if ready {
		state = grpc_health_v1.HealthCheckResponse_SERVING
	}
	g.health.SetServingStatus("", state)
	g.health.SetServingStatus(queryv1.Query_ServiceDesc.ServiceName, state)
}

// stop waits for running calls until ctx ends, then ends them.
func (g *grpcAPI) stop(ctx context.Context) {
	if g == nil {
		return
	}
	g.health.Shutdown()
	graceful := make(chan struct{})
	go func() {
		defer close(graceful)
		g.grpc.GracefulStop()
	}()
	select {
	case <-graceful:
	case <-ctx.Done():
		g.grpc.Stop()
		<-graceful
	}
	<-g.served
	g.workers.Wait()
}

// admit applies the limits that hold for every call. release must be called.
func (g *grpcAPI) admit(ctx context.Context, slots chan struct{}, reason string) (release func(), e *apiError) {
	if g.limiter != nil {
		info := client.FromContext(ctx)
		remote := ""
		if info.Addr != nil {
			remote = info.Addr.String()
		}
		ok, wait := g.limiter.allow(g.limiter.clientOf(info, remote, metadata.ValueFromIncomingContext(ctx, "x-forwarded-for")))
		if !ok {
			g.reject(ctx, rejectedRate)
			return nil, tooMany(fmt.Sprintf("more than %g requests a second; try again in %d s", g.limiter.rate, retrySeconds(wait)))
		}
	}
	select {
	case slots <- struct{}{}:
		return func() { <-slots }, nil
	default:
		g.reject(ctx, reason)
		return nil, tooMany("too many calls are being answered; try again later")
	}
}

func tooMany(message string) *apiError {
	return &apiError{status: http.StatusTooManyRequests, code: codeTooManyRequests, message: message}
}

// unary stands around the calls with one answer.
func (g *grpcAPI) unary(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (resp any, err error) {
	if !slices.Contains(grpcMethods(), info.FullMethod) {
		return handler(ctx, req)
	}
	ctx, done := g.begin(ctx, info.FullMethod)
	defer func() { err = done(recover(), err) }()
	release, e := g.admit(ctx, g.slots, rejectedBusy)
	if e != nil {
		return nil, e
	}
	defer release()
	ctx, cancel := context.WithTimeoutCause(ctx, g.cfg.RequestTimeout, errRequestTimeout)
	defer cancel()
	resp, err = handler(ctx, req)
	if err != nil {
		err = g.refusal(ctx, info.FullMethod, err)
	}
	return resp, err
}

// stream stands around the calls with many answers. They may take any time, but
// must get on: request_timeout bounds the time from one chunk to the next, also
// when it is the client that does not read. The call runs in a goroutine of its
// own, because a client that does not read can only be left by returning.
func (g *grpcAPI) stream(srv any, ss grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) (err error) {
	if !slices.Contains(grpcMethods(), info.FullMethod) {
		return handler(srv, ss)
	}
	ctx, done := g.begin(ss.Context(), info.FullMethod)
	defer func() { err = done(recover(), err) }()
	endless := info.FullMethod == queryv1.Query_StreamAnomalies_FullMethodName
	slots, reason := g.slots, rejectedBusy
	if endless {
		slots, reason = g.streams, rejectedStreams
	}
	release, e := g.admit(ctx, slots, reason)
	if e != nil {
		return e
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	paced := &pacedStream{ServerStream: ss, ctx: ctx, limit: g.cfg.RequestTimeout, endless: endless}
	paced.timer = time.AfterFunc(paced.limit, func() { cancel(errRequestTimeout) })
	if endless {
		paced.timer.Stop()
	}
	type result struct {
		err      error
		panicked any
		stack    []byte
	}
	results := make(chan result, 1)
	g.workers.Go(func() {
		var r result
		defer func() {
			if r.panicked = recover(); r.panicked != nil {
				r.stack = debug.Stack()
			}
			paced.timer.Stop()
			release()
			results <- r
		}()
		r.err = handler(srv, paced)
	})
	select {
	case r := <-results:
		if r.panicked != nil {
			return g.panicked(ctx, r.panicked, r.stack)
		}
		if r.err != nil {
			return g.refusal(ctx, info.FullMethod, r.err)
		}
		return nil
	case <-ctx.Done():
		return g.refusal(ctx, info.FullMethod, ctx.Err())
	}
}

// pacedStream is a stream whose timer is set anew by each chunk.
type pacedStream struct {
	grpc.ServerStream
	ctx     context.Context
	timer   *time.Timer
	limit   time.Duration
	endless bool // wait for what is to be sent is not limited
}

func (p *pacedStream) Context() context.Context { return p.ctx }

func (p *pacedStream) SendMsg(m any) error {
	if p.endless {
		p.timer.Reset(p.limit)
		defer p.timer.Stop()
		return p.ServerStream.SendMsg(m)
	}
	if err := p.ServerStream.SendMsg(m); err != nil {
		return err
	}
	p.timer.Reset(p.limit)
	return p.ctx.Err()
}

// begin counts the call, and returns what ends it: that turns a panic and an
// error into the status that the client sees.
func (g *grpcAPI) begin(ctx context.Context, method string) (context.Context, func(any, error) error) {
	began := time.Now()
	info := &requestInfo{id: uuid.NewString(), route: method}
	ctx = context.WithValue(ctx, requestInfoKey{}, info)
	g.telemetry.APIRequestsInFlight.Add(ctx, 1)
	return ctx, func(panicked any, err error) error {
		if panicked != nil {
			err = g.panicked(ctx, panicked, debug.Stack())
		}
		httpStatus := http.StatusOK
		var e *apiError
		if errors.As(err, &e) {
			httpStatus = e.status
			err = e.grpcStatus(info.id)
		} else if err != nil {
			httpStatus = http.StatusInternalServerError
		}
		counted := context.WithoutCancel(ctx)
		opt := g.labels.of(method, httpStatus)
		g.telemetry.APIRequestsInFlight.Add(counted, -1)
		g.telemetry.APIRequestsTotal.Add(counted, 1, opt)
		g.telemetry.APIRequestDurationSeconds.Record(counted, time.Since(began).Seconds(), opt)
		return err
	}
}

func (g *grpcAPI) panicked(ctx context.Context, v any, stack []byte) error {
	g.telemetry.APIPanicsTotal.Add(context.WithoutCancel(ctx), 1)
	g.logger.Error("request handler panicked", zap.String("request_id", infoOf(ctx).id), zap.Any("panic", v), zap.ByteString("stack", stack))
	return &apiError{status: http.StatusInternalServerError, code: codeInternal, message: "the call failed inside the server; see the collector's log"}
}

// grpcStatus is the refusal as a status, with the code of the HTTP interface.
func (e *apiError) grpcStatus(requestID string) error {
	code := codes.Internal
	switch e.status {
	case http.StatusBadRequest, http.StatusRequestEntityTooLarge:
		code = codes.InvalidArgument
		if e.code == codeUnsupported {
			code = codes.Unimplemented
		}
	case http.StatusNotFound:
		code = codes.NotFound
	case http.StatusRequestTimeout:
		code = codes.DeadlineExceeded
	case http.StatusTooManyRequests:
		code = codes.ResourceExhausted
	case statusClientClosed:
		code = codes.Canceled
	case http.StatusServiceUnavailable:
		code = codes.Unavailable
	}
	info := &errdetails.ErrorInfo{Reason: e.code, Domain: "llm-sentinel", Metadata: map[string]string{"request_id": requestID}}
	if name, ok := e.details["parameter"].(string); ok {
		info.Metadata["parameter"] = name
	}
	st := status.New(code, e.message)
	if detailed, err := st.WithDetails(info); err == nil {
		st = detailed
	}
	return st.Err()
}

// maxGRPCLimit bounds the rows of one streamed answer.
const maxGRPCLimit = 10_000_000

// rowLimit reads a limit; 0 stands for a default.
func rowLimit(n, most int64) (int, *apiError) {
	if n == 0 {
		n = 10_000
	}
	if n < 0 || n > most || n > math.MaxInt32 {
		return 0, badParameter(codeInvalidLimit, "limit", strconv.FormatInt(n, 10), fmt.Sprintf("a whole number from 0 to %d", most))
	}
	return int(n), nil
}
