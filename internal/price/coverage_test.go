package price

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func readTable(t *testing.T, name string, into any) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(pricesDir(t), name))
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(data, into))
}

// TestTheNamesInOtherTablesAreKnown measures how many of the models that other open
// tables sell by the token have a price here, under the names that those tables use.
// The figures are in docs/prices.md.
func TestTheNamesInOtherTablesAreKnown(t *testing.T) {
	book := embeddedBook(t)
	known := func(provider, model string) bool {
		_, err := book.Quote(Request{Provider: provider, Model: model, Time: testDay, Usage: Usage{Input: 1}})
		return err == nil
	}
	report := func(table string, hit, all int, floor float64, missing []string) {
		share := float64(hit) / float64(all)
		t.Logf("%s: %d of %d (%.1f %%); missing, for example: %s", table, hit, all, 100*share,
			strings.Join(missing[:min(len(missing), 12)], ", "))
		require.GreaterOrEqual(t, share, floor, table)
	}

	var litellm map[string]map[string]any
	readTable(t, "tokencost_litellm_copy_2025-09.json", &litellm)
	for _, as := range []struct {
		table string
		floor float64
		ask   func(owner, key string) bool
	}{
		{"LiteLLM names through the proxy (provider litellm)", 0.88, func(_, key string) bool { return known("litellm", key) }},
		{"LiteLLM names with LiteLLM's provider", 0.95, func(owner, key string) bool {
			if strings.HasPrefix(owner, "vertex_ai") {
				owner = "vertex_ai"
			}
			return known(owner, key)
		}},
	} {
		var hit, all int
		var missing []string
		for key, fields := range litellm {
			in, _ := fields["input_cost_per_token"].(float64)
			mode, _ := fields["mode"].(string)
			owner, _ := fields["litellm_provider"].(string)
			if in <= 0 || key == "sample_spec" || mode != "chat" && mode != "embedding" && mode != "completion" && mode != "responses" {
				continue
			}
			all++
			if as.ask(owner, key) {
				hit++
			} else {
				missing = append(missing, owner+" "+key)
			}
		}
		report(as.table, hit, all, as.floor, missing)
	}

	var langfuse []struct {
		Name string `json:"modelName"`
	}
	readTable(t, "langfuse_default_model_prices.json", &langfuse)
	var hit int
	var missing []string
	for _, m := range langfuse {
		if known("", m.Name) || known("google", m.Name) || known("openai", m.Name) || known("aws", m.Name) {
			hit++
		} else {
			missing = append(missing, m.Name)
		}
	}
	report("Langfuse names", hit, len(langfuse), 0.93, missing)

	var openlit map[string]map[string]any
	readTable(t, "openlit_pricing.json", &openlit)
	hit, missing = 0, nil
	for name := range openlit["chat"] {
		if known("", name) || known("aws", name) || known("groq", name) || known("mistral", name) || known("openai", name) {
			hit++
		} else {
			missing = append(missing, name)
		}
	}
	report("OpenLIT chat names", hit, len(openlit["chat"]), 0.73, missing)
}

func TestEveryProviderNameOfTheConventionIsMapped(t *testing.T) {
	book := embeddedBook(t)
	for name, id := range map[string]string{
		"openai": "openai", "gcp.gen_ai": "google", "gcp.vertex_ai": "google", "gcp.gemini": "google",
		"anthropic": "anthropic", "cohere": "cohere", "azure.ai.inference": "azure", "azure.ai.openai": "azure",
		"ibm.watsonx.ai": "watsonx", "aws.bedrock": "aws", "perplexity": "perplexity", "x_ai": "x-ai",
		"deepseek": "deepseek", "groq": "groq", "mistral_ai": "mistral", "moonshot_ai": "moonshotai",
	} {
		a := book.attempts(name, "any-model")[0]
		require.Equal(t, id, book.id(a, ""), name)
	}
}

func TestTheEmbeddedTablesSayWhereTheyComeFrom(t *testing.T) {
	for name, data := range map[string][]byte{"snapshot": snapshot, "supplement": supplement} {
		var file struct {
			Version string
			Sources []map[string]string
		}
		require.NoError(t, json.Unmarshal(data, &file))
		require.NotEmpty(t, file.Version)
		require.NotEmpty(t, file.Sources)
		for _, s := range file.Sources {
			for _, field := range []string{"name", "url", "commit", "date", "licence", "use"} {
				require.NotEmpty(t, s[field], "%s: %s", name, field)
			}
			require.Contains(t, noticeText(t), s["commit"])
		}
	}
	require.Equal(t, 1309+570, embeddedBook(t).Models())
}

func noticeText(t *testing.T) string {
	t.Helper()
	data, err := os.ReadFile("NOTICE.md")
	require.NoError(t, err)
	return string(data)
}
