package storageextension

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/config/configoptional"
	"go.opentelemetry.io/collector/extension/extensiontest"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/metric/metricdata/metricdatatest"

	"github.com/llm-devops/llm-sentinel/extension/storageextension/internal/metadata"
	"github.com/llm-devops/llm-sentinel/extension/storageextension/internal/metadatatest"
	"github.com/llm-devops/llm-sentinel/internal/anomaly"
	"github.com/llm-devops/llm-sentinel/internal/genai"
	"github.com/llm-devops/llm-sentinel/internal/store"
)

func configIn(dir string) *Config {
	c := defaultEmbedded()
	c.Directory = dir
	return &Config{Embedded: configoptional.Some(c), Baselines: defaultBaselines()}
}

func create1(t *testing.T, cfg *Config, tel component.TelemetrySettings) *storageExtension {
	t.Helper()
	set := extensiontest.NewNopSettings(metadata.Type)
	set.ID = component.NewID(metadata.Type)
	set.TelemetrySettings = tel
	ext, err := NewFactory().Create(t.Context(), set, cfg)
	require.NoError(t, err)
	return ext.(*storageExtension)
}

func event() genai.Event {
	return genai.Event{ID: uuid.New(), End: pcommon.NewTimestampFromTime(time.Now()), Service: "chat", ResponseModel: "m"}
}

func read(t *testing.T, e *storageExtension) ([]genai.Event, error) {
	t.Helper()
	r, err := e.StoreReader(t.Context())
	require.NoError(t, err)
	return all(r.Events(t.Context(), store.EventQuery{Query: store.Query{Limit: 100}}))
}

func all[T any](seq iter.Seq2[T, error]) ([]T, error) {
	var out []T
	for v, err := range seq {
		if err != nil {
			return out, err
		}
		out = append(out, v)
	}
	return out, nil
}

func TestLifecycle(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "events")
	e := create1(t, configIn(dir), componenttest.NewNopTelemetrySettings())
	_, err := e.StoreReader(t.Context())
	require.ErrorIs(t, err, errNotStarted)
	_, err = e.StoreWriter(t.Context())
	require.ErrorIs(t, err, errNotStarted)
	_, err = os.Stat(dir)
	require.ErrorIs(t, err, os.ErrNotExist, "nothing is touched before Start")

	require.NoError(t, e.Start(t.Context(), componenttest.NewNopHost()))
	w, err := e.StoreWriter(t.Context())
	require.NoError(t, err)
	stored := event()
	require.NoError(t, w.WriteEvents(t.Context(), []genai.Event{stored}))
	got, err := read(t, e)
	require.NoError(t, err)
	require.Equal(t, []genai.Event{stored}, got)

	require.NoError(t, e.Shutdown(t.Context()))
	require.NoError(t, e.Shutdown(t.Context()))
	require.ErrorIs(t, w.WriteEvents(t.Context(), []genai.Event{stored}), store.ErrClosed)
	_, err = read(t, e)
	require.ErrorIs(t, err, store.ErrClosed)

	again := create1(t, configIn(dir), componenttest.NewNopTelemetrySettings())
	require.NoError(t, again.Start(t.Context(), componenttest.NewNopHost()))
	got, err = read(t, again)
	require.NoError(t, err)
	require.Equal(t, []genai.Event{stored}, got, "data is there after a restart")
	require.NoError(t, again.Shutdown(t.Context()))
}

func TestShutdownWithoutStart(t *testing.T) {
	e := create1(t, configIn(t.TempDir()), componenttest.NewNopTelemetrySettings())
	require.NoError(t, e.Shutdown(t.Context()))
}

func TestStartNamesThePathThatCannotBeUsed(t *testing.T) {
	dir := t.TempDir()
	first := create1(t, configIn(dir), componenttest.NewNopTelemetrySettings())
	require.NoError(t, first.Start(t.Context(), componenttest.NewNopHost()))
	second := create1(t, configIn(dir), componenttest.NewNopTelemetrySettings())
	err := second.Start(t.Context(), componenttest.NewNopHost())
	require.ErrorContains(t, err, dir)
	require.ErrorContains(t, err, "give each its own directory")
	require.NoError(t, second.Shutdown(t.Context()))
	require.NoError(t, first.Shutdown(t.Context()))
}

// statusHost records reported statuses.
type statusHost struct {
	component.Host
	mu   sync.Mutex
	seen []componentstatus.Status
}

func (h *statusHost) Report(ev *componentstatus.Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.seen = append(h.seen, ev.Status())
}

func (h *statusHost) statuses() []componentstatus.Status {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.seen)
}

func TestHealthBecomesComponentStatus(t *testing.T) {
	host := &statusHost{Host: componenttest.NewNopHost()}
	h := health{host: host}
	h.report(partBackend, nil)
	require.Empty(t, host.seen, "nothing was wrong before")
	h.report(partBackend, errors.New("disk on fire"))
	h.report(partBaselines, errors.New("no room"))
	h.report(partBackend, nil)
	h.report(partBaselines, nil)
	bad := componentstatus.StatusRecoverableError
	require.Equal(t, []componentstatus.Status{bad, bad, bad, componentstatus.StatusOK}, host.seen, "one part that works does not hide another one")
}

func TestTelemetry(t *testing.T) {
	tel := componenttest.NewTelemetry()
	t.Cleanup(func() { require.NoError(t, tel.Shutdown(context.Background())) })
	e := create1(t, configIn(t.TempDir()), tel.NewTelemetrySettings())
	require.NoError(t, e.Start(t.Context(), componenttest.NewNopHost()))
	w, err := e.StoreWriter(t.Context())
	require.NoError(t, err)
	old := event()
	old.End = pcommon.NewTimestampFromTime(time.Now().Add(-1000 * time.Hour))
	require.NoError(t, w.WriteEvents(t.Context(), []genai.Event{event(), event(), old}))
	found := anomaly.Anomaly{ID: uuid.New(), Time: time.Now(), Severity: anomaly.SeverityHigh, Type: anomaly.TypeCostAnomaly}
	require.NoError(t, w.WriteAnomalies(t.Context(), []anomaly.Anomaly{found}))
	require.NoError(t, w.WriteAnomalies(t.Context(), []anomaly.Anomaly{found}))

	set := func(kv ...string) attribute.Set {
		list := []attribute.KeyValue{attribute.String("storage", "llm_storage")}
		for i := 0; i < len(kv); i += 2 {
			list = append(list, attribute.String(kv[i], kv[i+1]))
		}
		return attribute.NewSet(list...)
	}
	point := func(v int64, kv ...string) metricdata.DataPoint[int64] {
		return metricdata.DataPoint[int64]{Attributes: set(kv...), Value: v}
	}
	opt := metricdatatest.IgnoreTimestamp()
	metadatatest.AssertEqualStorageWritesTotal(t, tel, []metricdata.DataPoint[int64]{
		point(3, "type", "telemetry"), point(2, "type", "anomaly"),
	}, opt)
	metadatatest.AssertEqualStorageRows(t, tel, []metricdata.DataPoint[int64]{
		point(2, "type", "telemetry"), point(1, "type", "anomaly"), point(0, "type", "baseline"), point(0, "type", "feedback"),
	}, opt)
	metadatatest.AssertEqualStoragePartitions(t, tel, []metricdata.DataPoint[int64]{point(1)}, opt)
	metadatatest.AssertEqualStorageRefusedTotal(t, tel, []metricdata.DataPoint[int64]{
		point(1, "reason", "too_old"), point(0, "reason", "too_far_ahead"),
	}, opt)
	metadatatest.AssertEqualStorageRetiredTotal(t, tel, []metricdata.DataPoint[int64]{
		point(0, "reason", "age"), point(0, "reason", "size"),
	}, opt)
	m, err := tel.GetMetric("sentinel_storage_bytes")
	require.NoError(t, err)
	require.Positive(t, m.Data.(metricdata.Gauge[int64]).DataPoints[0].Value)
	m, err = tel.GetMetric("sentinel_storage_write_duration_seconds")
	require.NoError(t, err)
	require.Len(t, m.Data.(metricdata.Histogram[float64]).DataPoints, 2)

	// Errors of the storage are counted, those of its callers are not.
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	require.Error(t, w.WriteEvents(gone, []genai.Event{event()}))
	require.ErrorIs(t, w.WriteAnomalies(t.Context(), []anomaly.Anomaly{{}}), store.ErrInvalid)
	r, err := e.StoreReader(t.Context())
	require.NoError(t, err)
	_, err = all(r.Events(t.Context(), store.EventQuery{}))
	require.ErrorIs(t, err, store.ErrInvalid)
	o, err := e.opened()
	require.NoError(t, err)
	o.failed(t.Context(), o.events.read, fmt.Errorf("aggregate: %w: 100001 rows", store.ErrTooMany))
	_, err = tel.GetMetric("sentinel_storage_errors_total")
	require.Error(t, err, "no error is counted yet")

	require.NoError(t, o.Close(t.Context()))
	require.ErrorIs(t, w.WriteEvents(t.Context(), []genai.Event{event()}), store.ErrClosed)
	_, err = all(r.Anomalies(t.Context(), store.AnomalyQuery{Query: store.Query{Limit: 1}}))
	require.ErrorIs(t, err, store.ErrClosed)
	_, err = r.CountAnomalies(t.Context(), store.AnomalyQuery{})
	require.ErrorIs(t, err, store.ErrClosed)
	metadatatest.AssertEqualStorageErrorsTotal(t, tel, []metricdata.DataPoint[int64]{
		point(1, "type", "telemetry", "operation", "write"), point(2, "type", "anomaly", "operation", "read"),
	}, opt)
	require.NoError(t, e.Shutdown(t.Context()))
}
