package anomaly_test

import (
	"encoding/json"
	"math"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.uber.org/goleak"

	"github.com/llm-devops/llm-sentinel/internal/anomaly"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// full has every field set.
func full() anomaly.Anomaly {
	onset := time.Date(2026, 1, 2, 3, 4, 6, 789, time.UTC)
	return anomaly.Anomaly{
		ID:   anomaly.NewID("chat-api", "gpt-4", "latency_ms", anomaly.TypeLatencySpike, onset, "e1"),
		Time: onset, Severity: anomaly.SeverityHigh, Type: anomaly.TypeLatencySpike, Service: "chat-api", Model: "gpt-4",
		Method: anomaly.MethodZScore, Confidence: 0.93,
		Details: anomaly.Details{
			Metric: "latency_ms", Value: 9000, Baseline: 800, Threshold: 2300, DeviationSigma: 5.4,
			Methods: []anomaly.Method{anomaly.MethodZScore, anomaly.MethodMAD}, Additional: map[string]float64{"q1": 700},
		},
		Context: anomaly.Context{
			TraceID: "0102030405060708090a0b0c0d0e0f10", SpanID: "0102030405060708", EventID: "6f1c1a8e-7f0a-4a58-9f0c-2f6f6f3f1d10",
			UserID: "u1", Region: "eu-west-1", TimeWindow: "last_64_samples", SampleCount: 64, Additional: map[string]string{"operation": "chat"},
		},
		RootCause: "11.2 times the expected value", Remediation: []string{"look at the provider's status"},
		RelatedAlerts: []uuid.UUID{uuid.MustParse("0b7f5d0e-0d6c-4c0c-8a43-5a1f7f6f2c11")}, RunbookURL: "https://example.com/runbook",
	}
}

func TestWireJSONMatchesTheContract(t *testing.T) {
	const contract = `{"alert_id":"0b7f5d0e-0d6c-4c0c-8a43-5a1f7f6f2c11","timestamp":"2026-01-02T03:04:06.000Z","severity":"high","anomaly_type":"latency_spike",
 "service_name":"chat-api","model":"gpt-4","detection_method":"z_score","confidence":0.93,
 "details":{"metric":"latency_ms","value":9000.0,"baseline":800.0,"threshold":2300.0,"deviation_sigma":5.4,"additional":{}},
 "context":{"trace_id":null,"user_id":"u1","region":"eu-west-1","time_window":"rolling_window","sample_count":64,"additional":{}},
 "root_cause":null,"remediation":[],"related_alerts":[],"runbook_url":null}`
	var a anomaly.Anomaly
	require.NoError(t, json.Unmarshal([]byte(contract), &a))
	out, err := json.Marshal(a)
	require.NoError(t, err)
	want := map[string]any{}
	require.NoError(t, json.Unmarshal([]byte(contract), &want))
	want["timestamp"] = "2026-01-02T03:04:06Z"
	got := map[string]any{}
	require.NoError(t, json.Unmarshal(out, &got))
	assert.Equal(t, want, got)
}

func TestJSONRoundTripKeepsEveryField(t *testing.T) {
	a := full()
	out, err := json.Marshal(a)
	require.NoError(t, err)
	var back anomaly.Anomaly
	require.NoError(t, json.Unmarshal(out, &back))
	assert.Equal(t, a, back)
}

func TestUndefinedNumbersAreNull(t *testing.T) {
	a := full()
	a.Details.DeviationSigma = math.NaN()
	a.Details.Threshold = math.Inf(1)
	out, err := json.Marshal(a)
	require.NoError(t, err)
	assert.Contains(t, string(out), `"deviation_sigma":null`)
	assert.Contains(t, string(out), `"threshold":null`)
	var back anomaly.Anomaly
	require.NoError(t, json.Unmarshal(out, &back))
	assert.True(t, math.IsNaN(back.Details.DeviationSigma))
}

func TestCustomNamesAreObjectsOnTheWire(t *testing.T) {
	a := full()
	a.Type, a.Method = "gpu_melted", "nose"
	out, err := json.Marshal(a)
	require.NoError(t, err)
	assert.Contains(t, string(out), `"anomaly_type":{"custom":"gpu_melted"}`)
	assert.Contains(t, string(out), `"detection_method":{"custom":"nose"}`)
	var back anomaly.Anomaly
	require.NoError(t, json.Unmarshal(out, &back))
	assert.Equal(t, a, back)
}

func TestUnmarshalNamesWhatIsMissing(t *testing.T) {
	var a anomaly.Anomaly
	err := json.Unmarshal([]byte(`{"severity":"low"}`), &a)
	require.ErrorContains(t, err, "missing alert_id, timestamp, anomaly_type")
	assert.ErrorContains(t, json.Unmarshal([]byte(`{"severity":"urgent"}`), &a), `got "urgent"`)
}

func TestSpanRoundTripKeepsEveryField(t *testing.T) {
	span := ptrace.NewSpan()
	second := full()
	second.Type, second.Severity = anomaly.TypeCostAnomaly, anomaly.SeverityLow
	anomaly.MarkSpan(span, []anomaly.Anomaly{full(), second})

	assert.Equal(t, map[string]any{
		anomaly.AttrSeverity: "high", anomaly.AttrTypes: []any{"latency_spike", "cost_anomaly"},
	}, span.Attributes().AsRaw())
	var back []anomaly.Anomaly
	for a, err := range anomaly.FromSpan(span) {
		require.NoError(t, err)
		back = append(back, a)
	}
	assert.Equal(t, []anomaly.Anomaly{full(), second}, back)
}

func TestMarksOfTwoProcessorsAddUp(t *testing.T) {
	span := ptrace.NewSpan()
	critical := full()
	critical.Severity = anomaly.SeverityCritical
	anomaly.MarkSpan(span, []anomaly.Anomaly{critical})
	other := full()
	other.Type = anomaly.TypeTokenUsageSpike
	anomaly.MarkSpan(span, []anomaly.Anomaly{other, full()})
	assert.Equal(t, map[string]any{
		anomaly.AttrSeverity: "critical", anomaly.AttrTypes: []any{"latency_spike", "token_usage_spike"},
	}, span.Attributes().AsRaw())
	assert.Equal(t, 3, span.Events().Len())
}

func TestAnUnmarkedSpanStaysUntouched(t *testing.T) {
	span := ptrace.NewSpan()
	anomaly.MarkSpan(span, nil)
	assert.Zero(t, span.Attributes().Len())
	for range anomaly.FromSpan(span) {
		t.Fatal("no anomaly expected")
	}
}

func TestAMalformedMarkIsAnErrorThatNamesTheAttribute(t *testing.T) {
	for _, tc := range []struct {
		name string
		edit func(pcommon.Map)
		want string
	}{
		{"no id", func(m pcommon.Map) { m.Remove(anomaly.AttrID) }, "sentinel.anomaly.id is missing"},
		{"bad id", func(m pcommon.Map) { m.PutStr(anomaly.AttrID, "x") }, `sentinel.anomaly.id must be a UUID, got "x"`},
		{"bad severity", func(m pcommon.Map) { m.PutInt(anomaly.AttrSeverity, 3) }, `sentinel.anomaly.severity must be low, medium, high or critical, got "3"`},
		{"no type", func(m pcommon.Map) { m.Remove(anomaly.AttrType) }, "sentinel.anomaly.type is missing"},
		{"bad related", func(m pcommon.Map) { m.PutEmptySlice(anomaly.AttrRelatedAlerts).AppendEmpty().SetStr("y") }, "related_alerts must be a list of UUIDs"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			m := pcommon.NewMap()
			a := full()
			a.ToAttributes(m)
			tc.edit(m)
			_, err := anomaly.FromAttributes(m, a.Time)
			assert.ErrorContains(t, err, tc.want)
		})
	}
}

func TestIDDependsOnIdentityOnly(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	id := anomaly.NewID("s", "m", "latency_ms", anomaly.TypeLatencySpike, at, "")
	assert.Equal(t, id, anomaly.NewID("s", "m", "latency_ms", anomaly.TypeLatencySpike, at.In(time.FixedZone("x", 3600)), ""))
	assert.NotEqual(t, id, anomaly.NewID("sm", "", "latency_ms", anomaly.TypeLatencySpike, at, ""))
	assert.NotEqual(t, id, anomaly.NewID("s", "m", "latency_ms", anomaly.TypeLatencySpike, at.Add(1), ""))
	assert.EqualValues(t, 5, id.Version())
}

func TestParseType(t *testing.T) {
	for in, want := range map[string]anomaly.Type{
		"latency_spike": anomaly.TypeLatencySpike, "Latency-Spike": anomaly.TypeLatencySpike,
		"error_rate_spike": anomaly.TypeErrorRateIncrease, "MODEL_DRIFT": anomaly.TypeConceptDrift,
		"jailbreak-attempt": anomaly.TypeSecurityThreat, "My-Own": "My-Own",
	} {
		assert.Equal(t, want, anomaly.ParseType(in), in)
	}
	assert.Len(t, anomaly.Types(), 12)
}

func TestParseSeverity(t *testing.T) {
	for _, s := range anomaly.Severities() {
		got, err := anomaly.ParseSeverity(s.String())
		require.NoError(t, err)
		assert.Equal(t, s, got)
	}
	_, err := anomaly.ParseSeverity("severe")
	assert.EqualError(t, err, `severity must be one of low, medium, high, critical, got "severe"`)
	_, err = anomaly.Severity(0).MarshalText()
	assert.Error(t, err)
}

func FuzzUnmarshalJSON(f *testing.F) {
	seed, err := json.Marshal(full())
	require.NoError(f, err)
	f.Add(seed)
	f.Add([]byte(`{"anomaly_type":{"custom":""},"details":null}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var a anomaly.Anomaly
		if json.Unmarshal(data, &a) != nil {
			return
		}
		out, err := json.Marshal(a)
		require.NoError(t, err)
		var back anomaly.Anomaly
		require.NoError(t, json.Unmarshal(out, &back))
		again, err := json.Marshal(back)
		require.NoError(t, err)
		assert.JSONEq(t, string(out), string(again))
	})
}

func FuzzFromSpan(f *testing.F) {
	traces := ptrace.NewTraces()
	anomaly.MarkSpan(traces.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans().AppendEmpty(), []anomaly.Anomaly{full()})
	seed, err := (&ptrace.ProtoMarshaler{}).MarshalTraces(traces)
	require.NoError(f, err)
	f.Add(seed)
	f.Fuzz(func(t *testing.T, data []byte) {
		td, err := (&ptrace.ProtoUnmarshaler{}).UnmarshalTraces(data)
		if err != nil {
			return
		}
		for _, rs := range td.ResourceSpans().All() {
			for _, ss := range rs.ScopeSpans().All() {
				for _, span := range ss.Spans().All() {
					for a, err := range anomaly.FromSpan(span) {
						if err == nil {
							require.True(t, a.Severity.Valid())
							require.NotEqual(t, uuid.Nil, a.ID)
						}
					}
				}
			}
		}
	})
}
