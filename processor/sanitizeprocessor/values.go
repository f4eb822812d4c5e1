package sanitizeprocessor

import (
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/llm-devops/llm-sentinel/internal/redact"
)

const (
	// maxDepth of structured values; what lies deeper is replaced, unread.
	maxDepth = 32
	// minNumber is the least number that may be a number of a person or a card.
	minNumber = 10_000_000
	// maxExactDouble is the largest whole number up to which all have a double.
	maxExactDouble = 1 << 53
	// maxContextBytes is the longest value for which the name of its key counts
	// as a word beside it.
	maxContextBytes = 64
	minContextRun   = 7
)

// attributes redacts a map in place.
func (p *pass) attributes(attrs pcommon.Map) {
	p.mapValue(attrs, 0, 0)
}

func (p *pass) mapValue(m pcommon.Map, inherited keyClass, depth int) {
	condemned := len(p.condemned)
	for k, v := range m.All() {
		c := p.keys.class(k)
		if depth > 0 {
			c &^= classMessages
		}
		// Of what is around it counts what part of the call the value is of.
		c |= inherited & classAnswer
		if p.value(k, c, v, depth) {
			p.condemned = append(p.condemned, k)
		}
	}
	for _, k := range p.condemned[condemned:] {
		m.Remove(k)
	}
	p.condemned = p.condemned[:condemned]
}

// maxOwnCount is above the counts of one item, and below numbers of persons.
const maxOwnCount = 1_000_000

// value redacts v in place and tells whether its attribute must go.
func (p *pass) value(key string, c keyClass, v pcommon.Value, depth int) (drop bool) {
	if c&classAllowed != 0 || c&classOwn != 0 && v.Type() == pcommon.ValueTypeInt && v.Int() < maxOwnCount {
		return false
	}
	if c&classSecret != 0 && p.redacting {
		return p.secret(c, v)
	}
	switch v.Type() {
	case pcommon.ValueTypeStr:
		s := v.Str()
		if plain(s) && !p.extraRules || c&classProtected != 0 && protected(c, s) {
			return false
		}
		out, changed, drop := p.text(key, s, c)
		if changed {
			v.SetStr(out)
		}
		return drop
	case pcommon.ValueTypeInt:
		if n := v.Int(); p.redacting && c&classProtected == 0 && (n >= minNumber || n <= -minNumber) {
			return p.number(key, strconv.FormatInt(n, 10), v)
		}
	case pcommon.ValueTypeDouble:
		if f := v.Double(); p.redacting && c&classProtected == 0 && f >= minNumber && f <= maxExactDouble && f == math.Trunc(f) {
			return p.number(key, strconv.FormatFloat(f, 'f', 0, 64), v)
		}
	case pcommon.ValueTypeMap:
		if p.tooDeep(depth, v) {
			return false
		}
		p.mapValue(v.Map(), c, depth+1)
	case pcommon.ValueTypeSlice:
		if p.tooDeep(depth, v) {
			return false
		}
		list := v.Slice()
		for i := range list.Len() {
			if p.value(key, c&^classMessages, list.At(i), depth+1) {
				drop = true
			}
		}
		return drop
	case pcommon.ValueTypeBytes:
		return p.bytes(key, c, v)
	}
	return false
}

func (p *pass) tooDeep(depth int, v pcommon.Value) bool {
	if depth < maxDepth || !p.redacting {
		return depth >= maxDepth
	}
	p.counts.Reset()
	p.counts.Add(redact.Unscanned, 1)
	p.note(&p.counts, 0)
	if !p.dryRun {
		v.SetStr(redactedMark)
	}
	return true
}

// secret replaces the value of a key that names a credential.
func (p *pass) secret(c keyClass, v pcommon.Value) (drop bool) {
	switch v.Type() {
	case pcommon.ValueTypeEmpty, pcommon.ValueTypeBool:
		return false
	case pcommon.ValueTypeStr:
		if masked(v.Str()) {
			return false
		}
	}
	p.counts.Reset()
	p.counts.Add(redact.SecretAssignment, 1)
	p.note(&p.counts, c)
	if !p.dryRun {
		v.SetStr(redactedMark)
	}
	return false
}

// redactedMark stands for the value of a key that names a credential.
const redactedMark = "[REDACTED]"

// masked tells whether a value is empty, or a mark already.
func masked(s string) bool {
	return strings.Trim(s, "*x. ") == "" || s[0] == '[' && s[len(s)-1] == ']' && len(s) <= 64 && strings.ToUpper(s) == s ||
		s[0] == '<' && s[len(s)-1] == '>' && len(s) <= 64
}

// number redacts a number that was written out in digits.
func (p *pass) number(key, digits string, v pcommon.Value) (drop bool) {
	out, changed := p.redactShort(key, digits, 0)
	if changed {
		v.SetStr(out)
	}
	return p.counts.Drop && !p.dryRun
}

// bytes redacts bytes that are text. Others, such as images, are left alone.
func (p *pass) bytes(key string, c keyClass, v pcommon.Value) (drop bool) {
	raw := v.Bytes().AsRaw()
	if len(raw) < 6 || !utf8.Valid(raw) {
		return false
	}
	out, changed, drop := p.text(key, string(raw), c)
	if changed {
		v.SetEmptyBytes().FromRaw([]byte(out))
	}
	return drop
}

// redactShort redacts a text of one value, with the name of its key as a word
// beside it. What was found is in p.counts and noted.
func (p *pass) redactShort(key, s string, c keyClass) (string, bool) {
	p.counts.Reset()
	out, changed := p.tenant.redactor.Redact(s, &p.counts)
	if !changed && len(s) <= maxContextBytes && key != "" && digitsIn(s) >= minContextRun && p.counts.Total() == 0 {
		prefix := key + ": "
		var named string
		if named, changed = p.tenant.redactor.Redact(prefix+s, &p.counts); changed {
			if out, changed = strings.CutPrefix(named, prefix); !changed {
				out = s
				p.counts.Reset()
			}
		}
	}
	if p.counts.Total() > 0 {
		p.note(&p.counts, c)
	}
	return out, changed
}

func digitsIn(s string) (n int) {
	for i := range len(s) {
		if isDigit(s[i]) {
			n++
		}
	}
	return n
}
