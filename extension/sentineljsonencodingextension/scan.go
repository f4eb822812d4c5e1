package sentineljsonencodingextension

import (
	"bytes"
	"encoding/json"
	"strings"
	"unicode/utf8"
)

// scanner walks over JSON (RFC 8259) without building it. Beyond the standard
// it reads NaN, Infinity and -Infinity as numbers, which some serialisers write,
// so that the value that carries one can be named.
type scanner struct {
	data     []byte
	pos      int
	maxDepth int
}

// kindOf tells the kind of a value that the scanner accepted by its first byte.
type valueKind uint8

const (
	kindNull valueKind = iota
	kindBool
	kindNumber
	kindString
	kindObject
	kindArray
)

var kindNames = [...]string{"null", "a boolean", "a number", "a string", "an object", "an array"}

func kindOf(raw []byte) valueKind {
	switch raw[0] {
	case '"':
		return kindString
	case '{':
		return kindObject
	case '[':
		return kindArray
	case 't', 'f':
		return kindBool
	case 'n':
		return kindNull
	default:
		return kindNumber
	}
}

func (s *scanner) space() {
	for s.pos < len(s.data) {
		switch s.data[s.pos] {
		case ' ', '\t', '\n', '\r':
			s.pos++
		default:
			return
		}
	}
}

func (s *scanner) unexpected(want string) *poisonError {
	if s.pos >= len(s.data) {
		return poisonf(reasonInvalidJSON, "invalid JSON: ends at byte %d, expected %s", s.pos, want)
	}
	return poisonf(reasonInvalidJSON, "invalid JSON: byte 0x%02x at %d, expected %s", s.data[s.pos], s.pos, want)
}

// value passes over the next value, at depth levels of nesting, and returns it
// as it stands.
func (s *scanner) value(depth int) ([]byte, *poisonError) {
	s.space()
	start := s.pos
	if s.pos == len(s.data) {
		return nil, s.unexpected("a value")
	}
	var err *poisonError
	switch c := s.data[s.pos]; {
	case c == '{':
		err = s.object(depth, func(_, _ []byte) *poisonError { return nil })
	case c == '[':
		err = s.array(depth, func([]byte) *poisonError { return nil })
	case c == '"':
		err = s.text()
	case c == '-' || c >= '0' && c <= '9':
		err = s.number()
	default:
		err = s.word("null", "true", "false", "NaN", "Infinity")
	}
	if err != nil {
		return nil, err
	}
	return s.data[start:s.pos], nil
}

func (s *scanner) word(words ...string) *poisonError {
	for _, w := range words {
		if len(s.data)-s.pos >= len(w) && string(s.data[s.pos:s.pos+len(w)]) == w {
			s.pos += len(w)
			return nil
		}
	}
	return s.unexpected("a value")
}

func (s *scanner) digits() bool {
	start := s.pos
	for s.pos < len(s.data) && s.data[s.pos] >= '0' && s.data[s.pos] <= '9' {
		s.pos++
	}
	return s.pos > start
}

func (s *scanner) number() *poisonError {
	if s.data[s.pos] == '-' {
		s.pos++
		if s.pos < len(s.data) && s.data[s.pos] == 'I' {
			return s.word("Infinity")
		}
	}
	if s.pos < len(s.data) && s.data[s.pos] == '0' {
		s.pos++
	} else if !s.digits() {
		return s.unexpected("a digit")
	}
	if s.pos < len(s.data) && s.data[s.pos] == '.' {
		s.pos++
		if !s.digits() {
			return s.unexpected("a digit")
		}
	}
	if s.pos < len(s.data) && (s.data[s.pos] == 'e' || s.data[s.pos] == 'E') {
		s.pos++
		if s.pos < len(s.data) && (s.data[s.pos] == '+' || s.data[s.pos] == '-') {
			s.pos++
		}
		if !s.digits() {
			return s.unexpected("a digit")
		}
	}
	return nil
}

func (s *scanner) text() *poisonError {
	s.pos++
	for s.pos < len(s.data) {
		switch c := s.data[s.pos]; {
		case c == '"':
			s.pos++
			return nil
		case c < 0x20:
			return s.unexpected("no control character in a string")
		case c == '\\':
			if err := s.escape(); err != nil {
				return err
			}
		default:
			s.pos++
		}
	}
	return s.unexpected("the end of a string")
}

func (s *scanner) escape() *poisonError {
	s.pos++
	if s.pos == len(s.data) {
		return s.unexpected("an escape")
	}
	if s.data[s.pos] != 'u' {
		if !strings.ContainsRune(`"\/bfnrt`, rune(s.data[s.pos])) {
			return s.unexpected("an escape")
		}
		s.pos++
		return nil
	}
	s.pos++
	for range 4 {
		if s.pos == len(s.data) || !strings.ContainsRune("0123456789abcdefABCDEF", rune(s.data[s.pos])) {
			return s.unexpected("a hexadecimal digit")
		}
		s.pos++
	}
	return nil
}

// enter checks the nesting of the object or array that begins here.
func (s *scanner) enter(depth int) *poisonError {
	if depth >= s.maxDepth {
		return poisonf(reasonTooDeep, "nested deeper than max_depth (%d) at byte %d", s.maxDepth, s.pos)
	}
	s.pos++
	s.space()
	return nil
}

// next passes over a comma, or the given end, of a list.
func (s *scanner) next(end byte) (more bool, err *poisonError) {
	s.space()
	if s.pos < len(s.data) {
		switch s.data[s.pos] {
		case ',':
			s.pos++
			s.space()
			return true, nil
		case end:
			s.pos++
			return false, nil
		}
	}
	return false, s.unexpected("a comma or '" + string(end) + "'")
}

// object hands on the members of the object that begins here, keys and values
// as they stand.
func (s *scanner) object(depth int, member func(key, value []byte) *poisonError) *poisonError {
	if err := s.enter(depth); err != nil {
		return err
	}
	if s.pos < len(s.data) && s.data[s.pos] == '}' {
		s.pos++
		return nil
	}
	for {
		if s.pos >= len(s.data) || s.data[s.pos] != '"' {
			return s.unexpected("a name in quotes")
		}
		start := s.pos
		if err := s.text(); err != nil {
			return err
		}
		key := s.data[start:s.pos]
		s.space()
		if s.pos >= len(s.data) || s.data[s.pos] != ':' {
			return s.unexpected("a colon")
		}
		s.pos++
		v, err := s.value(depth + 1)
		if err != nil {
			return err
		}
		if err := member(key, v); err != nil {
			return err
		}
		more, err := s.next('}')
		if err != nil || !more {
			return err
		}
	}
}

// array hands on the elements of the array that begins here, as they stand.
func (s *scanner) array(depth int, element func([]byte) *poisonError) *poisonError {
	if err := s.enter(depth); err != nil {
		return err
	}
	if s.pos < len(s.data) && s.data[s.pos] == ']' {
		s.pos++
		return nil
	}
	for {
		v, err := s.value(depth + 1)
		if err != nil {
			return err
		}
		if err := element(v); err != nil {
			return err
		}
		more, err := s.next(']')
		if err != nil || !more {
			return err
		}
	}
}

// members hands on the members of an object that the scanner has accepted.
func members(raw []byte, member func(key string, value []byte) *poisonError) *poisonError {
	s := scanner{data: raw, maxDepth: maxMaxDepth + 1}
	return s.object(0, func(key, value []byte) *poisonError { return member(unquote(key), value) })
}

// elements hands on the elements of an array that the scanner has accepted.
func elements(raw []byte, element func([]byte) *poisonError) *poisonError {
	s := scanner{data: raw, maxDepth: maxMaxDepth + 1}
	return s.array(0, element)
}

// unquote reads a string that the scanner has accepted. Bytes that are no UTF-8
// become U+FFFD.
func unquote(raw []byte) string {
	inner := raw[1 : len(raw)-1]
	if bytes.IndexByte(inner, '\\') < 0 && utf8.Valid(inner) {
		return string(inner)
	}
	var text string
	if err := json.Unmarshal(raw, &text); err != nil {
		return strings.ToValidUTF8(string(inner), "\uFFFD")
	}
	return text
}
