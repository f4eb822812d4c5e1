package genai

import (
	"crypto/sha1" //nolint:gosec // UUIDv5 is defined over SHA-1; nothing is protected by it.
	"encoding/binary"
	"time"

	"github.com/google/uuid"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
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
	// FieldLatency is missing when the span has no end or ends before it starts,
	// unless the emitter reports the duration in an attribute.
	FieldLatency
	FieldCacheWrite5mTokens
	FieldCacheWrite1hTokens
	FieldAudioInputTokens
	FieldAudioOutputTokens
	FieldImageInputTokens
)

// Event is one LLM call in normalised form. Strings share memory with the
// telemetry that they were read from, which is safe: pdata strings are
// immutable. The zero value is an event about which nothing is known.
type Event struct {
	// ID is deterministic for spans: that of [AttrEventID], else see [NewEventID].
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
	// ServiceTier is the class of service that was paid for, such as batch,
	// priority or flex.
	ServiceTier string
	// Estimated says that the emitter counted the tokens itself rather than being
	// told by the provider. Not with Options.MeasuresOnly.
	Estimated bool

	// Failed says that the call ended with an error (span status Error or an
	// error attribute). ErrorType and ErrorMessage may be empty.
	Failed       bool
	ErrorType    string
	ErrorMessage string

	// Present is the set of optional numbers below that are known.
	Present Field
	// Token counts. InputTokens contains cached, audio and image input,
	// OutputTokens contains reasoning and audio output, whatever the emitter
	// means by its numbers; see usage.go. The parts are disjoint, but for the
	// cache writes by lifetime, which are parts of CacheWriteTokens, and audio
	// that was read from the cache. TotalTokens is derived from input and output
	// when absent.
	InputTokens      int64
	OutputTokens     int64
	TotalTokens      int64
	CacheReadTokens  int64
	CacheWriteTokens int64
	ReasoningTokens  int64
	// CacheWrite5mTokens and CacheWrite1hTokens are parts of CacheWriteTokens, by
	// how long the provider keeps them. These and the three below are not read
	// with Options.MeasuresOnly.
	CacheWrite5mTokens int64
	CacheWrite1hTokens int64
	AudioInputTokens   int64
	AudioOutputTokens  int64
	ImageInputTokens   int64
	CostUSD            float64
	TTFTMillis         float64
	LatencyMillis      float64

	// PromptText and ResponseText are filled only on request.
	PromptText   string
	ResponseText string
	// PromptEmbedding and ResponseEmbedding are filled only on request.
	PromptEmbedding   []float32
	ResponseEmbedding []float32
	// Metadata holds what has no field of its own; nil in the common case.
	Metadata map[string]string
}

// clear empties e but for the names that [state.unset] sees to. What holds
// pointers is written only where it is not empty already: while garbage is
// collected, each such write costs as much as all else.
func (e *Event) clear() {
	e.ID = uuid.UUID{}
	e.TraceID, e.SpanID, e.ParentSpanID = pcommon.TraceID{}, pcommon.SpanID{}, pcommon.SpanID{}
	e.Start, e.End = 0, 0
	for _, s := range [...]*string{&e.Environment, &e.Region, &e.Tenant, &e.ErrorMessage, &e.PromptText, &e.ResponseText, &e.ServiceTier} {
		if *s != "" {
			*s = ""
		}
	}
	e.Streaming, e.Estimated, e.Failed, e.Present = false, false, false, 0
	e.InputTokens, e.OutputTokens, e.TotalTokens = 0, 0, 0
	e.CacheReadTokens, e.CacheWriteTokens, e.ReasoningTokens = 0, 0, 0
	e.CacheWrite5mTokens, e.CacheWrite1hTokens = 0, 0
	e.AudioInputTokens, e.AudioOutputTokens, e.ImageInputTokens = 0, 0, 0
	e.CostUSD, e.TTFTMillis, e.LatencyMillis = 0, 0, 0
	if e.PromptEmbedding != nil {
		e.PromptEmbedding = nil
	}
	if e.ResponseEmbedding != nil {
		e.ResponseEmbedding = nil
	}
	if e.Metadata != nil {
		e.Metadata = nil
	}
}

// unset empties the names that the span does not give: those of the event that
// stood here before. Most are given, and so are written once.
func (st *state) unset() {
	ev := st.ev
	for _, n := range [...]struct {
		name    *string
		concept concept
	}{
		{&ev.Operation, conceptOperation},
		{&ev.Provider, conceptProvider},
		{&ev.RequestModel, conceptRequestModel},
		{&ev.ResponseModel, conceptResponseModel},
		{&ev.ResponseID, conceptResponseID},
		{&ev.FinishReason, conceptFinishReason},
		{&ev.Conversation, conceptConversation},
		{&ev.User, conceptUser},
		{&ev.Agent, conceptAgent},
		{&ev.ErrorType, conceptErrorType},
	} {
		if st.best[n.concept] == 0 && *n.name != "" {
			*n.name = ""
		}
	}
	if st.best[conceptService] == 0 && ev.Service != UnknownService {
		ev.Service = UnknownService
	}
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
// delivered twice is stored once. It is the UUIDv5 of the trace and span id.
func NewEventID(trace pcommon.TraceID, span pcommon.SpanID) uuid.UUID {
	// Written out because uuid.NewSHA1 allocates, and this runs for every call.
	var b [40]byte
	copy(b[:16], namespace[:])
	copy(b[16:32], trace[:])
	copy(b[32:], span[:])
	sum := sha1.Sum(b[:]) //nolint:gosec // see the import
	return uuidV5(sum)
}

// identify sets the ID of an event that was read from span.
func (e *Event) identify(span ptrace.Span) {
	if e.TraceID.IsEmpty() || e.SpanID.IsEmpty() {
		e.ID = e.derivedID(span.StartTimestamp(), span.EndTimestamp())
		return
	}
	e.ID = NewEventID(e.TraceID, e.SpanID)
}

// derivedID stands in for NewEventID when the span has no usable ids. Start and
// end are those of the span, before any check, so that a redelivery gives the
// same id however odd its times are. More is what else tells it from others.
func (e *Event) derivedID(start, end pcommon.Timestamp, more ...string) uuid.UUID {
	b := make([]byte, 0, 256)
	b = append(b, namespace[:]...)
	b = append(b, e.TraceID[:]...)
	b = append(b, e.SpanID[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(start))
	b = binary.BigEndian.AppendUint64(b, uint64(end))
	for _, s := range [...]string{e.Service, e.Operation, e.RequestModel, e.ResponseModel, e.ResponseID, e.Conversation, e.User} {
		b = binary.BigEndian.AppendUint64(b, uint64(len(s)))
		b = append(b, s...)
	}
	for _, s := range more {
		b = append(b, s...)
	}
	sum := sha1.Sum(b) //nolint:gosec // see the import
	return uuidV5(sum)
}

func uuidV5(sum [sha1.Size]byte) (id uuid.UUID) {
	copy(id[:], sum[:])
	id[6] = id[6]&0x0f | 5<<4
	id[8] = id[8]&0x3f | 0x80
	return id
}
