package sanitizeprocessor

import (
	"context"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/processor/processorhelper"

	"github.com/llm-devops/llm-sentinel/internal/genai"
)

// processLogs redacts, bounds and judges ld in place.
func (s *sanitizer) processLogs(ctx context.Context, ld plog.Logs) (plog.Logs, error) {
	p := s.acquire()
	defer s.release(ctx, p)
	dropped := false
	for _, rl := range ld.ResourceLogs().All() {
		resource := p.resource(rl.Resource())
		for _, sl := range rl.ScopeLogs().All() {
			p.plainAttributes(sl.Scope().Attributes())
			before := sl.LogRecords().Len()
			sl.LogRecords().RemoveIf(func(rec plog.LogRecord) bool { return p.record(&resource, sl.Scope(), rec) })
			dropped = dropped || sl.LogRecords().Len() < before
		}
	}
	if !dropped {
		return ld, nil
	}
	ld.ResourceLogs().RemoveIf(func(rl plog.ResourceLogs) bool {
		rl.ScopeLogs().RemoveIf(func(sl plog.ScopeLogs) bool { return sl.LogRecords().Len() == 0 })
		return rl.ScopeLogs().Len() == 0
	})
	if ld.ResourceLogs().Len() == 0 {
		return ld, processorhelper.ErrSkipProcessingData
	}
	return ld, nil
}

// record does so for one log record and tells whether it must be dropped.
func (p *pass) record(resource *genai.Resource, scope pcommon.InstrumentationScope, rec plog.LogRecord) (drop bool) {
	p.begin()
	var v violations
	attrs := rec.Attributes()
	p.tenant = p.tenants.ofItem(attrs, resource.Tenant)
	if p.cfg.Validation.Enabled && p.extractor.LogCall(rec) != "" {
		call := false
		if call, p.problems = p.extractor.FromLog(resource, scope, rec, &p.event); call {
			if v = p.cfg.Validation.check(&p.event, p.problems); v != 0 {
				if p.judge(v) {
					p.tally.dropped++
					return true
				}
				if p.clamps(v, limitLatency) {
					p.clampDurations(attrs)
				}
				p.clampNumbers(attrs, v)
			}
		}
	}
	var worst verdict
	if p.detector != nil {
		p.gatherRecord(rec)
		worst = p.score()
	}
	p.recordTexts(rec)
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

func (p *pass) recordTexts(rec plog.LogRecord) {
	name := eventName(rec)
	p.field(rec.EventName(), rec.SetEventName)
	p.field(rec.SeverityText(), rec.SetSeverityText)
	p.mapValue(rec.Attributes(), eventClass(name), 0)
	// A body is no attribute: where one would be dropped, the text is masked.
	p.value("", eventClass(name)|classMessages, rec.Body(), 0)
}

// eventName is the name of the event of a record, wherever the emitter writes it.
func eventName(rec plog.LogRecord) string {
	if n := rec.EventName(); n != "" {
		return n
	}
	if v, ok := rec.Attributes().Get("event.name"); ok {
		return v.Str()
	}
	return ""
}
