package sanitizeprocessor

import (
	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/llm-devops/llm-sentinel/internal/genai"
	"github.com/llm-devops/llm-sentinel/internal/redact"
)

// pass is the scratch memory and the tally for one batch. It belongs to one
// goroutine.
type pass struct {
	*sanitizer
	tenant tenant
	tally  tally

	item item
	// counts are those of the text that is being read.
	counts    redact.Counts
	parts     []part
	condemned []string
	event     genai.Event
	problems  genai.Problem
	texts     []candidate
}

// item is what was found on one span, log record or data point.
type item struct {
	counts redact.Counts
	found  bool
	// answers counts secrets in what the model answered.
	answers   int
	truncated int
	// tooLong tells that a text is beyond a limit and was not cut.
	tooLong bool
}

func (p *pass) begin() {
	if p.item.found {
		p.item.counts.Reset()
	}
	p.item.found, p.item.answers, p.item.truncated, p.item.tooLong = false, 0, 0, false
}

// note adds what was found in one text.
func (p *pass) note(c *redact.Counts, k keyClass) {
	p.item.found = true
	p.item.counts.Merge(c)
	if k&classAnswer == 0 {
		return
	}
	for t, n := range c.All() {
		if t.Secret() {
			p.item.answers += n
		}
	}
}

// end adds the item to the tally.
func (p *pass) end() {
	p.tally.truncated += int64(p.item.truncated)
	if !p.item.found {
		return
	}
	p.tally.found = true
	p.tally.counts.Merge(&p.item.counts)
}

// mark writes on the item what was found on it. What an earlier sanitizer counted
// is added to.
func (p *pass) mark(attrs pcommon.Map) {
	if p.item.found {
		p.markCounts(attrs)
	}
	if p.item.truncated > 0 {
		addInt(attrs, genai.AttrSanitizeTruncated, p.item.truncated)
	}
}

func (p *pass) markCounts(attrs pcommon.Map) {
	pii, secrets := 0, 0
	for t, n := range p.item.counts.All() {
		if t.Secret() {
			secrets += n
		} else {
			pii += n
		}
		addInt(attrs, attributeOf[t], n)
	}
	if pii > 0 {
		addInt(attrs, genai.AttrSanitizePIICount, pii)
	}
	if secrets > 0 {
		addInt(attrs, genai.AttrSanitizeSecretCount, secrets)
	}
	if p.item.answers > 0 {
		addInt(attrs, genai.AttrSanitizeResponseSecretCount, p.item.answers)
	}
}

// maxEarlierCount bounds what is believed of an earlier sanitizer.
const maxEarlierCount = 1 << 40

func addInt(attrs pcommon.Map, key string, n int) {
	sum := int64(n)
	if v, ok := attrs.Get(key); ok && v.Type() == pcommon.ValueTypeInt && v.Int() > 0 && v.Int() < maxEarlierCount {
		sum += v.Int()
	}
	attrs.PutInt(key, sum)
}
