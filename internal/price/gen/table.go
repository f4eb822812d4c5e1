package main

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/llm-devops/llm-sentinel/internal/price"
)

// table is what is written: a price file in the format of package price.
type table struct {
	Version   string
	Date      string
	Sources   []source
	Providers []*provider
}

// source names where the facts come from.
type source struct {
	Name    string `json:"name"`
	URL     string `json:"url"`
	Commit  string `json:"commit"`
	Date    string `json:"date"`
	Licence string `json:"licence"`
	Use     string `json:"use"`
}

type provider struct {
	ID            string         `json:"id"`
	APIPattern    string         `json:"api_pattern,omitempty"`
	ProviderMatch any            `json:"provider_match,omitempty"`
	ModelMatch    any            `json:"model_match,omitempty"`
	Fallback      []string       `json:"fallback_model_providers,omitempty"`
	ServiceTiers  map[string]any `json:"service_tiers,omitempty"`
	Models        []*model       `json:"-"`
}

type model struct {
	ID           string         `json:"id"`
	Match        any            `json:"match,omitempty"`
	Prices       any            `json:"prices"`
	ServiceTiers map[string]any `json:"service_tiers,omitempty"`
}

func (t *table) provider(id string) *provider {
	for _, p := range t.Providers {
		if p.ID == id {
			return p
		}
	}
	return nil
}

func (p *provider) model(id string) *model {
	for _, m := range p.Models {
		if m.ID == id {
			return m
		}
	}
	return nil
}

// encode writes one model per line, so that a new table reads well as a difference, and
// checks that package price can read the result.
func (t *table) encode() ([]byte, error) {
	var b bytes.Buffer
	fmt.Fprintf(&b, "{\"format\":%q,\"version\":%q,\"date\":%q,\n\"sources\":[", price.Format, t.Version, t.Date)
	if err := lines(&b, t.Sources); err != nil {
		return nil, err
	}
	b.WriteString("],\n\"providers\":[")
	for i, p := range t.Providers {
		if i > 0 {
			b.WriteByte(',')
		}
		head, err := marshal(p)
		if err != nil {
			return nil, err
		}
		b.WriteByte('\n')
		b.Write(head[:len(head)-1])
		b.WriteString(",\"models\":[")
		if err := lines(&b, p.Models); err != nil {
			return nil, err
		}
		b.WriteString("]}")
	}
	b.WriteString("\n]}\n")
	if _, err := price.Decode(b.Bytes()); err != nil {
		return nil, fmt.Errorf("the table that was made is wrong: %w", err)
	}
	return b.Bytes(), nil
}

func lines[T any](b *bytes.Buffer, list []T) error {
	for i, item := range list {
		if i > 0 {
			b.WriteByte(',')
		}
		text, err := marshal(item)
		if err != nil {
			return err
		}
		b.WriteByte('\n')
		b.Write(text)
	}
	return nil
}

func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSpace(b.Bytes()), nil
}
