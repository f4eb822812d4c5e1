package influx3test

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
)

// result is the answer to a query: columns in order, and rows.
type result struct {
	columns []string
	types   map[string]columnType
	rows    []row
}

func (d *database) run(s *statement) (*result, error) {
	t := d.tables[s.table]
	if s.schema {
		t = d.informationSchema()
	}
	if t == nil {
		return nil, fmt.Errorf("Error during planning: table 'public.iox.%s' not found", s.table) //nolint:staticcheck // the server's words
	}
	if err := s.check(t); err != nil {
		return nil, err
	}
	rows := s.matching(t)
	if len(s.items) > 0 && s.items[0].function != "" {
		return aggregate(s, t, rows)
	}
	out := &result{types: map[string]columnType{}}
	slices.SortStableFunc(rows, s.order)
	if s.limit >= 0 && len(rows) > s.limit {
		rows = rows[:s.limit]
	}
	if s.star {
		out.columns, out.types, out.rows = t.names, t.columns, cloned(rows)
		return out, nil
	}
	for _, it := range s.items {
		out.columns = append(out.columns, it.name)
		out.types[it.name] = t.columns[it.column]
	}
	for _, r := range rows {
		o := row{}
		for _, it := range s.items {
			if v, ok := r[it.column]; ok {
				o[it.name] = v
			}
		}
		out.rows = append(out.rows, o)
	}
	return out, nil
}

// matching finds the rows of the WHERE clause. By time, the usual order, it ends
// when it has enough of them.
func (s *statement) matching(t *table) (rows []row) {
	enough, all := -1, t.inTime()
	if len(s.orderBy) == 1 && s.orderBy[0].column == "time" && (s.star || s.items[0].function == "") {
		enough = s.limit
		if s.orderBy[0].descending {
			all = slices.Clone(all)
			slices.Reverse(all)
		}
	}
	for _, r := range all {
		if enough >= 0 && len(rows) >= enough {
			break
		}
		if ok, known := holds(s.where, r); ok && known {
			rows = append(rows, r)
		}
	}
	return rows
}

// cloned rows may be read after the lock is given back.
func cloned(rows []row) []row {
	out := make([]row, len(rows))
	for i, r := range rows {
		out[i] = row{}
		for k, v := range r {
			out[i][k] = v
		}
	}
	return out
}

func (d *database) informationSchema() *table {
	t := newTable()
	t.columns = map[string]columnType{"table_name": typeString, "column_name": typeString}
	t.names = []string{"column_name", "table_name"}
	for name, of := range d.tables {
		for _, c := range of.names {
			t.rows[rowKey{series: name + "\x00" + c}] = row{"table_name": name, "column_name": c}
		}
	}
	return t
}

// check finds columns that are not there, comparisons of types that do not fit,
// and mixtures of figures and columns.
func (s *statement) check(t *table) error {
	figures := 0
	for _, it := range s.items {
		if it.function != "" {
			figures++
		}
		if it.column == "" {
			continue
		}
		kind, err := t.column(it.column)
		if err != nil {
			return err
		}
		if (it.function == "sum" || it.function == "avg") && kind != typeInt && kind != typeFloat && kind != typeUint {
			return fmt.Errorf("Error during planning: function '%s' does not support the type of %s", it.function, it.column) //nolint:staticcheck // the server's words
		}
	}
	if figures > 0 && (figures < len(s.items) || len(s.orderBy) > 0) {
		return fmt.Errorf("Error during planning: columns beside aggregates must be in GROUP BY, which this server does not know") //nolint:staticcheck // the server's words
	}
	for _, o := range s.orderBy {
		if _, err := t.column(o.column); err != nil {
			return err
		}
	}
	return t.checkCondition(s.where)
}

func (t *table) column(name string) (columnType, error) {
	kind, ok := t.columns[name]
	if !ok {
		return "", fmt.Errorf("Schema error: No field named %s. Valid fields are %s.", name, strings.Join(t.names, ", ")) //nolint:staticcheck,revive // the server's words
	}
	return kind, nil
}

func (t *table) checkCondition(c condition) error {
	switch c := c.(type) {
	case nil:
		return nil
	case allOf:
		return t.checkAll(c)
	case anyOf:
		return t.checkAll(c)
	case negate:
		return t.checkCondition(c.of)
	case isNull:
		_, err := t.column(c.column)
		return err
	case compare:
		kind, err := t.column(c.column)
		if err != nil {
			return err
		}
		if _, err := comparable(kind, c.value); err != nil {
			return fmt.Errorf("Error during planning: Cannot infer common argument type for comparison operation %s %s %v: %w", kind, c.operator, c.value, err) //nolint:staticcheck // the server's words
		}
		return nil
	default:
		return fmt.Errorf("condition %T is not one that this server knows", c)
	}
}

func (t *table) checkAll(list []condition) error {
	for _, c := range list {
		if err := t.checkCondition(c); err != nil {
			return err
		}
	}
	return nil
}

// comparable returns v in the type of a column.
func comparable(kind columnType, v any) (any, error) {
	switch v := v.(type) {
	case string:
		if kind.text() {
			return v, nil
		}
		if kind == typeTime {
			at, err := time.Parse(time.RFC3339Nano, v)
			if err != nil {
				return nil, fmt.Errorf("Error parsing timestamp from '%s'", v) //nolint:staticcheck // the server's words
			}
			if at.Before(time.Unix(0, math.MinInt64)) || at.After(time.Unix(0, math.MaxInt64)) {
				return nil, fmt.Errorf("timestamp '%s' does not fit into 64 bits of nanoseconds", v)
			}
			return at.UnixNano(), nil
		}
	case int64:
		switch kind {
		case typeInt:
			return v, nil
		case typeFloat:
			return float64(v), nil
		}
	case float64:
		if kind == typeFloat {
			return v, nil
		}
	case bool:
		if kind == typeBool {
			return v, nil
		}
	}
	return nil, fmt.Errorf("%T does not fit", v)
}

// holds evaluates a condition in three-valued logic.
func holds(c condition, r row) (truth, known bool) {
	switch c := c.(type) {
	case nil:
		return true, true
	case allOf:
		truth, known = true, true
		for _, part := range c {
			t, k := holds(part, r)
			if k && !t {
				return false, true
			}
			known = known && k
		}
		return truth && known, known
	case anyOf:
		known = true
		for _, part := range c {
			t, k := holds(part, r)
			if k && t {
				return true, true
			}
			known = known && k
		}
		return false, known
	case negate:
		t, k := holds(c.of, r)
		return !t, k
	case isNull:
		_, has := r[c.column]
		return has == c.not, true
	case compare:
		have, ok := r[c.column]
		if !ok {
			return false, false
		}
		return c.holds(have), true
	}
	return false, false
}

func (c compare) holds(have any) bool {
	var order int
	switch have := have.(type) {
	case string:
		order = cmp.Compare(have, c.value.(string))
	case int64:
		want, _ := comparable(typeInt, c.value)
		if text, ok := c.value.(string); ok {
			want, _ = comparable(typeTime, text)
		}
		order = cmp.Compare(have, want.(int64))
	case float64:
		want, _ := comparable(typeFloat, c.value)
		order = cmp.Compare(have, want.(float64))
	case bool:
		order = cmp.Compare(bit(have), bit(c.value.(bool)))
	}
	switch c.operator {
	case "=":
		return order == 0
	case "<>":
		return order != 0
	case "<":
		return order < 0
	case "<=":
		return order <= 0
	case ">":
		return order > 0
	default:
		return order >= 0
	}
}

func bit(b bool) int {
	if b {
		return 1
	}
	return 0
}

// order compares two rows by ORDER BY; null comes last when ascending and first
// when descending.
func (s *statement) order(a, b row) int {
	for _, o := range s.orderBy {
		c := compareValues(a[o.column], b[o.column])
		if o.descending {
			c = -c
		}
		if c != 0 {
			return c
		}
	}
	return 0
}

func compareValues(a, b any) int {
	switch {
	case a == nil && b == nil:
		return 0
	case a == nil:
		return 1
	case b == nil:
		return -1
	}
	switch a := a.(type) {
	case string:
		return cmp.Compare(a, b.(string))
	case int64:
		return cmp.Compare(a, b.(int64))
	case uint64:
		return cmp.Compare(a, b.(uint64))
	case float64:
		return cmp.Compare(a, b.(float64))
	case bool:
		return cmp.Compare(bit(a), bit(b.(bool)))
	}
	return 0
}
