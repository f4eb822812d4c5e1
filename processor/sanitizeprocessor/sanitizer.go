package sanitizeprocessor

import (
	"context"
	"fmt"
	"hash/maphash"
	"strings"
	"sync"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.uber.org/zap"

	"github.com/llm-devops/llm-sentinel/internal/genai"
	"github.com/llm-devops/llm-sentinel/internal/redact"
)

// sanitizer is what the batches of one pipeline share. It is safe for concurrent
// use.
type sanitizer struct {
	cfg        Config
	logger     *zap.Logger
	tel        *telemetry
	extractor  *genai.Extractor
	resources  *genai.Extractor // reads the tenant, too
	redacting  bool
	extraRules bool
	dryRun     bool
	keys       *keyTable
	tenants    *tenants
	detector   scorer // nil when switched off

	seed       maphash.Seed
	redactions *lru[outcome]
	scores     *lru[verdict]

	passes  sync.Pool
	dropped sync.Once
}

func newSanitizer(set component.TelemetrySettings, cfg *Config) (*sanitizer, error) {
	extractor, err := genai.NewExtractor(genai.Options{MeasuresOnly: true})
	if err != nil {
		return nil, fmt.Errorf("build the extractor: %w", err)
	}
	resources, err := genai.NewExtractor(genai.Options{})
	if err != nil {
		return nil, fmt.Errorf("build the extractor of resources: %w", err)
	}
	s := &sanitizer{
		cfg: *cfg, logger: set.Logger, extractor: extractor, resources: resources, dryRun: cfg.DryRun,
		redacting: cfg.Redaction.Enabled, extraRules: cfg.Redaction.ExtraRules != "",
		keys: newKeyTable(cfg.Redaction.Allow.Keys), seed: maphash.MakeSeed(),
		redactions: newLRU(cfg.Cache.Entries, cfg.Cache.MaxBytes, outcome.size),
		scores:     newLRU(cfg.Cache.Entries, cfg.Cache.MaxBytes, func(v verdict) int { return v.size() }),
	}
	if s.tenants, err = cfg.tenants(s.seed); err != nil {
		return nil, fmt.Errorf("build the redactor: %w", err)
	}
	if cfg.PromptInjection.Enabled {
		if s.detector, err = cfg.PromptInjection.detector(); err != nil {
			return nil, fmt.Errorf("build the detector of prompt injection: %w", err)
		}
	}
	if s.tel, err = newTelemetry(set); err != nil {
		return nil, err
	}
	s.passes.New = func() any {
		p := &pass{sanitizer: s}
		p.tally.points = map[Action]int64{}
		return p
	}
	return s, s.tel.observe(s)
}

func (s *sanitizer) acquire() *pass { return s.passes.Get().(*pass) }

// release records what happened in a batch. No telemetry is kept alive.
func (s *sanitizer) release(ctx context.Context, p *pass) {
	s.tel.record(ctx, s, &p.tally)
	if p.tally.dropped > 0 {
		s.dropped.Do(func() {
			s.logger.Warn("items break a limit and are dropped; this is logged once, see sentinel_events_dropped_total and sentinel_validation_failures_total",
				zap.Int64("dropped", p.tally.dropped), zap.Strings("limits", p.tally.broken()))
		})
	}
	p.tally.reset()
	p.event = genai.Event{}
	p.tenant = tenant{}
	s.passes.Put(p)
}

// broken names the limits that items of the batch broke.
func (t *tally) broken() (names []string) {
	for l, n := range t.failures {
		if n > 0 {
			names = append(names, limitNames[l])
		}
	}
	if t.points[ActionDrop] > 0 && t.failures[limitNaN] == 0 {
		names = append(names, limitNames[limitNaN])
	}
	return names
}

func (s *sanitizer) shutdown(context.Context) error {
	s.tel.builder.Shutdown()
	return nil
}

// maxTenants is how many redactors of tenants are kept; others are made anew.
const maxTenants = 1024

// tenants gives each tenant a redactor, whose pseudonyms are its own.
type tenants struct {
	base   *redact.Redactor
	scoped bool
	seed   maphash.Seed
	mu     sync.RWMutex
	known  map[string]tenant
}

// tenants builds the redactor. In a dry run it only counts.
func (c *Config) tenants(seed maphash.Seed) (*tenants, error) {
	scanner, err := c.Redaction.scanner()
	if err != nil {
		return nil, err
	}
	actions, err := c.Redaction.actions()
	if err != nil {
		return nil, err
	}
	t := &tenants{seed: seed, known: map[string]tenant{}}
	for _, a := range actions {
		t.scoped = t.scoped || a == redact.HMAC
	}
	if c.DryRun {
		actions = map[string]redact.Action{"all": redact.TagOnly}
	}
	t.base, err = redact.NewRedactor(scanner, actions, []byte(c.Redaction.HMACKey), "")
	return t, err
}

// ofItem is the tenant that an item names, which goes before that of its resource.
func (t *tenants) ofItem(attrs pcommon.Map, resource string) tenant {
	if t.scoped {
		if v, ok := attrs.Get(genai.AttrTenantID); ok && v.Str() != "" {
			resource = v.Str()
		}
	}
	return t.of(resource)
}

func (t *tenants) of(name string) tenant {
	if !t.scoped {
		return tenant{redactor: t.base}
	}
	t.mu.RLock()
	known, ok := t.known[name]
	t.mu.RUnlock()
	if ok {
		return known
	}
	name = strings.Clone(name)
	made := tenant{redactor: t.base.WithScope(name), scope: uint32(maphash.String(t.seed, name))}
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.known) < maxTenants {
		t.known[name] = made
	}
	return made
}

func (c *RedactionConfig) scanner() (*redact.Scanner, error) {
	return redact.NewScanner(redact.Options{
		Types: c.Types, Disable: c.Disable, Bare: c.Bare, ExtraRules: c.ExtraRules,
		AllowValues: c.Allow.Values, AllowPatterns: c.Allow.Patterns,
	})
}

// actionTag is the name of redact.TagOnly in this configuration.
const actionTag = "tag"

// actions are those of all types, the default under "all".
func (c *RedactionConfig) actions() (map[string]redact.Action, error) {
	out := make(map[string]redact.Action, len(c.Actions)+1)
	parse := func(field, name string) (redact.Action, error) {
		if name == actionTag {
			return redact.TagOnly, nil
		}
		a, err := redact.ParseAction(name)
		if err != nil || a == redact.TagOnly {
			return 0, fmt.Errorf("redaction::%s must be one of [mask hmac partial drop_attribute tag], got %q", field, name)
		}
		return a, nil
	}
	var err error
	for name, action := range c.Actions {
		if _, known := redact.ParseType(name); !known && name != "pii" && name != "secret" && name != "all" {
			return nil, fmt.Errorf("redaction::actions: %q is no type and no group (pii, secret, all)", name)
		}
		if out[name], err = parse("actions::"+name, action); err != nil {
			return nil, err
		}
	}
	if _, set := out["all"]; !set {
		if out["all"], err = parse("action", c.Action); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// attributeOf is the attribute that counts the values of each type.
var attributeOf = func() (names [256]string) {
	for _, t := range append(redact.Types(), redact.Unscanned) {
		if kind, secret := strings.CutPrefix(t.String(), "secret."); secret {
			names[t] = genai.AttrPrefixSanitizeSecret + kind
		} else {
			names[t] = genai.AttrPrefixSanitizePII + kind
		}
	}
	return names
}()
