package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/llm-devops/llm-sentinel/internal/llmtraffic"
)

// addresses of one collector, all on the loopback interface.
type addresses struct {
	grpc, http, query string
	metrics           int
}

// freeAddresses picks ports that are free now. Another process may take one
// before the collector does; the collector then fails to start, and says so.
func freeAddresses() (addresses, error) {
	var ports [4]int
	for i := range ports {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return addresses{}, fmt.Errorf("find a free port: %w", err)
		}
		// All stay open until the last is found, so that none is found twice.
		defer func() { _ = l.Close() }()
		ports[i] = l.Addr().(*net.TCPAddr).Port
	}
	at := func(p int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(p)) }
	return addresses{grpc: at(ports[0]), http: at(ports[1]), query: at(ports[2]), metrics: ports[3]}, nil
}

// env are the variables that collector-config.yaml and examples/webhook.yaml read.
func (a addresses) env(dataDir, webhookURL, secret string) []string {
	return []string{
		"SENTINEL_OTLP_GRPC_ENDPOINT=" + a.grpc,
		"SENTINEL_OTLP_HTTP_ENDPOINT=" + a.http,
		"SENTINEL_QUERY_ENDPOINT=" + a.query,
		"SENTINEL_METRICS_PORT=" + strconv.Itoa(a.metrics),
		"SENTINEL_DATA_DIR=" + dataDir,
		"WEBHOOK_URL=" + webhookURL,
		"WEBHOOK_SECRET=" + secret,
	}
}

// collector is a running child process.
type collector struct {
	cmd    *exec.Cmd
	log    string
	exited chan struct{}
	err    error
	once   sync.Once
}

// startCollector starts the binary with its output in dir/collector.log.
func startCollector(binary string, configs, env []string, dir string) (*collector, error) {
	binary, err := filepath.Abs(binary)
	if err != nil {
		return nil, err
	}
	args := make([]string, 0, 2*len(configs))
	for _, c := range configs {
		args = append(args, "--config", c)
	}
	logPath := filepath.Join(dir, "collector.log")
	log, err := os.Create(logPath) //nolint:gosec // our own temporary folder
	if err != nil {
		return nil, err
	}
	defer func() { _ = log.Close() }()
	cmd := exec.Command(binary, args...) //nolint:gosec // the user names the collector
	cmd.Env = append(os.Environ(), env...)
	cmd.Stdout, cmd.Stderr = log, log
	// Ctrl-C reaches the whole foreground group: without a group of its own the
	// collector would stop before the requests in flight are answered.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start collector: %w", err)
	}
	c := &collector{cmd: cmd, log: logPath, exited: make(chan struct{})}
	go func() {
		c.err = cmd.Wait()
		close(c.exited)
	}()
	return c, nil
}

// ready waits until the query API answers.
func (c *collector) ready(ctx context.Context, query string, limit time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	api := llmtraffic.NewAPIClient("http://" + query)
	var last error
	for {
		if last = api.Ready(ctx); last == nil {
			return nil
		}
		select {
		case <-c.exited:
			return fmt.Errorf("collector ended before it was ready (%w); its last lines:\n%s", errors.Join(c.err, last), c.tail())
		case <-ctx.Done():
			return fmt.Errorf("collector is not ready: %w; its last lines:\n%s", last, c.tail())
		case <-tick.C:
		}
	}
}

// stop asks the collector to end, kills it after limit, and reports an exit
// code other than 0. It is idempotent.
func (c *collector) stop(limit time.Duration) error {
	var err error
	c.once.Do(func() {
		select {
		case <-c.exited:
			err = fmt.Errorf("collector ended by itself: %w; its last lines:\n%s", errors.Join(c.err, errors.New("unexpected exit")), c.tail())
			return
		default:
		}
		_ = c.cmd.Process.Signal(syscall.SIGTERM)
		t := time.NewTimer(limit)
		defer t.Stop()
		select {
		case <-c.exited:
			if c.err != nil {
				err = fmt.Errorf("collector did not stop cleanly: %w; its last lines:\n%s", c.err, c.tail())
			}
		case <-t.C:
			_ = c.cmd.Process.Kill()
			<-c.exited
			err = fmt.Errorf("collector did not stop within %s and was killed", limit)
		}
	})
	return err
}

// tail returns the last lines of the collector's log.
func (c *collector) tail() string {
	b, err := os.ReadFile(c.log)
	if err != nil {
		return err.Error()
	}
	lines := bytes.Split(bytes.TrimSpace(b), []byte("\n"))
	return string(bytes.Join(lines[max(0, len(lines)-15):], []byte("\n")))
}
