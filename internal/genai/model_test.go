package genai

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestCanonicalModelUndoesWhatGatewaysMakeOfNames(t *testing.T) {
	for name, want := range map[string]string{
		"":                                       "",
		"gpt-4o":                                 "gpt-4o",
		"\tGPT-4o\n":                             "gpt-4o",
		"gpt-4o-2024-08-06":                      "gpt-4o-2024-08-06",
		"ft:gpt-4o-mini-2024-07-18:acme::abc":    "ft:gpt-4o-mini-2024-07-18:acme::abc",
		"openai/gpt-4o":                          "gpt-4o",
		"openrouter/anthropic/claude-sonnet-4.5": "claude-sonnet-4.5",
		"models/gemini-2.5-pro":                  "gemini-2.5-pro",
		"publishers/google/models/gemini-2.5-pro":     "gemini-2.5-pro",
		"accounts/fireworks/models/llama-v3p1-8b":     "llama-v3p1-8b",
		"\x1b[1mclaude-opus-4-6\x1b[22m":              "claude-opus-4-6",
		"claude-opus-4-6[1m]":                         "claude-opus-4-6",
		"\x1b[1mclaude-opus-4-6[1m]\x1b[22m":          "claude-opus-4-6",
		"claude-3-5-sonnet@20240620":                  "claude-3-5-sonnet-20240620",
		"claude-opus-4@default":                       "claude-opus-4",
		"anthropic.claude-3-5-sonnet-20241022-v2:0":   "claude-3-5-sonnet-20241022",
		"anthropic.claude-3-haiku-20240307-v1:0:200k": "claude-3-haiku-20240307",
		"us.anthropic.claude-opus-4-6-v1:0":           "claude-opus-4-6",
		"global.anthropic.claude-opus-4-6-v1":         "claude-opus-4-6",
		"apac.amazon.nova-pro-v1:0":                   "nova-pro-v1",
		"amazon.titan-embed-text-v2:0":                "titan-embed-text-v2",
		"meta.llama3-1-70b-instruct-v1:0":             "llama3-1-70b-instruct-v1",
		"bedrock/us.anthropic.claude-opus-4-6-v1:0":   "claude-opus-4-6",
		"us.something-else":                           "us.something-else",
		"llama3:8b":                                   "llama3:8b",
		"arn:aws:bedrock:us-east-1::foundation-model/anthropic.claude-3-haiku-20240307-v1:0":                  "claude-3-haiku-20240307",
		"arn:aws:bedrock:eu-west-1:123456789012:inference-profile/eu.anthropic.claude-sonnet-4-20250514-v1:0": "claude-sonnet-4-20250514",
		"arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc123":                         "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc123",
		strings.Repeat("X", maxNameBytes+1):                                                                   strings.Repeat("X", maxNameBytes+1),
	} {
		assert.Equal(t, want, CanonicalModel(name), "%q", name)
		assert.Equal(t, want, CanonicalModel(want), "again: %q", want)
	}
}

func TestTerminalCodesInModelsAreTakenOut(t *testing.T) {
	s := callSpan()
	s.Attributes().PutStr(AttrRequestModel, "\x1b[1mclaude-opus-4-6\x1b[22m")
	s.Attributes().PutStr(AttrResponseModel, "system")
	ev, _ := read(t, s)
	assert.Equal(t, "claude-opus-4-6", ev.RequestModel)
	assert.Equal(t, "system", ev.ResponseModel)
}
