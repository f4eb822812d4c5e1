package llmtraffic

import (
	"encoding/binary"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// ScopeName is the instrumentation scope of all spans.
const ScopeName = "github.com/llm-devops/llm-sentinel/llmload"

// Batch collects spans of one export request. Spans of one service stay in the
// order in which they were added.
type Batch struct {
	td    ptrace.Traces
	spans int
	llm   int
	last  *Service
	cur   ptrace.SpanSlice
	slots map[*Service]ptrace.SpanSlice
	// sizeHint is the number of spans that a request will hold.
	sizeHint int
}

// NewBatch returns an empty batch for about size spans.
func NewBatch(size int) *Batch {
	b := &Batch{sizeHint: size, slots: map[*Service]ptrace.SpanSlice{}}
	b.reset()
	return b
}

func (b *Batch) reset() {
	b.td = ptrace.NewTraces()
	b.spans, b.llm, b.last = 0, 0, nil
	clear(b.slots)
}

// Len is the number of spans, Calls the number of LLM calls among them.
func (b *Batch) Len() int { return b.spans }

// Calls is the number of LLM calls in the batch.
func (b *Batch) Calls() int { return b.llm }

// Take returns what was collected and empties the batch.
func (b *Batch) Take() ptrace.Traces {
	td := b.td
	b.reset()
	return td
}

func (b *Batch) service(s *Service) ptrace.SpanSlice {
	if s == b.last {
		return b.cur
	}
	spans, ok := b.slots[s]
	if !ok {
		rs := b.td.ResourceSpans().AppendEmpty()
		a := rs.Resource().Attributes()
		a.EnsureCapacity(4)
		a.PutStr("service.name", s.Name)
		putNonEmpty(a, "deployment.environment.name", s.Environment)
		putNonEmpty(a, "cloud.region", s.Region)
		putNonEmpty(a, "service.version", s.Version)
		ss := rs.ScopeSpans().AppendEmpty()
		ss.Scope().SetName(ScopeName)
		spans = ss.Spans()
		if len(b.slots) == 0 {
			spans.EnsureCapacity(b.sizeHint)
		}
		b.slots[s] = spans
	}
	b.last, b.cur = s, spans
	return spans
}

func putNonEmpty(m pcommon.Map, k, v string) {
	if v != "" {
		m.PutStr(k, v)
	}
}

// Add appends the call, and its HTTP server span if it has one.
func (b *Batch) Add(c *Call) {
	spans := b.service(c.Service)
	if !c.Parent.IsEmpty() {
		b.addParent(spans, c)
	}
	s := spans.AppendEmpty()
	b.spans++
	b.llm++
	s.SetTraceID(c.TraceID)
	s.SetSpanID(c.SpanID)
	s.SetParentSpanID(c.Parent)
	s.SetKind(ptrace.SpanKindClient)
	s.SetName("chat " + c.Model.Name)
	s.SetStartTimestamp(pcommon.Timestamp(c.Start))
	s.SetEndTimestamp(pcommon.Timestamp(c.End))
	a := s.Attributes()
	a.EnsureCapacity(24)
	a.PutStr("gen_ai.operation.name", "chat")
	a.PutStr("gen_ai.provider.name", c.Model.Provider)
	a.PutStr("gen_ai.request.model", c.Model.Name)
	a.PutStr("gen_ai.output.type", "text")
	if c.Service.MaxTokens > 0 {
		a.PutInt("gen_ai.request.max_tokens", max(c.Service.MaxTokens, c.Output))
		a.PutDouble("gen_ai.request.temperature", c.Service.Temperature)
		a.PutDouble("gen_ai.request.top_p", c.Service.TopP)
	}
	a.PutBool("gen_ai.request.stream", c.Stream)
	if c.ResponseID != "" {
		a.PutStr("gen_ai.response.id", c.ResponseID)
		a.PutStr("gen_ai.response.model", c.Model.Response)
	}
	if c.Input >= 0 {
		a.PutInt("gen_ai.usage.input_tokens", c.Input)
	}
	if c.Output >= 0 {
		a.PutInt("gen_ai.usage.output_tokens", c.Output)
	}
	if c.Cost >= 0 {
		a.PutDouble("gen_ai.usage.cost", c.Cost)
	}
	if c.TTFT > 0 {
		a.PutDouble("gen_ai.response.time_to_first_chunk", float64(c.TTFT)/1e9)
	}
	if c.FinishReason != "" {
		a.PutEmptySlice("gen_ai.response.finish_reasons").AppendEmpty().SetStr(c.FinishReason)
	}
	if c.Topic > 0 {
		addTexts(a, c)
	}
	putNonEmpty(a, "gen_ai.conversation.id", c.Conversation)
	putNonEmpty(a, "user.id", c.User)
	putNonEmpty(a, "tenant.id", c.Tenant)
	if c.Model.Server != "" {
		a.PutStr("server.address", c.Model.Server)
		a.PutInt("server.port", 443)
	}
	if c.ErrorType != "" {
		a.PutStr("error.type", c.ErrorType)
		s.Status().SetCode(ptrace.StatusCodeError)
		s.Status().SetMessage(errorMessage(c.ErrorType))
		return
	}
	if c.Injection > 0 {
		a.PutDouble("sentinel.prompt_injection.score", c.Injection)
	}
	if c.Evaluator != "" {
		addEvaluation(s, c)
	}
	if c.Tool != "" {
		b.addTool(spans, c)
	}
}

// addEvaluation writes the result of the evaluator.
func addEvaluation(s ptrace.Span, c *Call) {
	e := s.Events().AppendEmpty()
	e.SetName("gen_ai.evaluation.result")
	e.SetTimestamp(pcommon.Timestamp(c.Time()))
	e.Attributes().PutStr("gen_ai.evaluation.name", c.Evaluator)
	if c.Label != "" {
		e.Attributes().PutStr("gen_ai.evaluation.score.label", c.Label)
		return
	}
	e.Attributes().PutDouble("gen_ai.evaluation.score.value", c.Score)
}

// addTool writes the span of a tool that runs for 20 ms after the call, always
// with the same arguments and the same result.
func (b *Batch) addTool(spans ptrace.SpanSlice, c *Call) {
	t := spans.AppendEmpty()
	b.spans++
	t.SetTraceID(c.TraceID)
	id := c.SpanID
	id[0] ^= 0x80
	t.SetSpanID(id)
	t.SetParentSpanID(c.SpanID)
	t.SetKind(ptrace.SpanKindInternal)
	t.SetName("execute_tool " + c.Tool)
	t.SetStartTimestamp(pcommon.Timestamp(c.Time()))
	t.SetEndTimestamp(pcommon.Timestamp(c.Time() + 20_000_000))
	a := t.Attributes()
	a.EnsureCapacity(5)
	a.PutStr("gen_ai.operation.name", "execute_tool")
	a.PutStr("gen_ai.tool.name", c.Tool)
	a.PutStr("gen_ai.tool.call.arguments", `{"city":"Paris"}`)
	a.PutStr("gen_ai.tool.call.result", `{"temp":21}`)
	putNonEmpty(a, "gen_ai.conversation.id", c.Conversation)
}

// maxWords bounds the length of a text.
const maxWords = 60

// addTexts writes messages as the conventions have them. Their length follows
// the token counts up to maxWords.
func addTexts(a pcommon.Map, c *Call) {
	bits := binary.BigEndian.Uint64(c.SpanID[:])
	buf := append(make([]byte, 0, 640), `[{"role":"user","parts":[{"type":"text","content":"`...)
	buf = appendText(buf, c.Topic-1, bits, int(max(8, min(c.Input, maxWords))))
	a.PutStr("gen_ai.input.messages", string(append(buf, `"}]}]`...)))
	if c.Output <= 0 {
		return
	}
	buf = append(buf[:0], `[{"role":"assistant","parts":[{"type":"text","content":"`...)
	if c.FinishReason == "content_filter" {
		buf = append(buf, "I'm sorry, but I can't help with that."...)
	} else {
		buf = appendText(buf, c.Topic-1, ^bits, int(min(c.Output, maxWords)))
	}
	a.PutStr("gen_ai.output.messages", string(append(buf, `"}]}]`...)))
}

func errorMessage(kind string) string {
	switch kind {
	case "429":
		return "rate limit reached"
	case "timeout":
		return "deadline exceeded"
	case "content_filter":
		return "stopped by the content filter"
	default:
		return "request failed: " + kind
	}
}

// addParent writes the HTTP server span that surrounds the call by 2 ms
// before and 1 ms after it.
func (b *Batch) addParent(spans ptrace.SpanSlice, c *Call) {
	p := spans.AppendEmpty()
	b.spans++
	p.SetTraceID(c.TraceID)
	p.SetSpanID(c.Parent)
	p.SetKind(ptrace.SpanKindServer)
	p.SetName("POST /v1/answer")
	p.SetStartTimestamp(pcommon.Timestamp(c.Start - 2_000_000))
	p.SetEndTimestamp(pcommon.Timestamp(c.Time() + 1_000_000))
	a := p.Attributes()
	a.EnsureCapacity(6)
	a.PutStr("http.request.method", "POST")
	a.PutStr("http.route", "/v1/answer")
	a.PutStr("url.scheme", "https")
	a.PutStr("user.id", c.User)
	if c.ErrorType != "" {
		a.PutInt("http.response.status_code", 502)
		a.PutStr("error.type", "502")
		p.Status().SetCode(ptrace.StatusCodeError)
		return
	}
	a.PutInt("http.response.status_code", 200)
}
