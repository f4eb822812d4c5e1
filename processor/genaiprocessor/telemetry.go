package genaiprocessor

import (
	"context"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/llm-devops/llm-sentinel/internal/genai"
	"github.com/llm-devops/llm-sentinel/internal/genai/ledger"
	"github.com/llm-devops/llm-sentinel/processor/genaiprocessor/internal/metadata"
)

// telemetry records with attribute sets that are built once.
type telemetry struct {
	builder    *metadata.TelemetryBuilder
	duplicates [ledger.Reasons][]metric.AddOption
	problems   [32][]metric.AddOption
}

func newTelemetry(set component.TelemetrySettings) (*telemetry, error) {
	builder, err := metadata.NewTelemetryBuilder(set)
	if err != nil {
		return nil, err
	}
	t := &telemetry{builder: builder}
	for r := ledger.Counted + 1; r < ledger.Reasons; r++ {
		t.duplicates[r] = []metric.AddOption{label("reason", r.String())}
	}
	for p := range genai.AllProblems.All() {
		t.problems[p.Index()] = []metric.AddOption{label("reason", p.String())}
	}
	return t, nil
}

func label(key, value string) metric.MeasurementOption {
	return metric.WithAttributeSet(attribute.NewSet(attribute.String(key, value)))
}

// observe registers the metrics that are read off the ledger.
func (t *telemetry) observe(l *ledger.Ledger) error {
	single := func(value func(*ledger.Stats) int64) metric.Int64Callback {
		return func(_ context.Context, o metric.Int64Observer) error {
			s := l.Stats()
			o.Observe(value(&s))
			return nil
		}
	}
	ok, failed := label("outcome", "ok"), label("outcome", "failed")
	calls := func(of func(*ledger.Stats) *ledger.Total) metric.Int64Callback {
		return func(_ context.Context, o metric.Int64Observer) error {
			s := l.Stats()
			sum := of(&s)
			o.Observe(sum.Calls-sum.Failed, ok)
			o.Observe(sum.Failed, failed)
			return nil
		}
	}
	var types [ledger.TokenTypes]metric.MeasurementOption
	for k := range types {
		types[k] = label("token_type", ledger.TokenType(k).String())
	}
	tokens := func(of func(*ledger.Stats) *ledger.Total) metric.Int64Callback {
		return func(_ context.Context, o metric.Int64Observer) error {
			s := l.Stats()
			for k, n := range of(&s).Tokens {
				o.Observe(n, types[k])
			}
			return nil
		}
	}
	added := func(s *ledger.Stats) *ledger.Total { return &s.Added }
	removed := func(s *ledger.Stats) *ledger.Total { return &s.Removed }
	for _, r := range [...]struct {
		register func(metric.Int64Callback) error
		callback metric.Int64Callback
	}{
		{t.builder.RegisterLedgerCorrectionsTotalCallback, single(func(s *ledger.Stats) int64 { return s.Corrections })},
		{t.builder.RegisterLedgerEntriesCallback, single(func(s *ledger.Stats) int64 { return s.Entries })},
		{t.builder.RegisterLedgerEvictedTotalCallback, single(func(s *ledger.Stats) int64 { return s.Evicted })},
		{t.builder.RegisterLlmCallsTotalCallback, calls(added)},
		{t.builder.RegisterLlmCallsRemovedTotalCallback, calls(removed)},
		{t.builder.RegisterLlmTokensTotalCallback, tokens(added)},
		{t.builder.RegisterLlmTokensRemovedTotalCallback, tokens(removed)},
	} {
		if err := r.register(r.callback); err != nil {
			return err
		}
	}
	return nil
}
