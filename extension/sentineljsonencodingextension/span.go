package sentineljsonencodingextension

import (
	"encoding/hex"
	"encoding/json"
	"strings"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/llm-devops/llm-sentinel/internal/genai"
)

const (
	scopeName = "github.com/llm-devops/llm-sentinel/extension/sentineljsonencodingextension"

	// attrTraceID and attrSpanID keep ids that are no trace or span id.
	attrTraceID = "sentinel.event.trace_id"
	attrSpanID  = "sentinel.event.span_id"
	attrErrors  = "sentinel.event.errors"

	// Embeddings have no name in the conventions; these are the first
	// LLM-Sentinel's.
	attrPromptEmbedding   = "llm.prompt.embedding"
	attrResponseEmbedding = "llm.response.embedding"

	maxStatusBytes    = 4096
	maxErrorTypeBytes = 128
	// otherError is the conventions' error.type of an error without a type.
	otherError = "_OTHER"
)

// spans gathers events into traces, one resource for each service.
type spans struct {
	td       ptrace.Traces
	services map[string]ptrace.SpanSlice
}

func newSpans() *spans {
	return &spans{td: ptrace.NewTraces(), services: map[string]ptrace.SpanSlice{}}
}

func (s *spans) of(e *event) ptrace.SpanSlice {
	// Without a service and with an empty one are the same to OpenTelemetry.
	list, ok := s.services[e.service]
	if !ok {
		rs := s.td.ResourceSpans().AppendEmpty()
		if e.service != "" {
			rs.Resource().Attributes().PutStr(genai.AttrServiceName, e.service)
		}
		ss := rs.ScopeSpans().AppendEmpty()
		ss.Scope().SetName(scopeName)
		list = ss.Spans()
		s.services[e.service] = list
	}
	return list
}

// add writes an event as the span of an LLM call.
func (s *spans) add(e *event) {
	span := s.of(e).AppendEmpty()
	a := span.Attributes()
	a.EnsureCapacity(16 + len(e.metadata))
	span.SetName(genai.OperationChat)
	span.SetKind(ptrace.SpanKindClient)
	a.PutStr(genai.AttrOperationName, genai.OperationChat)
	a.PutStr(genai.AttrEventID, e.id.String())
	if e.model != "" {
		span.SetName(genai.OperationChat + " " + e.model)
		a.PutStr(genai.AttrRequestModel, e.model)
	}
	identify(span, e)
	// The event time is the end of the call. Without a latency the start is
	// unknown, which is not a latency of zero.
	end := e.time.UnixNano()
	span.SetEndTimestamp(pcommon.Timestamp(end))
	if e.latencyMillis.known {
		// Rounding may put the longest latency before 1970.
		span.SetStartTimestamp(pcommon.Timestamp(max(0, end-int64(e.latencyMillis.value*float64(time.Millisecond)+0.5))))
	}
	for _, n := range [...]struct {
		key string
		n   optional[int64]
	}{
		{genai.AttrUsageInputTokens, e.input},
		{genai.AttrUsageOutputTokens, e.output},
		{genai.AttrUsageTotalTokens, e.totalToWrite()},
	} {
		if n.n.known {
			a.PutInt(n.key, n.n.value)
		}
	}
	if e.costUSD.known {
		a.PutDouble(genai.AttrUsageCost, e.costUSD.value)
	}
	if e.finish != "" {
		a.PutEmptySlice(genai.AttrResponseFinish).AppendEmpty().SetStr(e.finish)
	}
	if e.prompt != "" {
		a.PutStr(genai.AttrInputMessages, messages("user", e.prompt, ""))
	}
	if e.response != "" {
		a.PutStr(genai.AttrOutputMessages, messages("assistant", e.response, e.finish))
	}
	putVector(a, attrPromptEmbedding, e.promptEmbedding)
	putVector(a, attrResponseEmbedding, e.responseEmbedding)
	for _, m := range e.metadata {
		if key, ok := metadataAttributes[m.key]; ok {
			a.PutStr(key, m.value)
		} else {
			a.PutStr(genai.AttrMetadataPrefix+m.key, m.value)
		}
	}
	for _, f := range [...]struct{ key, value string }{
		{genai.AttrUserID, e.user},
		{genai.AttrSessionID, e.session},
		{genai.AttrMetadataPrefix + "request_id", e.requestID},
	} {
		if f.value != "" {
			a.PutStr(f.key, f.value)
		}
	}
	fail(span, e.errors)
}

// totalToWrite is the total where it says more than its parts.
func (e *event) totalToWrite() optional[int64] {
	if e.input.known && e.output.known {
		return optional[int64]{}
	}
	return e.total
}

// identify sets the ids of the span: those of the event if they are such ids,
// else ids made of what the event has, so that a second delivery gives the same.
func identify(span ptrace.Span, e *event) {
	var trace pcommon.TraceID
	switch {
	case decodeID(trace[:], e.trace):
	case e.trace != "":
		// Events that share an id of another form stay together.
		sum := digest("trace", []byte(e.trace))
		copy(trace[:], sum[:])
		span.Attributes().PutStr(attrTraceID, e.trace)
	default:
		sum := digest("trace of", e.id[:])
		copy(trace[:], sum[:])
	}
	span.SetTraceID(trace)
	var id pcommon.SpanID
	if !decodeID(id[:], e.span) {
		sum := digest("span of", e.id[:])
		copy(id[:], sum[:])
		if e.span != "" {
			span.Attributes().PutStr(attrSpanID, e.span)
		}
	}
	span.SetSpanID(id)
}

// decodeID reads a hexadecimal id that is not zero, also in the form of a UUID.
func decodeID(into []byte, s string) bool {
	if len(s) == 36 {
		s = strings.ReplaceAll(s, "-", "")
	}
	if len(s) != hex.EncodedLen(len(into)) {
		return false
	}
	b, err := hex.DecodeString(s)
	if err != nil {
		return false
	}
	copy(into, b)
	for _, c := range b {
		if c != 0 {
			return true
		}
	}
	return false
}

type message struct {
	Role   string `json:"role"`
	Parts  []part `json:"parts"`
	Finish string `json:"finish_reason,omitempty"`
}

type part struct {
	Type    string `json:"type"`
	Content string `json:"content"`
}

// messages is a text in the form of gen_ai.input.messages.
func messages(role, text, finish string) string {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	// Strings always encode.
	_ = enc.Encode([]message{{Role: role, Parts: []part{{Type: "text", Content: text}}, Finish: finish}})
	return strings.TrimSuffix(b.String(), "\n")
}

func putVector(a pcommon.Map, key string, v []float64) {
	if len(v) == 0 {
		return
	}
	list := a.PutEmptySlice(key)
	list.EnsureCapacity(len(v))
	for _, f := range v {
		list.AppendEmpty().SetDouble(f)
	}
}

// fail marks the span of a call that reports errors.
func fail(span ptrace.Span, errors []string) {
	if len(errors) == 0 {
		return
	}
	span.Status().SetCode(ptrace.StatusCodeError)
	span.Status().SetMessage(cut(strings.Join(errors, "; "), maxStatusBytes))
	span.Attributes().PutStr(genai.AttrErrorType, errorType(errors[0]))
	list := span.Attributes().PutEmptySlice(attrErrors)
	for _, e := range errors {
		list.AppendEmpty().SetStr(e)
	}
}

// errorType is an error text that is a single word, as types of errors are.
func errorType(s string) string {
	if s == "" || len(s) > maxErrorTypeBytes {
		return otherError
	}
	for _, c := range []byte(s) {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && !strings.ContainsRune("_.-:", rune(c)) {
			return otherError
		}
	}
	return s
}
