package alertexporter

import (
	"context"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/llm-devops/llm-sentinel/exporter/alertexporter/internal/metadata"
	"github.com/llm-devops/llm-sentinel/exporter/alertexporter/internal/notify"
	"github.com/llm-devops/llm-sentinel/exporter/alertexporter/internal/notify/rabbitmq"
	"github.com/llm-devops/llm-sentinel/exporter/alertexporter/internal/notify/webhook"
	"github.com/llm-devops/llm-sentinel/internal/anomaly"
)

// targetSettings are what a row needs to build its target.
type targetSettings struct {
	telemetry component.TelemetrySettings
	build     component.BuildInfo
	health    notify.Health
}

// targetSpec is one kind of target. A new kind is a package below
// internal/notify, a field in Config, and a row in targetSpecs.
type targetSpec struct {
	// name is the configuration key, the metric label and part of the name of
	// the target's persistent queue.
	name       string
	configured func(*Config) bool
	build      func(*Config, targetSettings) (notify.Target, error)
	// count records the metrics that only this kind has. failure is nil for a
	// confirmed notification; id is the attribute with the exporter's id.
	count func(ctx context.Context, tb *metadata.TelemetryBuilder, id attribute.KeyValue, s anomaly.Severity, failure *notify.Error)
}

var targetSpecs = []targetSpec{
	{
		name:       "webhook",
		configured: func(c *Config) bool { return c.Webhook.HasValue() },
		build: func(c *Config, set targetSettings) (notify.Target, error) {
			return webhook.New(c.Webhook.Get(), webhook.Settings{
				Telemetry: set.telemetry,
				UserAgent: set.build.Command + "/" + set.build.Version,
				Health:    set.health,
			})
		},
		count: func(ctx context.Context, tb *metadata.TelemetryBuilder, id attribute.KeyValue, _ anomaly.Severity, failure *notify.Error) {
			attrs := metric.WithAttributes(id)
			if failure == nil {
				tb.WebhookSuccessTotal.Add(ctx, 1, attrs)
				return
			}
			tb.WebhookFailuresTotal.Add(ctx, 1, attrs)
			if !failure.Permanent {
				tb.WebhookRetriesTotal.Add(ctx, 1, attrs)
			}
		},
	},
	{
		name:       "rabbitmq",
		configured: func(c *Config) bool { return c.RabbitMQ.HasValue() },
		build: func(c *Config, set targetSettings) (notify.Target, error) {
			return rabbitmq.New(c.RabbitMQ.Get(), rabbitmq.Settings{Telemetry: set.telemetry, Health: set.health})
		},
		count: func(ctx context.Context, tb *metadata.TelemetryBuilder, id attribute.KeyValue, s anomaly.Severity, failure *notify.Error) {
			if failure == nil {
				tb.RabbitmqPublishesTotal.Add(ctx, 1, metric.WithAttributes(id, attribute.String("severity", s.String())))
				return
			}
			tb.RabbitmqFailuresTotal.Add(ctx, 1, metric.WithAttributes(id))
			if !failure.Permanent {
				tb.RabbitmqRetriesTotal.Add(ctx, 1, metric.WithAttributes(id))
			}
		},
	},
}
