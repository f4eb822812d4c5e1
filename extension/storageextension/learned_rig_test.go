package storageextension

import (
	"context"
	"errors"
	"iter"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/llm-devops/llm-sentinel/internal/anomaly"
	"github.com/llm-devops/llm-sentinel/internal/store"
)

// memory is a backend that keeps what engines and people say. Events are
// nobody's concern here.
type memory struct {
	store.Backend
	caps store.Capabilities

	mu        sync.Mutex
	failing   error
	writes    int
	baselines []store.Baseline
	feedback  []store.Feedback
	// gate, when set, holds writes of baselines until it is closed or the caller
	// gives up.
	gate chan struct{}
}

func newMemory() *memory {
	return &memory{caps: store.Capabilities{Write: true, Baselines: true, Feedback: true}}
}

func (m *memory) Capabilities() store.Capabilities { return m.caps }
func (m *memory) Close(context.Context) error      { return nil }

func (m *memory) fail(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.failing = err
}

func (m *memory) error() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.failing
}

func (m *memory) WriteAnomalies(context.Context, []anomaly.Anomaly) error { return m.error() }

func (m *memory) WriteBaselines(ctx context.Context, batch []store.Baseline) error {
	if m.gate != nil {
		select {
		case <-m.gate:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.failing != nil {
		return m.failing
	}
	m.writes++
	m.baselines = append(m.baselines, batch...)
	return nil
}

// take returns what was written since the last call.
func (m *memory) take() []store.Baseline {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := m.baselines
	m.baselines, m.writes = nil, 0
	return out
}

func (m *memory) Baselines(context.Context, store.BaselineQuery) iter.Seq2[store.Baseline, error] {
	return func(yield func(store.Baseline, error) bool) {
		for _, b := range slices.Clone(m.baselines) {
			if !yield(b, nil) {
				return
			}
		}
	}
}

func (m *memory) WriteFeedback(_ context.Context, f store.Feedback) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.failing != nil {
		return m.failing
	}
	m.feedback = append(m.feedback, f)
	return nil
}

func (m *memory) Feedback(_ context.Context, q store.FeedbackQuery) iter.Seq2[store.Feedback, error] {
	return func(yield func(store.Feedback, error) bool) {
		m.mu.Lock()
		list, err := slices.Clone(m.feedback), m.failing
		m.mu.Unlock()
		if err != nil {
			yield(store.Feedback{}, err)
			return
		}
		for _, f := range list {
			if !f.Time.Before(q.Start) && !yield(f, nil) {
				return
			}
		}
	}
}

// pupil is an engine of which the test says what it expects.
type pupil struct {
	name string

	mu      sync.Mutex
	series  []store.Baseline
	asked   []time.Time
	learned []store.Feedback
}

func (p *pupil) Name() string { return p.name }

// knows sets the baselines: of series s0, s1 … with two metrics each, as of at.
func (p *pupil) knows(n int, at time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.series = nil
	for i := range n {
		for _, metric := range []string{"latency_ms", "cost_usd"} {
			p.series = append(p.series, store.Baseline{Time: at, Service: "s" + strconv.Itoa(i), Model: "m", Metric: metric, Samples: 64, Expected: 2, Lower: 1, Upper: 4})
		}
	}
}

func (p *pupil) Baselines(since time.Time, yield func(store.Baseline) bool) {
	p.mu.Lock()
	p.asked = append(p.asked, since)
	list := slices.Clone(p.series)
	p.mu.Unlock()
	for _, b := range list {
		if !b.Time.Before(since) && !yield(b) {
			return
		}
	}
}

func (p *pupil) Learn(f store.Feedback) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.learned = append(p.learned, f)
}

func (p *pupil) lessons() []store.Feedback {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.learned)
}

// school is a started extension with a backend in memory.
type school struct {
	*storageExtension
	backend *memory
	host    *statusHost
	tel     *componenttest.Telemetry
}

func newSchool(t *testing.T, change func(*Config, *memory)) *school {
	t.Helper()
	s := &school{backend: newMemory(), host: &statusHost{Host: componenttest.NewNopHost()}, tel: componenttest.NewTelemetry()}
	cfg := createDefaultConfig().(*Config)
	if change != nil {
		change(cfg, s.backend)
	}
	before := backends
	backends = []backend{{name: "memory", configured: func(*Config) bool { return true }, open: func(context.Context, *Config, environment) (store.Backend, error) {
		return s.backend, nil
	}}}
	defer func() { backends = before }()
	s.storageExtension = create1(t, cfg, s.tel.NewTelemetrySettings())
	require.NoError(t, s.Start(t.Context(), s.host))
	return s
}

func (s *school) stop(t *testing.T) {
	t.Helper()
	require.NoError(t, s.Shutdown(context.Background()))
	require.NoError(t, s.tel.Shutdown(context.Background()))
}

func (s *school) enrol(t *testing.T, p *pupil) (leave func()) {
	t.Helper()
	leave, err := s.RegisterEngine(t.Context(), p)
	require.NoError(t, err)
	return leave
}

// sum adds up the points of a counter or gauge with the given type, any if "".
func (s *school) sum(t *testing.T, name, typ string) (n int64) {
	t.Helper()
	m, err := s.tel.GetMetric("sentinel_" + name)
	if err != nil {
		return 0
	}
	var points []metricdata.DataPoint[int64]
	switch d := m.Data.(type) {
	case metricdata.Sum[int64]:
		points = d.DataPoints
	case metricdata.Gauge[int64]:
		points = d.DataPoints
	}
	for _, p := range points {
		if v, _ := p.Attributes.Value(attribute.Key("type")); typ == "" || v.AsString() == typ {
			n += p.Value
		}
	}
	return n
}

func verdict(v store.Verdict, at time.Time) store.Feedback {
	f := store.Feedback{
		ID: uuid.New(), Time: at, AnomalyID: uuid.New(), Verdict: v, Service: "s0", Model: "m",
		Type: anomaly.TypeLatencySpike, Method: anomaly.MethodMAD, Metric: "latency_ms", Value: 900, Baseline: 100,
	}
	if v == store.VerdictMute {
		f.Until = at.Add(time.Hour)
	}
	return f
}

var errDisk = errors.New("disk on fire")

var (
	_ store.Engine        = (*pupil)(nil)
	_ component.Host      = (*statusHost)(nil)
	_ store.BaselineStore = (*memory)(nil)
	_ store.FeedbackStore = (*memory)(nil)
)
