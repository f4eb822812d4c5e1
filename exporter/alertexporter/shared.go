package alertexporter

import (
	"context"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/llm-devops/llm-sentinel/internal/anomaly"
	"github.com/llm-devops/llm-sentinel/internal/shared"
)

// instances makes traces and logs of one component id share one exporter: the
// same anomaly must not be told twice because it came both ways, and a
// persistent queue has one owner.
type instances = shared.Set[*Config, *alertExporter]

// lease is the share of one signal in an exporter.
type lease struct {
	*alertExporter
	share *shared.Lease[*alertExporter]
}

func newLease(ctx context.Context, in *instances, set exporter.Settings, cfg *Config) (*lease, error) {
	l, err := in.Lease(cfg, func() (*alertExporter, error) { return newAlertExporter(ctx, set, cfg) })
	if err != nil {
		return nil, err
	}
	return &lease{alertExporter: l.Value, share: l}, nil
}

// Start starts the exporter with the first of its leases.
func (l *lease) Start(ctx context.Context, host component.Host) error {
	return l.share.Start(func(e *alertExporter) error { return e.Start(ctx, host) })
}

// Shutdown stops the exporter with the last of its leases that is started.
func (l *lease) Shutdown(ctx context.Context) error {
	return l.share.Stop(func(e *alertExporter) error { return e.Shutdown(ctx) })
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
