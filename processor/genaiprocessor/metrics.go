package genaiprocessor

import (
	"context"
	"hash/maphash"
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.uber.org/zap"

	"github.com/llm-devops/llm-sentinel/internal/genai"
	"github.com/llm-devops/llm-sentinel/internal/genai/ledger"
)

// serverMetrics begin the names of metrics of servers and gateways. Their calls
// are also told by the applications that make them, under other service names.
var serverMetrics = []string{"gen_ai.server.", "gen_ai_server_", "vllm:", "vllm_", "litellm_"}

// inferenceDurations are the histograms whose observations are calls.
var inferenceDurations = []string{
	"gen_ai.client.operation.duration", "gen_ai.client.inference.duration",
	"gen_ai_client_operation_duration", "gen_ai_client_inference_duration",
}

// inferenceOperations are operations that are calls; "" is one that is not told.
var inferenceOperations = []string{
	"", genai.OperationChat, genai.OperationTextCompletion, genai.OperationGenerateContent, genai.OperationEmbeddings,
}

var tokenKinds = map[genai.MeasureKind]ledger.TokenType{
	genai.MeasureInputTokens: ledger.Input, genai.MeasureOutputTokens: ledger.Output,
	genai.MeasureCacheReadTokens: ledger.CacheRead, genai.MeasureCacheWriteTokens: ledger.CacheWrite,
	genai.MeasureReasoningTokens: ledger.Reasoning,
}

// processMetrics counts calls and tokens that clients report as metrics, for
// services of which the ledger sees neither spans nor logs.
func (e *engine) processMetrics(ctx context.Context, md pmetric.Metrics) (pmetric.Metrics, error) {
	now := e.now()
	var counted, dropped int64
	for _, rm := range md.ResourceMetrics().All() {
		var resource genai.Resource
		known := false
		for _, sm := range rm.ScopeMetrics().All() {
			for _, m := range sm.Metrics().All() {
				if e.extractor.MetricKind(m) == genai.MeasureNone || hasPrefix(m.Name(), serverMetrics) {
					continue
				}
				if !known {
					resource, known = e.extractor.Resource(rm.Resource()), true
				}
				// Points of a metric that look alike here differ in attributes that do
				// not matter; they are added up before a difference is taken.
				sums := map[seriesKey]*point{}
				from := e.series.hash(rm.Resource())
				for measure := range e.extractor.FromMetric(&resource, sm.Scope(), m) {
					n, ok := amount(m.Name(), &measure)
					if !ok {
						continue
					}
					k := seriesKey{
						from: from, metric: m.Name(), service: measure.Service, model: measure.Model, kind: measure.Kind,
						failed: measure.ErrorType != "", cumulative: measure.Cumulative,
					}
					p := sums[k]
					if p == nil {
						p = &point{start: measure.Start}
						sums[k] = p
					}
					p.value += n
					p.points++
					p.start = min(p.start, measure.Start)
				}
				for k, p := range sums {
					n, ok := p.value, true
					if k.cumulative {
						n, ok = e.series.difference(&k, p, now)
					}
					switch {
					case !ok:
						dropped += p.points
					case n > 0 && e.ledger.AddMeasured(measured(&k, n), now):
						counted += p.points
					}
				}
			}
		}
	}
	if counted > 0 {
		e.telemetry.builder.MetricPointsCountedTotal.Add(ctx, counted)
	}
	if dropped > 0 {
		e.telemetry.builder.MetricSeriesDroppedTotal.Add(ctx, dropped)
		if !e.series.warned.Swap(true) {
			e.logger.Warn("too many series of metrics are followed, the rest is not counted (counted, logged once)",
				zap.Int("ledger::max_metric_series", e.config.Ledger.MaxMetricSeries))
		}
	}
	return md, nil
}

// amount is what a point counts: tokens, or calls.
func amount(name string, m *genai.Measure) (int64, bool) {
	if m.Problem != 0 || m.Gauge {
		return 0, false
	}
	if _, tokens := tokenKinds[m.Kind]; tokens {
		return int64(m.Value), m.Value >= 0 && m.Value < 1e15
	}
	if m.Kind != genai.MeasureDuration || !contains(inferenceDurations, strings.TrimSuffix(name, "_seconds")) || !contains(inferenceOperations, m.Operation) {
		return 0, false
	}
	return int64(min(m.Count, 1e15)), true
}

func measured(k *seriesKey, n int64) *ledger.Measured {
	m := &ledger.Measured{Service: k.service, Model: k.model}
	if t, tokens := tokenKinds[k.kind]; tokens {
		m.Usage.Set(t, n)
		return m
	}
	m.Calls = n
	if k.failed {
		m.Failed = n
	}
	return m
}

func hasPrefix(s string, list []string) bool {
	for _, p := range list {
		if strings.HasPrefix(s, p) {
			return true
		}
	}
	return false
}

func contains(list []string, s string) bool {
	for _, l := range list {
		if l == s {
			return true
		}
	}
	return false
}

// hash tells resources apart, whatever the order of their attributes.
func (s *series) hash(r pcommon.Resource) (sum uint64) {
	for k, v := range r.Attributes().All() {
		var h maphash.Hash
		h.SetSeed(s.seed)
		_, _ = h.WriteString(k)
		_ = h.WriteByte(0)
		_, _ = h.WriteString(v.AsString())
		sum += h.Sum64()
	}
	return sum
}
