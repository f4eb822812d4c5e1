package price

import (
	"strings"
	"time"
)

// maxName bounds the names of providers and models, in bytes.
const maxName = 256

// DefaultCacheSize is how many (provider, model) pairs a Book remembers by default.
const DefaultCacheSize = 4096

// Request asks what a call cost.
type Request struct {
	// Provider is the value of gen_ai.provider.name, an id of a price table, or the
	// name that a library uses. When empty, Endpoint, then Model decide.
	Provider string
	// Model is the name of the model, best the one that answered.
	Model string
	// Endpoint is the URL or the host name of the server; optional.
	Endpoint string
	// ServiceTier is the tier that served the call, such as batch, flex or priority.
	ServiceTier string
	// Time is when the call was made; it selects the price. Times before 2000 count
	// as unknown and take the price of the table's date.
	Time  time.Time
	Usage Usage
}

// Quote is the price of a call. USD is the sum of InputUSD, OutputUSD and what is
// charged per request and per web search.
type Quote struct {
	USD, InputUSD, OutputUSD float64
	// Version is the version of the price table, Layer where it came from: "rules",
	// "file" or "embedded".
	Version, Layer string
	// Provider and Model are the ids under which the table has the price.
	Provider, Model string
	// ServiceTier is the tier whose factor was applied: batch, flex, priority or
	// fast. It is empty when the call was priced as standard, also because the table
	// knows no price for the tier that was asked for; see TierUnpriced.
	ServiceTier string
	// TierUnpriced says that the call named a service tier other than standard
	// for which no price is known, so that USD is the standard price.
	TierUnpriced bool
}

// Book is a set of price tables in layers. It does not change and is safe for
// concurrent use.
type Book struct {
	rules  []rule
	layers []layer
	cache  cache
}

type layer struct {
	name  string
	table *table
}

func newBook(rules []rule, layers []layer, cacheSize int) *Book {
	return &Book{rules: rules, layers: layers, cache: newCache(cacheSize)}
}

// Version is the version of the uppermost table.
func (b *Book) Version() string { return b.layers[0].table.version }

// Models is the number of models in all tables.
func (b *Book) Models() int {
	n := 0
	for _, l := range b.layers {
		for i := range l.table.providers {
			n += len(l.table.providers[i].models)
		}
	}
	return n
}

// Quote prices a call. The error wraps ErrUnpriced when there is no price, ErrUsage
// when the usage contradicts itself; the Quote is then zero and means nothing. For a
// pair of provider and model that was asked before it allocates nothing.
func (b *Book) Quote(r Request) (Quote, error) {
	if len(r.Provider) > maxName || len(r.Model) > maxName {
		return Quote{}, &UnpricedError{cutName(r.Provider), cutName(r.Model), "long_name"}
	}
	res := b.resolve(r.Provider, r.Model, r.Endpoint)
	if res.unpriced != nil {
		return Quote{}, res.unpriced
	}
	counts, err := r.Usage.counts()
	if err != nil {
		return Quote{}, err
	}
	at := r.Time
	if at.Year() < 2000 {
		at = res.date
	}
	prices := res.prices.at(at)
	switch {
	case counts[uInput] > 0 && !prices.priced.has(uInput): //nolint:gosec // an array with a place for every unit
		return Quote{}, res.noInput
	case counts[uOutput] > 0 && !prices.priced.has(uOutput):
		return Quote{}, res.noOutput
	}
	q := Quote{Version: res.version, Layer: res.layer, Provider: res.provider, Model: res.model}
	f := &standard
	if t := parseTier(r.ServiceTier); t != tierStandard {
		if t < numTiers && res.tiers.has(t) {
			f, q.ServiceTier = &res.tiers.factors[t], tierNames[t]
		} else {
			q.TierUnpriced = true
		}
	}
	in, out, other, err := prices.cost(&counts, f)
	if err != nil {
		return Quote{}, err
	}
	q.USD, q.InputUSD, q.OutputUSD = in+out+other, in, out
	return q, nil
}

// clip bounds a name; it shares memory with s when s is short enough.
func clip(s string) string {
	if len(s) > maxName {
		return strings.ToValidUTF8(s[:maxName], "")
	}
	return s
}

// cutName bounds a name and copies it.
func cutName(s string) string { return strings.Clone(clip(s)) }
