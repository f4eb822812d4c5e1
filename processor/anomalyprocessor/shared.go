package anomalyprocessor

import (
	"context"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/processor"

	"github.com/llm-devops/llm-sentinel/internal/shared"
)

// engines are those of the component ids, by configuration.
type engines = shared.Set[*Config, *engine]

// lease is one instance's share of an engine.
type lease struct {
	*shared.Lease[*engine]
	// next is what stands behind the instance, and detach takes it from the
	// engine; nil while the instance does not run.
	next   outlet
	detach func()
}

func newLease(e *engines, set processor.Settings, cfg *Config, next outlet) (*lease, error) {
	l, err := e.Lease(cfg, func() (*engine, error) { return newEngine(set, cfg) })
	if err != nil {
		return nil, err
	}
	return &lease{Lease: l, next: next}, nil
}

// start starts the engine with the first instance.
func (l *lease) start(ctx context.Context, host component.Host) error {
	if err := l.Start(func(e *engine) error { return e.start(ctx, host) }); err != nil {
		return err
	}
	if l.detach == nil {
		l.detach = l.Value.attach(l.next)
	}
	return nil
}

// shutdown stops the engine with the last instance.
func (l *lease) shutdown(ctx context.Context) error {
	if l.detach != nil {
		l.detach()
		l.detach = nil
	}
	return l.Stop(func(e *engine) error { return e.shutdown(ctx) })
}
