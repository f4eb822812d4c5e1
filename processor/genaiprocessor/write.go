package genaiprocessor

import (
	"github.com/google/uuid"
	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/llm-devops/llm-sentinel/internal/genai"
	"github.com/llm-devops/llm-sentinel/internal/genai/ledger"
)

// writeDuplicate says that the item tells of a call which is counted elsewhere.
func writeDuplicate(attrs pcommon.Map, d *ledger.Decision) {
	attrs.PutStr(genai.AttrCallDuplicate, d.Duplicate.String())
	if d.Of != [16]byte{} {
		attrs.PutStr(genai.AttrCallID, uuid.UUID(d.Of).String())
	}
}

// writeMerged writes what others know of the call: after, but for before.
func writeMerged(attrs pcommon.Map, before, after *genai.Event) {
	for _, f := range [...]struct{ key, before, after string }{
		{genai.AttrResponseID, before.ResponseID, after.ResponseID},
		{genai.AttrAgentName, before.Agent, after.Agent},
		{genai.AttrUserID, before.User, after.User},
		{genai.AttrConversationID, before.Conversation, after.Conversation},
	} {
		if f.before == "" && f.after != "" {
			attrs.PutStr(f.key, f.after)
		}
	}
	if before.FinishReason == "" && after.FinishReason != "" {
		attrs.PutEmptySlice(genai.AttrResponseFinish).AppendEmpty().SetStr(after.FinishReason)
	}
	if before.Present != after.Present {
		writeUsage(attrs, after)
	}
}

// usageKeys are the current names of the token counts, or those in use where
// the convention has none.
var usageKeys = [...]struct {
	key   string
	field genai.Field
	value func(*genai.Event) int64
}{
	{genai.AttrUsageInputTokens, genai.FieldInputTokens, func(e *genai.Event) int64 { return e.InputTokens }},
	{genai.AttrUsageOutputTokens, genai.FieldOutputTokens, func(e *genai.Event) int64 { return e.OutputTokens }},
	{genai.AttrUsageCacheRead, genai.FieldCacheReadTokens, func(e *genai.Event) int64 { return e.CacheReadTokens }},
	{genai.AttrUsageCacheWrite, genai.FieldCacheWriteTokens, func(e *genai.Event) int64 { return e.CacheWriteTokens }},
	{genai.AttrUsageReasoningTokens, genai.FieldReasoningTokens, func(e *genai.Event) int64 { return e.ReasoningTokens }},
	{genai.AttrUsageAudioInput, genai.FieldAudioInputTokens, func(e *genai.Event) int64 { return e.AudioInputTokens }},
	{genai.AttrUsageAudioOutput, genai.FieldAudioOutputTokens, func(e *genai.Event) int64 { return e.AudioOutputTokens }},
	{genai.AttrUsageImageInput, genai.FieldImageInputTokens, func(e *genai.Event) int64 { return e.ImageInputTokens }},
	{"anthropic.usage.cache_creation.ephemeral_5m_input_tokens", genai.FieldCacheWrite5mTokens, func(e *genai.Event) int64 { return e.CacheWrite5mTokens }},
	{"anthropic.usage.cache_creation.ephemeral_1h_input_tokens", genai.FieldCacheWrite1hTokens, func(e *genai.Event) int64 { return e.CacheWrite1hTokens }},
}

// writeUsage writes all known counts, inclusive, and says so. What stood under
// such a name before and is another number is kept.
func writeUsage(attrs pcommon.Map, ev *genai.Event) {
	for i := range usageKeys {
		if k := &usageKeys[i]; ev.Has(k.field) {
			putCount(attrs, k.key, k.value(ev))
		}
	}
	if _, ok := attrs.Get(genai.AttrUsageTotalTokens); ok && ev.Has(genai.FieldTotalTokens) {
		putCount(attrs, genai.AttrUsageTotalTokens, ev.TotalTokens)
	}
	attrs.PutBool(genai.AttrUsageInclusive, true)
}

func putCount(attrs pcommon.Map, key string, n int64) {
	if old, ok := attrs.Get(key); ok {
		if old.Type() == pcommon.ValueTypeInt && old.Int() == n {
			return
		}
		kept := pcommon.NewValueEmpty()
		old.CopyTo(kept)
		kept.MoveTo(attrs.PutEmpty(genai.PrefixOriginal + key))
	}
	attrs.PutInt(key, n)
}
