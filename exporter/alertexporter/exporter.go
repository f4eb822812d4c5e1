package alertexporter

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/exporter/exporterhelper"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.uber.org/zap"

	"github.com/llm-devops/llm-sentinel/exporter/alertexporter/internal/metadata"
	"github.com/llm-devops/llm-sentinel/internal/anomaly"
)

// alertExporter reduces each batch to its anomalies and hands each of them to
// every target. A target is an exporter of its own behind its own queue and
// retry, so that a dead one delays no other.
type alertExporter struct {
	logger      *zap.Logger
	minSeverity anomaly.Severity
	// sendResolved: the ends of alerts are told.
	sendResolved bool
	tb           *metadata.TelemetryBuilder
	id           attribute.KeyValue
	health       *healthBoard
	deliveries   []*delivery

	undecodable  metric.MeasurementOption
	logBadOnce   sync.Once
	shutdownOnce sync.Once
	shutdownErr  error
}

var _ exporter.Traces = (*alertExporter)(nil)

func newAlertExporter(ctx context.Context, set exporter.Settings, cfg *Config) (*alertExporter, error) {
	tb, err := metadata.NewTelemetryBuilder(set.TelemetrySettings)
	if err != nil {
		return nil, err
	}
	e := &alertExporter{
		logger:       set.Logger,
		minSeverity:  cfg.MinSeverity,
		sendResolved: cfg.SendResolved,
		tb:           tb,
		id:           attribute.String("exporter", set.ID.String()),
		health:       newHealthBoard(),
	}
	e.undecodable = metric.WithAttributes(e.id, attribute.String("reason", "malformed"))
	for _, spec := range targetSpecs {
		if !spec.configured(cfg) {
			continue
		}
		d, err := newDelivery(ctx, set, cfg, spec, e)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", spec.name, err)
		}
		e.deliveries = append(e.deliveries, d)
	}
	return e, nil
}

// Capabilities implements consumer.Traces: the data is only read.
func (*alertExporter) Capabilities() consumer.Capabilities {
	return consumer.Capabilities{MutatesData: false}
}

// Start starts the targets; when one fails, all are stopped.
func (e *alertExporter) Start(ctx context.Context, host component.Host) error {
	e.health.host = host
	if err := e.observe(); err != nil {
		return errors.Join(err, e.Shutdown(ctx))
	}
	for _, d := range e.deliveries {
		if err := d.inner.Start(ctx, host); err != nil {
			return errors.Join(fmt.Errorf("start %s: %w", d.spec.name, err), e.Shutdown(ctx))
		}
	}
	return nil
}

// observe registers the gauges.
func (e *alertExporter) observe() error {
	err := e.tb.RegisterDeduplicationEntriesCallback(func(_ context.Context, o metric.Int64Observer) error {
		for _, d := range e.deliveries {
			o.Observe(int64(d.dedup.size()), d.attrs)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return e.tb.RegisterAlertTargetUpCallback(func(_ context.Context, o metric.Int64Observer) error {
		for _, d := range e.deliveries {
			if up, known := e.health.up(d.spec.name); known {
				o.Observe(oneIf(up), d.attrs)
			}
		}
		return nil
	})
}

// Shutdown drains the queues with one attempt for each notification and stops
// the targets. What a persistent queue still holds is sent after a restart.
func (e *alertExporter) Shutdown(ctx context.Context) error {
	e.shutdownOnce.Do(func() {
		// At once, so that a slow target does not use up the time of the others.
		errs := make([]error, len(e.deliveries))
		var wg sync.WaitGroup
		for i, d := range e.deliveries {
			wg.Go(func() { errs[i] = d.inner.Shutdown(ctx) })
		}
		wg.Wait()
		e.tb.Shutdown()
		e.shutdownErr = errors.Join(errs...)
	})
	return e.shutdownErr
}

// ConsumeTraces queues the anomalies of td. An error means that at least one
// target did not take at least one of them; sending td again is then safe,
// since what was delivered is recognised by its id.
func (e *alertExporter) ConsumeTraces(ctx context.Context, td ptrace.Traces) error {
	var f failures
	extract(td, e.minSeverity,
		func(a anomaly.Anomaly) {
			for _, d := range e.deliveries {
				f.add(d.offer(ctx, a))
			}
		},
		func(err error) { e.dropUndecodable(ctx, err) })
	if e.sendResolved {
		extractEnds(td,
			func(r anomaly.Resolution) {
				for _, d := range e.deliveries {
					f.add(d.offerEnd(ctx, r))
				}
			},
			func(err error) { e.dropUndecodable(ctx, err) })
	}
	return f.err()
}

// failures sums up a batch. One retryable failure makes the whole retryable,
// because a sender that sees a permanent error drops the batch.
type failures struct {
	n                    int
	retryable, permanent error // the first of each
}

func (f *failures) add(err error) {
	if err == nil {
		return
	}
	f.n++
	first := &f.retryable
	if consumererror.IsPermanent(err) {
		first = &f.permanent
	}
	if *first == nil {
		*first = err
	}
}

func (f *failures) err() error {
	first := f.retryable
	if first == nil {
		first = f.permanent
	}
	if f.n > 1 {
		return fmt.Errorf("%w (and %d more)", first, f.n-1)
	}
	return first
}

func (e *alertExporter) dropUndecodable(ctx context.Context, err error) {
	e.tb.AlertUndecodableTotal.Add(ctx, 1, e.undecodable)
	e.logBadOnce.Do(func() {
		e.logger.Warn("Dropped an anomaly event that cannot be decoded; further ones are only counted in sentinel_alert_undecodable_total.", zap.Error(err))
	})
}

// newInner wraps push into a stock exporter with queue, retry and timeout.
func newInner(ctx context.Context, set exporter.Settings, cfg *Config, d *delivery) (exporter.Traces, error) {
	return exporterhelper.NewTraces(ctx, set, cfg, d.push,
		exporterhelper.WithCapabilities(consumer.Capabilities{MutatesData: false}),
		exporterhelper.WithQueue(cfg.Queue),
		exporterhelper.WithRetry(cfg.Retry),
		exporterhelper.WithTimeout(cfg.Timeout),
		exporterhelper.WithStart(d.target.Start),
		exporterhelper.WithShutdown(d.target.Shutdown),
	)
}

func oneIf(b bool) int64 {
	if b {
		return 1
	}
	return 0
}
