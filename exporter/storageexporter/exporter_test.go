package storageexporter

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/config/configretry"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/exporter/exportertest"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/metric/metricdata/metricdatatest"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/llm-devops/llm-sentinel/exporter/storageexporter/internal/metadata"
	"github.com/llm-devops/llm-sentinel/exporter/storageexporter/internal/metadatatest"
	"github.com/llm-devops/llm-sentinel/internal/anomaly"
	"github.com/llm-devops/llm-sentinel/internal/genai"
	"github.com/llm-devops/llm-sentinel/internal/store"
)

// memory is a storage extension that keeps what it gets.
type memory struct {
	component.StartFunc
	component.ShutdownFunc

	mu        sync.Mutex
	events    []genai.Event
	anomalies []anomaly.Anomaly
	batches   int
	// fail is asked before each write.
	fail func() error
}

func (m *memory) StoreWriter(context.Context) (store.Writer, error) { return m, nil }

func (m *memory) StoreReader(context.Context) (store.Reader, error) { return nil, store.ErrUnsupported }

func (m *memory) begin() (func(), error) {
	m.mu.Lock()
	if m.fail != nil {
		if err := m.fail(); err != nil {
			m.mu.Unlock()
			return nil, err
		}
	}
	return m.mu.Unlock, nil
}

func (m *memory) WriteEvents(_ context.Context, batch []genai.Event) error {
	end, err := m.begin()
	if err != nil {
		return err
	}
	defer end()
	m.batches++
	m.events = append(m.events, batch...)
	return nil
}

func (m *memory) WriteAnomalies(_ context.Context, batch []anomaly.Anomaly) error {
	end, err := m.begin()
	if err != nil {
		return err
	}
	defer end()
	m.anomalies = append(m.anomalies, batch...)
	return nil
}

type host map[component.ID]component.Component

func (h host) GetExtensions() map[component.ID]component.Component { return h }

func storageIn(c component.Component) host {
	return host{component.MustNewID(defaultStorage): c}
}

func settings() exporter.Settings {
	set := exportertest.NewNopSettings(metadata.Type)
	set.ID = component.NewID(metadata.Type)
	return set
}

// started returns a running exporter that writes into m.
func started(t *testing.T, m *memory, set exporter.Settings, change func(*Config)) exporter.Traces {
	t.Helper()
	cfg := createDefaultConfig().(*Config)
	if change != nil {
		change(cfg)
	}
	e, err := NewFactory().CreateTraces(t.Context(), set, cfg)
	require.NoError(t, err)
	require.NoError(t, e.Start(t.Context(), storageIn(m)))
	t.Cleanup(func() { require.NoError(t, e.Shutdown(context.Background())) })
	return e
}

// addSpan appends a span under the first resource of td, which it makes.
func addSpan(td ptrace.Traces, name string, n byte) ptrace.Span {
	if td.ResourceSpans().Len() == 0 {
		rs := td.ResourceSpans().AppendEmpty()
		rs.Resource().Attributes().PutStr("service.name", "chat")
		rs.ScopeSpans().AppendEmpty()
	}
	span := td.ResourceSpans().At(0).ScopeSpans().At(0).Spans().AppendEmpty()
	span.SetName(name)
	span.SetTraceID(pcommon.TraceID{1, n})
	span.SetSpanID(pcommon.SpanID{2, n})
	now := time.Now()
	span.SetStartTimestamp(pcommon.NewTimestampFromTime(now.Add(-time.Second)))
	span.SetEndTimestamp(pcommon.NewTimestampFromTime(now))
	return span
}

func addCall(td ptrace.Traces, n byte) ptrace.Span {
	span := addSpan(td, "chat gpt-4", n)
	a := span.Attributes()
	a.PutStr("gen_ai.operation.name", "chat")
	a.PutStr("gen_ai.provider.name", "openai")
	a.PutStr("gen_ai.request.model", "gpt-4")
	a.PutInt("gen_ai.usage.input_tokens", 120)
	a.PutInt("gen_ai.usage.output_tokens", 340)
	a.PutStr("llm.prompt", "my secret question")
	a.PutStr("llm.response", "a private answer")
	return span
}

func finding(t anomaly.Type) anomaly.Anomaly {
	at := time.Now().UTC()
	return anomaly.Anomaly{
		ID: anomaly.NewID("chat", "gpt-4", "latency_ms", t, at, ""), Time: at,
		Severity: anomaly.SeverityHigh, Type: t, Service: "chat", Model: "gpt-4", Method: anomaly.MethodMAD, Confidence: 0.9,
	}
}

func TestCallsAndAnomaliesAreStored(t *testing.T) {
	m := &memory{}
	e := started(t, m, settings(), nil)
	td := ptrace.NewTraces()
	call := addCall(td, 1)
	addSpan(td, "GET /", 2)
	both := addCall(td, 3)
	spike, cost, silence := finding(anomaly.TypeLatencySpike), finding(anomaly.TypeCostAnomaly), finding(anomaly.TypeThroughputDegradation)
	anomaly.MarkSpan(both, []anomaly.Anomaly{spike, cost})
	anomaly.MarkSpan(addSpan(td, "sentinel.anomaly throughput_degradation", 4), []anomaly.Anomaly{silence})
	require.NoError(t, e.ConsumeTraces(t.Context(), td))

	require.Len(t, m.events, 2, "a span that is no call is no event")
	got := m.events[0]
	require.Equal(t, genai.NewEventID(call.TraceID(), call.SpanID()), got.ID)
	require.Equal(t, "chat", got.Service)
	require.Equal(t, "gpt-4", got.Model())
	require.EqualValues(t, 120, got.InputTokens)
	require.Equal(t, both.SpanID(), m.events[1].SpanID)
	types := make([]anomaly.Type, len(m.anomalies))
	for i, a := range m.anomalies {
		types[i] = a.Type
	}
	require.Equal(t, []anomaly.Type{spike.Type, cost.Type, silence.Type}, types, "also of a span that is no call")
	require.Equal(t, spike.ID, m.anomalies[0].ID)
}

func TestOtherTracesWriteNothing(t *testing.T) {
	m := &memory{fail: func() error { return errors.New("must not be called") }}
	e := started(t, m, settings(), nil)
	td := ptrace.NewTraces()
	addSpan(td, "GET /", 1)
	require.NoError(t, e.ConsumeTraces(t.Context(), td))
	require.NoError(t, e.ConsumeTraces(t.Context(), ptrace.NewTraces()))
}

func TestTextsAreStoredOnlyOnRequest(t *testing.T) {
	for _, include := range []bool{false, true} {
		t.Run(strconv.FormatBool(include), func(t *testing.T) {
			m := &memory{}
			e := started(t, m, settings(), func(c *Config) { c.IncludeText, c.MaxTextBytes = include, 12 })
			td := ptrace.NewTraces()
			addCall(td, 1)
			require.NoError(t, e.ConsumeTraces(t.Context(), td))
			require.Len(t, m.events, 1)
			if include {
				require.Contains(t, m.events[0].PromptText, "my secret")
				require.NotContains(t, m.events[0].PromptText, "question", "cut at max_text_bytes")
				require.NotEmpty(t, m.events[0].ResponseText)
				return
			}
			require.Empty(t, m.events[0].PromptText)
			require.Empty(t, m.events[0].ResponseText)
			for k, v := range m.events[0].Metadata {
				require.NotContains(t, v, "secret", k)
				require.NotContains(t, v, "private", k)
			}
		})
	}
}

func TestUndecodableAnomalyIsCountedAndTheRestStored(t *testing.T) {
	tel := componenttest.NewTelemetry()
	t.Cleanup(func() { require.NoError(t, tel.Shutdown(context.Background())) })
	core, logs := observer.New(zap.WarnLevel)
	set := settings()
	set.TelemetrySettings = tel.NewTelemetrySettings()
	set.Logger = zap.New(core)
	m := &memory{}
	e := started(t, m, set, nil)
	td := ptrace.NewTraces()
	span := addCall(td, 1)
	good := finding(anomaly.TypeLatencySpike)
	anomaly.MarkSpan(span, []anomaly.Anomaly{good, finding(anomaly.TypeCostAnomaly)})
	span.Events().At(1).Attributes().PutStr(anomaly.AttrSeverity, "apocalyptic")
	span.Events().AppendEmpty().SetName(anomaly.EventName)
	require.NoError(t, e.ConsumeTraces(t.Context(), td))
	require.Len(t, m.events, 1)
	require.Len(t, m.anomalies, 1)
	require.Equal(t, good.ID, m.anomalies[0].ID)
	metadatatest.AssertEqualStorageExporterDroppedTotal(t, tel, []metricdata.DataPoint[int64]{{
		Value:      2,
		Attributes: attribute.NewSet(attribute.String("exporter", "llm_storage"), attribute.String("reason", "undecodable_anomaly")),
	}}, metricdatatest.IgnoreTimestamp(), metricdatatest.IgnoreExemplars())
	require.Equal(t, 1, logs.FilterMessageSnippet("cannot be read").Len(), "logged once")
}

func TestSuccessMeansStored(t *testing.T) {
	m := &memory{fail: func() error { return errors.New("disk on fire") }}
	e := started(t, m, settings(), func(c *Config) { c.RetryConfig.Enabled = false })
	td := ptrace.NewTraces()
	addCall(td, 1)
	err := e.ConsumeTraces(t.Context(), td)
	require.ErrorContains(t, err, "disk on fire")
	require.False(t, consumererror.IsPermanent(err), "the sender may try again")
}

func TestFailedWritesAreTriedAgain(t *testing.T) {
	left := 3
	m := &memory{fail: func() error {
		if left--; left >= 0 {
			return store.ErrFull
		}
		return nil
	}}
	e := started(t, m, settings(), func(c *Config) {
		c.RetryConfig = configretry.BackOffConfig{
			Enabled: true, InitialInterval: time.Millisecond, MaxInterval: 2 * time.Millisecond, Multiplier: 1.5, MaxElapsedTime: time.Minute,
		}
	})
	td := ptrace.NewTraces()
	addCall(td, 1)
	require.NoError(t, e.ConsumeTraces(t.Context(), td))
	require.Len(t, m.events, 1)
}

func TestErrorsThatCannotBeMendedArePermanent(t *testing.T) {
	m := &memory{fail: func() error { return fmt.Errorf("write: %w", store.ErrInvalid) }}
	e := started(t, m, settings(), nil)
	td := ptrace.NewTraces()
	addCall(td, 1)
	require.True(t, consumererror.IsPermanent(e.ConsumeTraces(t.Context(), td)))
	require.False(t, consumererror.IsPermanent(classify(store.ErrFull)))
	require.False(t, consumererror.IsPermanent(classify(context.DeadlineExceeded)))
}

func TestConcurrentSendersShareWrites(t *testing.T) {
	m := &memory{}
	e := started(t, m, settings(), func(c *Config) {
		c.QueueConfig.Get().Batch.Get().FlushTimeout = 200 * time.Millisecond
	})
	var wg sync.WaitGroup
	for n := range 20 {
		wg.Go(func() {
			td := ptrace.NewTraces()
			id := addCall(td, byte(n)).SpanID()
			assert.NoError(t, e.ConsumeTraces(t.Context(), td))
			m.mu.Lock()
			defer m.mu.Unlock()
			assert.True(t, slices.ContainsFunc(m.events, func(e genai.Event) bool { return e.SpanID == id }), "acknowledged before it was stored")
		})
	}
	wg.Wait()
	require.Len(t, m.events, 20)
	require.Less(t, m.batches, 20)
}

func TestStartNeedsTheStorage(t *testing.T) {
	for name, c := range map[string]struct {
		host host
		want error
	}{
		"missing":   {host{component.MustNewIDWithName(defaultStorage, "other"): &memory{}}, errStorageNotFound},
		"no writer": {storageIn(struct{ component.Component }{}), errNotAStorage},
	} {
		t.Run(name, func(t *testing.T) {
			e, err := NewFactory().CreateTraces(t.Context(), settings(), createDefaultConfig())
			require.NoError(t, err)
			err = e.Start(t.Context(), c.host)
			require.ErrorIs(t, err, c.want)
			require.ErrorContains(t, err, `storage "llm_storage"`)
			require.NoError(t, e.Shutdown(t.Context()))
		})
	}
}

func TestShutdownWithoutStartAndTwice(t *testing.T) {
	e, err := newExporter(createDefaultConfig().(*Config), settings())
	require.NoError(t, err)
	require.NoError(t, e.shutdown(t.Context()))
	require.NoError(t, e.shutdown(t.Context()))
}

func BenchmarkExtract(b *testing.B) {
	e, err := newExporter(createDefaultConfig().(*Config), settings())
	require.NoError(b, err)
	td := ptrace.NewTraces()
	for n := range 200 {
		addCall(td, byte(n))
	}
	b.ReportAllocs()
	for b.Loop() {
		events, _ := e.extract(b.Context(), td)
		require.Len(b, events, 200)
	}
}
