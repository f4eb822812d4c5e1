package webhook

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/llm-devops/llm-sentinel/exporter/alertexporter/internal/notify"
	"github.com/llm-devops/llm-sentinel/internal/anomaly"
)

func sample() anomaly.Anomaly {
	at := time.Date(2026, 1, 2, 3, 4, 5, 678_000_000, time.UTC)
	return anomaly.Anomaly{
		ID:   anomaly.NewID("chat-api", "gpt-4", "latency_ms", anomaly.TypeLatencySpike, at, ""),
		Time: at, Severity: anomaly.SeverityHigh, Type: anomaly.TypeLatencySpike,
		Service: "chat-api", Model: "gpt-4", Method: anomaly.MethodZScore, Confidence: 0.93,
		Details: anomaly.Details{Metric: "latency_ms", Value: 9000, Baseline: 800, Threshold: 2300, DeviationSigma: 5.4},
		Context: anomaly.Context{TimeWindow: "last_64_samples", SampleCount: 64, Additional: map[string]string{"operation": "chat"}},
	}
}

func TestBodyShapes(t *testing.T) {
	n := notify.Notification{Anomaly: sample(), Suppressed: 7}
	for format, typeKey := range map[Format]string{FormatStandard: "type", FormatSentinel: "event_type"} {
		body, err := encode(format, n)
		require.NoError(t, err)
		var got map[string]json.RawMessage
		require.NoError(t, json.Unmarshal(body, &got))
		assert.Len(t, got, 3, format)
		assert.JSONEq(t, `"anomaly.detected"`, string(got[typeKey]), format)
		assert.JSONEq(t, `"2026-01-02T03:04:05.678Z"`, string(got["timestamp"]), format)

		var a anomaly.Anomaly
		require.NoError(t, json.Unmarshal(got["data"], &a))
		assert.Equal(t, "7", a.Context.Additional[notify.SuppressedKey])
		delete(a.Context.Additional, notify.SuppressedKey)
		assert.Equal(t, n.Anomaly, a)
	}
	assert.NotContains(t, n.Anomaly.Context.Additional, notify.SuppressedKey, "the caller's map was changed")
}

func TestBodyIsTheSameForEachAttempt(t *testing.T) {
	n := notify.Notification{Anomaly: sample(), Suppressed: 1}
	first, err := encode(FormatStandard, n)
	require.NoError(t, err)
	for range 20 {
		again, err := encode(FormatStandard, n)
		require.NoError(t, err)
		require.Equal(t, string(first), string(again))
	}
}

func TestLargeBodiesAreShortened(t *testing.T) {
	long := strings.Repeat("é\x01", 40_000)
	for name, change := range map[string]func(*anomaly.Anomaly){
		"context": func(a *anomaly.Anomaly) {
			for i := range 2000 {
				a.Context.Additional[fmt.Sprint("key", i)] = "some value"
			}
		},
		"details": func(a *anomaly.Anomaly) {
			a.Details.Additional = map[string]float64{}
			for i := range 3000 {
				a.Details.Additional[fmt.Sprint("key", i)] = math.Pi
			}
		},
		"texts": func(a *anomaly.Anomaly) {
			a.RootCause, a.RunbookURL, a.Service, a.Model = long, long, long, long
			a.Type, a.Method, a.Details.Metric = anomaly.Type(long), anomaly.Method(long), long
			a.Context = anomaly.Context{TraceID: long, SpanID: long, EventID: long, UserID: long, Region: long, TimeWindow: long}
		},
		"lists": func(a *anomaly.Anomaly) {
			for range 2000 {
				a.Remediation = append(a.Remediation, long[:300])
				a.RelatedAlerts = append(a.RelatedAlerts, uuid.New())
				a.Details.Methods = append(a.Details.Methods, anomaly.MethodMAD)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			a := sample()
			change(&a)
			body, err := encode(FormatSentinel, notify.Notification{Anomaly: a, Suppressed: 3})
			require.NoError(t, err)
			assert.Less(t, len(body), maxBody)
			assert.True(t, utf8.Valid(body))
			var got struct{ Data anomaly.Anomaly }
			require.NoError(t, json.Unmarshal(body, &got))
			assert.Equal(t, a.ID, got.Data.ID)
			assert.Equal(t, map[string]string{notify.TruncatedKey: "true", notify.SuppressedKey: "3"}, dropIDs(got.Data.Context.Additional))
			if name == "context" || name == "details" {
				assert.Equal(t, a.Service, got.Data.Service, "shortened more than needed")
			}
		})
	}
}

func dropIDs(m map[string]string) map[string]string {
	delete(m, "event_id")
	delete(m, "span_id")
	return m
}
