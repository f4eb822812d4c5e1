package anomalyprocessor

import (
	"context"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/llm-devops/llm-sentinel/internal/anomaly"
	"github.com/llm-devops/llm-sentinel/internal/detect"
	"github.com/llm-devops/llm-sentinel/internal/genai"
	"github.com/llm-devops/llm-sentinel/processor/anomalyprocessor/internal/metadata"
)

// Reasons for which an event or a value is not used: the problems of genai
// come first, then those of the processor.
const (
	skipFailedCall = 32 + iota
	skipNoValues
	skipRepeated
	skipEvaluatorLimit
	numSkips
)

// Reasons for which an anomalous value gets no mark of its own.
const (
	suppressOngoing = iota
	suppressMinSeverity
	suppressSameType
	suppressFeedback
	suppressMuted
	numSuppressions
)

var (
	skipNames     = [...]string{"failed_call", "no_values", "repeated", "evaluator_limit"}
	suppressNames = [numSuppressions]string{"ongoing", "min_severity", "same_type", "feedback", "muted"}
	limitNames    = [numLimits]string{"group_size", "memory", "related"}
)

// counts is the tally of one batch, recorded at its end.
type counts struct {
	processed, normal, late, clamped, overflow int64
	// items are judged items that are no LLM call.
	items int64

	skipped    [numSkips]int64
	suppressed [numSuppressions]int64
	rebased    [len(metrics)]int64
}

// telemetry records with attribute sets that are built once.
type telemetry struct {
	builder *metadata.TelemetryBuilder

	skipped    [numSkips][]metric.AddOption
	suppressed [numSuppressions][]metric.AddOption
	limited    [numLimits][]metric.AddOption
	rebased    [][]metric.AddOption
	// detections is indexed by judge, detector of its model and severity.
	detections [][][anomaly.SeverityCritical + 1][]metric.AddOption
	duration   []metric.RecordOption
	save, load attribute.Set
}

func newTelemetry(set component.TelemetrySettings, judges []judge) (*telemetry, error) {
	builder, err := metadata.NewTelemetryBuilder(set)
	if err != nil {
		return nil, err
	}
	t := &telemetry{
		builder:  builder,
		duration: []metric.RecordOption{metric.WithAttributeSet(attribute.NewSet(attribute.String("detector", "all")))},
		save:     attribute.NewSet(attribute.String("operation", "save")),
		load:     attribute.NewSet(attribute.String("operation", "load")),
	}
	for p := range genai.AllProblems.All() {
		t.skipped[p.Index()] = labels("reason", p.String())
	}
	for i, name := range skipNames {
		t.skipped[skipFailedCall+i] = labels("reason", name)
	}
	for i, name := range suppressNames {
		t.suppressed[i] = labels("reason", name)
	}
	for i, name := range limitNames {
		t.limited[i] = labels("reason", name)
	}
	for _, j := range judges {
		t.rebased = append(t.rebased, labels("metric", j.metric.name))
		var detections [][anomaly.SeverityCritical + 1][]metric.AddOption
		for _, method := range j.methods {
			var row [anomaly.SeverityCritical + 1][]metric.AddOption
			for _, s := range anomaly.Severities() {
				row[s] = labels("detector", string(method), "type", string(j.metric.typ), "severity", s.String())
			}
			detections = append(detections, row)
		}
		t.detections = append(t.detections, detections)
	}
	return t, nil
}

func labels(pairs ...string) []metric.AddOption {
	kv := make([]attribute.KeyValue, 0, len(pairs)/2)
	for i := 0; i < len(pairs); i += 2 {
		kv = append(kv, attribute.String(pairs[i], pairs[i+1]))
	}
	return []metric.AddOption{metric.WithAttributeSet(attribute.NewSet(kv...))}
}

// observe registers the metrics that are read when they are collected.
func (t *telemetry) observe(e *engine) error {
	if err := t.builder.RegisterSeriesCallback(func(_ context.Context, o metric.Int64Observer) error {
		o.Observe(e.table.Stats().Series)
		return nil
	}); err != nil {
		return err
	}
	if err := t.builder.RegisterFeedbackVerdictsCallback(func(_ context.Context, o metric.Int64Observer) error {
		o.Observe(int64(e.taught.Len()))
		return nil
	}); err != nil {
		return err
	}
	if e.conversations != nil {
		if err := t.observeConversations(e.conversations); err != nil {
			return err
		}
	}
	capacity := metric.WithAttributeSet(attribute.NewSet(attribute.String("reason", "capacity")))
	idle := metric.WithAttributeSet(attribute.NewSet(attribute.String("reason", "idle")))
	return t.builder.RegisterSeriesEvictedTotalCallback(func(_ context.Context, o metric.Int64Observer) error {
		s := e.table.Stats()
		o.Observe(int64(s.Evicted), capacity)
		o.Observe(int64(s.Expired), idle)
		return nil
	})
}

func (t *telemetry) observeConversations(c *conversations) error {
	if err := t.builder.RegisterConversationsCallback(func(_ context.Context, o metric.Int64Observer) error {
		o.Observe(c.live.Load())
		return nil
	}); err != nil {
		return err
	}
	capacity := metric.WithAttributeSet(attribute.NewSet(attribute.String("reason", "capacity")))
	idle := metric.WithAttributeSet(attribute.NewSet(attribute.String("reason", "idle")))
	return t.builder.RegisterConversationsEvictedTotalCallback(func(_ context.Context, o metric.Int64Observer) error {
		o.Observe(c.gone[goneCapacity].Load(), capacity)
		o.Observe(c.gone[goneIdle].Load(), idle)
		return nil
	})
}

func (t *telemetry) record(ctx context.Context, c *counts, took time.Duration) {
	add(ctx, t.builder.EventsProcessedTotal, c.processed, nil)
	add(ctx, t.builder.EventsNormalTotal, c.normal, nil)
	add(ctx, t.builder.EventsLateTotal, c.late, nil)
	add(ctx, t.builder.EventsClampedTotal, c.clamped, nil)
	add(ctx, t.builder.SeriesOverflowTotal, c.overflow, nil)
	for i, n := range c.skipped {
		add(ctx, t.builder.EventsSkippedTotal, n, t.skipped[i])
	}
	for i, n := range c.suppressed {
		add(ctx, t.builder.AnomaliesSuppressedTotal, n, t.suppressed[i])
	}
	for i := range t.rebased {
		add(ctx, t.builder.BaselinesRebasedTotal, c.rebased[i], t.rebased[i])
	}
	t.builder.DetectionDurationSeconds.Record(ctx, took.Seconds(), t.duration...)
}

func add(ctx context.Context, counter metric.Int64Counter, n int64, opts []metric.AddOption) {
	if n != 0 {
		counter.Add(ctx, n, opts...)
	}
}

// detected counts an anomaly that is marked. Anomalies are rare, so it is
// recorded at once.
func (t *telemetry) detected(ctx context.Context, judge int, v *detect.Verdict) {
	t.builder.AnomaliesDetectedTotal.Add(ctx, 1, t.detections[judge][v.Findings[0].Detector][v.Severity]...)
}

// found counts a finding of a rule that is reported.
func (t *telemetry) found(ctx context.Context, f *finding) {
	t.builder.AnomaliesDetectedTotal.Add(ctx, 1, labels("detector", string(f.method), "type", string(f.typ), "severity", f.severity.String())...)
}

// resolved counts an anomaly that is over.
func (t *telemetry) resolved(ctx context.Context, typ anomaly.Type, reason anomaly.EndReason) {
	t.builder.AnomaliesResolvedTotal.Add(ctx, 1, labels("type", string(typ), "reason", string(reason))...)
}

// limitedBy counts what bounds have left out of an explanation.
func (t *telemetry) limitedBy(ctx context.Context, limited [numLimits]int64) {
	for i, n := range limited {
		add(ctx, t.builder.ExplanationsLimitedTotal, n, t.limited[i])
	}
}
