package line

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/llm-devops/llm-sentinel/internal/anomaly"
	"github.com/llm-devops/llm-sentinel/internal/genai"
)

// Decoder reads items from the columns of an answer. It is safe for concurrent
// use.
type Decoder[T any] struct {
	columns int
	readers []reader[T]
	begin   func() T
	finish  func(*row[T]) error
}

type reader[T any] struct {
	name  string
	index int
	read  func(*row[T], any) error
}

// NewEventDecoder makes a decoder of events for answers with these columns, in
// this order. Unknown columns are ignored.
func NewEventDecoder(columns []string) *Decoder[genai.Event] {
	return newDecoder(eventColumns, columns, func() event { return event{} }, finishEvent)
}

// NewAnomalyDecoder makes a decoder of anomalies, see [NewEventDecoder].
func NewAnomalyDecoder(columns []string) *Decoder[anomaly.Anomaly] {
	return newDecoder(anomalyColumns, columns, unknownAnomaly, finishAnomaly)
}

func newDecoder[T any](known []column[T], columns []string, begin func() T, finish func(*row[T]) error) *Decoder[T] {
	d := &Decoder[T]{columns: len(columns), begin: begin, finish: finish}
	var exact []reader[T]
	for i, name := range columns {
		if name == ColumnTime {
			d.readers = append(d.readers, reader[T]{name, i, func(r *row[T], x any) (err error) { r.point, err = asNanos(x); return err }})
			continue
		}
		if k := slices.IndexFunc(known, func(c column[T]) bool { return c.Name == name }); k >= 0 {
			d.readers = append(d.readers, reader[T]{name, i, known[k].read})
			continue
		}
		if base, ok := strings.CutSuffix(name, ExactSuffix); ok {
			if k := slices.IndexFunc(known, func(c column[T]) bool { return c.Dimension && c.Name == base }); k >= 0 {
				exact = append(exact, reader[T]{name, i, known[k].read})
			}
		}
	}
	// What a dimension is in truth overrides its tag.
	d.readers = append(d.readers, exact...)
	return d
}

// Decode reads one point: the values of the columns, nil where there is none.
// Values are string, bool, int64, float64 or json.Number; the time of the point
// may also be RFC 3339 text. An error names the column and its value.
func (d *Decoder[T]) Decode(values []any) (T, error) {
	if len(values) != d.columns {
		return d.begin(), fmt.Errorf("a point must have %d values, got %d", d.columns, len(values))
	}
	r := row[T]{item: d.begin()}
	for _, c := range d.readers {
		x := values[c.index]
		if x == nil {
			continue
		}
		if err := c.read(&r, x); err != nil {
			return r.item, fmt.Errorf("column %s: %w", c.name, err)
		}
	}
	err := d.finish(&r)
	return r.item, err
}

func asText(x any) (string, error) {
	if s, ok := x.(string); ok {
		return s, nil
	}
	return "", fmt.Errorf("must be a text, got %v", x)
}

func asUUID(x any) (uuid.UUID, error) {
	s, err := asText(x)
	if err != nil {
		return uuid.Nil, err
	}
	id, err := uuid.Parse(s)
	if err != nil {
		return uuid.Nil, fmt.Errorf("must be a UUID, got %q", s)
	}
	return id, nil
}

func asFloat(x any) (float64, error) {
	switch v := x.(type) {
	case float64:
		return v, nil
	case int64:
		return float64(v), nil
	case json.Number:
		if f, err := v.Float64(); err == nil {
			return f, nil
		}
	}
	return math.NaN(), fmt.Errorf("must be a number, got %v", x)
}

func asInt(x any) (int64, error) {
	switch v := x.(type) {
	case int64:
		return v, nil
	case float64:
		if v == math.Trunc(v) && math.Abs(v) <= 1<<53 {
			return int64(v), nil
		}
	case json.Number:
		if n, err := strconv.ParseInt(string(v), 10, 64); err == nil {
			return n, nil
		}
	}
	return 0, fmt.Errorf("must be an integer, got %v", x)
}

func asBool(x any) (bool, error) {
	if v, ok := x.(bool); ok {
		return v, nil
	}
	return false, fmt.Errorf("must be true or false, got %v", x)
}

var errTime = errors.New("must be a time")

// asNanos reads the time of a point: unix nanoseconds or RFC 3339, where a
// missing zone means UTC.
func asNanos(x any) (int64, error) {
	s, ok := x.(string)
	if !ok {
		return asInt(x)
	}
	for _, layout := range [...]string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UnixNano(), nil
		}
	}
	return 0, fmt.Errorf("%w, got %q", errTime, s)
}
