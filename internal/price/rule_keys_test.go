package price

import (
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/confmap"
)

func TestRulesAreReadByTheirKeys(t *testing.T) {
	var c struct {
		Rules []Rule `mapstructure:"rules"`
	}
	require.NoError(t, confmap.NewFromStringMap(map[string]any{
		"rules": []any{map[string]any{
			"provider": "vllm", "model": "meta-llama/*", "match": "glob",
			"prices":        map[string]any{"input_mtok": 0.1, "output_mtok": 1},
			"above":         []any{map[string]any{"input_tokens": 1000, "prices": map[string]any{"input_mtok": 2}}},
			"service_tiers": map[string]any{"batch": 0.5},
		}, map[string]any{"model": "*", "multiply": 0.9}},
	}).Unmarshal(&c))
	require.Equal(t, []Rule{{
		Provider: "vllm", Model: "meta-llama/*", Match: "glob", Prices: map[string]float64{"input_mtok": 0.1, "output_mtok": 1},
		Above:        []Above{{InputTokens: 1000, Prices: map[string]float64{"input_mtok": 2}}},
		ServiceTiers: map[string]float64{"batch": 0.5},
	}, {Model: "*", Multiply: 0.9}}, c.Rules)
	for i := range c.Rules {
		require.NoError(t, c.Rules[i].Validate())
	}
}
