package e2e

import (
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/processor/processortest"

	"github.com/llm-devops/llm-sentinel/internal/anomaly"
	"github.com/llm-devops/llm-sentinel/internal/llmtraffic"
	"github.com/llm-devops/llm-sentinel/processor/anomalyprocessor"
)

// judge runs the traffic through an anomaly processor with its defaults.
func judge(t *testing.T, o llmtraffic.Options) (found []anomaly.Anomaly, calls int) {
	t.Helper()
	f := anomalyprocessor.NewFactory()
	sink := new(consumertest.TracesSink)
	p, err := f.CreateTraces(t.Context(), processortest.NewNopSettings(f.Type()), f.CreateDefaultConfig(), sink)
	require.NoError(t, err)
	require.NoError(t, p.Start(t.Context(), componenttest.NewNopHost()))
	each(t, o, 200, func(td ptrace.Traces, batch []sent) {
		calls += len(batch)
		require.NoError(t, p.ConsumeTraces(t.Context(), td))
		for _, out := range sink.AllTraces() {
			for _, rs := range out.ResourceSpans().All() {
				for _, ss := range rs.ScopeSpans().All() {
					for _, span := range ss.Spans().All() {
						for a, err := range anomaly.FromSpan(span) {
							require.NoError(t, err)
							found = append(found, a)
						}
					}
				}
			}
		}
		sink.Reset()
	})
	require.NoError(t, p.Shutdown(t.Context()))
	return found, calls
}

// The defaults keep quiet on clean traffic and find every incident of the four
// kinds that have a detector, whatever the seed.
func TestDefaultsOnSeededTraffic(t *testing.T) {
	seeds := 6
	if s, err := strconv.Atoi(os.Getenv("SENTINEL_SEEDS")); err == nil {
		seeds = s
	}
	kinds := []llmtraffic.Kind{llmtraffic.KindLatencySpike, llmtraffic.KindLatencyShift, llmtraffic.KindTokenSurge, llmtraffic.KindCostSurge}
	total, false_ := 0, 0
	for seed := range seeds {
		o := traffic(t, 2*time.Hour, 5, kinds...)
		o.Seed = uint64(seed) + 1
		found, calls := judge(t, o)
		total += calls
		assertIncidentsFound(t, &o, found)
		for i := range found {
			if found[i].Time.Before(o.Incidents[0].Start) {
				false_++
				a := &found[i]
				t.Logf("seed %d: false alarm %s %s/%s %s value %.4g expected %.4g limit %.4g sigma %.1f score %.3f by %v", o.Seed, a.Severity, a.Service, a.Model,
					a.Details.Metric, a.Details.Value, a.Details.Baseline, a.Details.Threshold, a.Details.DeviationSigma, a.Details.Additional["score"], a.Details.Methods)
			}
		}
	}
	t.Logf("%d seeds, %d calls, %d false alarms before the first incident", seeds, total, false_)
	assert.Zero(t, false_)
}
