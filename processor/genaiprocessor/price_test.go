package genaiprocessor

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/llm-devops/llm-sentinel/internal/anomaly"
	"github.com/llm-devops/llm-sentinel/internal/genai"
	"github.com/llm-devops/llm-sentinel/internal/price"
)

// withRule prices gpt-4o at 2 dollars a million input and 10 dollars a million
// output tokens, half for what was cached.
func withRule(c *Config) {
	c.Prices.Rules = []price.Rule{{
		Provider: "openai", Model: "gpt-4o", Prices: map[string]float64{"input_mtok": 2, "cache_read_mtok": 1, "output_mtok": 10},
	}}
}

func findings(t *testing.T, s ptrace.Span) (out []anomaly.Anomaly) {
	t.Helper()
	for a, err := range anomaly.FromSpan(s) {
		require.NoError(t, err)
		out = append(out, a)
	}
	return out
}

func TestACallIsPricedByItsDisjointBuckets(t *testing.T) {
	r := newRig(t, withRule)
	out := r.send(trace(spec{id: 1, attrs: chat(100_000, 20_000, genai.AttrUsageCacheRead, 40_000)}))
	v, ok := out[0].Attributes().Get(genai.AttrCostUSD)
	require.True(t, ok)
	const want = (60_000*2 + 40_000*1 + 20_000*10) / 1e6
	assert.InDelta(t, want, v.Double(), 1e-12)
	assert.NotEmpty(t, text(out[0].Attributes(), genai.AttrCostPriceVersion))
	assert.Empty(t, findings(t, out[0]))
	ev, _ := isCall(t, "", out[0])
	assert.InDelta(t, want, ev.CostUSD, 1e-12, "those behind take our cost")
	assert.InDelta(t, want, r.value("sentinel_llm_cost_usd_total"), 1e-12)
}

func TestAReportedCostStaysAndAGapIsToldOnceAPeriod(t *testing.T) {
	r := newRig(t, withRule)
	send := func(id byte) ptrace.Span {
		return r.send(trace(spec{id: id, attrs: chat(1_000_000, 0, genai.AttrUsageCost, 4.0)}))[0]
	}
	s := send(1)
	gap, _ := s.Attributes().Get(genai.AttrCostGap)
	assert.InDelta(t, 0.5, gap.Double(), 1e-12)
	emitted, _ := s.Attributes().Get(genai.AttrUsageCost)
	assert.InDelta(t, 4, emitted.Double(), 0)
	found := findings(t, s)
	require.Len(t, found, 1)
	assert.Equal(t, TypeCostMismatch, found[0].Type)
	assert.Equal(t, anomaly.SeverityLow, found[0].Severity)
	assert.InDelta(t, 4, found[0].Details.Value, 0)
	assert.InDelta(t, 2, found[0].Details.Baseline, 1e-12)

	assert.Empty(t, findings(t, send(2)), "told")
	r.now = r.now.Add(25 * time.Hour)
	assert.Len(t, findings(t, send(3)), 1, "the next day")
	assert.EqualValues(t, 3, r.value("sentinel_llm_cost_findings_total", "finding", "mismatch"))
	assert.Equal(t, 2, r.logged.Len())
}

func TestAReportedCostNearOursOrOfZeroIsNoFinding(t *testing.T) {
	r := newRig(t, withRule)
	for id, cost := range map[byte]float64{1: 2.04, 2: 0} {
		s := r.send(trace(spec{id: id, attrs: chat(1_000_000, 0, genai.AttrUsageCost, cost)}))[0]
		assert.Empty(t, findings(t, s))
		_, gap := s.Attributes().Get(genai.AttrCostGap)
		assert.False(t, gap)
	}
}

func TestAReportedCostCanBePreferred(t *testing.T) {
	r := newRig(t, func(c *Config) { withRule(c); c.Prices.PreferReported = true })
	out := r.send(trace(spec{id: 1, attrs: chat(1_000_000, 0, genai.AttrUsageCost, 4.0)}, spec{id: 2, attrs: chat(1_000_000, 0)}))
	with, _ := isCall(t, "", out[0])
	without, _ := isCall(t, "", out[1])
	assert.InDelta(t, 4, with.CostUSD, 0)
	assert.InDelta(t, 2, without.CostUSD, 1e-12)
	assert.Len(t, findings(t, out[0]), 1, "the gap is found all the same")
}

func TestAnUnpricedModelIsToldAndNeverFree(t *testing.T) {
	r := newRig(t, nil)
	send := func(id byte) ptrace.Span {
		return r.send(trace(spec{id: id, attrs: chat(27, 12, genai.AttrRequestModel, "no-such-model-9")}))[0]
	}
	s := send(1)
	_, cost := s.Attributes().Get(genai.AttrCostUSD)
	assert.False(t, cost)
	unpriced, _ := s.Attributes().Get(genai.AttrCostUnpriced)
	assert.True(t, unpriced.Bool())
	found := findings(t, s)
	require.Len(t, found, 1)
	assert.Equal(t, TypeUnpricedModel, found[0].Type)
	assert.Empty(t, findings(t, send(2)))
	assert.EqualValues(t, 2, r.value("sentinel_llm_cost_findings_total", "finding", "unpriced"))
	assert.Equal(t, 1, r.logged.Len())
}

func TestTheModelThatWasAskedForIsPricedWhereTheOtherHasNoPrice(t *testing.T) {
	r := newRig(t, withRule)
	out := r.send(trace(spec{id: 1, attrs: chat(1_000_000, 0, genai.AttrResponseModel, "no-such-model-9")}))
	v, _ := out[0].Attributes().Get(genai.AttrCostUSD)
	assert.InDelta(t, 2, v.Double(), 1e-12)
}

func TestOnlyCountedCallsWithTokensArePriced(t *testing.T) {
	r := newRig(t, withRule)
	out := r.send(trace(
		spec{id: 1, attrs: chat(30, 12)},
		spec{id: 2, parent: 1, attrs: chat(30, 12)},
		spec{id: 3, attrs: map[string]any{genai.AttrOperationName: genai.OperationChat, genai.AttrRequestModel: "no-such-model-9"}, failed: true},
		spec{id: 4, attrs: chat(30, 12, genai.AttrCostUSD, 7.0)},
	))
	_, wrapper := out[0].Attributes().Get(genai.AttrCostUSD)
	_, inner := out[1].Attributes().Get(genai.AttrCostUSD)
	assert.False(t, wrapper)
	assert.True(t, inner)
	assert.Empty(t, findings(t, out[2]), "nothing was used, as far as is known")
	before, _ := out[3].Attributes().Get(genai.AttrCostUSD)
	assert.InDelta(t, 7, before.Double(), 0, "priced by a collector before this one")
}

func TestAFindingInALogIsALogRecordOfItsOwn(t *testing.T) {
	r := newRig(t, nil)
	ld := plog.NewLogs()
	rec := ld.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords().AppendEmpty()
	rec.SetEventName("claude_code.api_request")
	require.NoError(t, rec.Attributes().FromRaw(map[string]any{"model": "no-such-model-9", "input_tokens": 11, "output_tokens": 12}))
	out := r.sendLogs(ld)
	require.Len(t, out, 2)
	assert.True(t, anomaly.IsLog(out[1]))
	a, err := anomaly.FromLog(out[1])
	require.NoError(t, err)
	assert.Equal(t, TypeUnpricedModel, a.Type)
}

func TestPricesCanBeSwitchedOff(t *testing.T) {
	r := newRig(t, func(c *Config) { c.Prices.Enabled = false })
	out := r.send(trace(spec{id: 1, attrs: chat(30, 12)}))
	_, cost := out[0].Attributes().Get(genai.AttrCostUSD)
	assert.False(t, cost)
}

func TestABadPriceFileFailsAtTheStart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "prices.json")
	require.NoError(t, os.WriteFile(path, []byte("{"), 0o600))
	cfg := createDefaultConfig().(*Config)
	cfg.Prices.File = path
	_, err := newPricer(&cfg.Prices, nil)
	assert.ErrorContains(t, err, path)
}
