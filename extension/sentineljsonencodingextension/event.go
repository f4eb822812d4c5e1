package sentineljsonencodingextension

import (
	"crypto/sha1" //nolint:gosec // UUIDv5 is defined over SHA-1; nothing is protected by it.
	"encoding/binary"
	"time"

	"github.com/google/uuid"
)

// event is one LLM call as a JSON event tells it. A number that is missing or
// null is unknown, not zero.
type event struct {
	id          uuid.UUID
	time        time.Time
	service     string
	hasService  bool
	model       string
	trace, span string

	prompt, response          string
	finish                    string
	promptEmbedding           []float64
	responseEmbedding         []float64
	input, output, total      optional[int64]
	latencyMillis, costUSD    optional[float64]
	metadata                  []entry
	user, session, requestID  string
	errors                    []string
	givenID, hasModel, isFlat bool
	isDomain                  bool
}

type optional[T any] struct {
	value T
	known bool
}

// entry is one member of an event's metadata, as text.
type entry struct{ key, value string }

// limits of one event.
type limits struct{ metadata int }

// Limits that are not configured.
const (
	maxErrors        = 16
	maxErrorBytes    = 4096
	maxNameBytes     = 1024
	maxMetadataKey   = 128
	maxMetadataValue = 1024
	maxEmbedding     = 4096 // dimensions
)

// decode reads an object that the scanner has accepted, of the domain schema or
// of the producers' flat schema. An object is of the domain schema if it has
// event_id, model, prompt or response, and of the flat one if it has any name
// that only the flat one knows.
func decode(raw []byte, lim limits, adj *adjustments) (*event, *poisonError) {
	e := &event{}
	err := members(raw, func(key string, v []byte) *poisonError {
		read, ok := fields[key]
		if !ok || kindOf(v) == kindNull {
			return nil
		}
		return read(&reader{event: e, limits: lim, adjustments: adj}, key, v)
	})
	if err != nil {
		return nil, err
	}
	if err := e.complete(raw, adj); err != nil {
		return nil, err
	}
	return e, nil
}

// complete checks what must be there and derives what is not.
func (e *event) complete(raw []byte, adj *adjustments) *poisonError {
	switch {
	case !e.isDomain && !e.isFlat:
		return poisonf(reasonUnknownSchema, "neither a field of the domain schema (event_id, model, prompt, response) nor one of the flat schema (model_name, prompt_tokens, request_id, …)")
	case e.time.IsZero():
		return missing("timestamp")
	case e.isDomain && !e.isFlat && !e.givenID:
		return missing("event_id")
	case e.isDomain && !e.isFlat && !e.hasService:
		return missing("service_name")
	case e.isDomain && !e.isFlat && !e.hasModel:
		return missing("model")
	case !e.hasModel && e.isFlat:
		return missing("model_name")
	}
	if e.latencyMillis.known && e.latencyMillis.value > float64(e.time.UnixNano())/1e6 {
		return poisonf(reasonInvalidValue, "latency_ms is %g, which puts the start before 1970", e.latencyMillis.value)
	}
	if e.total.known && e.input.known && e.output.known && e.total.value != e.input.value+e.output.value {
		adj[adjustedTotal]++
	}
	switch {
	case e.givenID:
	case e.requestID != "":
		// With the service and the time, because some producers number their
		// requests from 1 in each process.
		b := appendText(nil, e.service)
		b = appendText(b, e.requestID)
		e.id = derive("request", binary.BigEndian.AppendUint64(b, uint64(e.time.UnixNano())))
	default:
		e.id = derive("content", raw)
	}
	return nil
}

func missing(field string) *poisonError {
	return poisonf(reasonMissingField, "%s is missing or null", field)
}

// namespace of derived ids: UUIDv5 of a name under the project's module path.
var namespace = uuid.NewSHA1(uuid.NameSpaceURL, []byte("github.com/llm-devops/llm-sentinel/encoding"))

// derive is the UUIDv5 of data as a thing of the given kind.
func derive(kind string, data []byte) uuid.UUID {
	return uuid.NewSHA1(namespace, append(appendText(nil, kind), data...))
}

func appendText(b []byte, s string) []byte {
	return append(binary.BigEndian.AppendUint64(b, uint64(len(s))), s...)
}

// digest is the SHA-1 of a thing of the given kind, of which trace and span ids
// are made.
func digest(kind string, data []byte) [sha1.Size]byte {
	return sha1.Sum(append(appendText(nil, kind), data...)) //nolint:gosec // see the import
}
