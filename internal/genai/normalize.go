package genai

import (
	"slices"

	"go.opentelemetry.io/collector/pdata/pcommon"
)

// AttrUsageInclusive is true on an item to which [Normalize] added token counts
// that follow the rule of the convention, on whatever its emitter means by its
// own: input contains cached tokens, output contains reasoning.
const AttrUsageInclusive = "sentinel.usage.inclusive"

// Normalize writes what is known about a call under the current names of the
// GenAI conventions, next to the originals in attrs, the attributes of the span
// or log record from which ev was read:
//
//   - gen_ai.operation.name, gen_ai.provider.name, gen_ai.request.model,
//     gen_ai.request.stream, gen_ai.response.model, gen_ai.response.id,
//     gen_ai.response.finish_reasons, gen_ai.response.time_to_first_chunk (s),
//     gen_ai.conversation.id, gen_ai.agent.name, user.id, error.type;
//   - gen_ai.usage.input_tokens, output_tokens, total_tokens (de facto),
//     cache_read.input_tokens, cache_write.input_tokens, reasoning.output_tokens,
//     audio.input_tokens, audio.output_tokens, image.input_tokens and cost (US
//     dollars, de facto; never a zero);
//   - gen_ai.input.messages and gen_ai.output.messages as JSON text, where an
//     emitter of the OpenInference or first OpenLLMetry convention wrote one
//     attribute for each part of a message.
//
// An attribute that is there with a valid value stays as it is. Input and output
// tokens of an emitter that wrote one of them under the current name, but means
// something else by it, stay as they are, both and the total; otherwise they are
// inclusive, which [AttrUsageInclusive] says where it makes a difference. Reading
// the item again gives the same event, but for texts where messages were written,
// and normalising it again changes nothing.
//
// Messages are copied, so that what removes sensitive text must run afterwards.
// At most 256 messages of 1 MiB of text in all are written; the rest is left out.
func Normalize(attrs pcommon.Map, ev *Event) {
	w := normalizer{attrs}
	if slices.Contains(standard.calls[0].in, ev.Operation) {
		// Another operation would say that this is no call.
		w.text(AttrOperationName, ev.Operation)
	}
	w.text(AttrProviderName, ev.Provider)
	w.text(AttrRequestModel, ev.RequestModel)
	w.text(AttrResponseModel, ev.ResponseModel)
	w.text(AttrResponseID, ev.ResponseID)
	w.text(AttrConversationID, ev.Conversation)
	w.text(AttrAgentName, ev.Agent)
	w.text(AttrUserID, ev.User)
	w.text(AttrErrorType, ev.ErrorType)
	if ev.FinishReason != "" && !w.has(AttrResponseFinish) {
		attrs.PutEmptySlice(AttrResponseFinish).AppendEmpty().SetStr(ev.FinishReason)
	}
	if ev.Streaming && !w.has(AttrRequestStream) {
		attrs.PutBool(AttrRequestStream, true)
	}
	if ev.Has(FieldTTFT) && !w.number(AttrTimeToFirstChunk) {
		attrs.PutDouble(AttrTimeToFirstChunk, ev.TTFTMillis/1e3)
	}
	if ev.Has(FieldCost) && ev.CostUSD > 0 && !w.number(AttrUsageCost) {
		attrs.PutDouble(AttrUsageCost, ev.CostUSD)
	}
	w.usage(ev)
	normalizeMessages(attrs)
}

// normalizer writes into attributes what is not there.
type normalizer struct{ attrs pcommon.Map }

func (w normalizer) has(key string) bool {
	v, ok := w.attrs.Get(key)
	return ok && !isEmpty(v) && (v.Type() != pcommon.ValueTypeSlice || v.Slice().Len() > 0)
}

// number reports whether there is a number that is not negative.
func (w normalizer) number(key string) bool {
	v, ok := w.attrs.Get(key)
	if !ok {
		return false
	}
	f, _, ok := scalarOf(v).number()
	return ok && f >= 0
}

func (w normalizer) text(key, value string) {
	if value == "" {
		return
	}
	if v, ok := w.attrs.Get(key); ok {
		if _, _, valid := scalarOf(v).name(true); valid {
			return
		}
	}
	w.attrs.PutStr(key, value)
}

// count is the token count that is there under a key.
func (w normalizer) count(key string) (n int64, there bool) {
	v, ok := w.attrs.Get(key)
	if !ok {
		return 0, false
	}
	n, _, there = scalarOf(v).count()
	return n, there
}

func (w normalizer) putCount(ev *Event, f Field, key string, n int64) (written bool) {
	if _, there := w.count(key); there || !ev.Has(f) {
		return false
	}
	w.attrs.PutInt(key, n)
	return true
}

func (w normalizer) usage(ev *Event) {
	w.putCount(ev, FieldCacheReadTokens, AttrUsageCacheRead, ev.CacheReadTokens)
	w.putCount(ev, FieldCacheWriteTokens, AttrUsageCacheWrite, ev.CacheWriteTokens)
	w.putCount(ev, FieldReasoningTokens, AttrUsageReasoningTokens, ev.ReasoningTokens)
	w.putCount(ev, FieldAudioInputTokens, AttrUsageAudioInput, ev.AudioInputTokens)
	w.putCount(ev, FieldAudioOutputTokens, AttrUsageAudioOutput, ev.AudioOutputTokens)
	w.putCount(ev, FieldImageInputTokens, AttrUsageImageInput, ev.ImageInputTokens)

	if n, there := w.count(AttrUsageInputTokens); there && n != ev.InputTokens {
		return
	}
	if n, there := w.count(AttrUsageOutputTokens); there && n != ev.OutputTokens {
		return
	}
	if n, there := w.count(AttrUsageTotalTokens); there && n != ev.TotalTokens {
		return
	}
	input := w.putCount(ev, FieldInputTokens, AttrUsageInputTokens, ev.InputTokens)
	output := w.putCount(ev, FieldOutputTokens, AttrUsageOutputTokens, ev.OutputTokens)
	if !input && !output {
		return
	}
	w.putCount(ev, FieldTotalTokens, AttrUsageTotalTokens, ev.TotalTokens)
	if ev.Present&usageParts != 0 {
		w.attrs.PutBool(AttrUsageInclusive, true)
	}
}
