package genaiprocessor

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/llm-devops/llm-sentinel/internal/genai"
)

// tokenSum is a message with one counter of input tokens for each service.
func tokenSum(start, at time.Time, value int64, services ...string) pmetric.Metrics {
	md := pmetric.NewMetrics()
	for _, s := range services {
		rm := md.ResourceMetrics().AppendEmpty()
		rm.Resource().Attributes().PutStr(genai.AttrServiceName, s)
		m := rm.ScopeMetrics().AppendEmpty().Metrics().AppendEmpty()
		m.SetName("gen_ai.client.inference.usage.input_tokens")
		sum := m.SetEmptySum()
		sum.SetIsMonotonic(true)
		sum.SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
		p := sum.DataPoints().AppendEmpty()
		p.SetStartTimestamp(pcommon.NewTimestampFromTime(start))
		p.SetTimestamp(pcommon.NewTimestampFromTime(at))
		p.SetIntValue(value)
		p.Attributes().PutStr(genai.AttrRequestModel, "gpt-4o")
	}
	return md
}

func (r *rig) sendMetrics(md pmetric.Metrics) {
	r.t.Helper()
	require.NoError(r.t, r.metrics.ConsumeMetrics(context.Background(), md))
}

func (r *rig) inputTokens() int64 {
	return int64(r.value("sentinel_llm_tokens_total", "token_type", "input"))
}

func TestCumulativeCountersAddTheirDifferences(t *testing.T) {
	r := newRig(t, nil)
	born := epoch.Add(time.Second)
	for i, total := range []int64{100, 100, 250} {
		r.sendMetrics(tokenSum(born, epoch.Add(time.Duration(i)*time.Minute), total, "a"))
	}
	assert.EqualValues(t, 250, r.inputTokens())
	r.sendMetrics(tokenSum(born.Add(time.Hour), epoch.Add(time.Hour), 40, "a"))
	assert.EqualValues(t, 290, r.inputTokens(), "it began anew")
}

func TestWhatACounterHeldBeforeTheStartIsNotCounted(t *testing.T) {
	r := newRig(t, nil)
	r.sendMetrics(tokenSum(epoch.Add(-time.Hour), epoch, 1000, "a"))
	assert.Zero(t, r.inputTokens())
	r.sendMetrics(tokenSum(epoch.Add(-time.Hour), epoch.Add(time.Minute), 1007, "a"))
	assert.EqualValues(t, 7, r.inputTokens())
}

func TestMetricsOfAServiceWithSpansDoNotCount(t *testing.T) {
	r := newRig(t, nil)
	born := epoch.Add(time.Second)
	r.sendMetrics(tokenSum(born, born, 100, "chat-api"))
	r.send(trace(spec{id: 1, attrs: chat(30, 12)}))
	r.sendMetrics(tokenSum(born, born.Add(time.Minute), 130, "chat-api"))
	assert.EqualValues(t, 30, r.inputTokens()-int64(r.value("sentinel_llm_tokens_removed_total", "token_type", "input")))
	assert.EqualValues(t, 1, r.value("sentinel_ledger_corrections_total"))
}

func TestSeriesAreBoundedAndWhatIsDroppedIsCountedAndToldOnce(t *testing.T) {
	r := newRig(t, func(c *Config) { c.Ledger.MaxMetricSeries = 2 })
	born := epoch.Add(time.Second)
	r.sendMetrics(tokenSum(born, born, 10, "a", "b", "c", "d"))
	assert.EqualValues(t, 20, r.inputTokens())
	assert.EqualValues(t, 2, r.value("sentinel_metric_series_dropped_total"))
	r.sendMetrics(tokenSum(born, born, 10, "e"))
	assert.Equal(t, 1, r.logged.Len())

	r.now = r.now.Add(time.Hour) // the old ones have ended
	r.sendMetrics(tokenSum(born, born, 10, "f"))
	assert.EqualValues(t, 30, r.inputTokens())
}

func TestMetricsOfServersTellOfCallsThatOthersMake(t *testing.T) {
	r := newRig(t, nil)
	md := tokenSum(epoch.Add(time.Second), epoch, 100, "vllm")
	m := md.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().At(0)
	m.SetName("vllm:prompt_tokens_total")
	r.sendMetrics(md)
	assert.Zero(t, r.inputTokens())
	assert.Equal(t, 1, r.outM.DataPointCount(), "they pass")
}
