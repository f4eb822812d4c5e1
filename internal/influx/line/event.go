package line

import (
	"encoding/hex"
	"encoding/json"
	"fmt"

	"github.com/google/uuid"
	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/llm-devops/llm-sentinel/internal/genai"
)

type event = genai.Event

// Columns of texts that are written on request only.
const (
	columnPrompt   = "prompt_text"
	columnResponse = "response_text"
)

// eventColumns in the order in which their fields are written.
var eventColumns = []column[event]{
	textDim("service", func(e *event) *string { return &e.Service }),
	// The model that answered, or else the one that was asked for.
	dimColumn("model", (*event).Model, func(r *row[event], s string) error { r.item.ResponseModel = s; return nil }),
	textDim("provider", func(e *event) *string { return &e.Provider }),
	textDim("operation", func(e *event) *string { return &e.Operation }),
	textDim("environment", func(e *event) *string { return &e.Environment }),

	numberColumn("latency_ms", genai.FieldLatency, func(e *event) *float64 { return &e.LatencyMillis }),
	countColumn("prompt_tokens", genai.FieldInputTokens, func(e *event) *int64 { return &e.InputTokens }),
	countColumn("response_tokens", genai.FieldOutputTokens, func(e *event) *int64 { return &e.OutputTokens }),
	countColumn("total_tokens", genai.FieldTotalTokens, func(e *event) *int64 { return &e.TotalTokens }),
	countColumn("cache_read_tokens", genai.FieldCacheReadTokens, func(e *event) *int64 { return &e.CacheReadTokens }),
	countColumn("cache_write_tokens", genai.FieldCacheWriteTokens, func(e *event) *int64 { return &e.CacheWriteTokens }),
	countColumn("reasoning_tokens", genai.FieldReasoningTokens, func(e *event) *int64 { return &e.ReasoningTokens }),
	countColumn("cache_write_5m_tokens", genai.FieldCacheWrite5mTokens, func(e *event) *int64 { return &e.CacheWrite5mTokens }),
	countColumn("cache_write_1h_tokens", genai.FieldCacheWrite1hTokens, func(e *event) *int64 { return &e.CacheWrite1hTokens }),
	countColumn("audio_input_tokens", genai.FieldAudioInputTokens, func(e *event) *int64 { return &e.AudioInputTokens }),
	countColumn("audio_output_tokens", genai.FieldAudioOutputTokens, func(e *event) *int64 { return &e.AudioOutputTokens }),
	countColumn("image_input_tokens", genai.FieldImageInputTokens, func(e *event) *int64 { return &e.ImageInputTokens }),
	numberColumn("cost_usd", genai.FieldCost, func(e *event) *float64 { return &e.CostUSD }),
	numberColumn("ttft_ms", genai.FieldTTFT, func(e *event) *float64 { return &e.TTFTMillis }),
	// 0 or 1, so that its mean is the error rate.
	newColumn("has_errors", TypeInt,
		func(b *Buffer, c *column[event], e *event) {
			v := int64(0)
			if e.Failed {
				v = 1
			}
			b.int(c.key, v)
		},
		func(r *row[event], x any) error {
			n, err := asInt(x)
			r.item.Failed = n != 0
			return err
		}),
	newColumn(ColumnEventID, TypeString,
		func(b *Buffer, c *column[event], e *event) { b.uuid(c.key, e.ID) },
		func(r *row[event], x any) (err error) { r.item.ID, err = asUUID(x); r.identified = true; return err }),
	idColumn(ColumnTraceID, func(e *event) []byte { return e.TraceID[:] }),
	idColumn("span_id", func(e *event) []byte { return e.SpanID[:] }),
	idColumn("parent_span_id", func(e *event) []byte { return e.ParentSpanID[:] }),

	timeColumn(eventNanos),
	newColumn("start_ns", TypeInt,
		func(b *Buffer, c *column[event], e *event) {
			if e.Start != 0 {
				b.int(c.key, int64(e.Start))
			}
		},
		func(r *row[event], x any) error {
			n, err := asInt(x)
			r.item.Start = pcommon.Timestamp(n)
			return err
		}),
	// The call has no end: its time is its start.
	newColumn("no_end", TypeBool,
		func(b *Buffer, c *column[event], e *event) { b.flag(c.key, e.End == 0) },
		func(r *row[event], x any) (err error) { r.noEnd, err = asBool(x); return err }),
	// Nothing is known of the model that answered: model is the one asked for.
	newColumn("model_asked", TypeBool,
		func(b *Buffer, c *column[event], e *event) {
			b.flag(c.key, e.ResponseModel == "" && e.RequestModel != "")
		},
		func(r *row[event], x any) (err error) { r.asked, err = asBool(x); return err }),
	flagColumn("streaming", func(e *event) *bool { return &e.Streaming }),
	flagColumn("estimated", func(e *event) *bool { return &e.Estimated }),

	textDim("region", func(e *event) *string { return &e.Region }),
	textDim("request_model", func(e *event) *string { return &e.RequestModel }),
	textDim("finish_reason", func(e *event) *string { return &e.FinishReason }),
	textColumn("service_tier", func(e *event) *string { return &e.ServiceTier }),
	textColumn("user_id", func(e *event) *string { return &e.User }),
	textColumn("session_id", func(e *event) *string { return &e.Conversation }),
	textColumn("tenant_id", func(e *event) *string { return &e.Tenant }),
	textColumn("agent_name", func(e *event) *string { return &e.Agent }),
	textColumn("response_id", func(e *event) *string { return &e.ResponseID }),
	textColumn("error_type", func(e *event) *string { return &e.ErrorType }),
	textColumn("error_message", func(e *event) *string { return &e.ErrorMessage }),
	jsonColumn("metadata",
		func(e *event) ([]byte, bool) { return jsonMap(e.Metadata) },
		func(e *event, b []byte) error { return json.Unmarshal(b, &e.Metadata) }),
	textColumn(columnPrompt, func(e *event) *string { return &e.PromptText }),
	textColumn(columnResponse, func(e *event) *string { return &e.ResponseText }),
}

// idColumn is an id of trace or span as hex digits, missing when it is zero.
func idColumn(name string, at func(*event) []byte) column[event] {
	return newColumn(name, TypeString,
		func(b *Buffer, c *column[event], e *event) {
			id := at(e)
			for _, v := range id {
				if v != 0 {
					b.hex(c.key, id)
					return
				}
			}
		},
		func(r *row[event], x any) error {
			s, err := asText(x)
			if err != nil || s == "" {
				return err
			}
			id := at(&r.item)
			if len(s) != hex.EncodedLen(len(id)) {
				return fmt.Errorf("must be %d hex digits, got %q", hex.EncodedLen(len(id)), s)
			}
			if _, err := hex.Decode(id, []byte(s)); err != nil {
				clear(id)
				return fmt.Errorf("must be %d hex digits, got %q", hex.EncodedLen(len(id)), s)
			}
			return nil
		})
}

func eventNanos(e *event) int64 {
	if e.End != 0 {
		return int64(e.End)
	}
	return int64(e.Start)
}

func finishEvent(r *row[event]) error {
	if !r.identified || r.item.ID == uuid.Nil {
		return fmt.Errorf("%s is missing", ColumnEventID)
	}
	at := r.point
	if r.timed {
		at = r.at
	}
	if r.noEnd {
		r.item.Start = pcommon.Timestamp(at)
	} else {
		r.item.End = pcommon.Timestamp(at)
	}
	if r.asked {
		r.item.RequestModel, r.item.ResponseModel = r.item.ResponseModel, ""
	}
	return nil
}

// EventColumns describes the columns of an LLM event, without those that end
// with [ExactSuffix].
func EventColumns() []Column { return columnsOf(eventColumns) }

// EventDimensions lists what may become a tag of an event.
func EventDimensions() []string { return dimensionsOf(eventColumns) }
