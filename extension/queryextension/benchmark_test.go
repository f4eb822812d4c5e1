package queryextension

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func BenchmarkPage1000(b *testing.B) {
	a := newAPI(b, nil)
	for i := range 1000 {
		a.store.addEvents(makeEvent(i, time.Duration(i)*time.Second))
	}
	for _, encoding := range []string{"identity", "gzip"} {
		b.Run(encoding, func(b *testing.B) {
			var size int
			for b.Loop() {
				r := httptest.NewRequestWithContext(b.Context(), http.MethodGet, pathTelemetry, http.NoBody)
				r.Header.Set("Accept-Encoding", encoding)
				w := httptest.NewRecorder()
				a.http.ServeHTTP(w, r)
				require.Equal(b, http.StatusOK, w.Code)
				size = w.Body.Len()
			}
			b.ReportMetric(float64(size), "bytes/page")
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1000, "ns/row")
		})
	}
}
