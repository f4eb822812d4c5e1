package genai

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
)

// attrEventName is where emitters without EventName write the name of the event.
const attrEventName = "event.name"

// logProgram is the table as it is used for log records.
type logProgram struct {
	*program
	names index
	// byName are the rules of each name.
	byName [][]logRule
}

func (t *table) logProgram(wanted func(concept, *selector) bool) (*logProgram, error) {
	p := &logProgram{program: &program{}}
	b := builder{program: p.program, logs: true}
	b.addConcepts(t, wanted)
	for i := range t.logs {
		r := &t.logs[i]
		if r.name == "" || len(r.name) > maxKey {
			b.errs = append(b.errs, fmt.Errorf("log rule %d: %w, got %d", i, errKeyLength, len(r.name)))
			continue
		}
		p.names.add(r.name, len(p.byName))
		at := p.names.value(r.name)
		if at == len(p.byName) {
			p.byName = append(p.byName, nil)
		}
		p.byName[at] = append(p.byName[at], *r)
	}
	if err := errors.Join(b.errs...); err != nil {
		return nil, err
	}
	p.build()
	p.names.build()
	return p, nil
}

// rulesOf finds the rules for a record by the name of its event: the field, the
// attribute, or the body, which some coding agents write the full name into.
func (p *logProgram) rulesOf(rec plog.LogRecord) []logRule {
	if at := p.names.find(rec.EventName()); at >= 0 {
		return p.byName[at]
	}
	if v, ok := rec.Attributes().Get(attrEventName); ok {
		if at := p.names.find(v.Str()); at >= 0 {
			return p.byName[at]
		}
	}
	if at := p.names.find(rec.Body().Str()); at >= 0 {
		return p.byName[at]
	}
	return nil
}

// LogCall tells at the cost of a few look-ups whether a log record can describe
// a call: it is the name of the event by which it can, for example
// "claude_code.api_request", or "" if it cannot.
func (x *Extractor) LogCall(rec plog.LogRecord) string {
	if rules := x.logs.rulesOf(rec); len(rules) > 0 {
		return rules[0].name
	}
	return ""
}

// FromLog reads the LLM call that a log record describes into ev, overwriting
// it wholly, and reports what was wrong with the record. If the record describes
// no call, or the ledger found its call to be told elsewhere ([AttrCallDuplicate]),
// ev is left as it is and no problems are reported. A nil res is a
// resource about which nothing is known.
//
// The time of the record is the end of the call. Its start is known only if the
// record tells the duration, and is 0 otherwise. Attributes are read first, then
// the members of a structured body. An event of the GenAI conventions has the id
// of the event of the span whose ids it carries, see [NewEventID]; that of other
// records is derived from all that identifies them, so that a redelivery has the
// same. Strings of ev share memory with the record.
func (x *Extractor) FromLog(res *Resource, scope pcommon.InstrumentationScope, rec plog.LogRecord, ev *Event) (isLLM bool, problems Problem) {
	var rule *logRule
	rules := x.logs.rulesOf(rec)
	for i := range rules {
		if all(rules[i].when, rec.Attributes()) {
			rule = &rules[i]
			break
		}
	}
	if rule == nil {
		return false, 0
	}
	if _, duplicate := rec.Attributes().Get(AttrCallDuplicate); duplicate {
		return false, 0
	}
	if res == nil {
		res = &unknownResource
	}
	if rule.failures {
		var read Event
		if problems = x.readLog(res, scope, rec, rule, &read); !read.Failed {
			return false, 0
		}
		*ev = read
		return true, problems
	}
	return true, x.readLog(res, scope, rec, rule, ev)
}

func (x *Extractor) readLog(res *Resource, scope pcommon.InstrumentationScope, rec plog.LogRecord, rule *logRule, ev *Event) Problem {
	ev.clear()
	ev.TraceID, ev.SpanID = rec.TraceID(), rec.SpanID()
	ev.ParentSpanID = pcommon.SpanID{}
	st := state{extractor: x, program: x.logs.program, ev: ev}
	at := rec.Timestamp()
	if at == 0 {
		at = rec.ObservedTimestamp()
	}
	ev.End = st.time(at, MissingEnd)
	st.resource(res)

	from := source{scope: scope.Name(), log: rule.name}
	st.record(from, rec.Attributes())
	if rec.Body().Type() == pcommon.ValueTypeMap {
		st.record(from, rec.Body().Map())
	}
	if ev.Present&usageParts != 0 || ev.Streaming {
		st.settleUsage(from, scope.Version(), rec.Attributes())
	}
	st.finish(rule.failed || rule.failures && st.best[conceptErrorMessage] != 0, "")
	if ev.Operation == "" {
		ev.Operation = rule.operation
	}
	if ev.End != 0 && ev.Has(FieldLatency) {
		if ms := ev.LatencyMillis * 1e6; ms < float64(ev.End-minTime) {
			ev.Start = ev.End - pcommon.Timestamp(ms)
		}
	}
	if !x.measuresOnly {
		ev.identifyLog(rule, at)
		ev.given(rec.Attributes())
	}
	return st.problems
}

// record reads the attributes of a log record, or the members of its body.
func (st *state) record(from source, attrs pcommon.Map) {
	p := st.program
	st.pending = [maxLate / 64]uint64{}
	for k, v := range attrs.All() {
		at := p.attributes.find(k)
		if at < 0 {
			if st.extractor.captureText {
				st.pattern(k, v)
			}
			continue
		}
		for i := range p.rules[at] {
			switch r := &p.rules[at][i]; {
			case r.late != 0:
				st.pending[(r.late-1)/64] |= 1 << ((r.late - 1) % 64)
			case r.plain:
				st.setValue(r, v)
			default:
				st.examine(r, v)
			}
		}
	}
	st.late(from, attrs)
}

// identifyLog sets the ID of an event that was read from a log record of the
// given time.
func (e *Event) identifyLog(rule *logRule, at pcommon.Timestamp) {
	if rule.span && !e.TraceID.IsEmpty() && !e.SpanID.IsEmpty() {
		e.ID = NewEventID(e.TraceID, e.SpanID)
		return
	}
	// Two calls of one session may end in the same millisecond, with the clock
	// of which most of these records come.
	b := make([]byte, 0, 96)
	b = append(b, rule.name...)
	for _, n := range [...]int64{e.InputTokens, e.OutputTokens, e.CacheReadTokens, e.CacheWriteTokens, e.ReasoningTokens} {
		b = binary.BigEndian.AppendUint64(b, uint64(n))
	}
	b = binary.BigEndian.AppendUint64(b, math.Float64bits(e.LatencyMillis))
	e.ID = e.derivedID(at, at, string(b))
}
