package sanitizeprocessor

import (
	"math"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap/confmaptest"
	"go.opentelemetry.io/collector/confmap/xconfmap"
)

// testdata/config.yaml sets every option to something else than its default.
func TestEveryOptionIsRead(t *testing.T) {
	conf, err := confmaptest.LoadConf(filepath.Join("testdata", "config.yaml"))
	require.NoError(t, err)
	sub, err := conf.Sub("sanitize")
	require.NoError(t, err)
	cfg := createDefaultConfig().(*Config)
	require.NoError(t, sub.Unmarshal(cfg))
	require.NoError(t, xconfmap.Validate(component.Config(cfg)))
	assert.Equal(t, &Config{
		Validation: ValidationConfig{
			Enabled:     false,
			Latency:     LatencyLimit{Min: time.Millisecond, Max: 5 * time.Minute, Action: ActionTag},
			Cost:        CostLimit{Min: .001, Max: 50, Action: ActionClamp},
			TotalTokens: TokenLimit{Min: 1, Max: 1_000_000, Action: ActionDrop},
			NotANumber:  ActionTag,
			DataPoints:  ActionClamp,
		},
		Text: TextConfig{MaxBytes: 5000, MaxAttributeBytes: 500_000, Action: ActionTag},
		Redaction: RedactionConfig{
			Enabled: true, Types: []string{"pii", "secret"}, Disable: []string{"ip_address"}, Bare: []string{"us_ssn"}, Action: "hmac",
			Actions: map[string]string{"credit_card": "partial", "secret": "drop_attribute"}, HMACKey: "0123456789abcdef",
			Allow: AllowConfig{Values: []string{"support@example.com"}, Patterns: []string{`@example\.com$`}, Keys: []string{"public.*"}},
		},
		PromptInjection: PromptInjectionConfig{Enabled: true, Threshold: .8, MinScore: .2, MaxTexts: 4, MaxTextBytes: 8192},
		Cache:           CacheConfig{Entries: 100, MaxBytes: 100_000},
		DryRun:          true,
	}, cfg)
}

func TestDefaultsAreValid(t *testing.T) {
	require.NoError(t, createDefaultConfig().(*Config).Validate())
}

// Errors name the option and the value.
func TestBadConfigurations(t *testing.T) {
	for want, change := range map[string]func(*Config){
		"validation::latency: 0 <= min <= max must hold, got min 0s and max -1s":                      func(c *Config) { c.Validation.Latency.Max = -time.Second },
		"validation::cost: 0 <= min <= max must hold and max be finite, got min 0 and max NaN":        func(c *Config) { c.Validation.Cost.Max = math.NaN() },
		"max be finite, got min 0 and max +Inf":                                                       func(c *Config) { c.Validation.Cost.Max = math.Inf(1) },
		"validation::total_tokens: 0 <= min <= max must hold, got min -1 and max 128000":              func(c *Config) { c.Validation.TotalTokens.Min = -1 },
		`validation::cost::action must be one of [drop clamp tag], got "delete"`:                      func(c *Config) { c.Validation.Cost.Action = "delete" },
		`validation::not_a_number must be one of [drop tag], got "clamp"`:                             func(c *Config) { c.Validation.NotANumber = ActionClamp },
		`validation::data_points must be one of [drop clamp tag], got ""`:                             func(c *Config) { c.Validation.DataPoints = "" },
		"text::max_bytes must be 256 to 67108864, got 10":                                             func(c *Config) { c.Text.MaxBytes = 10 },
		"text::max_attribute_bytes must be text::max_bytes (10000) to 67108864, got 9999":             func(c *Config) { c.Text.MaxAttributeBytes = 9999 },
		`redaction::action must be one of [mask hmac partial drop_attribute tag], got "hide"`:         func(c *Config) { c.Redaction.Action = "hide" },
		`redaction::actions::email must be one of [mask hmac partial drop_attribute tag], got "hide"`: func(c *Config) { c.Redaction.Actions = map[string]string{"email": "hide"} },
		`redaction::actions: "mail" is no type and no group (pii, secret, all)`:                       func(c *Config) { c.Redaction.Actions = map[string]string{"mail": "mask"} },
		"redaction::hmac_key must be set: the action hmac is used":                                    func(c *Config) { c.Redaction.Action = "hmac" },
		"redaction::hmac_key must have at least 16 bytes, got 5":                                      func(c *Config) { c.Redaction.HMACKey = "short" },
		`redaction: types: "mail"`:                                    func(c *Config) { c.Redaction.Types = []string{"mail"} },
		"redaction: allow_patterns":                                   func(c *Config) { c.Redaction.Allow.Patterns = []string{"("} },
		`redaction::allow::keys: "*" would exempt everything`:         func(c *Config) { c.Redaction.Allow.Keys = []string{"*"} },
		"redaction::allow::keys holds at most 1000 entries, got 1001": func(c *Config) { c.Redaction.Allow.Keys = make([]string, 1001) },
		"prompt_injection::threshold":                                 func(c *Config) { c.PromptInjection.Threshold = 2 },
		"prompt_injection::min_score must be 0 to 1, got NaN":         func(c *Config) { c.PromptInjection.MinScore = math.NaN() },
		"prompt_injection::max_texts must be 1 to 256, got 0":         func(c *Config) { c.PromptInjection.MaxTexts = 0 },
		"prompt_injection::max_text_bytes":                            func(c *Config) { c.PromptInjection.MaxTextBytes = 1 },
		"cache::entries must be 0 to 1048576, got -1":                 func(c *Config) { c.Cache.Entries = -1 },
		"cache::max_bytes must be 0 to 1073741824, got -1":            func(c *Config) { c.Cache.MaxBytes = -1 },
	} {
		cfg := createDefaultConfig().(*Config)
		change(cfg)
		require.ErrorContains(t, cfg.Validate(), want)
	}
	off := createDefaultConfig().(*Config)
	off.Redaction.Enabled, off.Redaction.Action = false, "hide"
	off.PromptInjection.Enabled, off.PromptInjection.MaxTexts = false, 0
	require.NoError(t, off.Validate(), "what is switched off is not judged")
}
