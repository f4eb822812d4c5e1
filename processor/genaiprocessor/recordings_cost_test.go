package genaiprocessor

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/llm-devops/llm-sentinel/internal/genai"
)

// What the answers of the recorded server cost, by the price lists of the
// vendors: tokens by US dollars per million. OpenAI's answers are 27 tokens in, 16
// of them cached, and 12 out; Anthropic's 11 new, 16 cached and 3 written to the
// cache, and 12 out.
const (
	gpt4o         = 11*2.5 + 16*1.25 + 12*10
	gpt4oMini     = 11*.15 + 16*.075 + 12*.6
	gpt41         = 11*2 + 16*.5 + 12*8
	embedding     = 8 * .02
	claudeOpus46  = 11*5 + 16*.5 + 3*6.25 + 12*25
	claudeSonnet4 = 11*3 + 16*.3 + 3*3.75 + 12*15
	// The same where the emitter does not tell of the cache.
	gpt4oUncached     = 27*2.5 + 12*10
	gpt4oMiniUncached = 27*.15 + 12*.6
	gpt41Uncached     = 27*2 + 12*8
	// An emitter that guesses the tokens of a stream: 7 in and 5 out.
	gpt4oGuessed = 7*2.5 + 5*10
)

// recordedCosts are in millionths of a US dollar.
var recordedCosts = map[string]float64{
	"elastic-openai":                      2*gpt4oUncached + 2*gpt4oMiniUncached + embedding,
	"native-sdks-no-instrumentation":      2 * claudeOpus46,
	"openinference-anthropic":             3 * claudeOpus46,
	"openinference-langchain":             5 * gpt4o,
	"openinference-openai":                gpt4o + gpt4oMini + gpt41, // no counts for its stream and its embeddings
	"openlit":                             2*gpt4o + embedding + claudeOpus46,
	"otel-instrumentation-openai":         2*gpt4oUncached + 2*gpt4oMiniUncached + 2*gpt41Uncached + embedding,
	"otel-instrumentation-openai-content": 2*gpt4oUncached + 2*gpt4oMiniUncached + 2*gpt41Uncached + embedding,
	"traceloop-langchain":                 5 * gpt4oUncached,
	"traceloop-node-server-sdk":           gpt4oUncached + gpt4oGuessed + gpt4oMiniUncached + gpt41Uncached + 3*claudeSonnet4,
	"vercel-ai-sdk-v7":                    2*gpt4o + 2*gpt4oMini + gpt41 + embedding, // its model of an own server has no price
}

func TestRecordingsCostWhatTheVendorsAsk(t *testing.T) {
	x, err := genai.NewExtractor(genai.Options{})
	require.NoError(t, err)
	for name := range recordings {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, nil)
			lines(t, name+".traces", func(b []byte) {
				td, err := (&ptrace.JSONUnmarshaler{}).UnmarshalTraces(b)
				require.NoError(t, err)
				r.send(td)
			})
			lines(t, name+".logs", func(b []byte) {
				ld, err := (&plog.JSONUnmarshaler{}).UnmarshalLogs(b)
				require.NoError(t, err)
				r.sendLogs(ld)
			})
			var cost float64
			for _, td := range r.outT.AllTraces() {
				for _, rs := range td.ResourceSpans().All() {
					for _, ss := range rs.ScopeSpans().All() {
						for _, s := range ss.Spans().All() {
							var ev genai.Event
							if is, _ := x.FromSpan(nil, ss.Scope(), s, &ev); is && ev.Has(genai.FieldCost) {
								cost += ev.CostUSD
							}
						}
					}
				}
			}
			assert.InDelta(t, recordedCosts[name], cost*1e6, 1e-6)
		})
	}
}
