package price

import (
	"strings"
	"time"
)

// resolved is what a pair of names means in a book.
type resolved struct {
	prices                          schedule
	tiers                           serviceTiers
	date                            time.Time
	version, layer, provider, model string
	unpriced, noInput, noOutput     error
}

func (b *Book) resolve(provider, model, endpoint string) *resolved {
	if endpoint != "" && provider != "" && !isGateway(provider) {
		endpoint = "" // it would not be looked at
	}
	if len(endpoint) > maxName {
		endpoint = endpoint[:maxName]
	}
	key := cacheKey{provider, model, endpoint}
	if r := b.cache.get(key); r != nil {
		return r
	}
	r := b.search(provider, model, endpoint)
	b.cache.put(key, r)
	return r
}

func (b *Book) search(provider, model, endpoint string) *resolved {
	provider, model = cutName(provider), cutName(model)
	r := &resolved{
		noInput:  &UnpricedError{provider, model, "no_input_price"},
		noOutput: &UnpricedError{provider, model, "no_output_price"},
	}
	name := strings.ToLower(strings.TrimSpace(model))
	if name == "" {
		r.unpriced = &UnpricedError{provider, model, "no_model"}
		return r
	}
	attempts := b.attempts(strings.ToLower(strings.TrimSpace(provider)), name)
	url := endpoint
	if url != "" && !strings.Contains(url, "://") {
		url = "https://" + url
	}
	for i, a := range attempts {
		if b.hit(r, a, url) {
			mod := b.modifiers(attempts[:i+1], url)
			if mod.multiply > 0 {
				r.prices = r.prices.scaled(mod.multiply)
			}
			r.tiers = mod.tiers.under(&r.tiers)
			return r
		}
	}
	reason := "unknown_model"
	if provider != "" && !b.known(attempts[0].who) {
		reason = "unknown_provider"
	}
	r.unpriced = &UnpricedError{provider, model, reason}
	return r
}

// hit looks an attempt up, from the uppermost layer down. Service tiers that the layer
// with the price does not have come from those below.
func (b *Book) hit(r *resolved, a attempt, url string) bool {
	found := false
	for i := range b.rules {
		rule := &b.rules[i]
		if rule.prices != nil && rule.matches(b, a, url) {
			found = true
			r.prices, r.tiers = rule.prices, rule.tiers
			r.version, r.layer, r.model, r.provider = "rules", "rules", rule.pattern, rule.provider
			break
		}
	}
	id := b.id(a, url)
	for _, l := range b.layers {
		p := l.table.providerOf(a, url)
		if p == nil {
			p = l.table.byID[id] // a table may leave out how providers are recognised
		}
		if p == nil {
			continue
		}
		m, owner := l.table.locate(p, a.name)
		if m == nil {
			continue
		}
		if !found {
			found = true
			r.prices, r.date, r.version, r.layer = m.prices, l.table.date, l.table.version, l.name
			r.provider, r.model, r.tiers = p.id, m.id, m.tiers
		}
		r.tiers = r.tiers.under(&m.tiers).under(&p.tiers).under(&owner.tiers)
	}
	return found
}

// providerOf finds the provider of an attempt as the reference implementation does:
// a name that is given decides; without one the endpoint does, then the model.
func (t *table) providerOf(a attempt, url string) *provider {
	switch {
	case a.who != "":
		return t.provider(a.who)
	case url != "":
		return t.byEndpoint(url)
	default:
		return t.byModel(a.name)
	}
}

// known reports whether any table has the provider.
func (b *Book) known(who string) bool {
	if who == "" {
		return false
	}
	for _, l := range b.layers {
		if l.table.provider(who) != nil {
			return true
		}
	}
	return false
}

// id returns the table id of the provider of an attempt, or its name.
func (b *Book) id(a attempt, url string) string {
	for _, l := range b.layers {
		if p := l.table.providerOf(a, url); p != nil {
			return p.id
		}
	}
	return a.who
}
