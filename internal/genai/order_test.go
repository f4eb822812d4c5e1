package genai

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// What a resource remembers of one span must not change what is read from the
// next, whatever the order, number and names of its attributes.
func TestAttributeOrderOfEarlierSpansDoesNotMatter(t *testing.T) {
	x := newTestExtractor(t, Options{})
	type pair struct {
		key string
		put func(pcommon.Map, string)
	}
	text := func(s string) func(pcommon.Map, string) { return func(m pcommon.Map, k string) { m.PutStr(k, s) } }
	number := func(n int64) func(pcommon.Map, string) { return func(m pcommon.Map, k string) { m.PutInt(k, n) } }
	span := func(pairs ...pair) ptrace.Span {
		s := ptrace.NewSpan()
		for _, p := range pairs {
			p.put(s.Attributes(), p.key)
		}
		return s
	}
	op := pair{"gen_ai.operation.name", text("chat")}
	model := pair{"gen_ai.request.model", text("m")}
	other := pair{"gen_ai.response.model", text("r")}
	in := pair{"gen_ai.usage.input_tokens", number(11)}
	out := pair{"gen_ai.usage.output_tokens", number(7)}
	var filler []pair
	for i := range 70 { // more than the resource remembers
		filler = append(filler, pair{"app.step." + string(rune('a'+i%26)) + string(rune('a'+i/26)), text("x")})
	}
	spans := []ptrace.Span{
		span(op, model, other, in, out),
		span(out, in, other, model, op),
		span(model, op),
		span(append(filler, op, model, in, out)...),
		span(op, in, out, model, other),
	}
	shared := Resource{Service: "svc"}
	var got, want Event
	for range 2 {
		for i, s := range spans {
			fresh := Resource{Service: "svc"}
			isCall, problems := x.FromSpan(&shared, pcommon.NewInstrumentationScope(), s, &got)
			require.True(t, isCall)
			_, alone := x.FromSpan(&fresh, pcommon.NewInstrumentationScope(), s, &want)
			assert.Equal(t, want, got, "span %d", i)
			assert.Equal(t, alone, problems)
		}
	}
	assert.EqualValues(t, 11, got.InputTokens)

	// A resource that another extractor made is read without its memory.
	small, err := newExtractor(&table{calls: []callRule{{key: "k", in: []string{"v"}}}}, Options{})
	require.NoError(t, err)
	s := span(pair{"k", text("v")})
	isCall, _ := small.FromSpan(&shared, pcommon.NewInstrumentationScope(), s, &got)
	assert.True(t, isCall)
}
