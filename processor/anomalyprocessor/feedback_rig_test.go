package anomalyprocessor

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"

	"github.com/llm-devops/llm-sentinel/internal/anomaly"
	"github.com/llm-devops/llm-sentinel/internal/store"
)

var hostID = component.MustNewIDWithName("llm_storage", "main")

// hostExtension is an extension that hosts engines, in memory.
type hostExtension struct {
	component.StartFunc
	component.ShutdownFunc

	refuse error
	past   []store.Feedback

	mu      sync.Mutex
	engines []store.Engine
}

var _ store.EngineHost = (*hostExtension)(nil)

func (h *hostExtension) RegisterEngine(_ context.Context, e store.Engine) (func(), error) {
	if h.refuse != nil {
		return nil, h.refuse
	}
	for _, f := range h.past {
		e.Learn(f)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.engines = append(h.engines, e)
	return func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.engines = slices.DeleteFunc(h.engines, func(o store.Engine) bool { return o == e })
	}, nil
}

func (h *hostExtension) GiveFeedback(_ context.Context, f store.Feedback) error {
	for _, e := range h.engines {
		e.Learn(f)
	}
	return nil
}

func (h *hostExtension) LiveBaselines(func(string, store.Baseline) bool) {}

func withHost(change func(*Config)) func(*Config) {
	return func(c *Config) {
		c.LLMStorage = &hostID
		if change != nil {
			change(c)
		}
	}
}

// taughtRig is a processor that people can talk to.
func taughtRig(t testing.TB, change func(*Config)) *rig {
	t.Helper()
	return newRigOn(t, testHost{hostID: &hostExtension{}}, withHost(change))
}

// verdictOn is what the API makes of a verdict on an anomaly, given now.
func (r *rig) verdictOn(a *anomaly.Anomaly, v store.Verdict) store.Feedback {
	f := store.Feedback{
		ID: uuid.New(), Time: r.eng.now(), AnomalyID: a.ID, Verdict: v,
		Service: a.Service, Model: a.Model, Type: a.Type, Method: a.Method, Metric: a.Details.Metric,
		Value: a.Details.Value, Baseline: a.Details.Baseline,
	}
	if v == store.VerdictMute {
		f.Until = f.Time.Add(24 * time.Hour)
	}
	return f
}

// say gives a verdict, a second after the last one.
func (r *rig) say(a *anomaly.Anomaly, v store.Verdict) {
	r.t.Helper()
	r.setClock(r.eng.now().Add(time.Second))
	require.NoError(r.t, r.host.GetExtensions()[hostID].(store.EngineHost).GiveFeedback(context.Background(), r.verdictOn(a, v)))
}

// settle sends calm traffic for longer than the cool-down.
func (r *rig) settle(g *traffic) {
	r.t.Helper()
	require.Empty(r.t, marked(r.send(g.calls(60)...)))
}

// lasting makes a call take a time in ms.
func lasting(ms float64) func(*call) { return func(c *call) { c.latencyMS = ms } }
