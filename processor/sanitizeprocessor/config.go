package sanitizeprocessor

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/configopaque"

	"github.com/llm-devops/llm-sentinel/internal/injection"
	"github.com/llm-devops/llm-sentinel/internal/redact"
)

// Defaults and limits of [Config].
const (
	defaultMaxLatency        = 10 * time.Minute
	defaultMaxTokens         = 128_000
	defaultMaxCostUSD        = 100
	defaultMaxTextBytes      = 10_000
	defaultMaxAttributeBytes = 1 << 20
	defaultCacheEntries      = 8192
	defaultCacheBytes        = 16 << 20
	defaultMinScore          = .1
	defaultMaxTexts          = 16

	minTextBytes   = minSplitBytes
	maxTextBytes   = 64 << 20
	maxCacheSize   = 1 << 20
	maxCacheBytes  = 1 << 30
	maxTextsPerOne = 256
	minKeyBytes    = 16
	maxAllowKeys   = 1000
)

// Action is what is done about an item that breaks a limit.
type Action string

// The actions.
const (
	// ActionDrop removes the span, log record or data point.
	ActionDrop Action = "drop"
	// ActionClamp sets the value to the limit and tags the item.
	ActionClamp Action = "clamp"
	// ActionTag only names the limit in sentinel.sanitize.violations.
	ActionTag Action = "tag"
)

// Config of the processor. Every field has a default that works.
type Config struct {
	// Validation checks the numbers of LLM calls and of metrics.
	Validation ValidationConfig `mapstructure:"validation"`
	// Text bounds all texts.
	Text TextConfig `mapstructure:"text"`
	// Redaction finds personal data and secrets.
	Redaction RedactionConfig `mapstructure:"redaction"`
	// PromptInjection scores prompts.
	PromptInjection PromptInjectionConfig `mapstructure:"prompt_injection"`
	// Cache remembers what was found in parts of texts.
	Cache CacheConfig `mapstructure:"cache"`
	// DryRun only reports: nothing is dropped, cut or replaced; attributes with
	// counts, metrics and scores are written. Default false.
	DryRun bool `mapstructure:"dry_run"`
}

// ValidationConfig sets limits for numbers. A value that equals a limit passes.
type ValidationConfig struct {
	// Enabled switches the checks on. Default true.
	Enabled bool `mapstructure:"enabled"`
	// Latency of a call. Default 0s to 10m, tag: the call that hung is what the
	// processors behind this one are to find.
	Latency LatencyLimit `mapstructure:"latency"`
	// Cost of a call in US dollars. Default 0 to 100, tag.
	Cost CostLimit `mapstructure:"cost"`
	// TotalTokens of a call, input and output. Default 0 to 128000, tag: models
	// with a longer context exist.
	TotalTokens TokenLimit `mapstructure:"total_tokens"`
	// NotANumber is the action for a call one of whose numbers is NaN or infinite,
	// drop or tag. Default drop.
	NotANumber Action `mapstructure:"not_a_number"`
	// DataPoints is the action for metric data points whose value or sum is NaN
	// or infinite: drop; clamp makes infinities the largest finite numbers, drops
	// NaN, and removes the sum of histograms; tag only counts. Default drop.
	DataPoints Action `mapstructure:"data_points"`
}

// LatencyLimit bounds a duration.
type LatencyLimit struct {
	Min    time.Duration `mapstructure:"min"`
	Max    time.Duration `mapstructure:"max"`
	Action Action        `mapstructure:"action"`
}

// CostLimit bounds an amount of US dollars.
type CostLimit struct {
	Min    float64 `mapstructure:"min"`
	Max    float64 `mapstructure:"max"`
	Action Action  `mapstructure:"action"`
}

// TokenLimit bounds a number of tokens.
type TokenLimit struct {
	Min    int64  `mapstructure:"min"`
	Max    int64  `mapstructure:"max"`
	Action Action `mapstructure:"action"`
}

// TextConfig bounds texts.
type TextConfig struct {
	// MaxBytes is the longest text, 256 B to 64 MiB. In JSON it holds for each
	// string, so that messages stay messages. Unit: bytes. Default 10000.
	MaxBytes int `mapstructure:"max_bytes"`
	// MaxAttributeBytes is the longest value of a string attribute, whatever stands
	// in it, at least max_bytes and at most 64 MiB. Unit: bytes. Default 1048576.
	MaxAttributeBytes int `mapstructure:"max_attribute_bytes"`
	// Action for longer ones: clamp cuts between characters and appends
	// "...[truncated]"; tag; drop. Default clamp.
	Action Action `mapstructure:"action"`
}

// RedactionConfig says what is sensitive and what becomes of it.
type RedactionConfig struct {
	// Enabled switches it on. Default true.
	Enabled bool `mapstructure:"enabled"`
	// Types are what is looked for: names, or the groups pii, secret, all. Empty
	// means all. Default empty.
	Types []string `mapstructure:"types"`
	// Disable names types, groups or ids of rules to leave out. Default empty.
	Disable []string `mapstructure:"disable"`
	// Bare names types whose numbers are believed without a separator or a word
	// that names them. Default empty.
	Bare []string `mapstructure:"bare"`
	// Action for all types that Actions does not name: mask, hmac, partial,
	// drop_attribute, tag. Default mask.
	Action string `mapstructure:"action"`
	// Actions by type or group; a type wins over its group.
	Actions map[string]string `mapstructure:"actions"`
	// HMACKey is the key of pseudonyms, at least 16 bytes; needed by hmac. The
	// same value gets the same pseudonym within a tenant.
	HMACKey configopaque.String `mapstructure:"hmac_key"`
	// ExtraRules is a file of secret rules in the format of gitleaks (TOML).
	ExtraRules string `mapstructure:"extra_rules"`
	// Allow lists what is not sensitive.
	Allow AllowConfig `mapstructure:"allow"`
}

// AllowConfig lists exceptions.
type AllowConfig struct {
	// Values that are left alone, without regard to case.
	Values []string `mapstructure:"values"`
	// Patterns are regular expressions (RE2); a found value in which one matches
	// is left alone.
	Patterns []string `mapstructure:"patterns"`
	// Keys of attributes that are not looked into; a "*" at the end stands for
	// anything. At most 1000.
	Keys []string `mapstructure:"keys"`
}

// PromptInjectionConfig tunes the score of prompts.
type PromptInjectionConfig struct {
	// Enabled switches it on. Default true.
	Enabled bool `mapstructure:"enabled"`
	// Threshold is the score, above 0 and at most 1, from which on an item is
	// flagged; 0 takes that of the model. Default 0.
	Threshold float64 `mapstructure:"threshold"`
	// MinScore, 0 to 1, is the least score that is written. Default 0.1.
	MinScore float64 `mapstructure:"min_score"`
	// MaxTexts is the most texts of one item that are scored, 1 to 256, newest
	// first. Default 16.
	MaxTexts int `mapstructure:"max_texts"`
	// MaxTextBytes is what is read of one text, its head and its tail; 256 B to
	// 16 MiB. Unit: bytes. Default 65536.
	MaxTextBytes int `mapstructure:"max_text_bytes"`
}

// CacheConfig bounds what is remembered of parts of texts, so that a conversation
// that is sent anew with each turn is not read anew. There is one cache for
// redaction and one for prompt injection.
type CacheConfig struct {
	// Entries is the number of parts in each cache, 0 (off) to 1048576. Default 8192.
	Entries int `mapstructure:"entries"`
	// MaxBytes bounds the redacted texts that are kept, up to 1 GiB; of a part
	// without a finding no text is kept. Unit: bytes. Default 16 MiB.
	MaxBytes int `mapstructure:"max_bytes"`
}

func createDefaultConfig() component.Config {
	return &Config{
		Validation: ValidationConfig{
			Enabled:     true,
			Latency:     LatencyLimit{Max: defaultMaxLatency, Action: ActionTag},
			Cost:        CostLimit{Max: defaultMaxCostUSD, Action: ActionTag},
			TotalTokens: TokenLimit{Max: defaultMaxTokens, Action: ActionTag},
			NotANumber:  ActionDrop,
			DataPoints:  ActionDrop,
		},
		Text:            TextConfig{MaxBytes: defaultMaxTextBytes, MaxAttributeBytes: defaultMaxAttributeBytes, Action: ActionClamp},
		Redaction:       RedactionConfig{Enabled: true, Action: "mask"},
		PromptInjection: PromptInjectionConfig{Enabled: true, MinScore: defaultMinScore, MaxTexts: defaultMaxTexts, MaxTextBytes: injection.DefaultMaxTextBytes},
		Cache:           CacheConfig{Entries: defaultCacheEntries, MaxBytes: defaultCacheBytes},
	}
}

// Validate reports all that is wrong with the configuration.
func (c *Config) Validate() error {
	return errors.Join(c.Validation.validate(), c.Text.validate(), c.Redaction.validate(), c.PromptInjection.validate(), c.Cache.validate())
}

func (c *ValidationConfig) validate() error {
	var errs []error
	if c.Latency.Min < 0 || c.Latency.Max < c.Latency.Min {
		errs = append(errs, fmt.Errorf("validation::latency: 0 <= min <= max must hold, got min %v and max %v", c.Latency.Min, c.Latency.Max))
	}
	if !(c.Cost.Min >= 0 && c.Cost.Max >= c.Cost.Min) || math.IsInf(c.Cost.Max, 0) {
		errs = append(errs, fmt.Errorf("validation::cost: 0 <= min <= max must hold and max be finite, got min %v and max %v", c.Cost.Min, c.Cost.Max))
	}
	if c.TotalTokens.Min < 0 || c.TotalTokens.Max < c.TotalTokens.Min {
		errs = append(errs, fmt.Errorf("validation::total_tokens: 0 <= min <= max must hold, got min %d and max %d", c.TotalTokens.Min, c.TotalTokens.Max))
	}
	return errors.Join(append(errs,
		oneOf("validation::latency::action", c.Latency.Action, ActionDrop, ActionClamp, ActionTag),
		oneOf("validation::cost::action", c.Cost.Action, ActionDrop, ActionClamp, ActionTag),
		oneOf("validation::total_tokens::action", c.TotalTokens.Action, ActionDrop, ActionClamp, ActionTag),
		oneOf("validation::not_a_number", c.NotANumber, ActionDrop, ActionTag),
		oneOf("validation::data_points", c.DataPoints, ActionDrop, ActionClamp, ActionTag),
	)...)
}

func oneOf(field string, a Action, allowed ...Action) error {
	if slices.Contains(allowed, a) {
		return nil
	}
	return fmt.Errorf("%s must be one of %v, got %q", field, allowed, string(a))
}

func (c *TextConfig) validate() error {
	var errs []error
	if c.MaxBytes < minTextBytes || c.MaxBytes > maxTextBytes {
		errs = append(errs, fmt.Errorf("text::max_bytes must be %d to %d, got %d", minTextBytes, maxTextBytes, c.MaxBytes))
	}
	if c.MaxAttributeBytes < c.MaxBytes || c.MaxAttributeBytes > maxTextBytes {
		errs = append(errs, fmt.Errorf("text::max_attribute_bytes must be text::max_bytes (%d) to %d, got %d", c.MaxBytes, maxTextBytes, c.MaxAttributeBytes))
	}
	return errors.Join(append(errs, oneOf("text::action", c.Action, ActionDrop, ActionClamp, ActionTag))...)
}

func (c *RedactionConfig) validate() error {
	if !c.Enabled {
		return nil
	}
	var errs []error
	actions, err := c.actions()
	errs = append(errs, err)
	if n := len(c.HMACKey); n > 0 && n < minKeyBytes {
		errs = append(errs, fmt.Errorf("redaction::hmac_key must have at least %d bytes, got %d", minKeyBytes, n))
	}
	if err == nil && len(c.HMACKey) == 0 {
		for _, a := range actions {
			if a == redact.HMAC {
				errs = append(errs, errors.New("redaction::hmac_key must be set: the action hmac is used"))
				break
			}
		}
	}
	if len(c.Allow.Keys) > maxAllowKeys {
		errs = append(errs, fmt.Errorf("redaction::allow::keys holds at most %d entries, got %d", maxAllowKeys, len(c.Allow.Keys)))
	}
	for _, k := range c.Allow.Keys {
		if k == "" || k == "*" {
			errs = append(errs, fmt.Errorf("redaction::allow::keys: %q would exempt everything; set redaction::enabled to false instead", k))
		}
	}
	if _, err := c.scanner(); err != nil {
		errs = append(errs, fmt.Errorf("redaction: %w", err))
	}
	return errors.Join(errs...)
}

func (c *PromptInjectionConfig) validate() error {
	if !c.Enabled {
		return nil
	}
	var errs []error
	if !(c.MinScore >= 0 && c.MinScore <= 1) {
		errs = append(errs, fmt.Errorf("prompt_injection::min_score must be 0 to 1, got %v", c.MinScore))
	}
	if c.MaxTexts < 1 || c.MaxTexts > maxTextsPerOne {
		errs = append(errs, fmt.Errorf("prompt_injection::max_texts must be 1 to %d, got %d", maxTextsPerOne, c.MaxTexts))
	}
	if _, err := c.detector(); err != nil {
		errs = append(errs, fmt.Errorf("prompt_injection::%w", err))
	}
	return errors.Join(errs...)
}

func (c *PromptInjectionConfig) detector() (*injection.Detector, error) {
	return injection.New(injection.Options{Threshold: c.Threshold, MaxTextBytes: c.MaxTextBytes})
}

func (c *CacheConfig) validate() error {
	var errs []error
	if c.Entries < 0 || c.Entries > maxCacheSize {
		errs = append(errs, fmt.Errorf("cache::entries must be 0 to %d, got %d", maxCacheSize, c.Entries))
	}
	if c.MaxBytes < 0 || c.MaxBytes > maxCacheBytes {
		errs = append(errs, fmt.Errorf("cache::max_bytes must be 0 to %d, got %d", maxCacheBytes, c.MaxBytes))
	}
	return errors.Join(errs...)
}
