package anomaly_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/llm-devops/llm-sentinel/internal/anomaly"
)

func TestLogRoundTripKeepsEveryField(t *testing.T) {
	list := plog.NewLogRecordSlice()
	record := list.AppendEmpty()
	record.SetTraceID(pcommon.TraceID{1})
	record.SetSpanID(pcommon.SpanID{2})
	second := full()
	second.Type, second.Severity, second.RootCause = anomaly.TypeHallucination, anomaly.SeverityCritical, ""
	anomaly.MarkLog(list, record, []anomaly.Anomaly{full(), second})

	require.Equal(t, 3, list.Len())
	record = list.At(0)
	assert.False(t, anomaly.IsLog(record))
	assert.Equal(t, map[string]any{
		anomaly.AttrSeverity: "critical", anomaly.AttrTypes: []any{"latency_spike", "hallucination"},
	}, record.Attributes().AsRaw())
	for i, want := range []anomaly.Anomaly{full(), second} {
		own := list.At(i + 1)
		require.True(t, anomaly.IsLog(own))
		assert.Equal(t, pcommon.TraceID{1}, own.TraceID())
		assert.Equal(t, pcommon.SpanID{2}, own.SpanID())
		assert.Equal(t, want.RootCause, own.Body().Str())
		got, err := anomaly.FromLog(own)
		require.NoError(t, err)
		assert.Equal(t, want, got)
	}
	assert.Equal(t, plog.SeverityNumberError, list.At(1).SeverityNumber())
	assert.Equal(t, plog.SeverityNumberFatal, list.At(2).SeverityNumber())
}

func TestARecordWithoutAnomaliesStaysUntouched(t *testing.T) {
	list := plog.NewLogRecordSlice()
	anomaly.MarkLog(list, list.AppendEmpty(), nil)
	assert.Equal(t, 1, list.Len())
	assert.Zero(t, list.At(0).Attributes().Len())
}

func TestAMalformedLogIsAnError(t *testing.T) {
	record := plog.NewLogRecord()
	record.SetEventName(anomaly.EventName)
	_, err := anomaly.FromLog(record)
	assert.ErrorContains(t, err, "sentinel.anomaly.id is missing")
}

func TestLogsAsTracesCarriesAnomaliesAndNothingElse(t *testing.T) {
	ld := plog.NewLogs()
	list := ld.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords()
	other := list.AppendEmpty()
	assert.Zero(t, anomaly.LogsAsTraces(ld).SpanCount())
	anomaly.MarkLog(list, other, []anomaly.Anomaly{full()})
	broken := list.AppendEmpty()
	broken.SetEventName(anomaly.EventName)

	td := anomaly.LogsAsTraces(ld)
	require.Equal(t, 2, td.SpanCount())
	var got []anomaly.Anomaly
	var errs []error
	for _, rs := range td.ResourceSpans().All() {
		for a, err := range anomaly.FromSpan(rs.ScopeSpans().At(0).Spans().At(0)) {
			if err != nil {
				errs = append(errs, err)
				continue
			}
			got = append(got, a)
		}
	}
	assert.Equal(t, []anomaly.Anomaly{full()}, got)
	assert.Len(t, errs, 1, "what cannot be read is left to the reader to count")
}
