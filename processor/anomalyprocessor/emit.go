package anomalyprocessor

import (
	"context"
	"math"
	"time"

	"github.com/google/uuid"
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

// windowFinding is what a pass has found: an anomaly that no call shows, or the
// end of one.
type windowFinding struct {
	key series.Key
	finding
	anomaly anomaly.Anomaly
	end     *anomaly.Resolution
}

// windowFinding describes what a rule has found in a pass. It runs while ent
// is locked. news is false when there is nothing to send.
func (e *engine) windowFinding(ctx context.Context, key series.Key, ent *entry, f *finding, now time.Time) (out windowFinding, news bool) {
	if f.ended != "" {
		end, ok := e.endFinding(ctx, ent, &key, f, now.UnixNano())
		return windowFinding{key: key, finding: *f, end: &end}, ok
	}
	if e.heedWindow(ctx, ent, &key, f, now) {
		return out, false
	}
	if f.severity < e.cfg.MinSeverity {
		e.tel.builder.AnomaliesSuppressedTotal.Add(ctx, 1, e.tel.suppressed[suppressMinSeverity]...)
		return out, false
	}
	out = windowFinding{key: key, finding: *f, anomaly: newAnomaly(&key, key.Model, "", now.UnixNano(), f)}
	e.note(ctx, ent, ruleJudge, &out.anomaly, f.onset, out.anomaly.Time.UnixNano(), "")
	e.rememberFinding(out.anomaly.ID, f)
	e.tel.found(ctx, f)
	return out, true
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
		if f.end != nil {
			appendEndSpan(td, f.end)
		} else {
			appendSpan(td, &f.anomaly, f.onset)
		}
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
	span := newSpan(td, a.Service, anomaly.EventName+" "+string(a.Type), a.ID)
	end := pcommon.NewTimestampFromTime(a.Time)
	start := end
	if onset != 0 && pcommon.Timestamp(onset) < end {
		start = pcommon.Timestamp(onset)
	}
	span.SetStartTimestamp(start)
	span.SetEndTimestamp(end)
	anomaly.MarkSpan(span, []anomaly.Anomaly{*a})
}

// appendEndSpan adds a span for the end of an anomaly, in the trace of the span
// that carries it.
func appendEndSpan(td ptrace.Traces, r *anomaly.Resolution) {
	span := newSpan(td, r.Service, anomaly.ResolvedEventName+" "+string(r.Type), r.IDs[0])
	id := anomaly.NewID(r.Service, r.Model, r.Metric, r.Type, r.End, anomaly.ResolvedEventName)
	span.SetSpanID(pcommon.SpanID(id[8:]))
	span.SetParentSpanID(pcommon.SpanID(r.IDs[0][8:]))
	span.SetStartTimestamp(pcommon.NewTimestampFromTime(r.End))
	span.SetEndTimestamp(pcommon.NewTimestampFromTime(r.End))
	anomaly.MarkResolved(span, []anomaly.Resolution{*r})
}

// newSpan adds a span of the service with the ids of an anomaly.
func newSpan(td ptrace.Traces, service, name string, id uuid.UUID) ptrace.Span {
	rs := td.ResourceSpans().AppendEmpty()
	rs.Resource().Attributes().PutStr(genai.AttrServiceName, service)
	ss := rs.ScopeSpans().AppendEmpty()
	ss.Scope().SetName(scopeName)
	span := ss.Spans().AppendEmpty()
	span.SetName(name)
	span.SetKind(ptrace.SpanKindInternal)
	span.SetTraceID(pcommon.TraceID(id))
	span.SetSpanID(pcommon.SpanID(id[8:]))
	return span
}
