package anomaly_test

import (
	"math"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/llm-devops/llm-sentinel/internal/anomaly"
)

func resolution() anomaly.Resolution {
	begin := time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)
	return anomaly.Resolution{
		IDs: []uuid.UUID{{1}, {2}}, Service: "chat", Model: "gpt-4", Type: anomaly.TypeLatencySpike, Metric: "latency_ms",
		Onset: begin, End: begin.Add(90 * time.Second), Reason: anomaly.EndRebased, Baseline: 9600, Summary: "the new normal",
	}
}

func ends(t *testing.T, span ptrace.Span) (out []anomaly.Resolution, errs []error) {
	t.Helper()
	for r, err := range anomaly.ResolvedFromSpan(span) {
		if err != nil {
			errs = append(errs, err)
			continue
		}
		out = append(out, r)
	}
	return out, errs
}

func TestAnEndSurvivesTheSpan(t *testing.T) {
	span := ptrace.NewSpan()
	want := resolution()
	anomaly.MarkResolved(span, []anomaly.Resolution{want})
	got, errs := ends(t, span)
	require.Empty(t, errs)
	require.Equal(t, []anomaly.Resolution{want}, got)
	attrs := span.Events().At(0).Attributes()
	d, _ := attrs.Get("sentinel.anomaly.duration_seconds")
	assert.InDelta(t, 90, d.Double(), 1e-9)
	assert.Equal(t, pcommon.NewTimestampFromTime(want.End), span.Events().At(0).Timestamp())

	recovered := resolution()
	recovered.IDs, recovered.Reason, recovered.Baseline = recovered.IDs[:1], anomaly.EndRecovered, math.NaN()
	span = ptrace.NewSpan()
	anomaly.MarkResolved(span, []anomaly.Resolution{recovered})
	_, has := span.Events().At(0).Attributes().Get("sentinel.anomaly.baseline")
	assert.False(t, has, "no number that is not known")
	got, errs = ends(t, span)
	require.Empty(t, errs)
	assert.True(t, math.IsNaN(got[0].Baseline))
	assert.Equal(t, recovered.IDs, got[0].IDs)
}

// Exporters keep anomalies: an end must not look like one, on a marked span
// neither.
func TestAnEndIsNoAnomaly(t *testing.T) {
	span := ptrace.NewSpan()
	anomaly.MarkResolved(span, []anomaly.Resolution{resolution()})
	assert.Zero(t, span.Attributes().Len())
	span.Attributes().PutStr(anomaly.AttrSeverity, "high")
	for range anomaly.FromSpan(span) {
		require.Fail(t, "an end was read as an anomaly")
	}
}

func TestBadEndsAreErrors(t *testing.T) {
	for name, change := range map[string]func(pcommon.Map){
		"sentinel.anomaly.id":        func(m pcommon.Map) { m.PutStr(anomaly.AttrID, "x") },
		"sentinel.anomaly.later_ids": func(m pcommon.Map) { m.PutEmptySlice(anomaly.AttrLaterIDs).AppendEmpty().SetInt(5) },
		"sentinel.anomaly.onset":     func(m pcommon.Map) { m.Remove(anomaly.AttrOnset) },
		"sentinel.anomaly.end":       func(m pcommon.Map) { m.PutInt(anomaly.AttrEnd, 5) },
	} {
		span := ptrace.NewSpan()
		anomaly.MarkResolved(span, []anomaly.Resolution{resolution(), resolution()})
		change(span.Events().At(0).Attributes())
		got, errs := ends(t, span)
		require.Len(t, errs, 1, name)
		require.ErrorContains(t, errs[0], name)
		require.Len(t, got, 1, "the iteration goes on")
	}
}
