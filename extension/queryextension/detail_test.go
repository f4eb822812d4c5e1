package queryextension

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/llm-devops/llm-sentinel/internal/anomaly"
	"github.com/llm-devops/llm-sentinel/internal/genai"
)

type detail struct {
	Anomaly  anomaly.Anomaly   `json:"anomaly"`
	Feedback []feedbackRow     `json:"feedback"`
	Event    map[string]any    `json:"event"`
	Spans    []map[string]any  `json:"spans"`
	Baseline []baselinePoint   `json:"baseline"`
	Values   []callValue       `json:"values"`
	Similar  []anomaly.Anomaly `json:"similar"`
	Related  []anomaly.Anomaly `json:"related"`
}

func TestAnomalyWithItsEvidence(t *testing.T) {
	t.Parallel()
	a := newAPI(t, nil)
	fillStore(a)
	neighbour, sameTrace := callOf(10, 30*time.Minute, "chat-api", "gpt-4", 700, 0), callOf(11, 2*time.Minute, "tool", "claude", 50, 0)
	sameTrace.TraceID = theEvent.TraceID
	unmeasured, farAway, otherModel := callOf(12, 5*time.Minute, "chat-api", "gpt-4", 1, 0), callOf(13, 3*time.Hour, "chat-api", "gpt-4", 1, 0), callOf(14, 5*time.Minute, "chat-api", "claude", 1, 0)
	unmeasured.Present = 0
	a.store.addEvents(neighbour, sameTrace, unmeasured, farAway, otherModel)
	d, meta := data[detail](a, example(pathAnomaly))
	assert.Equal(t, theAnomaly.ID, d.Anomaly.ID)
	require.Len(t, d.Feedback, 1)
	assert.Equal(t, theEvent.ID.String(), d.Event["event_id"])
	require.Len(t, d.Spans, 2)
	assert.Equal(t, "tool", d.Spans[0]["service_name"], "by time")
	assert.Len(t, d.Baseline, 3)
	assert.Equal(t, []callValue{{neighbour.Time(), 700, neighbour.ID}, {theEvent.Time(), 1000, theEvent.ID}}, d.Values)
	require.Len(t, d.Similar, 1, "neither itself nor other types")
	assert.Equal(t, makeAnomaly(3, time.Hour).ID, d.Similar[0].ID)
	require.Len(t, d.Related, 1)
	assert.Equal(t, theAnomaly.RelatedAlerts[0], d.Related[0].ID)
	assert.NotContains(t, meta, "truncated")

	a.fails(a.get(fill(pathAnomaly, "x")), http.StatusBadRequest, codeInvalidParameter)
	e := a.fails(a.get(nothing(pathAnomaly)), http.StatusNotFound, codeNotFound)
	assert.Equal(t, "6f1c1a8e-7f0a-4a58-9f0c-2f6f6f3f1d10", e.Details["id"])
}

// A finding about a window has no call, and its metric no value of calls.
func TestAnomalyOfAWindow(t *testing.T) {
	t.Parallel()
	a := newAPI(t, nil)
	w := makeAnomaly(1, 0)
	w.Context, w.Details.Metric, w.Type = anomaly.Context{}, "error_rate", anomaly.TypeErrorRateIncrease
	a.store.with(func(f *fakeReader) { f.anomalies = []anomaly.Anomaly{w} })
	a.store.addEvents(makeEvent(1, 0))
	raw, _ := data[map[string]json.RawMessage](a, fill(pathAnomaly, w.ID.String()))
	assert.JSONEq(t, "null", string(raw["event"]))
	for _, name := range []string{"feedback", "spans", "baseline", "values", "similar", "related"} {
		assert.JSONEq(t, "[]", string(raw[name]), name)
	}
}

func TestEvidenceIsBounded(t *testing.T) {
	t.Parallel()
	a := newAPI(t, nil)
	x := theAnomaly
	for i := range maxSpans + 10 {
		e := callOf(i, time.Duration(i)*time.Second, "chat-api", "gpt-4", float64(i), 0)
		e.TraceID = theEvent.TraceID
		a.store.addEvents(e)
	}
	for i := range maxValuesAside + 10 {
		a.store.addEvents(callOf(1000+i, time.Minute+time.Duration(i)*time.Second, "chat-api", "gpt-4", 1, 0))
	}
	a.store.with(func(f *fakeReader) {
		f.anomalies = []anomaly.Anomaly{x}
		for i := range 30 {
			f.anomalies = append(f.anomalies, makeAnomaly(100+i, time.Duration(i)*time.Hour))
		}
	})
	d, meta := data[detail](a, example(pathAnomaly))
	assert.Len(t, d.Spans, maxSpans)
	assert.Equal(t, true, meta["truncated"])
	before := 0
	for i, v := range d.Values {
		if !v.Time.After(x.Time) {
			before++
		}
		if i > 0 {
			assert.False(t, v.Time.Before(d.Values[i-1].Time))
		}
	}
	assert.Equal(t, maxValuesAside, before, "the nearest before it")
	assert.Len(t, d.Values, maxValuesAside+60)
	assert.Len(t, d.Similar, maxSimilar)
	assert.Equal(t, makeAnomaly(100, 0).ID, d.Similar[0].ID, "the newest")

	// Long texts cut the list of spans rather than fail the whole answer.
	small := newAPI(t, map[string]any{"max_response_bytes": minResponseBytes})
	small.store.with(func(f *fakeReader) { f.anomalies = []anomaly.Anomaly{x} })
	for i := range 20 {
		e := callOf(i, time.Duration(i)*time.Second, "chat-api", "gpt-4", 1, 0)
		e.TraceID, e.PromptText = theEvent.TraceID, strings.Repeat("x", 5000)
		small.store.addEvents(e)
	}
	d, meta = data[detail](small, example(pathAnomaly))
	assert.NotEmpty(t, d.Spans)
	assert.Less(t, len(d.Spans), 20)
	assert.Equal(t, true, meta["truncated"])
}

type calls struct {
	TraceID   string            `json:"trace_id"`
	SessionID string            `json:"session_id"`
	Start     *time.Time        `json:"start"`
	End       *time.Time        `json:"end"`
	Calls     int               `json:"calls"`
	Failed    int               `json:"failed"`
	Tokens    int               `json:"total_tokens"`
	CostUSD   *float64          `json:"cost_usd"`
	Services  []string          `json:"services"`
	Events    []map[string]any  `json:"events"`
	Anomalies []anomaly.Anomaly `json:"anomalies"`
	Truncated bool              `json:"truncated"`
}

func TestTrace(t *testing.T) {
	t.Parallel()
	a := newAPI(t, nil)
	trace := makeEvent(1, 0).TraceID
	for i, service := range []string{"tool", "chat-api", "chat-api"} {
		e := callOf(i, 400*day+time.Duration(i)*time.Minute, service, "gpt-4", 1, 0)
		e.TraceID, e.Failed = trace, i == 1
		if i == 2 {
			e.CostUSD, e.Present = 0.5, e.Present|genai.FieldCost
		}
		a.store.addEvents(e)
	}
	x := makeAnomaly(1, 400*day)
	x.Context.TraceID = trace.String()
	a.store.with(func(f *fakeReader) { f.anomalies = []anomaly.Anomaly{x, makeAnomaly(2, 0)} })
	got, _ := data[calls](a, fill(pathTrace, strings.ToUpper(trace.String())))
	assert.Equal(t, trace.String(), got.TraceID)
	assert.Equal(t, 3, got.Calls)
	assert.Equal(t, 1, got.Failed)
	assert.Equal(t, 3*460, got.Tokens)
	assert.InDelta(t, 0.5, *got.CostUSD, 0)
	assert.Equal(t, []string{"chat-api", "tool"}, got.Services)
	assert.Equal(t, testNow.Add(-400*day-2*time.Minute-time.Second), *got.Start, "start of the first call")
	assert.Equal(t, testNow.Add(-400*day), *got.End)
	require.Len(t, got.Events, 3)
	assert.Equal(t, "tool", got.Events[2]["service_name"], "by time")
	require.Len(t, got.Anomalies, 1)
	assert.False(t, got.Truncated)
	a.fails(a.get(fill(pathTrace, trace.String())+"?hours=24"), http.StatusNotFound, codeNotFound)
	a.fails(a.get(fill(pathTrace, "abc")), http.StatusBadRequest, codeInvalidParameter)
}

func TestSession(t *testing.T) {
	t.Parallel()
	a := newAPI(t, nil)
	const id = "user/7 ä%:x"
	var ofTrace []anomaly.Anomaly
	for i := range 3 {
		e := callOf(i, time.Duration(i)*time.Hour, "chat-api", "gpt-4", 1, 0.5)
		e.Conversation = id
		a.store.addEvents(e)
		x := makeAnomaly(i, time.Duration(i)*time.Hour)
		x.Context.TraceID = e.TraceID.String()
		ofTrace = append(ofTrace, x)
	}
	old := callOf(9, 200*time.Hour, "chat-api", "gpt-4", 1, 0)
	old.Conversation = id
	a.store.addEvents(old, makeEvent(10, 0))
	a.store.with(func(f *fakeReader) { f.anomalies = append(f.anomalies, append(ofTrace, makeAnomaly(20, 0))...) })
	got, _ := data[calls](a, fill(pathSession, id))
	assert.Equal(t, id, got.SessionID)
	assert.Equal(t, 3, got.Calls)
	require.Len(t, got.Anomalies, 3)
	assert.Equal(t, ofTrace[2].ID, got.Anomalies[0].ID, "by time")
	got, _ = data[calls](a, fill(pathSession, id)+"?hours=300")
	assert.Equal(t, 4, got.Calls)
	a.fails(a.get(fill(pathSession, "nobody")), http.StatusNotFound, codeNotFound)
	a.fails(a.get(fill(pathSession, strings.Repeat("x", 1025))), http.StatusBadRequest, codeInvalidParameter)
	a.fails(a.get("/api/v1/sessions/"), http.StatusNotFound, codeNotFound)
}

func TestTracesAreBounded(t *testing.T) {
	t.Parallel()
	a := newAPI(t, nil)
	for i := range maxTraceEvents + 1 {
		e := callOf(i, time.Duration(i)*time.Second, "chat-api", "gpt-4", 1, 0)
		e.TraceID, e.Conversation = theEvent.TraceID, "s"
		a.store.addEvents(e)
	}
	for _, target := range []string{example(pathTrace), fill(pathSession, "s")} {
		got, _ := data[calls](a, target)
		assert.Len(t, got.Events, maxTraceEvents)
		assert.Equal(t, maxTraceEvents, got.Calls, "figures are those of the events that are shown")
		assert.True(t, got.Truncated)
	}
	b := newAPI(t, nil)
	b.store.addEvents(theEvent)
	b.store.with(func(f *fakeReader) {
		for i := range maxTraceAnomalies + 1 {
			x := makeAnomaly(i, time.Minute)
			x.Context.TraceID = theEvent.TraceID.String()
			f.anomalies = append(f.anomalies, x)
		}
	})
	got, _ := data[calls](b, example(pathTrace))
	assert.Len(t, got.Anomalies, maxTraceAnomalies)
	assert.True(t, got.Truncated)

	// Many traces of one session.
	c := newAPI(t, nil)
	for i := range maxSessionTraces + 1 {
		e := makeEvent(i, time.Minute)
		e.Conversation = "s"
		c.store.addEvents(e)
	}
	got, _ = data[calls](c, fill(pathSession, "s"))
	assert.Len(t, got.Events, maxSessionTraces+1)
	assert.True(t, got.Truncated, "anomalies of the last trace were not looked up")
}
