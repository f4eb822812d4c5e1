package genai

import (
	"encoding/json"
	"math"
	"time"

	"github.com/google/uuid"
)

// wireEvent is the JSON form of the contract (domain schema). The members
// after Errors are additions, which readers of the domain schema ignore.
// A number that is not known is null.
type wireEvent struct {
	EventID     uuid.UUID         `json:"event_id"`
	Timestamp   time.Time         `json:"timestamp"`
	ServiceName string            `json:"service_name"`
	TraceID     *string           `json:"trace_id"`
	SpanID      *string           `json:"span_id"`
	Model       string            `json:"model"`
	Prompt      wirePrompt        `json:"prompt"`
	Response    wireResponse      `json:"response"`
	LatencyMS   *float64          `json:"latency_ms"`
	CostUSD     *float64          `json:"cost_usd"`
	Metadata    map[string]string `json:"metadata"`
	Errors      []string          `json:"errors"`

	TotalTokens      *int64   `json:"total_tokens"`
	CacheReadTokens  *int64   `json:"cache_read_tokens"`
	CacheWriteTokens *int64   `json:"cache_write_tokens"`
	ReasoningTokens  *int64   `json:"reasoning_tokens"`
	TTFTMS           *float64 `json:"ttft_ms"`
	Operation        string   `json:"operation"`
	Provider         string   `json:"provider"`
	RequestModel     string   `json:"request_model"`
}

type wirePrompt struct {
	Text      string    `json:"text"`
	Tokens    *int64    `json:"tokens"`
	Embedding []float64 `json:"embedding"`
}

type wireResponse struct {
	Text         string    `json:"text"`
	Tokens       *int64    `json:"tokens"`
	FinishReason string    `json:"finish_reason"`
	Embedding    []float64 `json:"embedding"`
}

// Keys of the metadata object under which typed fields appear.
const (
	metaUser         = "user_id"
	metaSession      = "session_id"
	metaRegion       = "region"
	metaEnvironment  = "environment"
	metaTenant       = "tenant_id"
	metaAgent        = "agent_name"
	metaResponseID   = "response_id"
	metaParentSpanID = "parent_span_id"
	metaErrorType    = "error_type"
)

// MarshalJSON writes the domain schema of the contract.
func (e Event) MarshalJSON() ([]byte, error) {
	w := wireEvent{
		EventID: e.ID, Timestamp: e.Time().UTC(), ServiceName: e.Service, Model: e.Model(),
		Prompt:    wirePrompt{Text: e.PromptText, Tokens: e.count(FieldInputTokens, e.InputTokens)},
		Response:  wireResponse{Text: e.ResponseText, Tokens: e.count(FieldOutputTokens, e.OutputTokens), FinishReason: e.FinishReason},
		LatencyMS: e.number(FieldLatency, e.LatencyMillis), CostUSD: e.number(FieldCost, e.CostUSD),
		Metadata: make(map[string]string, len(e.Metadata)+4), Errors: []string{},
		TotalTokens:     e.count(FieldTotalTokens, e.TotalTokens),
		CacheReadTokens: e.count(FieldCacheReadTokens, e.CacheReadTokens), CacheWriteTokens: e.count(FieldCacheWriteTokens, e.CacheWriteTokens),
		ReasoningTokens: e.count(FieldReasoningTokens, e.ReasoningTokens), TTFTMS: e.number(FieldTTFT, e.TTFTMillis),
		Operation: e.Operation, Provider: e.Provider, RequestModel: e.RequestModel,
	}
	if !e.TraceID.IsEmpty() {
		s := e.TraceID.String()
		w.TraceID = &s
	}
	if !e.SpanID.IsEmpty() {
		s := e.SpanID.String()
		w.SpanID = &s
	}
	for k, v := range e.Metadata {
		w.Metadata[k] = v
	}
	for _, f := range [...]struct{ k, v string }{
		{metaUser, e.User},
		{metaSession, e.Conversation},
		{metaRegion, e.Region},
		{metaEnvironment, e.Environment},
		{metaTenant, e.Tenant},
		{metaAgent, e.Agent},
		{metaResponseID, e.ResponseID},
		{metaErrorType, e.ErrorType},
	} {
		if f.v != "" {
			w.Metadata[f.k] = f.v
		}
	}
	if !e.ParentSpanID.IsEmpty() {
		w.Metadata[metaParentSpanID] = e.ParentSpanID.String()
	}
	if e.Failed {
		w.Errors = append(w.Errors, e.errorText())
	}
	return json.Marshal(w)
}

func (e *Event) errorText() string {
	switch {
	case e.ErrorMessage != "":
		return e.ErrorMessage
	case e.ErrorType != "":
		return e.ErrorType
	default:
		return "error"
	}
}

func (e *Event) count(f Field, v int64) *int64 {
	if !e.Has(f) {
		return nil
	}
	return &v
}

func (e *Event) number(f Field, v float64) *float64 {
	if !e.Has(f) || math.IsNaN(v) || math.IsInf(v, 0) {
		return nil
	}
	return &v
}
