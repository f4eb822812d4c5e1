// Package questions runs the query and the storage extension together in
// process: real HTTP, the real embedded store.
package questions

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/extension"
	"go.opentelemetry.io/collector/extension/extensiontest"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.uber.org/goleak"

	"github.com/llm-devops/llm-sentinel/extension/queryextension"
	"github.com/llm-devops/llm-sentinel/extension/storageextension"
	"github.com/llm-devops/llm-sentinel/internal/anomaly"
	"github.com/llm-devops/llm-sentinel/internal/genai"
	"github.com/llm-devops/llm-sentinel/internal/store"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

// rig is the two extensions, running.
type rig struct {
	t       testing.TB
	storage component.Component
	writer  store.Writer
	url     string
	client  *http.Client
}

type host map[component.ID]component.Component

func (h host) GetExtensions() map[component.ID]component.Component { return h }

func start(t testing.TB, query map[string]any) *rig {
	t.Helper()
	create := func(f extension.Factory, options map[string]any) component.Component {
		cfg := f.CreateDefaultConfig()
		require.NoError(t, confmap.NewFromStringMap(options).Unmarshal(cfg))
		require.NoError(t, confmap.Validate(cfg))
		ext, err := f.Create(t.Context(), extensiontest.NewNopSettings(f.Type()), cfg)
		require.NoError(t, err)
		return ext
	}
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := l.Addr().String()
	require.NoError(t, l.Close())

	r := &rig{t: t, url: "http://" + address, client: &http.Client{Transport: &http.Transport{}}}
	r.storage = create(storageextension.NewFactory(), map[string]any{"embedded": map[string]any{"directory": t.TempDir()}})
	options := map[string]any{"metrics_endpoint": "", "http": map[string]any{"endpoint": address}}
	for k, v := range query {
		options[k] = v
	}
	questions := create(queryextension.NewFactory(), options)
	extensions := host{component.MustNewID("llm_storage"): r.storage}
	for _, ext := range []component.Component{r.storage, questions} {
		require.NoError(t, ext.Start(t.Context(), extensions))
		t.Cleanup(func() { require.NoError(t, ext.Shutdown(context.Background())) })
	}
	t.Cleanup(r.client.CloseIdleConnections)
	r.writer, err = r.storage.(store.Provider).StoreWriter(t.Context())
	require.NoError(t, err)
	return r
}

func (r *rig) do(method, target string, body []byte, into any) int {
	r.t.Helper()
	req, err := http.NewRequestWithContext(r.t.Context(), method, r.url+target, bytes.NewReader(body))
	require.NoError(r.t, err)
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := r.client.Do(req)
	require.NoError(r.t, err)
	answer, err := io.ReadAll(resp.Body)
	require.NoError(r.t, err)
	require.NoError(r.t, resp.Body.Close())
	if into != nil {
		require.Equal(r.t, 2, resp.StatusCode/100, "%s: %s", target, answer)
		require.NoError(r.t, json.Unmarshal(answer, into), target)
	}
	return resp.StatusCode
}

// get asks a route for its data.
func get[T any](r *rig, target string) T {
	r.t.Helper()
	var body struct {
		Data T `json:"data"`
	}
	r.do(http.MethodGet, target, nil, &body)
	return body.Data
}

// makeEvent is the n-th event of a test. Its ids follow from n.
func makeEvent(n int, at time.Time) genai.Event {
	var trace pcommon.TraceID
	var span pcommon.SpanID
	binary.BigEndian.PutUint64(trace[8:], uint64(n/3)+1)
	binary.BigEndian.PutUint64(span[:], uint64(n)+1)
	return genai.Event{
		ID: genai.NewEventID(trace, span), TraceID: trace, SpanID: span,
		Start: pcommon.NewTimestampFromTime(at.Add(-time.Second)), End: pcommon.NewTimestampFromTime(at),
		Service: "chat-" + strconv.Itoa(n%3), ResponseModel: "gpt-4", Provider: "openai", Operation: "chat", Conversation: "session/" + strconv.Itoa(n/30),
		Environment: "prod", Tenant: "t", User: "u",
		Present:     genai.FieldInputTokens | genai.FieldOutputTokens | genai.FieldTotalTokens | genai.FieldCost | genai.FieldLatency,
		InputTokens: 100, OutputTokens: 20, TotalTokens: 120, CostUSD: 0.25, LatencyMillis: float64(100 + n%100), Failed: n%10 == 0,
	}
}

func makeAnomaly(n int, e *genai.Event) anomaly.Anomaly {
	return anomaly.Anomaly{
		ID: anomaly.NewID(e.Service, e.Model(), "latency_ms", anomaly.TypeLatencySpike, e.Time(), strconv.Itoa(n)), Time: e.Time(),
		Severity: anomaly.SeverityHigh, Type: anomaly.TypeLatencySpike, Service: e.Service, Model: e.Model(), Method: anomaly.MethodMAD, Confidence: 0.9,
		Details: anomaly.Details{Metric: "latency_ms", Value: 9000, Baseline: 150, Threshold: 300, DeviationSigma: 9},
		Context: anomaly.Context{TraceID: e.TraceID.String(), EventID: e.ID.String(), SampleCount: 64},
	}
}

// engine is a detection engine that expects one thing and remembers what it is
// told.
type engine struct {
	expects store.Baseline
	learned chan store.Feedback
}

func (e *engine) Name() string { return "anomaly/test" }

func (e *engine) Baselines(_ time.Time, yield func(store.Baseline) bool) { yield(e.expects) }

func (e *engine) Learn(f store.Feedback) { e.learned <- f }
