package sentineljsonencodingextension

import "fmt"

// reason says why a message or an event cannot be decoded. It is the value of
// the attribute of the same name.
type reason string

const (
	reasonEmpty         reason = "empty"
	reasonTooLarge      reason = "too_large"
	reasonTooManyEvents reason = "too_many_events"
	reasonTooDeep       reason = "too_deep"
	reasonInvalidJSON   reason = "invalid_json"
	reasonInvalidOTLP   reason = "invalid_otlp"
	reasonUnknownSchema reason = "unknown_schema"
	reasonMissingField  reason = "missing_field"
	reasonWrongType     reason = "wrong_type"
	reasonInvalidValue  reason = "invalid_value"
)

var reasons = []reason{
	reasonEmpty, reasonTooLarge, reasonTooManyEvents, reasonTooDeep, reasonInvalidJSON, reasonInvalidOTLP,
	reasonUnknownSchema, reasonMissingField, reasonWrongType, reasonInvalidValue,
}

// poisonError is why something cannot be decoded. Its text never holds free
// text of the message, which may be a secret or personal.
type poisonError struct {
	reason reason
	text   string
}

func (e *poisonError) Error() string { return e.text }

func poisonf(r reason, format string, args ...any) *poisonError {
	return &poisonError{reason: r, text: fmt.Sprintf(format, args...)}
}

// poison is a message, or a part of one, that cannot be decoded.
type poison struct {
	raw []byte
	err *poisonError
}

// adjustment says what was left out of an event that passed, or is odd in it.
type adjustment uint8

const (
	adjustedSecret adjustment = iota
	adjustedMetadata
	adjustedEmbedding
	adjustedEmbeddingLimit
	adjustedErrors
	adjustedText
	adjustedTotal

	adjustmentCount
)

var adjustmentNames = [adjustmentCount]string{
	adjustedSecret:         "secret_metadata",
	adjustedMetadata:       "metadata_limit",
	adjustedEmbedding:      "embedding_invalid",
	adjustedEmbeddingLimit: "embedding_limit",
	adjustedErrors:         "errors_limit",
	adjustedText:           "text_limit",
	adjustedTotal:          "total_tokens_mismatch",
}

// adjustments counts them for one message.
type adjustments [adjustmentCount]int64
