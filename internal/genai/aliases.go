package genai

import "strings"

// alias lists the spellings of one canonical name.
type alias struct {
	canonical string
	spellings []string
}

var providerAliases = []alias{
	{"openai", []string{"OpenAI", "openai.chat", "openai.responses", "openai.completion"}},
	{"azure.ai.openai", []string{"az.ai.openai", "azure", "Azure", "azure_openai", "azure-openai.chat", "azure-openai.responses"}},
	{"azure.ai.inference", []string{"az.ai.inference", "azure_ai"}},
	{"anthropic", []string{"anthropic.messages", "Anthropic", "claude"}},
	{"aws.bedrock", []string{"bedrock", "amazon-bedrock", "amazon_bedrock", "bedrock_converse", "AWS"}},
	{"gcp.vertex_ai", []string{"vertex_ai", "vertexai", "google.vertex.chat", "vertex.anthropic.messages", "VertexAI"}},
	{"gcp.gemini", []string{"gemini", "google", "Google", "google_genai", "google.generative-ai", "gcp.gen_ai", "gcp.vertex.agent"}},
	{"x_ai", []string{"xai", "xai.chat"}},
	{"mistral_ai", []string{"mistral", "mistralai", "MistralAI", "mistral.chat"}},
	{"moonshot_ai", []string{"moonshot"}},
	{"cohere", []string{"Cohere", "cohere.chat"}},
	{"deepseek", []string{"deepseek.chat"}},
	{"groq", []string{"Groq", "groq.chat"}},
	{"perplexity", nil},
	{"ibm.watsonx.ai", []string{"watsonx"}},
	{"ollama", []string{"Ollama"}},
	{"vllm", []string{"vllm.chat", "hosted_vllm"}},
}

// notProviders are frameworks that some write where a provider belongs.
var notProviders = []string{"langchain"}

// providerSuffixes are kinds of endpoint that the Vercel AI SDK appends.
var providerSuffixes = []string{".chat", ".responses", ".messages", ".completion", ".embedding"}

var finishReasonAliases = []alias{
	{"stop", []string{"end_turn", "stop_sequence", "STOP", "Stop"}},
	{"tool_calls", []string{"tool_call", "tool-calls", "tool_use", "function_call", "ToolCalls"}},
	{"length", []string{"max_tokens", "MAX_TOKENS", "max_output_tokens", "model_context_window_exceeded", "Length"}},
	{"content_filter", []string{
		"content-filter", "SAFETY", "refusal", "ContentFilter", "RECITATION", "PROHIBITED_CONTENT", "BLOCKLIST", "guardrail_intervened",
	}},
}

// operationAliases are what emitters with span kinds of their own call the
// operations of the GenAI conventions.
var operationAliases = []alias{
	{OperationChat, []string{
		"LLM", "llm", "generation", "ai.generateText.doGenerate", "ai.streamText.doStream",
		"ai.generateObject.doGenerate", "ai.streamObject.doStream",
	}},
	{OperationTextCompletion, []string{"completion"}},
	{OperationEmbeddings, []string{"EMBEDDING", "embedding", "ai.embed.doEmbed", "ai.embedMany.doEmbed"}},
	{"rerank", []string{"RERANKER"}},
}

// aliasIndex finds the canonical name of a spelling.
type aliasIndex struct {
	index     index
	canonical []string
}

func newAliasIndex(lists []alias) aliasIndex {
	var a aliasIndex
	for _, l := range lists {
		a.index.add(l.canonical, len(a.canonical))
		for _, s := range l.spellings {
			a.index.add(s, len(a.canonical))
		}
		a.canonical = append(a.canonical, l.canonical)
	}
	a.index.build()
	return a
}

func (a *aliasIndex) find(s string) (string, bool) {
	if i := a.index.find(s); i >= 0 {
		return a.canonical[i], true
	}
	return s, false
}

// provider puts a provider into its canonical spelling; "" means none.
func (x *Extractor) provider(s string) string {
	if p, ok := x.providers.find(s); ok {
		return p
	}
	for _, not := range notProviders {
		if s == not {
			return ""
		}
	}
	for _, suffix := range providerSuffixes {
		if base, ok := strings.CutSuffix(s, suffix); ok {
			if p, known := x.providers.find(base); known {
				return p
			}
		}
	}
	return s
}

func (x *Extractor) operation(s string) string {
	o, _ := x.operations.find(s)
	return o
}

func (x *Extractor) finishReason(s string) string {
	r, _ := x.finishReasons.find(s)
	return r
}
