package price

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// Rule is a price of the user's own. Rules are tried in order; the first that matches
// and has prices decides. A rule without prices changes what the tables say.
type Rule struct {
	// Provider is the provider as telemetry names it, or its id in the table; empty
	// for any. Case does not matter.
	Provider string `mapstructure:"provider"`
	// Model is what the name of the model must match. Case does not matter.
	Model string `mapstructure:"model"`
	// Match says how: glob (default; * is any text, also with /, and ? is any one
	// character), equals, prefix or regex (RE2, anywhere in the name).
	Match string `mapstructure:"match"`
	// Prices are in USD per million tokens (keys such as input_mtok, output_mtok,
	// cache_read_mtok) or per thousand (requests_kcount, web_searches_kcount).
	Prices map[string]float64 `mapstructure:"prices"`
	// Above replaces prices when the input tokens of a call exceed a number.
	Above []Above `mapstructure:"above"`
	// ServiceTiers are factors by service tier: batch, flex, priority, fast.
	ServiceTiers map[string]float64 `mapstructure:"service_tiers"`
	// Multiply scales the prices of the tables, such as 0.8 for a discount of a fifth;
	// 0 means unset. Not together with Prices.
	Multiply float64 `mapstructure:"multiply"`
}

// Above is the prices of calls with more input tokens than InputTokens.
type Above struct {
	InputTokens int64              `mapstructure:"input_tokens"`
	Prices      map[string]float64 `mapstructure:"prices"`
}

// Validate says which field of the rule has a value that is not allowed.
func (r *Rule) Validate() error {
	_, err := r.compile()
	return err
}

// rule is a compiled Rule.
type rule struct {
	provider, pattern string
	match             func(string) bool
	prices            schedule // nil when the rule only changes what tables say
	tiers             serviceTiers
	multiply          float64
}

func compileRules(list []Rule) ([]rule, error) {
	if len(list) > maxRules {
		return nil, fmt.Errorf("rules: %d, want at most %d", len(list), maxRules)
	}
	out := make([]rule, len(list))
	for i := range list {
		var err error
		if out[i], err = list[i].compile(); err != nil {
			return nil, fmt.Errorf("rules[%d]: %w", i, err)
		}
	}
	return out, nil
}

const maxRules = 1000

func (r *Rule) compile() (c rule, err error) {
	c.provider = strings.ToLower(strings.TrimSpace(r.Provider))
	c.pattern, c.multiply = r.Model, r.Multiply
	if len(c.provider) > maxName {
		return c, fmt.Errorf("provider: %d bytes, want at most %d", len(c.provider), maxName)
	}
	if c.match, err = matcher(r.Match, r.Model); err != nil {
		return c, err
	}
	if r.Multiply != 0 {
		if err := checkFactor(r.Multiply); err != nil {
			return c, fmt.Errorf("multiply: %w", err)
		}
	}
	switch {
	case len(r.Prices) > 0 && r.Multiply != 0:
		return c, fmt.Errorf("multiply: %v together with prices; want one of them", r.Multiply)
	case len(r.Prices) == 0 && len(r.Above) > 0:
		return c, fmt.Errorf("above: %d entries without prices", len(r.Above))
	case len(r.Prices) == 0 && r.Multiply == 0 && len(r.ServiceTiers) == 0:
		return c, fmt.Errorf("prices: none for model %q; want prices, multiply or service_tiers", cut([]byte(r.Model)))
	}
	for name, factor := range r.ServiceTiers {
		t := parseTier(name)
		if t == tierStandard || t == tierUnknown {
			return c, fmt.Errorf("service_tiers.%s: no such tier, want batch, flex, priority or fast", cut([]byte(name)))
		}
		if err := checkFactor(factor); err != nil {
			return c, fmt.Errorf("service_tiers.%s: %w", name, err)
		}
		c.tiers.put(t, factors{factor, factor, factor, factor})
	}
	if len(r.Prices) > 0 {
		c.prices, err = r.schedule()
	}
	return c, err
}

func (r *Rule) schedule() (schedule, error) {
	s := make(schedule, 1)
	out := &s[0].rates
	for _, key := range slices.Sorted(maps.Keys(r.Prices)) {
		u, ok := unitByKey[key]
		if !ok {
			return nil, fmt.Errorf("prices.%s: no such unit", cut([]byte(key)))
		}
		if err := checkPrice(r.Prices[key]); err != nil {
			return nil, fmt.Errorf("prices.%s: %w", key, err)
		}
		out.rate[u].base, out.priced = r.Prices[key], out.priced|1<<u
	}
	if len(r.Above) > 20 {
		return nil, fmt.Errorf("above: %d entries, want at most 20", len(r.Above))
	}
	above := slices.SortedStableFunc(slices.Values(r.Above), func(a, b Above) int {
		return int(min(max(a.InputTokens-b.InputTokens, -1), 1))
	})
	for _, a := range above {
		if a.InputTokens < 0 || a.InputTokens > maxCount {
			return nil, fmt.Errorf("above.input_tokens: %d, want 0 to %d", a.InputTokens, int64(maxCount))
		}
		for key, p := range a.Prices {
			u, ok := unitByKey[key]
			if !ok || !out.priced.has(u) {
				return nil, fmt.Errorf("above.prices.%s: not among the prices of the rule", cut([]byte(key)))
			}
			if err := checkPrice(p); err != nil {
				return nil, fmt.Errorf("above.prices.%s: %w", key, err)
			}
			out.rate[u].tiers = append(out.rate[u].tiers, tier{start: a.InputTokens, price: p})
		}
	}
	if err := out.check(); err != nil {
		return nil, fmt.Errorf("prices: %w", err)
	}
	return s, nil
}

// matcher returns the predicate on names in lower case.
func matcher(kind, pattern string) (func(string) bool, error) {
	if pattern == "" || len(pattern) > maxClauseText {
		return nil, fmt.Errorf("model: %d bytes, want 1 to %d", len(pattern), maxClauseText)
	}
	low := strings.ToLower(pattern)
	switch kind {
	case "", "glob":
		return func(name string) bool { return glob(low, name) }, nil
	case "equals":
		return func(name string) bool { return name == low }, nil
	case "prefix":
		return func(name string) bool { return strings.HasPrefix(name, low) }, nil
	case "regex":
		regex, err := regexp.Compile("(?i)" + pattern)
		if err != nil {
			return nil, fmt.Errorf("model: %q: %w", cut([]byte(pattern)), err)
		}
		return regex.MatchString, nil
	}
	return nil, fmt.Errorf("match: %q, want glob, equals, prefix or regex", cut([]byte(kind)))
}

// glob matches the whole text; * is any text, ? any one byte. It takes time in
// proportion to the product of the lengths at worst.
func glob(pattern, text string) bool {
	p, t, star, mark := 0, 0, -1, 0
	for t < len(text) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, mark = p, t
			p++
		case p < len(pattern) && (pattern[p] == '?' || pattern[p] == text[t]):
			p, t = p+1, t+1
		case star >= 0:
			mark++
			p, t = star+1, mark
		default:
			return false
		}
	}
	for p < len(pattern) && pattern[p] == '*' {
		p++
	}
	return p == len(pattern)
}

func (r *rule) matches(b *Book, a attempt, url string) bool {
	if !r.match(a.name) {
		return false
	}
	return r.provider == "" || r.provider == a.who || alias(r.provider) == a.who || r.provider == b.id(a, url)
}

// modifiers collects the first factor and the service tiers of rules without prices.
func (b *Book) modifiers(attempts []attempt, url string) (m rule) {
	for i := range b.rules {
		r := &b.rules[i]
		if r.prices != nil || !slices.ContainsFunc(attempts, func(a attempt) bool { return r.matches(b, a, url) }) {
			continue
		}
		if m.multiply == 0 {
			m.multiply = r.multiply
		}
		m.tiers = m.tiers.under(&r.tiers)
	}
	return m
}
