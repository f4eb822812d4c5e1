package line

import (
	"github.com/llm-devops/llm-sentinel/internal/genai"
)

// Type is the type of the values of a column.
type Type uint8

// The types of columns.
const (
	TypeString Type = iota
	TypeInt
	TypeFloat
	// TypeBool columns are missing where they are false.
	TypeBool
)

// Column is one tag or field of a measurement.
type Column struct {
	Name string
	Type Type
	// Dimension columns are written as tags when the configuration says so, else
	// as string fields. Queries compare both in the same way.
	Dimension bool
}

// Names that queries refer to.
const (
	ColumnTime      = "time"    // of the point, see [Schema]
	ColumnEventTime = "time_ns" // exact, in unix nanoseconds
	ColumnEventID   = "event_id"
	ColumnAlertID   = "alert_id"
	ColumnTraceID   = "trace_id"
	ColumnService   = "service"
	ColumnModel     = "model"
	ColumnSeverity  = "severity"
	ColumnType      = "type"

	// ExactSuffix is the end of the name of a field that holds what a dimension
	// is in truth, when its tag had to say something else: because max_series
	// was reached (the tag is [Overflow]) or because tags cannot express it.
	ExactSuffix = "_exact"
	// Overflow stands for tag values beyond max_series.
	Overflow = "__overflow__"
)

// row is an item that is being read, with what has no place in it.
type row[T any] struct {
	item T
	// at is the exact time, point the time of the point; both in unix
	// nanoseconds, at only if timed.
	at, point int64
	timed     bool
	identified,
	noEnd, asked bool
}

// column writes and reads one column of a T.
type column[T any] struct {
	Column
	// key is the escaped name with an equals sign behind it.
	key []byte
	// tag gives the value of a dimension; nil for others.
	tag   func(*T) string
	write func(*Buffer, *column[T], *T)
	read  func(*row[T], any) error
}

func newColumn[T any](name string, t Type, write func(*Buffer, *column[T], *T), read func(*row[T], any) error) column[T] {
	return column[T]{Column: Column{Name: name, Type: t}, key: []byte(name + "="), write: write, read: read}
}

// textColumn is a text that lies in the item.
func textColumn[T any](name string, at func(*T) *string) column[T] {
	return newColumn(name, TypeString,
		func(b *Buffer, c *column[T], v *T) { b.text(c.key, *at(v), maxFieldBytes) },
		func(r *row[T], x any) (err error) { *at(&r.item), err = asText(x); return err })
}

// dimColumn is a text that may be a tag.
func dimColumn[T any](name string, get func(*T) string, set func(*row[T], string) error) column[T] {
	c := newColumn(name, TypeString,
		func(b *Buffer, c *column[T], v *T) { b.text(c.key, get(v), maxFieldBytes) },
		func(r *row[T], x any) error {
			s, err := asText(x)
			if err != nil {
				return err
			}
			return set(r, s)
		})
	c.tag, c.Dimension = get, true
	return c
}

// textDim is a dimension that lies in the item.
func textDim[T any](name string, at func(*T) *string) column[T] {
	return dimColumn(name, func(v *T) string { return *at(v) }, func(r *row[T], s string) error { *at(&r.item) = s; return nil })
}

// floatColumn is a number that is NaN when it is not known.
func floatColumn[T any](name string, at func(*T) *float64) column[T] {
	return newColumn(name, TypeFloat,
		func(b *Buffer, c *column[T], v *T) { b.float(c.key, *at(v)) },
		func(r *row[T], x any) (err error) { *at(&r.item), err = asFloat(x); return err })
}

// flagColumn is a flag that lies in the item.
func flagColumn[T any](name string, at func(*T) *bool) column[T] {
	return newColumn(name, TypeBool,
		func(b *Buffer, c *column[T], v *T) { b.flag(c.key, *at(v)) },
		func(r *row[T], x any) (err error) { *at(&r.item), err = asBool(x); return err })
}

// jsonColumn is a list or map, written as JSON with at most maxJSONBytes.
func jsonColumn[T any](name string, encode func(*T) (text []byte, cut bool), decode func(*T, []byte) error) column[T] {
	return newColumn(name, TypeString,
		func(b *Buffer, c *column[T], v *T) {
			text, cut := encode(v)
			if len(text) > 0 {
				b.string(c.key, string(text), maxJSONBytes)
			}
			b.cut = b.cut || cut
		},
		func(r *row[T], x any) error {
			s, err := asText(x)
			if err != nil || s == "" {
				return err
			}
			return decode(&r.item, []byte(s))
		})
}

// countColumn is an optional count of an event.
func countColumn(name string, f genai.Field, at func(*genai.Event) *int64) column[genai.Event] {
	return newColumn(name, TypeInt,
		func(b *Buffer, c *column[genai.Event], e *genai.Event) {
			if e.Has(f) {
				b.int(c.key, *at(e))
			}
		},
		func(r *row[genai.Event], x any) (err error) {
			r.item.Present |= f
			*at(&r.item), err = asInt(x)
			return err
		})
}

// numberColumn is an optional number of an event.
func numberColumn(name string, f genai.Field, at func(*genai.Event) *float64) column[genai.Event] {
	return newColumn(name, TypeFloat,
		func(b *Buffer, c *column[genai.Event], e *genai.Event) {
			if e.Has(f) {
				b.float(c.key, *at(e))
			}
		},
		func(r *row[genai.Event], x any) (err error) {
			r.item.Present |= f
			*at(&r.item), err = asFloat(x)
			return err
		})
}

// timeColumn is the exact time of the item.
func timeColumn[T any](nanos func(*T) int64) column[T] {
	return newColumn(ColumnEventTime, TypeInt,
		func(b *Buffer, c *column[T], v *T) { b.int(c.key, nanos(v)) },
		func(r *row[T], x any) (err error) { r.at, err = asInt(x); r.timed = true; return err })
}

func columnsOf[T any](columns []column[T]) []Column {
	out := make([]Column, len(columns))
	for i := range columns {
		out[i] = columns[i].Column
	}
	return out
}

// dimensionsOf lists the names of the dimensions.
func dimensionsOf[T any](columns []column[T]) (names []string) {
	for i := range columns {
		if columns[i].Dimension {
			names = append(names, columns[i].Name)
		}
	}
	return names
}
