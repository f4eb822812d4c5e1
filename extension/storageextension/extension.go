package storageextension

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"sync"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/extension"
	"go.uber.org/zap"

	"github.com/llm-devops/llm-sentinel/extension/storageextension/internal/metadata"
	"github.com/llm-devops/llm-sentinel/internal/store"
)

var (
	_ extension.Extension = (*storageExtension)(nil)
	_ store.Provider      = (*storageExtension)(nil)
	_ store.EngineHost    = (*storageExtension)(nil)
	_ store.Feed          = (*storageExtension)(nil)

	errNotStarted = errors.New("the storage extension is not started")
)

type storageExtension struct {
	cfg       *Config
	set       extension.Settings
	telemetry *metadata.TelemetryBuilder

	mu struct {
		sync.Mutex
		backend *observed
		engines *engines
		closed  bool
	}
	// cancel and done end and await the background work.
	cancel context.CancelFunc
	done   sync.WaitGroup
}

func newExtension(cfg *Config, set extension.Settings) (*storageExtension, error) {
	tb, err := metadata.NewTelemetryBuilder(set.TelemetrySettings)
	if err != nil {
		return nil, err
	}
	return &storageExtension{cfg: cfg, set: set, telemetry: tb}, nil
}

// Start opens the backend. The embedded one must open, or the collector does
// not start: to go on without it would lose data in silence.
func (e *storageExtension) Start(ctx context.Context, host component.Host) error {
	kind, err := e.cfg.backend()
	if err != nil {
		return err
	}
	state := &health{host: host}
	b, err := kind.open(ctx, e.cfg, environment{
		logger: e.set.Logger,
		health: func(err error) { state.report(partBackend, err) },
	})
	if err != nil {
		return fmt.Errorf("%s: %w", kind.name, err)
	}
	o := observe(b, e.set.ID, e.telemetry)
	if err := o.register(); err != nil {
		return errors.Join(err, b.Close(ctx))
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.mu.backend, e.mu.engines = o, &engines{backend: o, log: e.set.Logger}
	o.feed.open()
	e.set.Logger.Info("storage is open", zap.String("backend", kind.name))
	e.work(ctx, state)
	return nil
}

// work starts the background work.
func (e *storageExtension) work(ctx context.Context, state *health) {
	ctx, e.cancel = context.WithCancel(context.WithoutCancel(ctx))
	p := &puller{
		engines: e.mu.engines, backend: e.mu.backend, telemetry: e.telemetry, storage: e.mu.backend.storage, log: e.set.Logger,
		report: func(err error) { state.report(partBaselines, err) }, maxSeries: e.cfg.Baselines.MaxSeries, seed: maphash.MakeSeed(),
	}
	e.done.Go(func() { p.run(ctx, e.cfg.Baselines.Interval) })
}

func (e *storageExtension) opened() (*observed, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.mu.backend == nil {
		return nil, fmt.Errorf("%s: %w", e.set.ID, errNotStarted)
	}
	return e.mu.backend, nil
}

// StoreReader implements [store.Provider].
func (e *storageExtension) StoreReader(context.Context) (store.Reader, error) {
	b, err := e.opened()
	if err != nil {
		return nil, err
	}
	return b, nil
}

// StoreWriter implements [store.Provider].
func (e *storageExtension) StoreWriter(context.Context) (store.Writer, error) {
	b, err := e.opened()
	if err != nil {
		return nil, err
	}
	return b, nil
}

func (e *storageExtension) host() (*engines, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case e.mu.closed:
		return nil, fmt.Errorf("%s: %w", e.set.ID, store.ErrClosed)
	case e.mu.engines == nil:
		return nil, fmt.Errorf("%s: %w", e.set.ID, errNotStarted)
	}
	return e.mu.engines, nil
}

// RegisterEngine implements [store.EngineHost].
func (e *storageExtension) RegisterEngine(ctx context.Context, engine store.Engine) (unregister func(), err error) {
	h, err := e.host()
	if err != nil {
		return nil, err
	}
	return h.register(ctx, engine), nil
}

// GiveFeedback implements [store.EngineHost].
func (e *storageExtension) GiveFeedback(ctx context.Context, f store.Feedback) error {
	h, err := e.host()
	if err != nil {
		return err
	}
	return h.give(ctx, f)
}

// LiveBaselines implements [store.EngineHost].
func (e *storageExtension) LiveBaselines(yield func(engine string, b store.Baseline) bool) {
	if h, err := e.host(); err == nil {
		h.live(yield)
	}
}

// Subscribe implements [store.Feed].
func (e *storageExtension) Subscribe(ctx context.Context, buffer int) <-chan store.FeedItem {
	if b, err := e.opened(); err == nil {
		return b.feed.subscribe(ctx, buffer)
	}
	closed := make(chan store.FeedItem)
	close(closed)
	return closed
}

// Shutdown flushes and closes the backend. Readers and writers that are still
// held get store.ErrClosed from then on, engines are not called any more, and
// subscriptions end.
func (e *storageExtension) Shutdown(ctx context.Context) error {
	e.telemetry.Shutdown()
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.mu.backend == nil {
		return nil
	}
	if !e.mu.closed {
		e.mu.closed = true
		e.cancel()
		e.mu.engines.close()
		e.done.Wait()
		e.mu.backend.feed.close()
	}
	return e.mu.backend.Close(ctx)
}
