package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/llm-devops/llm-sentinel/internal/price"
)

// tierFactor says what a service tier of a model costs, relative to the ordinary one.
type tierFactor struct {
	provider, name, tier string
	by                   map[string]float64 // by group of units
}

type langfuseModel struct {
	Name    string `json:"modelName"`
	Pattern string `json:"matchPattern"`
	Tiers   []struct {
		Default    bool `json:"isDefault"`
		Conditions []struct {
			Key    string   `json:"key"`
			Values []string `json:"values"`
			Usage  string   `json:"usageDetailPattern"`
		} `json:"conditions"`
		Prices map[string]float64 `json:"prices"`
	} `json:"pricingTiers"`
}

// readLangfuse returns the factors of all tiers that hold at any size of the prompt.
// The prices of large prompts are in the main table already.
func readLangfuse(path string) ([]tierFactor, error) {
	var models []langfuseModel
	if err := readJSON(path, &models); err != nil {
		return nil, err
	}
	owner := regexp.MustCompile(`\b(openai|anthropic|google)\\?/`)
	var out []tierFactor
	for _, m := range models {
		var base map[string]float64
		for _, t := range m.Tiers {
			if t.Default {
				base = t.Prices
			}
		}
		found := owner.FindStringSubmatch(m.Pattern)
		for _, t := range m.Tiers {
			if t.Default || len(t.Conditions) != 1 || t.Conditions[0].Usage != "" || found == nil {
				continue
			}
			for _, value := range t.Conditions[0].Values {
				f := tierFactor{provider: found[1], name: m.Name, tier: value, by: map[string]float64{}}
				for group, key := range map[string]string{
					"input": "input", "output": "output", "cache_read": "input_cache_read", "cache_write": "input_cache_creation",
				} {
					if base[key] > 0 && t.Prices[key] > 0 {
						f.by[group] = round(t.Prices[key]/base[key], 6)
					}
				}
				out = append(out, f)
			}
		}
	}
	return out, nil
}

// batchFactors returns the factors of LiteLLM's batch prices. Caches have none there;
// they take the factor of the input.
func batchFactors(entries []entry) []tierFactor {
	var out []tierFactor
	for _, e := range entries {
		f := tierFactor{provider: e.provider, name: e.name, tier: "batch", by: map[string]float64{}}
		for group, field := range map[string]string{"input": "input_cost_per_token", "output": "output_cost_per_token"} {
			if base, batch := e.prices[field], e.prices[field+"_batches"]; base > 0 && batch > 0 {
				f.by[group] = round(batch/base, 6)
			}
		}
		if in, ok := f.by["input"]; ok {
			f.by["cache_read"], f.by["cache_write"] = in, in
			out = append(out, f)
		}
	}
	return out
}

// unanimous is how many models of a provider must agree, with none that differs, before
// a factor is taken to hold for all its models.
const unanimous = 5

// addServiceTiers puts the factors into the models of t that they are about.
func addServiceTiers(t *table, langfuse []tierFactor, litellm []entry) error {
	plain, err := t.encode()
	if err != nil {
		return err
	}
	book, err := price.Decode(plain)
	if err != nil {
		return err
	}
	exact := map[*model]map[string]bool{}
	agree := map[string]map[string]int{} // provider → factor as text → models
	for _, f := range slices.Concat(langfuse, batchFactors(litellm)) {
		q, err := book.Quote(price.Request{Provider: f.provider, Model: f.name})
		if err != nil {
			continue // a model that the main table lacks
		}
		p := t.provider(q.Provider)
		m := p.model(q.Model)
		if m == nil { // of a provider whose models this one sells
			continue
		}
		text, err := json.Marshal(f.value())
		if err != nil {
			return err
		}
		if f.tier == "batch" {
			if agree[p.ID] == nil {
				agree[p.ID] = map[string]int{}
			}
			agree[p.ID][string(text)]++
		}
		if m.ServiceTiers == nil {
			m.ServiceTiers, exact[m] = map[string]any{}, map[string]bool{}
		}
		if old, ok := m.ServiceTiers[f.tier]; ok {
			same, err := json.Marshal(old)
			switch {
			case err != nil:
				return err
			case string(same) == string(text) || exact[m][f.tier]:
				continue
			case !strings.EqualFold(f.name, m.ID):
				return fmt.Errorf("two factors for tier %s of %s: %s and %s", f.tier, m.ID, same, text)
			}
		}
		m.ServiceTiers[f.tier] = f.value()
		exact[m][f.tier] = strings.EqualFold(f.name, m.ID)
	}
	for _, p := range t.Providers {
		votes := slices.Collect(maps.Keys(agree[p.ID]))
		if len(votes) != 1 || agree[p.ID][votes[0]] < unanimous {
			continue
		}
		p.ServiceTiers = map[string]any{"batch": json.RawMessage(votes[0])}
		for _, m := range p.Models {
			if delete(m.ServiceTiers, "batch"); len(m.ServiceTiers) == 0 {
				m.ServiceTiers = nil
			}
		}
	}
	return nil
}

// value is one factor where all groups have the same, or an object.
func (f *tierFactor) value() any {
	first := f.by["input"]
	for _, one := range f.by {
		if one != first {
			return f.by
		}
	}
	return first
}
