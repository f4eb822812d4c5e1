package influx_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/llm-devops/llm-sentinel/internal/influx/influx3test"
	"github.com/llm-devops/llm-sentinel/internal/store"
	"github.com/llm-devops/llm-sentinel/internal/store/influx"
)

// BenchmarkNewest reads the newest 1000 events, decoded from an answer that is
// the same each time: what the reader costs without its server.
func BenchmarkNewest(b *testing.B) {
	s := influx3test.New(b, influx3test.Options{})
	transport := &http.Transport{}
	b.Cleanup(transport.CloseIdleConnections)
	client := &http.Client{Transport: transport}
	w := &writer{schema: newSchema(), client: client, url: s.URL + "/api/v3/write_lp" + params("db", "llm", "precision", "nanosecond")}
	require.NoError(b, w.WriteEvents(b.Context(), calls(1500, time.Now())))
	answers := map[string]string{}
	recorder := roundTripper(func(r *http.Request) (*http.Response, error) { return record(transport, answers, r) })
	r, err := influx.New(influx.Config{
		Endpoint: s.URL, Client: &http.Client{Transport: recorder}, API: influx.APIV3, Telemetry: "telemetry", Anomaly: "anomaly",
		V1: influx.V1{Database: "llm"}, V2: influx.V2{Bucket: "llm", AnomalyBucket: "llm"}, V3: influx.V3{Database: "llm", AnomalyDatabase: "llm"},
		MaxResponseBytes: influx.DefaultMaxResponseBytes, MaxAggregateEvents: influx.DefaultMaxAggregateEvents,
	})
	require.NoError(b, err)
	const rows = 1000
	b.ReportAllocs()
	for b.Loop() {
		got, err := all(r.Events(b.Context(), store.EventQuery{Query: store.Query{Limit: rows}}))
		require.NoError(b, err)
		require.Len(b, got, rows)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/rows, "ns/event")
}
