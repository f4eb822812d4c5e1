package e2e

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/llm-devops/llm-sentinel/internal/anomaly"
	"github.com/llm-devops/llm-sentinel/internal/genai"
	"github.com/llm-devops/llm-sentinel/internal/store"
)

// Names that would run if the page took them for markup.
const (
	hostileService = `<script>window.pwned=1</script>`
	hostileModel   = `"><img src=x onerror=window.pwned=1>`
)

// stream is the traffic of one service and model.
type stream struct {
	service, model, provider, operation string
	latency                             float64 // median, in ms
	weight                              float64 // share of the calls
	price                               float64 // USD per million tokens; 0 is not known
}

var streams = []stream{
	{"chat-api", "gpt-4o-2024-08-06", "openai", "chat", 800, 4, 4},
	{"chat-api", "gpt-4o-mini-2024-07-18", "openai", "chat", 420, 6, .3},
	{"chat-api", "claude-sonnet-4-20250514", "anthropic", "chat", 1200, 2, 6},
	{"rag-search", "gpt-4o-2024-08-06", "openai", "chat", 1500, 2.5, 4},
	{"rag-search", "text-embedding-3-small", "openai", "embeddings", 60, 8, .02},
	{"code-assistant", "claude-sonnet-4-20250514", "anthropic", "chat", 2600, 2, 6},
	{"code-assistant", "gpt-4o-2024-08-06", "openai", "chat", 2100, 1.5, 4},
	{"batch-summarizer", "gpt-4o-mini-2024-07-18", "openai", "chat", 3000, 3, .3},
	{hostileService, hostileModel, "gcp.gemini", "chat", 500, 1, 0},
}

const (
	history = 24 * time.Hour
	// Since then chat-api waits four times as long for gpt-4o, and half of the
	// calls of code-assistant fail.
	incident = 25 * time.Minute
)

// seeded is what was written.
type seeded struct {
	now       time.Time
	anomalies []anomaly.Anomaly
}

// seed writes about n calls of one day with two incidents, what was normal, and
// what was found. It is the same for the same n, but for the time.
func seed(t *testing.T, s *server, n int) seeded {
	t.Helper()
	now := time.Now().UTC().Truncate(time.Second)
	rng := rand.New(rand.NewPCG(7, uint64(n)))
	var weights float64
	for _, st := range streams {
		weights += st.weight
	}
	var calls []genai.Event
	var late []genai.Event
	flush := func() {
		require.NoError(t, s.backend.WriteEvents(context.Background(), calls))
		calls = calls[:0]
	}
	for i, st := range streams {
		gap := time.Duration(float64(history) / (float64(n) * st.weight / weights))
		for at := now.Add(-history); at.Before(now); at = at.Add(time.Duration(float64(gap) * (.3 + 1.4*rng.Float64()))) {
			in := i == 0 && now.Sub(at) < incident
			e := call(rng, &st, at, in, i == 6 && now.Sub(at) < incident)
			if in {
				e.ParentSpanID = pcommon.SpanID{1} // an agent, see steps
			}
			if calls = append(calls, e); len(calls) >= 5000 {
				flush()
			}
			if in {
				late = append(late, e)
			}
		}
	}
	require.NotEmpty(t, late, "too few calls for an incident")
	out := seeded{now: now, anomalies: found(late, now)}
	calls = append(calls, steps(&late[len(late)-1])...)
	flush()
	require.NoError(t, s.backend.WriteAnomalies(context.Background(), out.anomalies))
	require.NoError(t, s.backend.(store.BaselineStore).WriteBaselines(context.Background(), normal(now)))
	return out
}

func call(rng *rand.Rand, st *stream, at time.Time, slow, failing bool) genai.Event {
	latency := st.latency * math.Exp(.35*rng.NormFloat64())
	if slow {
		latency *= 4
	}
	in, out := int64(900*math.Exp(.5*rng.NormFloat64())), int64(260*math.Exp(.6*rng.NormFloat64()))
	var id [24]byte
	for i := 0; i < len(id); i += 8 {
		binary.BigEndian.PutUint64(id[i:], rng.Uint64())
	}
	e := genai.Event{
		TraceID: pcommon.TraceID(id[:16]), SpanID: pcommon.SpanID(id[16:]),
		Start: pcommon.NewTimestampFromTime(at.Add(-time.Duration(latency * 1e6))), End: pcommon.NewTimestampFromTime(at),
		Service: st.service, Environment: "production", Operation: st.operation, Provider: st.provider,
		RequestModel: st.model, ResponseModel: st.model, FinishReason: "stop", Conversation: fmt.Sprintf("session-%d", rng.IntN(500)),
		Present:     genai.FieldInputTokens | genai.FieldOutputTokens | genai.FieldTotalTokens | genai.FieldCacheReadTokens | genai.FieldLatency,
		InputTokens: in, OutputTokens: out, TotalTokens: in + out, CacheReadTokens: in * 3 / 10, LatencyMillis: latency,
	}
	e.ID = genai.NewEventID(e.TraceID, e.SpanID)
	if st.price > 0 {
		e.Present |= genai.FieldCost
		e.CostUSD = float64(in+4*out) * st.price / 1e6
	}
	if st.provider == "openai" && st.operation == "chat" {
		e.Present |= genai.FieldTTFT
		e.TTFTMillis = latency * .3
	}
	if st.provider == "anthropic" {
		e.Present |= genai.FieldReasoningTokens
		e.ReasoningTokens = out * 3 / 10
	}
	if failing && rng.Float64() < .5 || rng.Float64() < .006 {
		e.Failed, e.FinishReason, e.ErrorType, e.ErrorMessage = true, "", "rate_limit_exceeded", "429 Too Many Requests: the limit of this model is used up"
	}
	return e
}

// steps are the other calls of the trace of e: the agent around it, a search
// before it, a tool after it.
func steps(e *genai.Event) []genai.Event {
	end := e.End.AsTime()
	step := func(n byte, operation, model string, parent pcommon.SpanID, from, to time.Duration) genai.Event {
		s := genai.Event{
			TraceID: e.TraceID, SpanID: pcommon.SpanID{n}, ParentSpanID: parent, Service: e.Service, Operation: operation, Provider: e.Provider,
			RequestModel: model, ResponseModel: model, Present: genai.FieldLatency, LatencyMillis: float64((to - from).Milliseconds()),
			Start: pcommon.NewTimestampFromTime(end.Add(from)), End: pcommon.NewTimestampFromTime(end.Add(to)),
		}
		s.ID = genai.NewEventID(s.TraceID, s.SpanID)
		return s
	}
	latency := time.Duration(e.LatencyMillis * 1e6)
	agent := step(1, "invoke_agent", "", pcommon.SpanID{}, -latency-300*time.Millisecond, 600*time.Millisecond)
	search := step(2, "embeddings", "text-embedding-3-small", agent.SpanID, -latency-220*time.Millisecond, -latency-60*time.Millisecond)
	tool := step(3, "execute_tool", "", agent.SpanID, 80*time.Millisecond, 420*time.Millisecond)
	tool.Failed, tool.ErrorType = true, "connection reset by peer"
	return []genai.Event{agent, search, tool}
}

// normal is what was expected in the last day, each five minutes.
func normal(now time.Time) []store.Baseline {
	var out []store.Baseline
	for _, st := range streams {
		for at := now.Add(-history); !at.After(now); at = at.Add(5 * time.Minute) {
			f := 1 + .05*math.Sin(float64(at.Unix())/5000)
			out = append(out,
				store.Baseline{Time: at, Service: st.service, Model: st.model, Metric: "latency_ms", Samples: 3500, Expected: st.latency * f, Lower: st.latency * f * .4, Upper: st.latency * f * 2.5},
				store.Baseline{Time: at, Service: st.service, Model: st.model, Metric: "total_tokens", Samples: 3500, Expected: 1200, Lower: 300, Upper: 4800})
		}
	}
	return out
}

// found are the anomalies: many of one incident, and one of each other kind.
func found(late []genai.Event, now time.Time) []anomaly.Anomaly {
	var out []anomaly.Anomaly
	add := func(a anomaly.Anomaly) {
		a.ID = anomaly.NewID(a.Service, a.Model, a.Details.Metric, a.Type, a.Time, a.Context.EventID)
		out = append(out, a)
	}
	for i := range late {
		e := &late[i]
		if e.LatencyMillis < 2000 && i != len(late)-1 {
			continue
		}
		severity := anomaly.SeverityMedium
		if e.LatencyMillis > 4000 {
			severity = anomaly.SeverityHigh
		}
		if i == len(late)-1 {
			severity = anomaly.SeverityCritical
		}
		add(anomaly.Anomaly{
			Time: e.Time(), Severity: severity, Type: anomaly.TypeLatencySpike, Service: e.Service, Model: e.Model(),
			Method: anomaly.MethodCUSUM, Confidence: .93,
			Details: anomaly.Details{
				Metric: "latency_ms", Value: e.LatencyMillis, Baseline: 800, Threshold: 2000, DeviationSigma: 5.4,
				Methods: []anomaly.Method{anomaly.MethodCUSUM, anomaly.MethodZScore, anomaly.MethodIQR}, Additional: map[string]float64{"lower_limit": 320, "upper_limit": 2000, "ratio": 4.1},
			},
			Context: anomaly.Context{
				TraceID: e.TraceID.String(), SpanID: e.SpanID.String(), EventID: e.ID.String(), TimeWindow: "last_64_samples", SampleCount: 3504,
				Additional: map[string]string{"also": "ttft_ms", "<b>key</b>": "<i>value</i>"},
			},
			RootCause:   fmt.Sprintf("latency_ms %.0f: 4.1x the expected 800 (limit 2000), above; seen by cusum, z_score, iqr; after 3504 samples; of 4 compared services that use gpt-4o-2024-08-06 only chat-api is outside its limits", e.LatencyMillis),
			Remediation: []string{"The first token is late although the prompt is of usual size: look at queueing, rate limits and the network before the model."},
			RunbookURL:  "javascript:window.pwned=1",
		})
	}
	add(anomaly.Anomaly{
		Time: now.Add(-8 * time.Minute), Severity: anomaly.SeverityHigh, Type: anomaly.TypeErrorRateIncrease, Service: "code-assistant", Model: "gpt-4o-2024-08-06",
		Method: "error_burst", Confidence: .99, Details: anomaly.Details{Metric: "error_rate", Value: .5, Baseline: .006, Threshold: .05, DeviationSigma: math.NaN()},
		Context: anomaly.Context{SampleCount: 420}, RootCause: "8 of 16 calls failed, expected 0.6%; all with rate_limit_exceeded",
	})
	add(anomaly.Anomaly{
		Time: now.Add(-18 * time.Minute), Severity: anomaly.SeverityMedium, Type: anomaly.TypeTokenUsageSpike, Service: "rag-search", Model: "gpt-4o-2024-08-06",
		Method: anomaly.MethodMAD, Confidence: .8, Details: anomaly.Details{Metric: "input_tokens", Value: 61000, Baseline: 900, Threshold: 4000, DeviationSigma: 8.1},
		Context: anomaly.Context{SampleCount: 900},
	})
	add(anomaly.Anomaly{
		Time: now.Add(-31 * time.Minute), Severity: anomaly.SeverityLow, Type: anomaly.TypeCostAnomaly, Service: hostileService, Model: hostileModel,
		Method: anomaly.MethodIQR, Confidence: .6, Details: anomaly.Details{Metric: "cost_usd", Value: .41, Baseline: .011, Threshold: .09, DeviationSigma: 4},
		Context: anomaly.Context{SampleCount: 90}, RootCause: hostileModel,
	})
	add(anomaly.Anomaly{
		Time: now.Add(-45 * time.Minute), Severity: anomaly.SeverityMedium, Type: anomaly.TypeSecurityThreat, Service: "chat-api", Model: "gpt-4o-mini-2024-07-18",
		Method: "prompt_injection", Confidence: .97, Details: anomaly.Details{Metric: "prompt_injection_score", Value: .97, Baseline: math.NaN(), Threshold: .8, DeviationSigma: math.NaN()},
		RootCause: "a prompt scored 0.97 for prompt injection; 3 of the last 50 prompts of this user",
	})
	return out
}

// another is an anomaly that is found now.
func another(service string, severity anomaly.Severity) anomaly.Anomaly {
	return anomaly.Anomaly{
		ID: uuid.New(), Time: time.Now().UTC(), Severity: severity, Type: anomaly.TypeLatencySpike, Service: service, Model: "gpt-4o-2024-08-06", Method: anomaly.MethodZScore, Confidence: .9,
		Details: anomaly.Details{Metric: "latency_ms", Value: 9000, Baseline: 800, Threshold: 2000, DeviationSigma: 7},
	}
}
