package main

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/google/uuid"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
	"google.golang.org/grpc"

	"github.com/llm-devops/llm-sentinel/internal/anomaly"
)

// fakeCollector stands in for the collector in tests of the demo: the test
// binary runs it as a child process. Its detector compares the median of the
// last calls of a series with that of the first ones.
type fakeCollector struct {
	ptraceotlp.UnimplementedGRPCServer
	mode string

	mu     sync.Mutex
	series map[string]*fakeSeries
	found  []anomaly.Anomaly
}

type fakeSeries struct {
	base, last []float64
	fired      bool
}

const (
	fakeModeEnv = "LLMLOAD_FAKE_COLLECTOR"
	fakeBase    = 300
	fakeWindow  = 41
)

// fakeMain is the child process; it returns its exit code.
func fakeMain(mode string) int {
	if mode == "dies" {
		_, _ = fmt.Fprintln(os.Stderr, "the fake collector dies")
		return 3
	}
	c := &fakeCollector{mode: mode, series: map[string]*fakeSeries{}}
	gl, err := net.Listen("tcp", os.Getenv("SENTINEL_OTLP_GRPC_ENDPOINT"))
	if err != nil {
		_, _ = fmt.Fprintln(os.Stderr, err)
		return 1
	}
	hl, err := net.Listen("tcp", os.Getenv("SENTINEL_QUERY_ENDPOINT"))
	if err != nil {
		_, _ = fmt.Fprintln(os.Stderr, err)
		return 1
	}
	gs := grpc.NewServer()
	ptraceotlp.RegisterGRPCServer(gs, c)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /health/ready", func(w http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprint(w, `{}`) })
	mux.HandleFunc("GET /api/v1/anomalies", c.list)
	hs := &http.Server{Handler: mux, ReadHeaderTimeout: time.Second}
	go func() { _ = gs.Serve(gl) }()
	go func() { _ = hs.Serve(hl) }()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	<-ctx.Done()
	gs.Stop()
	_ = hs.Close()
	if mode == "bad exit" {
		return 4
	}
	return 0
}

func (c *fakeCollector) list(w http.ResponseWriter, _ *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	_ = json.NewEncoder(w).Encode(map[string]any{"data": c.found, "metadata": map[string]any{}})
}

func (c *fakeCollector) Export(_ context.Context, req ptraceotlp.ExportRequest) (ptraceotlp.ExportResponse, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, rs := range req.Traces().ResourceSpans().All() {
		service, _ := rs.Resource().Attributes().Get("service.name")
		for _, ss := range rs.ScopeSpans().All() {
			for _, s := range ss.Spans().All() {
				c.judge(service.Str(), s)
			}
		}
	}
	return ptraceotlp.NewExportResponse(), nil
}

func (c *fakeCollector) judge(service string, s ptrace.Span) {
	a := s.Attributes()
	get := func(k string) float64 {
		v, ok := a.Get(k)
		if !ok {
			return 0
		}
		if v.Type() == pcommon.ValueTypeInt {
			return float64(v.Int())
		}
		return v.Double()
	}
	model, ok := a.Get("gen_ai.response.model")
	out := get("gen_ai.usage.output_tokens")
	if !ok || out <= 0 {
		return
	}
	in := get("gen_ai.usage.input_tokens")
	for metric, v := range map[string]float64{
		"latency_ms": float64(s.EndTimestamp()-s.StartTimestamp()) / out, "total_tokens": in + out, "cost_usd": get("gen_ai.usage.cost") / (in + out),
	} {
		key := service + "/" + model.Str() + "/" + metric
		f := c.series[key]
		if f == nil {
			f = &fakeSeries{}
			c.series[key] = f
		}
		if f.see(v) {
			c.report(service, model.Str(), metric, s.EndTimestamp().AsTime())
		}
	}
	if c.mode == "crashes" {
		os.Exit(5)
	}
	if c.mode == "noisy" && len(c.found) == 0 {
		c.report("chat-api", "noise", "latency_ms", s.EndTimestamp().AsTime())
	}
}

func (f *fakeSeries) see(v float64) bool {
	if len(f.base) < fakeBase {
		f.base = append(f.base, v)
		return false
	}
	f.last = append(f.last, v)
	if len(f.last) > fakeWindow {
		f.last = f.last[1:]
	}
	if f.fired || len(f.last) < fakeWindow || middle(f.last) < 3*middle(f.base) {
		return false
	}
	f.fired = true
	return true
}

func middle(x []float64) float64 {
	s := slices.Sorted(slices.Values(x))
	return s[len(s)/2]
}

func (c *fakeCollector) report(service, model, metric string, at time.Time) {
	typ := map[string]anomaly.Type{"latency_ms": anomaly.TypeLatencySpike, "total_tokens": anomaly.TypeTokenUsageSpike, "cost_usd": anomaly.TypeCostAnomaly}[metric]
	if c.mode == "blind to cost" && typ == anomaly.TypeCostAnomaly {
		return
	}
	a := anomaly.Anomaly{
		ID: uuid.New(), Time: at, Severity: anomaly.SeverityHigh, Type: typ, Service: service, Model: model, Method: anomaly.MethodMAD, Confidence: .9,
		Details: anomaly.Details{Metric: metric, Value: 3, Baseline: 1, Threshold: 2.5},
	}
	c.found = append(c.found, a)
	if c.mode == "mute" {
		return
	}
	if err := notify(os.Getenv("WEBHOOK_URL"), os.Getenv("WEBHOOK_SECRET"), a); err != nil {
		_, _ = fmt.Fprintln(os.Stderr, "notify:", err)
	}
}

// notify sends a as the Standard Webhooks specification says.
func notify(url, secret string, a anomaly.Anomaly) error {
	body, err := json.Marshal(map[string]any{"type": "anomaly.detected", "timestamp": a.Time, "data": a})
	if err != nil {
		return err
	}
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
	if err != nil {
		return err
	}
	id, ts := "msg_"+a.ID.String(), strconv.FormatInt(time.Now().Unix(), 10)
	mac := hmac.New(sha256.New, key)
	_, _ = fmt.Fprintf(mac, "%s.%s.%s", id, ts, body)
	req, err := http.NewRequest(http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("webhook-id", id)
	req.Header.Set("webhook-timestamp", ts)
	req.Header.Set("webhook-signature", "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	return resp.Body.Close()
}
