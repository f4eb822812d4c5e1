package influxdbexporter

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.uber.org/zap"

	"github.com/llm-devops/llm-sentinel/internal/anomaly"
	"github.com/llm-devops/llm-sentinel/internal/genai"
	"github.com/llm-devops/llm-sentinel/internal/influx/line"
)

// logPeriod is the time between two log lines about the same kind of loss.
const logPeriod = time.Minute

var errNotStarted = errors.New("influxdb exporter is not started")

// influxExporter writes what it finds in telemetry. Pushes run concurrently; each
// takes a batch from the pool, everything else that they share is safe for
// concurrent use.
type influxExporter struct {
	config    *Config
	set       exporter.Settings
	extractor *genai.Extractor
	schema    *line.Schema
	otel      *otelConverters // with the schema otel
	observer  *observer
	logs      throttle
	batches   sync.Pool

	host    component.Host
	client  *client
	failing atomic.Bool
}

func newExporter(config *Config, set exporter.Settings) (*influxExporter, error) {
	extractor, err := genai.NewExtractor(genai.Options{CaptureText: config.IncludeText, MaxTextBytes: config.MaxTextBytes})
	if err != nil {
		return nil, err
	}
	o, err := newObserver(set.TelemetrySettings, set.ID)
	if err != nil {
		return nil, err
	}
	e := &influxExporter{
		config: config, set: set, extractor: extractor, schema: line.NewSchema(config.lines()), observer: o,
		logs: throttle{period: logPeriod},
	}
	e.batches.New = func() any { return newBatch() }
	if config.Schema == SchemaOTel {
		if e.otel, err = newOTelConverters(&config.OTel, set.Logger); err != nil {
			return nil, err
		}
	}
	return e, nil
}

// start builds the HTTP client. It does not talk to the server: one that is
// down must not keep the collector from starting.
func (e *influxExporter) start(ctx context.Context, host component.Host) error {
	agent := e.set.BuildInfo.Command + "/" + e.set.BuildInfo.Version
	c, err := newClient(ctx, e.config, host, e.set.TelemetrySettings, agent)
	if err != nil {
		return fmt.Errorf("cannot build the HTTP client: %w", err)
	}
	if err := e.observer.observeSeries(e.schema.Series); err != nil {
		return err
	}
	e.host, e.client = host, c
	return nil
}

func (e *influxExporter) shutdown(context.Context) error {
	e.observer.builder.Shutdown()
	if e.client != nil {
		e.client.http.CloseIdleConnections()
	}
	return nil
}

// push writes the LLM events and the anomalies of td. Points have times that
// follow from their ids, so that a push that is repeated, whole or in part,
// overwrites what it wrote before.
func (e *influxExporter) push(ctx context.Context, td ptrace.Traces) error {
	return e.write(ctx, func(b *batch) error { return b.run(td) })
}

func (e *influxExporter) write(ctx context.Context, run func(*batch) error) error {
	if e.client == nil {
		return errNotStarted
	}
	e.schema.Rotate(time.Now())
	b := e.batches.Get().(*batch)
	defer e.batches.Put(b)
	b.begin(ctx, e)
	err := run(b)
	e.report(err)
	return err
}

// pushLogs writes the calls that log records tell of, and the anomalies that are
// log records of their own. When a part of them is to be tried again, all are: a
// point that is written twice is the same point.
func (e *influxExporter) pushLogs(ctx context.Context, ld plog.Logs) error {
	return e.write(ctx, func(b *batch) error { return b.runLogs(ld, anomaly.LogsAsTraces(ld)) })
}

// report tells the collector when the exporter begins to fail and when it
// recovers.
func (e *influxExporter) report(err error) {
	switch failing := err != nil; {
	case failing == e.failing.Load() || !e.failing.CompareAndSwap(!failing, failing):
	case failing:
		// Only the text: the error may hold the spans that are to be retried.
		componentstatus.ReportStatus(e.host, componentstatus.NewRecoverableErrorEvent(errors.New(err.Error())))
	default:
		componentstatus.ReportStatus(e.host, componentstatus.NewEvent(componentstatus.StatusOK))
	}
}

// drop counts points that are lost and logs the first of a kind.
func (e *influxExporter) drop(ctx context.Context, k kind, why reason, n int, fields ...zap.Field) {
	if n <= 0 {
		return
	}
	e.observer.dropped(ctx, k, why, n)
	if e.logs.allow(why, time.Now()) {
		e.set.Logger.Warn("points dropped; further losses of this kind are only counted for a minute",
			append(fields, zap.String("measurement", string(k)), zap.String("reason", string(why)), zap.Int("points", n))...)
	}
}

// account counts what became of a request of so many points.
func (e *influxExporter) account(ctx context.Context, k kind, lines int, o outcome, err error) {
	switch {
	case err != nil:
		e.observer.failed(ctx, reasonOf(err))
		if consumererror.IsPermanent(err) {
			e.observer.dropped(ctx, k, reasonOf(err), lines)
		}
	case o.reason == reasonPartial:
		e.observer.failed(ctx, o.reason)
		e.drop(ctx, k, o.reason, o.dropped, zap.String("server_message", o.message))
		e.observer.points(ctx, k, lines-o.dropped)
	default:
		e.observer.points(ctx, k, lines)
	}
}
