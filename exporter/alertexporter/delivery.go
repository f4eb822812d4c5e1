package alertexporter

import (
	"context"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/exporter/exporterhelper"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.uber.org/zap"

	"github.com/llm-devops/llm-sentinel/exporter/alertexporter/internal/metadata"
	"github.com/llm-devops/llm-sentinel/exporter/alertexporter/internal/notify"
	"github.com/llm-devops/llm-sentinel/internal/anomaly"
)

// Reasons of alert_failures_total that do not come from a target.
const (
	reasonQueue     = "queue_rejected"
	reasonMalformed = "malformed"
)

// delivery is one target with its own queue, retry and deduplication.
type delivery struct {
	spec   targetSpec
	target notify.Target
	inner  exporter.Traces
	dedup  *dedup
	open   *openAlerts
	tb     *metadata.TelemetryBuilder
	queued bool
	// offering is held, by a value in it, while an anomaly is registered and
	// queued: the queue has the order of the offers.
	offering chan struct{}

	id         attribute.KeyValue // of the exporter
	targetAttr attribute.KeyValue
	attrs      metric.MeasurementOption // both of them
}

func newDelivery(ctx context.Context, set exporter.Settings, cfg *Config, spec targetSpec, e *alertExporter) (*delivery, error) {
	// The id names the persistent queue and the series of the exporter helper,
	// so it must differ between targets and must not change when another
	// target is added.
	set.ID = component.NewIDWithName(set.ID.Type(), joinName(set.ID.Name(), spec.name))
	set.Logger = set.Logger.With(zap.String("target", spec.name))

	d := &delivery{spec: spec, tb: e.tb, queued: cfg.Queue.HasValue(), offering: make(chan struct{}, 1), id: e.id, targetAttr: attribute.String("target", spec.name)}
	d.attrs = metric.WithAttributes(d.id, d.targetAttr)
	d.dedup = newDedup(cfg.Deduplication, time.Now)
	d.open = newOpenAlerts(cfg.SendResolved)
	var err error
	d.target, err = spec.build(cfg, targetSettings{
		telemetry: set.TelemetrySettings,
		build:     set.BuildInfo,
		health:    e.health.target(spec.name),
	})
	if err != nil {
		return nil, err
	}
	d.inner, err = newInner(ctx, set, cfg, d)
	return d, err
}

func joinName(name, target string) string {
	if name == "" {
		return target
	}
	return name + "/" + target
}

// offer queues a, unless it repeats what the target was told already.
func (d *delivery) offer(ctx context.Context, a anomaly.Anomaly) error {
	if !d.queued {
		d.open.queued(&a)
		// Without a queue the caller waits for the outcome, and push counts it.
		return d.inner.ConsumeTraces(ctx, pack(a))
	}
	select {
	case d.offering <- struct{}{}:
		defer func() { <-d.offering }()
	case <-ctx.Done():
		return ctx.Err()
	}
	if !d.dedup.offer(&a) {
		d.tb.AlertsDeduplicatedTotal.Add(ctx, 1, d.attrs)
		return nil
	}
	d.open.queued(&a)
	err := d.inner.ConsumeTraces(ctx, pack(a))
	if err != nil {
		d.open.givenUp(a.ID)
		d.dedup.withdraw(&a)
		d.countFailure(ctx, reasonQueue)
	}
	return err
}

// push makes one attempt for a queued notification.
func (d *delivery) push(ctx context.Context, td ptrace.Traces) error {
	end, isEnd, err := packedEnd(td)
	if isEnd {
		return d.pushEnd(ctx, end)
	}
	var a anomaly.Anomaly
	if err == nil {
		a, err = unpack(td)
	}
	if err != nil {
		d.countFailure(ctx, reasonMalformed)
		return consumererror.NewPermanent(err)
	}
	c, ok, err := d.dedup.claim(ctx, &a)
	if err != nil {
		return err
	}
	if !ok {
		d.open.givenUp(a.ID)
		d.tb.AlertsDeduplicatedTotal.Add(ctx, 1, d.attrs)
		return nil
	}
	settled := false
	defer func() {
		if !settled {
			c.failed()
		}
	}()
	err = d.target.Notify(ctx, notify.Notification{Anomaly: a, Suppressed: c.suppressed})
	if err == nil {
		settled = true
		d.open.delivered(a.ID)
		if n := c.delivered(); n > 0 {
			d.tb.DeduplicationEvictionsTotal.Add(ctx, int64(n), d.attrs)
		}
	}
	err = d.settle(ctx, &a, err)
	if consumererror.IsPermanent(err) {
		d.open.givenUp(a.ID)
	}
	return err
}

// outcome puts a failure into the terms of the exporter helper.
func outcome(f *notify.Error) error {
	switch {
	case f.Permanent:
		return consumererror.NewPermanent(f)
	case f.RetryAfter > 0:
		return exporterhelper.NewThrottleRetry(f, f.RetryAfter)
	default:
		return f
	}
}

func (d *delivery) countFailure(ctx context.Context, reason string) {
	d.tb.AlertFailuresTotal.Add(ctx, 1, metric.WithAttributes(d.id, d.targetAttr, attribute.String("reason", reason)))
}
