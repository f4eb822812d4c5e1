package anomalyprocessor

import (
	"context"
	"sync"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/processor"
)

// engines makes the instances of one component id share one engine. The
// collector builds an instance for each pipeline and signal;
// all of them get the same *Config, which therefore is the identity. A reloaded
// configuration is a new *Config and gets a new engine.
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

func newEngines() *engines {
	return &engines{byConfig: map[*Config]*shared{}}
}

// lease is one instance's share of an engine.
type lease struct {
	*shared
	release func()
	// next is what stands behind the instance.
	next   outlet
	detach func()

	mu     sync.Mutex
	active bool
}

func (e *engines) lease(set processor.Settings, cfg *Config, next outlet) (*lease, error) {
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
	return &lease{shared: s, next: next, release: func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		delete(e.byConfig, cfg)
	}}, nil
}

// start starts the engine with the first instance.
func (l *lease) start(ctx context.Context, host component.Host) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.shared.mu.Lock()
	defer l.shared.mu.Unlock()
	if l.active {
		return nil
	}
	if l.started == 0 {
		if err := l.engine.start(ctx, host); err != nil {
			return err
		}
	}
	l.started++
	l.active = true
	l.detach = l.engine.attach(l.next)
	return nil
}

// shutdown stops the engine with the last instance. It does nothing for an
// instance that was never started or is stopped already.
func (l *lease) shutdown(ctx context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.shared.mu.Lock()
	defer l.shared.mu.Unlock()
	if !l.active {
		return nil
	}
	l.active = false
	l.detach()
	l.started--
	if l.started > 0 {
		return nil
	}
	l.release()
	return l.engine.shutdown(ctx)
}
