package genaiprocessor

import (
	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/llm-devops/llm-sentinel/internal/genai"
)

// normalize writes what is known of the call under the current names of the
// conventions, next to what the emitter wrote. Names that stand there already
// are left alone, but for token counts that mean something else; see writeUsage.
func normalize(attrs pcommon.Map, ev *genai.Event) {
	for _, f := range [...]struct{ key, value string }{
		{genai.AttrOperationName, ev.Operation},
		{genai.AttrProviderName, ev.Provider},
		{genai.AttrRequestModel, ev.RequestModel},
		{genai.AttrResponseModel, ev.ResponseModel},
		{genai.AttrResponseID, ev.ResponseID},
		{genai.AttrConversationID, ev.Conversation},
		{genai.AttrAgentName, ev.Agent},
		{genai.AttrUserID, ev.User},
		{genai.AttrErrorType, ev.ErrorType},
	} {
		if f.value == "" {
			continue
		}
		if _, ok := attrs.Get(f.key); !ok {
			attrs.PutStr(f.key, f.value)
		}
	}
	if _, ok := attrs.Get(genai.AttrResponseFinish); !ok && ev.FinishReason != "" {
		attrs.PutEmptySlice(genai.AttrResponseFinish).AppendEmpty().SetStr(ev.FinishReason)
	}
	if _, ok := attrs.Get(genai.AttrRequestStream); !ok && ev.Streaming {
		attrs.PutBool(genai.AttrRequestStream, true)
	}
	if _, ok := attrs.Get(genai.AttrTimeToFirstChunk); !ok && ev.Has(genai.FieldTTFT) {
		attrs.PutDouble(genai.AttrTimeToFirstChunk, ev.TTFTMillis/1e3)
	}
	if ev.Present&usageFields != 0 {
		writeUsage(attrs, ev)
	}
}

const usageFields = genai.FieldInputTokens | genai.FieldOutputTokens | genai.FieldCacheReadTokens | genai.FieldCacheWriteTokens |
	genai.FieldReasoningTokens | genai.FieldAudioInputTokens | genai.FieldAudioOutputTokens | genai.FieldImageInputTokens
