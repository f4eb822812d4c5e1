package price

import (
	"fmt"
	"math/bits"
	"slices"
	"time"
)

// rate is the price of one unit: base, or the price of the last tier whose start the
// input tokens of the call exceed. It then holds for all tokens of the unit.
type rate struct {
	base  float64
	tiers []tier // by rising start
}

type tier struct {
	start int64
	price float64
}

func (r *rate) at(input int64) float64 {
	p := r.base
	for _, t := range r.tiers {
		if input > t.start {
			p = t.price
		}
	}
	return p
}

// rates are the prices of one model under one condition.
type rates struct {
	rate   [numUnits]rate
	priced set
}

// check refuses a set of prices for which the parts of a usage cannot be told apart.
func (r *rates) check() error {
	for u := range numUnits {
		if !r.priced.has(u) {
			continue
		}
		if lack := units[u].within &^ r.priced; lack != 0 {
			return fmt.Errorf("%s needs %s, because its tokens are part of them", units[u].key, keysOf(lack))
		}
	}
	for join, pair := range joins {
		if r.priced&pair == pair && !r.priced.has(join) {
			return fmt.Errorf("%s together need %s, because tokens may be both", keysOf(pair), units[join].key)
		}
	}
	return nil
}

// joins are the units whose tokens are in two other units at once.
var joins = map[unit]set{
	uCacheAudioRead: setOf(uCacheRead, uInputAudio),
	uCacheImageRead: setOf(uCacheRead, uInputImage),
}

func keysOf(s set) string {
	var text string
	for u := range numUnits {
		if !s.has(u) {
			continue
		}
		if text != "" {
			text += " and "
		}
		text += units[u].key
	}
	return text
}

// cost prices the counts. Each priced unit pays for what no more specific priced unit
// pays for, so a part without a price of its own is charged with the whole.
func (r *rates) cost(c *[numUnits]int64, f *factors) (in, out, other float64, err error) {
	var rest [numUnits]int64
	for _, u := range specificFirst {
		if !r.priced.has(u) {
			continue
		}
		n := c[u]
		for parts := contained[u] & r.priced; parts != 0; parts &= parts - 1 {
			n -= rest[bits.TrailingZeros32(uint32(parts))]
		}
		if n < 0 {
			return 0, 0, 0, fmt.Errorf("%w: the parts of %s sum up to %d, more than the whole, %d",
				ErrUsage, units[u].field, c[u]-n, c[u])
		}
		rest[u] = n //nolint:gosec // an array with a place for every unit
	}
	for u := range numUnits {
		if !r.priced.has(u) || rest[u] == 0 {
			continue
		}
		usd := r.rate[u].at(c[uInput]) * float64(rest[u]) / units[u].per
		g := units[u].group
		if g != groupNone {
			usd *= f[g]
		}
		switch {
		case u >= uRequests:
			other += usd
		case u >= uOutput:
			out += usd
		default:
			in += usd
		}
	}
	return in, out, other, nil
}

// contained[u] are the units that are part of u.
var contained = func() (c [numUnits]set) {
	for u := range numUnits {
		for v := range numUnits {
			if units[v].within.has(u) {
				c[u] |= 1 << v
			}
		}
	}
	return c
}()

// factors are the multipliers of a service tier, by group of units.
type factors [numGroups]float64

var standard = factors{1, 1, 1, 1}

// when says under which condition a set of prices holds.
type when struct {
	kind       whenKind
	start      time.Time     // whenDate: from this moment on
	from, till time.Duration // whenDaily: since midnight UTC; from included, till not
}

type whenKind uint8

const (
	whenAlways whenKind = iota
	whenDate
	whenDaily
)

func (w *when) holds(t time.Time) bool {
	switch w.kind {
	case whenDate:
		return !t.Before(w.start)
	case whenDaily:
		day := time.Duration(((t.Unix()%86400)+86400)%86400)*time.Second + time.Duration(t.Nanosecond())
		if w.till < w.from { // over midnight
			return day >= w.from || day < w.till
		}
		return day >= w.from && day < w.till
	default:
		return true
	}
}

// schedule is the prices of one model: the last entry whose condition holds counts,
// and the first when none does.
type schedule []dated

type dated struct {
	when  when
	rates rates
}

func (s schedule) at(t time.Time) *rates {
	for i := len(s) - 1; i > 0; i-- {
		if s[i].when.holds(t) {
			return &s[i].rates
		}
	}
	return &s[0].rates
}

// scaled returns the schedule with every price multiplied.
func (s schedule) scaled(by float64) schedule {
	out := slices.Clone(s)
	for i := range out {
		r := &out[i].rates
		for u := range numUnits {
			r.rate[u].base *= by
			r.rate[u].tiers = slices.Clone(r.rate[u].tiers)
			for j := range r.rate[u].tiers {
				r.rate[u].tiers[j].price *= by
			}
		}
	}
	return out
}
