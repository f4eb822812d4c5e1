package llmtraffic

import "fmt"

// Service is the source of calls: one resource.
type Service struct {
	Name        string
	Environment string
	Region      string
	Version     string
	// Weight is the share of the total rate before normalisation.
	Weight float64
	// Tokens names the fitted token profile of the workload.
	Tokens string
	// Streaming is the share of streamed calls.
	Streaming float64
	// MaxTokens, Temperature and TopP are the request settings.
	MaxTokens   int64
	Temperature float64
	TopP        float64
}

// Model is a model as a provider sells it.
type Model struct {
	Name     string // as requested
	Response string // as answered
	Provider string // gen_ai.provider.name
	Server   string // server.address
	// InputPrice and OutputPrice are USD per million tokens.
	InputPrice, OutputPrice float64
	// Speed names the fitted speed profile. No public trace times today's
	// models: each borrows a measured Llama-2 deployment of similar speed.
	Speed string
	// Weight is the share of a service's rate before normalisation.
	Weight float64
}

// services are the default sources, heaviest first.
var services = []Service{
	{Name: "chat-api", Environment: "production", Region: "eu-west-1", Version: "2.14.0", Weight: 40, Tokens: "azure-conv", Streaming: .9, MaxTokens: 1024, Temperature: .7, TopP: 1},
	{Name: "rag-search", Environment: "production", Region: "us-east-1", Version: "1.8.2", Weight: 25, Tokens: "mooncake-conversation", Streaming: .6, MaxTokens: 2048, Temperature: .2, TopP: .9},
	{Name: "code-assistant", Environment: "production", Region: "us-east-1", Version: "0.31.1", Weight: 20, Tokens: "servegen-m-large", Streaming: .95, MaxTokens: 4096, Temperature: .1, TopP: .95},
	{Name: "batch-summarizer", Environment: "production", Region: "eu-central-1", Version: "3.2.0", Weight: 15, Tokens: "servegen-m-mid", Streaming: 0, MaxTokens: 1024, Temperature: 0, TopP: 1},
	{Name: "support-triage", Environment: "staging", Region: "eu-west-1", Version: "1.0.7", Weight: 8, Tokens: "servegen-m-small", Streaming: .1, MaxTokens: 256, Temperature: 0, TopP: 1},
	{Name: "research-agent", Environment: "production", Region: "us-west-2", Version: "0.9.4", Weight: 6, Tokens: "servegen-deepseek-r1", Streaming: .8, MaxTokens: 8192, Temperature: 1, TopP: 1},
}

// models are the default models, most used first. Prices are list prices in
// USD per million tokens as published in the pydantic/genai-prices table of
// 2026-08-21 (text input and output, without cache discounts).
var models = []Model{
	{Name: "gpt-4o", Response: "gpt-4o-2024-08-06", Provider: "openai", Server: "api.openai.com", InputPrice: 2.5, OutputPrice: 10, Speed: "anyscale_70b", Weight: 40},
	{Name: "gpt-4o-mini", Response: "gpt-4o-mini-2024-07-18", Provider: "openai", Server: "api.openai.com", InputPrice: .15, OutputPrice: .6, Speed: "anyscale_13b", Weight: 30},
	{Name: "claude-sonnet-4-0", Response: "claude-sonnet-4-20250514", Provider: "anthropic", Server: "api.anthropic.com", InputPrice: 3, OutputPrice: 15, Speed: "fireworks_70b", Weight: 20},
	{Name: "llama-3.1-70b-versatile", Response: "llama-3.1-70b-versatile", Provider: "groq", Server: "api.groq.com", InputPrice: .59, OutputPrice: .79, Speed: "groq_70b", Weight: 10},
	{Name: "claude-haiku-4-5", Response: "claude-haiku-4-5-20251001", Provider: "anthropic", Server: "api.anthropic.com", InputPrice: 1, OutputPrice: 5, Speed: "fireworks_7b", Weight: 10},
	{Name: "mistral-large", Response: "mistral-large", Provider: "mistral_ai", Server: "api.mistral.ai", InputPrice: 2, OutputPrice: 6, Speed: "together_70b", Weight: 8},
	{Name: "gemini-2.5-flash", Response: "gemini-2.5-flash", Provider: "gcp.gemini", Server: "generativelanguage.googleapis.com", InputPrice: .3, OutputPrice: 2.5, Speed: "together_7b", Weight: 8},
}

// Services returns n sources: the catalogue, then numbered copies of it.
func Services(n int) []Service {
	out := make([]Service, n)
	for i := range out {
		out[i] = services[i%len(services)]
		if i >= len(services) {
			out[i].Name = fmt.Sprintf("%s-%03d", out[i].Name, i)
		}
	}
	return out
}

// Models returns n models: the catalogue, then numbered copies of it.
func Models(n int) []Model {
	out := make([]Model, n)
	for i := range out {
		out[i] = models[i%len(models)]
		if i >= len(models) {
			out[i].Name = fmt.Sprintf("%s-%03d", out[i].Name, i)
			out[i].Response = out[i].Name
		}
	}
	return out
}
