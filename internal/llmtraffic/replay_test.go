package llmtraffic

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/llm-devops/llm-sentinel/internal/genai"
	"github.com/llm-devops/llm-sentinel/internal/llmtraffic/otlptest"
)

func loadSample(t *testing.T, text, name string, o ReplayOptions) *Replay {
	t.Helper()
	var p Replay
	require.NoError(t, p.Load(strings.NewReader(text), name, o))
	return &p
}

func TestReplayKeepsTokensLatencyAndDistances(t *testing.T) {
	p := loadSample(t, vllmSample, "dir/detail_log_x.json", ReplayOptions{})
	p.MoveTo(epoch)
	truth := p.Truth()
	require.Len(t, truth, 3)
	first, last := p.Span()
	assert.Equal(t, epoch, first)
	assert.Equal(t, epoch.Add(3*time.Second), last, "ends at 1003, 1004 and 1006 s stay that far apart")
	assert.Equal(t, "replay-vllm", truth[0].Service)
	assert.EqualValues(t, 4, truth[0].InputTokens)
	assert.EqualValues(t, 40, truth[0].OutputTokens)
	assert.InDelta(t, 2000, *truth[0].LatencyMillis, 1e-9)
	assert.InDelta(t, 500, *truth[0].TTFTMillis, 1e-9)
	assert.Equal(t, "file", truth[0].LatencySource)
	assert.Equal(t, epoch, *truth[0].End)
}

func TestReplayIdsDependOnFileAndRowOnly(t *testing.T) {
	a := loadSample(t, azureSample, "a.csv", ReplayOptions{}).Truth()
	b := loadSample(t, azureSample, "elsewhere/a.csv", ReplayOptions{Seed: 7, Service: "other"}).Truth()
	c := loadSample(t, azureSample, "c.csv", ReplayOptions{}).Truth()
	seen := map[string]bool{}
	for i := range a {
		assert.Equal(t, a[i].EventID, b[i].EventID)
		seen[a[i].EventID], seen[c[i].EventID] = true, true
	}
	assert.Len(t, seen, 4)
}

func TestReplayWithoutLatency(t *testing.T) {
	model := loadSample(t, azureSample, "a.csv", ReplayOptions{}).Truth()
	assert.Equal(t, "model", model[0].LatencySource)
	assert.Positive(t, *model[0].LatencyMillis)
	assert.Equal(t, time.Date(2026, 1, 2, 3, 4, 5, 500_000_000, time.UTC), model[0].Start)

	none := loadSample(t, azureSample, "a.csv", ReplayOptions{Latency: LatencyNone})
	assert.Equal(t, "none", none.Truth()[0].LatencySource)
	assert.Nil(t, none.Truth()[0].LatencyMillis)
	assert.Nil(t, none.Truth()[0].End)
	require.NoError(t, none.CheckOriginal())
	require.Error(t, loadSample(t, mooncakeSample, "m.jsonl", ReplayOptions{}).CheckOriginal())
}

func TestReplayFailedRequest(t *testing.T) {
	p := loadSample(t, llmperfSample, "lepton_70b.json", ReplayOptions{})
	truth := p.Truth()
	assert.Equal(t, "llama-2-70b-chat", truth[0].Model)
	assert.Equal(t, "429", truth[1].ErrorType)
	assert.Nil(t, truth[1].LatencyMillis, "the file says 0, which means not measured")
	b := NewBatch(2)
	var c Call
	for p.Next(&c) {
		b.Add(&c)
	}
	s := b.Take().ResourceSpans().At(0).ScopeSpans().At(0).Spans().At(1)
	assert.Equal(t, ptrace.StatusCodeError, s.Status().Code())
	_, has := s.Attributes().Get("gen_ai.usage.output_tokens")
	assert.False(t, has)
	assert.Zero(t, s.EndTimestamp())
}

func TestReplayRefusals(t *testing.T) {
	var p Replay
	require.ErrorContains(t, p.Load(strings.NewReader(azureSample), "a.csv", ReplayOptions{Profile: "nobody"}), "nobody")
	require.ErrorContains(t, p.Load(strings.NewReader("TIMESTAMP,ContextTokens,GeneratedTokens\n"), "a.csv", ReplayOptions{}), "no rows")
	require.ErrorContains(t, p.Load(strings.NewReader(azureSample), "a.csv", ReplayOptions{MaxRows: 1}), "a.csv:3:")
	require.ErrorContains(t, p.Load(strings.NewReader("x"), "a.csv", ReplayOptions{}), "a.csv: format")
	p = Replay{}
	require.NoError(t, p.Load(strings.NewReader(azureSample), "a.csv", ReplayOptions{}))
	require.ErrorContains(t, p.Load(strings.NewReader(mooncakeSample), "m.jsonl", ReplayOptions{}), "together")
}

// Every request of the public trace arrives exactly once, with the numbers of
// the file.
func TestReplayDeliversTheWholePublicTrace(t *testing.T) {
	path := dataDir(t, "azure-llm-2023", "AzureLLMInferenceTrace_conv.csv")
	f, err := os.Open(path)
	require.NoError(t, err)
	defer func() { _ = f.Close() }()
	var p Replay
	require.NoError(t, p.Load(f, path, ReplayOptions{}))
	p.MoveEndTo(epoch)
	truth := map[string]ReplayTruth{}
	for _, line := range p.Truth() {
		truth[line.EventID] = line
	}
	require.Len(t, truth, 19366)

	r := otlptest.New(t, nil)
	var stats Stats
	require.NoError(t, Run(t.Context(), []Source{&p}, newTestSender(t, ProtocolGRPC, r, nil), RunOptions{SpansPerRequest: 500}, &stats))
	assert.EqualValues(t, 19366, stats.Counts().Accepted)
	n := 0
	var last int64
	r.Spans(func(_ string, s ptrace.Span) {
		n++
		line, ok := truth[genai.NewEventID(s.TraceID(), s.SpanID()).String()]
		require.True(t, ok)
		in, _ := s.Attributes().Get("gen_ai.usage.input_tokens")
		out, _ := s.Attributes().Get("gen_ai.usage.output_tokens")
		require.Equal(t, line.InputTokens, in.Int())
		require.Equal(t, line.OutputTokens, out.Int())
		require.InDelta(t, *line.LatencyMillis, float64(s.EndTimestamp()-s.StartTimestamp())/1e6, 1e-6)
		require.GreaterOrEqual(t, int64(s.EndTimestamp()), last)
		last = int64(s.EndTimestamp())
		delete(truth, line.EventID)
	})
	assert.Equal(t, 19366, n)
	assert.Empty(t, truth)
}
