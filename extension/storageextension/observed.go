package storageextension

import (
	"context"
	"errors"
	"iter"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/llm-devops/llm-sentinel/extension/storageextension/internal/metadata"
	"github.com/llm-devops/llm-sentinel/internal/anomaly"
	"github.com/llm-devops/llm-sentinel/internal/genai"
	"github.com/llm-devops/llm-sentinel/internal/store"
)

// observed counts what passes through a backend, and tells of new anomalies.
type observed struct {
	store.Backend
	telemetry *metadata.TelemetryBuilder

	storage   metric.MeasurementOption
	events    kindOptions
	anomalies kindOptions
	baselines kindOptions
	feedback  kindOptions
	feed      *feed
	reasons   map[string]metric.MeasurementOption
	results   map[string]metric.MeasurementOption
}

// kindOptions are the attribute sets of one type of item.
type kindOptions struct{ kind, write, read metric.MeasurementOption }

func observe(b store.Backend, id component.ID, tb *metadata.TelemetryBuilder) *observed {
	with := func(kv ...attribute.KeyValue) metric.MeasurementOption {
		return metric.WithAttributeSet(attribute.NewSet(append(kv, attribute.String("storage", id.String()))...))
	}
	kind := func(name string) kindOptions {
		t := attribute.String("type", name)
		return kindOptions{
			kind:  with(t),
			write: with(t, attribute.String("operation", "write")),
			read:  with(t, attribute.String("operation", "read")),
		}
	}
	o := &observed{
		Backend: b, telemetry: tb, storage: with(), events: kind("telemetry"), anomalies: kind("anomaly"),
		baselines: kind("baseline"), feedback: kind("feedback"), feed: &feed{},
		reasons: map[string]metric.MeasurementOption{}, results: map[string]metric.MeasurementOption{},
	}
	o.feed.missed = func(ctx context.Context, n int64) { tb.StorageFeedMissedTotal.Add(ctx, n, o.storage) }
	for _, r := range []string{"age", "size", "too_old", "too_far_ahead"} {
		o.reasons[r] = with(attribute.String("reason", r))
	}
	for _, r := range []string{"success", "failure"} {
		o.results[r] = with(attribute.String("result", r))
	}
	return o
}

// register adds the figures of a backend that knows them.
func (o *observed) register() error {
	if err := o.telemetry.RegisterStorageFeedSubscribersCallback(func(_ context.Context, m metric.Int64Observer) error {
		m.Observe(o.feed.len(), o.storage)
		return nil
	}); err != nil {
		return err
	}
	b, ok := o.Backend.(store.Observable)
	if !ok {
		return nil
	}
	figure := func(register func(metric.Int64Callback) error, values func(store.Stats, func(int64, metric.MeasurementOption))) error {
		return register(func(_ context.Context, m metric.Int64Observer) error {
			values(b.Stats(), func(v int64, opt metric.MeasurementOption) { m.Observe(v, opt) })
			return nil
		})
	}
	return errors.Join(
		figure(o.telemetry.RegisterStorageRowsCallback, func(s store.Stats, put func(int64, metric.MeasurementOption)) {
			put(s.Events, o.events.kind)
			put(s.Anomalies, o.anomalies.kind)
			put(s.Series, o.baselines.kind)
			put(s.Feedback, o.feedback.kind)
		}),
		figure(o.telemetry.RegisterStorageBytesCallback, func(s store.Stats, put func(int64, metric.MeasurementOption)) {
			put(s.Bytes, o.storage)
		}),
		figure(o.telemetry.RegisterStoragePartitionsCallback, func(s store.Stats, put func(int64, metric.MeasurementOption)) {
			put(s.Partitions, o.storage)
		}),
		figure(o.telemetry.RegisterStorageRetiredTotalCallback, func(s store.Stats, put func(int64, metric.MeasurementOption)) {
			put(s.RetiredByAge, o.reasons["age"])
			put(s.RetiredBySize, o.reasons["size"])
		}),
		figure(o.telemetry.RegisterStorageRefusedTotalCallback, func(s store.Stats, put func(int64, metric.MeasurementOption)) {
			put(s.RefusedTooOld, o.reasons["too_old"])
			put(s.RefusedTooFarAhead, o.reasons["too_far_ahead"])
		}),
		figure(o.telemetry.RegisterStorageBackupsTotalCallback, func(s store.Stats, put func(int64, metric.MeasurementOption)) {
			put(s.Backups, o.results["success"])
			put(s.BackupFailures, o.results["failure"])
		}),
		figure(o.telemetry.RegisterStorageBackupLastSuccessSecondsCallback, func(s store.Stats, put func(int64, metric.MeasurementOption)) {
			if !s.LastBackup.IsZero() {
				put(s.LastBackup.Unix(), o.storage)
			}
		}),
		figure(o.telemetry.RegisterStorageBackupBytesCallback, func(s store.Stats, put func(int64, metric.MeasurementOption)) {
			if !s.LastBackup.IsZero() {
				put(s.BackupBytes, o.storage)
			}
		}),
	)
}

func (o *observed) wrote(ctx context.Context, k *kindOptions, start time.Time, n int, err error) error {
	if err != nil {
		o.failed(ctx, k.write, err)
		return err
	}
	o.telemetry.StorageWritesTotal.Add(ctx, int64(n), k.kind)
	o.telemetry.StorageWriteDurationSeconds.Record(ctx, time.Since(start).Seconds(), k.kind)
	return nil
}

// failed counts an error. A caller that gives up, and a query that cannot be
// answered or asks for too much, say nothing about the storage.
func (o *observed) failed(ctx context.Context, opt metric.MeasurementOption, err error) {
	if err == nil {
		return
	}
	for _, harmless := range [...]error{context.Canceled, store.ErrUnsupported, store.ErrInvalid, store.ErrTooMany} {
		if errors.Is(err, harmless) {
			return
		}
	}
	o.telemetry.StorageErrorsTotal.Add(ctx, 1, opt)
}

func (o *observed) WriteEvents(ctx context.Context, batch []genai.Event) error {
	start := time.Now()
	return o.wrote(ctx, &o.events, start, len(batch), o.Backend.WriteEvents(ctx, batch))
}

func (o *observed) WriteAnomalies(ctx context.Context, batch []anomaly.Anomaly) error {
	start := time.Now()
	err := o.wrote(ctx, &o.anomalies, start, len(batch), o.Backend.WriteAnomalies(ctx, batch))
	if err == nil {
		o.feed.publish(ctx, batch)
	}
	return err
}

func (o *observed) Events(ctx context.Context, q store.EventQuery) iter.Seq2[genai.Event, error] {
	return countErrors(ctx, o, o.events.read, o.Backend.Events(ctx, q))
}

func (o *observed) Anomalies(ctx context.Context, q store.AnomalyQuery) iter.Seq2[anomaly.Anomaly, error] {
	return countErrors(ctx, o, o.anomalies.read, o.Backend.Anomalies(ctx, q))
}

func countErrors[T any](ctx context.Context, o *observed, opt metric.MeasurementOption, seq iter.Seq2[T, error]) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for v, err := range seq {
			o.failed(ctx, opt, err)
			if !yield(v, err) {
				return
			}
		}
	}
}

func (o *observed) CountEvents(ctx context.Context, q store.EventQuery) (int64, error) {
	n, err := o.Backend.CountEvents(ctx, q)
	o.failed(ctx, o.events.read, err)
	return n, err
}

func (o *observed) CountAnomalies(ctx context.Context, q store.AnomalyQuery) (int64, error) {
	n, err := o.Backend.CountAnomalies(ctx, q)
	o.failed(ctx, o.anomalies.read, err)
	return n, err
}
