package storageextension

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/collector/extension"
	"go.opentelemetry.io/collector/extension/extensioncapabilities"
	"go.uber.org/zap"

	"github.com/llm-devops/llm-sentinel/extension/storageextension/internal/metadata"
	"github.com/llm-devops/llm-sentinel/internal/store"
)

var (
	_ extension.Extension             = (*storageExtension)(nil)
	_ extensioncapabilities.Dependent = (*storageExtension)(nil)
	_ store.Provider                  = (*storageExtension)(nil)

	errNotStarted = errors.New("the storage extension is not started")
)

type storageExtension struct {
	cfg       *Config
	set       extension.Settings
	telemetry *metadata.TelemetryBuilder

	mu struct {
		sync.Mutex
		backend *observed
	}
}

func newExtension(cfg *Config, set extension.Settings) (*storageExtension, error) {
	tb, err := metadata.NewTelemetryBuilder(set.TelemetrySettings)
	if err != nil {
		return nil, err
	}
	return &storageExtension{cfg: cfg, set: set, telemetry: tb}, nil
}

// Dependencies names the extensions that the backend needs.
func (e *storageExtension) Dependencies() []component.ID {
	kind, err := e.cfg.backend()
	if err != nil || kind.needs == nil {
		return nil // Start tells
	}
	return kind.needs(e.cfg)
}

// Start opens the backend. The embedded one must open, or the collector does
// not start: to go on without it would lose data in silence.
func (e *storageExtension) Start(ctx context.Context, host component.Host) error {
	kind, err := e.cfg.backend()
	if err != nil {
		return err
	}
	b, err := kind.open(ctx, e.cfg, environment{
		logger: e.set.Logger, host: host, telemetry: e.set.TelemetrySettings,
		health: func(err error) { reportHealth(host, err) },
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
	e.mu.backend = o
	e.set.Logger.Info("storage is open", zap.String("backend", kind.name))
	return nil
}

func reportHealth(host component.Host, err error) {
	if err != nil {
		componentstatus.ReportStatus(host, componentstatus.NewRecoverableErrorEvent(err))
	} else {
		componentstatus.ReportStatus(host, componentstatus.NewEvent(componentstatus.StatusOK))
	}
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

// Shutdown flushes and closes the backend. Readers and writers that are still
// held get store.ErrClosed from then on.
func (e *storageExtension) Shutdown(ctx context.Context) error {
	e.telemetry.Shutdown()
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.mu.backend == nil {
		return nil
	}
	return e.mu.backend.Close(ctx)
}
