package redact

import (
	"encoding/json"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
	"unsafe"
)

// maxDepth is how many levels of JSON in strings are followed; each level of quoting
// at least doubles the escapes, so no real text has more.
const maxDepth = 16

// view is a text of JSON with the escapes of its strings, and of JSON in them, undone,
// and where each of its bytes comes from.
type view struct {
	text []byte
	// from[i] is where byte i of text begins in the source; from[len(text)] is its
	// end. Bytes of one escape have the same source.
	from []int32
	// leaves are strings that hold no JSON, and numbers; they ascend.
	leaves []leaf
}

// leaf is a part of a view in which a value may be replaced.
type leaf struct {
	start, end int
	// number is the depth of quoting plus one, for a number; 0 for a string.
	number int
}

// mayBeJSON tells whether text begins like an object, an array or a string.
func mayBeJSON(text string) bool {
	for i := range len(text) {
		switch text[i] {
		case ' ', '\n', '\r', '\t':
		case '{', '[', '"':
			return true
		default:
			return false
		}
	}
	return false
}

// json redacts a text of JSON; ok is false when it is none.
func (r *Redactor) json(text string, buf *[]Match, counts *Counts, first bool) (out string, changed, ok bool) {
	escaped := strings.IndexByte(text, '\\') >= 0
	if !escaped {
		// Without escapes the text is its own view: most are clean.
		if *buf = r.scanner.Scan((*buf)[:0], text); len(*buf) == 0 {
			return text, false, true
		}
	}
	if len(text) > 1<<30 || !json.Valid(unsafe.Slice(unsafe.StringData(text), len(text))) { //nolint:gosec // Valid only reads
		return "", false, false
	}
	v := &view{text: make([]byte, 0, len(text)), from: make([]int32, 0, len(text)+1)}
	v.value(source{text: text}, 0)
	v.from = append(v.from, int32(len(text)))
	flat := unsafe.String(unsafe.SliceData(v.text), len(v.text)) //nolint:gosec // v.text does not change any more
	if escaped {
		if *buf = r.scanner.Scan((*buf)[:0], flat); len(*buf) == 0 {
			return text, false, true
		}
	}
	out, changed = r.replace(text, flat, v, *buf, counts, first)
	return out, changed, true
}

// replace writes text with the matches in its view replaced, leaf by leaf.
func (r *Redactor) replace(text, flat string, v *view, found []Match, counts *Counts, first bool) (string, bool) {
	var b strings.Builder
	done, k := 0, 0
	for _, m := range found {
		for k < len(v.leaves) && v.leaves[k].end <= m.Start {
			k++
		}
		if k == len(v.leaves) || v.leaves[k].start >= m.End {
			continue // only the signs of JSON itself
		}
		if !r.count(m, counts, first) {
			continue
		}
		for i := k; i < len(v.leaves) && v.leaves[i].start < m.End; i++ {
			l := v.leaves[i]
			start, end := max(m.Start, l.start), min(m.End, l.end)
			with := r.replacement(m.Type, flat[start:end])
			if l.number > 0 {
				start, end = l.start, l.end
				q := quote(l.number - 1)
				with = q + with + q
			}
			lo, hi := int(v.from[start]), int(v.from[end])
			if lo < done {
				continue // a number that is replaced already
			}
			b.WriteString(text[done:lo])
			b.WriteString(with)
			done = hi
		}
	}
	if done == 0 {
		return text, false
	}
	b.WriteString(text[done:])
	return b.String(), true
}

// quote returns a quotation mark inside depth levels of strings.
func quote(depth int) string {
	return strings.Repeat(`\`, 1<<depth-1) + `"`
}

// source is a level of JSON: its text, and where its bytes come from (nil: they are
// the source itself).
type source struct {
	text string
	from []int32
}

func (s source) at(i int) int32 {
	if s.from == nil {
		return int32(i)
	}
	return s.from[i]
}

// value copies valid JSON into the view.
func (v *view) value(s source, depth int) {
	for i := 0; i < len(s.text); {
		switch b := s.text[i]; {
		case b == '"':
			v.put(s, i)
			i = v.str(s, i+1, depth)
		case b == '-' || isDigit(b):
			start := len(v.text)
			for i < len(s.text) && (isDigit(s.text[i]) || strings.IndexByte("+-.eE", s.text[i]) >= 0) {
				v.put(s, i)
				i++
			}
			v.leaves = append(v.leaves, leaf{start, len(v.text), depth + 1})
		default:
			v.put(s, i)
			i++
		}
	}
}

func (v *view) put(s source, i int) {
	v.text = append(v.text, s.text[i])
	v.from = append(v.from, s.at(i))
}

// copy is put for all of s.text[i:k].
func (v *view) copy(s source, i, k int) {
	v.text = append(v.text, s.text[i:k]...)
	if s.from != nil {
		v.from = append(v.from, s.from[i:k]...)
		return
	}
	for ; i < k; i++ {
		v.from = append(v.from, int32(i))
	}
}

// str copies the string whose content begins at i, with its closing quotation mark,
// and returns where to go on. A string that holds an object or an array is followed.
func (v *view) str(s source, i, depth int) int {
	start := len(v.text)
	escaped := false
	for {
		k := i
		for s.text[k] != '"' && s.text[k] != '\\' {
			k++
		}
		v.copy(s, i, k)
		if i = k; s.text[i] == '"' {
			break
		}
		escaped = true
		i = v.escape(s, i)
	}
	inner := v.text[start:]
	if k := skipSpace(inner); depth < maxDepth && k < len(inner) && (inner[k] == '{' || inner[k] == '[' || inner[k] == '"' && escaped) && json.Valid(inner) {
		next := source{text: string(inner), from: append(append([]int32(nil), v.from[start:]...), s.at(i))}
		v.text, v.from = v.text[:start], v.from[:start]
		v.value(next, depth+1)
	} else {
		v.leaves = append(v.leaves, leaf{start, len(v.text), 0})
	}
	v.put(s, i)
	return i + 1
}

func skipSpace(b []byte) int {
	i := 0
	for i < len(b) && (b[i] == ' ' || b[i] == '\n' || b[i] == '\r' || b[i] == '\t') {
		i++
	}
	return i
}

// escape copies what the escape sequence at i stands for.
func (v *view) escape(s source, i int) int {
	at := s.at(i)
	add := func(bytes ...byte) {
		for _, b := range bytes {
			v.text = append(v.text, b)
			v.from = append(v.from, at)
		}
	}
	switch b := s.text[i+1]; b {
	case 'n':
		add('\n')
	case 't':
		add('\t')
	case 'r':
		add('\r')
	case 'b':
		add('\b')
	case 'f':
		add('\f')
	case 'u':
		c := hex4(s.text[i+2:])
		n := i + 6
		if utf16.IsSurrogate(c) {
			pair := rune(utf8.RuneError)
			if n+6 <= len(s.text) && s.text[n] == '\\' && s.text[n+1] == 'u' {
				pair = utf16.DecodeRune(c, hex4(s.text[n+2:]))
			}
			if pair != utf8.RuneError {
				n += 6
			}
			c = pair
		}
		add(utf8.AppendRune(nil, c)...)
		return n
	default:
		add(b)
	}
	return i + 2
}

func hex4(s string) rune {
	r := rune(0)
	for i := range 4 {
		d := rune(s[i]) | 0x20
		if d >= 'a' {
			d -= 'a' - 10
		} else {
			d = rune(s[i]) - '0'
		}
		r = r<<4 | d
	}
	return r
}
