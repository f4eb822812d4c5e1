package main

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/google/uuid"
	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/llm-devops/llm-sentinel/internal/anomaly"
	"github.com/llm-devops/llm-sentinel/internal/genai"
)

const (
	services  = 20
	anomalies = 200
	// What is stored before lies in the hour that ends this long ago, what
	// arrives later partly within it.
	gap   = 2 * time.Minute
	width = time.Hour
)

func serviceName(i int) string { return fmt.Sprintf("service-%02d", i%services) }
func modelName(i int) string   { return fmt.Sprintf("model-%d", i/services%5) }

// traceOf gives four calls to a trace.
func traceOf(n int) (id pcommon.TraceID) {
	binary.BigEndian.PutUint64(id[:], rand.New(rand.NewPCG(uint64(n/4), 1)).Uint64()) // spread as real ids are
	binary.BigEndian.PutUint64(id[8:], uint64(n/4)+1)
	return id
}

// event number n. The span id is n+1, so that a reader knows which it has.
func event(n int, end time.Time) genai.Event {
	trace := traceOf(n)
	var span pcommon.SpanID
	binary.BigEndian.PutUint64(span[:], uint64(n)+1)
	rng := rand.New(rand.NewPCG(uint64(n), 2))
	latency := 200 + rng.ExpFloat64()*600
	in, out := 50+rng.Int64N(2000), 10+rng.Int64N(800)
	return genai.Event{
		ID: genai.NewEventID(trace, span), TraceID: trace, SpanID: span,
		Start: pcommon.NewTimestampFromTime(end.Add(-time.Duration(latency * 1e6))), End: pcommon.NewTimestampFromTime(end),
		Service: serviceName(n), RequestModel: modelName(n), ResponseModel: modelName(n), Provider: "openai", Operation: "chat", Environment: "prod",
		Conversation: fmt.Sprintf("session-%d", n/20), User: fmt.Sprintf("user-%d", n%5000), FinishReason: "stop", Failed: n%97 == 0,
		Present:     genai.FieldInputTokens | genai.FieldOutputTokens | genai.FieldTotalTokens | genai.FieldCost | genai.FieldLatency | genai.FieldTTFT,
		InputTokens: in, OutputTokens: out, TotalTokens: in + out, CostUSD: float64(in+3*out) * 1e-6, LatencyMillis: latency, TTFTMillis: latency / 4,
	}
}

// within spreads number n of total over the hour that ends at end; many share a
// time.
func within(n, total int, end time.Time) time.Time {
	step := width / time.Duration(max(total/3, 1))
	return end.Add(-width + time.Duration(n/3)*step)
}

func finding(n int, end time.Time) anomaly.Anomaly {
	at := end.Add(-time.Duration(n) * width / anomalies).Add(-time.Second)
	return anomaly.Anomaly{
		ID: uuid.NewSHA1(uuid.NameSpaceOID, fmt.Appendf(nil, "anomaly %d", n)), Time: at,
		Severity: anomaly.Severity(1 + n%4), Type: anomaly.TypeLatencySpike, Service: serviceName(n), Model: modelName(n),
		Method: anomaly.MethodZScore, Confidence: 0.9,
		Details: anomaly.Details{Metric: "latency_ms", Value: 9000, Baseline: 800, Threshold: 2300, DeviationSigma: 8, Methods: []anomaly.Method{anomaly.MethodZScore}},
		Context: anomaly.Context{TraceID: traceOf(n).String(), SampleCount: 64},
	}
}
