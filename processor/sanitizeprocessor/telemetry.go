package sanitizeprocessor

import (
	"context"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/llm-devops/llm-sentinel/internal/injection"
	"github.com/llm-devops/llm-sentinel/internal/redact"
	"github.com/llm-devops/llm-sentinel/processor/sanitizeprocessor/internal/metadata"
)

// The caches.
const (
	cacheRedaction = iota
	cacheInjection
	numCaches
)

var cacheNames = [numCaches]string{"redaction", "prompt_injection"}

const numProvenances = int(injection.Retrieval) + 1

// tally counts what happened in one batch; it is recorded at its end.
type tally struct {
	dropped, truncated, unscored int64
	failures                     [numLimits]int64
	points                       map[Action]int64
	hits, misses                 [numCaches]int64
	flagged                      [numProvenances]int64
	// scannedBytes is the text that was read because it was not known.
	scannedBytes int64
	found        bool
	counts       redact.Counts
}

// reset makes the tally zero and keeps its map.
func (t *tally) reset() {
	points := t.points
	clear(points)
	*t = tally{points: points}
}

// telemetry records with attribute sets that are built once.
type telemetry struct {
	builder      *metadata.TelemetryBuilder
	dropped      []metric.AddOption
	flagged      [numProvenances][]metric.AddOption
	hits, misses [numCaches][]metric.AddOption
	found        map[redact.Type][]metric.AddOption
}

func newTelemetry(set component.TelemetrySettings) (*telemetry, error) {
	builder, err := metadata.NewTelemetryBuilder(set)
	if err != nil {
		return nil, err
	}
	t := &telemetry{builder: builder, dropped: labels("reason", "validation_failed"), found: map[redact.Type][]metric.AddOption{}}
	for p := range t.flagged {
		t.flagged[p] = labels("provenance", injection.Provenance(p).String())
	}
	for i, name := range cacheNames {
		t.hits[i] = labels("kind", name)
		t.misses[i] = labels("kind", name)
	}
	for _, typ := range append(redact.Types(), redact.Unscanned) {
		t.found[typ] = labels("type", typ.String())
	}
	return t, nil
}

func labels(pairs ...string) []metric.AddOption {
	kv := make([]attribute.KeyValue, 0, len(pairs)/2)
	for i := 0; i < len(pairs); i += 2 {
		kv = append(kv, attribute.String(pairs[i], pairs[i+1]))
	}
	return []metric.AddOption{metric.WithAttributeSet(attribute.NewSet(kv...))}
}

// observe registers the metrics that are read when they are collected.
func (t *telemetry) observe(s *sanitizer) error {
	redaction, injected := labels("kind", cacheNames[cacheRedaction]), labels("kind", cacheNames[cacheInjection])
	return t.builder.RegisterSanitizeCacheEntriesCallback(func(_ context.Context, o metric.Int64Observer) error {
		o.Observe(int64(s.redactions.len()), observeOptions(redaction)...)
		o.Observe(int64(s.scores.len()), observeOptions(injected)...)
		return nil
	})
}

func observeOptions(add []metric.AddOption) (out []metric.ObserveOption) {
	for _, o := range add {
		out = append(out, o.(metric.ObserveOption))
	}
	return out
}

func (t *telemetry) record(ctx context.Context, s *sanitizer, c *tally) {
	add(ctx, t.builder.EventsDroppedTotal, c.dropped, t.dropped)
	add(ctx, t.builder.TextsTruncatedTotal, c.truncated, nil)
	add(ctx, t.builder.PromptInjectionUnscoredTotal, c.unscored, nil)
	for l, n := range c.failures {
		if n > 0 {
			add(ctx, t.builder.ValidationFailuresTotal, n, labels("limit", limitNames[l], "action", string(s.action(limit(l)))))
		}
	}
	for a, n := range c.points {
		add(ctx, t.builder.ValidationFailuresTotal, n, labels("limit", limitNames[limitNaN], "action", string(a)))
	}
	for i := range numCaches {
		add(ctx, t.builder.SanitizeCacheHitsTotal, c.hits[i], t.hits[i])
		add(ctx, t.builder.SanitizeCacheMissesTotal, c.misses[i], t.misses[i])
	}
	for p, n := range c.flagged {
		add(ctx, t.builder.PromptInjectionFlaggedTotal, n, t.flagged[p])
	}
	if c.found {
		for typ, n := range c.counts.All() {
			add(ctx, t.builder.SensitiveValuesTotal, int64(n), t.found[typ])
		}
	}
}

func add(ctx context.Context, c metric.Int64Counter, n int64, options []metric.AddOption) {
	if n > 0 {
		c.Add(ctx, n, options...)
	}
}
