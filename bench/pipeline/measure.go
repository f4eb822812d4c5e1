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

// slicesPerRound is how often a round goes from pipeline to pipeline.
const slicesPerRound = 10

// load is what one pipeline is sent: distinct requests in the order of their
// event times, the warm-up first and then the rounds.
type load struct {
	requests     []ptrace.Traces
	bytesPerSpan int
	warm         int
	perSlice     int
}

func newLoad(o options, build llmtraffic.BuildOptions) (*load, error) {
	l := &load{warm: o.warmup / o.batch, perSlice: max(1, o.spans/o.rounds/slicesPerRound/o.batch)}
	var err error
	if l.requests, err = llmtraffic.BuildRequests(l.warm+l.perSlice*slicesPerRound*o.rounds, o.batch, build); err != nil {
		return nil, err
	}
	var m ptrace.ProtoMarshaler
	size, spans := 0, 0
	for _, r := range l.requests[:min(len(l.requests), 100)] {
		size += m.TracesSize(r)
		spans += r.SpanCount()
	}
	l.bytesPerSpan = size / spans
	return l, nil
}

func (l *load) slice(round, slice int) []ptrace.Traces {
	from := l.warm + (round*slicesPerRound+slice)*l.perSlice
	return l.requests[from : from+l.perSlice]
}

// measured is one pipeline, the collector that runs it, and what it cost in
// each round, in CPU-seconds per million spans.
type measured struct {
	name, title string
	load        *load
	config      string
	costs       []float64

	dir     string
	cmd     *exec.Cmd
	logs    bytes.Buffer
	senders []*llmtraffic.Sender
}

const head = `
receivers: {otlp: {protocols: {grpc: {endpoint: "${env:BENCH_GRPC}"}}}}
exporters: {nop: {}, llm_storage: {storage: llm_storage}}
processors: {sanitize: {}, genai: {prices: {prefer_reported: true}}, anomaly: {storage: file_storage}, memory_limiter: {check_interval: 1s, limit_percentage: 75, spike_limit_percentage: 20}}
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
	genaiConfig = head + `
  extensions: [health_check]
  pipelines: {traces: {receivers: [otlp], processors: [genai], exporters: [nop]}}
`
	sanitizeConfig = head + `
  extensions: [health_check]
  pipelines: {traces: {receivers: [otlp], processors: [sanitize], exporters: [nop]}}
`
	defaultConfig = head + `
  extensions: [health_check, file_storage, llm_storage]
  pipelines: {traces: {receivers: [otlp], processors: [memory_limiter, sanitize, genai, anomaly], exporters: [llm_storage]}}
`
)

// start runs the collector and sends the warm-up.
func (m *measured) start(ctx context.Context, o options) error {
	dir, err := os.MkdirTemp("", "bench-pipeline-")
	if err != nil {
		return err
	}
	m.dir = dir
	config := filepath.Join(dir, "config.yaml")
	if err := os.WriteFile(config, []byte(m.config), 0o600); err != nil {
		return err
	}
	grpc, health := freePort(), freePort()
	cmd := exec.CommandContext(ctx, o.binary, "--config", config) //nolint:gosec // the operator names the binary
	cmd.Env = append(os.Environ(), "BENCH_GRPC="+grpc, "BENCH_HEALTH="+health, "BENCH_DIR="+dir)
	cmd.Stdout, cmd.Stderr = &m.logs, &m.logs
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 20 * time.Second
	if err := cmd.Start(); err != nil {
		return err
	}
	m.cmd = cmd
	if err := waitHealthy(ctx, health); err != nil {
		return err
	}
	for range o.conns {
		sender, err := llmtraffic.NewSender(llmtraffic.SenderOptions{Endpoint: grpc, Protocol: llmtraffic.ProtocolGRPC, Insecure: true})
		if err != nil {
			return err
		}
		m.senders = append(m.senders, sender)
	}
	return send(ctx, m.senders, m.load.requests[:m.load.warm])
}

// stop ends the collector; its log is part of the error when it failed.
func (m *measured) stop() error {
	var errs []error
	for _, s := range m.senders {
		errs = append(errs, s.Close())
	}
	if m.cmd != nil {
		_ = m.cmd.Process.Signal(syscall.SIGTERM)
		if err := m.cmd.Wait(); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w\n%s", m.title, err, m.logs.Bytes()))
		}
	}
	if m.dir != "" {
		errs = append(errs, os.RemoveAll(m.dir))
	}
	return errors.Join(errs...)
}

// measure sends the requests of one round in slices, in turn to each pipeline,
// and notes what each collector spent meanwhile.
func measure(ctx context.Context, cases []*measured, round int) error {
	before := make([]float64, len(cases))
	for i, c := range cases {
		var err error
		if before[i], err = cpuSeconds(c.cmd.Process.Pid); err != nil {
			return err
		}
	}
	spans := make([]int, len(cases))
	for slice := range slicesPerRound {
		for i, c := range cases {
			part := c.load.slice(round, slice)
			if err := send(ctx, c.senders, part); err != nil {
				return fmt.Errorf("%s: %w", c.title, err)
			}
			for _, r := range part {
				spans[i] += r.SpanCount()
			}
		}
	}
	for i, c := range cases {
		after, err := cpuSeconds(c.cmd.Process.Pid)
		if err != nil {
			return err
		}
		c.costs = append(c.costs, (after-before[i])/float64(spans[i])*1e6)
	}
	return nil
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
