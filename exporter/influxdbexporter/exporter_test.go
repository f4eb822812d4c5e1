package influxdbexporter

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/exporter/exportertest"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.uber.org/zap"
	zapobserver "go.uber.org/zap/zaptest/observer"

	"github.com/llm-devops/llm-sentinel/exporter/influxdbexporter/internal/metadata"
	"github.com/llm-devops/llm-sentinel/internal/anomaly"
)

func TestAPartialWriteIsCountedAndLoggedOnce(t *testing.T) {
	partial := answer(400, `{"error":"partial write: field type conflict dropped=2"}`)
	f := newFake(t, partial, partial)
	core, logs := zapobserver.New(zap.WarnLevel)
	e, tel := started(t, f.config(APIV1), func(s *exporter.Settings) { s.Logger = zap.New(core) })
	for range 2 {
		require.NoError(t, e.push(t.Context(), calls(5)))
	}
	assert.Len(t, f.requests("/write"), 2, "what was kept is not sent again")
	assert.EqualValues(t, 6, sum(t, tel, "sentinel_influxdb_points_total", "", ""))
	assert.EqualValues(t, 4, sum(t, tel, "sentinel_influxdb_points_dropped_total", "reason", "partial_write"))
	require.Equal(t, 1, logs.Len())
	assert.Contains(t, logs.All()[0].ContextMap()["server_message"], "field type conflict")
}

func TestPayloadsAreSplitByLinesAndBytes(t *testing.T) {
	f := newFake(t)
	cfg := f.config(APIV1)
	cfg.PayloadMaxLines = 7
	e, _ := started(t, cfg)
	require.NoError(t, e.push(t.Context(), calls(50)))
	got := f.requests("/write")
	require.Len(t, got, 8)
	assert.Equal(t, 50, distinct(t, got))
	for i, r := range got {
		assert.Len(t, r.lines, min(7, 50-7*i))
	}

	f = newFake(t)
	cfg = f.config(APIV1)
	cfg.ClientConfig.Compression = ""
	cfg.PayloadMaxBytes = minPayloadBytes
	e, _ = started(t, cfg)
	require.NoError(t, e.push(t.Context(), calls(1000)))
	got = f.requests("/write")
	assert.Greater(t, len(got), 3)
	assert.Equal(t, 1000, distinct(t, got))
	for _, r := range got {
		assert.LessOrEqual(t, len(strings.Join(r.lines, "\n"))+1, minPayloadBytes)
	}
}

func TestOnlyWhatWasNotWrittenIsTriedAgain(t *testing.T) {
	f := newFake(t, answer(204, ""), answer(400, "refused"), answer(503, ""))
	cfg := f.config(APIV1)
	cfg.PayloadMaxLines = 10
	core, logs := zapobserver.New(zap.ErrorLevel)
	e, tel := started(t, cfg, func(s *exporter.Settings) { s.Logger = zap.New(core) })
	err := e.push(t.Context(), calls(50))
	require.False(t, consumererror.IsPermanent(err))
	var failed consumererror.Traces
	require.ErrorAs(t, err, &failed)
	assert.Equal(t, 30, failed.Data().SpanCount(), "the second payload was refused, the third is due")
	assert.Equal(t, 1, logs.Len(), "the refusal is not lost")
	require.NoError(t, e.push(t.Context(), failed.Data()))

	got := f.requests("/write")
	require.Len(t, got, 6)
	assert.Equal(t, got[2].lines, got[3].lines, "the third again, first")
	assert.EqualValues(t, 40, sum(t, tel, "sentinel_influxdb_points_total", "", ""))
	assert.EqualValues(t, 10, sum(t, tel, "sentinel_influxdb_points_dropped_total", "", ""))
}

func TestALineThatWaitsIsTriedAgainWithTheRequestThatFailed(t *testing.T) {
	// The second payload of anomalies begins with span 1 and fails while the
	// call of span 0 still waits for its own request.
	f := newFake(t, answer(204, ""), answer(503, ""))
	cfg := f.config(APIV1)
	cfg.PayloadMaxLines = 5
	e, _ := started(t, cfg)
	td := calls(3, func(i int, span ptrace.Span) {
		var found []anomaly.Anomaly
		for k := range 4 {
			found = append(found, finding(10*i+k))
		}
		anomaly.MarkSpan(span, found)
	})
	again := td
	err := e.push(t.Context(), td)
	require.Error(t, err)
	var failed consumererror.Traces
	if errors.As(err, &failed) {
		again = failed.Data()
	}
	require.NoError(t, e.push(t.Context(), again))
	byName := map[string]map[string]bool{"telemetry": {}, "anomaly": {}}
	for _, r := range f.requests("/write") {
		for _, l := range r.lines {
			name, _, _ := strings.Cut(l, ",")
			byName[name][l] = true
		}
	}
	assert.Len(t, byName["telemetry"], 3)
	assert.Len(t, byName["anomaly"], 12)
}

func TestARetryOverwritesWhatItWroteBefore(t *testing.T) {
	// The server kept the points, but the answer was lost.
	f := newFake(t, reset)
	e, _ := started(t, f.config(APIV1))
	td := calls(3000) // of equal tags and time
	require.Error(t, e.push(t.Context(), td))
	require.NoError(t, e.push(t.Context(), td))
	got := f.requests("/write")
	require.Len(t, got, 2)
	assert.Equal(t, got[0].lines, got[1].lines)
	assert.Equal(t, 3000, distinct(t, got))
}

func TestSpansThatAreNoLLMCallsAreIgnored(t *testing.T) {
	f := newFake(t)
	e, tel := started(t, f.config(APIAuto))
	td := ptrace.NewTraces()
	span := td.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans().AppendEmpty()
	span.SetName("GET /")
	require.NoError(t, e.push(t.Context(), td))
	require.NoError(t, e.push(t.Context(), ptrace.NewTraces()))
	assert.Empty(t, f.got, "nothing to say, nothing sent")

	// The anomaly of a window travels on a span of its own.
	anomaly.MarkSpan(span, []anomaly.Anomaly{finding(1), finding(2)})
	require.NoError(t, e.push(t.Context(), td))
	assert.EqualValues(t, 2, sum(t, tel, "sentinel_influxdb_points_total", "measurement", "anomaly"))
	assert.EqualValues(t, 0, sum(t, tel, "sentinel_influxdb_points_total", "measurement", "telemetry"))
}

func TestAnomaliesThatCannotBeReadAreCounted(t *testing.T) {
	f := newFake(t)
	e, tel := started(t, f.config(APIV1))
	td := calls(1, func(_ int, span ptrace.Span) {
		anomaly.MarkSpan(span, []anomaly.Anomaly{finding(1), finding(2)})
		span.Events().At(0).Attributes().PutStr(anomaly.AttrID, "not a uuid")
	})
	require.NoError(t, e.push(t.Context(), td))
	assert.EqualValues(t, 1, sum(t, tel, "sentinel_influxdb_points_total", "measurement", "anomaly"))
	assert.EqualValues(t, 1, sum(t, tel, "sentinel_influxdb_points_dropped_total", "reason", "undecodable"))
}

func TestOverflowIsCounted(t *testing.T) {
	f := newFake(t)
	cfg := f.config(APIV1)
	cfg.MaxSeries = minSeries
	e, tel := started(t, cfg)
	require.NoError(t, e.push(t.Context(), calls(100, func(i int, span ptrace.Span) {
		span.Attributes().PutStr("gen_ai.request.model", fmt.Sprintf("model-%d", i))
	})))
	assert.EqualValues(t, 100, sum(t, tel, "sentinel_influxdb_points_total", "", ""))
	assert.EqualValues(t, 96, sum(t, tel, "sentinel_influxdb_series_overflow_total", "", ""))
	assert.LessOrEqual(t, sum(t, tel, "sentinel_influxdb_series", "", ""), int64(minSeries))
}

func TestConcurrentPushes(t *testing.T) {
	f := newFake(t)
	cfg := f.config(APIAuto)
	cfg.PayloadMaxLines = 100
	e, _ := started(t, cfg)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() { assert.NoError(t, e.push(t.Context(), calls(500))) })
	}
	wg.Wait()
	assert.Len(t, f.requests("/ping"), 1)
	assert.Equal(t, 500, distinct(t, f.requests("/write")), "four times the same spans")
}

func TestACancelledPushEnds(t *testing.T) {
	f := newFake(t)
	e, _ := started(t, f.config(APIV1))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, e.push(ctx, calls(1)), context.Canceled)
}

func TestShutdownWithoutStart(t *testing.T) {
	e, err := newExporter(createDefaultConfig().(*Config), exportertest.NewNopSettings(metadata.Type))
	require.NoError(t, err)
	require.ErrorIs(t, e.push(t.Context(), calls(1)), errNotStarted)
	require.NoError(t, e.shutdown(t.Context()))
	require.NoError(t, e.shutdown(t.Context()))
}

// statusHost records what is reported.
type statusHost struct {
	component.Host
	mu     sync.Mutex
	events []*componentstatus.Event
}

func (h *statusHost) Report(e *componentstatus.Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.events = append(h.events, e)
}

func TestStatusFollowsTheServer(t *testing.T) {
	f := newFake(t, answer(503, ""), answer(503, ""))
	e, _ := started(t, f.config(APIV1))
	h := &statusHost{Host: componenttest.NewNopHost()}
	e.host = h
	for range 4 {
		_ = e.push(t.Context(), calls(1))
	}
	require.Len(t, h.events, 2)
	assert.Equal(t, componentstatus.StatusRecoverableError, h.events[0].Status())
	assert.Equal(t, componentstatus.StatusOK, h.events[1].Status())
}

func TestThroughTheHelperNothingIsLostWhenTheServerRecovers(t *testing.T) {
	f := newFake(t, answer(503, ""), reset, answer(429, "", "Retry-After", "0"))
	cfg := f.config(APIV1)
	cfg.RetryConfig.InitialInterval = time.Millisecond
	cfg.RetryConfig.MaxInterval = 5 * time.Millisecond
	factory := NewFactory()
	exp, err := factory.CreateTraces(t.Context(), exportertest.NewNopSettings(metadata.Type), cfg)
	require.NoError(t, err)
	require.NoError(t, exp.Start(t.Context(), componenttest.NewNopHost()))
	require.NoError(t, exp.ConsumeTraces(t.Context(), calls(10)))
	require.Eventually(t, func() bool { return len(f.requests("/write")) == 4 }, 10*time.Second, 5*time.Millisecond)
	require.NoError(t, exp.Shutdown(t.Context()))
	got := f.requests("/write")
	assert.Equal(t, got[0].lines, got[3].lines)
	assert.Equal(t, 10, distinct(t, got[3:]))
}

func TestSpansThatArriveOneByOneShareRequests(t *testing.T) {
	f := newFake(t)
	exp, err := NewFactory().CreateTraces(t.Context(), exportertest.NewNopSettings(metadata.Type), f.config(APIV1))
	require.NoError(t, err)
	require.NoError(t, exp.Start(t.Context(), componenttest.NewNopHost()))
	const n = 200
	all := calls(n)
	for i := range n {
		one := calls(1)
		all.ResourceSpans().At(0).ScopeSpans().At(0).Spans().At(i).CopyTo(one.ResourceSpans().At(0).ScopeSpans().At(0).Spans().At(0))
		require.NoError(t, exp.ConsumeTraces(t.Context(), one))
	}
	require.NoError(t, exp.Shutdown(t.Context()))
	got := f.requests("/write")
	assert.Equal(t, n, distinct(t, got), "the shutdown flushes")
	assert.Less(t, len(got), n/4)
}
