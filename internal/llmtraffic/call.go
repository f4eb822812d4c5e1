package llmtraffic

import "go.opentelemetry.io/collector/pdata/pcommon"

// Call is one LLM call, ready to be encoded as a span. Times are unix
// nanoseconds.
type Call struct {
	Service *Service
	Model   *Model

	TraceID pcommon.TraceID
	SpanID  pcommon.SpanID
	// Parent is the span id of the surrounding HTTP server span; empty for none.
	Parent pcommon.SpanID

	Start int64
	// End is 0 when the duration of the call is not known.
	End int64
	// TTFT in nanoseconds; 0 when the call was not streamed.
	TTFT int64
	// Input and Output tokens and Cost in USD; negative when not known.
	Input, Output int64
	Cost          float64
	Stream        bool

	// ErrorType is empty for a call that succeeded.
	ErrorType    string
	FinishReason string
	ResponseID   string
	User         string
	Tenant       string
	Conversation string

	// Evaluator is the name of the evaluator whose result the call carries,
	// empty for none; the result is Label or, when that is empty, Score.
	Evaluator, Label string
	Score            float64
	// Injection is the score of a prompt injection, 0 for none.
	Injection float64
	// Tool is the name of a tool that is executed after the call, empty for
	// none.
	Tool string
	// Topic is the subject of the texts, counted from 1; 0 for calls without
	// texts.
	Topic int

	// Incident is the index of the incident that changed the call; -1 for none.
	Incident int
}

// Time is the event time of the call: its end, else its start.
func (c *Call) Time() int64 {
	if c.End != 0 {
		return c.End
	}
	return c.Start
}
