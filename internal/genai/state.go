package genai

import (
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// maxSpanEvents and maxElements bound what is looked at in one span.
const (
	maxSpanEvents = 256
	maxElements   = 16
)

// state is the work on one span. It lives on the stack.
type state struct {
	extractor *Extractor
	// program is that for spans or for log records.
	program  *program
	ev       *Event
	problems Problem
	// best is the priority of the selector that gave the value of a concept; 0
	// means that there is none yet.
	best [conceptCount]uint8
	// signals are those that attributes and events gave rise to.
	signals Signal
	// pending is the set of late rules whose attribute occurs.
	pending [maxLate / 64]uint64
	// start is the start of the span if it is credible, else 0.
	start pcommon.Timestamp
	// freeOfCharge: a cost of zero was reported. Most who write it mean that they
	// know no price, so that it only counts where no tokens were used.
	freeOfCharge bool
	duration     float64

	prompt, response content
}

// times takes the times of the span as far as they are credible.
func (st *state) times(span ptrace.Span) {
	start, end := span.StartTimestamp(), span.EndTimestamp()
	st.start = st.time(start, MissingStart)
	st.ev.Start, st.ev.End = st.start, st.time(end, MissingEnd)
	switch {
	case st.ev.Start == 0 || st.ev.End == 0:
	case st.ev.End < st.ev.Start:
		st.problems |= EndBeforeStart
	default:
		st.ev.LatencyMillis = float64(st.ev.End-st.ev.Start) / 1e6
		st.ev.Present |= FieldLatency
	}
}

func (st *state) time(t pcommon.Timestamp, missing Problem) pcommon.Timestamp {
	switch {
	case t == 0:
		st.problems |= missing
	case t < minTime || t >= maxTime:
		st.problems |= TimeOutOfRange
		return 0
	}
	return t
}

// resource enters what the resource says, at the rank that it has.
func (st *state) resource(res *Resource) {
	prio := &st.extractor.resourcePrio
	ev := st.ev
	if res.Service != "" && res.Service != UnknownService {
		ev.Service, st.best[conceptService] = res.Service, prio[conceptService]
	}
	if res.Environment != "" {
		ev.Environment, st.best[conceptEnvironment] = res.Environment, prio[conceptEnvironment]
	}
	if res.Region != "" {
		ev.Region, st.best[conceptRegion] = res.Region, prio[conceptRegion]
	}
	if res.Tenant != "" {
		ev.Tenant, st.best[conceptTenant] = res.Tenant, prio[conceptTenant]
	}
}

// pattern handles attributes whose key has an array index in it. Only texts are
// found in this way.
func (st *state) pattern(key string, v pcommon.Value) {
	if len(key) > maxKey || !strings.ContainsAny(key, "0123456789") {
		return
	}
	var buf [2 * maxKey]byte
	b := buf[:0]
	for i := 0; i < len(key); i++ {
		j := i
		for j < len(key) && key[j] >= '0' && key[j] <= '9' {
			j++
		}
		if j > i && i > 0 && key[i-1] == '.' && (j == len(key) || key[j] == '.') {
			b = append(b, "<N>"...)
			i = j - 1
			continue
		}
		b = append(b, key[i])
	}
	if at := st.program.patterns.find(string(b)); at >= 0 {
		for i := range st.program.rules[at] {
			st.examine(&st.program.rules[at][i], v)
		}
	}
}

// source is what conditions of selectors ask for beside attributes: the names of
// the scope and of the span or log event, and the status of a span.
type source struct {
	scope, span, log string
	status           ptrace.StatusCode
}

// late runs the rules that waited, best first, as far as they are still needed.
func (st *state) late(from source, attrs pcommon.Map) {
	for i, r := range st.program.late {
		if st.pending[i/64]>>(i%64)&1 == 0 || r.prio <= st.have(r.concept) {
			continue
		}
		sel := r.sel
		if sel.scope != "" && sel.scope != from.scope || sel.span != "" && sel.span != from.span ||
			sel.log != "" && sel.log != from.log ||
			sel.status != ptrace.StatusCodeUnset && sel.status != from.status || !all(sel.when, attrs) {
			continue
		}
		if v, ok := attrs.Get(firstIndex.Replace(sel.key)); ok {
			st.examine(r, v)
		}
	}
}

func all(conditions []condition, attrs pcommon.Map) bool {
	for i := range conditions {
		v, ok := attrs.Get(conditions[i].key)
		if !ok || !contains(conditions[i].in, v.Str()) {
			return false
		}
	}
	return true
}

// have is the priority of what is known about a concept.
func (st *state) have(c concept) uint8 {
	switch c {
	case conceptPrompt:
		return st.prompt.prio
	case conceptResponse:
		return st.response.prio
	default:
		return st.best[c]
	}
}

// events reads the span events.
func (st *state) events(span ptrace.Span) {
	x := st.extractor
	list := span.Events()
	for i := range min(list.Len(), maxSpanEvents) {
		e := list.At(i)
		at := x.events.find(e.Name())
		if at < 0 {
			if e.Name() == EventEvaluationResult {
				st.signals |= SignalMarks
			}
			continue
		}
		for j := range x.rules[at] {
			r := &x.rules[at][j]
			if r.prio < st.have(r.concept) || r.kind != kindContent && r.prio == st.have(r.concept) {
				continue
			}
			if s := r.sel.status; s != ptrace.StatusCodeUnset && s != span.Status().Code() {
				continue
			}
			if r.unit == unitEventTime {
				ms, p, ok := sinceStart(e.Timestamp(), st.start)
				st.setMillis(r, ms, p, ok)
			} else if v, ok := e.Attributes().Get(r.sel.key); ok {
				st.examine(r, v)
			}
		}
	}
}

// examine applies a rule that is not plain.
func (st *state) examine(r *rule, v pcommon.Value) {
	sel := r.sel
	switch {
	case r.kind == kindContent:
		st.text(r, v)
		return
	case sel.jsonSum != "":
		st.check(r, sumMembers(v, sel.jsonSum))
	case len(r.path) > 0:
		var out sink
		walkValue(v, r.path, &out)
		st.check(r, out.first)
	case sel.each && v.Type() == pcommon.ValueTypeSlice:
		list := v.Slice()
		for i := range min(list.Len(), maxElements) {
			if s := scalarOf(list.At(i)); s.kind != scalarNone {
				st.check(r, s)
				return
			}
		}
	case sel.each && v.Type() == pcommon.ValueTypeStr && strings.HasPrefix(v.Str(), "["):
		var out sink
		walkValue(v, eachElement, &out)
		st.check(r, out.first)
	default:
		st.check(r, scalarOf(v))
	}
}

var eachElement = []step{{kind: stepEach}}

// check applies the conditions on the value.
func (st *state) check(r *rule, s scalar) {
	sel := r.sel
	if len(sel.in) > 0 && !contains(sel.in, s.text) {
		return
	}
	if sel.ge != 0 {
		if f, _, ok := s.number(); !ok || f < sel.ge {
			return
		}
	}
	if r.matches != nil {
		if !r.matches.MatchString(limit(s.text, maxNameBytes)) {
			return
		}
		if r.kind == kindBool {
			s = scalar{kind: scalarBool, int: 1}
		}
	}
	if sel.scale != 0 {
		f, p, ok := s.number()
		st.problems |= p
		if !ok {
			return
		}
		s = scalar{kind: scalarDouble, num: f * sel.scale}
	}
	st.set(r, s)
}

// text applies a rule of kindContent.
func (st *state) text(r *rule, v pcommon.Value) {
	c := &st.prompt
	if r.concept == conceptResponse {
		c = &st.response
	}
	limit := st.extractor.maxText
	if len(r.path) > 0 {
		walkValue(v, r.path, &sink{content: c, prio: r.prio, limit: limit})
		return
	}
	switch v.Type() {
	case pcommon.ValueTypeStr:
		c.add(v.Str(), r.prio, limit)
	case pcommon.ValueTypeMap, pcommon.ValueTypeSlice:
		c.add(v.AsString(), r.prio, limit)
	case pcommon.ValueTypeEmpty:
	default:
		st.problems |= WrongType
	}
}
