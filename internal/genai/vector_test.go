package genai

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
)

func TestEmbeddingsAreReadOnRequestOnly(t *testing.T) {
	s := callSpan()
	list := s.Attributes().PutEmptySlice("llm.prompt.embedding")
	for _, x := range []float64{.5, -1} {
		list.AppendEmpty().SetDouble(x)
	}
	list.AppendEmpty().SetInt(2)
	s.Attributes().PutStr("llm.response.embedding", " [1,2.5] ")
	var ev Event
	_, problems := newTestExtractor(t, Options{Embeddings: true}).FromSpan(nil, pcommon.NewInstrumentationScope(), s, &ev)
	assert.Zero(t, problems)
	assert.Equal(t, []float32{.5, -1, 2}, ev.PromptEmbedding)
	assert.Equal(t, []float32{1, 2.5}, ev.ResponseEmbedding)
	for _, o := range []Options{{}, {MeasuresOnly: true, Embeddings: true}} {
		newTestExtractor(t, o).FromSpan(nil, pcommon.NewInstrumentationScope(), s, &ev)
		assert.Nil(t, ev.PromptEmbedding)
		assert.Nil(t, ev.ResponseEmbedding)
	}
}

func TestDamagedEmbeddingsAreRefused(t *testing.T) {
	x := newTestExtractor(t, Options{Embeddings: true})
	read := func(put func(a pcommon.Map)) ([]float32, Problem) {
		s := callSpan()
		put(s.Attributes())
		var ev Event
		_, problems := x.FromSpan(nil, pcommon.NewInstrumentationScope(), s, &ev)
		return ev.PromptEmbedding, problems
	}
	for _, bad := range []string{"1,2", "[1,2", "[1,x]", "[NaN]", "[1e60]", "[1,,2]"} {
		got, problems := read(func(a pcommon.Map) { a.PutStr("llm.prompt.embedding", bad) })
		assert.Nil(t, got, bad)
		assert.Equal(t, WrongType, problems, bad)
	}
	got, problems := read(func(a pcommon.Map) { a.PutEmptySlice("llm.prompt.embedding").AppendEmpty().SetStr("one") })
	assert.Nil(t, got)
	assert.Equal(t, WrongType, problems)
	got, problems = read(func(a pcommon.Map) { a.PutInt("llm.prompt.embedding", 3) })
	assert.Nil(t, got)
	assert.Equal(t, WrongType, problems)
	for _, none := range []string{"", "[]", " [ ] "} {
		got, problems = read(func(a pcommon.Map) { a.PutStr("llm.prompt.embedding", none) })
		assert.Nil(t, got)
		assert.Zero(t, problems)
	}
	got, _ = read(func(a pcommon.Map) { a.PutStr("llm.prompt.embedding", "["+strings.Repeat("1,", 10_000)+"1]") })
	assert.Len(t, got, maxDims)
}

func TestFinishReasonIsAMeasure(t *testing.T) {
	s := fullSpan()
	s.Attributes().PutStr(AttrOutputMessages, `[{"finish_reason":"length"}]`)
	var want, ev Event
	newTestExtractor(t, Options{}).FromSpan(nil, pcommon.NewInstrumentationScope(), s, &want)
	x := newTestExtractor(t, Options{MeasuresOnly: true})
	x.FromSpan(nil, pcommon.NewInstrumentationScope(), s, &ev)
	require.NotEmpty(t, want.FinishReason)
	assert.Equal(t, want.FinishReason, ev.FinishReason)
	assert.Equal(t, measured(want), ev)
	scope := pcommon.NewInstrumentationScope()
	assert.Zero(t, testing.AllocsPerRun(100, func() { x.FromSpan(nil, scope, s, &ev) }))

	s = callSpan() // messages are not parsed for it
	s.Attributes().PutStr(AttrOutputMessages, `[{"finish_reason":"length"}]`)
	x.FromSpan(nil, pcommon.NewInstrumentationScope(), s, &ev)
	assert.Empty(t, ev.FinishReason)
}

func FuzzVector(f *testing.F) {
	f.Add("[1, 2.5]")
	f.Add("[1e39,]")
	f.Fuzz(func(t *testing.T, s string) {
		list, ok := parseVector(s)
		require.True(t, ok || list == nil)
		require.LessOrEqual(t, len(list), maxDims)
	})
}
