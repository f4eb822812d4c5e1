package genaiprocessor

import (
	"context"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/processor"

	"github.com/llm-devops/llm-sentinel/internal/shared"
)

// engines are those of the component ids, by configuration: the instances of one
// share a ledger.
type engines = shared.Set[*Config, *engine]

// lease is one instance's share of an engine.
type lease struct{ *shared.Lease[*engine] }

func newLease(e *engines, set processor.Settings, cfg *Config) (lease, error) {
	l, err := e.Lease(cfg, func() (*engine, error) { return newEngine(set, cfg) })
	return lease{l}, err
}

// start starts the engine with the first instance.
func (l lease) start(ctx context.Context, _ component.Host) error {
	return l.Start(func(e *engine) error { return e.start(ctx) })
}

// shutdown stops the engine with the last instance.
func (l lease) shutdown(context.Context) error {
	return l.Stop(func(e *engine) error {
		e.shutdown()
		return nil
	})
}
