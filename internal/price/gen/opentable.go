package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// readOpenTable reads genai-prices' table of all providers and keeps what pricing needs.
func readOpenTable(path string) (*table, error) {
	var in []struct {
		ID            string   `json:"id"`
		APIPattern    string   `json:"api_pattern"`
		ProviderMatch any      `json:"provider_match"`
		ModelMatch    any      `json:"model_match"`
		Fallback      []string `json:"fallback_model_providers"`
		Models        []struct {
			ID     string `json:"id"`
			Match  any    `json:"match"`
			Prices any    `json:"prices"`
		} `json:"models"`
	}
	if err := readJSON(path, &in); err != nil {
		return nil, err
	}
	t := &table{Version: "2026-08-21", Date: "2026-08-21", Sources: []source{
		{
			Name: "genai-prices", URL: "https://github.com/pydantic/genai-prices",
			Commit: "47df840a5ab10bbcffb8e5ac01b9899032245d1b", Date: "2026-08-21", Licence: "MIT",
			Use: "providers, models, prices",
		},
		{
			Name: "Langfuse default model prices", URL: "https://github.com/langfuse/langfuse",
			Commit: "62751446149b702b419a9292ddfc2280cdf74b8c", Date: "2026-08-22", Licence: "MIT",
			Use: "factors of the service tiers flex, priority and fast",
		},
		liteLLMSource("factors of the service tier batch"),
	}}
	for _, p := range in {
		out := &provider{
			ID: p.ID, APIPattern: p.APIPattern, Fallback: p.Fallback,
			ProviderMatch: short(p.ProviderMatch), ModelMatch: short(p.ModelMatch),
		}
		for _, m := range p.Models {
			match := short(m.Match)
			if name, ok := match.(string); ok && strings.EqualFold(name, m.ID) {
				match = nil // what a model without a clause means
			}
			out.Models = append(out.Models, &model{ID: m.ID, Match: match, Prices: m.Prices})
		}
		t.Providers = append(t.Providers, out)
	}
	return t, nil
}

// short writes a clause in the shorthand of our format.
func short(clause any) any {
	object, ok := clause.(map[string]any)
	if !ok {
		return clause
	}
	if text, ok := object["equals"]; ok {
		return text
	}
	for _, key := range []string{"or", "and"} {
		parts, ok := object[key].([]any)
		if !ok {
			continue
		}
		parts = slices.Clone(parts)
		for i := range parts {
			parts[i] = short(parts[i])
		}
		if key == "or" {
			return parts
		}
		return map[string]any{key: parts}
	}
	return clause
}

func readJSON(path string, into any) error {
	data, err := os.ReadFile(filepath.Clean(path))
	if err != nil {
		return err
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber() // prices stay as they are written
	if err := dec.Decode(into); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}
