package genai

import (
	"math"
	"strconv"
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"
)

// maxDims is the most components of a vector that are read.
const maxDims = 4096

// setVector keeps a list of numbers, or the same as JSON text. A list in which
// something is no finite number is refused.
func (st *state) setVector(r *rule, v pcommon.Value) {
	if r.prio <= st.best[r.concept] || v.Type() == pcommon.ValueTypeEmpty {
		return
	}
	list, ok := vectorOf(v)
	if !ok {
		st.problems |= WrongType
		return
	}
	if len(list) == 0 {
		return
	}
	st.best[r.concept] = r.prio
	if r.concept == conceptResponseEmbedding {
		st.ev.ResponseEmbedding = list
	} else {
		st.ev.PromptEmbedding = list
	}
}

func vectorOf(v pcommon.Value) ([]float32, bool) {
	if v.Type() == pcommon.ValueTypeStr {
		return parseVector(v.Str())
	}
	if v.Type() != pcommon.ValueTypeSlice {
		return nil, false
	}
	in := v.Slice()
	out := make([]float32, 0, min(in.Len(), maxDims))
	for i := range min(in.Len(), maxDims) {
		x, _, ok := scalarOf(in.At(i)).number()
		if !ok || math.Abs(x) > math.MaxFloat32 {
			return nil, false
		}
		out = append(out, float32(x))
	}
	return out, true
}

// parseVector reads "[1, 2.5]".
func parseVector(s string) ([]float32, bool) {
	s = strings.TrimSpace(s)
	if s == "" {
		return nil, true
	}
	inner, open := strings.CutPrefix(s, "[")
	inner, closed := strings.CutSuffix(inner, "]")
	if !open || !closed {
		return nil, false
	}
	if strings.TrimSpace(inner) == "" {
		return nil, true
	}
	var out []float32
	for part := range strings.SplitSeq(inner, ",") {
		if len(out) == maxDims {
			break
		}
		x, err := strconv.ParseFloat(strings.TrimSpace(limit(part, maxNumberText)), 32)
		if err != nil || math.IsNaN(x) || math.IsInf(x, 0) {
			return nil, false
		}
		out = append(out, float32(x))
	}
	return out, true
}
