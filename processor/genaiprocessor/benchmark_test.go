package genaiprocessor

import (
	"context"
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/llm-devops/llm-sentinel/internal/genai"
)

// One call of a batch of 100, with all that the processor does by default.
func BenchmarkCall(b *testing.B) {
	specs := make([]spec, 100)
	for i := range specs {
		specs[i] = spec{id: byte(i + 1), attrs: chat(100, 20, genai.AttrUsageCacheRead, 40, genai.AttrResponseModel, "gpt-4o-2024-08-06")}
	}
	r := newRig(b, nil)
	in := trace(specs...)
	spans := spansOf(in)
	n := uint64(0)
	b.ReportAllocs()
	for b.Loop() {
		if n++; n%100 != 1 {
			continue
		}
		var id pcommon.TraceID
		binary.BigEndian.PutUint64(id[:], n)
		for _, s := range spans {
			s.SetTraceID(id)
			s.Attributes().Remove(genai.AttrCostUSD)
			s.Attributes().Remove(genai.AttrCostPriceVersion)
		}
		_, err := r.eng.processTraces(context.Background(), in)
		require.NoError(b, err)
	}
}
