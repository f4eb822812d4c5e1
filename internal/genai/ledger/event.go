package ledger

import (
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/llm-devops/llm-sentinel/internal/genai"
)

// OperationFetch asks for a response that was given before.
const OperationFetch = "fetch_response"

// tokenFields is where events hold the counts.
var tokenFields = [TokenTypes]struct {
	field genai.Field
	value func(*genai.Event) *int64
}{
	Input:        {genai.FieldInputTokens, func(e *genai.Event) *int64 { return &e.InputTokens }},
	Output:       {genai.FieldOutputTokens, func(e *genai.Event) *int64 { return &e.OutputTokens }},
	CacheRead:    {genai.FieldCacheReadTokens, func(e *genai.Event) *int64 { return &e.CacheReadTokens }},
	CacheWrite:   {genai.FieldCacheWriteTokens, func(e *genai.Event) *int64 { return &e.CacheWriteTokens }},
	CacheWrite5m: {genai.FieldCacheWrite5mTokens, func(e *genai.Event) *int64 { return &e.CacheWrite5mTokens }},
	CacheWrite1h: {genai.FieldCacheWrite1hTokens, func(e *genai.Event) *int64 { return &e.CacheWrite1hTokens }},
	Reasoning:    {genai.FieldReasoningTokens, func(e *genai.Event) *int64 { return &e.ReasoningTokens }},
	AudioInput:   {genai.FieldAudioInputTokens, func(e *genai.Event) *int64 { return &e.AudioInputTokens }},
	AudioOutput:  {genai.FieldAudioOutputTokens, func(e *genai.Event) *int64 { return &e.AudioOutputTokens }},
	ImageInput:   {genai.FieldImageInputTokens, func(e *genai.Event) *int64 { return &e.ImageInputTokens }},
}

// SetSpan makes e the entry of a span that tells of no call.
func (e *Entry) SetSpan(span ptrace.Span, tool bool) {
	*e = Entry{Trace: span.TraceID(), Span: span.SpanID(), Parent: span.ParentSpanID(), Tool: tool}
}

// SetEvent makes e the entry of an item that tells of a call. Event.ID must be
// set. Strings are shared with the event.
func (e *Entry) SetEvent(ev *genai.Event, source Source) {
	*e = Entry{
		ID: ev.ID, Trace: ev.TraceID, Span: ev.SpanID, Parent: ev.ParentSpanID, Source: source,
		Call: true, NoUsage: ev.Operation == OperationFetch, Failed: ev.Failed, Estimated: ev.Estimated,
		Service: ev.Service, Model: ev.Model(),
		Context: Context{
			ResponseID: ev.ResponseID, FinishReason: ev.FinishReason,
			Agent: ev.Agent, User: ev.User, Conversation: ev.Conversation,
		},
	}
	for t := range TokenTypes {
		if f := &tokenFields[t]; ev.Has(f.field) {
			e.Usage.Set(t, *f.value(ev))
		}
	}
}

// SourceOfLog is the source of an event that was read from a log record:
// [EventOfSpan] if its id is that of the span whose ids it carries.
func SourceOfLog(ev *genai.Event) Source {
	if ev.SpanID != (pcommon.SpanID{}) && ev.ID == genai.NewEventID(ev.TraceID, ev.SpanID) {
		return EventOfSpan
	}
	return Log
}

// Fill enters what d knows and ev does not.
func (d *Decision) Fill(ev *genai.Event) {
	for t := range TokenTypes {
		f := &tokenFields[t]
		if n, known := d.Usage.Get(t); known && !ev.Has(f.field) {
			*f.value(ev) = n
			ev.Present |= f.field
		}
	}
	if !ev.Has(genai.FieldTotalTokens) && ev.Has(genai.FieldInputTokens|genai.FieldOutputTokens) {
		ev.TotalTokens = ev.InputTokens + ev.OutputTokens
		ev.Present |= genai.FieldTotalTokens
	}
	for _, s := range [...]struct{ to, from *string }{
		{&ev.ResponseID, &d.Context.ResponseID},
		{&ev.FinishReason, &d.Context.FinishReason},
		{&ev.Agent, &d.Context.Agent},
		{&ev.User, &d.Context.User},
		{&ev.Conversation, &d.Context.Conversation},
	} {
		if *s.to == "" {
			*s.to = *s.from
		}
	}
}
