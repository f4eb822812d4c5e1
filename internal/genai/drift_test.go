package genai

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

// The attribute catalogue is the source of the table. Every gen_ai.* selector
// of a concept that the table has must be in the table, in the same order.
func TestTableFollowsTheAttributeCatalogue(t *testing.T) {
	path := filepath.Join(sharedData(t), "..", "reference", "genai-attributes.yaml")
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Skipf("SKIPPED, attribute catalogue missing: %v", err)
	}
	var catalogue struct {
		Concepts      map[string][]any    `yaml:"concepts"`
		Providers     map[string][]string `yaml:"provider_aliases"`
		NotAProvider  []string            `yaml:"provider_not_a_provider"`
		FinishReasons map[string][]string `yaml:"finish_reason_aliases"`
	}
	require.NoError(t, yaml.Unmarshal(raw, &catalogue))

	compared := 0
	for c := range conceptCount {
		name := conceptSpec[c].name
		last := -1
		for _, entry := range catalogue.Concepts[name] {
			want, ok := spanSelector(entry)
			if !ok || name == "model_response" && want.key == "gen_ai.request.model" {
				continue // the last: see Event.Model
			}
			at := slices.IndexFunc(standard.concepts[c], want.matches)
			if assert.GreaterOrEqual(t, at, 0, "%s lacks %v", name, want) {
				assert.GreaterOrEqual(t, at, last, "%s: %v is out of order", name, want)
				last = at
				compared++
			}
		}
	}
	assert.Greater(t, compared, 60, "the catalogue was not understood")

	for _, list := range []struct {
		want map[string][]string
		got  aliasIndex
	}{{catalogue.Providers, newAliasIndex(providerAliases)}, {catalogue.FinishReasons, newAliasIndex(finishReasonAliases)}} {
		require.NotEmpty(t, list.want)
		for canonical, spellings := range list.want {
			for _, s := range spellings {
				got, ok := list.got.find(s)
				assert.True(t, ok, s)
				assert.Equal(t, canonical, got, s)
			}
		}
	}
	assert.Equal(t, catalogue.NotAProvider, notProviders)

	operations := standard.calls[0]
	first, _ := catalogue.Concepts["is_llm_call"][0].(map[string]any)
	require.Equal(t, operations.key, first["key"])
	for _, op := range first["in"].([]any) {
		assert.Contains(t, operations.in, op)
	}
}

// catalogued is a selector as the catalogue writes it.
type catalogued struct{ key, event, json string }

func (c catalogued) matches(s selector) bool {
	if c.event != "" && s.event != c.event && !slices.Contains(s.events, c.event) || c.event == "" && s.event != "" {
		return false
	}
	// The catalogue names the array of messages, the table the texts in it; and
	// the event, where the table names the attribute of the event, too.
	return (c.key == s.key || c.key == "" && c.event != "") &&
		(c.json == s.json || c.json == "[]" || c.event != "" && c.json == "")
}

// spanSelector reads a selector of the catalogue if it is about gen_ai.*
// attributes or events of spans.
func spanSelector(entry any) (c catalogued, ok bool) {
	switch e := entry.(type) {
	case string:
		return catalogued{key: e}, strings.HasPrefix(e, "gen_ai.")
	case map[string]any:
		text := func(k string) string { s, _ := e[k].(string); return s }
		c = catalogued{text("key"), text("event"), text("json")}
		return c, text("log") == "" && (strings.HasPrefix(c.key, "gen_ai.") || strings.HasPrefix(c.event, "gen_ai."))
	default:
		return c, false
	}
}
