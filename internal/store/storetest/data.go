package storetest

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"iter"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/llm-devops/llm-sentinel/internal/anomaly"
	"github.com/llm-devops/llm-sentinel/internal/genai"
	"github.com/llm-devops/llm-sentinel/internal/store"
)

// base is the newest time of generated data. It follows the wall clock, because
// backends apply retention against it, and lies just behind the change of an
// hour, because backends cut time into pieces.
var base = time.Now().UTC().Truncate(time.Hour).Add(time.Second)

const (
	eventEvery   = 17 * time.Second
	anomalyEvery = 61 * time.Second
)

type generator struct {
	r *rand.Rand
	n uint64
}

func newGenerator(seed uint64) *generator { return &generator{r: rand.New(rand.NewPCG(seed, 0))} }

func traceID(n uint64) (id pcommon.TraceID) {
	binary.BigEndian.PutUint64(id[:], n+1)
	binary.BigEndian.PutUint64(id[8:], ^n)
	return id
}

func (g *generator) id() (id uuid.UUID) {
	binary.BigEndian.PutUint64(id[:], g.r.Uint64())
	binary.BigEndian.PutUint64(id[8:], g.r.Uint64())
	return id
}

func stamp(t time.Time) pcommon.Timestamp { return pcommon.NewTimestampFromTime(t) }

// event returns the next event, each older than the one before.
func (g *generator) event() genai.Event {
	end := base.Add(-time.Duration(g.n) * eventEvery)
	e := genai.Event{
		ID: g.id(), TraceID: traceID(g.n / 3), SpanID: pcommon.SpanID{1, byte(g.n >> 8), byte(g.n)},
		Start: stamp(end.Add(-time.Second)), End: stamp(end),
		Service: fmt.Sprintf("service-%d", g.r.IntN(4)), RequestModel: "asked", ResponseModel: fmt.Sprintf("model-%d", g.r.IntN(3)),
		Provider: "openai", Operation: "chat", FinishReason: "stop",
		Present:     genai.FieldInputTokens | genai.FieldOutputTokens | genai.FieldTotalTokens | genai.FieldLatency,
		InputTokens: g.r.Int64N(1000), OutputTokens: g.r.Int64N(1000), LatencyMillis: g.r.Float64() * 1000,
	}
	e.TotalTokens = e.InputTokens + e.OutputTokens
	g.n++
	return e
}

func (g *generator) events(n int) []genai.Event {
	out := make([]genai.Event, n)
	for i := range out {
		out[i] = g.event()
	}
	return out
}

func (g *generator) anomaly() anomaly.Anomaly {
	at := base.Add(-time.Duration(g.n) * anomalyEvery)
	g.n++
	return anomaly.Anomaly{
		ID: g.id(), Time: at, Severity: anomaly.Severities()[g.r.IntN(4)], Type: anomaly.Types()[g.r.IntN(12)],
		Service: fmt.Sprintf("service-%d", g.r.IntN(4)), Model: fmt.Sprintf("model-%d", g.r.IntN(3)),
		Method: anomaly.MethodMAD, Confidence: float64(g.r.IntN(101)) / 100,
		Details: anomaly.Details{Metric: "latency_ms", Value: 9000, Baseline: 800, Threshold: 2300, DeviationSigma: 5.5},
		Context: anomaly.Context{TimeWindow: "last_64_samples", SampleCount: 64},
	}
}

func (g *generator) anomalies(n int) []anomaly.Anomaly {
	out := make([]anomaly.Anomaly, n)
	for i := range out {
		out[i] = g.anomaly()
	}
	return out
}

// fullEvent has a value in every field.
func fullEvent(g *generator) genai.Event {
	e := g.event()
	e.ParentSpanID = pcommon.SpanID{9, 8, 7}
	e.Environment, e.Region, e.Tenant, e.Agent = "prod", "eu-west-1", "tenant-1", "planner"
	e.ResponseID, e.Conversation, e.User = "resp-1", "conversation-1", "user-1"
	e.Streaming, e.Failed, e.ErrorType, e.ErrorMessage = true, true, "rate_limit", "429: slow down"
	e.Present |= genai.FieldCacheReadTokens | genai.FieldCacheWriteTokens | genai.FieldReasoningTokens | genai.FieldCost | genai.FieldTTFT
	e.CacheReadTokens, e.CacheWriteTokens, e.ReasoningTokens = 11, math.MaxInt64, 0
	e.CostUSD, e.TTFTMillis = 0.000123456789, 1e-300
	e.PromptText, e.ResponseText = "What is the answer?", "42"
	e.ServiceTier, e.Estimated = "priority", true
	e.Present |= genai.FieldCacheWrite5mTokens | genai.FieldCacheWrite1hTokens | genai.FieldAudioInputTokens |
		genai.FieldAudioOutputTokens | genai.FieldImageInputTokens
	e.CacheWrite5mTokens, e.CacheWrite1hTokens, e.AudioInputTokens, e.AudioOutputTokens, e.ImageInputTokens = 5, 6, 7, 0, 9
	e.PromptEmbedding, e.ResponseEmbedding = []float32{0.25, -1, 1e-30}, []float32{math.MaxFloat32}
	e.Metadata = map[string]string{"a": "1", "": "empty key", "b": ""}
	return e
}

func fullAnomaly(g *generator) anomaly.Anomaly {
	a := g.anomaly()
	a.Type, a.Method = "made_up_type", "made_up_method"
	a.Details.Methods = []anomaly.Method{anomaly.MethodMAD, "made_up_method"}
	a.Details.Additional = map[string]float64{"q1": 1.5, "q3": -2, "undefined": math.NaN()}
	a.Context = anomaly.Context{
		TraceID: traceID(7).String(), SpanID: "0102030405060708", EventID: g.id().String(), UserID: "user-1", Region: "eu",
		TimeWindow: "last_hour", SampleCount: math.MaxUint64, Additional: map[string]string{"operation": "chat"},
	}
	a.RootCause, a.Remediation = "a cause", []string{"do this", "then that"}
	a.RelatedAlerts, a.RunbookURL = []uuid.UUID{g.id(), g.id()}, "https://example.org/runbook"
	return a
}

func after(t1 time.Time, id1 uuid.UUID, t2 time.Time, id2 uuid.UUID) int {
	if c := t2.Compare(t1); c != 0 {
		return c
	}
	return bytes.Compare(id2[:], id1[:])
}

func newestEventsFirst(list []genai.Event) []genai.Event {
	list = slices.Clone(list)
	slices.SortFunc(list, func(a, b genai.Event) int { return after(a.Time(), a.ID, b.Time(), b.ID) })
	return list
}

func newestAnomaliesFirst(list []anomaly.Anomaly) []anomaly.Anomaly {
	list = slices.Clone(list)
	slices.SortFunc(list, func(a, b anomaly.Anomaly) int { return after(a.Time, a.ID, b.Time, b.ID) })
	return list
}

func collect[T any](seq iter.Seq2[T, error]) ([]T, error) {
	var out []T
	for v, err := range seq {
		if err != nil {
			return out, err
		}
		out = append(out, v)
	}
	return out, nil
}

func eventIDs(list []genai.Event) []uuid.UUID {
	out := make([]uuid.UUID, len(list))
	for i := range list {
		out[i] = list[i].ID
	}
	return out
}

func anomalyIDs(list []anomaly.Anomaly) []uuid.UUID {
	out := make([]uuid.UUID, len(list))
	for i := range list {
		out[i] = list[i].ID
	}
	return out
}

// requireEvents checks the answer to q, and its count where that is possible.
func requireEvents(t *testing.T, b store.Backend, q store.EventQuery, want []genai.Event) {
	t.Helper()
	got, err := collect(b.Events(t.Context(), q))
	require.NoError(t, err)
	require.Equal(t, eventIDs(want), eventIDs(got))
	if b.Capabilities().Count && q.Offset == 0 && q.After == nil && len(want) < q.Limit {
		n, err := b.CountEvents(t.Context(), q)
		require.NoError(t, err)
		require.EqualValues(t, len(want), n, "count")
	}
}

func requireAnomalies(t *testing.T, b store.Backend, q store.AnomalyQuery, want []anomaly.Anomaly) {
	t.Helper()
	got, err := collect(b.Anomalies(t.Context(), q))
	require.NoError(t, err)
	require.Equal(t, anomalyIDs(want), anomalyIDs(got))
	if b.Capabilities().Count && q.Offset == 0 && q.After == nil && len(want) < q.Limit {
		n, err := b.CountAnomalies(t.Context(), q)
		require.NoError(t, err)
		require.EqualValues(t, len(want), n, "count")
	}
}

func requireSameJSON(t *testing.T, want, got any) {
	t.Helper()
	w, err := json.Marshal(want)
	require.NoError(t, err)
	g, err := json.Marshal(got)
	require.NoError(t, err)
	require.JSONEq(t, string(w), string(g))
}
