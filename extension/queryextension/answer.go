package queryextension

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"math"
	"net/http"
	"time"

	"github.com/llm-devops/llm-sentinel/internal/store"
)

// inquiry is a request of a data route whose parameters are known ones, with
// the storage to ask.
type inquiry struct {
	values values
	http   *http.Request
	reader store.Reader
	caps   store.Capabilities
	now    time.Time
}

// answerMetadata stands beside the data. What does not apply is left out.
type answerMetadata struct {
	Start           time.Time `json:"start,omitzero"`
	End             time.Time `json:"end,omitzero"`
	PageSize        int       `json:"page_size,omitempty"`
	StepSeconds     *int64    `json:"step_seconds,omitempty"`
	PercentileError *float64  `json:"percentile_error,omitempty"`
	Truncated       bool      `json:"truncated,omitempty"`
}

// within is the metadata of an answer about a time range.
func within(t timeRange) answerMetadata {
	m := answerMetadata{Start: t.start}
	if t.end.Before(maxTime) {
		m.End = t.end
	}
	return m
}

type answerBody struct {
	Data     any            `json:"data"`
	Metadata answerMetadata `json:"metadata"`
}

// answer makes a handler of a function that finds the data of a route. Its
// errors are an *apiError, or what the storage said.
func (s *server) answer(kind string, params []string, find func(context.Context, *inquiry) (any, answerMetadata, error)) http.HandlerFunc {
	return s.answerWith(http.StatusOK, kind, params, find)
}

func (s *server) answerWith(status int, kind string, params []string, find func(context.Context, *inquiry) (any, answerMetadata, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, err := s.findAnswer(r, params, find)
		if err != nil {
			sendError(w, r, s.refusal(r.Context(), kind, err))
			return
		}
		send(w, r, status, typeJSON, body)
	}
}

func (s *server) findAnswer(r *http.Request, params []string, find func(context.Context, *inquiry) (any, answerMetadata, error)) ([]byte, error) {
	v, e := parseValues(r.URL.RawQuery, params)
	if e != nil {
		return nil, e
	}
	ctx := r.Context()
	reader, err := s.reader(ctx)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errNoReader, err)
	}
	data, meta, err := find(ctx, &inquiry{values: v, http: r, reader: reader, caps: reader.Capabilities(), now: s.now()})
	if err != nil {
		return nil, err
	}
	body, err := json.Marshal(answerBody{data, meta})
	if err != nil {
		return nil, fmt.Errorf("encode the answer: %w", err)
	}
	if len(body) >= s.cfg.MaxResponseBytes {
		return nil, s.answerTooLarge()
	}
	return append(body, '\n'), nil
}

// refusal is what the client may know of err.
func (s *server) refusal(ctx context.Context, kind string, err error) *apiError {
	var e *apiError
	if !errors.As(err, &e) {
		return s.queryError(ctx, kind, err)
	}
	if e.code == codeResponseTooLarge {
		s.reject(ctx, rejectedSize)
	}
	return e
}

func (s *server) answerTooLarge() *apiError {
	return &apiError{
		status: http.StatusBadRequest, code: codeResponseTooLarge,
		message: fmt.Sprintf("the answer is larger than %d bytes; narrow the time range or the filters, or group by less", s.cfg.MaxResponseBytes),
		details: map[string]any{"max_response_bytes": s.cfg.MaxResponseBytes},
	}
}

func nothingKept(what, id string) *apiError {
	return &apiError{
		status: http.StatusNotFound, code: codeNotFound, message: "no such " + what + " is kept",
		details: map[string]any{"id": shorten(id, 128)},
	}
}

// take collects at most n results. A backend that ends early without a word
// because the context ended must not make a short answer.
func take[T any](ctx context.Context, n int, seq iter.Seq2[T, error]) ([]T, error) {
	var all []T
	for v, err := range seq {
		if err != nil {
			return nil, err
		}
		if len(all) == n {
			break
		}
		all = append(all, v)
	}
	return all, ctx.Err()
}

// rowList is a JSON list that is cut when it grows too large.
type rowList struct {
	json      json.RawMessage
	n         int
	room      int
	truncated bool
}

func newRowList(room int) *rowList { return &rowList{json: json.RawMessage("["), room: room} }

// add appends a row and reports whether it fitted.
func (l *rowList) add(row any) (bool, error) {
	b, err := json.Marshal(row)
	if err != nil {
		return false, err
	}
	if len(l.json)+len(b)+2 > l.room {
		l.truncated = true
		return false, nil
	}
	if l.n > 0 {
		l.json = append(l.json, ',')
	}
	l.json = append(l.json, b...)
	l.n++
	return true, nil
}

func (l *rowList) close() json.RawMessage { return append(l.json, ']') }

// number is null unless it is known and finite.
func number(v float64, known bool) *float64 {
	if !known || math.IsNaN(v) || math.IsInf(v, 0) {
		return nil
	}
	return &v
}

// ratio of a count to a total; not known when the total is 0.
func ratio(n, total int64) *float64 {
	return number(float64(n)/float64(total), total > 0)
}

// list makes null an empty list in JSON.
func list[T any](v []T) []T {
	if v == nil {
		return []T{}
	}
	return v
}
