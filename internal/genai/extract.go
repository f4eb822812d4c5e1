package genai

import (
	"fmt"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// UnknownService is the service of a resource that names none.
const UnknownService = "unknown_service"

// Options of an [Extractor]. The zero value reads numbers and names only.
type Options struct {
	// CaptureText fills the texts of prompt and response. Default: false.
	CaptureText bool
	// MaxTextBytes is the longest text that is kept, in bytes; what is longer is
	// cut between characters and marked by "...[truncated]". Default: 10000.
	MaxTextBytes int
	// MeasuresOnly reads what a call is judged by, which takes half the time:
	// the ids of the span, service, models, times, input, output and total
	// tokens, cost, finish reason as far as an attribute of its own names it,
	// conversation, user, error type, failure and signals. All else stays
	// empty, Event.ID too, and problems with it are not reported. Texts are not
	// read. Default: false.
	MeasuresOnly bool
	// Signals makes [Extractor.Read] tell the signals of a span without
	// MeasuresOnly, too. Default: false.
	Signals bool
	// Embeddings fills the embeddings of prompt and response, which takes memory
	// for each call that carries one. Not with MeasuresOnly. Default: false.
	Embeddings bool
}

// Extractor reads events out of spans, log records and metrics. It is immutable and safe for use by any
// number of goroutines.
type Extractor struct {
	*program
	logs          *logProgram
	metrics       *metricProgram
	maxText       int
	captureText   bool
	measuresOnly  bool
	usage         usageRules
	operations    aliasIndex
	providers     aliasIndex
	finishReasons aliasIndex
}

// NewExtractor returns an extractor for the conventions of the table.
func NewExtractor(o Options) (*Extractor, error) {
	return newExtractor(&standard, o)
}

func newExtractor(t *table, o Options) (*Extractor, error) {
	if o.MaxTextBytes < 0 {
		return nil, fmt.Errorf("max text bytes must not be negative, got %d", o.MaxTextBytes)
	}
	if o.MaxTextBytes == 0 {
		o.MaxTextBytes = defaultMaxTextBytes
	}
	captureText := o.CaptureText && !o.MeasuresOnly
	wanted := func(c concept, s *selector) bool {
		switch {
		case conceptSpec[c].kind == kindContent:
			return captureText
		case conceptSpec[c].kind == kindVector:
			return o.Embeddings && !o.MeasuresOnly
		case o.MeasuresOnly:
			// JSON costs more than all the rest: messages are not parsed for
			// the finish reason in them.
			return isMeasure(c) && (c != conceptFinishReason || s.json == "")
		}
		return true
	}
	p, err := t.program(wanted, o.MeasuresOnly || o.Signals)
	if err != nil {
		return nil, fmt.Errorf("compile attribute table: %w", err)
	}
	logs, err := t.logProgram(wanted)
	if err != nil {
		return nil, fmt.Errorf("compile attribute table for log records: %w", err)
	}
	metrics, err := t.metricProgram()
	if err != nil {
		return nil, fmt.Errorf("compile table of metrics: %w", err)
	}
	return &Extractor{
		program: p, logs: logs, metrics: metrics, maxText: o.MaxTextBytes, captureText: captureText, measuresOnly: o.MeasuresOnly,
		operations:    newAliasIndex(operationAliases),
		usage:         newUsageRules(t),
		providers:     newAliasIndex(providerAliases),
		finishReasons: newAliasIndex(finishReasonAliases),
	}, nil
}

// Resource is what the resource says about all of its spans.
type Resource struct {
	// Service is [UnknownService] when the resource names none.
	Service     string
	Environment string
	Region      string
	Tenant      string
}

var unknownResource = Resource{Service: UnknownService}

// Resource reads the facts of a resource. Call it once per resource, and only
// when a span of it is a call.
func (x *Extractor) Resource(res pcommon.Resource) Resource {
	out := unknownResource
	var best [conceptCount]uint8
	for k, v := range res.Attributes().All() {
		at := x.resources.find(k)
		if at < 0 {
			continue
		}
		for i := range x.rules[at] {
			r := &x.rules[at][i]
			s, _, ok := scalarOf(v).name(r.kind == kindID)
			if !ok || r.prio <= best[r.concept] {
				continue
			}
			best[r.concept] = r.prio
			switch r.concept {
			case conceptService:
				out.Service = s
			case conceptEnvironment:
				out.Environment = s
			case conceptRegion:
				out.Region = s
			case conceptTenant:
				out.Tenant = s
			}
		}
	}
	return out
}

// FromSpan reads the LLM call that span describes into ev, overwriting it
// wholly, and reports what was wrong with the span. If the span is no leaf
// inference call, or the ledger found its call to be told elsewhere
// ([AttrCallDuplicate]), ev is of no use afterwards and no problems are
// reported. A nil res is a resource about which nothing is known.
//
// Strings of ev share memory with the span. Nothing is allocated for the usual
// call when texts are not captured.
func (x *Extractor) FromSpan(res *Resource, scope pcommon.InstrumentationScope, span ptrace.Span, ev *Event) (isLLM bool, problems Problem) {
	signals, problems := x.Read(res, scope, span, ev)
	return signals&SignalCall != 0, problems
}

// Read is [Extractor.FromSpan], and tells with MeasuresOnly or Signals which signals
// the span carries, be it a call or not.
func (x *Extractor) Read(res *Resource, scope pcommon.InstrumentationScope, span ptrace.Span, ev *Event) (signals Signal, problems Problem) {
	attrs := span.Attributes()
	signals = x.signals(scope, span, attrs)
	if signals&SignalCall == 0 {
		if x.measuresOnly && span.Events().Len() > 0 {
			signals |= eventSignals(span)
		}
		return signals, 0
	}
	if res == nil {
		res = &unknownResource
	}
	ev.clear()
	ev.TraceID, ev.SpanID, ev.ParentSpanID = span.TraceID(), span.SpanID(), span.ParentSpanID()
	st := state{extractor: x, program: x.program, ev: ev}
	st.times(span)
	st.resource(res)
	for k, v := range attrs.All() {
		at := -1
		if x.attributes.maybe(k) {
			if x.attributes.likely(k) {
				at = x.attributes.lookup(k)
			}
			if at < 0 && x.measuresOnly && isEvaluation(k) {
				st.signals |= SignalMarks
			}
		}
		if at < 0 {
			if x.captureText {
				st.pattern(k, v)
			}
			continue
		}
		rules := x.rules[at]
		for i := range rules {
			r := &rules[i]
			switch {
			case r.plain && r.late == 0:
				st.setValue(r, v)
			case r.late == 0:
				st.examine(r, v)
			default:
				st.pending[(r.late-1)/64] |= 1 << ((r.late - 1) % 64)
			}
		}
	}
	if st.signals&signalDuplicate != 0 {
		return st.signals &^ signalDuplicate, 0
	}
	if st.pending[0]|st.pending[1] != 0 {
		st.late(source{scope: scope.Name(), span: span.Name(), status: span.Status().Code()}, attrs)
	}
	if span.Events().Len() > 0 {
		st.events(span)
	}
	if ev.Present&usageParts != 0 || ev.Streaming {
		st.settleUsage(source{scope: scope.Name(), span: span.Name()}, scope.Version(), attrs)
	}
	status := span.Status()
	st.finish(status.Code() == ptrace.StatusCodeError, status.Message())
	if !x.measuresOnly {
		ev.identify(span)
		ev.given(attrs)
	}
	return SignalCall | st.signals, st.problems
}

// signals tells whether the span is a leaf inference call; it stops at the
// first attribute that says so. Of other spans it tells what they carry.
func (x *Extractor) signals(scope pcommon.InstrumentationScope, span ptrace.Span, attrs pcommon.Map) (found Signal) {
	var anyOf, unless uint8
	for k, v := range attrs.All() {
		if !x.calls.maybe(k) {
			continue
		}
		at := -1
		if x.calls.likely(k) {
			at = x.calls.lookup(k)
		}
		if at < 0 && x.measuresOnly && isEvaluation(k) {
			found |= SignalMarks
		}
		if at < 0 || isEmpty(v) {
			continue
		}
		c := &x.callSlots[at]
		anyOf |= c.anyOf
		unless |= c.unless
		if len(c.in) > 0 && contains(c.in, v.Str()) {
			return SignalCall
		}
		if c.signal != 0 && (len(c.signalIn) == 0 || contains(c.signalIn, v.Str())) {
			found |= c.signal
		}
	}
	if anyOf&^unless != 0 {
		return SignalCall
	}
	for i := range x.named {
		if r := &x.named[i]; r.span == span.Name() && (r.scope == "" || r.scope == scope.Name()) {
			return SignalCall
		}
	}
	return found
}

// isEmpty reports whether the value counts as absent.
func isEmpty(v pcommon.Value) bool {
	switch v.Type() {
	case pcommon.ValueTypeEmpty:
		return true
	case pcommon.ValueTypeStr:
		return v.Str() == ""
	default:
		return false
	}
}

func contains(list []string, s string) bool {
	for _, l := range list {
		if l == s {
			return true
		}
	}
	return false
}
