package anomalyprocessor

import (
	"context"
	"encoding/binary"
	"hash/fnv"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/llm-devops/llm-sentinel/internal/anomaly"
	"github.com/llm-devops/llm-sentinel/internal/genai"
	"github.com/llm-devops/llm-sentinel/internal/series"
)

// itemRule is a rule that also judges items that are no LLM call: the span of
// an evaluator or a guard, or a log record. Those may come long after the call
// that they are about, so that none is late.
type itemRule interface {
	rule
	// item judges b.marks at event time b.at.
	item(b *batch, st ruleState, found []finding) []finding
}

// other judges a span that is no LLM call but carries signals.
func (b *batch) other(ctx context.Context, from origin, resource *genai.Resource, signals genai.Signal) {
	b.event = &b.item
	b.item = genai.Event{
		TraceID: from.span.TraceID(), SpanID: from.span.SpanID(), ParentSpanID: from.span.ParentSpanID(),
		Start: from.span.StartTimestamp(), End: from.span.EndTimestamp(), Service: resource.Service,
	}
	b.event.ID = genai.NewEventID(b.event.TraceID, b.event.SpanID)
	b.delivery = delivery{b.event.TraceID, b.event.SpanID}
	b.found = b.found[:0]
	b.counts.items++
	look := signals&genai.SignalTool != 0 && b.conversations != nil && b.tool(from)
	b.marks.Clear()
	if signals&genai.SignalMarks != 0 {
		genai.ReadMarks(from.span, &b.marks)
	}
	if look || !b.marks.Empty() {
		b.judgeItem(ctx, from)
	}
}

// judgeItem shows the marks of the item b.event to the rules of its series, and
// marks the item with what they find and what was found before.
func (b *batch) judgeItem(ctx context.Context, from origin) {
	ev := b.event
	if m := &b.marks; !m.Empty() {
		ev.User, ev.ResponseID = m.User, m.ResponseID
		if m.Model != "" {
			ev.ResponseModel = m.Model
		}
		if m.Conversation != "" {
			ev.Conversation = m.Conversation
		}
	}
	b.model = ev.Model()
	ref := b.table.Acquire(series.Key{Service: ev.Service, Model: b.model}, b.now.UnixNano())
	defer ref.Release()
	ent := ref.Value
	if found, again := b.repeated(ent); again {
		from.mark(found, b.resolved)
		return
	}
	b.ended = b.ended[:0]
	b.countProblems()
	b.at = b.eventTime(ent)
	if !b.marks.Empty() {
		for i, r := range b.rules {
			r, ok := r.(itemRule)
			if !ok {
				continue
			}
			if ent.rules[i] == nil {
				ent.rules[i] = r.newState()
			}
			b.found = r.item(b, ent.rules[i], b.found)
		}
	}
	if len(b.found) > 0 {
		found := b.tell(ctx, from, ent, &ref.Key, outcome{})
		from.mark(found, b.resolved)
	}
}

// countProblems counts what was wrong with the marks.
func (b *batch) countProblems() {
	for p := b.marks.Problems; p != 0; p &= p - 1 {
		b.counts.skipped[p.Index()]++
	}
}

// mark writes anomalies, and ends of earlier ones, onto the span, or beside the
// log record.
func (o origin) mark(found []anomaly.Anomaly, ended []anomaly.Resolution) {
	if o.log != nil {
		anomaly.MarkLog(o.log.records, o.log.record, found)
		anomaly.MarkResolvedLog(o.log.records, o.log.record, ended)
		return
	}
	anomaly.MarkSpan(o.span, found)
	anomaly.MarkResolved(o.span, ended)
}

// Names of log records whose attributes are judged; see genai.Marks.
var judgedEvents = map[string]bool{
	genai.EventEvaluationResult:    true,
	"gen_ai.guardrail.result":      true,
	"gen_ai.agent.threat_detected": true,
}

// attrEventName is where the name of an event stood before log records had a
// field for it.
const attrEventName = "event.name"

// processLogs judges the calls, and the results of evaluators and guards, in ld.
// It adds log records for what it finds and changes no others than those that it
// is about.
func (e *engine) processLogs(ctx context.Context, ld plog.Logs) (plog.Logs, error) {
	b := e.batches.Get().(*batch)
	b.now = e.now()
	b.counts = counts{}
	for _, rl := range ld.ResourceLogs().All() {
		var resource *genai.Resource
		for _, sl := range rl.ScopeLogs().All() {
			records := sl.LogRecords()
			for k := range records.Len() { // without those that are added
				record := records.At(k)
				call := e.details.LogCall(record) != ""
				if !call && !judgedEvents[eventName(record)] {
					continue
				}
				if resource == nil {
					r := e.details.Resource(rl.Resource())
					resource = &r
				}
				from := origin{resource: rl.Resource(), scope: sl.Scope(), log: &logItem{record, records}}
				if call {
					b.logCall(ctx, from, resource)
				} else {
					b.log(ctx, from, resource)
				}
			}
		}
	}
	if b.counts.processed+b.counts.items > 0 {
		e.tel.record(ctx, &b.counts, e.now().Sub(b.now))
	}
	b.forget()
	e.batches.Put(b)
	return ld, nil
}

func eventName(record plog.LogRecord) string {
	if n := record.EventName(); n != "" {
		return n
	}
	if v, ok := record.Attributes().Get(attrEventName); ok {
		return v.Str()
	}
	return ""
}

// logCall judges the call that a log record tells of, if it does. Its prompts are
// not compared with others.
func (b *batch) logCall(ctx context.Context, from origin, resource *genai.Resource) {
	r := &b.ahead[0]
	var isCall bool
	if isCall, r.problems = b.details.FromLog(resource, from.scope, from.log.record, &r.event); !isCall {
		return
	}
	r.from.set(&from)
	r.signals = genai.SignalCall
	from.readMarks(&b.marks)
	if !b.marks.Empty() {
		r.signals |= genai.SignalMarks
	}
	b.queued = 1
	b.judgeQueued(ctx)
}

// deliveryOfCall is that of the span if the record has the ids of a span of the
// very call. Else it is made of the id of the event, as many calls of an agent
// may have the ids of one span, or none.
func deliveryOfCall(ev *genai.Event) delivery {
	if !ev.SpanID.IsEmpty() && ev.ID == genai.NewEventID(ev.TraceID, ev.SpanID) {
		return delivery{ev.TraceID, ev.SpanID}
	}
	d := delivery{trace: pcommon.TraceID(ev.ID)}
	copy(d.span[:], ev.ID[8:])
	return d
}

// log judges one log record.
func (b *batch) log(ctx context.Context, from origin, resource *genai.Resource) {
	at := from.log.record.Timestamp()
	if at == 0 {
		at = from.log.record.ObservedTimestamp()
	}
	b.event = &b.item
	b.item = genai.Event{
		TraceID: from.log.record.TraceID(), SpanID: from.log.record.SpanID(), End: at,
		Service: resource.Service,
	}
	b.marks.Reset(from.log.record.Attributes())
	b.counts.items++
	if b.marks.Empty() {
		b.countProblems()
		return
	}
	if !b.event.SpanID.IsEmpty() {
		b.event.ID = genai.NewEventID(b.event.TraceID, b.event.SpanID)
	}
	b.delivery = deliveryOf(from.log.record, at)
	b.found = b.found[:0]
	b.judgeItem(ctx, from)
}

// deliveryOf tells records about one call apart from each other: they have the
// ids of the call, not ids of their own.
func deliveryOf(record plog.LogRecord, at pcommon.Timestamp) delivery {
	h := fnv.New64a()
	span := record.SpanID()
	_, _ = h.Write(span[:])
	_, _ = h.Write(binary.LittleEndian.AppendUint64(nil, uint64(at)))
	for _, k := range [...]string{genai.AttrEvaluationName, genai.AttrEvaluationScoreValue, genai.AttrEvaluationScoreLabel, genai.AttrResponseID} {
		if v, ok := record.Attributes().Get(k); ok {
			_, _ = h.Write([]byte(v.AsString()))
		}
		_, _ = h.Write([]byte{0})
	}
	d := delivery{trace: record.TraceID()}
	binary.LittleEndian.PutUint64(d.span[:], h.Sum64()|1)
	return d
}

// forget makes b keep no telemetry alive.
func (b *batch) forget() {
	b.ahead = [readAhead]reading{}
	b.event, b.item, b.content, b.model, b.from = nil, genai.Event{}, genai.Event{}, "", origin{}
	b.marks.Clear()
	b.resolved, b.entry = nil, nil
}
