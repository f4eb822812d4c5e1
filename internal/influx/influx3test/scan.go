package influx3test

import (
	"fmt"
	"slices"
	"strings"
)

type tokenKind int

const (
	tokenEnd tokenKind = iota
	tokenWord
	tokenQuoted // "name"
	tokenText   // 'text'
	tokenNumber
	tokenParameter // $name
	tokenSign
)

type token struct {
	kind tokenKind
	text string
}

var signs = []string{"*", "(", ")", ",", ".", "=", "<", ">", "<=", ">=", "<>", "!="}

// scan cuts a query into tokens; the last one is tokenEnd.
func scan(sql string) ([]token, error) {
	var out []token
	for i := 0; i < len(sql); {
		c := sql[i]
		switch {
		case c == ' ' || c == '\n' || c == '\t':
			i++
		case c == '"' || c == '\'':
			text, n, err := quoted(sql[i:], c)
			if err != nil {
				return nil, err
			}
			kind := tokenText
			if c == '"' {
				kind = tokenQuoted
			}
			out = append(out, token{kind, text})
			i += n
		case letter(c):
			n := span(sql[i:], func(c byte) bool { return letter(c) || digit(c) })
			out = append(out, token{tokenWord, sql[i : i+n]})
			i += n
		case c == '$':
			n := span(sql[i+1:], func(c byte) bool { return letter(c) || digit(c) })
			if n == 0 {
				return nil, fmt.Errorf("a parameter without a name")
			}
			out = append(out, token{tokenParameter, sql[i+1 : i+1+n]})
			i += 1 + n
		case digit(c) || c == '-' && i+1 < len(sql) && digit(sql[i+1]):
			n := 1 + span(sql[i+1:], func(c byte) bool { return digit(c) || strings.IndexByte(".eE", c) >= 0 })
			out = append(out, token{tokenNumber, sql[i : i+n]})
			i += n
		default:
			n := 1
			if i+1 < len(sql) {
				switch sql[i : i+2] {
				case "<=", ">=", "<>", "!=":
					n = 2
				}
			}
			text := sql[i : i+n]
			if !slices.Contains(signs, text) {
				return nil, fmt.Errorf("SQL error: unexpected character %q", text)
			}
			out = append(out, token{tokenSign, text})
			i += n
		}
	}
	return append(out, token{tokenEnd, "EOF"}), nil
}

// quoted reads a text between marks, in which a doubled mark stands for one.
func quoted(s string, mark byte) (text string, n int, err error) {
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		if s[i] != mark {
			b.WriteByte(s[i])
			continue
		}
		if i+1 < len(s) && s[i+1] == mark {
			b.WriteByte(mark)
			i++
			continue
		}
		return b.String(), i + 1, nil
	}
	return "", 0, fmt.Errorf("SQL error: TokenizerError(\"Unterminated string literal\")")
}

func span(s string, in func(byte) bool) int {
	n := 0
	for n < len(s) && in(s[n]) {
		n++
	}
	return n
}

func letter(c byte) bool { return c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }
func digit(c byte) bool  { return c >= '0' && c <= '9' }
