package price

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
)

// serviceTier is a way of serving that a provider sells at another price.
type serviceTier uint8

const (
	tierStandard serviceTier = iota
	tierBatch
	tierFlex
	tierPriority
	tierFast
	numTiers
	tierUnknown
)

var tierNames = [numTiers]string{"", "batch", "flex", "priority", "fast"}

// parseTier reads the service tier that a call reports. Names of the ordinary tier
// and none at all are tierStandard.
func parseTier(name string) serviceTier {
	switch {
	case name == "":
		return tierStandard
	case strings.EqualFold(name, "batch"), strings.EqualFold(name, "batches"):
		return tierBatch
	case strings.EqualFold(name, "flex"):
		return tierFlex
	case strings.EqualFold(name, "priority"):
		return tierPriority
	case strings.EqualFold(name, "fast"):
		return tierFast
	case strings.EqualFold(name, "default"), strings.EqualFold(name, "standard"), strings.EqualFold(name, "auto"),
		strings.EqualFold(name, "on_demand"), strings.EqualFold(name, "ON_DEMAND_TRAFFIC_TYPE"),
		strings.EqualFold(name, "standard_only"):
		return tierStandard
	}
	return tierUnknown
}

// serviceTiers are the factors of the tiers that have any.
type serviceTiers struct {
	known   uint8 // bit by serviceTier
	factors [numTiers]factors
}

func (s *serviceTiers) has(t serviceTier) bool { return s.known&(1<<t) != 0 }

func (s *serviceTiers) put(t serviceTier, f factors) {
	s.known |= 1 << t
	s.factors[t] = f
}

// under returns s completed by the tiers that only low has.
func (s serviceTiers) under(low *serviceTiers) serviceTiers {
	for t := range numTiers {
		if !s.has(t) && low.has(t) {
			s.put(t, low.factors[t])
		}
	}
	return s
}

const maxFactor = 100

var groupKeys = [numGroups]string{"input", "cache_read", "cache_write", "output"}

// tiers reads {"flex": 0.5} or {"flex": {"input": 0.5, "output": 0.6}}; groups that are
// left out cost as usual.
func (d decoder) tiers(raw map[string]json.RawMessage) (s serviceTiers, err error) {
	for name, value := range raw {
		t := parseTier(name)
		if t == tierStandard || t == tierUnknown {
			return s, fmt.Errorf("service_tiers.%s: no such tier, want batch, flex, priority or fast", cut([]byte(name)))
		}
		f := standard
		var one *float64
		if json.Unmarshal(value, &one) == nil && one != nil {
			f = factors{*one, *one, *one, *one}
		} else {
			var by map[string]float64
			if err := json.Unmarshal(value, &by); err != nil || by == nil {
				return s, fmt.Errorf("service_tiers.%s: %s is neither a factor nor an object with factors", name, cut(value))
			}
			for key, factor := range by {
				g, ok := groupByKey(key)
				if !ok {
					return s, fmt.Errorf("service_tiers.%s.%s: no such group, want input, cache_read, cache_write or output",
						name, cut([]byte(key)))
				}
				f[g] = factor
			}
		}
		for g, factor := range f {
			if err := checkFactor(factor); err != nil {
				return s, fmt.Errorf("service_tiers.%s.%s: %w", name, groupKeys[g], err)
			}
		}
		s.put(t, f)
	}
	return s, nil
}

func groupByKey(key string) (int, bool) {
	for g, name := range groupKeys {
		if name == key {
			return g, true
		}
	}
	return 0, false
}

func checkFactor(f float64) error {
	if math.IsNaN(f) || f < 0 || f > maxFactor {
		return fmt.Errorf("%v, want 0 to %d", f, maxFactor)
	}
	return nil
}
