package genai

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// Rows for emitters that are not in the standard table show that all features
// of selectors work, so that such an emitter is a matter of rows.
func TestEmittersAreRowsOfTheTable(t *testing.T) {
	var tab table
	tab.calls = []callRule{
		{key: "langfuse.observation.type", in: []string{"generation"}},
		{key: "ai.operationId", in: []string{"ai.streamText.doStream", "ai.generateText.doGenerate"}},
		{span: "call_llm", scope: "gcp.vertex.agent"},
		{span: "claude_code.llm_request"},
	}
	tab.concepts[conceptInputTokens] = []selector{{key: "langfuse.observation.usage_details", jsonSum: "input"}}
	tab.concepts[conceptTotalTokens] = []selector{{key: "langfuse.observation.usage_details", json: "total"}}
	tab.concepts[conceptCacheReadTokens] = []selector{{key: "gcp.vertex.agent.llm_response", json: "usageMetadata.cachedContentTokenCount"}}
	tab.concepts[conceptCacheWriteTokens] = []selector{{key: "ai.response.providerMetadata", json: "*.cacheCreationInputTokens"}}
	tab.concepts[conceptCost] = []selector{{key: "cost_usd_micros", scale: 1e-6}}
	tab.concepts[conceptTTFT] = []selector{{key: "langfuse.observation.completion_start_time", unit: unitRFC3339, sinceStart: true}}
	tab.concepts[conceptStreaming] = []selector{{key: "ai.operationId", matches: `^ai\.stream`}}
	tab.concepts[conceptErrorType] = []selector{{key: "langfuse.observation.level", in: []string{"ERROR"}}}
	tab.concepts[conceptAgent] = []selector{
		{key: "traceloop.entity.name", when: []condition{{"traceloop.span.kind", []string{"agent", "task"}}}},
		{key: "node", scope: "my.scope", span: "my span"},
	}
	x, err := newExtractor(&tab, Options{})
	require.NoError(t, err)

	type attrs = map[string]any
	for name, tc := range map[string]struct {
		scope, span string
		attrs       attrs
		want        func(*Event)
	}{
		"Langfuse": {"langfuse-sdk", "x", attrs{
			"langfuse.observation.type":                  "generation",
			"langfuse.observation.usage_details":         `{"input":11,"input_cached_tokens":16,"output":8,"total":39}`,
			"langfuse.observation.completion_start_time": `"2026-01-02T03:04:05.250Z"`,
			"langfuse.observation.level":                 "ERROR",
		}, func(e *Event) {
			e.InputTokens, e.TotalTokens, e.TTFTMillis, e.Failed, e.ErrorType = 27, 39, 250, true, "ERROR"
			e.Present |= FieldInputTokens | FieldTotalTokens | FieldTTFT
		}},
		"Langfuse, no error": {"", "", attrs{"langfuse.observation.type": "generation", "langfuse.observation.level": "DEFAULT"}, func(*Event) {}},
		"Vercel": {"ai", "x", attrs{
			"ai.operationId":               "ai.streamText.doStream",
			"ai.response.providerMetadata": `{"anthropic":{"cacheCreationInputTokens":3}}`,
		}, func(e *Event) {
			e.Streaming, e.CacheWriteTokens = true, 3
			e.Present |= FieldCacheWriteTokens
		}},
		"Vercel, not streamed": {"ai", "x", attrs{"ai.operationId": "ai.generateText.doGenerate"}, func(*Event) {}},
		"ADK": {"gcp.vertex.agent", "call_llm", attrs{
			"gcp.vertex.agent.llm_response": `{"content":{},"usageMetadata":{"cachedContentTokenCount":16}}`,
		}, func(e *Event) {
			e.CacheReadTokens = 16
			e.Present |= FieldCacheReadTokens
		}},
		"Claude Code": {"any", "claude_code.llm_request", attrs{
			"cost_usd_micros": "250000", "traceloop.entity.name": "planner", "traceloop.span.kind": "agent",
		}, func(e *Event) {
			e.CostUSD, e.Agent = 0.25, "planner"
			e.Present |= FieldCost
		}},
		"condition fails": {"any", "claude_code.llm_request", attrs{
			"traceloop.entity.name": "planner", "traceloop.span.kind": "tool", "node": "n",
		}, func(*Event) {}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSpan()
			s.SetName(tc.span)
			require.NoError(t, s.Attributes().FromRaw(tc.attrs))
			scope := pcommon.NewInstrumentationScope()
			scope.SetName(tc.scope)
			var ev Event
			is, problems := x.FromSpan(nil, scope, s, &ev)
			require.True(t, is)
			assert.Equal(t, MissingModel, problems, problems.String())
			want := Event{
				ID: NewEventID(testTrace, testSpan), TraceID: testTrace, SpanID: testSpan, Service: UnknownService,
				Start: testStart, End: testStart + 1_500_000_000, LatencyMillis: 1500, Present: FieldLatency,
			}
			tc.want(&want)
			assert.Equal(t, want, ev)
		})
	}
	for name, in := range map[string][2]string{"other scope": {"other", "call_llm"}, "other span": {"gcp.vertex.agent", "execute_tool"}} {
		s := newSpan()
		s.SetName(in[1])
		scope := pcommon.NewInstrumentationScope()
		scope.SetName(in[0])
		is, _ := x.FromSpan(nil, scope, s, &Event{})
		assert.False(t, is, name)
	}
}

func TestConditionsOnScopeSpanAndStatus(t *testing.T) {
	var tab table
	tab.calls = []callRule{{anyOf: []string{callMark}}}
	tab.concepts[conceptAgent] = []selector{{key: "node", scope: "s", span: "n", status: ptrace.StatusCodeOk}}
	x, err := newExtractor(&tab, Options{})
	require.NoError(t, err)
	for name, tc := range map[string]struct {
		scope, span string
		status      ptrace.StatusCode
		want        string
	}{
		"all hold":     {"s", "n", ptrace.StatusCodeOk, "x"},
		"other scope":  {"t", "n", ptrace.StatusCodeOk, ""},
		"other name":   {"s", "m", ptrace.StatusCodeOk, ""},
		"other status": {"s", "n", ptrace.StatusCodeUnset, ""},
	} {
		c := newCarrier(conceptAgent)
		c.scope.SetName(tc.scope)
		c.span.SetName(tc.span)
		c.span.Status().SetCode(tc.status)
		c.span.Attributes().PutStr("node", "x")
		ev, _ := c.read(t, x)
		assert.Equal(t, tc.want, ev.Agent, name)
	}
}
