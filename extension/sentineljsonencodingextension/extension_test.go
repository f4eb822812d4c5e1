package sentineljsonencodingextension

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/extension"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/llm-devops/llm-sentinel/extension/sentineljsonencodingextension/internal/metadata"
)

// underTest is a started extension, its metrics and its log.
type underTest struct {
	*otlpEncoding
	metrics *componenttest.Telemetry
	logs    *observer.ObservedLogs
}

func newUnderTest(t *testing.T, change func(*Config)) *underTest {
	t.Helper()
	cfg := createDefaultConfig().(*Config)
	if change != nil {
		change(cfg)
	}
	require.NoError(t, confmap.Validate(cfg))
	u := &underTest{metrics: componenttest.NewTelemetry()}
	core, logs := observer.New(zap.DebugLevel)
	u.logs = logs
	set := extension.Settings{ID: component.NewID(metadata.Type), TelemetrySettings: u.metrics.NewTelemetrySettings()}
	set.Logger = zap.New(core)
	d, err := newDecoder(cfg, set)
	require.NoError(t, err)
	u.otlpEncoding = &otlpEncoding{eventEncoding{d}}
	require.NoError(t, u.Start(t.Context(), componenttest.NewNopHost()))
	t.Cleanup(func() {
		assert.NoError(t, u.Shutdown(context.Background()))
		assert.NoError(t, u.metrics.Shutdown(context.Background()))
	})
	return u
}

// sum adds up a metric by one attribute.
func (u *underTest) sum(t *testing.T, name, by string) map[string]int64 {
	t.Helper()
	out := map[string]int64{}
	m, err := u.metrics.GetMetric(name)
	if err != nil {
		return out // nothing was counted
	}
	for _, p := range m.Data.(metricdata.Sum[int64]).DataPoints {
		v, _ := p.Attributes.Value(attribute.Key(by))
		out[v.AsString()] += p.Value
	}
	return out
}

func (u *underTest) poisoned(t *testing.T) (n int64) {
	t.Helper()
	for _, v := range u.sum(t, "sentinel_encoding_poison_total", "reason") {
		n += v
	}
	return n
}

func traceOf(name string) ptrace.Traces {
	td := ptrace.NewTraces()
	td.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans().AppendEmpty().SetName(name)
	return td
}

func marshalled(t *testing.T, td ptrace.Traces) (proto, json []byte) {
	t.Helper()
	proto, err := (&ptrace.ProtoMarshaler{}).MarshalTraces(td)
	require.NoError(t, err)
	json, err = (&ptrace.JSONMarshaler{}).MarshalTraces(td)
	require.NoError(t, err)
	return proto, json
}

const oneEvent = `{"timestamp":"2026-01-02T03:04:05Z","service_name":"a","model_name":"m","request_id":"1"}`

func TestFormatIsToldApartByMessage(t *testing.T) {
	u := newUnderTest(t, func(c *Config) { c.Format = formatAuto })
	proto, json := marshalled(t, traceOf("otlp"))
	// A name of this length makes the second byte of the message a brace.
	var long []byte
	for n := 60; ; n++ {
		p, _ := marshalled(t, traceOf(string(make([]byte, n))))
		if p[1] == '{' {
			long = p
			break
		}
	}
	for name, c := range map[string]struct {
		message []byte
		format  string
	}{
		"protobuf":                  {proto, formatOTLPProto},
		"protobuf that looks like":  {long, formatOTLPProto},
		"OTLP/JSON":                 {json, formatOTLPJSON},
		"JSON after a line end":     {[]byte("\n" + oneEvent), formatJSON},
		"OTLP/JSON after line ends": {append([]byte("\n\n"), json...), formatOTLPJSON},
		"an event":                  {[]byte(oneEvent), formatJSON},
		"events":                    {[]byte("[" + oneEvent + "]"), formatJSON},
	} {
		t.Run(name, func(t *testing.T) {
			before := u.sum(t, "sentinel_encoding_items_total", "format")[c.format]
			td, err := u.UnmarshalTraces(c.message)
			require.NoError(t, err)
			assert.Equal(t, 1, td.SpanCount())
			assert.Equal(t, before+1, u.sum(t, "sentinel_encoding_items_total", "format")[c.format])
		})
	}
	td, err := u.UnmarshalTraces(nil)
	require.NoError(t, err, "a request without resources")
	assert.Zero(t, td.SpanCount())
	assert.Zero(t, u.poisoned(t))
}

func TestLogsAndMetricsOfOTLP(t *testing.T) {
	u := newUnderTest(t, func(c *Config) { c.Format = formatAuto })
	ld := plog.NewLogs()
	ld.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords().AppendEmpty().Body().SetStr("b")
	for _, m := range []plog.Marshaler{&plog.ProtoMarshaler{}, &plog.JSONMarshaler{}} {
		b, err := m.MarshalLogs(ld)
		require.NoError(t, err)
		got, err := u.UnmarshalLogs(b)
		require.NoError(t, err)
		assert.Equal(t, 1, got.LogRecordCount())
	}
	md := pmetric.NewMetrics()
	md.ResourceMetrics().AppendEmpty().ScopeMetrics().AppendEmpty().Metrics().AppendEmpty().SetEmptyGauge().DataPoints().AppendEmpty().SetIntValue(1)
	for _, m := range []pmetric.Marshaler{&pmetric.ProtoMarshaler{}, &pmetric.JSONMarshaler{}} {
		b, err := m.MarshalMetrics(md)
		require.NoError(t, err)
		got, err := u.UnmarshalMetrics(b)
		require.NoError(t, err)
		assert.Equal(t, 1, got.DataPointCount())
	}
	require.Zero(t, u.poisoned(t))
	// What is of another kind is poison, not nothing.
	_, err := u.UnmarshalLogs([]byte(oneEvent))
	require.NoError(t, err)
	_, json := marshalled(t, traceOf("x"))
	_, err = u.UnmarshalMetrics(json)
	require.NoError(t, err)
	assert.Equal(t, map[string]int64{"invalid_otlp": 2}, u.sum(t, "sentinel_encoding_poison_total", "reason"))
}

// A receiver of logs with JSON events fails at start in place of losing them.
func TestJSONEventsAreTracesOnly(t *testing.T) {
	for format, others := range map[string]bool{formatJSON: false, formatAuto: true, formatOTLPProto: true, formatOTLPJSON: true} {
		cfg := createDefaultConfig().(*Config)
		cfg.Format = format
		e, err := NewFactory().Create(t.Context(), extension.Settings{ID: component.NewID(metadata.Type), TelemetrySettings: componenttest.NewNopTelemetrySettings()}, cfg)
		require.NoError(t, err)
		_, isTraces := e.(ptrace.Unmarshaler)
		_, isLogs := e.(plog.Unmarshaler)
		_, isMetrics := e.(pmetric.Unmarshaler)
		assert.Equal(t, []bool{true, others, others}, []bool{isTraces, isLogs, isMetrics}, format)
	}
}
