// Package e2e runs the whole collector: in process, and as the built binary
// (build tag e2e), also against real servers.
package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/otelcol"
	"go.uber.org/goleak"

	"github.com/llm-devops/llm-sentinel/internal/anomaly"
	"github.com/llm-devops/llm-sentinel/internal/distro"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

const (
	startTimeout = 60 * time.Second
	pollInterval = 20 * time.Millisecond
	// secret signs the webhooks of the tests: "whsec_" + base64 of 32 bytes.
	secret = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
)

// repository is the path of the repository's root.
func repository(t testing.TB) string {
	t.Helper()
	dir, err := filepath.Abs("../..")
	require.NoError(t, err)
	return dir
}

// addresses are the endpoints of one collector under test.
type addresses struct {
	grpc, http, query, metrics, dir string
}

// freeAddresses picks loopback ports that were free a moment ago.
func freeAddresses(t testing.TB) addresses {
	t.Helper()
	return addresses{grpc: freePort(t), http: freePort(t), query: freePort(t), metrics: freePort(t), dir: t.TempDir()}
}

// freePort stays below the ports that the system gives to outgoing connections: one
// of those may be taken between here and the start of the collector.
func freePort(t testing.TB) string {
	t.Helper()
	const lowest, ephemeral = 10_240, 32_768
	for range 100 {
		address := net.JoinHostPort("127.0.0.1", strconv.Itoa(lowest+rand.IntN(ephemeral-lowest)))
		l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", address)
		if err != nil {
			continue
		}
		require.NoError(t, l.Close())
		return address
	}
	t.Fatal("no free port")
	return ""
}

// env is what collector-config.yaml and examples/full-stack.yaml read.
func (a addresses) env() map[string]string {
	_, port, _ := net.SplitHostPort(a.metrics)
	return map[string]string{
		"SENTINEL_OTLP_GRPC_ENDPOINT": a.grpc,
		"SENTINEL_OTLP_HTTP_ENDPOINT": a.http,
		"SENTINEL_QUERY_ENDPOINT":     a.query,
		"SENTINEL_METRICS_PORT":       port,
		"SENTINEL_DATA_DIR":           a.dir,
	}
}

// runInProcess starts a collector and stops it at the end of the test, or
// earlier by the returned function.
func runInProcess(t *testing.T, uris ...string) (stop func()) {
	t.Helper()
	col, err := otelcol.NewCollector(distro.Settings(uris...))
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- col.Run(ctx) }()
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		col.Shutdown()
		select {
		case err := <-done:
			require.NoError(t, err)
		case <-time.After(startTimeout):
			t.Error("the collector did not stop")
		}
		cancel()
		http.DefaultClient.CloseIdleConnections()
	}
	t.Cleanup(stop)
	deadline := time.Now().Add(startTimeout)
	for col.GetState() != otelcol.StateRunning {
		select {
		case err := <-done:
			stopped = true
			cancel()
			require.NoError(t, err, "the collector ended while starting")
		default:
		}
		require.True(t, time.Now().Before(deadline), "the collector did not start")
		time.Sleep(pollInterval)
	}
	return stop
}

// get fetches a JSON document and returns the status code.
func get(t testing.TB, url string, into any) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	require.NoError(t, err)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0
	}
	if into != nil && resp.StatusCode == http.StatusOK {
		require.NoError(t, json.NewDecoder(bytes.NewReader(body)).Decode(into), "%s: %s", url, body)
	}
	return resp.StatusCode
}

// event is the part of the API's telemetry event that the tests look at.
type event struct {
	EventID   string    `json:"event_id"`
	Timestamp time.Time `json:"timestamp"`
	Service   string    `json:"service_name"`
	Model     string    `json:"model"`
	TraceID   string    `json:"trace_id"`
	SpanID    string    `json:"span_id"`
	Prompt    struct {
		Tokens *int64 `json:"tokens"`
	} `json:"prompt"`
	Response struct {
		Tokens *int64 `json:"tokens"`
	} `json:"response"`
	LatencyMS *float64 `json:"latency_ms"`
	TTFTMS    *float64 `json:"ttft_ms"`
	CostUSD   *float64 `json:"cost_usd"`
}

type page[T any] struct {
	Data     []T `json:"data"`
	Metadata struct {
		TotalCount *int64 `json:"total_count"`
		NextCursor string `json:"next_cursor"`
	} `json:"metadata"`
}

// walk reads all pages of a route by cursor.
func walk[T any](t testing.TB, query, route, params string) []T {
	t.Helper()
	var all []T
	cursor := ""
	for {
		var p page[T]
		url := fmt.Sprintf("http://%s%s?limit=5000&%s", query, route, params)
		if cursor != "" {
			url += "&cursor=" + cursor
		}
		require.Equal(t, http.StatusOK, get(t, url, &p), url)
		all = append(all, p.Data...)
		if p.Metadata.NextCursor == "" {
			return all
		}
		cursor = p.Metadata.NextCursor
	}
}

// wide is a time range that holds all test data.
const wide = "start=2000-01-01T00:00:00Z"

func allEvents(t testing.TB, query string) []event {
	t.Helper()
	return walk[event](t, query, "/api/v1/telemetry", wide)
}

func allAnomalies(t testing.TB, query string) []anomaly.Anomaly {
	t.Helper()
	return walk[anomaly.Anomaly](t, query, "/api/v1/anomalies", wide)
}

// count asks for the total of a route.
func count(t testing.TB, query, route string) int64 {
	t.Helper()
	var p page[json.RawMessage]
	if get(t, "http://"+query+route+"?limit=1&"+wide, &p) != http.StatusOK || p.Metadata.TotalCount == nil {
		return -1
	}
	return *p.Metadata.TotalCount
}

func waitReady(t testing.TB, query string) {
	t.Helper()
	require.Eventually(t, func() bool { return get(t, "http://"+query+"/health/ready", nil) == http.StatusOK },
		startTimeout, pollInterval, "ready")
}

// dataFolder is a folder of public data, or skips the test loudly.
func dataFolder(t testing.TB, name string) string {
	t.Helper()
	root := os.Getenv("SENTINEL_DATA")
	if root == "" {
		root = filepath.Join(repository(t), "..", "shared", "data")
	}
	dir := filepath.Join(root, name)
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("SKIPPED: the public data set %s is not there; set SENTINEL_DATA to the folder that holds it (looked in %s)", name, dir)
	}
	return dir
}

func setenv(t *testing.T, env map[string]string) {
	t.Helper()
	for k, v := range env {
		t.Setenv(k, v)
	}
}

func configPath(t testing.TB, name string) string {
	t.Helper()
	return "file:" + filepath.Join(repository(t), name)
}
