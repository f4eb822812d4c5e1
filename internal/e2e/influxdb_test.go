package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/llm-devops/llm-sentinel/internal/influx/influx3test"
	"github.com/llm-devops/llm-sentinel/internal/llmtraffic"
)

// backendUnderTest is a storage of its own behind one pipeline, with a query
// extension over it.
type backendUnderTest struct {
	name, exporter, storage string // YAML
	query                   string // address
}

// influx3Backend is the contract server of InfluxDB 3.
func influx3Backend(t *testing.T) backendUnderTest {
	t.Helper()
	const token = "apiv3_end_to_end"
	s := influx3test.New(t, influx3test.Options{Token: token})
	where := fmt.Sprintf(`{endpoint: %q, v3: {token: %s}`, s.URL, token)
	return backendUnderTest{name: "v3", query: freePort(t), exporter: "influxdb/v3: " + where + "}", storage: "influxdb: " + where + "}"}
}

// influx1Backend is a database of its own on a real InfluxDB 1.8, when there is
// one.
func influx1Backend(t *testing.T) (b backendUnderTest, ok bool) {
	t.Helper()
	base := os.Getenv("SENTINEL_INFLUXDB_URL")
	if base == "" {
		t.Log("NOT COMPARED: InfluxDB 1.8, because SENTINEL_INFLUXDB_URL is not set: start a server with scripts/services/services.sh up influxdb")
		return b, false
	}
	database := fmt.Sprintf("e2e_%d", time.Now().UnixNano())
	t.Cleanup(func() {
		resp, err := http.PostForm(base+"/query", url.Values{"q": {`DROP DATABASE "` + database + `"`}})
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		http.DefaultClient.CloseIdleConnections()
	})
	// The collector's HTTP clients keep idle connections longer than the test runs.
	where := fmt.Sprintf(`{endpoint: %q, disable_keep_alives: true, api: v1, v1: {database: %s`, base, database)
	return backendUnderTest{
		name: "v1", query: freePort(t), exporter: "influxdb/v1: " + where + ", create_database: true}}", storage: "influxdb: " + where + "}}",
	}, true
}

// compared is the configuration of one pipeline that ends in all backends.
func compared(at addresses, list []backendUnderTest) string {
	var extensions, exporters, names, outs strings.Builder
	for _, b := range list {
		id := b.name
		fmt.Fprintf(&extensions, "  llm_storage/%s: {%s}\n", id, b.storage)
		fmt.Fprintf(&extensions, "  query/%s: {storage: llm_storage/%s, metrics_endpoint: \"\", http: {endpoint: %q}}\n", id, id, b.query)
		fmt.Fprintf(&exporters, "  %s\n", b.exporter)
		fmt.Fprintf(&names, ", llm_storage/%s, query/%s", id, id)
		name, _, _ := strings.Cut(b.exporter, ": ")
		outs.WriteString(", " + name)
	}
	return fmt.Sprintf(`yaml:
extensions:
%s
receivers:
  otlp: {protocols: {grpc: {endpoint: %q}}}
processors:
  genai: {}
  anomaly: {}
exporters:
%s
service:
  extensions: [%s]
  pipelines:
    traces: {receivers: [otlp], processors: [genai, anomaly], exporters: [%s]}
  telemetry: {metrics: {level: none}}
`, extensions.String(), at.grpc, exporters.String(), names.String()[2:], outs.String()[2:])
}

// body fetches a document as it is, without its request id.
func body(t testing.TB, url string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	require.NoError(t, err)
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, resp.StatusCode, "%s: %s", url, b)
	return string(b)
}

// The same traffic, read back from each storage: the answers are the same, byte
// for byte, with their totals and cursors.
func TestEachStorageGivesTheSameAnswers(t *testing.T) {
	at := freeAddresses(t)
	list := []backendUnderTest{
		{
			name: "embedded", query: at.query, exporter: "llm_storage/embedded: {storage: llm_storage/embedded}",
			storage: fmt.Sprintf("embedded: {directory: %q}", at.dir),
		},
		influx3Backend(t),
	}
	if b, ok := influx1Backend(t); ok {
		list = append(list, b)
	}
	stop := runInProcess(t, compared(at, list))
	for _, b := range list {
		waitReady(t, b.query)
	}

	o := traffic(t, 40*time.Minute, 2, llmtraffic.KindLatencySpike, llmtraffic.KindErrorBurst)
	sender := newSender(t, at.grpc, llmtraffic.ProtocolGRPC)
	total := int64(0)
	each(t, o, 100, func(td ptrace.Traces, calls []sent) {
		deliver(t, sender, td)
		total += int64(len(calls))
	})
	anomalies := count(t, at.query, "/api/v1/anomalies")
	require.Positive(t, anomalies)
	for _, b := range list {
		require.Eventually(t, func() bool {
			return count(t, b.query, "/api/v1/telemetry") == total && count(t, b.query, "/api/v1/anomalies") == anomalies
		}, startTimeout, 10*pollInterval, "%s has everything", b.name)
	}

	base := list[0]
	var first page[event]
	require.Equal(t, http.StatusOK, get(t, "http://"+base.query+"/api/v1/telemetry?limit=1&"+wide, &first))
	like := first.Data[0]
	middle := url.QueryEscape(o.Start.Add(20 * time.Minute).Format(time.RFC3339Nano))
	end := "&end=" + url.QueryEscape(time.Now().Add(time.Hour).Format(time.RFC3339Nano))
	for _, question := range []string{
		"/api/v1/telemetry?limit=1000&" + wide + end,
		"/api/v1/telemetry?limit=1000&start=" + middle + end,
		"/api/v1/telemetry?limit=300&service=" + url.QueryEscape(like.Service) + "&model=" + url.QueryEscape(like.Model) + "&" + wide + end,
		"/api/v1/telemetry?trace_id=" + like.TraceID + "&start=" + middle + end,
		"/api/v1/telemetry?service=nobody&" + wide + end,
		"/api/v1/anomalies?limit=7&" + wide + end,
		"/api/v1/anomalies?severity=high&" + wide + end,
		"/api/v1/anomalies?min_confidence=0.9&" + wide + end,
	} {
		requireSameWalk(t, list, question)
	}
	stop()
}

// requireSameWalk compares all pages of a question.
func requireSameWalk(t *testing.T, list []backendUnderTest, question string) {
	t.Helper()
	cursor, pages := "", 0
	for {
		want := body(t, "http://"+list[0].query+question+cursor)
		for _, b := range list[1:] {
			got := body(t, "http://"+b.query+question+cursor)
			if !assert.Len(t, got, len(want), "%s: %s", b.name, question) || want != got {
				at := 0
				for at < min(len(want), len(got)) && want[at] == got[at] {
					at++
				}
				require.Equal(t, want[max(0, at-300):min(at+200, len(want))], got[max(0, at-300):min(at+200, len(got))], "%s differs: %s", b.name, question)
			}
		}
		var p page[json.RawMessage]
		require.NoError(t, json.Unmarshal([]byte(want), &p))
		if pages++; p.Metadata.NextCursor == "" {
			return
		}
		require.Less(t, pages, 1000, "the walk does not end")
		cursor = "&cursor=" + p.Metadata.NextCursor
	}
}
