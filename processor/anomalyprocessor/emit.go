package anomalyprocessor

import (
	"context"
	"math"
	"time"

	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.uber.org/zap"

	"github.com/llm-devops/llm-sentinel/internal/anomaly"
	"github.com/llm-devops/llm-sentinel/internal/genai"
	"github.com/llm-devops/llm-sentinel/internal/series"
)

// scopeName is the instrumentation scope of spans that the processor makes.
const scopeName = "github.com/llm-devops/llm-sentinel/processor/anomalyprocessor"

// passInterval is the time between two passes.
const passInterval = 5 * time.Second

// newAnomaly makes an anomaly of a finding. item is the id of the call that
// showed it, empty when none did.
func newAnomaly(key *series.Key, model, item string, at int64, f *finding) anomaly.Anomaly {
	if f.at != 0 {
		at = f.at
	}
	onset := f.onset
	if onset == 0 {
		onset = at
	}
	begin := time.Unix(0, onset).UTC()
	a := anomaly.Anomaly{
		ID:         anomaly.NewID(key.Service, model, f.metric, f.typ, begin, item),
		Time:       time.Unix(0, at).UTC(),
		Severity:   f.severity,
		Type:       f.typ,
		Service:    key.Service,
		Model:      model,
		Method:     f.method,
		Confidence: f.confidence,
		Details: anomaly.Details{
			Metric: f.metric, Value: f.value, Baseline: f.baseline, Threshold: f.threshold, DeviationSigma: f.sigma,
			Methods: []anomaly.Method{f.method}, Additional: f.detail,
		},
		Context: anomaly.Context{
			EventID: item, TimeWindow: f.window, SampleCount: f.samples,
			Additional: map[string]string{contextOnset: begin.Format(time.RFC3339Nano)},
		},
		RootCause:   f.cause,
		Remediation: f.remediation,
	}
	for k, v := range f.context {
		a.Context.Additional[k] = v
	}
	if math.IsInf(a.Details.DeviationSigma, 0) {
		a.Details.DeviationSigma = math.NaN()
	}
	return a
}

// attach makes next a place for what the engine makes itself: spans go into the
// first pipeline of traces that started, and log records into the first one of
// logs, when there is none of traces.
func (e *engine) attach(next outlet) (detach func()) {
	e.outMu.Lock()
	defer e.outMu.Unlock()
	o := &next
	e.outlets = append(e.outlets, o)
	return func() {
		e.outMu.Lock()
		defer e.outMu.Unlock()
		for i := range e.outlets {
			if e.outlets[i] == o {
				e.outlets = append(e.outlets[:i:i], e.outlets[i+1:]...)
				return
			}
		}
	}
}

// outlet is what stands behind a pipeline's instance: one of the two.
type outlet struct {
	traces consumer.Traces
	logs   consumer.Logs
}

// emit sends findings that belong to no call, each as a span of its own from
// onset to the time at which it was seen, under the service that it is about.
// A pipeline that refuses them is told of once more by its own metrics; here
// they are counted and logged.
func (e *engine) emit(ctx context.Context, found []windowFinding) {
	td := ptrace.NewTraces()
	n := 0
	for i := range found {
		f := &found[i]
		if f.severity < e.cfg.MinSeverity {
			e.tel.builder.AnomaliesSuppressedTotal.Add(ctx, 1, e.tel.suppressed[suppressMinSeverity]...)
			continue
		}
		a := newAnomaly(&f.key, f.key.Model, "", e.now().UnixNano(), &f.finding)
		appendSpan(td, &a, f.onset)
		e.tel.found(ctx, &f.finding)
		n++
	}
	if n == 0 {
		return
	}
	if err := e.outlet().consume(ctx, td); err != nil {
		e.log.Error("anomalies without a call were refused by the next component", zap.Error(err), zap.Int("anomalies", n))
	}
}

// outlet is where the engine's own telemetry goes.
func (e *engine) outlet() outlet {
	e.outMu.Lock()
	defer e.outMu.Unlock()
	var out outlet
	for _, o := range e.outlets {
		if o.traces != nil {
			return *o
		}
		if out.logs == nil {
			out = *o
		}
	}
	return out
}

// consume sends the spans of anomalies, or the same as log records.
func (o outlet) consume(ctx context.Context, td ptrace.Traces) error {
	switch {
	case o.traces != nil:
		return o.traces.ConsumeTraces(ctx, td)
	case o.logs != nil:
		return o.logs.ConsumeLogs(ctx, anomaly.TracesAsLogs(td))
	}
	return nil
}

// appendSpan adds a span that carries a. Its ids follow from that of the
// anomaly, so that a replay gives the same span.
func appendSpan(td ptrace.Traces, a *anomaly.Anomaly, onset int64) {
	rs := td.ResourceSpans().AppendEmpty()
	rs.Resource().Attributes().PutStr(genai.AttrServiceName, a.Service)
	ss := rs.ScopeSpans().AppendEmpty()
	ss.Scope().SetName(scopeName)
	span := ss.Spans().AppendEmpty()
	span.SetName(anomaly.EventName + " " + string(a.Type))
	span.SetKind(ptrace.SpanKindInternal)
	span.SetTraceID(pcommon.TraceID(a.ID))
	span.SetSpanID(pcommon.SpanID(a.ID[8:]))
	end := pcommon.NewTimestampFromTime(a.Time)
	start := end
	if onset != 0 && pcommon.Timestamp(onset) < end {
		start = pcommon.Timestamp(onset)
	}
	span.SetStartTimestamp(start)
	span.SetEndTimestamp(end)
	anomaly.MarkSpan(span, []anomaly.Anomaly{*a})
}
