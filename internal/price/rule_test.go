package price

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func bookWithRules(t *testing.T, rules ...Rule) *Book {
	t.Helper()
	s, err := Open(Options{Rules: rules})
	require.NoError(t, err)
	return s.Book()
}

func TestARuleComesBeforeEveryTable(t *testing.T) {
	prices := map[string]float64{"input_mtok": 7, "output_mtok": 9}
	for _, c := range []struct {
		rule            Rule
		provider, model string
		hit             bool
	}{
		{Rule{Model: "gpt-4o"}, "openai", "gpt-4o", true},
		{Rule{Model: "GPT-4O"}, "OpenAI", "Gpt-4o", true},
		{Rule{Model: "gpt-4o"}, "openai", "gpt-4o-mini", false},
		{Rule{Model: "*"}, "openai", "openai/gpt-4o", true},
		{Rule{Model: "openai/*"}, "openai", "openai/gpt-4o", true},
		{Rule{Model: "meta-llama/*"}, "vllm", "meta-llama/Llama-3/8B", true},
		{Rule{Model: "*/llama-?"}, "vllm", "a/b/llama-3", true},
		{Rule{Model: "meta-llama/Llama-3", Match: "equals"}, "vllm", "meta-llama/llama-3", true},
		{Rule{Model: "meta-llama/", Match: "prefix"}, "vllm", "meta-llama/llama-3", true},
		{Rule{Model: "^meta-llama/.*-3$", Match: "regex"}, "vllm", "meta-llama/Llama-3", true},
		{Rule{Model: "gpt-*", Provider: "azure"}, "azure.ai.openai", "gpt-4o", true},
		{Rule{Model: "gpt-*", Provider: "azure.ai.openai"}, "azure.ai.openai", "gpt-4o", true},
		{Rule{Model: "gpt-*", Provider: "azure"}, "openai", "gpt-4o", false},
		{Rule{Model: "gpt-4o", Provider: "openai"}, "", "gpt-4o", true},
		{Rule{Model: "gpt-4o", Provider: "openai"}, "openai", "openai/gpt-4o", true},
		{Rule{Model: "mine", Provider: "vllm"}, "vllm", "mine", true},
	} {
		c.rule.Prices = prices
		q, err := bookWithRules(t, c.rule).Quote(Request{Provider: c.provider, Model: c.model, Time: testDay, Usage: Usage{Input: 1e6}})
		if c.hit {
			require.NoError(t, err, c)
			require.Equal(t, "rules", q.Layer, c)
			require.InDelta(t, 7, q.USD, 1e-12, c)
		} else {
			require.NoError(t, err, c)
			require.Equal(t, "embedded", q.Layer, c)
		}
	}
}

func TestTheFirstRuleThatMatchesDecides(t *testing.T) {
	b := bookWithRules(t,
		Rule{Model: "gpt-4o", Prices: map[string]float64{"input_mtok": 1}},
		Rule{Model: "gpt-*", Prices: map[string]float64{"input_mtok": 2}})
	for model, want := range map[string]float64{"gpt-4o": 1, "gpt-4o-mini": 2} {
		require.InDelta(t, want, quote(t, b, Request{Provider: "openai", Model: model, Usage: Usage{Input: 1e6}}).USD, 1e-12)
	}
}

func TestARuleHasItsOwnTiers(t *testing.T) {
	b := bookWithRules(t, Rule{
		Model: "m", ServiceTiers: map[string]float64{"batch": 0.25}, Prices: map[string]float64{"input_mtok": 4, "output_mtok": 8},
		Above: []Above{
			{InputTokens: 2000, Prices: map[string]float64{"input_mtok": 12}},
			{InputTokens: 1000, Prices: map[string]float64{"input_mtok": 8}},
		},
	})
	for input, want := range map[int64]float64{1000: 4, 1001: 8, 2000: 8, 2001: 12} {
		q := quote(t, b, Request{Model: "m", ServiceTier: "batch", Usage: Usage{Input: input, Output: 1}})
		require.InDelta(t, (want*float64(input)+8)*0.25/1e6, q.USD, 1e-12, input)
		require.Equal(t, "batch", q.ServiceTier)
	}
}

func TestARuleWithoutPricesChangesWhatTheTablesSay(t *testing.T) {
	ask := func(b *Book, provider, tier string) Quote {
		return quote(t, b, Request{Provider: provider, Model: "gpt-4o", ServiceTier: tier, Time: testDay, Usage: Usage{Input: 1e6, Output: 1e6}})
	}
	list := ask(embeddedBook(t), "openai", "")
	b := bookWithRules(t,
		Rule{Model: "*", Provider: "openai", Multiply: 0.8},
		Rule{Model: "gpt-4o", Provider: "openai", ServiceTiers: map[string]float64{"batch": 0.1, "flex": 0.3}})
	require.InDelta(t, 0.8*list.USD, ask(b, "openai", "").USD, 1e-9)
	require.InDelta(t, 0.08*list.USD, ask(b, "openai", "batch").USD, 1e-9)
	require.InDelta(t, 0.24*list.USD, ask(b, "openai", "flex").USD, 1e-9)
	require.Equal(t, "embedded", ask(b, "openai", "").Layer)
	require.InDelta(t, list.USD, ask(b, "azure", "").USD, 1e-9, "the rule is for another provider")
	require.InDelta(t, list.USD, ask(embeddedBook(t), "openai", "").USD, 1e-9, "the shared table is not scaled")
}

func TestABadRuleIsRefusedWithFieldAndValue(t *testing.T) {
	in := map[string]float64{"input_mtok": 1}
	for want, r := range map[string]Rule{
		"model: 0 bytes": {Prices: in},
		`match: "fuzzy", want glob, equals, prefix or regex`: {Model: "m", Match: "fuzzy", Prices: in},
		`model: "("`:                                     {Model: "(", Match: "regex", Prices: in},
		`prices: none for model "m"`:                     {Model: "m"},
		"prices.input: no such unit":                     {Model: "m", Prices: map[string]float64{"input": 1}},
		"prices.input_mtok: -1":                          {Model: "m", Prices: map[string]float64{"input_mtok": -1}},
		"cache_read_mtok needs input_mtok":               {Model: "m", Prices: map[string]float64{"cache_read_mtok": 1}},
		"multiply: 2 together with prices":               {Model: "m", Prices: in, Multiply: 2},
		"multiply: -1":                                   {Model: "m", Multiply: -1},
		"service_tiers.warp: no such tier":               {Model: "m", Prices: in, ServiceTiers: map[string]float64{"warp": 1}},
		"service_tiers.flex: 101, want 0 to 100":         {Model: "m", Prices: in, ServiceTiers: map[string]float64{"flex": 101}},
		"above: 1 entries without prices":                {Model: "m", Multiply: 1, Above: []Above{{}}},
		"above.prices.output_mtok: not among the prices": {Model: "m", Prices: in, Above: []Above{{Prices: map[string]float64{"output_mtok": 1}}}},
		"above.input_tokens: -5":                         {Model: "m", Prices: in, Above: []Above{{InputTokens: -5}}},
		"provider: 300 bytes, want at most 256":          {Model: "m", Prices: in, Provider: strings.Repeat("p", 300)},
	} {
		require.ErrorContains(t, r.Validate(), want)
		_, err := Open(Options{Rules: []Rule{{Model: "ok", Prices: in}, r}})
		require.ErrorContains(t, err, "rules[1]: ")
		require.ErrorContains(t, err, want)
	}
	_, err := Open(Options{Rules: make([]Rule, 1001)})
	require.ErrorContains(t, err, "rules: 1001, want at most 1000")
}

// FuzzRule checks that no rule makes compiling or matching panic, and that a glob
// agrees with the regular expression that means the same.
func FuzzRule(f *testing.F) {
	f.Add("gpt-*", "glob", "openai", "openai/gpt-4o", 1.0)
	f.Add("^a(b|c)/", "regex", "", "ab/x", 0.0)
	f.Add("*a*b*?", "", "x", "aaabbb", -1.0)
	f.Fuzz(func(t *testing.T, pattern, match, provider, model string, p float64) {
		r := Rule{Model: pattern, Match: match, Provider: provider, Prices: map[string]float64{"input_mtok": p}}
		compiled, err := r.compile()
		if err != nil {
			return
		}
		b := newBook([]rule{compiled}, []layer{{name: "file", table: &table{}}}, 0)
		q, err := b.Quote(Request{Provider: provider, Model: model, Usage: Usage{Input: 1e6}})
		if err == nil && !(q.USD >= 0 && q.USD <= maxPrice) {
			t.Fatalf("%+v", q)
		}
		if literal := strings.NewReplacer("*", "", "?", "").Replace(pattern); literal == pattern && match == "glob" {
			if low := strings.ToLower(pattern); glob(low, model) != (low == model) {
				t.Fatalf("glob %q on %q", pattern, model)
			}
		}
	})
}
