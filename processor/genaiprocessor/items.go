package genaiprocessor

import (
	"context"

	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/llm-devops/llm-sentinel/internal/genai"
	"github.com/llm-devops/llm-sentinel/internal/genai/ledger"
)

// processTraces reads all spans of a message before it decides on any, so that
// their order within it does not matter.
func (e *engine) processTraces(ctx context.Context, td ptrace.Traces) (ptrace.Traces, error) {
	b := e.take()
	defer e.give(b)
	var ev genai.Event
	for _, rs := range td.ResourceSpans().All() {
		resource := e.extractor.Resource(rs.Resource())
		for _, ss := range rs.ScopeSpans().All() {
			scope := ss.Scope()
			for _, span := range ss.Spans().All() {
				signals, problems := e.extractor.Read(&resource, scope, span, &ev)
				if signals&genai.SignalCall != 0 {
					e.problems(ctx, problems)
					b.call(item{attrs: span.Attributes(), span: span}, &ev, ledger.Span)
					continue
				}
				// Marks travel through all spans that have something above them.
				if span.TraceID().IsEmpty() || span.SpanID().IsEmpty() || span.ParentSpanID().IsEmpty() {
					continue
				}
				b.entries = append(b.entries, ledger.Entry{})
				b.entries[len(b.entries)-1].SetSpan(span, signals&genai.SignalTool != 0)
			}
		}
	}
	e.decide(ctx, b)
	return td, nil
}

// processLogs is processTraces for log records that tell of calls.
func (e *engine) processLogs(ctx context.Context, ld plog.Logs) (plog.Logs, error) {
	b := e.take()
	defer e.give(b)
	var ev genai.Event
	for _, rl := range ld.ResourceLogs().All() { // no record is added before all are read
		var resource genai.Resource
		known := false
		for _, sl := range rl.ScopeLogs().All() {
			for _, record := range sl.LogRecords().All() {
				if e.extractor.LogCall(record) == "" {
					continue
				}
				if !known {
					resource, known = e.extractor.Resource(rl.Resource()), true
				}
				if is, problems := e.extractor.FromLog(&resource, sl.Scope(), record, &ev); is {
					e.problems(ctx, problems)
					b.call(item{attrs: record.Attributes(), log: true, record: record, records: sl.LogRecords()}, &ev, ledger.SourceOfLog(&ev))
				}
			}
		}
	}
	e.decide(ctx, b)
	return ld, nil
}
