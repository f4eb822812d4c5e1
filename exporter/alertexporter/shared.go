package alertexporter

import (
	"context"
	"sync"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/llm-devops/llm-sentinel/internal/anomaly"
)

// instances makes traces and logs of one component id share one exporter: the
// same anomaly must not be told twice because it came both ways, and a
// persistent queue has one owner. Both get the same *Config, which therefore is
// the identity.
type instances struct {
	mu       sync.Mutex
	byConfig map[*Config]*instance
}

// instance counts the leases of an exporter that are started.
type instance struct {
	exporter *alertExporter

	mu      sync.Mutex
	started int
}

// lease is the share of one signal in an exporter.
type lease struct {
	*alertExporter
	of     *instance
	forget func()

	mu              sync.Mutex
	active, stopped bool
}

func (l *instances) lease(ctx context.Context, set exporter.Settings, cfg *Config) (*lease, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	in, ok := l.byConfig[cfg]
	if !ok {
		e, err := newAlertExporter(ctx, set, cfg)
		if err != nil {
			return nil, err
		}
		in = &instance{exporter: e}
		l.byConfig[cfg] = in
	}
	return &lease{alertExporter: in.exporter, of: in, forget: func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.byConfig, cfg)
	}}, nil
}

// Start starts the exporter with the first of its leases.
func (l *lease) Start(ctx context.Context, host component.Host) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.of.mu.Lock()
	defer l.of.mu.Unlock()
	if l.active {
		return nil
	}
	if l.of.started == 0 {
		if err := l.alertExporter.Start(ctx, host); err != nil {
			return err
		}
	}
	l.of.started++
	l.active = true
	return nil
}

// Shutdown stops the exporter with the last of its leases that is started. A
// lease that never was started stops an exporter that nobody uses.
func (l *lease) Shutdown(ctx context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.of.mu.Lock()
	defer l.of.mu.Unlock()
	if l.stopped {
		return nil
	}
	l.stopped = true
	if l.active {
		l.active = false
		l.of.started--
	}
	if l.of.started > 0 {
		return nil
	}
	l.forget()
	return l.alertExporter.Shutdown(ctx)
}

// ConsumeLogs queues the anomalies that are log records of their own, see
// [alertExporter.ConsumeTraces].
func (l *lease) ConsumeLogs(ctx context.Context, ld plog.Logs) error {
	td := anomaly.LogsAsTraces(ld)
	if td.SpanCount() == 0 {
		return nil
	}
	return l.ConsumeTraces(ctx, td)
}
