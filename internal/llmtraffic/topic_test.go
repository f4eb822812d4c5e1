package llmtraffic

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestTextsAreWrittenOnRequestAndChangeNothingElse(t *testing.T) {
	o := testOptions()
	generate := func(texts bool) (plain []Call) {
		o.Texts = texts
		g, err := NewGenerator(o, 0, 1)
		require.NoError(t, err)
		var c Call
		for g.Next(&c) {
			b := NewBatch(1)
			b.Add(&c)
			td := b.Take()
			span := td.ResourceSpans().At(0).ScopeSpans().At(0).Spans().At(0)
			prompt, ok := span.Attributes().Get("gen_ai.input.messages")
			require.Equal(t, texts, ok)
			if texts {
				require.GreaterOrEqual(t, len(strings.Fields(prompt.Str())), 8)
			}
			_, ok = span.Attributes().Get("gen_ai.output.messages")
			require.Equal(t, texts && c.Output > 0, ok)
			c.Topic, c.Service, c.Model = 0, nil, nil
			plain = append(plain, c)
		}
		return plain
	}
	with, without := generate(true), generate(false)
	assert.Equal(t, without, with)
}

func TestTheSameBitsGiveTheSameText(t *testing.T) {
	a, b := appendText(nil, 0, 7, 40), appendText(nil, 0, 7, 40)
	assert.Equal(t, a, b)
	assert.NotEqual(t, a, appendText(nil, 0, 8, 40))
	assert.Len(t, strings.Fields(string(a)), 40)
	assert.Contains(t, strings.Fields(string(appendText(nil, 2, 7, 200))), "goroutine")
}
