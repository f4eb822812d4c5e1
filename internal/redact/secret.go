package redact

import (
	"strings"
	"sync"
)

// Bytes around a keyword in which an expression is tried. A match that touches the
// end is tried again with more.
const (
	windowBefore = 160
	windowAfter  = 640
	maxWindow    = 256 << 10
)

// tried holds, by rule, up to where an expression has been tried: keywords well
// before that are not tried again. Otherwise a text of nothing but keywords would take
// the time of a window for each of them.
type tried []int

var triedPool = sync.Pool{New: func() any { return new(tried) }}

// scanKeywords runs the automaton over text and the rules around what it finds.
func (s *Scanner) scanKeywords(dst []Match, text string) []Match {
	a := s.keywords
	if a == nil {
		return dst
	}
	next, outputs, state := a.next, a.outputs, uint32(0)
	var done *tried
	for i := range len(text) {
		state = next[state+uint32(a.classes[text[i]])]
		if state < outputs {
			continue
		}
		for _, h := range a.hits[(state-outputs)/stride] {
			r := s.rules[h.rule]
			start, end := i+1-h.length, i+1
			if !r.promising(text, start, end) {
				continue
			}
			if done == nil {
				done = triedPool.Get().(*tried)
				*done = append((*done)[:0], make([]int, len(s.rules))...)
			}
			if end <= (*done)[h.rule] {
				continue
			}
			m, to, ok := r.match(text, start, end)
			if ok {
				dst = append(dst, m)
			}
			(*done)[h.rule] = to
		}
	}
	if done != nil {
		triedPool.Put(done)
	}
	return dst
}

// promising tells whether there is something long enough at the keyword text[start:end].
func (r *secretRule) promising(text string, start, end int) bool {
	switch {
	case r.typ == SecretConnectionString && text[start:end] == "://" && !userInfo(text, end):
		return false
	case r.run > 0 && !r.worthwhile(text, start, end):
		return false
	}
	return r.ahead == 0 || follows(text, end, r.ahead)
}

// match tries the rule around its keyword text[start:end]. done is up to where keywords
// need not be tried again.
func (r *secretRule) match(text string, start, end int) (found Match, done int, ok bool) {
	from := start
	if !r.named {
		from = cutRune(text, max(0, start-windowBefore))
	}
	for after := windowAfter; ; {
		to := len(text)
		if end+after < to {
			to = cutRune(text, end+after)
		}
		m := r.re.FindStringSubmatchIndex(text[from:to])
		if m == nil {
			if r.named {
				return Match{}, end, false
			}
			return Match{}, to - windowAfter/2, false
		}
		if from+m[1] == to && to < len(text) && after < maxWindow {
			after *= 8
			continue
		}
		if from+m[1] <= start && m[1] > 0 && !r.named {
			from += m[1] // what stands in front of this keyword
			continue
		}
		found, ok = r.judge(text, from, m)
		if !ok {
			return Match{}, end, false
		}
		return found, found.End, true
	}
}

// userInfo tells whether a name, a colon, a password and '@' may stand at i.
func userInfo(text string, i int) bool {
	colon := false
	for ; i < len(text) && tokenByte(text[i]) && text[i] != '/' && text[i] != '\\'; i++ {
		switch text[i] {
		case ':':
			colon = true
		case '@':
			return colon
		}
	}
	// A password may have letters of other scripts.
	return colon && i < len(text) && text[i] >= 0x7F
}

// worthwhile tells whether the word (or value) at the keyword is long enough.
func (r *secretRule) worthwhile(text string, start, end int) bool {
	if r.named {
		i := end
		for n := 0; n < 24 && i < len(text) && class[text[i]]&cKeyword != 0; n++ {
			i++
		}
		operator := false
		for n := 0; n < 14 && i < len(text) && strings.IndexByte("\n '\"`=:>|?,\\", text[i]) >= 0; n++ {
			operator = operator || strings.IndexByte("=:>|,", text[i]) >= 0
			i++
		}
		if !operator || i >= len(text) || wordLength(text, i, r.run) < r.run || identifies(text[end:i]) {
			return false
		}
		// Passwords without a digit cannot be told from words of a text or of code.
		return r.typ != SecretAssignment || hasDigit(text[i:i+wordLength(text, i, 200)])
	}
	for start > 0 && end-start < r.run && tokenByte(text[start-1]) {
		start--
	}
	return wordLength(text, start, r.run) >= r.run
}

// identifies tells whether the rest of a name says that its value is an id or a hash, as
// in vendor_trace_id.
func identifies(name string) bool {
	var buf [40]byte
	n := lower(buf[:], name)
	return hasWord(buf[:n], []string{"id", "ids", "uuid", "trace", "span", "request", "hash", "sha", "md5", "digest", "commit", "version"})
}

// follows tells whether a word of at least n bytes begins soon behind i.
func follows(text string, i, n int) bool {
	for limit := min(len(text), i+32); i < limit; {
		k := wordLength(text, i, n)
		if k >= n {
			return true
		}
		i += k + 1
	}
	return false
}

// wordLength returns the number of bytes of a token at i, up to limit.
func wordLength(text string, i, limit int) int {
	n := 0
	for i+n < len(text) && n < limit && tokenByte(text[i+n]) {
		n++
	}
	return n
}

// tokenByte tells whether b may stand in a credential: printable, no space, no quote.
func tokenByte(b byte) bool {
	return b > ' ' && b < 0x7F && b != '"' && b != '\'' && b != '`' && b != '<' && b != '>'
}

// judge turns submatches of text[from:] into a match, if entropy and allow lists agree.
func (r *secretRule) judge(text string, from int, m []int) (Match, bool) {
	lo, hi := m[0], m[1]
	switch {
	case r.group > 0 && m[2*r.group] >= 0:
		lo, hi = m[2*r.group], m[2*r.group+1]
	case r.group == 0:
		for g := 1; g < len(m)/2; g++ {
			if m[2*g] >= 0 && m[2*g+1] > m[2*g] {
				lo, hi = m[2*g], m[2*g+1]
				break
			}
		}
	}
	if hi <= lo {
		return Match{}, false
	}
	secret := text[from+lo : from+hi]
	if r.entropy > 0 && entropy(secret) <= r.entropy {
		return Match{}, false
	}
	for i := range r.allows {
		a := &r.allows[i]
		line := ""
		if a.target == "line" {
			line = lineAt(text, from+m[0], from+m[1])
		}
		if a.permits(secret, text[from+m[0]:from+m[1]], line) {
			return Match{}, false
		}
	}
	return Match{from + lo, from + hi, r.typ, r.id}, true
}

func lineAt(text string, start, end int) string {
	lo := strings.LastIndexByte(text[:start], '\n') + 1
	hi := len(text)
	if k := strings.IndexByte(text[end:], '\n'); k >= 0 {
		hi = end + k
	}
	return text[lo:hi]
}
