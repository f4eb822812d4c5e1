package anomalyprocessor

import (
	"fmt"
	"math"
	"math/bits"
	"strconv"
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/llm-devops/llm-sentinel/internal/anomaly"
	"github.com/llm-devops/llm-sentinel/internal/genai"
)

// Context keys of findings about agents.
const (
	contextConversation = "conversation_id"
	contextAgent        = "agent"
	contextTool         = "tool"
)

// methodLoop names the comparison of tool calls.
const methodLoop anomaly.Method = "loop"

// conversationCall takes note of an LLM call and judges the size of its
// conversation. It comes last, so that the conversation has arrived from memory.
func (b *batch) conversationCall(found []finding) []finding {
	if b.conversations == nil || b.conversation == 0 {
		return found
	}
	ev, key, now := b.event, b.conversation, b.now.UnixNano()
	mu, c := b.conversations.acquire(key, now, true)
	c.count(ev)
	if c.calls >= detailFrom && !c.named {
		c.details(ev.Service, ev.Conversation, b.model, "")
	}
	// Sizes are looked at now and then: at 50, 52, 54 .. 64, 68 .. 128, 136 ..
	due := int64(c.calls) >= b.cfg.Agents.MinCalls || c.tokens >= b.cfg.Agents.MinTokens
	if due && c.calls&(1<<max(0, bits.Len32(c.calls)-5)-1) == 0 {
		found = b.size(c, found)
	}
	mu.Unlock()
	if ev.Conversation == "" || ev.TraceID.IsEmpty() || b.conversations.agents.Load() == 0 {
		return found
	}
	// Tool spans of this trace may not know the conversation: what they need to
	// know of it is kept with the trace.
	if key = b.conversations.key(ev.Service, "", ev.TraceID); key != 0 {
		mu, c = b.conversations.acquire(key, now, false)
		if c != nil && c.detail != nil {
			c.count(ev)
			c.alias = true
			c.details(ev.Service, ev.Conversation, b.model, "")
		}
		mu.Unlock()
	}
	return found
}

func (c *conversation) count(ev *genai.Event) {
	if c.calls < math.MaxUint32 {
		c.calls++
	}
	if ev.Has(genai.FieldTotalTokens) {
		c.tokens += ev.TotalTokens
	}
	if ev.Has(genai.FieldCost) {
		c.cost += ev.CostUSD
	}
}

// size compares a conversation with what is normal for its service.
func (b *batch) size(c *conversation, found []finding) []finding {
	for i, s := range [numSizes]struct {
		metric, unit string
		value, least int64
	}{
		sizeCalls:  {"conversation_calls", "calls", int64(c.calls), b.cfg.Agents.MinCalls},
		sizeTokens: {"conversation_tokens", "tokens", c.tokens, b.cfg.Agents.MinTokens},
	} {
		if s.value < s.least || c.told>>i&1 != 0 {
			continue
		}
		expected, limit, samples, ok := b.conversations.expect(b.event.Service, i)
		limit = max(limit, float64(s.least))
		if !ok || float64(s.value) <= limit {
			continue
		}
		c.told |= 1 << i
		f := finding{
			typ: anomaly.TypeCostAnomaly, metric: s.metric, method: anomaly.MethodMAD, severity: anomaly.SeverityHigh, confidence: .9,
			value: float64(s.value), baseline: expected, threshold: limit, sigma: math.NaN(), samples: samples, window: "ended_conversations",
			detail: c.burned(),
			cause: fmt.Sprintf("the conversation has come to %d %s; those of this service end at %s, the limit is %s",
				s.value, s.unit, appendNumber(nil, expected), appendNumber(nil, limit)),
			remediation: []string{"Stop the conversation if nobody waits for it, and limit the number of turns of the agent."},
		}
		f.context = c.facts()
		found = append(found, f)
	}
	return found
}

// burned is what the conversation has used up so far.
func (c *conversation) burned() map[string]float64 {
	m := map[string]float64{"conversation_calls": float64(c.calls), "conversation_tokens": float64(c.tokens)}
	if c.cost > 0 {
		m["conversation_cost_usd"] = c.cost
	}
	if c.detail != nil && c.detail.toolCalls > 0 {
		m["tool_calls"] = float64(c.detail.toolCalls)
	}
	return m
}

func (c *conversation) facts() map[string]string {
	m := map[string]string{}
	if d := c.detail; d != nil {
		m = withText(withText(m, contextConversation, d.id), contextAgent, d.agent)
	}
	return m
}

// tool judges the execution of a tool and appends to b.found when the agent
// runs in circles. It reports whether the span may have marks, found now or at
// an earlier delivery.
func (b *batch) tool(from origin) bool {
	t := genai.ReadTool(from.span)
	b.event.Conversation = t.Conversation
	for _, name := range b.cfg.Agents.IgnoreTools {
		if strings.EqualFold(name, t.Name) {
			return false
		}
	}
	key := b.conversations.key(b.event.Service, t.Conversation, b.event.TraceID)
	if key == 0 {
		return false
	}
	mu, c := b.conversations.acquire(key, b.now.UnixNano(), true)
	defer mu.Unlock()
	d := c.details(b.event.Service, t.Conversation, "", t.Agent)
	if d.tools == nil {
		d.tools = &toolHistory{}
		b.conversations.agents.Add(1)
	}
	b.event.ResponseModel = d.model
	call := toolCall{
		span: spanKey(b.event.SpanID), parent: spanKey(b.event.ParentSpanID),
		tool:      b.conversations.hash(pcommon.NewValueStr(t.Name)),
		arguments: b.conversations.hash(t.Arguments), result: b.conversations.hash(t.Result),
	}
	if d.tools.known(&call) {
		return d.tools.repeats > 0
	}
	b.found = b.loop(c, &t, call, b.found)
	return len(b.found) > 0
}

// loop adds the tool call to those of its conversation.
func (b *batch) loop(c *conversation, t *genai.Tool, call toolCall, found []finding) []finding {
	d := c.detail
	d.toolCalls++
	at := int64(b.event.End)
	if at == 0 || at > b.now.UnixNano() {
		at = b.now.UnixNano()
	}
	call.at = at
	l, ok := d.tools.add(call, b.cfg.Agents.Repetitions)
	if !ok {
		if d.tools.repeats == 0 {
			d.toldLoop = 0
		}
		return found
	}
	severity := loopSeverity(l.repeats)
	if uint8(severity) <= d.toldLoop {
		b.counts.suppressed[suppressOngoing]++
		return found
	}
	d.toldLoop = uint8(severity)
	what := "the same arguments"
	if t.Result.Type() != pcommon.ValueTypeEmpty {
		what += " and results"
	}
	f := finding{
		typ: anomaly.TypeCostAnomaly, metric: "agent_loop", method: methodLoop, severity: severity, confidence: loopConfidence(l.repeats),
		value: float64(l.repeats), baseline: 1, threshold: float64(l.limit), sigma: math.NaN(),
		onset: l.onset, at: at, samples: uint64(d.toolCalls), window: "last_" + strconv.Itoa(loopWindow) + "_tool_calls",
		detail: c.burned(), context: withText(c.facts(), contextTool, t.Name),
		remediation: []string{"Stop the agent, and let it give up when a tool answers the same twice; tools that may repeat can be named in agents::ignore_tools."},
	}
	f.detail["repetitions"] = float64(l.repeats)
	if l.period > 1 {
		f.detail["cycle_length"] = float64(l.period)
		f.cause = fmt.Sprintf("%d tool calls go round in a cycle of %d with %s, %s among them (limit %d rounds)", l.repeats, l.period, what, t.Name, l.limit)
	} else {
		f.cause = fmt.Sprintf("the tool %s was called %d times with %s (limit %d)", t.Name, l.repeats, what, l.limit)
	}
	if c.calls > 0 {
		f.cause += fmt.Sprintf("; the conversation has used %d LLM calls and %d tokens so far", c.calls, c.tokens)
	}
	return append(found, f)
}

// loopSeverity grows with the length of a loop.
func loopSeverity(repeats uint64) anomaly.Severity {
	switch {
	case repeats >= 50:
		return anomaly.SeverityCritical
	case repeats >= 10:
		return anomaly.SeverityHigh
	}
	return anomaly.SeverityMedium
}

// loopConfidence grows with the length of a loop: three equal calls may be a
// coincidence, ten are none.
func loopConfidence(repeats uint64) float64 { return 1 - 1/float64(repeats+1) }
