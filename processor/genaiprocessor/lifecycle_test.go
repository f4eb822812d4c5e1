package genaiprocessor

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/processor"
	"go.opentelemetry.io/collector/processor/processortest"

	"github.com/llm-devops/llm-sentinel/internal/genai"
	"github.com/llm-devops/llm-sentinel/processor/genaiprocessor/internal/metadata"
)

func TestSpansAndLogsAreChangedAndMetricsAreNot(t *testing.T) {
	r := newRig(t, nil)
	assert.True(t, r.traces.Capabilities().MutatesData)
	assert.True(t, r.logs.Capabilities().MutatesData)
	assert.False(t, r.metrics.Capabilities().MutatesData)
}

// The collector builds an instance for each pipeline; they share one ledger,
// which lives until the last of them stops.
func TestPipelinesShareTheLedger(t *testing.T) {
	f := NewFactory()
	cfg := f.CreateDefaultConfig().(*Config)
	set := processortest.NewNopSettings(metadata.Type)
	var sinks [2]consumertest.TracesSink
	var procs [2]processor.Traces
	for i := range procs {
		var err error
		procs[i], err = f.CreateTraces(context.Background(), set, cfg, &sinks[i])
		require.NoError(t, err)
		require.NoError(t, procs[i].Start(context.Background(), componenttest.NewNopHost()))
	}
	require.NoError(t, procs[0].ConsumeTraces(context.Background(), trace(spec{id: 1, attrs: chat(30, 12, genai.AttrResponseID, "response-1")})))
	require.NoError(t, procs[0].Shutdown(context.Background()))
	require.NoError(t, procs[0].Shutdown(context.Background()), "twice is safe")
	require.NoError(t, procs[1].ConsumeTraces(context.Background(), trace(spec{id: 2, attrs: chat(30, 12, genai.AttrResponseID, "response-1")})))
	assert.Equal(t, "response_id", text(spansOf(sinks[1].AllTraces()[0])[0].Attributes(), genai.AttrCallDuplicate))
	require.NoError(t, procs[1].Shutdown(context.Background()))
}

func TestAnInstanceThatWasNeverStartedCanBeStopped(t *testing.T) {
	f := NewFactory()
	p, err := f.CreateMetrics(context.Background(), processortest.NewNopSettings(metadata.Type), f.CreateDefaultConfig(), consumertest.NewNop())
	require.NoError(t, err)
	require.NoError(t, p.Shutdown(context.Background()))
}
