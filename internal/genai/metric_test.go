package genai

import (
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.yaml.in/yaml/v3"
)

// counter is a cumulative sum of one point.
func counter(tb testing.TB, name string, value float64, a attrs) pmetric.Metric {
	tb.Helper()
	m := pmetric.NewMetric()
	m.SetName(name)
	sum := m.SetEmptySum()
	sum.SetIsMonotonic(true)
	sum.SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
	p := sum.DataPoints().AppendEmpty()
	p.SetDoubleValue(value)
	p.SetStartTimestamp(testStart)
	p.SetTimestamp(testStart + 10)
	require.NoError(tb, p.Attributes().FromRaw(a))
	return m
}

func gauge(name string, value int64) pmetric.Metric {
	m := pmetric.NewMetric()
	m.SetName(name)
	p := m.SetEmptyGauge().DataPoints().AppendEmpty()
	p.SetIntValue(value)
	p.SetTimestamp(testStart)
	return m
}

func histogram(tb testing.TB, name, unit string, count uint64, sum float64, a attrs) pmetric.Metric {
	tb.Helper()
	m := pmetric.NewMetric()
	m.SetName(name)
	m.SetUnit(unit)
	h := m.SetEmptyHistogram()
	h.SetAggregationTemporality(pmetric.AggregationTemporalityDelta)
	p := h.DataPoints().AppendEmpty()
	p.SetTimestamp(testStart)
	p.SetCount(count)
	p.SetSum(sum)
	require.NoError(tb, p.Attributes().FromRaw(a))
	return m
}

// sampleMetrics has one metric of each type.
func sampleMetrics(tb testing.TB) []pmetric.Metric {
	tb.Helper()
	exponential, summary := pmetric.NewMetric(), pmetric.NewMetric()
	exponential.SetName("gen_ai.client.inference.duration")
	exponential.SetEmptyExponentialHistogram().SetAggregationTemporality(pmetric.AggregationTemporalityDelta)
	e := exponential.ExponentialHistogram().DataPoints().AppendEmpty()
	e.SetTimestamp(testStart)
	e.SetCount(2)
	e.SetSum(3)
	summary.SetName("litellm_request_total_latency_metric")
	s := summary.SetEmptySummary().DataPoints().AppendEmpty()
	s.SetTimestamp(testStart)
	s.SetCount(4)
	s.SetSum(5)
	return []pmetric.Metric{
		counter(tb, "claude_code.token.usage", 30, attrs{"type": "cacheRead", "model": "claude-opus-4-6"}),
		gauge("vllm:num_requests_waiting", 3),
		histogram(tb, "gen_ai.client.token.usage", "{token}", 2, 54, attrs{"gen_ai.token.type": "input", "gen_ai.system": "az.ai.openai"}),
		exponential, summary,
	}
}

func measures(tb testing.TB, m pmetric.Metric) []Measure {
	tb.Helper()
	return slices.Collect(newTestExtractor(tb, Options{}).FromMetric(&Resource{Service: "chat-api"}, pcommon.NewInstrumentationScope(), m))
}

func TestMetricsOfEmittersAreMeasures(t *testing.T) {
	const svc = "chat-api"
	list := sampleMetrics(t)
	for name, tc := range map[string]struct {
		metric pmetric.Metric
		want   Measure
	}{
		"sum": {list[0], Measure{
			Kind: MeasureCacheReadTokens, Service: svc, Model: "claude-opus-4-6", TokenType: "cacheRead", Value: 30,
			Start: testStart, Time: testStart + 10, Cumulative: true,
		}},
		"gauge": {list[1], Measure{Kind: MeasureWaiting, Service: svc, Value: 3, Time: testStart, Gauge: true}},
		"histogram": {list[2], Measure{
			Kind: MeasureInputTokens, Service: svc, Provider: "azure.ai.openai", TokenType: "input", Value: 54, Count: 2, Time: testStart,
		}},
		"exponential histogram": {list[3], Measure{Kind: MeasureDuration, Service: svc, Value: 3, Count: 2, Time: testStart}},
		"summary":               {list[4], Measure{Kind: MeasureDuration, Service: svc, Value: 5, Count: 4, Time: testStart, Cumulative: true}},
		"vLLM, as Prometheus names it": {counter(t, "vllm:generation_tokens_total", 7, attrs{"model_name": "llama", "engine": "0"}), Measure{
			Kind: MeasureOutputTokens, Service: svc, Model: "llama", Value: 7, Start: testStart, Time: testStart + 10, Cumulative: true,
		}},
		"LiteLLM": {counter(t, "litellm_spend_metric", 0.5, attrs{"model": "gpt-4o", "api_provider": "azure", "end_user": "u"}), Measure{
			Kind: MeasureCost, Service: svc, Provider: "azure.ai.openai", Model: "gpt-4o", User: "u", Value: 0.5,
			Start: testStart, Time: testStart + 10, Cumulative: true,
		}},
		"Codex": {counter(t, "codex.turn.token_usage", 4, attrs{"token_type": "reasoning_output"}), Measure{
			Kind: MeasureReasoningTokens, Service: svc, TokenType: "reasoning_output", Value: 4, Start: testStart, Time: testStart + 10, Cumulative: true,
		}},
		"Gemini CLI": {counter(t, "gemini_cli.token.usage", 4, attrs{"type": "thought", "session.id": "s"}), Measure{
			Kind: MeasureReasoningTokens, Service: svc, TokenType: "thought", Conversation: "s", Value: 4, Start: testStart, Time: testStart + 10, Cumulative: true,
		}},
		"a type of token that is not known": {counter(t, "gemini_cli.token.usage", 4, attrs{"type": "video"}), Measure{
			Kind: MeasureNone, Service: svc, TokenType: "video", Value: 4, Start: testStart, Time: testStart + 10, Cumulative: true,
		}},
		"milliseconds": {histogram(t, "semantic_kernel.function.invocation.duration", "ms", 1, 2500, nil), Measure{
			Kind: MeasureDuration, Service: svc, Value: 2.5, Count: 1, Time: testStart,
		}},
		"failed calls": {histogram(t, "gen_ai.client.operation.duration", "s", 2, 1, attrs{
			"error.type": 429, "gen_ai.operation.name": "chat", "gen_ai.request.model": "asked", "gen_ai.response.model": "answered",
		}), Measure{Kind: MeasureDuration, Service: svc, Operation: "chat", Model: "answered", ErrorType: "429", Value: 1, Count: 2, Time: testStart}},
		"runs of an agent": {histogram(t, "gen_ai.invoke_agent.tool_calls", "{call}", 2, 40, attrs{"gen_ai.operation.name": "x"}), Measure{
			Kind: MeasureToolCalls, Service: svc, Operation: OperationInvokeAgent, Value: 40, Count: 2, Time: testStart,
		}},
		"not a provider": {counter(t, "gen_ai.usage.cost", 1, attrs{"gen_ai.provider.name": "langchain", "gen_ai.system": "openai"}), Measure{
			Kind: MeasureCost, Service: svc, Provider: "openai", Value: 1, Start: testStart, Time: testStart + 10, Cumulative: true,
		}},
		"NaN":          {counter(t, "gen_ai.usage.cost", math.NaN(), nil), Measure{Kind: MeasureCost, Service: svc, Start: testStart, Time: testStart + 10, Cumulative: true, Problem: NotANumber}},
		"below zero":   {counter(t, "gen_ai.usage.cost", -1, nil), Measure{Kind: MeasureCost, Service: svc, Start: testStart, Time: testStart + 10, Cumulative: true, Problem: NegativeCost}},
		"above belief": {counter(t, "vllm:prompt_tokens", 1e17, nil), Measure{Kind: MeasureInputTokens, Service: svc, Start: testStart, Time: testStart + 10, Cumulative: true, Problem: AbsurdTokens}},
	} {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, []Measure{tc.want}, measures(t, tc.metric))
		})
	}
}

func TestEveryMetricOfTheTableIsRead(t *testing.T) {
	for _, r := range standardMetrics {
		m := gauge(r.name, 1)
		got := measures(t, m)
		require.Len(t, got, 1, r.name)
		assert.Equal(t, r.kind, got[0].Kind)
		assert.Equal(t, r.kind, newTestExtractor(t, Options{}).MetricKind(m))
		assert.NotEqual(t, "unknown", r.kind.String())
	}
	for kind, spellings := range tokenTypes {
		for _, s := range spellings {
			assert.Equal(t, MeasureKind(kind), measures(t, counter(t, "gen_ai.client.token.usage", 1, attrs{"gen_ai.token.type": s}))[0].Kind, s)
		}
	}
	assert.Equal(t, "unknown", measureKinds.String())
}

func TestOtherMetricsAreNoMeasures(t *testing.T) {
	for _, name := range []string{"http.server.request.duration", "_total", "vllm:prompt", "gen_ai.client.token.usage.other"} {
		assert.Empty(t, measures(t, gauge(name, 1)), name)
		assert.Equal(t, MeasureNone, newTestExtractor(t, Options{}).MetricKind(gauge(name, 1)), name)
	}
	assert.Empty(t, measures(t, func() pmetric.Metric {
		m := pmetric.NewMetric()
		m.SetName("gen_ai.usage.cost")
		return m
	}()), "without points")
}

func TestPointsOfAMetric(t *testing.T) {
	m := gauge("vllm:num_requests_running", 1)
	stale := m.Gauge().DataPoints().AppendEmpty()
	stale.SetFlags(pmetric.DefaultDataPointFlags.WithNoRecordedValue(true))
	m.Gauge().DataPoints().AppendEmpty().SetTimestamp(1)
	m.Gauge().DataPoints().AppendEmpty()
	got := measures(t, m)
	require.Len(t, got, 3, "a point without a value is left out")
	assert.Zero(t, got[0].Problem)
	assert.Equal(t, TimeOutOfRange, got[1].Problem)
	assert.Equal(t, MissingEnd, got[2].Problem)

	x := newTestExtractor(t, Options{})
	for first := range x.FromMetric(nil, pcommon.NewInstrumentationScope(), m) {
		assert.Equal(t, UnknownService, first.Service)
		break // must not go on
	}

	upDown := counter(t, "vllm:num_requests_running", 2, nil)
	upDown.Sum().SetIsMonotonic(false)
	got = measures(t, upDown)
	assert.True(t, got[0].Gauge)
	assert.False(t, got[0].Cumulative)
}

func TestErrorsInMetricRulesAreNamed(t *testing.T) {
	for _, rules := range [][]metricRule{
		{{kind: MeasureCost}},
		{{name: "m"}},
		{{name: "m", kind: MeasureCost}, {name: "m", kind: MeasureTTFT}},
	} {
		_, err := newExtractor(&table{metrics: rules}, Options{})
		require.ErrorContains(t, err, "needs a kind and a name of its own")
	}
}

// The catalogue lists the metrics by what they measure.
func TestMetricsFollowTheAttributeCatalogue(t *testing.T) {
	raw, err := os.ReadFile(filepath.Join(sharedData(t), "..", "reference", "genai-attributes.yaml"))
	if err != nil {
		t.Skipf("SKIPPED, attribute catalogue missing: %v", err)
	}
	var catalogue struct {
		Metrics map[string][]string `yaml:"metrics"`
	}
	require.NoError(t, yaml.Unmarshal(raw, &catalogue))
	kinds := map[string][]MeasureKind{
		"tokens":                {MeasureInputTokens, MeasureOutputTokens, MeasureTotalTokens, MeasureCacheReadTokens, MeasureCacheWriteTokens, MeasureReasoningTokens},
		"duration":              {MeasureDuration},
		"ttft":                  {MeasureTTFT},
		"time_per_output_token": {MeasureTPOT},
		"cost":                  {MeasureCost},
		"saturation":            {MeasureWaiting, MeasureRunning, MeasureCacheUsage, MeasurePreemptions, MeasureQueueTime, MeasureDeploymentState, MeasureCooldowns},
		"agent":                 {MeasureInferenceCalls, MeasureToolCalls},
	}
	n := 0
	x := newTestExtractor(t, Options{})
	for group, names := range catalogue.Metrics {
		require.Contains(t, kinds, group)
		for _, name := range names {
			n++
			assert.Contains(t, kinds[group], x.MetricKind(gauge(name, 1)), name)
		}
	}
	assert.Greater(t, n, 50, "the catalogue was not understood")
}
