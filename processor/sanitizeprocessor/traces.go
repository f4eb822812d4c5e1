package sanitizeprocessor

import (
	"context"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/processor/processorhelper"

	"github.com/llm-devops/llm-sentinel/internal/genai"
)

// processTraces cleans td in place.
func (s *sanitizer) processTraces(ctx context.Context, td ptrace.Traces) (ptrace.Traces, error) {
	p := s.acquire()
	defer s.release(ctx, p)
	dropped := false
	for _, rs := range td.ResourceSpans().All() {
		resource := p.resource(rs.Resource())
		for _, ss := range rs.ScopeSpans().All() {
			p.plainAttributes(ss.Scope().Attributes())
			before := ss.Spans().Len()
			ss.Spans().RemoveIf(func(span ptrace.Span) bool { return p.span(&resource, ss.Scope(), span) })
			dropped = dropped || ss.Spans().Len() < before
		}
	}
	if !dropped {
		return td, nil
	}
	td.ResourceSpans().RemoveIf(func(rs ptrace.ResourceSpans) bool {
		rs.ScopeSpans().RemoveIf(func(ss ptrace.ScopeSpans) bool { return ss.Spans().Len() == 0 })
		return rs.ScopeSpans().Len() == 0
	})
	if td.ResourceSpans().Len() == 0 {
		return td, processorhelper.ErrSkipProcessingData
	}
	return td, nil
}

// resource redacts the attributes of a resource, which get no marks: they are
// what series are told apart by. The tenant is what the sender wrote.
func (p *pass) resource(res pcommon.Resource) genai.Resource {
	r := p.resources.Resource(res)
	p.tenant = p.tenants.of(r.Tenant)
	p.plainAttributes(res.Attributes())
	return r
}

// plainAttributes redacts attributes that get no marks.
func (p *pass) plainAttributes(attrs pcommon.Map) {
	if attrs.Len() == 0 {
		return
	}
	p.begin()
	p.attributes(attrs)
	p.end()
}

// span checks and cleans a span and tells whether it must be dropped.
func (p *pass) span(resource *genai.Resource, scope pcommon.InstrumentationScope, span ptrace.Span) (drop bool) {
	p.begin()
	var v violations
	attrs := span.Attributes()
	p.tenant = p.tenants.ofItem(attrs, resource.Tenant)
	signals := genai.Signal(0)
	signals, p.problems = p.extractor.Read(resource, scope, span, &p.event)
	call := signals&genai.SignalCall != 0
	if call && p.cfg.Validation.Enabled {
		if v = p.cfg.Validation.check(&p.event, p.problems); v != 0 {
			if p.judge(v) {
				p.tally.dropped++
				return true
			}
			p.clampSpan(span, v)
		}
	}
	var worst verdict
	if p.detector != nil && (call || signals&(genai.SignalTool|genai.SignalPrompt) != 0) {
		p.gatherSpan(span)
		worst = p.score()
	}
	p.spanTexts(span)
	if p.item.tooLong {
		v |= 1 << limitText
		if p.judge(1 << limitText) {
			p.tally.dropped++
			return true
		}
	}
	p.end()
	p.mark(attrs)
	p.markInjection(attrs, &worst)
	if v != 0 {
		tagViolations(attrs, v)
	}
	return false
}

// spanTexts redacts and bounds all text of a span. Ids, the trace state and times
// are no text.
func (p *pass) spanTexts(span ptrace.Span) {
	p.field(span.Name(), span.SetName)
	p.attributes(span.Attributes())
	p.field(span.Status().Message(), span.Status().SetMessage)
	for _, e := range span.Events().All() {
		p.field(e.Name(), e.SetName)
		p.eventAttributes(e.Name(), e.Attributes())
	}
	for _, l := range span.Links().All() {
		p.attributes(l.Attributes())
	}
}

// eventAttributes redacts the attributes of an event, whose name may tell that
// they hold an answer.
func (p *pass) eventAttributes(name string, attrs pcommon.Map) {
	p.mapValue(attrs, eventClass(name), 0)
}

func eventClass(name string) keyClass {
	switch name {
	case "gen_ai.choice", "gen_ai.content.completion", "gen_ai.assistant.message":
		return classAnswer
	}
	return 0
}

// field redacts and bounds a text that is no attribute; where an attribute would be
// dropped it is masked.
func (p *pass) field(s string, set func(string)) {
	if plain(s) && !p.extraRules {
		return
	}
	if out, changed, _ := p.text("", s, 0); changed {
		set(out)
	}
}
