package rabbitmq

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"

	"github.com/llm-devops/llm-sentinel/exporter/alertexporter/internal/notify"
	"github.com/llm-devops/llm-sentinel/internal/anomaly"
)

type states struct {
	mu   sync.Mutex
	errs []error
}

func (s *states) report(err error, _ bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.errs = append(s.errs, err)
}

// last is the most recent report; ok is false when there was none.
func (s *states) last() (ok bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.errs) == 0 {
		return false, nil
	}
	return true, s.errs[len(s.errs)-1]
}

// begin starts a target; ready waits for the connection.
func begin(t *testing.T, endpoint string, change func(*Config)) (*Target, *states) {
	t.Helper()
	return beginWith(t, nil, endpoint, change)
}

// beginWith replaces the dialer unless dial is nil.
func beginWith(t *testing.T, dial dialFunc, endpoint string, change func(*Config)) (*Target, *states) {
	t.Helper()
	cfg := NewDefaultConfig()
	cfg.Endpoint = endpoint
	cfg.Reconnect = ReconnectConfig{InitialInterval: 50 * time.Millisecond, MaxInterval: 200 * time.Millisecond}
	if change != nil {
		change(&cfg)
	}
	require.NoError(t, cfg.Validate())
	st := &states{}
	target, err := New(&cfg, Settings{Telemetry: componenttest.NewNopTelemetrySettings(), Health: st.report})
	require.NoError(t, err)
	target.dial = dial
	require.NoError(t, target.Start(t.Context(), componenttest.NewNopHost()))
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		assert.NoError(t, target.Shutdown(ctx))
	})
	return target, st
}

func ready(t *testing.T, target *Target) {
	t.Helper()
	require.Eventually(t, func() bool { return target.current.Load() != nil }, 30*time.Second, 10*time.Millisecond)
}

func sample(i int, s anomaly.Severity) anomaly.Anomaly {
	at := time.Date(2026, 1, 2, 3, 4, 5, i, time.UTC)
	return anomaly.Anomaly{
		ID:   anomaly.NewID("chat.api", "gpt-4", "latency_ms", anomaly.TypeLatencySpike, at, ""),
		Time: at, Severity: s, Type: anomaly.TypeLatencySpike, Service: "chat.api", Model: "gpt-4",
		Method: anomaly.MethodZScore, Confidence: 0.93,
		Details: anomaly.Details{Metric: "latency_ms", Value: 9000, Baseline: 800, Threshold: 2300, DeviationSigma: 5.4},
		Context: anomaly.Context{TraceID: "0123456789abcdef0123456789abcdef", SpanID: "0123456789abcdef", TimeWindow: "w"},
	}
}

func notification(i int, s anomaly.Severity) notify.Notification {
	return notify.Notification{Anomaly: sample(i, s)}
}
