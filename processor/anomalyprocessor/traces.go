package anomalyprocessor

import (
	"context"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/llm-devops/llm-sentinel/internal/anomaly"
	"github.com/llm-devops/llm-sentinel/internal/detect"
	"github.com/llm-devops/llm-sentinel/internal/genai"
	"github.com/llm-devops/llm-sentinel/internal/series"
)

// batch is the scratch memory and the tally for one call of processTraces.
type batch struct {
	*engine

	now time.Time
	// at is the event time at which event is judged, unix ns.
	at int64
	// event is the call or item that is judged.
	event *genai.Event
	item  genai.Event
	// ahead are calls that are read and not judged yet.
	ahead  [readAhead]reading
	queued int
	// lns are the logarithms of metrics of lnsOf, as far as known; see ln.
	lns   [len(metrics)]float64
	known uint8
	lnsOf *genai.Event
	// model is that of the series of event, see aliases.
	model string
	// conversation is the key of that of event, 0 for none.
	conversation uint64
	prefetched   uint64 // see conversations.prefetch
	// entry is what is kept of that series.
	entry *entry
	// content is scratch memory for rules that read texts.
	content  genai.Event
	verdicts [len(metrics)]detect.Verdict
	// before is what the states remembered of having told, see gate.go. It is set
	// with a verdict.
	before [len(metrics)]detect.Told
	// signals and marks are what the event carries beside its numbers; from is
	// where it was read.
	signals  genai.Signal
	marks    genai.Marks
	from     origin
	delivery delivery
	// found is what the rules have found on the event, and told what is told of it.
	found, told []finding
	// ended are the episodes that end with the event.
	ended []ending
	// resolved are the anomalies that are over with it.
	resolved []anomaly.Resolution
	counts   counts
	// whole is the event with all that is told of it, while a provider is read.
	whole genai.Event
}

// processTraces marks the anomalous spans of td in place. It never fails and
// never removes anything.
func (e *engine) processTraces(ctx context.Context, td ptrace.Traces) (ptrace.Traces, error) {
	b := e.batches.Get().(*batch)
	b.now = e.now()
	b.counts = counts{}
	resources := td.ResourceSpans()
	for i := range resources.Len() {
		rs := resources.At(i)
		resource := e.extractor.Resource(rs.Resource())
		scopes := rs.ScopeSpans()
		for j := range scopes.Len() {
			ss := scopes.At(j)
			scope, spans := ss.Scope(), ss.Spans()
			for k := range spans.Len() {
				b.span(ctx, origin{resource: rs.Resource(), scope: scope, span: spans.At(k)}, &resource)
			}
		}
	}
	b.judgeQueued(ctx)
	if b.counts.processed+b.counts.items > 0 {
		e.tel.record(ctx, &b.counts, e.now().Sub(b.now))
	}
	b.forget()
	e.batches.Put(b)
	return td, nil
}

// readAhead is the number of calls that are read before they are judged. What
// they need of the table of conversations, which is in no cache, is then fetched
// from memory for all of them at once.
const readAhead = 8

// reading is a call that was read.
type reading struct {
	event        genai.Event
	from         origin
	signals      genai.Signal
	problems     genai.Problem
	conversation uint64
}

// origin is a span, or with log a log record, and what surrounds it.
type origin struct {
	resource pcommon.Resource
	scope    pcommon.InstrumentationScope
	span     ptrace.Span

	log *logItem
}

// set makes o equal to from. What neighbours share is not written again: while
// garbage is collected, writing pointers is dear.
func (o *origin) set(from *origin) {
	if o.resource != from.resource {
		o.resource = from.resource
	}
	if o.scope != from.scope {
		o.scope = from.scope
	}
	if o.log != from.log {
		o.log = from.log
	}
	o.span = from.span
}

// read reads the call that the origin tells of with x, if it does.
func (o *origin) read(x *genai.Extractor, resource *genai.Resource, ev *genai.Event) (isCall bool) {
	switch {
	case o.log != nil:
		isCall, _ = x.FromLog(resource, o.scope, o.log.record, ev)
	case o.span != (ptrace.Span{}):
		isCall, _ = x.FromSpan(resource, o.scope, o.span, ev)
	}
	return isCall
}

// readMarks reads the results of evaluators and guards.
func (o *origin) readMarks(m *genai.Marks) {
	if o.log != nil {
		m.Reset(o.log.record.Attributes())
		return
	}
	genai.ReadMarks(o.span, m)
}

// logItem is a log record and the list that it is in.
type logItem struct {
	record  plog.LogRecord
	records plog.LogRecordSlice
}

func (b *batch) span(ctx context.Context, from origin, resource *genai.Resource) {
	r := &b.ahead[b.queued]
	r.signals, r.problems = b.extractor.Read(resource, from.scope, from.span, &r.event)
	if r.signals&genai.SignalCall == 0 {
		if r.signals != 0 {
			signals := r.signals
			b.judgeQueued(ctx)
			b.other(ctx, from, resource, signals)
		}
		return
	}
	r.from.set(&from)
	if b.queued++; b.queued == readAhead {
		b.judgeQueued(ctx)
	}
}

// judgeQueued judges the calls that were read, in their order.
func (b *batch) judgeQueued(ctx context.Context) {
	queue := b.ahead[:b.queued]
	b.queued = 0
	if c := b.conversations; c != nil {
		for i := range queue {
			ev := &queue[i].event
			queue[i].conversation = c.key(ev.Service, ev.Conversation, ev.TraceID)
		}
		for i := range queue {
			b.prefetched |= c.prefetch(queue[i].conversation)
		}
	}
	for i := range queue {
		b.call(ctx, &queue[i])
	}
}

// call judges a call.
func (b *batch) call(ctx context.Context, r *reading) {
	b.event, b.lnsOf, b.conversation = &r.event, nil, r.conversation
	b.counts.processed++
	b.from.set(&r.from)
	b.signals, b.delivery = r.signals, delivery{b.event.TraceID, b.event.SpanID}
	if r.from.log != nil {
		b.delivery = deliveryOfCall(b.event)
	}
	if r.signals&genai.SignalMarks != 0 {
		r.from.readMarks(&b.marks)
		b.countProblems()
	}
	for p := r.problems; p != 0; p &= p - 1 {
		b.counts.skipped[p.Index()]++
	}
	found := b.judge(ctx, r.from)
	r.from.mark(found, b.resolved)
}

// judge shows the values of the event to the models of its series and returns
// the anomalies to mark. The ends of earlier ones are in b.resolved.
func (b *batch) judge(ctx context.Context, from origin) []anomaly.Anomaly {
	ev := b.event
	b.model = b.aliases.model(ev)
	ref := b.table.Acquire(series.Key{Service: ev.Service, Model: b.model}, b.now.UnixNano())
	if ref.Value.newest == 0 && b.cfg.ColdStart.Parent && ref.Key.Model != series.AllModels {
		ref = b.inherit(ref)
	}
	defer ref.Release()
	if ref.Overflow {
		b.counts.overflow++
	}
	ent := ref.Value
	if found, again := b.repeated(ent); again {
		return found
	}
	b.at = b.eventTime(ent)
	b.noteAnswer(ent, &ref.Key)
	late := ent.advance(b.at, int64(b.cfg.MaxLateness))
	if late {
		b.counts.late++
	}
	if ent.newest-ent.touched >= int64(touchEvery) {
		b.touch(from, ent, &ref.Key)
	}
	var o outcome
	b.ended = b.ended[:0]
	b.found = b.judgeRules(ent, late, b.found[:0])
	if b.event.Failed {
		b.found = b.conversationCall(b.found)
		// A call that failed says nothing about how long or how dear a call
		// that works is: it would teach the baseline that 30 ms are normal.
		b.counts.skipped[skipFailedCall]++
		if len(b.found) == 0 {
			return nil
		}
		return b.tell(ctx, from, ent, &ref.Key, o)
	}
	for i := range b.judges {
		j := &b.judges[i]
		if !ev.Has(j.metric.field) {
			continue
		}
		x := j.metric.value(ev)
		st := ent.states[i]
		if st == nil {
			s := j.model.NewState()
			st = &s
			ent.states[i] = st
			if ent.parent != nil {
				j.model.Borrow(st, ent.parent.spreads[i])
			}
		}
		o.seen |= 1 << i
		if late {
			j.model.Learn(st, b.at, x)
			continue
		}
		if j.log && j.model.AbsorbLn(st, b.at, b.ln(j.metric)) || !j.log && j.model.Absorb(st, b.at, x) {
			continue
		}
		before := st.Told()
		v := j.model.Observe(st, b.at, x)
		if v.Anomalous {
			o.anomalous |= 1 << i
			b.verdicts[i] = v // it is large, and nearly always not needed
			b.before[i] = before
		}
		if v.Alarm {
			o.alarms |= 1 << i
		}
		if v.Rebased {
			b.counts.rebased[i]++
		}
		if v.Rebased || v.Recovered {
			b.ended = append(b.ended, ending{judge: i, rebased: v.Rebased, expected: v.Expected})
		}
	}
	b.found = b.conversationCall(b.found)
	news := false
	for i := range b.found {
		news = news || b.found[i].ended == ""
	}
	switch {
	case o.seen == 0 && !news:
		b.counts.skipped[skipNoValues]++
	case late && !news:
	case o.anomalous == 0 && !news:
		b.counts.normal++
	default:
		for i := range b.judges {
			if o.has(o.seen, i) && ent.states[i].Samples() > uint64(b.cfg.MinSamples) {
				o.judged |= 1 << i
			}
		}
		return b.tell(ctx, from, ent, &ref.Key, o)
	}
	if len(b.ended)+len(b.found) > 0 {
		return b.tell(ctx, from, ent, &ref.Key, o)
	}
	return nil
}

// ln is the logarithm of a metric of the event plus the offset of the metric.
// Several judges need it.
func (b *batch) ln(m *metricRow) float64 {
	if b.lnsOf != b.event {
		b.known, b.lnsOf = 0, b.event
	}
	if b.known>>m.index&1 == 0 {
		b.known |= 1 << m.index
		b.lns[m.index] = detect.Ln(m.value(b.event) + m.logOffset)
	}
	return b.lns[m.index]
}

// repeated reports whether the item has come before and was marked, and returns
// what it was marked with; ends are in b.resolved, which is set anew.
func (b *batch) repeated(ent *entry) (found []anomaly.Anomaly, again bool) {
	b.resolved = ent.ends.find(b.delivery)
	if ent.marks != nil {
		found, again = ent.marks.find(b.delivery)
	}
	if again = again || len(b.resolved) > 0; again {
		b.counts.skipped[skipRepeated]++
	}
	return found, again
}

// tell reports what the event shows and remembers it, in case that the span is
// sent again. It runs while ent is locked.
func (b *batch) tell(ctx context.Context, from origin, ent *entry, key *series.Key, o outcome) []anomaly.Anomaly {
	b.heed(ent, key, &o)
	b.beginEpisodes(ent, o)
	found := b.report(ctx, from, ent, key, o)
	b.resolved = b.endEpisodes(ctx, ent, key)
	ent.addEnds(b.delivery, b.resolved)
	return found
}

// eventTime is the end of the call on a time scale that bad clocks cannot
// break: a future end becomes the time of arrival, and a call without any time
// stands beside the newest one of its series.
func (b *batch) eventTime(ent *entry) int64 {
	t := b.event.End
	if t == 0 {
		t = b.event.Start
	}
	now := pcommon.NewTimestampFromTime(b.now)
	switch {
	case t == 0 && ent.newest != 0:
		return ent.newest
	case t == 0:
		return b.now.UnixNano()
	case t > now && t-now > pcommon.Timestamp(b.cfg.MaxFuture):
		b.counts.clamped++
		return b.now.UnixNano()
	}
	return int64(t)
}
