package price

import (
	"strings"
	"time"
)

// table is one price table: providers in order, each with its models in order.
type table struct {
	version   string
	date      time.Time // of the data; prices calls that have no plausible time
	providers []provider
	byID      map[string]*provider
}

type provider struct {
	id            string
	api           clause // against the URL of the endpoint; none when unknown
	providerMatch clause
	modelMatch    clause
	fallback      []string
	tiers         serviceTiers
	models        []model
	equal         map[string]int // model by full name, to its first match by name
	loose         []int          // models that a name may match in another way
}

type model struct {
	id     string
	match  clause
	prices schedule
	tiers  serviceTiers
}

// index prepares look-ups. It is called once, before the table is shared.
func (t *table) index() {
	t.byID = make(map[string]*provider, len(t.providers))
	for i := range t.providers {
		p := &t.providers[i]
		if _, ok := t.byID[p.id]; !ok {
			t.byID[p.id] = p
		}
		p.equal = make(map[string]int, len(p.models))
		for j := range p.models {
			if p.register(&p.models[j].match, j) {
				p.loose = append(p.loose, j)
			}
		}
	}
}

// register notes the names that c equals, and says whether c matches others, too.
func (p *provider) register(c *clause, at int) (loose bool) {
	switch c.kind {
	case clauseEquals:
		if _, ok := p.equal[c.text]; !ok {
			p.equal[c.text] = at
		}
		return false
	case clauseOr:
		for i := range c.clauses {
			loose = p.register(&c.clauses[i], at) || loose
		}
		return loose
	default:
		return true
	}
}

// find returns the first model whose clause matches the name, as a scan of all would.
func (p *provider) find(name string) *model {
	best, ok := p.equal[name]
	if !ok {
		best = len(p.models)
	}
	for _, i := range p.loose {
		if i >= best {
			break
		}
		if p.models[i].match.match(name) {
			return &p.models[i]
		}
	}
	if !ok {
		return nil
	}
	return &p.models[best]
}

// provider finds a provider by its id, then by its clause on the provider's name.
func (t *table) provider(name string) *provider {
	if p := t.byID[name]; p != nil {
		return p
	}
	for i := range t.providers {
		if t.providers[i].providerMatch.match(name) {
			return &t.providers[i]
		}
	}
	return nil
}

// byEndpoint finds a provider by the address of its programming interface.
func (t *table) byEndpoint(url string) *provider {
	for i := range t.providers {
		if t.providers[i].api.match(url) {
			return &t.providers[i]
		}
	}
	return nil
}

// byModel finds a provider by the name of a model.
func (t *table) byModel(name string) *provider {
	for i := range t.providers {
		if t.providers[i].modelMatch.match(name) {
			return &t.providers[i]
		}
	}
	return nil
}

// locate finds a model of p or, where p sells the models of others, of those; then
// once more with dates written as 2025-08-05 instead of 20250805.
// The owner is the provider in whose list the model is.
func (t *table) locate(p *provider, name string) (m *model, owner *provider) {
	if m, owner = t.direct(p, name); m != nil {
		return m, owner
	}
	if dashed := dashDates(name); dashed != name {
		return t.direct(p, dashed)
	}
	return nil, nil
}

func (t *table) direct(p *provider, name string) (m *model, owner *provider) {
	if m := p.find(name); m != nil {
		return m, p
	}
	for _, id := range p.fallback {
		if other := t.byID[id]; other != nil {
			if m := other.find(name); m != nil {
				return m, other
			}
		}
	}
	return nil, nil
}

// dashDates writes each date -YYYYMMDD that ends the name or a part of it with dashes.
func dashDates(name string) string {
	var b strings.Builder
	done := 0
	for i := 0; i+9 <= len(name); i++ {
		if !compactDate(name[i:]) {
			continue
		}
		b.WriteString(name[done:i])
		b.WriteString(name[i:i+5] + "-" + name[i+5:i+7] + "-" + name[i+7:i+9])
		done = i + 9
		i += 8
	}
	if done == 0 {
		return name
	}
	return b.String() + name[done:]
}

// compactDate reports whether s begins with a dash, a real date of this century as
// eight digits, and then ends or goes on with a dash or a colon.
func compactDate(s string) bool {
	if len(s) < 9 || s[0] != '-' || len(s) > 9 && s[9] != '-' && s[9] != ':' || s[1:3] != "20" {
		return false
	}
	_, err := time.Parse("20060102", s[1:9])
	return err == nil
}
