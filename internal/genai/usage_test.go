package genai

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
)

// The same answer of a provider is written in many ways. Whatever the emitter
// means by its numbers, the event holds inclusive ones, and so do measures.
func TestTokenCountsAreInclusiveWhateverTheEmitterMeans(t *testing.T) {
	type attrs = map[string]any
	anthropic := func(input, total int) attrs {
		a := attrs{
			AttrProviderName: "anthropic", AttrUsageInputTokens: input, AttrUsageOutputTokens: 12,
			AttrUsageCacheRead: 16, AttrUsageCacheWrite: 3,
		}
		if total > 0 {
			a[AttrUsageTotalTokens] = total
		}
		return a
	}
	for name, tc := range map[string]struct {
		scope, version       string
		attrs                attrs
		input, output, total int64
	}{
		"proof: more cached than input":     {attrs: anthropic(11, 0), input: 30, output: 12, total: 42},
		"proof beats scope":                 {scope: "com.anthropic.sdk.typescript", attrs: anthropic(11, 0), input: 30, output: 12, total: 42},
		"total of input and output, no use": {scope: "@traceloop/instrumentation-anthropic", attrs: anthropic(11, 23), input: 30, output: 12, total: 42},
		"proof: total with cache":           {attrs: anthropic(100, 131), input: 119, output: 12, total: 131},
		"additive scope":                    {scope: "@openlit/instrumentation-anthropic", attrs: anthropic(100, 0), input: 119, output: 12, total: 131},
		"inclusive scope":                   {scope: "com.anthropic.sdk.typescript", attrs: anthropic(100, 0), input: 100, output: 12, total: 112},
		"convention":                        {attrs: anthropic(100, 0), input: 100, output: 12, total: 112},
		"raw numbers of a provider": {attrs: attrs{
			"gen_ai.system": "anthropic", "gen_ai.usage.prompt_tokens": 100, "gen_ai.usage.completion_tokens": 12, AttrUsageCacheRead: 16,
		}, input: 116, output: 12, total: 128},
		"raw numbers of another provider": {attrs: attrs{
			"gen_ai.system": "openai", "gen_ai.usage.prompt_tokens": 100, "gen_ai.usage.completion_tokens": 12, AttrUsageCacheRead: 16,
		}, input: 100, output: 12, total: 112},
		"raw numbers with thoughts": {attrs: attrs{
			"gen_ai.system": "gemini", "gen_ai.usage.prompt_tokens": 100, "gen_ai.usage.completion_tokens": 12, AttrUsageReasoningTokens: 4,
		}, input: 100, output: 16, total: 116},
		"attribute that means one thing": {attrs: attrs{
			AttrProviderName: "anthropic", "llm.token_count.prompt": 100, "llm.token_count.completion": 12, "llm.token_count.prompt_details.cache_read": 16,
		}, input: 100, output: 12, total: 112},
		"row from a version on": {scope: "@arizeai/openinference-instrumentation-anthropic", version: "0.2.8", attrs: anthropic(100, 0), input: 100, output: 12, total: 112},
		"proof: more reasoning than output": {attrs: attrs{
			AttrUsageInputTokens: 27, AttrUsageOutputTokens: 3, AttrUsageReasoningTokens: 4,
		}, input: 27, output: 7, total: 34},
		"proof: total with reasoning": {attrs: attrs{
			AttrUsageInputTokens: 27, AttrUsageOutputTokens: 12, AttrUsageReasoningTokens: 4, AttrUsageTotalTokens: 43,
		}, input: 27, output: 16, total: 43},
		"scope with thoughts apart": {scope: "@traceloop/instrumentation-google-generativeai", attrs: attrs{
			AttrUsageInputTokens: 27, AttrUsageOutputTokens: 12, AttrUsageReasoningTokens: 4, AttrUsageCacheRead: 16,
		}, input: 27, output: 16, total: 43},
		"both proved by one total": {attrs: attrs{
			AttrUsageInputTokens: 100, AttrUsageOutputTokens: 50, AttrUsageReasoningTokens: 4, AttrUsageCacheRead: 16, AttrUsageTotalTokens: 170,
		}, input: 116, output: 54, total: 170},
		"writes by lifetime make up the writes": {scope: "@openlit/instrumentation-anthropic", attrs: attrs{
			AttrUsageInputTokens: 100, AttrUsageOutputTokens: 12, "anthropic.usage.cache_creation.ephemeral_5m_input_tokens": 3, "anthropic.usage.cache_creation.ephemeral_1h_input_tokens": 4,
		}, input: 107, output: 12, total: 119},
		"a reported total stays where nothing was added": {attrs: attrs{
			AttrUsageInputTokens: 27, AttrUsageOutputTokens: 12, AttrUsageTotalTokens: 41, AttrUsageCacheRead: 16,
		}, input: 27, output: 12, total: 41},
	} {
		t.Run(name, func(t *testing.T) {
			for _, measuresOnly := range []bool{false, true} {
				s := callSpan()
				for k, v := range tc.attrs {
					require.NoError(t, s.Attributes().PutEmpty(k).FromRaw(v))
				}
				scope := pcommon.NewInstrumentationScope()
				scope.SetName(tc.scope)
				scope.SetVersion(tc.version)
				var ev Event
				is, problems := newTestExtractor(t, Options{MeasuresOnly: measuresOnly}).FromSpan(nil, scope, s, &ev)
				require.True(t, is)
				assert.Zero(t, problems)
				assert.Equal(t, [3]int64{tc.input, tc.output, tc.total}, [3]int64{ev.InputTokens, ev.OutputTokens, ev.TotalTokens}, measuresOnly)
			}
		})
	}
}

func TestEstimatesOfStreamsAreToldApart(t *testing.T) {
	for name, tc := range map[string]struct {
		scope  string
		stream bool
		want   bool
	}{
		"estimated":      {"@traceloop/instrumentation-openai", true, true},
		"not streamed":   {"@traceloop/instrumentation-openai", false, false},
		"others are not": {"@traceloop/instrumentation-anthropic", true, false},
	} {
		s := fullSpan()
		s.Attributes().PutBool(AttrRequestStream, tc.stream)
		scope := pcommon.NewInstrumentationScope()
		scope.SetName(tc.scope)
		var ev Event
		newTestExtractor(t, Options{}).FromSpan(nil, scope, s, &ev)
		assert.Equal(t, tc.want, ev.Estimated, name)
	}
}

func TestVersionsAreComparedByTheirNumbers(t *testing.T) {
	for _, tc := range []struct {
		a, b string
		want bool
	}{
		{"0.1.9", "0.2", true},
		{"0.2", "0.2", false},
		{"0.2", "0.2.1", true},
		{"0.10.0", "0.2", false},
		{"1", "0.2", false},
		{"v1", "0.2", true},
		{"0.2.0-rc1", "0.2", false},
	} {
		assert.Equal(t, tc.want, versionBefore(tc.a, tc.b), "%s < %s", tc.a, tc.b)
	}
}

func TestDuplicatesAreNoCallsButKeepTheirSignals(t *testing.T) {
	for _, o := range []Options{{}, {MeasuresOnly: true}, {Signals: true}} {
		s := fullSpan()
		s.Attributes().PutStr(AttrEvaluationName, "toxicity")
		x := newTestExtractor(t, o)
		signals, _ := x.Read(nil, pcommon.NewInstrumentationScope(), s, &Event{})
		assert.NotZero(t, signals&SignalCall)
		s.Attributes().PutStr(AttrCallDuplicate, "wrapper")
		signals, problems := x.Read(nil, pcommon.NewInstrumentationScope(), s, &Event{})
		assert.Zero(t, problems)
		want := Signal(0)
		if o.MeasuresOnly || o.Signals {
			want = SignalMarks
		}
		assert.Equal(t, want, signals)
	}
}

func TestOurOwnCostIsPreferred(t *testing.T) {
	s := callSpan()
	s.Attributes().PutDouble(AttrUsageCost, 2)
	s.Attributes().PutDouble(AttrCostUSD, 1)
	ev, _ := read(t, s)
	assert.InDelta(t, 1, ev.CostUSD, 0)
}
