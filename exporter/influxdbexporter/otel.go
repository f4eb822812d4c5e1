package influxdbexporter

import (
	"context"
	"fmt"

	"github.com/influxdata/influxdb-observability/common"
	"github.com/influxdata/influxdb-observability/otel2influx"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.uber.org/zap"
)

// otelConverters turn OpenTelemetry data into points as InfluxData defines them.
// The converters of the library send while they convert, and call every error
// permanent; here they only collect points, which are sent afterwards.
type otelConverters struct {
	config *OTelConfig
	logger common.Logger
	schema common.MetricsSchema
}

func newOTelConverters(config *OTelConfig, logger *zap.Logger) (*otelConverters, error) {
	schema, ok := common.MetricsSchemata[config.MetricsSchema]
	if !ok {
		return nil, fmt.Errorf("metrics_schema %q is not known", config.MetricsSchema)
	}
	c := &otelConverters{config: config, logger: debugLogger{logger.Sugar()}, schema: schema}
	// The library checks the options once more.
	if _, err := c.traces(nil); err != nil {
		return nil, err
	}
	if _, err := c.logs(nil); err != nil {
		return nil, err
	}
	_, err := c.metrics(nil)
	return c, err
}

func (c *otelConverters) traces(p *points) (*otel2influx.OtelTracesToLineProtocol, error) {
	return otel2influx.NewOtelTracesToLineProtocol(&otel2influx.OtelTracesToLineProtocolConfig{
		Logger: c.logger, Writer: p, SpanDimensions: c.config.SpanDimensions,
	})
}

func (c *otelConverters) logs(p *points) (*otel2influx.OtelLogsToLineProtocol, error) {
	return otel2influx.NewOtelLogsToLineProtocol(&otel2influx.OtelLogsToLineProtocolConfig{
		Logger: c.logger, Writer: p, LogRecordDimensions: c.config.LogRecordDimensions,
	})
}

func (c *otelConverters) metrics(p *points) (*otel2influx.OtelMetricsToLineProtocol, error) {
	return otel2influx.NewOtelMetricsToLineProtocol(&otel2influx.OtelMetricsToLineProtocolConfig{
		Logger: c.logger, Writer: p, Schema: c.schema,
	})
}

// debugLogger shows what the library says only to those who look for it: it may
// say something about every span.
type debugLogger struct{ *zap.SugaredLogger }

// Debug implements common.Logger.
func (l debugLogger) Debug(msg string, kv ...interface{}) { l.Debugw(msg, kv...) }

// pushAllTraces writes every span, its events and its links.
func (e *influxExporter) pushAllTraces(ctx context.Context, td ptrace.Traces) error {
	return e.writeAll(ctx, func(p *points) error {
		to, err := e.otel.traces(p)
		if err != nil {
			return err
		}
		// A span without ids would cost its whole batch.
		td, without := identified(td)
		p.invalid += without
		return to.WriteTraces(ctx, td)
	})
}

// identified returns td without the spans that have no id of trace or span, and
// how many of them there are. It copies only when there are any.
func identified(td ptrace.Traces) (ptrace.Traces, int) {
	nameless := func(s ptrace.Span) bool { return s.TraceID().IsEmpty() || s.SpanID().IsEmpty() }
	n := 0
	for _, rs := range td.ResourceSpans().All() {
		for _, ss := range rs.ScopeSpans().All() {
			for _, s := range ss.Spans().All() {
				if nameless(s) {
					n++
				}
			}
		}
	}
	if n == 0 {
		return td, 0
	}
	rest := ptrace.NewTraces()
	td.CopyTo(rest)
	for _, rs := range rest.ResourceSpans().All() {
		for _, ss := range rs.ScopeSpans().All() {
			ss.Spans().RemoveIf(nameless)
		}
	}
	return rest, n
}

// pushAllLogs writes every log record.
func (e *influxExporter) pushAllLogs(ctx context.Context, ld plog.Logs) error {
	return e.writeAll(ctx, func(p *points) error {
		to, err := e.otel.logs(p)
		if err != nil {
			return err
		}
		return to.WriteLogs(ctx, ld)
	})
}

// pushAllMetrics writes every metric.
func (e *influxExporter) pushAllMetrics(ctx context.Context, md pmetric.Metrics) error {
	return e.writeAll(ctx, func(p *points) error {
		to, err := e.otel.metrics(p)
		if err != nil {
			return err
		}
		if to.WriteMetrics(ctx, md) == nil {
			return nil
		}
		// One metric cannot be converted: see which, and keep the others.
		p.restart()
		for _, rm := range md.ResourceMetrics().All() {
			for _, sm := range rm.ScopeMetrics().All() {
				for _, m := range sm.Metrics().All() {
					one := pmetric.NewMetrics()
					r := one.ResourceMetrics().AppendEmpty()
					rm.Resource().CopyTo(r.Resource())
					s := r.ScopeMetrics().AppendEmpty()
					sm.Scope().CopyTo(s.Scope())
					m.CopyTo(s.Metrics().AppendEmpty())
					if err := to.WriteMetrics(ctx, one); err != nil {
						p.invalid++
						p.why = printable(err.Error())
					}
				}
			}
		}
		return nil
	})
}
