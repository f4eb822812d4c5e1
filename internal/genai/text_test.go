package genai

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestTruncationKeepsCharactersWhole(t *testing.T) {
	assert.Equal(t, "abc", truncate("abc", 3))
	assert.Equal(t, "ab...[truncated]", truncate("abc", 2))
	for n := range 12 {
		got := truncate("aé€😀z", n)
		assert.True(t, utf8.ValidString(got), "%d: %q", n, got)
		assert.LessOrEqual(t, len(got), max(n, 11)+len(truncatedSuffix))
	}
	broken := strings.Repeat("\x80", 10)
	assert.Equal(t, broken[:5]+"...[truncated]", truncate(broken, 5), "bytes that are no UTF-8 do not lead astray")
}

func TestTextsOfAllConventions(t *testing.T) {
	x := newTestExtractor(t, Options{CaptureText: true, MaxTextBytes: 60})
	type attrs = map[string]any
	for name, tc := range map[string]struct {
		attrs            attrs
		prompt, response string
	}{
		"messages": {attrs{
			"gen_ai.input.messages":  `[{"role":"system","parts":[{"type":"text","content":"be brief"}]},{"role":"user","parts":[{"type":"text","content":"hi"},{"type":"blob","data":3}]}]`,
			"gen_ai.output.messages": `[{"role":"assistant","parts":[{"type":"text","content":"h\u00e9!"}],"finish_reason":"stop"}]`,
		}, "be brief\nhi", "hé!"},
		"messages as values": {attrs{
			"gen_ai.input.messages": []any{map[string]any{"role": "user", "parts": []any{map[string]any{"content": "hi"}}}},
		}, "hi", ""},
		"messages with plain content": {attrs{"gen_ai.input.messages": `[{"role":"user","content":"hi"}]`}, "hi", ""},
		"messages as a bare text":     {attrs{"gen_ai.input.messages": "just text"}, "just text", ""},
		"messages cut off":            {attrs{"gen_ai.input.messages": `[{"parts":[{"content":"one"}]},{"parts":[{"content":"tw`}, "one\ntw", ""},
		"messages too long": {
			attrs{"gen_ai.input.messages": `[{"parts":[{"content":"` + strings.Repeat("é", 40) + `"}]}]`},
			strings.Repeat("é", 30) + "...[truncated]", "",
		},
		"second message too long": {
			attrs{"gen_ai.input.messages": `[{"parts":[{"content":"one"},{"content":"` + strings.Repeat("é", 40) + `"}]}]`},
			"one\n" + strings.Repeat("é", 28) + "...[truncated]", "",
		},
		"indexed": {attrs{
			"gen_ai.prompt.0.role": "user", "gen_ai.prompt.0.content": "hi", "gen_ai.completion.0.content": "ho",
		}, "hi", "ho"},
		"OpenInference": {attrs{
			"openinference.span.kind":              "LLM",
			"llm.input_messages.0.message.content": "hi", "llm.output_messages.12.message.contents.3.message_content.text": "ho",
			"input.value": "{}", "output.value": "{}",
		}, "hi", "ho"},
		"OpenInference, values only": {attrs{"openinference.span.kind": "LLM", "input.value": "hi", "output.value": "ho"}, "hi", "ho"},
		"values of a chain":          {attrs{"gen_ai.operation.name": "chat", "input.value": "hi", "output.value": "ho"}, "", ""},
		"llm.*":                      {attrs{"llm.prompt": "hi", "llm.response": "ho"}, "hi", "ho"},
		"preferred over older": {attrs{
			"llm.prompt": "older", "gen_ai.prompt": "old", "gen_ai.input.messages": `[{"parts":[{"content":"new"}]}]`,
		}, "new", ""},
		"number": {attrs{"llm.prompt": 3}, "", ""},
		"empty":  {attrs{"llm.prompt": "", "gen_ai.input.messages": ""}, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSpan()
			require.NoError(t, s.Attributes().FromRaw(tc.attrs))
			s.Attributes().PutStr(AttrRequestModel, "m")
			ev, _ := readWith(t, x, s)
			assert.Equal(t, tc.prompt, ev.PromptText)
			assert.Equal(t, tc.response, ev.ResponseText)

			ev, _ = read(t, s)
			assert.Empty(t, ev.PromptText+ev.ResponseText, "texts are read on request only")
		})
	}
}

func TestIndexedMessagesAreJoinedInTheOrderOfTheSpan(t *testing.T) {
	s := callSpan()
	for _, k := range []string{"0", "1", "10"} {
		s.Attributes().PutStr("gen_ai.prompt."+k+".content", "m"+k)
	}
	ev, _ := readWith(t, newTestExtractor(t, Options{CaptureText: true}), s)
	assert.Equal(t, "m0\nm1\nm10", ev.PromptText)
}

func TestTextsInEvents(t *testing.T) {
	s := callSpan()
	for _, e := range []struct{ name, key, text string }{
		{"gen_ai.user.message", "content", "one"},
		{"gen_ai.user.message", "content", "two"},
		{"gen_ai.choice", "message", `{"role":"assistant","content":"answer"}`},
		{"something.else", "content", "no"},
	} {
		ev := s.Events().AppendEmpty()
		ev.SetName(e.name)
		ev.SetTimestamp(testStart + 100_000_000)
		ev.Attributes().PutStr(e.key, e.text)
	}
	ev, problems := readWith(t, newTestExtractor(t, Options{CaptureText: true}), s)
	assert.Zero(t, problems)
	assert.Equal(t, "one\ntwo", ev.PromptText)
	assert.Equal(t, "answer", ev.ResponseText)
	assert.InDelta(t, 100, ev.TTFTMillis, 1e-9)
}
