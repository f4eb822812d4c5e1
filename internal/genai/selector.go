package genai

import "go.opentelemetry.io/collector/pdata/ptrace"

// concept is one thing that is known about a call, such as its input tokens.
type concept uint8

const (
	conceptOperation concept = iota
	conceptProvider
	conceptRequestModel
	conceptResponseModel
	conceptResponseID
	conceptInputTokens
	conceptOutputTokens
	conceptTotalTokens
	conceptCacheReadTokens
	conceptCacheWriteTokens
	conceptReasoningTokens
	conceptCacheWrite5mTokens
	conceptCacheWrite1hTokens
	conceptAudioInputTokens
	conceptAudioOutputTokens
	conceptImageInputTokens
	conceptServiceTier
	conceptCost
	conceptStreaming
	conceptTTFT
	conceptDuration
	conceptFinishReason
	conceptErrorType
	conceptErrorMessage
	conceptConversation
	conceptUser
	conceptTenant
	conceptAgent
	conceptService
	conceptEnvironment
	conceptRegion
	conceptPrompt
	conceptResponse
	conceptPromptEmbedding
	conceptResponseEmbedding

	conceptCount
	// conceptSignal stands for no fact but for a Signal.
	conceptSignal = conceptCount
)

// isMeasure reports whether a call is judged by c.
func isMeasure(c concept) bool {
	switch c {
	case conceptService, conceptRequestModel, conceptResponseModel, conceptErrorType,
		conceptInputTokens, conceptOutputTokens, conceptTotalTokens,
		// Without these, what a call used cannot be told from its counts.
		conceptCacheReadTokens, conceptCacheWriteTokens, conceptCacheWrite5mTokens, conceptCacheWrite1hTokens,
		conceptReasoningTokens, conceptCost, conceptTTFT, conceptDuration,
		conceptFinishReason, conceptConversation, conceptUser:
		return true
	}
	return false
}

// kind says how the value of a concept is read and checked.
type kind uint8

const (
	kindName      kind = iota // short text; a number is refused
	kindID                    // short text; an integer is accepted and written out
	kindOperation             // name, put into its canonical spelling
	kindMessage               // text of any length, cut to the text limit
	kindProvider              // name, put into its canonical spelling
	kindFinish                // name, put into its canonical spelling
	kindCount                 // whole number from 0 to 1e9
	kindCost                  // US dollars
	kindMillis                // duration in milliseconds
	kindBool
	kindContent // text of prompt or answer, possibly of several parts
	kindSignal  // that the attribute is there is all that matters
	kindVector  // list of numbers, cut to maxDims
)

// conceptSpec gives each concept its name, which is that of the shared
// attribute catalogue, and the kind of its value.
var conceptSpec = [conceptCount]struct {
	name string
	kind kind
}{
	conceptOperation:          {"operation", kindOperation},
	conceptProvider:           {"provider", kindProvider},
	conceptRequestModel:       {"model_request", kindName},
	conceptResponseModel:      {"model_response", kindName},
	conceptResponseID:         {"response_id", kindID},
	conceptInputTokens:        {"input_tokens", kindCount},
	conceptOutputTokens:       {"output_tokens", kindCount},
	conceptTotalTokens:        {"total_tokens", kindCount},
	conceptCacheReadTokens:    {"cache_read_tokens", kindCount},
	conceptCacheWriteTokens:   {"cache_write_tokens", kindCount},
	conceptReasoningTokens:    {"reasoning_tokens", kindCount},
	conceptCacheWrite5mTokens: {"cache_write_5m_tokens", kindCount},
	conceptCacheWrite1hTokens: {"cache_write_1h_tokens", kindCount},
	conceptAudioInputTokens:   {"audio_input_tokens", kindCount},
	conceptAudioOutputTokens:  {"audio_output_tokens", kindCount},
	conceptImageInputTokens:   {"image_input_tokens", kindCount},
	conceptServiceTier:        {"service_tier", kindName},
	conceptCost:               {"cost_total_usd", kindCost},
	conceptStreaming:          {"streaming", kindBool},
	conceptTTFT:               {"ttft", kindMillis},
	conceptDuration:           {"duration", kindMillis},
	conceptFinishReason:       {"finish_reason", kindFinish},
	conceptErrorType:          {"error_type", kindID},
	conceptErrorMessage:       {"error_message", kindMessage},
	conceptConversation:       {"conversation_id", kindID},
	conceptUser:               {"user_id", kindID},
	conceptTenant:             {"tenant_id", kindID},
	conceptAgent:              {"agent_name", kindName},
	conceptService:            {"service", kindName},
	conceptEnvironment:        {"environment", kindName},
	conceptRegion:             {"region", kindName},
	conceptPrompt:             {"input_messages", kindContent},
	conceptResponse:           {"output_messages", kindContent},
	conceptPromptEmbedding:    {"prompt_embedding", kindVector},
	conceptResponseEmbedding:  {"response_embedding", kindVector},
}

// unit is the unit of a duration, or says that the value is a point in time.
type unit uint8

const (
	unitNone unit = iota
	unitSeconds
	unitMillis
	// unitSecondsOrNanos: seconds, but some gateways write nanoseconds under the
	// same name, which is assumed of a value above 1e6.
	unitSecondsOrNanos
	// unitRFC3339 and unitEventTime are points in time; they need sinceStart.
	unitRFC3339
	unitEventTime
)

// selector is one place where the value of a concept may be found. All
// conditions of a selector must hold.
type selector struct {
	// key is the attribute, of the span or, with event, of the span event. "<N>"
	// stands for an array index; concepts of one value read index 0 only.
	key string
	// fields are suffixes of key that together make up one text, for concepts of
	// kindContent.
	fields []string
	// json is a path into the value, which is JSON text, a map or a slice:
	// "a.b" member, "[]" every element, "*" any member. Of several hits the first
	// counts, except for kindContent, which takes all.
	json string
	// jsonSum adds up all members whose name contains this word in any case.
	jsonSum string
	// each says that the value is an array, of which the first usable element counts.
	each bool

	// when lists attributes of the same span that must have one of some values.
	when []condition
	// scope and span are names that must be those of the span.
	scope, span string
	// status is a span status that must hold; unset means any.
	status ptrace.StatusCode

	// resource: key is a resource attribute.
	resource bool
	// event is the name of a span event; log that of a log event, which makes
	// this a selector for log records only.
	event, log string
	// events are names of span events that together make up one text.
	events []string

	// in lists accepted values, ge is the least accepted number (0: any), matches
	// a regular expression on the value. For kindBool a match means true.
	in      []string
	ge      float64
	matches string

	unit unit
	// scale multiplies the number; 0 means 1.
	scale float64
	// sinceStart: the value is a point in time, of which the span start is subtracted.
	sinceStart bool
}

type condition struct {
	key string
	in  []string
}

// callRule says by what a leaf inference call is known. A span is one when any
// rule holds.
type callRule struct {
	// key must have one of the values in.
	key string
	in  []string
	// span and scope must be the names of the span and its scope.
	span, scope string
	// anyOf: one of these attributes is present, and none of unless is.
	anyOf, unless []string
}

// logRule says by what a log record is known to describe a call. A record does
// when its event has the name and the conditions of any rule hold.
type logRule struct {
	// name of the event, and attributes that must have one of some values.
	name string
	when []condition
	// span: the record has the ids of the very call, as a span of it would, so
	// that both are one event.
	span bool
	// failed: the call has failed. failures: the record describes a call only if
	// it says that the call has failed; others report it again when it is done.
	failed, failures bool
	// operation is what such calls are where the record does not say it.
	operation string
}

// table is the whole mapping. The first selector of a concept that gives a
// present, valid, non-empty value wins.
type table struct {
	calls    []callRule
	logs     []logRule
	metrics  []metricRule
	points   [pointFields][]string
	concepts [conceptCount][]selector
}

// keys makes plain selectors, for the common case.
func keys(names ...string) []selector {
	s := make([]selector, len(names))
	for i, n := range names {
		s[i].key = n
	}
	return s
}

func concat(parts ...[]selector) []selector {
	var all []selector
	for _, p := range parts {
		all = append(all, p...)
	}
	return all
}
