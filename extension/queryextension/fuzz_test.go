package queryextension

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/llm-devops/llm-sentinel/internal/anomaly"
)

// Whatever the query string says, the answer is a page or a refusal.
func FuzzQueryString(f *testing.F) {
	a := newAPI(f, nil)
	for i := range 20 {
		a.store.addEvents(makeEvent(i, time.Duration(i)*time.Minute))
	}
	paths := []string{pathTelemetry, pathAnomalies, pathStats, pathModels, pathOverview, pathBaselines, pathFeedback}
	next := a.page(pathTelemetry + "?limit=3").Metadata.NextCursor
	for _, seed := range []string{
		"", "limit=0&offset=0", "hours=9223372036854775807", "limit=3&cursor=" + next, "start=2026-01-01T00:00:00Z&ascending=true",
		"severity=high&min_confidence=NaN&anomaly_type=model-drift", "trace_id=00000000000000000000000000000001", "a=%zz;&=", "service=%00",
	} {
		for i := range paths {
			f.Add(seed, uint8(i))
		}
	}
	f.Add("step=1h&group_by=service,model&failed=true", uint8(2))
	f.Add("step=99999999999999999999d", uint8(2))
	f.Fuzz(func(t *testing.T, query string, route uint8) {
		path := paths[int(route)%len(paths)]
		w := httptest.NewRecorder()
		a.http.ServeHTTP(w, (&http.Request{
			Method: http.MethodGet, URL: &url.URL{Path: path, RawQuery: query}, Header: http.Header{}, Body: http.NoBody, Host: "localhost", RemoteAddr: "127.0.0.1:1",
		}).WithContext(t.Context()))
		if w.Code != http.StatusOK {
			require.Equal(t, http.StatusBadRequest, w.Code, w.Body.String())
		}
		require.Equal(t, "application/json", w.Header().Get("Content-Type"))
	})
}

// A cursor that is accepted is one that the server writes itself.
func FuzzCursor(f *testing.F) {
	c, flt := testCursor()
	f.Add(c.encode(flt), flt.service, true)
	f.Add("", "", false)
	f.Fuzz(func(t *testing.T, text, service string, ascending bool) {
		flt := filter{kind: kindTelemetry, service: service, ascending: ascending}
		c, err := decodeCursor(text, flt)
		if err == nil {
			require.Equal(t, text, c.encode(flt))
		}
	})
}

// A key that is accepted is written back to one that means the same.
func FuzzBaselineKey(f *testing.F) {
	f.Add("chat-api:gpt-4:latency_ms")
	f.Add("a%3Ab:meta%2Fllama:cost_usd")
	f.Add("a%253Ab%3Am%3Acost_usd")
	f.Add("::x")
	f.Fuzz(func(t *testing.T, escaped string) {
		k, e := parseKey(escaped)
		if e != nil {
			return
		}
		for _, again := range []string{k.key(), url.QueryEscape(k.key())} {
			back, e := parseKey(again)
			require.Nil(t, e, "%q", again)
			require.Equal(t, k, back, "%q", again)
		}
	})
}

// An id of the stream that is accepted is one that the server writes itself.
func FuzzEventID(f *testing.F) {
	a := makeAnomaly(1, 0)
	f.Add(eventID(&a))
	f.Add("0-00000000-0000-0000-0000-000000000000")
	f.Fuzz(func(t *testing.T, text string) {
		if p := parseEventID(text); p != nil {
			require.Equal(t, text, eventID(&anomaly.Anomaly{Time: p.Time, ID: p.ID}))
		}
	})
}

// Whatever the body is, the answer is feedback or a refusal.
func FuzzFeedbackBody(f *testing.F) {
	a := newAPI(f, nil)
	fillStore(a)
	for _, seed := range []string{
		`{"verdict":"true"}`, `{"verdict":"mute","for":"2h"}`, `{"verdict":"mute","until":"2026-01-02T13:00:00Z"}`, `{"verdict":"false","comment":"\u0000"}`, `[]`, `{}{}`, "\xff",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, example(pathGive), bytes.NewReader(body))
		r.Header.Set("Content-Type", typeJSON)
		if w := a.do(r); w.Code != http.StatusCreated {
			require.Equal(t, http.StatusBadRequest, w.Code, w.Body.String())
		}
	})
}
