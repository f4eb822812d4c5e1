package influx3test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
)

// columnType is the type of a column, in the words of error messages.
type columnType string

// The types of columns.
const (
	typeTime   columnType = "iox::column_type::timestamp"
	typeTag    columnType = "iox::column_type::tag"
	typeString columnType = "iox::column_type::field::string"
	typeInt    columnType = "iox::column_type::field::integer"
	typeUint   columnType = "iox::column_type::field::uinteger"
	typeFloat  columnType = "iox::column_type::field::float"
	typeBool   columnType = "iox::column_type::field::boolean"
)

func (t columnType) text() bool { return t == typeTag || t == typeString }

type database struct{ tables map[string]*table }

// table is a measurement.
type table struct {
	columns map[string]columnType
	// names of the columns in alphabetical order, as SELECT * gives them.
	names []string
	rows  map[rowKey]row
	// byTime are the rows in order of time, nil when that has to be found anew.
	byTime []row
}

// rowKey identifies a point: its tags in a canonical form, and its time.
type rowKey struct {
	series string
	nanos  int64
}

// row has the values of one point: string, int64, uint64, float64 or bool; the
// time as int64. A column that is not there is null.
type row map[string]any

func newTable() *table {
	return &table{columns: map[string]columnType{"time": typeTime}, names: []string{"time"}, rows: map[rowKey]row{}}
}

// next is a table with the columns of t and without its rows, for a write that
// may be refused as a whole.
func (t *table) next() *table {
	return &table{columns: maps.Clone(t.columns), names: slices.Clone(t.names), rows: map[rowKey]row{}}
}

// admit checks the types of the values of a point and adds the columns that are
// new, all or none.
func (t *table) admit(types map[string]columnType) error {
	added := 0
	for name, want := range types {
		have, ok := t.columns[name]
		if !ok {
			added++
		} else if have != want {
			return fmt.Errorf("invalid column type for column '%s', expected %s, got %s", name, have, want)
		}
	}
	if len(t.columns)+added > MaxColumns {
		return fmt.Errorf("update to schema would exceed number of columns per table limit of %d columns", MaxColumns)
	}
	for name, kind := range types {
		if _, ok := t.columns[name]; !ok {
			t.columns[name] = kind
			t.names = append(t.names, name)
		}
	}
	slices.Sort(t.names)
	return nil
}

// put adds a point, or its fields to the point that is there already.
func (t *table) put(k rowKey, values row) {
	have := t.rows[k]
	if have == nil {
		have = row{}
		t.rows[k] = have
		t.byTime = nil
	}
	maps.Copy(have, values)
}

// inTime returns the rows in order of time.
func (t *table) inTime() []row {
	if t.byTime == nil {
		t.byTime = slices.SortedFunc(maps.Values(t.rows), func(a, b row) int { return compareValues(a["time"], b["time"]) })
	}
	return t.byTime
}

var errReservedColumn = errors.New("'time' is a reserved column name and can't be used as a field or tag name")
