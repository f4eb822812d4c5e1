package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"go.opentelemetry.io/collector/pdata/ptrace"
	"golang.org/x/sync/errgroup"

	"github.com/llm-devops/llm-sentinel/internal/llmtraffic"
)

// load is what one pipeline is sent: distinct requests in the order of their
// event times. Every round sends the same ones.
type load struct {
	requests     []ptrace.Traces
	bytesPerSpan int
}

func newLoad(o options, build llmtraffic.BuildOptions) (*load, error) {
	n := (o.spans + o.warmup + o.batch - 1) / o.batch
	requests, err := llmtraffic.BuildRequests(n, o.batch, build)
	if err != nil {
		return nil, err
	}
	var m ptrace.ProtoMarshaler
	size, spans := 0, 0
	for _, r := range requests[:min(len(requests), 100)] {
		size += m.TracesSize(r)
		spans += r.SpanCount()
	}
	return &load{requests: requests, bytesPerSpan: size / spans}, nil
}

// measured is one pipeline and what it cost in each round, in CPU-seconds per
// million spans.
type measured struct {
	name, title string
	load        *load
	config      string
	costs       []float64
}

const head = `
receivers: {otlp: {protocols: {grpc: {endpoint: "${env:BENCH_GRPC}"}}}}
exporters: {nop: {}, llm_storage: {storage: llm_storage}}
processors: {anomaly: {storage: file_storage}, memory_limiter: {check_interval: 1s, limit_percentage: 75, spike_limit_percentage: 20}}
extensions:
  health_check: {endpoint: "${env:BENCH_HEALTH}"}
  file_storage: {directory: "${env:BENCH_DIR}/state", create_directory: true}
  llm_storage: {embedded: {directory: "${env:BENCH_DIR}/events"}}
service:
  telemetry: {metrics: {level: none}, logs: {level: error}}
`

const (
	nopConfig = head + `
  extensions: [health_check]
  pipelines: {traces: {receivers: [otlp], exporters: [nop]}}
`
	anomalyConfig = head + `
  extensions: [health_check, file_storage]
  pipelines: {traces: {receivers: [otlp], processors: [anomaly], exporters: [nop]}}
`
	defaultConfig = head + `
  extensions: [health_check, file_storage, llm_storage]
  pipelines: {traces: {receivers: [otlp], processors: [memory_limiter, anomaly], exporters: [llm_storage]}}
`
)

func measure(ctx context.Context, o options, c *measured) (cost float64, err error) {
	dir, err := os.MkdirTemp("", "bench-pipeline-")
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	config := filepath.Join(dir, "config.yaml")
	if err := os.WriteFile(config, []byte(c.config), 0o600); err != nil {
		return 0, err
	}
	grpc, health := freePort(), freePort()
	cmd := exec.CommandContext(ctx, o.binary, "--config", config) //nolint:gosec // the operator names the binary
	cmd.Env = append(os.Environ(), "BENCH_GRPC="+grpc, "BENCH_HEALTH="+health, "BENCH_DIR="+dir)
	var logs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &logs, &logs
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 20 * time.Second
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	defer func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		if werr := cmd.Wait(); werr != nil && err == nil {
			err = fmt.Errorf("%w\n%s", werr, logs.Bytes())
		}
	}()
	if err := waitHealthy(ctx, health); err != nil {
		return 0, fmt.Errorf("%w\n%s", err, logs.Bytes())
	}
	senders := make([]*llmtraffic.Sender, o.conns)
	for i := range senders {
		senders[i], err = llmtraffic.NewSender(llmtraffic.SenderOptions{Endpoint: grpc, Protocol: llmtraffic.ProtocolGRPC, Insecure: true})
		if err != nil {
			return 0, err
		}
		defer func() { _ = senders[i].Close() }()
	}

	warm := o.warmup / o.batch
	if err := send(ctx, senders, c.load.requests[:warm]); err != nil {
		return 0, err
	}
	before, err := cpuSeconds(cmd.Process.Pid)
	if err != nil {
		return 0, err
	}
	rest := c.load.requests[warm:]
	if err := send(ctx, senders, rest); err != nil {
		return 0, err
	}
	after, err := cpuSeconds(cmd.Process.Pid)
	if err != nil {
		return 0, err
	}
	spans := 0
	for _, r := range rest {
		spans += r.SpanCount()
	}
	return (after - before) / float64(spans) * 1e6, nil
}

// send deals the requests out to the senders in turn.
func send(ctx context.Context, senders []*llmtraffic.Sender, requests []ptrace.Traces) error {
	g, ctx := errgroup.WithContext(ctx)
	for i, s := range senders {
		g.Go(func() error {
			for n := i; n < len(requests); n += len(senders) {
				res, err := s.Send(ctx, requests[n])
				if err != nil {
					return err
				}
				if res.Rejected > 0 {
					return fmt.Errorf("%d spans rejected: %s", res.Rejected, res.Message)
				}
			}
			return nil
		})
	}
	return g.Wait()
}

// cpuSeconds is the user and system time that the process has used, all
// threads together.
func cpuSeconds(pid int) (float64, error) {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return 0, fmt.Errorf("read CPU time (Linux only): %w", err)
	}
	// The command name in parentheses may hold blanks: fields 14 and 15 are
	// counted from the last parenthesis.
	fields := bytes.Fields(text[bytes.LastIndexByte(text, ')')+2:])
	user, err := strconv.ParseFloat(string(fields[11]), 64)
	if err != nil {
		return 0, err
	}
	system, err := strconv.ParseFloat(string(fields[12]), 64)
	if err != nil {
		return 0, err
	}
	const ticksPerSecond = 100 // USER_HZ is 100 on every Linux platform of Go
	return (user + system) / ticksPerSecond, nil
}

func freePort() string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "127.0.0.1:0"
	}
	address := l.Addr().String()
	_ = l.Close()
	return address
}

func waitHealthy(ctx context.Context, address string) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address, http.NoBody)
		if err != nil {
			return err
		}
		if resp, err := http.DefaultClient.Do(req); err == nil {
			_ = resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the collector did not become healthy: %w", ctx.Err())
		case <-tick.C:
		}
	}
}
