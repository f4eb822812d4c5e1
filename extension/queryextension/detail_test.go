package queryextension

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/llm-devops/llm-sentinel/internal/anomaly"
	"github.com/llm-devops/llm-sentinel/internal/genai"
	"github.com/llm-devops/llm-sentinel/internal/store"
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

// give posts feedback on theAnomaly.
func (a *api) give(body string) *httptest.ResponseRecorder {
	r := httptest.NewRequestWithContext(a.t.Context(), http.MethodPost, example(pathGive), strings.NewReader(body))
	r.Header.Set("Content-Type", typeJSON)
	return a.do(r)
}

func TestFeedback(t *testing.T) {
	t.Parallel()
	a := newAPI(t, nil)
	fillStore(a)
	ext := newFakeExtension(a.store)
	a.extension = ext
	w := a.give(`{"verdict":"mute","for":"7d","comment":"known, see INC-7","author":"kim"}`)
	require.Equal(t, http.StatusCreated, w.Code, w.Body.String())
	var body struct {
		Data feedbackRow `json:"data"`
	}
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &body))
	got := <-ext.given // the engines are told
	assert.Equal(t, store.Feedback{
		ID: body.Data.ID, Time: testNow, AnomalyID: theAnomaly.ID, Verdict: store.VerdictMute, Until: testNow.Add(7 * day), Comment: "known, see INC-7", Author: "kim",
		Service: "chat-api", Model: "gpt-4", Type: anomaly.TypeLatencySpike, Method: anomaly.MethodZScore, Metric: "latency_ms", Value: 9000, Baseline: 800,
	}, got)
	assert.NotEqual(t, uuid.Nil, got.ID)

	rows, _ := data[[]feedbackRow](a, pathFeedback+"?anomaly_id="+theAnomaly.ID.String())
	require.Len(t, rows, 2)
	assert.Equal(t, body.Data, rows[0], "newest first")
	rows, meta := data[[]feedbackRow](a, pathFeedback+"?limit=1")
	assert.Len(t, rows, 1)
	assert.EqualValues(t, 1, meta["page_size"])
	rows, _ = data[[]feedbackRow](a, pathFeedback+"?anomaly_id=6f1c1a8e-7f0a-4a58-9f0c-2f6f6f3f1d10")
	assert.Empty(t, rows)

	// A storage extension that hosts no engines keeps it all the same.
	a.extension = a.storage
	require.Equal(t, http.StatusCreated, a.give(`{"verdict":"true"}`).Code)
	assert.Len(t, a.store.feedback, 3)
	assert.True(t, a.store.feedback[2].Until.IsZero())
}

func TestMutesHaveAnEnd(t *testing.T) {
	t.Parallel()
	a := newAPI(t, nil)
	fillStore(a)
	for body, want := range map[string]time.Duration{
		`{"verdict":"mute"}`: 24 * time.Hour, `{"verdict":"mute","for":"1m"}`: time.Minute, `{"verdict":"mute","for":"30d"}`: 30 * day,
		`{"verdict":"mute","until":"2026-01-02T15:00:00+02:00"}`: time.Hour,
	} {
		require.Equal(t, http.StatusCreated, a.give(body).Code, body)
		assert.Equal(t, testNow.Add(want), a.store.feedback[len(a.store.feedback)-1].Until, body)
	}
}

func TestFeedbackThatCannotBe(t *testing.T) {
	t.Parallel()
	a := newAPI(t, nil)
	fillStore(a)
	for body, parameter := range map[string]string{
		`{"verdict":"yes"}`: "verdict", `{}`: "verdict", `{"verdict":"true","for":"2h"}`: "for", `{"verdict":"false","until":"2026-01-03T00:00:00Z"}`: "until",
		`{"verdict":"mute","for":"59s"}`: "for", `{"verdict":"mute","for":"31d"}`: "for", `{"verdict":"mute","for":"-2h"}`: "for", `{"verdict":"mute","for":"x"}`: "for",
		`{"verdict":"mute","until":"2026-01-02T12:00:30Z"}`: "until", `{"verdict":"mute","until":"2026-03-02T12:00:00Z"}`: "until", `{"verdict":"mute","until":"tomorrow"}`: "until",
		`{"verdict":"mute","until":"9999-01-01T00:00:00Z"}`: "until", `{"verdict":"mute","until":"2026-01-03T00:00:00Z","for":"1h"}`: "until",
		`{"verdict":"true","comment":"` + strings.Repeat("x", 1025) + `"}`: "comment", `{"verdict":"true","author":"` + strings.Repeat("ä", 513) + `"}`: "author",
		`{"verdict":"true","comment":"a\u0000b"}`: "comment",
	} {
		e := a.fails(a.give(body), http.StatusBadRequest, cmpCode(body, parameter))
		assert.Equal(t, parameter, e.Details["parameter"], body)
		assert.Less(t, len(e.Message), 512)
	}
	for _, body := range []string{
		``, `null`, `"true"`, `[]`, `{"verdict":"true"`, `{"verdict":"true"}{}`, `{"verdict":"true"} x`, `{"verdict":"true","verdikt":1}`, `{"verdict":true}`, "{\"verdict\":\"\xff\"}",
		`{"verdict":"true","` + strings.Repeat("k", 5000) + `":1}`,
	} {
		e := a.fails(a.give(body), http.StatusBadRequest, codeBadRequest)
		assert.Less(t, len(e.Message), 256)
	}
	assert.Len(t, a.store.feedback, 1)

	r := request(t, http.MethodPost, nothing(pathGive), strings.NewReader(goodBody))
	r.Header.Set("Content-Type", typeJSON)
	a.fails(a.do(r), http.StatusNotFound, codeNotFound)
	big := newAPI(t, map[string]any{"http": map[string]any{"max_request_body_size": 1000}})
	fillStore(big)
	big.fails(big.give(`{"verdict":"true","comment":"`+strings.Repeat("x", 1000)+`"}`), http.StatusRequestEntityTooLarge, codePayloadTooLarge)
}

func cmpCode(body, parameter string) string {
	if parameter == "until" && !strings.Contains(body, "for") && strings.Contains(body, "mute") {
		return codeInvalidTime
	}
	return codeInvalidParameter
}

func baselineOf(service, model, metric string, ago time.Duration, expected float64) store.Baseline {
	return store.Baseline{Time: testNow.Add(-ago), Service: service, Model: model, Metric: metric, Samples: 64, Expected: expected, Lower: expected / 2, Upper: expected * 2}
}

func TestBaselines(t *testing.T) {
	t.Parallel()
	a := newAPI(t, nil)
	ext := newFakeExtension(a.store)
	a.extension = ext
	a.store.with(func(f *fakeReader) {
		f.baselines = []store.Baseline{
			baselineOf("a", "m", "latency_ms", 2*time.Hour, 1), baselineOf("a", "m", "latency_ms", time.Hour, 2),
			baselineOf("b", "meta/llama:8b", "cost_usd", time.Hour, 3), baselineOf("c", "m", "latency_ms", time.Hour, 4),
		}
	})
	ext.live = map[string][]store.Baseline{
		"anomaly/one": {baselineOf("c", "m", "latency_ms", 0, 5), baselineOf("d", "m", "latency_ms", 0, 6)},
		"anomaly/two": {baselineOf("c", "m", "latency_ms", 0, 7)},
	}
	list := func(query string) (all []string) {
		rows, _ := data[[]baselineRow](a, pathBaselines+query)
		for _, r := range rows {
			all = append(all, fmt.Sprintf("%s %s %g", r.Key, r.Engine, *r.Expected))
		}
		return all
	}
	assert.Equal(t, []string{
		"a:m:latency_ms  2", "b:meta%2Fllama%3A8b:cost_usd  3", "c:m:latency_ms anomaly/one 5", "c:m:latency_ms anomaly/two 7", "d:m:latency_ms anomaly/one 6",
	}, list(""))
	assert.Equal(t, []string{"a:m:latency_ms  2", "b:meta%2Fllama%3A8b:cost_usd  3"}, list("?limit=2"))
	assert.Equal(t, []string{"d:m:latency_ms anomaly/one 6"}, list("?service=d"))
	assert.Equal(t, []string{"b:meta%2Fllama%3A8b:cost_usd  3"}, list("?metric=cost_usd&model=meta/llama:8b"))
	ext.live = nil
	assert.Equal(t, []string{"c:m:latency_ms  4"}, list("?service=c"))

	// Engines alone are enough.
	a.store.with(func(f *fakeReader) { f.caps.Baselines = false })
	ext.live = map[string][]store.Baseline{"anomaly": {baselineOf("x", "m", "latency_ms", 0, 5)}}
	assert.Equal(t, []string{"x:m:latency_ms anomaly 5"}, list(""))
	got, _ := data[baselineSeries](a, fillKey("x:m:latency_ms"))
	assert.Len(t, got.Points, 1)
}

func fillKey(key string) string { return strings.Replace(pathBaseline, "{key}", key, 1) }

func TestManyLiveBaselines(t *testing.T) {
	t.Parallel()
	a := newAPI(t, nil)
	ext := newFakeExtension(a.store)
	a.extension = ext
	for i := range 1000 {
		ext.live["anomaly"] = append(ext.live["anomaly"], baselineOf(fmt.Sprintf("s%03d", (i*7)%1000), "m", "latency_ms", 0, 1))
	}
	rows, _ := data[[]baselineRow](a, pathBaselines+"?limit=3")
	require.Len(t, rows, 3)
	assert.Equal(t, "s000", rows[0].Service)
	assert.Equal(t, "s002", rows[2].Service)
}

func TestBaselineOverTime(t *testing.T) {
	t.Parallel()
	a := newAPI(t, nil)
	ext := newFakeExtension(a.store)
	a.extension = ext
	const service, model = "chat:api", "meta/llama%3b"
	k := series{service, model, "latency_ms"}
	for i := range 3 {
		b := baselineOf(service, model, "latency_ms", time.Duration(i)*10*time.Hour, float64(i))
		a.store.with(func(f *fakeReader) { f.baselines = append(f.baselines, b) })
	}
	ext.live["anomaly"] = []store.Baseline{baselineOf(service, model, "latency_ms", -time.Minute, 9), baselineOf("other", model, "latency_ms", 0, 9)}
	for _, key := range []string{k.key(), url.QueryEscape(k.key())} {
		got, _ := data[baselineSeries](a, fillKey(key)+"?hours=11")
		assert.Equal(t, k.key(), got.Key)
		assert.Equal(t, service, got.Service)
		assert.Equal(t, model, got.Model)
		require.Len(t, got.Points, 3, "two that are kept and the one of the engine")
		assert.InDelta(t, 9, *got.Points[2].Expected, 0)
	}
	got, _ := data[baselineSeries](a, fillKey(k.key())+"?end=2025-01-01T00:00:00Z")
	assert.Empty(t, got.Points, "known, but not then")
	a.fails(a.get(fillKey("a:b:c")), http.StatusNotFound, codeNotFound)
	for _, key := range []string{"a", "a:b", "a:b:", "a:b:c:d", "a%3Ab", "a:b:%00c", strings.Repeat("a", 1025) + ":b:c"} {
		a.fails(a.get(fillKey(key)), http.StatusBadRequest, codeInvalidParameter)
	}

	a.store.with(func(f *fakeReader) {
		f.baselines = nil
		for i := range maxBaselinePoints + 1 {
			f.baselines = append(f.baselines, baselineOf("many", "m", "latency_ms", time.Duration(i)*time.Second, 1))
		}
	})
	a.fails(a.get(fillKey("many:m:latency_ms")), http.StatusBadRequest, codeResponseTooLarge)
	got, _ = data[baselineSeries](a, fillKey("many:m:latency_ms")+"?hours=1")
	assert.Len(t, got.Points, 3601)
}
