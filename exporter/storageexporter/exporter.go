package storageexporter

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.uber.org/zap"

	"github.com/llm-devops/llm-sentinel/exporter/storageexporter/internal/metadata"
	"github.com/llm-devops/llm-sentinel/internal/anomaly"
	"github.com/llm-devops/llm-sentinel/internal/genai"
	"github.com/llm-devops/llm-sentinel/internal/store"
)

var (
	errStorageNotFound = errors.New("no such extension is running")
	errNotAStorage     = errors.New("the extension is no storage for LLM events")
)

type storageExporter struct {
	cfg       *Config
	logger    *zap.Logger
	telemetry *metadata.TelemetryBuilder
	extractor *genai.Extractor
	writer    store.Writer

	undecodable metric.MeasurementOption
	warned      atomic.Bool
}

func newExporter(cfg *Config, set exporter.Settings) (*storageExporter, error) {
	x, err := genai.NewExtractor(genai.Options{CaptureText: cfg.IncludeText, MaxTextBytes: cfg.MaxTextBytes})
	if err != nil {
		return nil, err
	}
	tb, err := metadata.NewTelemetryBuilder(set.TelemetrySettings)
	if err != nil {
		return nil, err
	}
	return &storageExporter{
		cfg: cfg, logger: set.Logger, telemetry: tb, extractor: x,
		undecodable: metric.WithAttributeSet(attribute.NewSet(
			attribute.String("exporter", set.ID.String()), attribute.String("reason", "undecodable_anomaly"))),
	}, nil
}

func (e *storageExporter) start(ctx context.Context, host component.Host) error {
	ext, ok := host.GetExtensions()[e.cfg.Storage]
	if !ok {
		return fmt.Errorf("storage %q: %w: add it to extensions and to service::extensions", e.cfg.Storage, errStorageNotFound)
	}
	provider, ok := ext.(store.Provider)
	if !ok {
		return fmt.Errorf("storage %q: %w", e.cfg.Storage, errNotAStorage)
	}
	w, err := provider.StoreWriter(ctx)
	if err != nil {
		return fmt.Errorf("storage %q: %w", e.cfg.Storage, err)
	}
	e.writer = w
	return nil
}

func (e *storageExporter) shutdown(context.Context) error {
	e.telemetry.Shutdown()
	return nil
}

// push stores what it finds in the spans. It may be repeated after any error,
// because the storage knows what it has already.
func (e *storageExporter) push(ctx context.Context, td ptrace.Traces) error {
	events, anomalies := e.extract(ctx, td)
	return e.write(ctx, events, anomalies)
}

func (e *storageExporter) write(ctx context.Context, events []genai.Event, anomalies []anomaly.Anomaly) error {
	if len(events) > 0 {
		if err := e.writer.WriteEvents(ctx, events); err != nil {
			return classify(err)
		}
	}
	if len(anomalies) > 0 {
		if err := e.writer.WriteAnomalies(ctx, anomalies); err != nil {
			return classify(err)
		}
	}
	return nil
}

// pushLogs stores the calls that log records tell of, and the anomalies that are
// log records of their own.
func (e *storageExporter) pushLogs(ctx context.Context, ld plog.Logs) error {
	_, anomalies := e.extract(ctx, anomaly.LogsAsTraces(ld))
	return e.write(ctx, e.extractLogs(ld), anomalies)
}

// classify marks errors that trying again cannot mend.
func classify(err error) error {
	if errors.Is(err, store.ErrInvalid) || errors.Is(err, store.ErrUnsupported) {
		return consumererror.NewPermanent(err)
	}
	return err
}

// extract reads the LLM calls and the anomalies that the spans carry. Strings
// of the result share memory with td.
func (e *storageExporter) extract(ctx context.Context, td ptrace.Traces) (events []genai.Event, anomalies []anomaly.Anomaly) {
	for _, rs := range td.ResourceSpans().All() {
		resource := e.extractor.Resource(rs.Resource())
		for _, ss := range rs.ScopeSpans().All() {
			for _, span := range ss.Spans().All() {
				n := len(events)
				events = append(events, genai.Event{})
				// What is odd about a span is counted where it is judged, in the
				// processors; here it is stored as far as it could be read.
				if isCall, _ := e.extractor.FromSpan(&resource, ss.Scope(), span, &events[n]); !isCall {
					events = events[:n]
				}
				for a, err := range anomaly.FromSpan(span) {
					if err != nil {
						e.drop(ctx, span, err)
						continue
					}
					anomalies = append(anomalies, a)
				}
			}
		}
	}
	return events, anomalies
}

// extractLogs reads the LLM calls that log records tell of. Strings of the result
// share memory with ld.
func (e *storageExporter) extractLogs(ld plog.Logs) (events []genai.Event) {
	for _, rl := range ld.ResourceLogs().All() {
		var resource *genai.Resource
		for _, sl := range rl.ScopeLogs().All() {
			for _, rec := range sl.LogRecords().All() {
				if e.extractor.LogCall(rec) == "" {
					continue
				}
				if resource == nil {
					r := e.extractor.Resource(rl.Resource())
					resource = &r
				}
				n := len(events)
				events = append(events, genai.Event{})
				if isCall, _ := e.extractor.FromLog(resource, sl.Scope(), rec, &events[n]); !isCall {
					events = events[:n]
				}
			}
		}
	}
	return events
}

func (e *storageExporter) drop(ctx context.Context, span ptrace.Span, err error) {
	e.telemetry.StorageExporterDroppedTotal.Add(ctx, 1, e.undecodable)
	if !e.warned.Swap(true) {
		e.logger.Warn("an anomaly in a span cannot be read and is not stored (counted, logged once)",
			zap.Stringer("trace_id", span.TraceID()), zap.Stringer("span_id", span.SpanID()), zap.Error(err))
	}
}
