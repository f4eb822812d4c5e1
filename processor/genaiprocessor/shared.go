package genaiprocessor

import (
	"context"
	"sync"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/processor"
)

// engines makes the instances of one component id share one engine, and so one
// ledger. The collector builds an instance for each pipeline; all of them get the
// same *Config, which therefore is the identity.
type engines struct {
	mu       sync.Mutex
	byConfig map[*Config]*shared
}

// shared counts the started instances of an engine.
type shared struct {
	engine *engine

	mu      sync.Mutex
	started int
}

func newEngines() *engines { return &engines{byConfig: map[*Config]*shared{}} }

// lease is one instance's share of an engine.
type lease struct {
	*shared
	release func()
	active  bool
}

func (e *engines) lease(set processor.Settings, cfg *Config) (*lease, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	s, ok := e.byConfig[cfg]
	if !ok {
		eng, err := newEngine(set, cfg)
		if err != nil {
			return nil, err
		}
		s = &shared{engine: eng}
		e.byConfig[cfg] = s
	}
	return &lease{shared: s, release: func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		delete(e.byConfig, cfg)
	}}, nil
}

// start starts the engine with the first instance.
func (l *lease) start(ctx context.Context, _ component.Host) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.active {
		return nil
	}
	if l.started == 0 {
		if err := l.engine.start(ctx); err != nil {
			return err
		}
	}
	l.started++
	l.active = true
	return nil
}

// shutdown stops the engine with the last instance. It does nothing for an
// instance that was never started or is stopped already.
func (l *lease) shutdown(context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.active {
		return nil
	}
	l.active = false
	l.started--
	if l.started == 0 {
		l.release()
		l.engine.shutdown()
	}
	return nil
}
