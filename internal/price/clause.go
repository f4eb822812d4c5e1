package price

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
)

const (
	maxClauseDepth = 8
	maxClauseText  = 1024
	maxClauses     = 1000
)

// clause is a predicate on a name in lower case without surrounding space.
type clause struct {
	kind    clauseKind
	text    string // lower case
	regex   *regexp.Regexp
	clauses []clause
}

type clauseKind uint8

const (
	clauseNone clauseKind = iota // matches nothing
	clauseEquals
	clauseContains
	clauseStartsWith
	clauseEndsWith
	clauseRegex
	clauseAnd
	clauseOr
)

var clauseNames = map[string]clauseKind{
	"equals": clauseEquals, "contains": clauseContains, "starts_with": clauseStartsWith,
	"ends_with": clauseEndsWith, "regex": clauseRegex, "and": clauseAnd, "or": clauseOr,
}

func (c *clause) match(name string) bool {
	switch c.kind {
	case clauseEquals:
		return name == c.text
	case clauseContains:
		return strings.Contains(name, c.text)
	case clauseStartsWith:
		return strings.HasPrefix(name, c.text)
	case clauseEndsWith:
		return strings.HasSuffix(name, c.text)
	case clauseRegex:
		return c.regex.MatchString(name)
	case clauseAnd:
		for i := range c.clauses {
			if !c.clauses[i].match(name) {
				return false
			}
		}
		return true
	case clauseOr:
		for i := range c.clauses {
			if c.clauses[i].match(name) {
				return true
			}
		}
	}
	return false
}

// UnmarshalJSON reads an object with one of the keys equals, contains, starts_with,
// ends_with, regex (each with a text), and, or (each with an array of clauses). A bare
// text is short for equals, a bare array for or.
func (c *clause) UnmarshalJSON(data []byte) error {
	left := maxClauses
	return c.decode(data, 0, &left)
}

func (c *clause) decode(data []byte, depth int, left *int) error {
	if *left--; *left < 0 {
		return fmt.Errorf("more than %d clauses", maxClauses)
	}
	if depth > maxClauseDepth {
		return fmt.Errorf("clauses are nested deeper than %d", maxClauseDepth)
	}
	switch data = trimJSON(data); {
	case len(data) == 0:
		return errors.New("empty clause")
	case data[0] == '"':
		return c.text1(clauseEquals, "equals", data)
	case data[0] == '[':
		return c.list(clauseOr, "or", data, depth, left)
	}
	var object map[string]json.RawMessage
	if err := json.Unmarshal(data, &object); err != nil || len(object) != 1 {
		return fmt.Errorf("clause %s: want an object with one of equals, contains, starts_with, ends_with, regex, and, or",
			cut(data))
	}
	for key, value := range object {
		kind, ok := clauseNames[key]
		switch {
		case !ok:
			return fmt.Errorf("unknown clause %q", cut([]byte(key)))
		case kind == clauseAnd || kind == clauseOr:
			return c.list(kind, key, value, depth, left)
		default:
			return c.text1(kind, key, value)
		}
	}
	return nil
}

func (c *clause) text1(kind clauseKind, key string, data []byte) error {
	var text string
	if err := json.Unmarshal(data, &text); err != nil {
		return fmt.Errorf("%s: %s is not a text", key, cut(data))
	}
	if text == "" || len(text) > maxClauseText {
		return fmt.Errorf("%s: the text has %d bytes, want 1 to %d", key, len(text), maxClauseText)
	}
	c.kind, c.text = kind, strings.ToLower(text)
	if kind == clauseRegex {
		regex, err := regexp.Compile(text)
		if err != nil {
			return fmt.Errorf("regex: %q: %w", cut([]byte(text)), err)
		}
		c.regex = regex
	}
	return nil
}

func (c *clause) list(kind clauseKind, key string, data []byte, depth int, left *int) error {
	var parts []json.RawMessage
	if err := json.Unmarshal(data, &parts); err != nil || len(parts) == 0 {
		return fmt.Errorf("%s: %s is not an array with clauses", key, cut(data))
	}
	if len(parts) > maxClauses {
		return fmt.Errorf("more than %d clauses", maxClauses)
	}
	c.kind, c.clauses = kind, make([]clause, len(parts))
	for i := range parts {
		if err := c.clauses[i].decode(parts[i], depth+1, left); err != nil {
			return err
		}
	}
	return nil
}

func trimJSON(data []byte) []byte { return []byte(strings.TrimSpace(string(data))) }

// cut shortens what an error quotes.
func cut(data []byte) string {
	const limit = 80
	if len(data) > limit {
		return strings.ToValidUTF8(string(data[:limit]), "") + "…"
	}
	return string(data)
}
