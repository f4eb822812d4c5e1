package queryextension

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/collector/extension"
	"go.opentelemetry.io/collector/extension/extensioncapabilities"
	"go.uber.org/zap"

	"github.com/llm-devops/llm-sentinel/extension/queryextension/internal/metadata"
	"github.com/llm-devops/llm-sentinel/internal/store"
)

var (
	errStorageNotFound = errors.New("storage extension not found")
	errStorageWrong    = errors.New("extension is not a storage extension for LLM events")
	errNotStarted      = errors.New("the extension is not started")
)

// drainTimeout bounds how long Shutdown waits for running requests; what still
// runs then is told to stop.
const (
	drainTimeout  = 10 * time.Second
	cancelTimeout = time.Second
)

var (
	_ extensioncapabilities.Dependent       = (*queryExtension)(nil)
	_ extensioncapabilities.PipelineWatcher = (*queryExtension)(nil)
	_ componentstatus.Watcher               = (*queryExtension)(nil)
)

type queryExtension struct {
	cfg       *Config
	set       extension.Settings
	telemetry *metadata.TelemetryBuilder
	health    *health

	provider store.Provider
	reader   atomic.Pointer[store.Reader]

	server   *server
	grpc     *grpcAPI // nil without
	http     *http.Server
	cancel   context.CancelFunc // ends all requests
	served   chan struct{}      // closed when the serve goroutine has ended
	listener net.Listener
}

func newExtension(cfg *Config, set extension.Settings) (*queryExtension, error) {
	tb, err := metadata.NewTelemetryBuilder(set.TelemetrySettings)
	if err != nil {
		return nil, err
	}
	return &queryExtension{cfg: cfg, set: set, telemetry: tb, health: newHealth()}, nil
}

// Dependencies makes the collector start what is asked here first, and stop it
// last.
func (e *queryExtension) Dependencies() []component.ID {
	ids := []component.ID{e.cfg.Storage}
	if e.cfg.HTTP.Auth.HasValue() {
		ids = append(ids, e.cfg.HTTP.Auth.Get().AuthenticatorID)
	}
	for _, m := range e.cfg.HTTP.Middlewares {
		ids = append(ids, m.ID)
	}
	if g := e.cfg.GRPC.Get(); g != nil {
		if g.Auth.HasValue() {
			ids = append(ids, g.Auth.Get().AuthenticatorID)
		}
		for _, m := range g.Middlewares {
			ids = append(ids, m.ID)
		}
	}
	return ids
}

// ComponentStatusChanged is called by the collector at any time, also before
// Start and after Shutdown.
func (e *queryExtension) ComponentStatusChanged(source *componentstatus.InstanceID, event *componentstatus.Event) {
	e.health.changed(source, event)
}

// Ready is called when all pipelines run.
func (e *queryExtension) Ready() error {
	e.health.setReady(true)
	e.grpc.setReady(true)
	return nil
}

// NotReady is called before the receivers stop.
func (e *queryExtension) NotReady() error {
	e.health.setReady(false)
	e.grpc.setReady(false)
	return nil
}

func (e *queryExtension) Start(ctx context.Context, host component.Host) error {
	provider, err := findStorage(host, e.cfg.Storage)
	if err != nil {
		return err
	}
	e.provider = provider

	base, cancel := context.WithCancel(context.WithoutCancel(ctx)) // Start's context ends with Start
	s := newServer(e.cfg, e.set, e.telemetry, e.health, e.storeReader)
	s.closing, s.extension = base.Done(), provider
	srv, err := s.httpServer(ctx, host, e.set.TelemetrySettings)
	if err != nil {
		cancel()
		return fmt.Errorf("http: %w", err)
	}
	srv.BaseContext = func(net.Listener) context.Context { return base }
	listener, err := e.cfg.HTTP.ToListener(ctx)
	if err != nil {
		cancel()
		err = errors.Join(err, s.closeCache())
		return fmt.Errorf("http::endpoint %s: %w", e.cfg.HTTP.NetAddr.Endpoint, err)
	}

	e.grpc, err = startGRPC(ctx, s, host, e.set.TelemetrySettings)
	if err != nil {
		cancel()
		return errors.Join(err, listener.Close(), s.closeCache())
	}

	e.server, e.http, e.cancel, e.listener = s, srv, cancel, listener
	e.served = make(chan struct{})
	go func() {
		defer close(e.served)
		if err := srv.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			componentstatus.ReportStatus(host, componentstatus.NewFatalErrorEvent(fmt.Errorf("query server stopped: %w", err)))
		}
	}()
	e.set.Logger.Info("query interface is up", zap.Stringer("address", listener.Addr()), zap.Stringer("storage", e.cfg.Storage))
	return nil
}

func newServer(cfg *Config, set extension.Settings, tb *metadata.TelemetryBuilder, h *health, reader func(context.Context) (store.Reader, error)) *server {
	s := &server{
		cfg: cfg, logger: set.Logger, telemetry: tb, version: set.BuildInfo.Version,
		now: time.Now, reader: reader, health: h, metrics: newMetricsClient(),
		slots: make(chan struct{}, cfg.MaxConcurrentRequests), streams: make(chan struct{}, cfg.MaxStreams), draining: make(chan struct{}),
	}
	s.endStreams = sync.OnceFunc(func() { close(s.draining) })
	s.poller = &poller{reader: reader, logger: set.Logger, now: func() time.Time { return s.now() }}
	s.storage = &pinger{now: time.Now, ping: func(ctx context.Context) error {
		r, err := reader(ctx)
		if err != nil {
			return err
		}
		return r.Ping(ctx)
	}}
	s.answers = &answers{server: s}
	s.limiter = newLimiter(&cfg.RateLimit)
	s.routes = s.routeTable()
	names := make([]string, len(s.routes))
	for i, rt := range s.routes {
		names[i] = rt.path
	}
	s.labels = newLabelSets(append(names, grpcMethods()...))
	return s
}

// findStorage looks the storage extension up by the id of the configuration.
func findStorage(host component.Host, id component.ID) (store.Provider, error) {
	ext, ok := host.GetExtensions()[id]
	if !ok {
		return nil, fmt.Errorf("storage %q: %w: add it to extensions and to service::extensions", id, errStorageNotFound)
	}
	provider, ok := ext.(store.Provider)
	if !ok {
		return nil, fmt.Errorf("storage %q: %w", id, errStorageWrong)
	}
	return provider, nil
}

// storeReader asks the storage extension for its reader until it has given one:
// a backend that is down when the collector starts must not stop it.
func (e *queryExtension) storeReader(ctx context.Context) (store.Reader, error) {
	if r := e.reader.Load(); r != nil {
		return *r, nil
	}
	if e.provider == nil {
		return nil, errNotStarted
	}
	r, err := e.provider.StoreReader(ctx)
	if err != nil {
		return nil, err
	}
	e.reader.Store(&r)
	return r, nil
}

// Shutdown stops taking requests and waits for the running ones until the
// context ends or drainTimeout has passed; then it cancels them.
func (e *queryExtension) Shutdown(ctx context.Context) error {
	e.health.setReady(false)
	if e.http == nil {
		return nil
	}
	defer e.telemetry.Shutdown()
	e.server.endStreams()
	drain, stop := context.WithTimeout(ctx, drainTimeout)
	defer stop()
	err := e.http.Shutdown(drain)
	e.grpc.stop(drain)
	e.cancel()
	if err != nil {
		e.set.Logger.Warn("requests were cut off at shutdown", zap.Error(err))
		// Cancelled handlers end at once and can still answer; they must be gone
		// before the storage is.
		last, stop := context.WithTimeout(context.WithoutCancel(ctx), cancelTimeout)
		defer stop()
		if err = e.http.Shutdown(last); err != nil {
			err = e.http.Close()
		}
	}
	<-e.served
	e.server.poller.wait()
	e.server.storage.wait(ctx)
	e.server.metrics.CloseIdleConnections()
	e.http = nil
	return errors.Join(err, e.server.closeCache())
}
