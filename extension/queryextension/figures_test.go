package queryextension

import (
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/llm-devops/llm-sentinel/internal/anomaly"
	"github.com/llm-devops/llm-sentinel/internal/genai"
	"github.com/llm-devops/llm-sentinel/internal/store"
)

// data asks for a route and returns its data and metadata.
func data[T any](a *api, target string) (T, map[string]any) {
	a.t.Helper()
	w := a.get(target)
	require.Equal(a.t, http.StatusOK, w.Code, "%s: %s", target, w.Body.String())
	var body struct {
		Data     T              `json:"data"`
		Metadata map[string]any `json:"metadata"`
	}
	require.NoError(a.t, json.Unmarshal(w.Body.Bytes(), &body))
	return body.Data, body.Metadata
}

// callOf is an event with a latency, and a price when it is not 0.
func callOf(n int, ago time.Duration, service, model string, latency, cost float64) genai.Event {
	e := makeEvent(n, ago)
	e.Service, e.ResponseModel, e.RequestModel, e.LatencyMillis, e.CostUSD = service, model, model, latency, cost
	if cost == 0 {
		e.Present &^= genai.FieldCost
	}
	return e
}

func TestStatsOverTime(t *testing.T) {
	t.Parallel()
	a := newAPI(t, nil)
	failed := callOf(1, 90*time.Minute, "chat-api", "gpt-4", 300, 0)
	failed.Failed = true
	a.store.addEvents(
		callOf(0, 95*time.Minute, "chat-api", "gpt-4", 100, 0.5), failed,
		callOf(2, 10*time.Minute, "chat-api", "gpt-4", 200, 0.25), callOf(3, 10*time.Minute, "assistant", "claude", 900, 0.25),
	)
	rows, meta := data[[]statsRow](a, pathStats+"?step=1h")
	require.Len(t, rows, 2)
	first := rows[0]
	assert.Equal(t, time.Date(2026, 1, 2, 10, 0, 0, 0, time.UTC), first.Start)
	assert.Empty(t, first.Group)
	assert.EqualValues(t, 2, first.Calls)
	assert.EqualValues(t, 1, first.Failed)
	assert.InDelta(t, 0.5, *first.ErrorRate, 0)
	assert.InDelta(t, 0.5, *first.CostUSD, 0)
	assert.EqualValues(t, 1, first.PricedCalls)
	assert.EqualValues(t, 920, first.TotalTokens)
	assert.InDelta(t, 200, *first.Latency.Mean, 0)
	assert.InDelta(t, 300, *first.Latency.P95, 0)
	assert.Zero(t, first.TTFT.Count)
	assert.Nil(t, first.TTFT.P95, "unknown is not zero")
	assert.EqualValues(t, 3600, meta["step_seconds"])
	assert.EqualValues(t, 0, meta["percentile_error"])

	rows, meta = data[[]statsRow](a, pathStats+"?step=all&group_by=model,service&hours=48")
	require.Len(t, rows, 2)
	assert.Equal(t, map[string]string{"service": "assistant", "model": "claude"}, rows[0].Group)
	assert.Equal(t, map[string]string{"service": "chat-api", "model": "gpt-4"}, rows[1].Group)
	assert.Equal(t, testNow.Add(-48*time.Hour), rows[0].Start)
	assert.EqualValues(t, 0, meta["step_seconds"])

	for query, calls := range map[string]int64{
		"service=assistant": 1, "model=gpt-4": 3, "provider=openai": 4, "operation=chat&service=chat-api": 3,
		"start=2026-01-02T11:00:00Z": 2, "end=2026-01-02T10:28:00Z": 1,
	} {
		rows, _ := data[[]statsRow](a, pathStats+"?step=all&"+query)
		require.Len(t, rows, 1, query)
		assert.Equal(t, calls, rows[0].Calls, query)
	}
	rows, _ = data[[]statsRow](a, pathStats+"?tenant=nobody")
	assert.Empty(t, rows)
}

func TestStepsByDefault(t *testing.T) {
	t.Parallel()
	a := newAPI(t, nil)
	for query, want := range map[string]time.Duration{
		"hours=1": time.Minute, "": 5 * time.Minute, "hours=168": time.Hour, "hours=8760": 2 * day,
		"start=2026-01-01T00:00:00Z&end=2026-01-01T04:59:59Z": time.Minute,
		"start=1970-01-01T00:00:00Z&end=2262-01-01T00:00:00Z": 357 * day,
		"end=2026-01-01T00:00:00Z":                            time.Minute, // nothing is kept before it
	} {
		_, meta := data[[]statsRow](a, pathStats+"?"+query)
		assert.EqualValues(t, want.Seconds(), meta["step_seconds"], query)
	}
	a.store.addEvents(makeEvent(1, 20*day))
	_, meta := data[[]statsRow](a, pathStats+"?end=2026-01-02T12:00:00Z")
	assert.Equal(t, testNow.Add(-20*day).Format(time.RFC3339), meta["start"], "an open range begins with the oldest call")
	assert.EqualValues(t, 7200, meta["step_seconds"])
}

func TestStatsAreBounded(t *testing.T) {
	t.Parallel()
	a := newAPI(t, map[string]any{"max_response_bytes": minResponseBytes})
	e := a.fails(a.get(pathStats+"?step=1m&hours=184"), http.StatusBadRequest, codeInvalidParameter)
	assert.Contains(t, e.Message, "at most 11000")
	assert.Equal(t, http.StatusOK, a.get(pathStats+"?step=1m&hours=183").Code)
	for _, step := range []string{"1s", "90s", "0m", "-1m", "1.5m", "367d", "99999999999d", "1h1d", "d", "1d-1m", "2562047h", "5"} {
		e = a.fails(a.get(pathStats+"?step="+step), http.StatusBadRequest, codeInvalidParameter)
		assert.Equal(t, "step", e.Details["parameter"], step)
	}
	for _, by := range []string{"user_id", "service,service", ",service", "service,", "Service"} {
		e = a.fails(a.get(pathStats+"?group_by="+by), http.StatusBadRequest, codeInvalidParameter)
		assert.Equal(t, "group_by", e.Details["parameter"], by)
	}
	for i := range 300 {
		a.store.addEvents(callOf(i, time.Minute, "s"+string(rune('a'+i%26))+string(rune('a'+i/26)), "m", 1, 0))
	}
	e = a.fails(a.get(pathStats+"?step=all&group_by=service"), http.StatusBadRequest, codeResponseTooLarge)
	assert.EqualValues(t, minResponseBytes, e.Details["max_response_bytes"])

	a.store.with(func(f *fakeReader) { f.rowErr = store.ErrTooMany })
	assert.Contains(t, a.fails(a.get(pathStats), http.StatusBadRequest, codeResponseTooLarge).Message, "group by less")
}

func TestServices(t *testing.T) {
	t.Parallel()
	a := newAPI(t, nil)
	failed := callOf(2, 20*time.Minute, "chat-api", "gpt-4", 300, 0)
	failed.Failed = true
	a.store.addEvents(
		callOf(0, 30*time.Minute, "assistant", "claude", 900, 0),
		callOf(1, 10*time.Minute, "chat-api", "gpt-4", 100, 0.5), failed, callOf(3, 25*time.Minute, "chat-api", "gpt-3", 200, 0.25),
		callOf(4, 30*time.Hour, "gone", "gpt-4", 100, 0.5), callOf(5, time.Minute, "", "gpt-4", 100, 0.5),
	)
	low := makeAnomaly(2, time.Minute)
	low.Severity = anomaly.SeverityLow
	a.store.with(func(f *fakeReader) {
		f.anomalies = []anomaly.Anomaly{makeAnomaly(1, 0), low, makeAnomaly(3, 30*time.Hour)}
	})
	rows, meta := data[[]serviceRow](a, pathServices)
	require.Len(t, rows, 3)
	chat := rows[0]
	assert.Equal(t, "chat-api", chat.Service, "busiest first")
	assert.EqualValues(t, 3, chat.Calls)
	assert.InDelta(t, 1./3, *chat.ErrorRate, 1e-12)
	assert.Equal(t, []string{"gpt-3", "gpt-4"}, chat.Models)
	assert.InDelta(t, 300, *chat.LatencyP95, 0)
	assert.InDelta(t, 0.75, *chat.CostUSD, 0)
	assert.Equal(t, severityCounts{Low: 1, High: 1}, chat.Anomalies)
	assert.Equal(t, testNow.Add(-10*time.Minute), *chat.LastSeen)
	assert.Empty(t, rows[1].Service)
	assert.Nil(t, rows[1].LastSeen)
	assert.Nil(t, rows[2].CostUSD, "unknown is not zero")
	assert.NotContains(t, meta, "truncated")
}

func TestModels(t *testing.T) {
	t.Parallel()
	a := newAPI(t, nil)
	azure := callOf(0, 30*time.Minute, "assistant", "gpt-4", 900, 0)
	azure.Provider, azure.TTFTMillis = "azure", 80
	azure.Present |= genai.FieldTTFT
	a.store.addEvents(azure, callOf(1, 10*time.Minute, "chat-api", "gpt-4", 100, 0.5), callOf(2, 10*time.Minute, "assistant", "gpt-4", 200, 0.5))
	a.store.with(func(f *fakeReader) { f.anomalies = []anomaly.Anomaly{makeAnomaly(1, 0)} })
	rows, _ := data[[]modelRow](a, pathModels)
	require.Len(t, rows, 2)
	assert.Equal(t, "openai", rows[0].Provider)
	assert.Equal(t, []string{"assistant", "chat-api"}, rows[0].Services)
	assert.Nil(t, rows[0].TTFTP95)
	assert.InDelta(t, 80, *rows[1].TTFTP95, 0)
	for _, row := range rows {
		assert.Equal(t, severityCounts{High: 1}, row.Anomalies, "an anomaly names no provider")
	}
	rows, _ = data[[]modelRow](a, pathModels+"?service=assistant")
	require.Len(t, rows, 2)
	for _, row := range rows {
		assert.Equal(t, []string{"assistant"}, row.Services)
		assert.Equal(t, severityCounts{}, row.Anomalies)
	}
}

func TestListsOfNamesAreCutAndSayIt(t *testing.T) {
	t.Parallel()
	a := newAPI(t, nil)
	for i := range maxListed + 5 {
		a.store.addEvents(callOf(i, time.Minute, "s"+string(rune('A'+i)), "m"+string(rune('A'+i)), 1, 0))
	}
	a.store.addEvents(callOf(maxListed+9, time.Minute, "s"+string(rune('A'+maxListed+4)), "m"+string(rune('A'+maxListed+4)), 1, 0))
	services, meta := data[[]serviceRow](a, pathServices)
	assert.Len(t, services, maxListed)
	assert.EqualValues(t, 2, services[0].Calls, "the busiest stay")
	assert.Equal(t, true, meta["truncated"])
	models, meta := data[[]modelRow](a, pathModels)
	assert.Len(t, models, maxListed)
	assert.Equal(t, true, meta["truncated"])
}

func TestOverview(t *testing.T) {
	t.Parallel()
	a := newAPI(t, nil)
	o, _ := data[overview](a, pathOverview)
	assert.Equal(t, overview{Status: overviewOK, Now: testNow, Active: []anomaly.Anomaly{}, Empty: true}, o)

	a.store.addEvents(callOf(0, 2*time.Hour, "chat-api", "gpt-4", 100, 0.5))
	o, _ = data[overview](a, pathOverview)
	assert.False(t, o.Empty, "quiet is not empty")
	assert.Nil(t, o.ErrorRate)

	a.store.addEvents(callOf(1, time.Minute, "chat-api", "gpt-4", 100, 0.5))
	of := func(n int, ago time.Duration, service string, s anomaly.Severity) anomaly.Anomaly {
		x := makeAnomaly(n, ago)
		x.Service, x.Severity = service, s
		return x
	}
	low, older, newer := of(1, time.Minute, "a", anomaly.SeverityLow), of(2, 30*time.Minute, "b", anomaly.SeverityCritical), of(3, 10*time.Minute, "b", anomaly.SeverityMedium)
	keep := func(all ...anomaly.Anomaly) {
		a.store.with(func(f *fakeReader) { f.anomalies = append(f.anomalies, all...) })
	}
	active := func() (ids []string) {
		o, _ = data[overview](a, pathOverview)
		for i := range o.Active {
			ids = append(ids, o.Active[i].ID.String())
		}
		return ids
	}
	keep(low)
	assert.Equal(t, []string{low.ID.String()}, active())
	assert.Equal(t, overviewOK, o.Status, "low is nothing to be woken for")
	assert.EqualValues(t, 1, o.Calls)
	assert.InDelta(t, 0, *o.ErrorRate, 0)
	keep(older, newer)
	assert.Equal(t, []string{newer.ID.String(), low.ID.String()}, active(), "the newest of each complaint, worst first")
	assert.Equal(t, overviewWarning, o.Status)
	assert.Equal(t, severityCounts{Low: 1, Medium: 1, Critical: 1}, o.Anomalies)
	critical := of(4, 5*time.Minute, "c", anomaly.SeverityCritical)
	keep(critical)
	assert.Equal(t, critical.ID.String(), active()[0])
	assert.Equal(t, overviewCritical, o.Status)

	// What people say counts.
	say := func(x *anomaly.Anomaly, v store.Verdict, ago time.Duration, until time.Time) {
		a.store.with(func(f *fakeReader) {
			f.feedback = append(f.feedback, store.Feedback{ID: makeAnomaly(len(f.feedback), 0).ID, Time: testNow.Add(-ago), AnomalyID: x.ID, Verdict: v, Until: until, Service: x.Service, Model: x.Model, Type: x.Type})
		})
	}
	say(&critical, store.VerdictFalse, 3*time.Minute, time.Time{})
	say(&newer, store.VerdictMute, 3*time.Minute, testNow.Add(-time.Minute))
	assert.Equal(t, []string{newer.ID.String(), low.ID.String()}, active(), "what is false is not active; a mute that has ended is none")
	assert.Equal(t, overviewWarning, o.Status)
	say(&newer, store.VerdictMute, 2*time.Minute, testNow.Add(time.Minute))
	assert.Equal(t, []string{low.ID.String()}, active())
	say(&critical, store.VerdictTrue, time.Minute, time.Time{})
	assert.Equal(t, []string{critical.ID.String(), low.ID.String()}, active(), "the last word counts")
	a.fails(a.get(pathOverview+"?hours=169"), http.StatusBadRequest, codeInvalidTime)
}

// Each route that a backend lacks something for says so, and says which has it.
func TestRoutesThatTheBackendCannotServe(t *testing.T) {
	t.Parallel()
	a := newAPI(t, nil)
	fillStore(a)
	a.store.with(func(f *fakeReader) { f.caps = store.Capabilities{Count: true, Cursor: true, Offset: true} })
	for path, what := range map[string]string{
		pathStats: needAggregates, pathServices: needAggregates, pathModels: needAggregates, pathOverview: needAggregates,
		pathAnomaly: needByID, pathFeedback: needFeedback, pathBaselines: needBaselines, pathBaseline: needBaselines,
		pathTrace: needTrace, pathSession: needSession,
	} {
		e := a.fails(a.get(example(path)), http.StatusBadRequest, codeUnsupported)
		assert.Equal(t, what, e.Details["parameter"], path)
		assert.Contains(t, e.Message, "the embedded backend of llm_storage can")
	}
	e := a.fails(a.give(`{"verdict":"true"}`), http.StatusBadRequest, codeUnsupported)
	assert.Equal(t, needByID, e.Details["parameter"])
	a.store.with(func(f *fakeReader) { f.caps.ByID, f.caps.Aggregate = true, true })
	assert.Equal(t, needFeedback, a.fails(a.give(`{"verdict":"true"}`), http.StatusBadRequest, codeUnsupported).Details["parameter"])
	assert.Equal(t, "tenant", a.fails(a.get(pathStats+"?tenant=x"), http.StatusBadRequest, codeUnsupported).Details["parameter"])

	// Capabilities that the type does not have are none.
	a.storage.reader = struct{ store.Reader }{a.store}
	assert.Equal(t, needAggregates, a.fails(a.get(pathStats), http.StatusBadRequest, codeUnsupported).Details["parameter"])
}
