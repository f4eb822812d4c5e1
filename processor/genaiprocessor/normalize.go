package genaiprocessor

import (
	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/llm-devops/llm-sentinel/internal/genai"
)

// normalize writes what is known of the call under the current names of the
// conventions, next to what the emitter wrote. Token counts that stand under a
// current name but are not inclusive are replaced; see writeUsage.
func normalize(attrs pcommon.Map, ev *genai.Event) {
	genai.Normalize(attrs, ev)
	if differs(attrs, genai.AttrUsageInputTokens, ev.InputTokens, ev.Has(genai.FieldInputTokens)) ||
		differs(attrs, genai.AttrUsageOutputTokens, ev.OutputTokens, ev.Has(genai.FieldOutputTokens)) {
		writeUsage(attrs, ev)
	}
}

// differs reports whether another number than n, which is known, stands there.
func differs(attrs pcommon.Map, key string, n int64, known bool) bool {
	v, ok := attrs.Get(key)
	return known && (!ok || v.Type() != pcommon.ValueTypeInt || v.Int() != n)
}
