package alertexporter

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/config/configoptional"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/exporter/exportertest"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/metric/metricdata/metricdatatest"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/llm-devops/llm-sentinel/exporter/alertexporter/internal/metadata"
	"github.com/llm-devops/llm-sentinel/exporter/alertexporter/internal/notify"
	"github.com/llm-devops/llm-sentinel/internal/anomaly"
)

// fakeTarget answers each attempt with what answer returns.
type fakeTarget struct {
	answer func(notify.Notification) error

	mu       sync.Mutex
	attempts []notify.Notification
	times    []time.Time
	starts   int
	stops    int
}

func (f *fakeTarget) Start(context.Context, component.Host) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.starts++
	return nil
}

func (f *fakeTarget) Shutdown(context.Context) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.stops++
	return nil
}

func (f *fakeTarget) Notify(_ context.Context, n notify.Notification) error {
	f.mu.Lock()
	f.attempts = append(f.attempts, n)
	f.times = append(f.times, time.Now())
	f.mu.Unlock()
	if f.answer == nil {
		return nil
	}
	return f.answer(n)
}

func (f *fakeTarget) seen() []notify.Notification {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]notify.Notification(nil), f.attempts...)
}

// useTargets replaces the table of targets for one test.
func useTargets(t *testing.T, targets map[string]*fakeTarget) {
	t.Helper()
	before := targetSpecs
	t.Cleanup(func() { targetSpecs = before })
	targetSpecs = nil
	for _, name := range []string{"one", "two"} {
		target, ok := targets[name]
		if !ok {
			continue
		}
		targetSpecs = append(targetSpecs, targetSpec{
			name:       name,
			configured: func(*Config) bool { return true },
			build:      func(*Config, targetSettings) (notify.Target, error) { return target, nil },
			count: func(context.Context, *metadata.TelemetryBuilder, attribute.KeyValue, anomaly.Severity, *notify.Error) {
			},
		})
	}
}

type statusHost struct {
	extensions map[component.ID]component.Component
	mu         sync.Mutex
	events     []*componentstatus.Event
}

func (h *statusHost) GetExtensions() map[component.ID]component.Component { return h.extensions }

func (h *statusHost) Report(ev *componentstatus.Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.events = append(h.events, ev)
}

func (h *statusHost) last() componentstatus.Status {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.events) == 0 {
		return componentstatus.StatusNone
	}
	return h.events[len(h.events)-1].Status()
}

type running struct {
	exporter.Traces
	tel  *componenttest.Telemetry
	host *statusHost
	logs *observer.ObservedLogs
}

var testID = component.MustNewIDWithName("alert", "ops")

// launch creates and starts an exporter; retries come after a millisecond.
func launch(t *testing.T, change func(*Config)) *running {
	t.Helper()
	r := create(t, change)
	require.NoError(t, r.Start(t.Context(), r.host))
	return r
}

func create(t *testing.T, change func(*Config)) *running {
	t.Helper()
	cfg := createDefaultConfig().(*Config)
	cfg.Retry.InitialInterval, cfg.Retry.MaxInterval = time.Millisecond, time.Millisecond
	if change != nil {
		change(cfg)
	}
	r := &running{tel: componenttest.NewTelemetry(), host: &statusHost{extensions: map[component.ID]component.Component{}}}
	set := exportertest.NewNopSettings(metadata.Type)
	set.ID = testID
	set.TelemetrySettings = r.tel.NewTelemetrySettings()
	core, logs := observer.New(zapcore.DebugLevel)
	set.Logger, r.logs = zap.New(core), logs
	var err error
	r.Traces, err = NewFactory().CreateTraces(t.Context(), set, cfg)
	require.NoError(t, err)
	t.Cleanup(func() {
		assert.NoError(t, r.Shutdown(context.Background()))
		assert.NoError(t, r.tel.Shutdown(context.Background()))
	})
	return r
}

func noQueue(c *Config) {
	c.Queue = configoptional.None[queueConfig]()
}

func noRetry(c *Config) {
	noQueue(c)
	c.Retry.Enabled = false
}

func point(v int64, attrs ...string) metricdata.DataPoint[int64] {
	kv := []attribute.KeyValue{attribute.String("exporter", "alert/ops")}
	for i := 0; i < len(attrs); i += 2 {
		kv = append(kv, attribute.String(attrs[i], attrs[i+1]))
	}
	return metricdata.DataPoint[int64]{Value: v, Attributes: attribute.NewSet(kv...)}
}

// ignore is what no test can foresee in a data point.
var ignore = []metricdatatest.Option{metricdatatest.IgnoreTimestamp(), metricdatatest.IgnoreExemplars()}

func points(p ...metricdata.DataPoint[int64]) []metricdata.DataPoint[int64] { return p }

func eventually(t *testing.T, ok func() bool, msg string) {
	t.Helper()
	require.Eventually(t, ok, 10*time.Second, time.Millisecond, msg)
}
