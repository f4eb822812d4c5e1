package influx3test

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// The subset of SQL:
//
//	SELECT * | item {, item} FROM table
//	  [WHERE condition] [ORDER BY column [ASC|DESC] {, …}] [LIMIT n]
//	item      = column [AS name] | COUNT(*) [AS name]
//	          | COUNT|SUM|MIN|MAX|AVG "(" column ")" [AS name]
//	condition = term {OR term};  term = factor {AND factor}
//	factor    = "(" condition ")" | NOT factor | column IS [NOT] NULL
//	          | column (= | <> | != | < | <= | > | >=) value
//	value     = 'text' | number | TRUE | FALSE | $parameter
//
// Tables are those of the database, and information_schema.columns.

type statement struct {
	star    bool
	items   []item
	table   string
	schema  bool // information_schema.columns
	where   condition
	orderBy []ordering
	limit   int // negative: none
}

type item struct {
	function string // empty for a column
	column   string // empty for count(*)
	name     string
}

type ordering struct {
	column     string
	descending bool
}

// condition is one of the types below.
type condition interface{}

type (
	allOf  []condition
	anyOf  []condition
	negate struct{ of condition }
	isNull struct {
		column string
		not    bool
	}
	compare struct {
		column, operator string
		value            any // string, int64, float64, bool
	}
)

// words that are not a column when they stand alone.
var reserved = []string{"select", "from", "where", "and", "or", "not", "is", "null", "order", "by", "asc", "desc", "limit", "as", "true", "false", "group", "having", "join", "union", "distinct", "offset"}

type parser struct {
	tokens []token
	at     int
	params map[string]any
	used   map[string]bool
}

func parse(sql string, params map[string]any) (*statement, error) {
	tokens, err := scan(sql)
	if err != nil {
		return nil, err
	}
	p := &parser{tokens: tokens, params: params, used: map[string]bool{}}
	s, err := p.statement()
	if err != nil {
		return nil, err
	}
	for name := range params {
		if !p.used[name] {
			return nil, fmt.Errorf("parameter $%s is not used by the query", name)
		}
	}
	return s, nil
}

func (p *parser) peek() token { return p.tokens[p.at] }

func (p *parser) next() token {
	t := p.tokens[p.at]
	if t.kind != tokenEnd {
		p.at++
	}
	return t
}

// word takes the given keyword or sign.
func (p *parser) word(w string) bool {
	t := p.peek()
	if (t.kind == tokenWord && strings.EqualFold(t.text, w)) || (t.kind == tokenSign && t.text == w) {
		p.at++
		return true
	}
	return false
}

func (p *parser) expect(words ...string) error {
	for _, w := range words {
		if !p.word(w) {
			return fmt.Errorf("SQL error: ParserError(\"Expected: %s, found: %s\")", w, p.peek().text)
		}
	}
	return nil
}

func (p *parser) statement() (*statement, error) {
	s := &statement{limit: -1}
	if err := p.expect("SELECT"); err != nil {
		return nil, err
	}
	if p.word("*") {
		s.star = true
	} else {
		for {
			it, err := p.item()
			if err != nil {
				return nil, err
			}
			s.items = append(s.items, it)
			if !p.word(",") {
				break
			}
		}
	}
	if err := p.expect("FROM"); err != nil {
		return nil, err
	}
	if err := p.from(s); err != nil {
		return nil, err
	}
	var err error
	if p.word("WHERE") {
		if s.where, err = p.condition(); err != nil {
			return nil, err
		}
	}
	if p.word("ORDER") {
		if err := p.order(s); err != nil {
			return nil, err
		}
	}
	if p.word("LIMIT") {
		t := p.next()
		if s.limit, err = strconv.Atoi(t.text); err != nil || t.kind != tokenNumber || s.limit < 0 {
			return nil, fmt.Errorf("LIMIT must be a number that is not negative, got %s", t.text)
		}
	}
	if t := p.peek(); t.kind != tokenEnd {
		return nil, fmt.Errorf("SQL error: ParserError(\"Expected: end of statement, found: %s\") or a clause that this server does not know", t.text)
	}
	return s, nil
}

func (p *parser) from(s *statement) error {
	name, err := p.identifier()
	if err != nil {
		return err
	}
	if name == "information_schema" {
		if err := p.expect(".", "columns"); err != nil {
			return err
		}
		s.schema = true
		return nil
	}
	s.table = name
	return nil
}

func (p *parser) order(s *statement) error {
	if err := p.expect("BY"); err != nil {
		return err
	}
	for {
		name, err := p.identifier()
		if err != nil {
			return err
		}
		o := ordering{column: name}
		if p.word("DESC") {
			o.descending = true
		} else {
			p.word("ASC")
		}
		s.orderBy = append(s.orderBy, o)
		if !p.word(",") {
			return nil
		}
	}
}

var functions = []string{"count", "sum", "min", "max", "avg"}

func (p *parser) item() (item, error) {
	var it item
	t := p.peek()
	if f := strings.ToLower(t.text); t.kind == tokenWord && slices.Contains(functions, f) && p.tokens[p.at+1].text == "(" {
		p.at += 2
		it.function, it.name = f, f
		if f != "count" || !p.word("*") {
			name, err := p.identifier()
			if err != nil {
				return it, err
			}
			it.column = name
		}
		if err := p.expect(")"); err != nil {
			return it, err
		}
	} else {
		name, err := p.identifier()
		if err != nil {
			return it, err
		}
		it.column, it.name = name, name
	}
	if p.word("AS") {
		name, err := p.identifier()
		if err != nil {
			return it, err
		}
		it.name = name
	}
	return it, nil
}

// identifier reads a name. Without quotes it is folded to lower case, as the
// real server does it.
func (p *parser) identifier() (string, error) {
	switch t := p.next(); {
	case t.kind == tokenQuoted:
		return t.text, nil
	case t.kind == tokenWord && !slices.Contains(reserved, strings.ToLower(t.text)):
		return strings.ToLower(t.text), nil
	default:
		return "", fmt.Errorf("SQL error: ParserError(\"Expected: identifier, found: %s\")", t.text)
	}
}

func (p *parser) condition() (condition, error) {
	return chain(p, "OR", func() (condition, error) {
		return chain(p, "AND", p.factor, func(c []condition) condition { return allOf(c) })
	},
		func(c []condition) condition { return anyOf(c) })
}

func chain(p *parser, word string, part func() (condition, error), join func([]condition) condition) (condition, error) {
	var all []condition
	for {
		c, err := part()
		if err != nil {
			return nil, err
		}
		all = append(all, c)
		if !p.word(word) {
			break
		}
	}
	if len(all) == 1 {
		return all[0], nil
	}
	return join(all), nil
}

func (p *parser) factor() (condition, error) {
	if p.word("(") {
		c, err := p.condition()
		if err != nil {
			return nil, err
		}
		return c, p.expect(")")
	}
	if p.word("NOT") {
		c, err := p.factor()
		return negate{c}, err
	}
	column, err := p.identifier()
	if err != nil {
		return nil, err
	}
	if p.word("IS") {
		c := isNull{column: column, not: p.word("NOT")}
		return c, p.expect("NULL")
	}
	t := p.next()
	op := t.text
	if op == "!=" {
		op = "<>"
	}
	if t.kind != tokenSign || !slices.Contains([]string{"=", "<>", "<", "<=", ">", ">="}, op) {
		return nil, fmt.Errorf("operator %s is not one that this server knows", t.text)
	}
	v, err := p.value()
	return compare{column, op, v}, err
}

func (p *parser) value() (any, error) {
	switch t := p.next(); t.kind {
	case tokenText:
		return t.text, nil
	case tokenNumber:
		return number(t.text)
	case tokenParameter:
		v, ok := p.params[t.text]
		if !ok {
			return nil, fmt.Errorf("No value found for placeholder with name $%s", t.text) //nolint:staticcheck // the server's words
		}
		p.used[t.text] = true
		return v, nil
	case tokenWord:
		if b, err := strconv.ParseBool(strings.ToLower(t.text)); err == nil && len(t.text) > 1 {
			return b, nil
		}
		return nil, fmt.Errorf("value %s is not one that this server knows", t.text)
	default:
		return nil, fmt.Errorf("SQL error: ParserError(\"Expected: a value, found: %s\")", t.text)
	}
}

func number(text string) (any, error) {
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return n, nil
	}
	if !strings.ContainsAny(text, ".eE") {
		return nil, fmt.Errorf("number %s does not fit into 64 bits", text)
	}
	return strconv.ParseFloat(text, 64)
}
