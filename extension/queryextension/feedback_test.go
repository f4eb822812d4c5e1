package queryextension

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/llm-devops/llm-sentinel/internal/anomaly"
	"github.com/llm-devops/llm-sentinel/internal/store"
)

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
