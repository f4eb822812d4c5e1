package influxdbexporter

import (
	"context"
	"sync"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/llm-devops/llm-sentinel/exporter/influxdbexporter/internal/metadata"
)

// kind tells the measurements apart, whatever they are called.
type kind string

const (
	kindTelemetry kind = "telemetry"
	kindAnomaly   kind = "anomaly"
	// kindOTel is every point of the schema otel.
	kindOTel kind = "otel"
)

// observer counts what the exporter does.
type observer struct {
	builder  *metadata.TelemetryBuilder
	exporter attribute.KeyValue
	byKind   map[kind]metric.MeasurementOption
}

func newObserver(set component.TelemetrySettings, id component.ID) (*observer, error) {
	b, err := metadata.NewTelemetryBuilder(set)
	if err != nil {
		return nil, err
	}
	o := &observer{builder: b, exporter: attribute.String("exporter", id.String()), byKind: map[kind]metric.MeasurementOption{}}
	for _, k := range []kind{kindTelemetry, kindAnomaly, kindOTel} {
		o.byKind[k] = metric.WithAttributeSet(attribute.NewSet(o.exporter, attribute.String("measurement", string(k))))
	}
	return o, nil
}

// observeSeries publishes the number of tag sets.
func (o *observer) observeSeries(count func() int) error {
	set := metric.WithAttributeSet(attribute.NewSet(o.exporter))
	return o.builder.RegisterInfluxdbSeriesCallback(func(_ context.Context, obs metric.Int64Observer) error {
		obs.Observe(int64(count()), set)
		return nil
	})
}

func (o *observer) points(ctx context.Context, k kind, n int) {
	if n > 0 {
		o.builder.InfluxdbPointsTotal.Add(ctx, int64(n), o.byKind[k])
	}
}

func (o *observer) overflow(ctx context.Context, k kind, n int) {
	if n > 0 {
		o.builder.InfluxdbSeriesOverflowTotal.Add(ctx, int64(n), o.byKind[k])
	}
}

func (o *observer) cut(ctx context.Context, k kind, n int) {
	if n > 0 {
		o.builder.InfluxdbPointsCutTotal.Add(ctx, int64(n), o.byKind[k])
	}
}

func (o *observer) dropped(ctx context.Context, k kind, why reason, n int) {
	if n > 0 {
		o.builder.InfluxdbPointsDroppedTotal.Add(ctx, int64(n), metric.WithAttributes(o.exporter,
			attribute.String("measurement", string(k)), attribute.String("reason", string(why))))
	}
}

func (o *observer) failed(ctx context.Context, why reason) {
	o.builder.InfluxdbRequestFailuresTotal.Add(ctx, 1, metric.WithAttributes(o.exporter, attribute.String("reason", string(why))))
}

// throttle lets one message of a kind through in each period, so that a
// constant fault does not fill the log; the metrics count all of them.
type throttle struct {
	period time.Duration
	mu     sync.Mutex
	last   map[reason]time.Time
}

func (t *throttle) allow(why reason, now time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if last, ok := t.last[why]; ok && now.Sub(last) < t.period {
		return false
	}
	if t.last == nil {
		t.last = map[reason]time.Time{}
	}
	t.last[why] = now
	return true
}
