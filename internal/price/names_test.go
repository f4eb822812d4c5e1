package price

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var testDay = time.Date(2026, 8, 25, 12, 0, 0, 0, time.UTC)

func embeddedBook(tb testing.TB) *Book {
	tb.Helper()
	b, err := Embedded()
	require.NoError(tb, err)
	return b
}

func TestNamesThatTelemetryUsesAreFound(t *testing.T) {
	book := embeddedBook(t)
	for _, c := range []struct{ provider, model, wantProvider, wantModel string }{
		{"openai", "gpt-4o", "openai", "gpt-4o"},
		{"OpenAI", " GPT-4o ", "openai", "gpt-4o"},
		{"openai.chat", "gpt-4o", "openai", "gpt-4o"},
		{"azure.ai.openai", "gpt-4o", "azure", "gpt-4o"},
		{"az.ai.openai", "gpt-4o", "azure", "gpt-4o"},
		{"azure.ai.openai", "gpt-4o-2024-08-06", "azure", "gpt-4o"},
		{"azure", "openai/gpt-4o", "azure", "gpt-4o"},
		{"", "gpt-4o", "openai", "gpt-4o"},
		{"", "openai/gpt-4o", "openai", "gpt-4o"},
		{"openai", "openai/gpt-4o-mini", "openai", "gpt-4o-mini"},
		{"openai", "anthropic/claude-sonnet-4-5", "anthropic", "claude-sonnet-4-5"},
		{"litellm", "anthropic/claude-sonnet-4-5-20250929", "anthropic", "claude-sonnet-4-5"},
		{"litellm", "bedrock/us.anthropic.claude-sonnet-4-5-20250929-v1:0", "aws", "regional.anthropic.claude-sonnet-4-5-20250929-v1:0"},
		{"vercel", "gpt-4o", "openai", "gpt-4o"},
		{"anthropic", "claude-sonnet-4-5-20250929", "anthropic", "claude-sonnet-4-5"},
		{"anthropic.messages", "claude-sonnet-4-5", "anthropic", "claude-sonnet-4-5"},
		{"aws.bedrock", "anthropic.claude-sonnet-4-5-20250929-v1:0", "aws", ""},
		{"aws.bedrock", "arn:aws:bedrock:eu-west-1:123456789012:inference-profile/eu.anthropic.claude-sonnet-4-5-20250929-v1:0", "aws", ""},
		{"aws.bedrock", "amazon.nova-pro-v1:0", "aws", "amazon.nova-pro-v1:0"},
		{"aws.bedrock", "us.amazon.nova-pro-v1:0", "aws", "amazon.nova-pro-v1:0"},
		{"gcp.vertex_ai", "gemini-2.5-flash", "google", "gemini-2.5-flash"},
		{"gcp.gemini", "models/gemini-2.5-flash", "google", "gemini-2.5-flash"},
		{"gcp.gen_ai", "projects/p/locations/l/publishers/google/models/gemini-2.5-pro", "google", "gemini-2.5-pro"},
		{"gcp.vertex_ai", "claude-sonnet-4-5@20250929", "google", ""},
		{"mistral_ai", "mistral-large-latest", "mistral", ""},
		{"x_ai", "grok-4", "x-ai", ""},
		{"xai.chat", "grok-4", "x-ai", ""},
		{"groq", "llama-3.3-70b-versatile", "groq", ""},
		{"deepseek", "deepseek-chat", "deepseek", "deepseek-chat"},
		{"cohere", "command-r-plus-08-2024", "cohere", ""},
		{"perplexity", "sonar-pro", "perplexity", "sonar-pro"},
		{"openrouter", "openai/gpt-4o", "openrouter", "openai/gpt-4o"},
		{"", "meta.llama3-70b-instruct-v1:0", "aws", ""},
		{"langchain", "eu.anthropic.claude-3-5-sonnet-20240620-v1:0", "aws", ""},
		{"vercel", "vercel_ai_gateway/openai/gpt-4.1", "openai", "gpt-4.1"},
		{"openai", "gpt-4o-2031-02-03", "openai", "gpt-4o"},
		{"openai", "ft:gpt-4o-mini-2024-07-18:my-org::abc123", "openai", "ft:gpt-4o-mini"},
	} {
		q, err := book.Quote(Request{Provider: c.provider, Model: c.model, Time: testDay, Usage: Usage{Input: 1e6, Output: 1e6}})
		if err != nil {
			t.Errorf("%s / %s: %v", c.provider, c.model, err)
			continue
		}
		if q.Provider != c.wantProvider || c.wantModel != "" && q.Model != c.wantModel || q.USD <= 0 {
			t.Errorf("%s / %s: found as %s / %s for %v USD, want %s / %s", c.provider, c.model, q.Provider, q.Model, q.USD, c.wantProvider, c.wantModel)
		}
	}
}

func TestAServerOfOnesOwnIsNeverPricedAsSomebodyElses(t *testing.T) {
	book := embeddedBook(t)
	for _, c := range [][3]string{
		{"vllm.chat", "llama-3.1-8b", "unknown_provider"},
		{"vllm", "deepseek-chat", "unknown_provider"},
		{"ollama", "deepseek/deepseek-chat", "unknown_provider"},
		{"my-company", "gpt-4o", "unknown_provider"},
		{"openai", "no-such-model", "unknown_model"},
		{"", "no-such-model", "unknown_model"},
		{"cerebras", "openai/gpt-5", "unknown_model"}, // a host of open models does not resell this one
		{"openai", "", "no_model"},
		{"openai", strings.Repeat("x", 300), "long_name"},
		{strings.Repeat("x", 300), "gpt-4o", "long_name"},
	} {
		q, err := book.Quote(Request{Provider: c[0], Model: c[1], Time: testDay, Usage: Usage{Input: 10}})
		require.ErrorIs(t, err, ErrUnpriced, c)
		require.Zero(t, q)
		var unpriced *UnpricedError
		require.ErrorAs(t, err, &unpriced)
		require.Equal(t, c[2], unpriced.Reason, c)
	}
}
