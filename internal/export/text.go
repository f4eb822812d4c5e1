package export

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"io"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// csvWriter writes the columns of R.
type csvWriter[T, R any] struct {
	w     *csv.Writer
	row   func(*T) R
	cells []string
	begun bool
}

func newCSV[T, R any](w io.Writer, row func(*T) R) *csvWriter[T, R] {
	return &csvWriter[T, R]{w: csv.NewWriter(w), row: row, cells: columns[R]()}
}

// columns are the names in the tags of R.
func columns[R any]() []string {
	t := reflect.TypeFor[R]()
	names := make([]string, t.NumField())
	for i := range names {
		names[i], _, _ = strings.Cut(t.Field(i).Tag.Get("parquet"), ",")
	}
	return names
}

func (c *csvWriter[T, R]) Write(row *T) error {
	if err := c.header(); err != nil {
		return err
	}
	v := reflect.ValueOf(c.row(row))
	for i := range c.cells {
		c.cells[i] = cell(v.Field(i))
	}
	return c.w.Write(c.cells)
}

// header is written once, also to a file without rows.
func (c *csvWriter[T, R]) header() error {
	if c.begun {
		return nil
	}
	c.begun = true
	return c.w.Write(c.cells)
}

func (c *csvWriter[T, R]) Close() error {
	if err := c.header(); err != nil {
		return err
	}
	c.w.Flush()
	return c.w.Error()
}

func cell(v reflect.Value) string {
	if v.Kind() == reflect.Pointer {
		if v.IsNil() {
			return ""
		}
		v = v.Elem()
	}
	switch v.Kind() {
	case reflect.String:
		return v.String()
	case reflect.Bool:
		return strconv.FormatBool(v.Bool())
	case reflect.Float64:
		return strconv.FormatFloat(v.Float(), 'g', -1, 64)
	default:
		if v.Type() == reflect.TypeFor[nanos]() {
			return time.Unix(0, v.Int()).UTC().Format(time.RFC3339Nano)
		}
		return strconv.FormatInt(v.Int(), 10)
	}
}

// jsonWriter writes what the HTTP API shows of a row.
type jsonWriter[T any] struct{ w *bufio.Writer }

func newJSONL[T any](w io.Writer) *jsonWriter[T] { return &jsonWriter[T]{bufio.NewWriter(w)} }

func (j *jsonWriter[T]) Write(row *T) error {
	b, err := json.Marshal(row)
	if err != nil {
		return err
	}
	if _, err = j.w.Write(b); err != nil {
		return err
	}
	return j.w.WriteByte('\n')
}

func (j *jsonWriter[T]) Close() error { return j.w.Flush() }
