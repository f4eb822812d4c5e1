package redact

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"sync"
	"unicode/utf8"
)

const (
	// MinKeyBytes is the least length of the key for HMAC.
	MinKeyBytes = 16
	// tokenHex are the hexadecimal digits of a pseudonym: 64 bits, so that chance
	// gives one to two values of some billions.
	tokenHex  = 16
	tokenMark = ":hmac:"
	// maxRounds bounds how often a text is looked at again after a change.
	maxRounds = 6
)

// Redactor replaces what a Scanner finds. It is safe for concurrent use.
type Redactor struct {
	scanner *Scanner
	actions [numTypes]Action
	key     []byte
	scope   string
	marks   [numTypes]string
	// tagging says that some type is TagOnly.
	tagging bool
}

// NewRedactor returns a Redactor. actions are by name of a type or group ("pii",
// "secret", "all"); a type's own name goes before a group, and "pii" and "secret" before
// "all". Without one a type is masked. key is needed for HMAC, at least MinKeyBytes long;
// it is kept, not copied out or logged. scope separates tenants: the same value has
// other pseudonyms in other scopes.
func NewRedactor(s *Scanner, actions map[string]Action, key []byte, scope string) (*Redactor, error) {
	if s == nil {
		return nil, errors.New("scanner must not be nil")
	}
	r := &Redactor{scanner: s, key: append([]byte(nil), key...), scope: scope}
	for name := range actions {
		var one typeSet
		if err := one.addNames("actions", []string{name}); err != nil {
			return nil, err
		}
	}
	for t := range numTypes {
		group := "pii"
		if t.Secret() {
			group = "secret"
		}
		r.actions[t] = Mask
		for _, name := range []string{t.String(), group, group + "s", "all", "*"} {
			a, ok := actions[name]
			if !ok {
				continue
			}
			if a >= numActions {
				return nil, fmt.Errorf("actions: %s: unknown action %d", name, a)
			}
			r.actions[t] = a
			break
		}
		if t == Unscanned && r.actions[t] == HMAC {
			r.actions[t] = Mask
		}
		if r.actions[t] == HMAC && len(key) < MinKeyBytes {
			return nil, fmt.Errorf("key must have at least %d bytes for the action hmac of %s, got %d", MinKeyBytes, t, len(key))
		}
		r.tagging = r.tagging || r.actions[t] == TagOnly
		r.marks[t] = "[" + strings.ToUpper(strings.NewReplacer(".", "_").Replace(t.String())) + "_REDACTED]"
	}
	return r, nil
}

// WithScope returns a Redactor for another scope; it shares the rest.
func (r *Redactor) WithScope(scope string) *Redactor {
	c := *r
	c.scope = scope
	return &c
}

// Action returns what happens to values of type t.
func (r *Redactor) Action(t Type) Action {
	if t >= numTypes {
		return Mask
	}
	return r.actions[t]
}

var matchPool = sync.Pool{New: func() any { return new([]Match) }}

// Redact replaces what is found in text, adds to counts (which may be nil), and tells
// whether the text changed; it returns the same string when it did not. A text that
// is JSON stays JSON: values are found and replaced in strings inside strings, at any
// depth, and a number becomes a string. The result is looked at again until
// nothing is found, so a second call changes nothing. What is longer than
// Options.MaxTextBytes is cut there, marked, and counted as Unscanned.
func (r *Redactor) Redact(text string, counts *Counts) (string, bool) {
	var scratch Counts
	if counts == nil {
		counts = &scratch
	}
	changed := false
	if len(text) > r.scanner.maxText {
		counts.Add(Unscanned, 1)
		counts.Drop = counts.Drop || r.actions[Unscanned] == DropAttribute
		if r.actions[Unscanned] != TagOnly {
			mark := r.marks[Unscanned]
			if !strings.HasSuffix(text, mark) || len(text) > r.scanner.maxText+len(mark) {
				text = text[:cutRune(text, r.scanner.maxText)] + mark
				changed = true
			}
		}
	}
	buf := matchPool.Get().(*[]Match)
	defer matchPool.Put(buf)
	for round := range maxRounds {
		*buf = (*buf)[:0]
		out, did := r.once(text, buf, counts, round == 0)
		if !did {
			break
		}
		text, changed = out, true
	}
	return text, changed
}

// once replaces what is found in one look at text.
func (r *Redactor) once(text string, buf *[]Match, counts *Counts, first bool) (string, bool) {
	if mayBeJSON(text) {
		if out, did, ok := r.json(text, buf, counts, first); ok {
			return out, did
		}
	}
	*buf = r.scanner.Scan((*buf)[:0], text)
	if len(*buf) == 0 {
		return text, false
	}
	var b strings.Builder
	from := 0
	for _, m := range *buf {
		if !r.count(m, counts, first) {
			continue
		}
		b.WriteString(text[from:m.Start])
		b.WriteString(r.replacement(m.Type, text[m.Start:m.End]))
		from = m.End
	}
	if from == 0 {
		return text, false
	}
	b.WriteString(text[from:])
	return b.String(), true
}

// count counts a match and tells whether it is to be replaced. What is only tagged
// counts in the first round.
func (r *Redactor) count(m Match, counts *Counts, first bool) bool {
	a := r.actions[m.Type]
	if a == TagOnly && !first {
		return false
	}
	counts.Add(m.Type, 1)
	counts.Drop = counts.Drop || a == DropAttribute
	return a != TagOnly
}

// replacement returns what is written in place of value: ASCII that needs no escape
// in JSON, except for what Partial keeps of a value.
func (r *Redactor) replacement(t Type, value string) string {
	switch r.actions[t] {
	case HMAC:
		return r.pseudonym(t, value)
	case Partial:
		if p, ok := partial(t, value); ok {
			return p
		}
	}
	return r.marks[t]
}

// pseudonym is the beginning of HMAC-SHA256 (RFC 2104) of scope, type and value in
// a form that does not depend on its spelling.
func (r *Redactor) pseudonym(t Type, value string) string {
	mac := hmac.New(sha256.New, r.key)
	mac.Write([]byte(r.scope))
	mac.Write([]byte{0})
	mac.Write([]byte(t.String()))
	mac.Write([]byte{0})
	mac.Write(canonical(t, value))
	return "<" + t.String() + tokenMark + hex.EncodeToString(mac.Sum(nil)[:tokenHex/2]) + ">"
}

// canonical drops separators of numbers, and the case where it has no meaning.
func canonical(t Type, value string) []byte {
	if t.Secret() || t == CryptoAddress {
		return []byte(value)
	}
	low := strings.ToLower(value)
	if t == Email || t == IPAddress {
		return []byte(low)
	}
	out := make([]byte, 0, len(low))
	for i := range len(low) {
		if class[low[i]]&(cDigit|cLetter) != 0 || t == Phone && low[i] == '+' && i == 0 {
			out = append(out, low[i])
		}
	}
	return out
}

// partial keeps a part of value behind asterisks.
func partial(t Type, value string) (string, bool) {
	if t.Secret() || t == Unscanned {
		return "", false
	}
	if t == Email {
		at := strings.LastIndexByte(value, '@')
		if at < 2 || !utf8.ValidString(value) || value[0] >= utf8.RuneSelf {
			return "", false
		}
		return value[:1] + "***" + value[at:], true
	}
	signs := 0
	for i := range len(value) {
		if class[value[i]]&(cDigit|cLetter) != 0 {
			signs++
		}
	}
	keep := min(4, signs/3)
	tail := make([]byte, 0, 4)
	for i := len(value) - 1; i >= 0 && len(tail) < keep; i-- {
		if value[i] < utf8.RuneSelf && class[value[i]]&(cDigit|cLetter) != 0 {
			tail = append(tail, value[i])
		}
	}
	if keep == 0 {
		return "", false
	}
	for i, j := 0, len(tail)-1; i < j; i, j = i+1, j-1 {
		tail[i], tail[j] = tail[j], tail[i]
	}
	return "***" + string(tail), true
}
