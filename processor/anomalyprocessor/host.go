package anomalyprocessor

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.uber.org/zap"

	"github.com/llm-devops/llm-sentinel/internal/feedback"
	"github.com/llm-devops/llm-sentinel/internal/series"
	"github.com/llm-devops/llm-sentinel/internal/store"
)

var (
	errNoHost     = errors.New("llm_storage extension not found")
	errNoHostKind = errors.New("extension hosts no detection engines")
)

var _ store.Engine = (*engine)(nil)

// register makes the engine known to the storage extension that keeps what it
// expects and hands on what people say about its findings.
func (e *engine) register(ctx context.Context, host component.Host) error {
	if e.cfg.LLMStorage == nil {
		return nil
	}
	id := *e.cfg.LLMStorage
	ext, ok := host.GetExtensions()[id]
	if !ok {
		return fmt.Errorf("llm_storage: %w: %q is not among service::extensions", errNoHost, id)
	}
	h, ok := ext.(store.EngineHost)
	if !ok {
		return fmt.Errorf("llm_storage: %w: %q", errNoHostKind, id)
	}
	unregister, err := h.RegisterEngine(ctx, e)
	if err != nil {
		return fmt.Errorf("llm_storage: register with %q: %w", id, err)
	}
	e.unregister = unregister
	return nil
}

// leave ends the registration, if there is one.
func (e *engine) leave() {
	if e.unregister != nil {
		e.unregister()
		e.unregister = nil
	}
}

// Name implements [store.Engine].
func (e *engine) Name() string { return e.id.String() }

// Baselines implements [store.Engine]. The names of the series are collected
// first; then each is locked for itself, for some microseconds.
func (e *engine) Baselines(since time.Time, yield func(store.Baseline) bool) {
	after := int64(math.MinInt64)
	if !since.IsZero() {
		after = since.UnixNano()
	}
	keys := make([]series.Key, 0, e.table.Len())
	e.table.Range(func(k series.Key, _ int64, ent *entry) bool {
		if ent.newest != 0 && ent.newest >= after {
			keys = append(keys, k)
		}
		return true
	})
	now := e.now()
	var out [len(metrics)]store.Baseline
	for i := range keys {
		for _, b := range out[:e.expect(&keys[i], now, &out)] {
			if !yield(b) {
				return
			}
		}
	}
}

// expect fills out with the baselines of a series and returns their number, 0
// when the series is gone.
func (e *engine) expect(key *series.Key, now time.Time, out *[len(metrics)]store.Baseline) (n int) {
	ref, ok := e.table.Find(*key)
	if !ok {
		return 0
	}
	defer ref.Release()
	ent := ref.Value
	for i := range e.judges {
		st := ent.states[i]
		if st == nil {
			continue
		}
		m := e.judges[i].metric
		expected, lower, upper, ok := e.judges[i].model.Band(st)
		if !ok {
			continue
		}
		b := store.Baseline{
			Time: time.Unix(0, ent.newest).UTC(), Service: key.Service, Model: key.Model, Metric: m.name,
			Samples: int64(st.Samples()), Expected: m.tidy(expected),
		}
		lower, upper = e.tolerant(key, m, expected, lower, upper, now)
		// No metric can be negative; the log scale has an offset that can.
		b.Lower, b.Upper = max(0, m.tidy(lower)), min(upper, math.MaxFloat64)
		out[n] = b
		n++
	}
	return n
}

// tolerant widens the limits of a single call by what people called false.
func (e *engine) tolerant(key *series.Key, m *metricRow, expected, lower, upper float64, now time.Time) (lo, hi float64) {
	if e.taught.Len() == 0 {
		return lower, upper
	}
	f := feedback.Finding{
		Subject: feedback.Subject{Service: key.Service, Model: key.Model, Type: m.typ},
		Metric:  m.name, Class: feedback.ClassCall,
	}
	base := expected + m.logOffset
	if t := e.taught.Tolerance(&f, 1, now); t > 0 {
		upper = max(upper, base*math.Exp(t)-m.logOffset)
	}
	if t := e.taught.Tolerance(&f, -1, now); t > 0 {
		lower = min(lower, base*math.Exp(-t)-m.logOffset)
	}
	return lower, upper
}

// Learn implements [store.Engine].
func (e *engine) Learn(f store.Feedback) {
	if feedback.TooLong(&f) {
		e.log.Warn("nothing is learned from feedback about a series with such long names", zap.Stringer("feedback", f.ID), zap.Int("limit_bytes", feedback.MaxName))
		return
	}
	class, deviation, ok := e.recent.Find(f.AnomalyID)
	if !ok {
		class, deviation = feedback.ClassOf(f.Method), feedback.Deviation(f.Value, f.Baseline, offsetOf(f.Metric))
	}
	if e.taught.Learn(&f, class, deviation, e.now()) {
		e.tel.builder.FeedbackTotal.Add(context.Background(), 1, labels("verdict", string(f.Verdict))...)
	}
}
