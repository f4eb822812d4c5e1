package influxdbexporter

import (
	"context"
	"errors"

	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.uber.org/zap"

	"github.com/llm-devops/llm-sentinel/internal/anomaly"
	"github.com/llm-devops/llm-sentinel/internal/genai"
	"github.com/llm-devops/llm-sentinel/internal/influx/line"
)

// payload collects the lines of one request.
type payload struct {
	line.Buffer
	kind  kind
	lines int
	// first is the ordinal of the first span with a line in this payload.
	first int
	// overflow counts lines with replaced tag values, cut those with a text that
	// was shortened.
	overflow, cut int
}

// batch is one push: it walks over the spans, fills two payloads and sends
// each when it is full.
type batch struct {
	ctx       context.Context // of the push, which the batch does not outlive
	exporter  *influxExporter
	target    *target
	telemetry payload
	anomalies payload
	event     genai.Event
	// refused is what the server rejected for good; the walk goes on.
	refused []error
}

func newBatch() *batch {
	return &batch{
		telemetry: payload{kind: kindTelemetry},
		anomalies: payload{kind: kindAnomaly},
	}
}

func (b *batch) begin(ctx context.Context, e *influxExporter) {
	b.ctx, b.exporter, b.target, b.refused = ctx, e, nil, nil
	b.telemetry.reset(nil)
	b.anomalies.reset(nil)
}

// reset empties p and puts rest, the beginning of a further payload, into it.
func (p *payload) reset(rest []byte) {
	p.Reset(rest)
	p.lines, p.overflow, p.cut = 0, 0, 0
}

// run returns nil, a permanent error, or an error with the spans that are to
// be tried again.
func (b *batch) run(td ptrace.Traces) error {
	ordinal, err := b.walk(td)
	return b.finish(td, ordinal, err)
}

// runLogs writes the calls of ld and the anomalies of td, which are those of ld.
func (b *batch) runLogs(ld plog.Logs, td ptrace.Traces) error {
	ordinal, err := b.walkLogs(ld)
	if err == nil {
		ordinal, err = b.walk(td)
	}
	return b.finish(td, ordinal, err)
}

// finish sends what is left, unless there was an error at the span of the given
// ordinal.
func (b *batch) finish(td ptrace.Traces, ordinal int, err error) error {
	defer b.release()
	if err == nil {
		ordinal, err = b.flush()
	}
	if err != nil {
		// The refusals that came first would be lost with the error returned.
		for _, r := range b.refused {
			b.exporter.set.Logger.Error("points refused", zap.Error(r))
		}
		if ordinal == 0 {
			return err
		}
		return consumererror.NewTraces(err, from(td, ordinal))
	}
	return errors.Join(b.refused...)
}

// release forgets what must not outlive the push in the pool.
func (b *batch) release() {
	b.ctx, b.exporter, b.target, b.refused = nil, nil, nil, nil
	b.event = genai.Event{}
}

// walk encodes all spans. On an error it returns the ordinal of the first span
// that is to be sent again.
func (b *batch) walk(td ptrace.Traces) (int, error) {
	ordinal := 0
	for _, rs := range td.ResourceSpans().All() {
		res := b.exporter.extractor.Resource(rs.Resource())
		for _, ss := range rs.ScopeSpans().All() {
			scope := ss.Scope()
			for _, span := range ss.Spans().All() {
				if ok, _ := b.exporter.extractor.FromSpan(&res, scope, span, &b.event); ok {
					if at, err := b.addEvent(ordinal); err != nil {
						return at, err
					}
				}
				for a, err := range anomaly.FromSpan(span) {
					if err != nil {
						b.exporter.drop(b.ctx, kindAnomaly, reasonUndecodable, 1, zap.String("error", printable(err.Error())))
						continue
					}
					if at, err := b.addAnomaly(ordinal, &a); err != nil {
						return at, err
					}
				}
				ordinal++
			}
		}
	}
	return 0, nil
}

// walkLogs encodes the calls that log records tell of. They are sent again
// together, so all have the ordinal of the first span.
func (b *batch) walkLogs(ld plog.Logs) (int, error) {
	x := b.exporter.extractor
	for _, rl := range ld.ResourceLogs().All() {
		res := x.Resource(rl.Resource())
		for _, sl := range rl.ScopeLogs().All() {
			for _, rec := range sl.LogRecords().All() {
				if ok, _ := x.FromLog(&res, sl.Scope(), rec, &b.event); ok {
					if at, err := b.addEvent(0); err != nil {
						return at, err
					}
				}
			}
		}
	}
	return 0, nil
}

func (b *batch) addEvent(ordinal int) (int, error) {
	mark := b.telemetry.Len()
	w := b.exporter.schema.Event(&b.telemetry.Buffer, &b.event)
	return b.added(&b.telemetry, ordinal, mark, w)
}

func (b *batch) addAnomaly(ordinal int, a *anomaly.Anomaly) (int, error) {
	mark := b.anomalies.Len()
	w := b.exporter.schema.Anomaly(&b.anomalies.Buffer, a)
	return b.added(&b.anomalies, ordinal, mark, w)
}

// added accounts for the line that begins at mark and sends the payload when it
// is full.
func (b *batch) added(p *payload, ordinal, mark int, w line.Written) (int, error) {
	if w.Dropped != line.ReasonNone {
		b.exporter.drop(b.ctx, p.kind, reason(w.Dropped), 1)
		return 0, nil
	}
	limit := b.exporter.config.PayloadMaxBytes
	text := p.Bytes()
	if len(text)-mark > limit {
		p.Truncate(mark)
		b.exporter.drop(b.ctx, p.kind, reasonTooLarge, 1)
		return 0, nil
	}
	if len(text) > limit {
		// The line opens the next payload.
		if err := b.send(p, text[:mark]); err != nil {
			return b.earliest(p), err
		}
		p.reset(text[mark:])
	}
	if p.lines == 0 {
		p.first = ordinal
	}
	p.lines++
	if w.Overflow {
		p.overflow++
	}
	if w.Cut {
		p.cut++
	}
	if p.lines < b.exporter.config.PayloadMaxLines {
		return 0, nil
	}
	if err := b.send(p, p.Bytes()); err != nil {
		return b.earliest(p), err
	}
	p.reset(nil)
	return 0, nil
}

// flush sends what is left in both payloads.
func (b *batch) flush() (int, error) {
	for _, p := range []*payload{&b.telemetry, &b.anomalies} {
		if p.lines == 0 {
			continue
		}
		if err := b.send(p, p.Bytes()); err != nil {
			return b.earliest(p), err
		}
		p.reset(nil)
	}
	return 0, nil
}

// earliest is the first span with a line in the payload that failed or in the
// one that is not sent yet.
func (b *batch) earliest(failed *payload) int {
	first := failed.first
	for _, p := range []*payload{&b.telemetry, &b.anomalies} {
		if p.lines > 0 {
			first = min(first, p.first)
		}
	}
	return first
}

// send writes one payload. It returns an error only if that is worth a retry.
func (b *batch) send(p *payload, text []byte) error {
	e := b.exporter
	if e.client.gzip == nil {
		// The transport may read a body even after the answer.
		text = append([]byte(nil), text...)
	}
	o, err := b.write(p.kind, text, p.lines)
	e.account(b.ctx, p.kind, p.lines, o, err)
	switch {
	case err == nil:
		e.observer.overflow(b.ctx, p.kind, p.overflow)
		e.observer.cut(b.ctx, p.kind, p.cut)
	case !consumererror.IsPermanent(err):
		return err
	default:
		b.refused = append(b.refused, err)
	}
	return nil
}

func (b *batch) write(k kind, text []byte, lines int) (outcome, error) {
	if b.target == nil {
		t, err := b.exporter.client.target(b.ctx)
		if err != nil {
			return outcome{}, err
		}
		b.target = t
	}
	to := b.target.telemetry
	if k == kindAnomaly {
		to = b.target.anomaly
	}
	return b.exporter.client.write(b.ctx, b.target, to, text, lines)
}

// from copies td without the first n spans.
func from(td ptrace.Traces, n int) ptrace.Traces {
	rest := ptrace.NewTraces()
	td.CopyTo(rest)
	ordinal := 0
	rest.ResourceSpans().RemoveIf(func(rs ptrace.ResourceSpans) bool {
		rs.ScopeSpans().RemoveIf(func(ss ptrace.ScopeSpans) bool {
			ss.Spans().RemoveIf(func(ptrace.Span) bool {
				ordinal++
				return ordinal <= n
			})
			return ss.Spans().Len() == 0
		})
		return rs.ScopeSpans().Len() == 0
	})
	return rest
}
