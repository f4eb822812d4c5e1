package influx

import (
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/llm-devops/llm-sentinel/internal/influx/line"
)

// Times that InfluxDB can express, in unix nanoseconds.
const (
	minNanos = math.MinInt64 + 2
	maxNanos = math.MaxInt64 - 1
)

// selection asks for points, in the order of their own times.
type selection struct {
	place
	// columns that are wanted, with "time".
	columns []string
	where   []oneOf
	// from and to bound the times of points, both inclusive. A bound at the
	// limit of what can be expressed is none.
	from, to  int64
	ascending bool
	limit     int
	// few says that columns are far from all, so that the others are not worth
	// their transfer.
	few bool
	// known are the columns of the table, once the pages before have found out.
	known map[string]bool
}

// oneOf is a condition: one of the alternatives holds.
type oneOf []allOf

// allOf is a condition: all comparisons hold.
type allOf []comparison

// comparison of a column with a value: a string, which is always sent as a
// parameter, or an int64 or float64. A column without value does not compare.
type comparison struct {
	column, operator string
	value            any
}

func is(column string, value any) comparison { return comparison{column, "=", value} }

// only is a condition of one comparison.
func only(column, operator string, value any) oneOf {
	return oneOf{{comparison{column, operator, value}}}
}

// dimension is the condition that a dimension is text. Its tag may say something
// else, see [line.ExactSuffix]. All alternatives begin with a comparison of the
// tag, so that the index of the server finds their series.
func dimension(column, text string) oneOf {
	exact := is(column+line.ExactSuffix, line.CleanText(text))
	alternatives := oneOf{{is(column, exact.value)}, {is(column, line.Overflow), exact}}
	if tag := line.CleanTag(text); tag != exact.value {
		alternatives = append(alternatives, allOf{is(column, tag), exact})
	}
	return alternatives
}

// columnsIn are the columns that conditions refer to.
func columnsIn(where []oneOf) (names []string) {
	for _, alternatives := range where {
		for _, all := range alternatives {
			for _, c := range all {
				names = append(names, c.column)
			}
		}
	}
	return names
}

// without leaves out what refers to columns that do not exist. It reports false
// when nothing can match then.
func without(where []oneOf, exists func(string) bool) ([]oneOf, bool) {
	var kept []oneOf
	for _, alternatives := range where {
		var possible oneOf
	next:
		for _, all := range alternatives {
			for _, c := range all {
				if !exists(c.column) {
					continue next
				}
			}
			possible = append(possible, all)
		}
		if len(possible) == 0 {
			return nil, false
		}
		kept = append(kept, possible)
	}
	return kept, true
}

// statement is the text of a query and its parameters.
type statement struct {
	text   strings.Builder
	params map[string]any
}

// writeWhere writes the conditions on columns, which both languages spell alike;
// quote writes a name. It returns what to write before a further condition.
func (s *statement) writeWhere(where []oneOf, quote func(string) string) (next string) {
	next = " WHERE "
	for _, alternatives := range where {
		s.text.WriteString(next + "(")
		next = " AND "
		for i, all := range alternatives {
			if i > 0 {
				s.text.WriteString(" OR ")
			}
			s.text.WriteByte('(')
			for k, c := range all {
				if k > 0 {
					s.text.WriteString(" AND ")
				}
				s.text.WriteString(quote(c.column) + " " + c.operator + " " + s.value(c.value))
			}
			s.text.WriteByte(')')
		}
		s.text.WriteByte(')')
	}
	return next
}

// value writes a number as it is and a text as a parameter.
func (s *statement) value(v any) string {
	switch v := v.(type) {
	case int64:
		return strconv.FormatInt(v, 10)
	case float64:
		text := strconv.FormatFloat(v, 'f', -1, 64)
		if !strings.Contains(text, ".") {
			text += ".0"
		}
		return text
	default:
		if s.params == nil {
			s.params = map[string]any{}
		}
		name := "p" + strconv.Itoa(len(s.params))
		s.params[name] = v
		return "$" + name
	}
}

// clampNanos is t in unix nanoseconds, at the limit of what can be expressed
// when it lies beyond.
func clampNanos(t time.Time) int64 {
	switch {
	case t.Before(time.Unix(0, minNanos)):
		return minNanos
	case t.After(time.Unix(0, maxNanos)):
		return maxNanos
	default:
		return t.UnixNano()
	}
}

// add is a + d within what can be expressed.
func add(a int64, d time.Duration) int64 {
	switch sum := a + int64(d); {
	case d > 0 && (sum < a || sum > maxNanos):
		return maxNanos
	case d < 0 && (sum > a || sum < minNanos):
		return minNanos
	default:
		return sum
	}
}
