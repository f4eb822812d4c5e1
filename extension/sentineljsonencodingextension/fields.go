package sentineljsonencodingextension

import (
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
)

// reader reads the fields of one event.
type reader struct {
	event       *event
	limits      limits
	adjustments *adjustments
}

type readField func(r *reader, name string, v []byte) *poisonError

// fields are the members of both schemas. Members that are not here are passed
// over.
var fields = map[string]readField{
	// Both schemas.
	"timestamp":    readTime,
	"service_name": (*reader).service,
	"latency_ms":   amount(func(e *event) *optional[float64] { return &e.latencyMillis }),
	"cost_usd":     amount(func(e *event) *optional[float64] { return &e.costUSD }),
	"metadata":     readMetadata,
	// Domain schema.
	"event_id": domain(readEventID),
	"trace_id": text(func(e *event) *string { return &e.trace }),
	"span_id":  text(func(e *event) *string { return &e.span }),
	"model":    domain((*reader).model),
	"prompt": domain(inner(map[string]readField{
		"text":      long(func(e *event) *string { return &e.prompt }),
		"tokens":    count(func(e *event) *optional[int64] { return &e.input }),
		"embedding": embedding(func(e *event) *[]float64 { return &e.promptEmbedding }),
	})),
	"response": domain(inner(map[string]readField{
		"text":          long(func(e *event) *string { return &e.response }),
		"tokens":        count(func(e *event) *optional[int64] { return &e.output }),
		"finish_reason": text(func(e *event) *string { return &e.finish }),
		"embedding":     embedding(func(e *event) *[]float64 { return &e.responseEmbedding }),
	})),
	"errors": readErrors,
	// Flat schema.
	"model_name":        flat((*reader).model),
	"prompt_tokens":     flat(count(func(e *event) *optional[int64] { return &e.input })),
	"completion_tokens": flat(count(func(e *event) *optional[int64] { return &e.output })),
	"total_tokens":      flat(count(func(e *event) *optional[int64] { return &e.total })),
	"user_id":           flat(text(func(e *event) *string { return &e.user })),
	"session_id":        flat(text(func(e *event) *string { return &e.session })),
	"request_id":        flat(text(func(e *event) *string { return &e.requestID })),
	"prompt_text":       flat(long(func(e *event) *string { return &e.prompt })),
	"response_text":     flat(long(func(e *event) *string { return &e.response })),
}

func domain(read readField) readField {
	return func(r *reader, name string, v []byte) *poisonError {
		r.event.isDomain = true
		return read(r, name, v)
	}
}

func flat(read readField) readField {
	return func(r *reader, name string, v []byte) *poisonError {
		r.event.isFlat = true
		return read(r, name, v)
	}
}

// inner reads an object with fields of its own.
func inner(of map[string]readField) readField {
	return func(r *reader, name string, v []byte) *poisonError {
		if kindOf(v) != kindObject {
			return wrongType(name, "an object", v)
		}
		return members(v, func(key string, v []byte) *poisonError {
			read, ok := of[key]
			if !ok || kindOf(v) == kindNull {
				return nil
			}
			return read(r, name+"."+key, v)
		})
	}
}

// wrongType names the value when it is a number or a boolean; text may be a
// secret.
func wrongType(name, want string, v []byte) *poisonError {
	switch k := kindOf(v); k {
	case kindNumber, kindBool:
		return poisonf(reasonWrongType, "%s must be %s, got %s %s", name, want, kindNames[k], cut(string(v), 32))
	default:
		return poisonf(reasonWrongType, "%s must be %s, got %s of %d bytes", name, want, kindNames[k], len(v))
	}
}

// cut keeps at most n bytes of s, and whole characters only.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

func (r *reader) short(name string, v []byte, into *string) *poisonError {
	if kindOf(v) != kindString {
		return wrongType(name, "a string", v)
	}
	s := unquote(v)
	if len(s) > maxNameBytes {
		return poisonf(reasonInvalidValue, "%s must have at most %d bytes, got %d", name, maxNameBytes, len(s))
	}
	*into = s
	return nil
}

func text(at func(*event) *string) readField {
	return func(r *reader, name string, v []byte) *poisonError { return r.short(name, v, at(r.event)) }
}

// long reads the text of a prompt or response, which only the size of the
// message bounds.
func long(at func(*event) *string) readField {
	return func(r *reader, name string, v []byte) *poisonError {
		if kindOf(v) != kindString {
			return wrongType(name, "a string", v)
		}
		*at(r.event) = unquote(v)
		return nil
	}
}

func (r *reader) service(name string, v []byte) *poisonError {
	r.event.hasService = true
	return r.short(name, v, &r.event.service)
}

func (r *reader) model(name string, v []byte) *poisonError {
	r.event.hasModel = true
	return r.short(name, v, &r.event.model)
}

// number reads a number, also one that is not finite.
func number(name string, v []byte) (float64, *poisonError) {
	if kindOf(v) != kindNumber {
		return 0, wrongType(name, "a number", v)
	}
	f, err := strconv.ParseFloat(string(v), 64)
	switch {
	case err != nil && !math.IsInf(f, 0):
		return 0, wrongType(name, "a number", v)
	case math.IsNaN(f) || math.IsInf(f, 0):
		return 0, poisonf(reasonInvalidValue, "%s must be finite, got %s", name, cut(string(v), 32))
	case f < 0:
		return 0, poisonf(reasonInvalidValue, "%s must not be negative, got %s", name, cut(string(v), 32))
	}
	return f + 0, nil // turns -0 into 0
}

func amount(at func(*event) *optional[float64]) readField {
	return func(r *reader, name string, v []byte) *poisonError {
		f, err := number(name, v)
		if err == nil {
			*at(r.event) = optional[float64]{f, true}
		}
		return err
	}
}

// count reads an unsigned number of 32 bits.
func count(at func(*event) *optional[int64]) readField {
	return func(r *reader, name string, v []byte) *poisonError {
		f, err := number(name, v)
		switch {
		case err != nil:
			return err
		case f != math.Trunc(f):
			return poisonf(reasonInvalidValue, "%s must be a whole number, got %s", name, cut(string(v), 32))
		case f > math.MaxUint32:
			return poisonf(reasonInvalidValue, "%s must be at most %d, got %s", name, uint32(math.MaxUint32), cut(string(v), 32))
		}
		*at(r.event) = optional[int64]{int64(f), true}
		return nil
	}
}

// Times outside of [minTime, maxTime) are mistakes.
var (
	minTime = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
	maxTime = time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC)
)

func readTime(r *reader, name string, v []byte) *poisonError {
	var s string
	if err := r.short(name, v, &s); err != nil {
		return err
	}
	t, err := time.Parse(time.RFC3339Nano, s)
	switch {
	case err != nil:
		return poisonf(reasonInvalidValue, "%s must be a time of RFC 3339 with an offset, got %q", name, shape(s))
	case t.Before(minTime) || !t.Before(maxTime):
		return poisonf(reasonInvalidValue, "%s must be a time from 2000 to 2199, got %q", name, t.Format(time.RFC3339))
	}
	r.event.time = t.UTC()
	return nil
}

func readEventID(r *reader, name string, v []byte) *poisonError {
	var s string
	if err := r.short(name, v, &s); err != nil {
		return err
	}
	id, err := uuid.Parse(s)
	if err != nil || strings.HasPrefix(s, "{") || id == (uuid.UUID{}) {
		return poisonf(reasonInvalidValue, "%s must be a UUID that is not zero, got %q", name, shape(s))
	}
	r.event.id, r.event.givenID = id, true
	return nil
}

// shape shows what a text looks like without telling it: digits as 9, letters
// as a, at most 48 characters.
func shape(s string) string {
	return strings.Map(func(c rune) rune {
		switch {
		case c >= '0' && c <= '9':
			return '9'
		case c == 'T' || c == 'Z' || c > 0x7f || c < 0x20:
			return c
		case c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z':
			return 'a'
		}
		return c
	}, cut(s, 48))
}

// readErrors takes over the texts of the first errors. An entry that is no
// string is written out as JSON.
func readErrors(r *reader, name string, v []byte) *poisonError {
	if kindOf(v) != kindArray {
		return wrongType(name, "an array of strings", v)
	}
	r.event.errors = r.event.errors[:0]
	return elements(v, func(e []byte) *poisonError {
		if len(r.event.errors) == maxErrors {
			r.adjustments[adjustedErrors]++
			return nil
		}
		s := string(e)
		if kindOf(e) == kindString {
			s = unquote(e)
		}
		if len(s) > maxErrorBytes {
			s = cut(s, maxErrorBytes)
			r.adjustments[adjustedText]++
		}
		r.event.errors = append(r.event.errors, strings.ToValidUTF8(s, "\uFFFD"))
		return nil
	})
}

// embedding reads a vector. One with an element that is no finite number is as
// good as none.
func embedding(at func(*event) *[]float64) readField {
	return func(r *reader, name string, v []byte) *poisonError {
		if kindOf(v) != kindArray {
			return wrongType(name, "an array of numbers", v)
		}
		var list []float64
		bad := false
		_ = elements(v, func(e []byte) *poisonError {
			if bad || len(list) > maxEmbedding {
				return nil
			}
			f, err := strconv.ParseFloat(string(e), 64)
			if bad = kindOf(e) != kindNumber || err != nil || math.IsNaN(f) || math.IsInf(f, 0); !bad {
				list = append(list, f)
			}
			return nil
		})
		switch {
		case bad:
			r.adjustments[adjustedEmbedding]++
			list = nil
		case len(list) > maxEmbedding:
			r.adjustments[adjustedEmbeddingLimit]++
			list = nil
		}
		*at(r.event) = list
		return nil
	}
}
