package genai

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"go.opentelemetry.io/collector/pdata/pcommon"
)

// How much JSON text is scanned. What is behind is treated as cut off.
const (
	maxJSONBytes        = 64 << 10 // for a number or a name
	maxContentJSONBytes = 1 << 20  // for prompts and answers
)

type stepKind uint8

const (
	stepMember stepKind = iota
	stepAny             // any member
	stepEach            // every element
)

type step struct {
	kind stepKind
	name string
}

var errEmptyPath = errors.New("path has an empty member name")

// parsePath reads the notation of selector.json.
func parsePath(path string) ([]step, error) {
	var steps []step
	for part := range strings.SplitSeq(path, ".") {
		name := strings.TrimRight(part, "[]")
		arrays := part[len(name):]
		if strings.ReplaceAll(arrays, "[]", "") != "" {
			return nil, fmt.Errorf("path %q: %q is no array mark", path, arrays)
		}
		switch {
		case name == "*":
			steps = append(steps, step{kind: stepAny})
		case name != "":
			steps = append(steps, step{name: name})
		case arrays == "":
			return nil, fmt.Errorf("%w: %q", errEmptyPath, path)
		}
		for range len(arrays) / 2 {
			steps = append(steps, step{kind: stepEach})
		}
	}
	return steps, nil
}

// sink takes what a path leads to: all text for a content, else the first value.
type sink struct {
	content *content
	prio    uint8
	limit   int

	first scalar
}

// put reports whether to go on.
func (k *sink) put(s scalar) bool {
	if k.content != nil {
		return s.kind != scalarText || k.content.add(s.text, k.prio, k.limit)
	}
	if s.kind == scalarNone {
		return true
	}
	k.first = s
	return false
}

// walkValue follows the path through structured values and JSON text.
func walkValue(v pcommon.Value, steps []step, out *sink) bool {
	if len(steps) == 0 {
		return out.put(scalarOf(v))
	}
	s := steps[0]
	switch v.Type() {
	case pcommon.ValueTypeStr:
		n := maxJSONBytes
		if out.content != nil {
			n = maxContentJSONBytes
		}
		j := jsonText{s: limit(v.Str(), n)}
		return j.walk(steps, out)
	case pcommon.ValueTypeMap:
		switch s.kind {
		case stepMember:
			if m, ok := v.Map().Get(s.name); ok {
				return walkValue(m, steps[1:], out)
			}
		case stepAny:
			for _, m := range v.Map().All() {
				if !walkValue(m, steps[1:], out) {
					return false
				}
			}
		}
	case pcommon.ValueTypeSlice:
		if s.kind == stepEach {
			for _, e := range v.Slice().All() {
				if !walkValue(e, steps[1:], out) {
					return false
				}
			}
		}
	}
	return true
}

// sumMembers adds up the numeric members whose name contains word.
func sumMembers(v pcommon.Value, word string) scalar {
	var sum scalar
	take := func(name string, s scalar) {
		if n, _, ok := s.number(); ok && strings.Contains(strings.ToLower(name), word) {
			sum.kind = scalarDouble
			sum.num += n
		}
	}
	switch v.Type() {
	case pcommon.ValueTypeMap:
		for k, m := range v.Map().All() {
			take(k, scalarOf(m))
		}
	case pcommon.ValueTypeStr:
		j := jsonText{s: limit(v.Str(), maxJSONBytes)}
		j.members(func(name string) bool {
			var out sink
			ok := j.walk(nil, &out)
			take(name, out.first)
			return ok || out.first.kind != scalarNone
		})
	}
	return sum
}

// jsonText scans JSON that may be cut off or otherwise broken: it gives what
// can be read up to the first fault. It does not recurse into values that no
// path asks for, so that deep nesting costs no stack.
type jsonText struct {
	s string
	i int
}

// walk follows the path from the value at hand. It is false when the scan is
// over: the text is broken, or the sink has enough.
func (j *jsonText) walk(steps []step, out *sink) bool {
	j.space()
	if j.i >= len(j.s) {
		return false
	}
	if len(steps) == 0 {
		return j.emit(out)
	}
	s := steps[0]
	switch c := j.s[j.i]; {
	case c == '{' && s.kind != stepEach:
		return j.members(func(name string) bool {
			if s.kind == stepAny || name == s.name {
				return j.walk(steps[1:], out)
			}
			return j.skip()
		})
	case c == '[' && s.kind == stepEach:
		j.i++
		for {
			j.space()
			if j.i >= len(j.s) {
				return false
			}
			switch j.s[j.i] {
			case ']':
				j.i++
				return true
			case ',':
				j.i++
			default:
				if !j.walk(steps[1:], out) {
					return false
				}
			}
		}
	default:
		return j.skip()
	}
}

// members calls visit for each member of the object at hand, placed at its value.
func (j *jsonText) members(visit func(name string) bool) bool {
	j.space()
	if j.i >= len(j.s) || j.s[j.i] != '{' {
		return false
	}
	j.i++
	for {
		j.space()
		if j.i >= len(j.s) {
			return false
		}
		switch j.s[j.i] {
		case '}':
			j.i++
			return true
		case ',':
			j.i++
		case '"':
			name, closed := j.raw()
			j.space()
			if !closed || j.i >= len(j.s) || j.s[j.i] != ':' {
				return false
			}
			j.i++
			if !visit(name) {
				return false
			}
		default:
			return false
		}
	}
}

func (j *jsonText) emit(out *sink) bool {
	switch j.s[j.i] {
	case '"':
		raw, closed := j.raw()
		if !closed && out.content == nil {
			return false // half a name is no name, but half a prompt is one
		}
		return (raw == "" || out.put(scalar{kind: scalarText, text: unescape(raw)})) && closed
	case '{', '[':
		return j.skip()
	}
	word := j.word()
	var s scalar
	switch word {
	case "":
		return false
	case "null":
		return true
	case "true", "false":
		s.kind = scalarBool
		if word == "true" {
			s.int = 1
		}
	default:
		if n, err := strconv.ParseInt(limit(word, maxNumberText), 10, 64); err == nil {
			s = scalar{kind: scalarInt, int: n}
		} else if f, err := strconv.ParseFloat(limit(word, maxNumberText), 64); err == nil {
			s = scalar{kind: scalarDouble, num: f}
		} else {
			return false
		}
	}
	return out.put(s)
}

// skip passes over the value at hand.
func (j *jsonText) skip() bool {
	j.space()
	depth := 0
	for j.i < len(j.s) {
		switch j.s[j.i] {
		case '"':
			if _, closed := j.raw(); !closed {
				return false
			}
		case '{', '[':
			depth++
			j.i++
		case '}', ']':
			depth--
			j.i++
		case ' ', '\t', '\n', '\r', ',', ':':
			j.i++
			continue
		default:
			if j.word() == "" {
				return false
			}
		}
		if depth <= 0 {
			return depth == 0
		}
	}
	return false
}

func (j *jsonText) space() {
	for j.i < len(j.s) {
		switch j.s[j.i] {
		case ' ', '\t', '\n', '\r':
			j.i++
		default:
			return
		}
	}
}

// word takes a number or a literal.
func (j *jsonText) word() string {
	start := j.i
	for j.i < len(j.s) && strings.IndexByte(" \t\n\r,:]}[{\"", j.s[j.i]) < 0 {
		j.i++
	}
	return j.s[start:j.i]
}

// raw takes the string at hand without its quotes, escapes left in.
func (j *jsonText) raw() (s string, closed bool) {
	start := j.i + 1
	for p := start; ; p++ {
		k := strings.IndexByte(j.s[p:], '"')
		if k < 0 {
			j.i = len(j.s)
			return j.s[start:], false
		}
		p += k
		slashes := 0
		for p-slashes > start && j.s[p-slashes-1] == '\\' {
			slashes++
		}
		if slashes%2 == 0 {
			j.i = p + 1
			return j.s[start:p], true
		}
	}
}

const escapes = `"\/bfnrt`

// unescape resolves the escapes of a JSON string; broken ones stay as they are.
func unescape(s string) string {
	i := strings.IndexByte(s, '\\')
	if i < 0 {
		return s
	}
	b := make([]byte, 0, len(s))
	for ; i >= 0; i = strings.IndexByte(s, '\\') {
		b = append(b, s[:i]...)
		s = s[i:]
		if len(s) < 2 {
			break
		}
		if k := strings.IndexByte(escapes, s[1]); k >= 0 {
			b = append(b, "\"\\/\b\f\n\r\t"[k])
			s = s[2:]
			continue
		}
		r, n := unicodeEscape(s)
		if n == 0 {
			b = append(b, s[:2]...)
			s = s[2:]
			continue
		}
		b = utf8.AppendRune(b, r)
		s = s[n:]
	}
	return string(append(b, s...))
}

// unicodeEscape reads \uXXXX, or a pair of surrogates, at the start of s.
func unicodeEscape(s string) (r rune, n int) {
	r, ok := hex4(s)
	if !ok {
		return 0, 0
	}
	if utf16.IsSurrogate(r) {
		if second, ok := hex4(s[6:]); ok {
			if pair := utf16.DecodeRune(r, second); pair != utf8.RuneError {
				return pair, 12
			}
		}
		return utf8.RuneError, 6
	}
	return r, 6
}

func hex4(s string) (rune, bool) {
	if len(s) < 6 || s[0] != '\\' || s[1] != 'u' {
		return 0, false
	}
	n, err := strconv.ParseUint(s[2:6], 16, 32)
	return rune(n), err == nil
}
