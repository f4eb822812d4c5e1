//go:build e2e

package e2e

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/llm-devops/llm-sentinel/internal/llmtraffic"
)

var binary = flag.String("binary", "", "path of the built otelcol-sentinel")

// process is a running collector binary.
type process struct {
	cmd  *exec.Cmd
	logs *lockedBuffer
	done chan error
}

type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// runBinary starts the collector as a process of its own; the end of the test
// kills it when it still runs.
func runBinary(t *testing.T, env map[string]string, uris ...string) *process {
	t.Helper()
	require.NotEmpty(t, *binary, "run with -args -binary=PATH (make smoke, make e2e)")
	var args []string
	for _, u := range uris {
		args = append(args, "--config", u)
	}
	p := &process{cmd: exec.Command(*binary, args...), logs: &lockedBuffer{}, done: make(chan error, 1)}
	p.cmd.Env = os.Environ()
	for k, v := range env {
		p.cmd.Env = append(p.cmd.Env, k+"="+v)
	}
	p.cmd.Stdout, p.cmd.Stderr = p.logs, p.logs
	p.cmd.Dir = repository(t)
	require.NoError(t, p.cmd.Start())
	go func() { p.done <- p.cmd.Wait() }()
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		select {
		case <-p.done:
		case <-time.After(startTimeout):
		}
		if t.Failed() {
			t.Logf("log of the collector:\n%s", tail(withoutInfo(p.logs.String()), 6000))
		}
	})
	return p
}

// withoutInfo drops the lines of level info, which hide the cause of a failure.
func withoutInfo(log string) string {
	var b strings.Builder
	for line := range strings.Lines(log) {
		if !strings.Contains(line, "\tinfo\t") {
			b.WriteString(line)
		}
	}
	return b.String()
}

func tail(s string, n int) string {
	if len(s) > n {
		return "…" + s[len(s)-n:]
	}
	return s
}

// end waits for the process and returns its exit code; -1 when a signal ended it.
func (p *process) end(t *testing.T) int {
	t.Helper()
	select {
	case err := <-p.done:
		p.done <- err
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			return exit.ExitCode()
		}
		require.NoError(t, err)
		return 0
	case <-time.After(startTimeout):
		require.Fail(t, "the process did not end", tail(p.logs.String(), 6000))
		return -2
	}
}

// metric sums the samples of a metric of the collector's own telemetry.
func metric(t *testing.T, address, name string) float64 {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+address+"/metrics", http.NoBody)
	require.NoError(t, err)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return -1
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	sum, found := 0.0, false
	for _, m := range regexp.MustCompile(`(?m)^`+name+`(?:\{[^}]*\})? (\S+)$`).FindAllStringSubmatch(string(text), -1) {
		v, err := strconv.ParseFloat(m[1], 64)
		require.NoError(t, err)
		sum, found = sum+v, true
	}
	if !found {
		return -1
	}
	return sum
}

func TestBinaryStartsEveryExampleAndEndsOnSIGTERM(t *testing.T) {
	_, url := hook(t)
	for _, configs := range [][]string{
		{"collector-config.yaml"},
		{"collector-config.yaml", "examples/webhook.yaml"},
		// Its servers are not there: the collector must start and say so.
		{"examples/full-stack.yaml"},
	} {
		t.Run(strings.Join(configs, "+"), func(t *testing.T) {
			at := freeAddresses(t)
			env := at.env()
			env["WEBHOOK_URL"], env["WEBHOOK_SECRET"] = url, secret
			env["SENTINEL_HEALTH_ENDPOINT"] = freePort(t)
			env["KAFKA_BROKERS"], env["INFLUXDB_URL"], env["RABBITMQ_URL"] = freePort(t), "http://"+freePort(t), "amqp://"+freePort(t)
			var uris []string
			for _, c := range configs {
				uris = append(uris, configPath(t, c))
			}
			p := runBinary(t, env, uris...)
			require.Eventually(t, func() bool { return strings.Contains(p.logs.String(), "Everything is ready") }, startTimeout, pollInterval)
			assert.Equal(t, http.StatusOK, get(t, "http://"+at.query+"/health/live", nil))
			if configs[0] == "collector-config.yaml" {
				waitReady(t, at.query)
			}
			require.NoError(t, p.cmd.Process.Signal(syscall.SIGTERM))
			assert.Zero(t, p.end(t), "exit code after SIGTERM")
		})
	}
}

func TestBinaryFailsWhenItCannotStart(t *testing.T) {
	t.Run("port in use", func(t *testing.T) {
		first, second := freeAddresses(t), freeAddresses(t)
		runBinary(t, first.env(), configPath(t, "collector-config.yaml"))
		waitReady(t, first.query)
		second.query = first.query
		p := runBinary(t, second.env(), configPath(t, "collector-config.yaml"))
		assert.Equal(t, 1, p.end(t), "exit code")
		assert.Contains(t, p.logs.String(), "address already in use")
	})
	t.Run("storage that does not exist", func(t *testing.T) {
		at := freeAddresses(t)
		p := runBinary(t, at.env(), configPath(t, "collector-config.yaml"), "yaml:extensions::query::storage: llm_storage/other")
		assert.Equal(t, 1, p.end(t), "exit code")
		assert.Contains(t, p.logs.String(), "llm_storage/other")
	})
	t.Run("bad threshold", func(t *testing.T) {
		at := freeAddresses(t)
		p := runBinary(t, at.env(), configPath(t, "collector-config.yaml"), "yaml:processors::anomaly::max_series: -1")
		assert.Equal(t, 1, p.end(t), "exit code")
		assert.Contains(t, p.logs.String(), "max_series")
		assert.Contains(t, p.logs.String(), "-1")
	})
}

// kill -9 in the middle of the load: what was acknowledged is there, baselines
// come back from the snapshot, and nothing is alarmed because of the restart.
func TestBinaryKeepsWhatItAcknowledgedThroughKill(t *testing.T) {
	at := freeAddresses(t)
	snapshots := "yaml:processors::anomaly::snapshot_interval: 1s"
	p := runBinary(t, at.env(), configPath(t, "collector-config.yaml"), snapshots)
	waitReady(t, at.query)

	o := traffic(t, 90*time.Minute, 4)
	sender, err := llmtraffic.NewSender(llmtraffic.SenderOptions{Endpoint: at.grpc, Protocol: llmtraffic.ProtocolGRPC, Insecure: true, MaxRetries: -1})
	require.NoError(t, err)
	defer sender.Close()

	var batches []ptrace.Traces
	var calls [][]sent
	each(t, o, 50, func(td ptrace.Traces, batch []sent) {
		batches, calls = append(batches, td), append(calls, batch)
	})
	half := len(batches) / 2
	var acknowledged []sent
	for i := range half {
		deliver(t, sender, batches[i])
		acknowledged = append(acknowledged, calls[i]...)
	}
	require.Eventually(t, func() bool { return snapshotHolds(t, at) }, startTimeout, pollInterval, "a snapshot was taken")

	// The kill comes from another goroutine, so that it hits a request under way.
	killed := make(chan struct{})
	go func() {
		defer close(killed)
		_ = p.cmd.Process.Signal(syscall.SIGKILL)
	}()
	next := half
	for ; next < len(batches); next++ {
		if _, err := sender.Send(t.Context(), batches[next]); err != nil {
			break
		}
		acknowledged = append(acknowledged, calls[next]...)
	}
	<-killed
	assert.Equal(t, -1, p.end(t), "ended by the signal")
	require.Less(t, next, len(batches), "the kill came during the load")

	runBinary(t, at.env(), configPath(t, "collector-config.yaml"), snapshots)
	waitReady(t, at.query)
	stored := map[string]int{}
	for _, e := range allEvents(t, at.query) {
		stored[e.TraceID+e.SpanID]++
	}
	for _, c := range acknowledged {
		require.Equal(t, 1, stored[c.trace+c.span], "acknowledged call %s/%s", c.trace, c.span)
	}
	restored := metric(t, at.metrics, "sentinel_snapshot_restored_series")
	assert.Positive(t, restored, "series restored from the snapshot")

	// A client retries what was not acknowledged; nothing is stored twice and
	// clean traffic raises no alarm after the restart.
	again := newSender(t, at.grpc, llmtraffic.ProtocolGRPC)
	for ; next < len(batches); next++ {
		deliver(t, again, batches[next])
	}
	assert.EqualValues(t, sum(calls), count(t, at.query, "/api/v1/telemetry"))
	assert.Empty(t, allAnomalies(t, at.query), "no alarm because of the restart")
}

func sum(calls [][]sent) (n int) {
	for _, c := range calls {
		n += len(c)
	}
	return n
}

// snapshotHolds says whether a snapshot was written after the series existed.
func snapshotHolds(t *testing.T, at addresses) bool {
	t.Helper()
	return metric(t, at.metrics, "sentinel_snapshot_size_bytes") > 0
}

func TestBinaryKnowsItsComponents(t *testing.T) {
	require.NotEmpty(t, *binary)
	out, err := exec.Command(*binary, "components").CombinedOutput()
	require.NoError(t, err)
	for _, own := range []string{"anomaly", "llm_storage", "influxdb", "alert", "query"} {
		assert.Regexp(t, fmt.Sprintf(`(?m)^\s*- name: %s$`, own), string(out))
	}
}
