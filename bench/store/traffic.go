package main

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	"github.com/google/uuid"
	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/llm-devops/llm-sentinel/internal/anomaly"
	"github.com/llm-devops/llm-sentinel/internal/genai"
)

const (
	services = 50
	models   = 20
	sessions = 100_000
	users    = 20_000
	maxSpans = 8
	// batchSize is that of the exporter's default.
	batchSize = 1000
	// anomalyShare of the events have one.
	anomalyShare = 0.004
	span         = 48 * time.Hour
)

// traffic makes the same events in each run, evenly over the event time.
type traffic struct {
	r       *rand.Rand
	service *rand.Zipf
	model   *rand.Zipf
	from    time.Time
	step    time.Duration
	n, all  int

	trace                 pcommon.TraceID
	left                  int
	svc, session, user    string
	names                 [services]string
	modelNames, providers [models]string
	versions              [4]map[string]string
}

func newTraffic(seed uint64, from time.Time, events int) *traffic {
	r := rand.New(rand.NewPCG(seed, 7))
	g := &traffic{
		r: r, service: rand.NewZipf(r, 1.1, 4, services-1), model: rand.NewZipf(r, 1.3, 2, models-1),
		from: from, step: span / time.Duration(events), all: events,
	}
	for i := range g.names {
		g.names[i] = fmt.Sprintf("service-%02d", i)
	}
	for i := range g.modelNames {
		g.modelNames[i] = fmt.Sprintf("model-%02d", i)
		g.providers[i] = [...]string{"openai", "anthropic", "aws.bedrock", "gcp.vertex_ai"}[i%4]
	}
	for i := range g.versions {
		g.versions[i] = map[string]string{"app.version": fmt.Sprintf("1.%d.0", i), "app.route": "/v1/chat"}
	}
	return g
}

// at is the time of the n-th event, without the jitter.
func (g *traffic) at(n int) time.Time { return g.from.Add(time.Duration(n) * g.step) }

func (g *traffic) nextTrace() {
	binary.BigEndian.PutUint64(g.trace[:], g.r.Uint64())
	binary.BigEndian.PutUint64(g.trace[8:], g.r.Uint64())
	g.left = 1 + g.r.IntN(maxSpans)
	g.svc = g.names[g.service.Uint64()]
	g.session = fmt.Sprintf("session-%06d", g.r.IntN(sessions))
	g.user = fmt.Sprintf("user-%05d", g.r.IntN(users))
}

// batch fills out with the next events, and returns the anomalies among them.
func (g *traffic) batch(out []genai.Event) ([]genai.Event, []anomaly.Anomaly) {
	var found []anomaly.Anomaly
	n := min(len(out), g.all-g.n)
	for i := range out[:n] {
		if g.left == 0 {
			g.nextTrace()
		}
		g.left--
		g.event(&out[i])
		if g.r.Float64() < anomalyShare {
			found = append(found, g.anomaly(&out[i]))
		}
	}
	return out[:n], found
}

func (g *traffic) event(e *genai.Event) {
	var id pcommon.SpanID
	binary.BigEndian.PutUint64(id[:], g.r.Uint64())
	m := g.model.Uint64()
	latency := 400 * math.Exp(g.r.NormFloat64()*.7) // median 400 ms
	end := g.at(g.n).Add(time.Duration(g.r.Int64N(int64(time.Second))))
	g.n++
	in, out := int64(200*math.Exp(g.r.NormFloat64())), int64(120*math.Exp(g.r.NormFloat64()))
	*e = genai.Event{
		ID: uuid.UUID(append(append(make([]byte, 0, 16), g.trace[:8]...), id[:]...)), TraceID: g.trace, SpanID: id,
		Start: pcommon.NewTimestampFromTime(end.Add(-time.Duration(latency * 1e6))), End: pcommon.NewTimestampFromTime(end),
		Service: g.svc, RequestModel: g.modelNames[m], ResponseModel: g.modelNames[m], Provider: g.providers[m],
		Operation: "chat", Region: "eu-west-1", Environment: "prod", FinishReason: "stop",
		Conversation: g.session, User: g.user,
		Present:     genai.FieldInputTokens | genai.FieldOutputTokens | genai.FieldTotalTokens | genai.FieldCost | genai.FieldTTFT | genai.FieldLatency,
		InputTokens: in, OutputTokens: out, TotalTokens: in + out,
		CostUSD: float64(in)*2e-6 + float64(out)*8e-6, TTFTMillis: latency / 4, LatencyMillis: latency,
		Metadata: g.versions[id[0]%4],
	}
	if g.r.IntN(100) == 0 {
		e.Failed, e.ErrorType, e.FinishReason = true, "rate_limit_exceeded", "error"
	}
}

func (g *traffic) anomaly(e *genai.Event) anomaly.Anomaly {
	id := e.ID
	id[15] ^= 0xff
	return anomaly.Anomaly{
		ID: id, Time: e.Time(), Severity: anomaly.Severity(1 + g.r.IntN(4)), Type: anomaly.TypeLatencySpike,
		Service: e.Service, Model: e.ResponseModel, Method: "z_score", Confidence: .9,
		Details: anomaly.Details{Metric: "latency_ms", Value: e.LatencyMillis * 9, Baseline: 400, Threshold: 1500, DeviationSigma: 6},
		Context: anomaly.Context{TraceID: e.TraceID.String(), SpanID: e.SpanID.String()},
	}
}
