// Package store holds the contracts between those that keep LLM events and
// anomalies and those that write and read them. Backends live in folders below
// and must pass the conformance suite in storetest.
package store

import (
	"context"
	"errors"
	"iter"
	"time"

	"github.com/google/uuid"

	"github.com/llm-devops/llm-sentinel/internal/anomaly"
	"github.com/llm-devops/llm-sentinel/internal/genai"
)

var (
	// ErrUnsupported is returned by a Reader for a filter that its backend
	// cannot serve. Callers that look at Capabilities first never see it.
	ErrUnsupported = errors.New("not supported by this storage backend")
	// ErrClosed is returned by every method after the backend was closed.
	ErrClosed = errors.New("storage is closed")
	// ErrInvalid is returned by a Writer for an item that can never be kept
	// (a mistake of the caller), and by a Reader for a malformed query.
	// Trying again cannot help.
	ErrInvalid = errors.New("invalid")
	// ErrFull is returned by a Writer when a size limit is reached that
	// retention could not lower. The caller may try again later.
	ErrFull = errors.New("storage is full")
	// ErrTooMany is returned by a Reader for a question whose answer is larger
	// than its bound. A narrower question can be answered.
	ErrTooMany = errors.New("the answer is too large")
)

// Writer keeps events and anomalies.
//
// Both methods are synchronous: they return nil only when the whole batch is as
// durable as the backend documents. They are idempotent by id (event id,
// anomaly id): writing a batch again, whole or in part, changes nothing, so
// that callers may retry any error. A batch is kept whole or not at all.
// Implementations do not keep the slice, and are safe for concurrent use.
//
// An item that retention would remove at once, or whose time lies further in
// the future than the backend accepts, is left out, counted and not an error:
// the rest of its batch must not suffer from it, and trying again cannot help.
type Writer interface {
	WriteEvents(ctx context.Context, batch []genai.Event) error
	WriteAnomalies(ctx context.Context, batch []anomaly.Anomaly) error
}

// Reader answers questions about what was written. It is safe for concurrent
// use, also beside writers; a batch becomes visible as a whole.
//
// Sequences yield values in the order of [Query] and end early with one error
// (wrapping the context's error when that was the cause). Yielded values are
// the caller's own. A query that matches nothing yields nothing.
type Reader interface {
	Capabilities() Capabilities
	Events(ctx context.Context, q EventQuery) iter.Seq2[genai.Event, error]
	// CountEvents counts all matches, regardless of Limit, Offset and After.
	CountEvents(ctx context.Context, q EventQuery) (int64, error)
	Anomalies(ctx context.Context, q AnomalyQuery) iter.Seq2[anomaly.Anomaly, error]
	CountAnomalies(ctx context.Context, q AnomalyQuery) (int64, error)
	// Ping reports whether the backend can answer now.
	Ping(ctx context.Context) error
}

// Capabilities say what a backend can do. The zero value is the least able.
type Capabilities struct {
	// Count: CountEvents and CountAnomalies work.
	Count bool
	// Cursor: Query.After works.
	Cursor bool
	// Offset: Query.Offset works.
	Offset bool
	// Trace: EventFilter.TraceID works.
	Trace bool
	// Filters: the other fields of EventFilter work.
	Filters bool
	// ByID: EventQuery.ID, AnomalyQuery.ID and AnomalyQuery.TraceID work.
	ByID bool
	// Aggregate: the backend is an Aggregator. PercentileError is the largest
	// relative error of its percentiles; 0 means exact.
	Aggregate       bool
	PercentileError float64
	// Baselines: the backend is a BaselineStore.
	Baselines bool
	// Feedback: the backend is a FeedbackStore.
	Feedback bool
	// Write: the backend is written through its Writer. Others answer from what
	// something else has written, and their Writer returns ErrUnsupported.
	Write bool
}

// Query is the part that all questions about items share. The order of results
// is (time, id), both descending unless Ascending.
type Query struct {
	// Service and Model match exactly; empty matches all.
	Service string
	Model   string
	// Start is inclusive, End exclusive; the zero time leaves that side open.
	Start time.Time
	End   time.Time
	// Limit is the maximum number of results, at least 1.
	Limit int
	// Offset skips results, counted after After.
	Offset    int
	Ascending bool
	// After continues behind this position (exclusive) in the query's order.
	After *Position
}

// Position is a place in the order of results: the time and the id of an
// event or anomaly. It stays valid when that item is gone.
type Position struct {
	Time time.Time
	ID   uuid.UUID
}

// EventQuery asks for LLM events.
type EventQuery struct {
	Query
	EventFilter
	// ID of the event; the zero id matches all.
	ID uuid.UUID
}

// EventFilter says which events are meant, beside the fields of Query. Texts
// match exactly; empty matches all.
type EventFilter struct {
	// TraceID as 32 lower-case hex digits.
	TraceID string
	// Conversation is the id of a session.
	Conversation string
	Provider     string
	Operation    string
	Environment  string
	Tenant       string
	User         string
	// Failed keeps only calls that ended with an error.
	Failed bool
}

// AnomalyQuery asks for anomalies. Zero values match all.
type AnomalyQuery struct {
	Query
	// ID of the anomaly.
	ID uuid.UUID
	// TraceID of its context, as 32 lower-case hex digits.
	TraceID  string
	Severity anomaly.Severity
	Type     anomaly.Type
	// MinConfidence in [0, 1]: results have at least this confidence.
	MinConfidence float64
}

// Backend is one place where data is kept.
type Backend interface {
	Reader
	Writer
	Close(ctx context.Context) error
}

// Provider is what a storage extension implements. Components look it up by
// the component id in their configuration, in Start or later. The results stay
// valid until the extension shuts down, which the collector does last.
type Provider interface {
	StoreReader(ctx context.Context) (Reader, error)
	StoreWriter(ctx context.Context) (Writer, error)
}
