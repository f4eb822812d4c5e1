// Package genai reads LLM events out of OpenTelemetry data. Which attribute
// means what is said by one table (table.go); the code only walks it.
package genai

import (
	"time"

	"github.com/google/uuid"
	"go.opentelemetry.io/collector/pdata/pcommon"
)

// Field names an optional number of an [Event]. A number that the telemetry
// did not carry is missing, not zero.
type Field uint32

// The optional numbers.
const (
	FieldInputTokens Field = 1 << iota
	FieldOutputTokens
	FieldTotalTokens
	FieldCacheReadTokens
	FieldCacheWriteTokens
	FieldReasoningTokens
	FieldCost
	FieldTTFT
	// FieldLatency is missing when the span has no end or ends before it starts.
	FieldLatency
)

// Event is one LLM call in normalised form. Strings share memory with the
// telemetry that they were read from, which is safe: pdata strings are
// immutable. The zero value is an event about which nothing is known.
type Event struct {
	// ID is deterministic for spans, see [NewEventID].
	ID           uuid.UUID
	TraceID      pcommon.TraceID
	SpanID       pcommon.SpanID
	ParentSpanID pcommon.SpanID
	// Start and End are unix nanoseconds. The event time, on which detection
	// runs and by which events are stored and queried, is End; see [Event.Time].
	Start pcommon.Timestamp
	End   pcommon.Timestamp

	Service       string
	Environment   string
	Region        string
	Tenant        string
	Operation     string
	Provider      string // canonical, see providerAliases
	RequestModel  string
	ResponseModel string
	ResponseID    string
	FinishReason  string // canonical, see finishReasonAliases
	Conversation  string
	User          string
	Agent         string
	Streaming     bool

	// Failed says that the call ended with an error (span status Error or an
	// error attribute). ErrorType and ErrorMessage may be empty.
	Failed       bool
	ErrorType    string
	ErrorMessage string

	// Present is the set of optional numbers below that are known.
	Present Field
	// Token counts. Whether InputTokens contains cached tokens follows the
	// emitter; TotalTokens is derived from input and output when absent.
	InputTokens      int64
	OutputTokens     int64
	TotalTokens      int64
	CacheReadTokens  int64
	CacheWriteTokens int64
	ReasoningTokens  int64
	CostUSD          float64
	TTFTMillis       float64
	LatencyMillis    float64

	// PromptText and ResponseText are filled only on request.
	PromptText   string
	ResponseText string
	// Metadata holds what has no field of its own; nil in the common case.
	Metadata map[string]string
}

// Has reports whether all numbers of f are known.
func (e *Event) Has(f Field) bool { return e.Present&f == f }

// Model is the model that answered, else the one that was asked for.
func (e *Event) Model() string {
	if e.ResponseModel != "" {
		return e.ResponseModel
	}
	return e.RequestModel
}

// Time is the event time: the end of the call, or its start when it has no end.
func (e *Event) Time() time.Time {
	if e.End != 0 {
		return e.End.AsTime()
	}
	return e.Start.AsTime()
}

// namespace of event ids: UUIDv5 of the project's module path.
var namespace = uuid.NewSHA1(uuid.NameSpaceURL, []byte("github.com/llm-devops/llm-sentinel/event"))

// NewEventID derives the id of the event of a span, so that a span that is
// delivered twice is stored once.
func NewEventID(trace pcommon.TraceID, span pcommon.SpanID) uuid.UUID {
	var b [24]byte
	copy(b[:16], trace[:])
	copy(b[16:], span[:])
	return uuid.NewSHA1(namespace, b[:])
}
