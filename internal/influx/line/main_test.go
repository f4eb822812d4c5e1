package line

import (
	"math"
	"os"
	"testing"
	"time"

	"github.com/google/uuid"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.uber.org/goleak"

	"github.com/llm-devops/llm-sentinel/internal/anomaly"
	"github.com/llm-devops/llm-sentinel/internal/genai"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// at is the time of test items.
var at = time.Date(2026, 1, 2, 3, 4, 5, 678_000_123, time.UTC)

// testOptions are those of the exporter's defaults.
func testOptions(edit ...func(*Options)) Options {
	o := Options{
		Telemetry: "telemetry", Anomaly: "anomaly",
		TelemetryTags: []string{"service", "model", "provider", "operation", "environment"},
		AnomalyTags:   []string{"service", "model", "severity", "type", "method"},
		MaxSeries:     10_000, SeriesIdleTimeout: 24 * time.Hour, MaxTextBytes: 10_000,
	}
	for _, f := range edit {
		f(&o)
	}
	return o
}

// fullEvent is an event of which all is known.
func fullEvent() genai.Event {
	return genai.Event{
		ID:      uuid.MustParse("6f1c1a8e-7f0a-4a58-9f0c-2f6f6f3f1d10"),
		TraceID: pcommon.TraceID{1, 2, 3}, SpanID: pcommon.SpanID{4, 5}, ParentSpanID: pcommon.SpanID{6},
		Start: pcommon.NewTimestampFromTime(at.Add(-time.Second)), End: pcommon.NewTimestampFromTime(at),
		Service: "chat-api", Environment: "prod", Region: "eu-west-1", Tenant: "t1", Operation: "chat", Provider: "openai",
		RequestModel: "gpt-4", ResponseModel: "gpt-4-0613", ResponseID: "resp-1", FinishReason: "stop", Conversation: "s1", User: "u1", Agent: "planner",
		Streaming: true, ServiceTier: "batch", Estimated: true, Failed: true, ErrorType: "rate_limit", ErrorMessage: "429: \"slow down\"\nretry\tlater\\",
		Present: genai.FieldInputTokens | genai.FieldOutputTokens | genai.FieldTotalTokens | genai.FieldCacheReadTokens |
			genai.FieldCacheWriteTokens | genai.FieldReasoningTokens | genai.FieldCost | genai.FieldTTFT | genai.FieldLatency |
			genai.FieldCacheWrite5mTokens | genai.FieldCacheWrite1hTokens | genai.FieldAudioInputTokens | genai.FieldAudioOutputTokens | genai.FieldImageInputTokens,
		InputTokens: 120, OutputTokens: 340, TotalTokens: 460, CacheReadTokens: 20, CacheWriteTokens: 5, ReasoningTokens: 100,
		CacheWrite5mTokens: 3, CacheWrite1hTokens: 2, AudioInputTokens: 7, AudioOutputTokens: 8, ImageInputTokens: 9,
		CostUSD: 0.024, TTFTMillis: 210.5, LatencyMillis: 812.5,
		PromptText: "Say \"hi\".\nThen go.", ResponseText: "hi \\o/",
		Metadata: map[string]string{"team": "search", "note": "a \"b\"\nc=\\,<d>"},
	}
}

// usualEvent is an event of which the usual is known.
func usualEvent() genai.Event {
	e := fullEvent()
	e.Streaming, e.ServiceTier, e.Estimated, e.Failed, e.ErrorType, e.ErrorMessage = false, "", false, false, "", ""
	e.PromptText, e.ResponseText, e.Metadata = "", "", nil
	e.CacheWrite5mTokens, e.CacheWrite1hTokens, e.AudioInputTokens, e.AudioOutputTokens, e.ImageInputTokens = 0, 0, 0, 0, 0
	e.Present &= genai.FieldInputTokens | genai.FieldOutputTokens | genai.FieldTotalTokens | genai.FieldCost | genai.FieldTTFT | genai.FieldLatency
	e.CacheReadTokens, e.CacheWriteTokens, e.ReasoningTokens = 0, 0, 0
	return e
}

func someAnomaly(i int) anomaly.Anomaly {
	return anomaly.Anomaly{
		ID: uuid.NewSHA1(uuid.Nil, []byte{byte(i), byte(i >> 8)}), Time: at, Severity: anomaly.SeverityHigh,
		Type: anomaly.TypeLatencySpike, Service: "chat-api", Model: "gpt-4", Method: anomaly.MethodZScore, Confidence: 0.93,
		Details: anomaly.Details{Metric: "latency_ms", Value: 9000, Baseline: 800, Threshold: 2300, DeviationSigma: 5.5},
		Context: anomaly.Context{TimeWindow: "last_64_samples", SampleCount: 64},
	}
}

// fullAnomaly is an anomaly of which all is known.
func fullAnomaly() anomaly.Anomaly {
	a := someAnomaly(1)
	a.Details.Methods = []anomaly.Method{anomaly.MethodZScore, "my, own"}
	a.Details.Additional = map[string]float64{"q1": 1.5, "q3": 1e300}
	a.Context.EventID, a.Context.TraceID, a.Context.SpanID = "6f1c1a8e-7f0a-4a58-9f0c-2f6f6f3f1d10", "01020300000000000000000000000000", "0405000000000000"
	a.Context.UserID, a.Context.Region = "u1", "eu-west-1"
	a.Context.Additional = map[string]string{"operation": "chat", "quote": `"`}
	a.RootCause, a.RunbookURL = "provider slow", "https://example.com/runbook"
	a.Remediation = []string{"wait", "ask \"them\"\nagain"}
	a.RelatedAlerts = []uuid.UUID{uuid.NewSHA1(uuid.Nil, []byte("a")), uuid.NewSHA1(uuid.Nil, []byte("b"))}
	return a
}

func unknown() anomaly.Anomaly {
	a := someAnomaly(1)
	a.Details = anomaly.Details{Metric: "latency_ms", Value: math.NaN(), Baseline: math.NaN(), Threshold: math.NaN(), DeviationSigma: math.NaN()}
	a.Confidence = math.NaN()
	return a
}

func updateGolden() bool { return os.Getenv("UPDATE_GOLDEN") != "" }

// micro is at without its nanoseconds.
var micro = at.Truncate(time.Microsecond)
