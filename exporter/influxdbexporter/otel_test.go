package influxdbexporter

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/influxdata/line-protocol/v2/lineprotocol"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/exporter/exportertest"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/llm-devops/llm-sentinel/exporter/influxdbexporter/internal/metadata"
)

func (f *fake) otelConfig() *Config {
	cfg := f.config(APIV2)
	cfg.Schema = SchemaOTel
	cfg.V2.Org, cfg.V2.Bucket = "acme", "otel"
	return cfg
}

// lines of all writes, in order.
func (f *fake) lines() (all []string) {
	for _, r := range f.requests("/write") {
		all = append(all, r.lines...)
	}
	return all
}

func oneLog(body string) plog.Logs {
	ld := plog.NewLogs()
	rl := ld.ResourceLogs().AppendEmpty()
	rl.Resource().Attributes().PutStr("service.name", "chat-api")
	rec := rl.ScopeLogs().AppendEmpty().LogRecords().AppendEmpty()
	rec.SetTimestamp(pcommon.NewTimestampFromTime(at))
	rec.SetSeverityNumber(plog.SeverityNumberWarn)
	rec.Body().SetStr(body)
	return ld
}

func someMetrics() pmetric.Metrics {
	md := pmetric.NewMetrics()
	rm := md.ResourceMetrics().AppendEmpty()
	rm.Resource().Attributes().PutStr("service.name", "chat-api")
	metrics := rm.ScopeMetrics().AppendEmpty().Metrics()
	gauge := metrics.AppendEmpty()
	gauge.SetName("queue_length")
	p := gauge.SetEmptyGauge().DataPoints().AppendEmpty()
	p.SetTimestamp(pcommon.NewTimestampFromTime(at))
	p.SetDoubleValue(7)
	count := metrics.AppendEmpty()
	count.SetName("calls")
	sum := count.SetEmptySum()
	sum.SetIsMonotonic(true)
	sum.SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
	p = sum.DataPoints().AppendEmpty()
	p.SetTimestamp(pcommon.NewTimestampFromTime(at))
	p.SetIntValue(12)
	return md
}

func TestEverySpanIsWrittenInTheFormOfInfluxData(t *testing.T) {
	f := newFake(t)
	e, tel := started(t, f.otelConfig())
	td := calls(1, func(_ int, span ptrace.Span) {
		event := span.Events().AppendEmpty()
		event.SetName("first token")
		event.SetTimestamp(pcommon.NewTimestampFromTime(at))
		span.Status().SetMessage("two\nlines")
	})
	other := td.ResourceSpans().At(0).ScopeSpans().At(0).Spans().AppendEmpty()
	call(other, 1)
	other.Attributes().Clear()
	other.SetName("GET /")
	require.NoError(t, e.pushAllTraces(t.Context(), td))
	got := f.lines()
	require.Len(t, got, 3)
	const ids = "span_id=0000000000000001,trace_id=00000000000000010000000000000000"
	assert.Equal(t, `logs,`+ids+` event.name="first token" 1767323045678000000`, got[0])
	assert.True(t, strings.HasPrefix(got[1], `spans,service.name=chat-api,`+ids+` attributes="{\"deployment.environment.name\":\"prod\",`), got[1])
	assert.Contains(t, got[1], `duration_nano=800000000i`)
	assert.Contains(t, got[1], `span.name="chat gpt-4"`)
	assert.Contains(t, got[1], `otel.status_description="two\nlines"`)
	assert.Contains(t, got[2], `span.name="GET /"`, "not only LLM calls")
	assert.Equal(t, "bucket=otel&org=acme&precision=ns", f.requests("/api/v2/write")[0].query)
	assert.EqualValues(t, 3, sum(t, tel, "sentinel_influxdb_points_total", "measurement", "otel"))
}

func TestDimensionsBecomeTags(t *testing.T) {
	f := newFake(t)
	cfg := f.otelConfig()
	cfg.OTel.SpanDimensions = []string{"gen_ai.request.model"}
	cfg.OTel.LogRecordDimensions = []string{"service.name"}
	e, _ := started(t, cfg)
	require.NoError(t, e.pushAllTraces(t.Context(), calls(1)))
	require.NoError(t, e.pushAllLogs(t.Context(), oneLog("hello")))
	got := f.lines()
	require.Len(t, got, 2)
	assert.True(t, strings.HasPrefix(got[0], `spans,gen_ai.request.model=gpt-4,span_id=`), got[0])
	assert.Equal(t, `logs,service.name=chat-api body="hello",severity_number=13i 1767323045678000000`, got[1])
}

func TestMetricsAreWrittenInBothSchemas(t *testing.T) {
	for schema, want := range map[string][]string{
		"telegraf-prometheus-v1": {
			`queue_length,service.name=chat-api gauge=7 1767323045678000000`,
			`calls,service.name=chat-api counter=12i 1767323045678000000`,
		},
		"telegraf-prometheus-v2": {
			`prometheus,service.name=chat-api queue_length=7 1767323045678000000`,
			`prometheus,service.name=chat-api calls=12i 1767323045678000000`,
		},
	} {
		f := newFake(t)
		cfg := f.otelConfig()
		cfg.OTel.MetricsSchema = schema
		e, _ := started(t, cfg)
		require.NoError(t, e.pushAllMetrics(t.Context(), someMetrics()))
		assert.Equal(t, want, f.lines(), schema)
	}
}

func TestMetricsNeedTheOTelSchema(t *testing.T) {
	_, err := NewFactory().CreateMetrics(t.Context(), exportertest.NewNopSettings(metadata.Type), createDefaultConfig())
	require.ErrorIs(t, err, errMetrics)
}

func TestCoarsePrecisionShortensTimes(t *testing.T) {
	f := newFake(t)
	cfg := f.otelConfig()
	cfg.API = APIV1
	cfg.OTel.Precision = PrecisionMilli
	e, _ := started(t, cfg)
	require.NoError(t, e.pushAllLogs(t.Context(), oneLog("a")))
	require.NoError(t, e.pushAllLogs(t.Context(), oneLog("b")))
	assert.Equal(t, "db=telemetry&precision=ms", f.requests("/write")[0].query)
	assert.True(t, strings.HasSuffix(f.lines()[1], " 1767323045678"))
}

func TestOneBadItemDoesNotCostTheOthers(t *testing.T) {
	f := newFake(t)
	e, tel := started(t, f.otelConfig())
	td := calls(3, func(i int, span ptrace.Span) {
		if i == 1 {
			span.SetTraceID(pcommon.TraceID{})
		}
	})
	require.NoError(t, e.pushAllTraces(t.Context(), td))
	assert.Equal(t, 3, td.SpanCount(), "the data are others' too")
	md := someMetrics()
	bad := md.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().AppendEmpty()
	bad.SetName("buckets that do not fit")
	h := bad.SetEmptyHistogram().DataPoints().AppendEmpty()
	h.SetTimestamp(pcommon.NewTimestampFromTime(at))
	h.BucketCounts().FromRaw([]uint64{1, 2, 3, 4, 5})
	h.ExplicitBounds().FromRaw([]float64{1})
	require.NoError(t, e.pushAllMetrics(t.Context(), md))
	assert.Len(t, f.lines(), 4)
	assert.EqualValues(t, 2, sum(t, tel, "sentinel_influxdb_points_dropped_total", "reason", "invalid"))
	assert.EqualValues(t, 4, sum(t, tel, "sentinel_influxdb_points_total", "", ""))
}

func TestPointsAreCutIntoPayloads(t *testing.T) {
	for _, limit := range []func(*Config){
		func(c *Config) { c.PayloadMaxLines = 7 },
		func(c *Config) { c.PayloadMaxBytes = 2000 },
		func(c *Config) { c.PayloadMaxBytes = 1 },
	} {
		f := newFake(t)
		cfg := f.otelConfig()
		limit(cfg)
		e, _ := started(t, cfg)
		require.NoError(t, e.pushAllTraces(t.Context(), calls(50)))
		got := f.requests("/api/v2/write")
		assert.Greater(t, len(got), 7)
		assert.Equal(t, 50, distinct(t, got))
		for _, r := range got {
			assert.LessOrEqual(t, len(r.lines), cfg.PayloadMaxLines)
			if len(r.lines) > 1 {
				assert.LessOrEqual(t, len(strings.Join(r.lines, "\n"))+1, cfg.PayloadMaxBytes)
			}
		}
	}
}

func TestAServerThatIsBusyInTheMiddleIsNotLoss(t *testing.T) {
	// The second of five requests; contrib's exporter would give up.
	f := newFake(t, answer(204, ""), answer(503, "", "Retry-After", "3"))
	cfg := f.otelConfig()
	cfg.PayloadMaxLines = 10
	e, tel := started(t, cfg)
	err := e.pushAllTraces(t.Context(), calls(50))
	require.Error(t, err)
	assert.False(t, consumererror.IsPermanent(err))
	require.NoError(t, e.pushAllTraces(t.Context(), calls(50)))
	assert.Equal(t, 50, distinct(t, f.requests("/api/v2/write")))
	assert.Zero(t, sum(t, tel, "sentinel_influxdb_points_dropped_total", "", ""))
}

func TestWhatIsRefusedIsCountedAndTheRestSent(t *testing.T) {
	f := newFake(t, answer(400, `{"code":"invalid","message":"no"}`))
	cfg := f.otelConfig()
	cfg.PayloadMaxLines = 10
	e, tel := started(t, cfg)
	err := e.pushAllTraces(t.Context(), calls(30))
	assert.True(t, consumererror.IsPermanent(err))
	assert.EqualValues(t, 20, sum(t, tel, "sentinel_influxdb_points_total", "", ""))
	assert.EqualValues(t, 10, sum(t, tel, "sentinel_influxdb_points_dropped_total", "reason", "rejected"))
}

func TestEverySignalGoesThroughTheFactory(t *testing.T) {
	f := newFake(t)
	factory, cfg, set := NewFactory(), f.otelConfig(), exportertest.NewNopSettings(metadata.Type)
	traces, err := factory.CreateTraces(t.Context(), set, cfg)
	require.NoError(t, err)
	logs, err := factory.CreateLogs(t.Context(), set, cfg)
	require.NoError(t, err)
	metrics, err := factory.CreateMetrics(t.Context(), set, cfg)
	require.NoError(t, err)
	for _, c := range []interface {
		Start(context.Context, component.Host) error
	}{traces, logs, metrics} {
		require.NoError(t, c.Start(t.Context(), componenttest.NewNopHost()))
	}
	require.NoError(t, traces.ConsumeTraces(t.Context(), calls(1)))
	require.NoError(t, logs.ConsumeLogs(t.Context(), oneLog("x")))
	require.NoError(t, metrics.ConsumeMetrics(t.Context(), someMetrics()))
	require.NoError(t, traces.Shutdown(t.Context()))
	require.NoError(t, logs.Shutdown(t.Context()))
	require.NoError(t, metrics.Shutdown(t.Context()))
	assert.Len(t, f.lines(), 4)
}

// FuzzPoints: whatever a point is made of, what is sent can be read.
func FuzzPoints(f *testing.F) {
	f.Add("spans", "k", "v", "f", "text", int64(1), 3)
	f.Add("", "", "", "", "", int64(-1), 1)
	f.Add("a b,c", "x=\\", "y\n", "z,", "\"\\\n\x00\xff", int64(1<<62), 2)
	f.Fuzz(func(t *testing.T, name, key, value, field, text string, nanos int64, maxBytes int) {
		cfg := createDefaultConfig().(*Config)
		cfg.PayloadMaxBytes = maxBytes
		p := newPoints(cfg)
		for i := range 3 {
			fields := map[string]interface{}{field: text, "n": int64(i), "bad": struct{}{}}
			require.NoError(t, p.EnqueuePoint(t.Context(), name, map[string]string{key: value}, fields, time.Unix(0, nanos), 0))
		}
		if p.lines > 0 {
			p.end(len(p.enc.Bytes()))
		}
		require.Equal(t, 3, p.total()+p.invalid)
		d := lineprotocol.NewDecoderWithBytes(p.enc.Bytes())
		n := 0
		for d.Next() {
			_, err := d.Measurement()
			require.NoError(t, err)
			_, err = d.Time(lineprotocol.Nanosecond, time.Time{})
			require.NoError(t, err)
			n++
		}
		require.Equal(t, p.total(), n)
	})
}
