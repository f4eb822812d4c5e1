package anomalyprocessor

import (
	"context"
	"encoding/binary"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/processor"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/llm-devops/llm-sentinel/internal/anomaly"
	"github.com/llm-devops/llm-sentinel/internal/genai"
	"github.com/llm-devops/llm-sentinel/processor/anomalyprocessor/internal/metadata"
)

// epoch is the event time at which the traffic of the tests begins.
var epoch = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// rig is a processor with what stands before and behind it.
type rig struct {
	t    testing.TB
	cfg  *Config
	proc processor.Traces
	sink *consumertest.TracesSink
	tel  *componenttest.Telemetry
	eng  *engine
	host component.Host
}

// newRig builds and starts a processor. Its clock stands a day after epoch, so
// that the traffic is a replay.
func newRig(t testing.TB, change func(*Config)) *rig {
	t.Helper()
	return newRigOn(t, componenttest.NewNopHost(), change)
}

func newRigOn(t testing.TB, host component.Host, change func(*Config)) *rig {
	t.Helper()
	r := buildRig(t, change)
	r.host = host
	require.NoError(t, r.proc.Start(context.Background(), host))
	t.Cleanup(r.stop)
	return r
}

func buildRig(t testing.TB, change func(*Config)) *rig {
	t.Helper()
	r := &rig{t: t, cfg: createDefaultConfig().(*Config), sink: &consumertest.TracesSink{}, tel: componenttest.NewTelemetry()}
	if change != nil {
		change(r.cfg)
	}
	require.NoError(t, r.cfg.Validate())
	f := &factory{}
	set := processor.Settings{ID: component.NewID(metadata.Type), TelemetrySettings: r.tel.NewTelemetrySettings(), BuildInfo: component.NewDefaultBuildInfo()}
	var err error
	r.proc, err = f.createTraces(context.Background(), set, r.cfg, r.sink)
	require.NoError(t, err)
	r.eng, _ = f.engines.Find(r.cfg)
	require.NotNil(t, r.eng)
	r.setClock(epoch.Add(24 * time.Hour))
	return r
}

func (r *rig) setClock(now time.Time) { r.eng.now = func() time.Time { return now } }

func (r *rig) stop() {
	require.NoError(r.t, r.proc.Shutdown(context.Background()))
	require.NoError(r.t, r.tel.Shutdown(context.Background()))
}

// send passes the calls through in one batch and returns what each span that
// came out carries.
func (r *rig) send(calls ...call) [][]anomaly.Anomaly {
	r.t.Helper()
	return r.sendTraces(traces(calls...))
}

// sendEach passes each call through in a batch of its own.
func (r *rig) sendEach(calls []call) (found [][]anomaly.Anomaly) {
	r.t.Helper()
	for i := range calls {
		found = append(found, r.send(calls[i])...)
	}
	return found
}

func (r *rig) sendTraces(td ptrace.Traces) (found [][]anomaly.Anomaly) {
	r.t.Helper()
	r.sink.Reset()
	require.NoError(r.t, r.proc.ConsumeTraces(context.Background(), td))
	for _, out := range r.sink.AllTraces() {
		for span := range spans(out) {
			var list []anomaly.Anomaly
			for a, err := range anomaly.FromSpan(span) {
				require.NoError(r.t, err)
				list = append(list, a)
			}
			found = append(found, list)
		}
	}
	return found
}

// counter reads a counter or gauge; pairs select the data point.
func (r *rig) counter(name string, pairs ...string) int64 {
	r.t.Helper()
	m, err := r.tel.GetMetric("sentinel_" + name)
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
	var sum int64
	for _, p := range points {
		match := true
		for i := 0; i < len(pairs); i += 2 {
			v, ok := p.Attributes.Value(attribute.Key(pairs[i]))
			match = match && ok && v.AsString() == pairs[i+1]
		}
		if match {
			sum += p.Value
		}
	}
	return sum
}

func spans(td ptrace.Traces) func(func(ptrace.Span) bool) {
	return func(yield func(ptrace.Span) bool) {
		for _, rs := range td.ResourceSpans().All() {
			for _, ss := range rs.ScopeSpans().All() {
				for _, s := range ss.Spans().All() {
					if !yield(s) {
						return
					}
				}
			}
		}
	}
}

// call is an LLM call as it is sent. A negative number is left out.
type call struct {
	id             uint64
	service, model string
	end            time.Time
	latencyMS      float64
	ttftMS         float64
	input, output  int64
	cost           float64
	failed         bool
	change         func(ptrace.Span)
}

// traces puts the calls into one batch, one resource for each service.
func traces(calls ...call) ptrace.Traces {
	td := ptrace.NewTraces()
	byService := map[string]ptrace.SpanSlice{}
	for i := range calls {
		c := &calls[i]
		list, ok := byService[c.service]
		if !ok {
			rs := td.ResourceSpans().AppendEmpty()
			rs.Resource().Attributes().PutStr(genai.AttrServiceName, c.service)
			rs.Resource().Attributes().PutStr(genai.AttrCloudRegion, "eu-west-1")
			list = rs.ScopeSpans().AppendEmpty().Spans()
			byService[c.service] = list
		}
		c.fill(list.AppendEmpty())
	}
	return td
}

func (c *call) fill(s ptrace.Span) {
	s.SetName("chat " + c.model)
	s.SetKind(ptrace.SpanKindClient)
	var trace pcommon.TraceID
	var span pcommon.SpanID
	binary.BigEndian.PutUint64(trace[:], 7)
	binary.BigEndian.PutUint64(trace[8:], c.id)
	binary.BigEndian.PutUint64(span[:], c.id)
	s.SetTraceID(trace)
	s.SetSpanID(span)
	s.SetEndTimestamp(pcommon.NewTimestampFromTime(c.end))
	s.SetStartTimestamp(pcommon.NewTimestampFromTime(c.end.Add(-time.Duration(c.latencyMS * float64(time.Millisecond)))))
	a := s.Attributes()
	a.PutStr(genai.AttrOperationName, genai.OperationChat)
	a.PutStr(genai.AttrProviderName, "openai")
	a.PutStr(genai.AttrRequestModel, c.model)
	a.PutStr(genai.AttrUserID, "u1")
	if c.ttftMS >= 0 {
		a.PutDouble(genai.AttrTimeToFirstChunk, c.ttftMS/1000)
	}
	if c.input >= 0 {
		a.PutInt(genai.AttrUsageInputTokens, c.input)
	}
	if c.output >= 0 {
		a.PutInt(genai.AttrUsageOutputTokens, c.output)
	}
	if c.cost >= 0 {
		a.PutDouble(genai.AttrUsageCost, c.cost)
	}
	if c.failed {
		s.Status().SetCode(ptrace.StatusCodeError)
	}
	if c.change != nil {
		c.change(s)
	}
}

// traffic makes realistic calls of one service and model: log-normal noise,
// one call each ten seconds. The same seed gives the same calls.
type traffic struct {
	rng            *rand.Rand
	service, model string
	next           uint64
	at             time.Time
	step           time.Duration
}

func newTraffic(seed uint64) *traffic {
	return &traffic{rng: rand.New(rand.NewPCG(seed, seed)), service: "chat-api", model: "gpt-4", next: seed << 32, at: epoch, step: 10 * time.Second}
}

func (g *traffic) call() call {
	g.next++
	g.at = g.at.Add(g.step)
	noise := func(median, sigma float64) float64 { return median * math.Exp(sigma*g.rng.NormFloat64()) }
	c := call{id: g.next, service: g.service, model: g.model, end: g.at}
	c.latencyMS, c.ttftMS = noise(800, .2), noise(200, .2)
	c.input, c.output = int64(noise(400, .2)), int64(noise(250, .2))
	c.cost = float64(c.input)*3e-5 + float64(c.output)*6e-5
	return c
}

func (g *traffic) calls(n int) []call {
	out := make([]call, 0, n)
	for range n {
		out = append(out, g.call())
	}
	return out
}

// with returns the next call after change.
func (g *traffic) with(change func(*call)) call {
	c := g.call()
	change(&c)
	return c
}

// marked lists all anomalies in order.
func marked(found [][]anomaly.Anomaly) []anomaly.Anomaly { return slices.Concat(found...) }

// metricsOf lists the metrics of the anomalies of one span.
func metricsOf(found []anomaly.Anomaly) []string {
	out := []string{}
	for i := range found {
		out = append(out, found[i].Details.Metric)
	}
	return out
}
