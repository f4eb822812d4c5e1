package queryextension

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Whatever the query string says, the answer is a page or a refusal.
func FuzzQueryString(f *testing.F) {
	a := newAPI(f, nil)
	for i := range 20 {
		a.store.addEvents(makeEvent(i, time.Duration(i)*time.Minute))
	}
	next := a.page(pathTelemetry + "?limit=3").Metadata.NextCursor
	for _, seed := range []string{
		"", "limit=0&offset=0", "hours=9223372036854775807", "limit=3&cursor=" + next, "start=2026-01-01T00:00:00Z&ascending=true",
		"severity=high&min_confidence=NaN&anomaly_type=model-drift", "trace_id=00000000000000000000000000000001", "a=%zz;&=", "service=%00",
	} {
		f.Add(seed, true)
		f.Add(seed, false)
	}
	f.Fuzz(func(t *testing.T, query string, anomalies bool) {
		path := pathTelemetry
		if anomalies {
			path = pathAnomalies
		}
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
