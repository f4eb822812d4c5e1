package sanitizeprocessor

import (
	"hash/maphash"
	"strings"

	"github.com/llm-devops/llm-sentinel/internal/redact"
)

// textRedactor replaces what is sensitive in a text and counts it.
type textRedactor interface {
	Redact(text string, counts *redact.Counts) (out string, changed bool)
}

// tenant is a redactor and the scope of its pseudonyms.
type tenant struct {
	redactor textRedactor
	scope    uint32
}

// outcome is what became of a part of a text. The zero value is a part without
// a finding.
type outcome struct {
	// text replaces the part if changed.
	text    string
	changed bool
	cut     int
	counts  *redact.Counts
}

func (o outcome) size() int {
	if o.counts == nil {
		return len(o.text)
	}
	return len(o.text) + countsBytes
}

// countsBytes is about the size of redact.Counts.
const countsBytes = 512

// text redacts and bounds the text of an attribute, a body or a message.
func (p *pass) text(key, s string, c keyClass) (out string, changed, drop bool) {
	out = s
	if !p.redacting && len(s) <= p.cfg.Text.MaxBytes {
		return s, false, false
	}
	if p.redacting && len(s) < minSplitBytes {
		out, changed = p.redactShort(key, s, c)
		drop = p.counts.Drop && !p.dryRun
		return out, changed, drop
	}
	switch {
	case c&classMessages != 0 && isJSON(s):
		out, changed, drop = p.messages(s, c)
	default:
		var o outcome
		o = p.part(s, partKey{hash: maphash.String(p.seed, s), length: uint32(len(s)), scope: p.tenant.scope})
		drop = p.take(&o, c)
		if o.changed {
			out, changed = o.text, true
		}
	}
	if cut, ok := truncate(out, p.cfg.Text.MaxAttributeBytes); ok {
		if p.tooLong(1) {
			out, changed = cut, true
		}
	}
	return out, changed, drop
}

// messages redacts a list of messages one by one: those of earlier turns are
// known.
func (p *pass) messages(s string, c keyClass) (out string, changed, drop bool) {
	p.parts = splitMessages(p.parts[:0], s)
	var b strings.Builder
	from := 0
	for _, at := range p.parts {
		text := s[at.start:at.end]
		if !at.element && isGlue(text) {
			continue
		}
		glued := !at.element && (at.before != nestNone || at.after != nestNone)
		if glued {
			text = wrapped(text, at)
		}
		o := p.part(text, partKey{hash: maphash.String(p.seed, text), length: uint32(len(text)), scope: p.tenant.scope})
		drop = p.take(&o, c) || drop
		if o.changed && glued {
			// What was put around it has nothing that could be changed.
			o.text, o.changed = unwrap(o.text, s[at.start:at.end], at)
		}
		if o.changed {
			b.WriteString(s[from:at.start])
			b.WriteString(o.text)
			from = at.end
		}
	}
	if from == 0 {
		return s, false, drop
	}
	b.WriteString(s[from:])
	return b.String(), true, drop
}

// take adds the outcome of a part to the item.
func (p *pass) take(o *outcome, c keyClass) (drop bool) {
	if o.counts != nil {
		p.note(o.counts, c)
		drop = o.counts.Drop && !p.dryRun
	}
	if o.cut > 0 {
		p.tooLong(o.cut)
	}
	return drop
}

// tooLong notes texts beyond their limit and tells whether they are to be cut.
func (p *pass) tooLong(n int) bool {
	if p.cfg.Text.Action == ActionClamp {
		p.item.truncated += n
		return !p.dryRun
	}
	p.item.tooLong = true
	return false
}

// part redacts and bounds one part, or remembers what became of it.
func (p *pass) part(s string, k partKey) outcome {
	if o, ok := p.redactions.get(k); ok {
		p.tally.hits[cacheRedaction]++
		return o
	}
	p.tally.misses[cacheRedaction]++
	p.tally.scannedBytes += int64(len(s))
	o := outcome{text: s}
	if p.redacting {
		p.counts.Reset()
		if out, changed := p.tenant.redactor.Redact(s, &p.counts); changed {
			o.text, o.changed = out, true
		}
		if p.counts.Total() > 0 {
			found := p.counts
			o.counts = &found
		}
	}
	p.bound(&o)
	if !o.changed {
		o.text = ""
	}
	p.redactions.put(k, o)
	return o
}

// bound cuts a text, or each string of a JSON text, to its limit. It runs after
// redaction, so that no half of a sensitive value stays.
func (p *pass) bound(o *outcome) {
	if len(o.text) <= p.cfg.Text.MaxBytes {
		return
	}
	text := o.text
	if isJSON(text) {
		text, o.cut = truncateStrings(text, p.cfg.Text.MaxBytes)
	} else if cut, ok := truncate(text, p.cfg.Text.MaxBytes); ok {
		text, o.cut = cut, 1
	}
	if o.cut > 0 && p.cfg.Text.Action == ActionClamp && !p.dryRun {
		o.text, o.changed = text, true
	}
}
