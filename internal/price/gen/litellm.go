package main

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/llm-devops/llm-sentinel/internal/price"
)

func liteLLMSource(use string) source {
	return source{
		Name: "LiteLLM model prices (copy of AgentOps-AI/tokencost)", URL: "https://github.com/AgentOps-AI/tokencost",
		Commit: "e7f7c1928084af55bb4955102327982401ed8649", Date: "2025-09-05", Licence: "MIT", Use: use,
	}
}

// entry is one model of LiteLLM's flat table.
type entry struct {
	key      string // its key in the table
	provider string // our id
	name     string // without the provider in front
	mode     string
	prices   map[string]float64 // USD per token, by LiteLLM's field
}

// liteLLMIDs are our ids where they differ from LiteLLM's; an empty one leaves the
// provider out, because the name says who passes a call on, not who serves it.
var liteLLMIDs = map[string]string{
	"bedrock": "aws", "bedrock_converse": "aws", "azure_ai": "azure", "azure_text": "azure",
	"gemini": "google", "palm": "google", "xai": "x-ai", "together_ai": "together",
	"fireworks_ai": "fireworks", "fireworks_ai-embedding-models": "fireworks", "moonshot": "moonshotai",
	"voyage": "voyageai", "cohere_chat": "cohere", "text-completion-openai": "openai",
	"codestral": "mistral", "text-completion-codestral": "mistral",
	"vercel_ai_gateway": "", "ollama": "", "aiml": "",
}

func readLiteLLM(path string) ([]entry, error) {
	var in map[string]map[string]any
	if err := readJSON(path, &in); err != nil {
		return nil, err
	}
	var out []entry
	for _, key := range slices.Sorted(maps.Keys(in)) {
		fields := in[key]
		owner, _ := fields["litellm_provider"].(string)
		id, ok := liteLLMIDs[owner]
		switch {
		case strings.HasPrefix(owner, "vertex_ai"):
			id = "google"
		case !ok:
			id = owner
		}
		if id == "" || key == "sample_spec" {
			continue
		}
		e := entry{key: key, provider: id, name: key, prices: map[string]float64{}}
		e.mode, _ = fields["mode"].(string)
		for _, prefix := range []string{owner, id, "vertex_ai", "azure_ai", "gemini", "bedrock", "text-completion-codestral"} {
			if rest, ok := strings.CutPrefix(key, prefix+"/"); ok {
				e.name = rest
				break
			}
		}
		for field, value := range fields {
			number, ok := value.(json.Number)
			if !ok || !strings.Contains(field, "cost") {
				continue
			}
			usd, err := number.Float64()
			if err != nil {
				return nil, err
			}
			e.prices[field] = usd
		}
		out = append(out, e)
	}
	return out, nil
}

// liteLLMUnits are the fields that are prices of one token.
var liteLLMUnits = map[string]string{
	"input_cost_per_token": "input_mtok", "output_cost_per_token": "output_mtok",
	"cache_read_input_token_cost": "cache_read_mtok", "cache_creation_input_token_cost": "cache_write_mtok",
	"input_cost_per_audio_token": "input_audio_mtok", "output_cost_per_audio_token": "output_audio_mtok",
	"output_cost_per_reasoning_token": "output_reasoning_mtok",
}

// supplement makes a table of the models that the main one does not know.
func supplement(main []byte, entries []entry) (*table, error) {
	book, err := price.Decode(main)
	if err != nil {
		return nil, err
	}
	t := &table{Version: "2025-09-05", Date: "2025-09-05", Sources: []source{liteLLMSource("models that the main table lacks")}}
	for _, e := range entries {
		prices := e.unitPrices()
		if prices == nil {
			continue
		}
		_, err := book.Quote(price.Request{Provider: e.provider, Model: e.name})
		if !price.IsUnpriced(err) {
			continue
		}
		p := t.provider(e.provider)
		if p == nil {
			p = &provider{ID: e.provider}
			t.Providers = append(t.Providers, p)
		}
		if p.model(e.name) == nil {
			p.Models = append(p.Models, &model{ID: e.name, Prices: prices})
		}
	}
	slices.SortFunc(t.Providers, func(a, b *provider) int { return strings.Compare(a.ID, b.ID) })
	return t, nil
}

// unitPrices returns the prices by our units, or nil when the model is not sold by the
// token. A price of zero is taken for unknown, except for the output of embeddings.
func (e *entry) unitPrices() map[string]any {
	switch e.mode {
	case "chat", "completion", "responses", "embedding", "rerank", "":
	default:
		return nil
	}
	out := map[string]any{}
	for field, unit := range liteLLMUnits {
		if usd := e.prices[field]; usd > 0 {
			out[unit] = e.tiered(field, usd)
		}
	}
	if out["input_mtok"] == nil || e.mode != "embedding" && out["output_mtok"] == nil {
		return nil
	}
	if out["output_mtok"] == nil {
		delete(out, "output_reasoning_mtok")
		delete(out, "output_audio_mtok")
	}
	if out["input_audio_mtok"] != nil && out["cache_read_mtok"] != nil {
		out["cache_audio_read_mtok"] = out["cache_read_mtok"]
	}
	return out
}

func (e *entry) tiered(field string, usd float64) any {
	for suffix, start := range map[string]int{"_above_128k_tokens": 128_000, "_above_200k_tokens": 200_000} {
		if above := e.prices[field+suffix]; above > 0 {
			return map[string]any{
				"base":  perMillion(usd),
				"tiers": []any{map[string]any{"start": start, "price": perMillion(above)}},
			}
		}
	}
	return perMillion(usd)
}

// perMillion turns USD per token into USD per million, without the noise of the binary
// product.
func perMillion(usd float64) json.Number {
	return json.Number(strconv.FormatFloat(round(usd*1e6, 12), 'f', -1, 64))
}

func round(x float64, digits int) float64 {
	y, err := strconv.ParseFloat(strconv.FormatFloat(x, 'g', digits, 64), 64)
	if err != nil {
		return x
	}
	return y
}
