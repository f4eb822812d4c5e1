package anomalyprocessor

import (
	"context"
	"slices"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/llm-devops/llm-sentinel/internal/anomaly"
	"github.com/llm-devops/llm-sentinel/internal/detect/drift"
	"github.com/llm-devops/llm-sentinel/internal/genai"
	"github.com/llm-devops/llm-sentinel/internal/series"
)

func TestDriftSurvivesARestart(t *testing.T) {
	mem := newMemStorage()
	host := testHost{storageID: mem}
	g := newDriftTraffic(39)
	g.change = withTexts(refundWords)
	first := buildRig(t, withStorage(nil))
	require.NoError(t, first.proc.Start(context.Background(), host))
	first.send(g.calls(learned)...)
	first.stop()

	second := newRigOn(t, host, withStorage(nil))
	g.input *= 2.2
	list := driftsOf(second.send(g.calls(800)...))
	assert.Contains(t, typesOf(list), anomaly.TypeInputDrift, "no warm-up after a restart")

	third := newRigOn(t, host, withStorage(func(c *Config) { c.Drift.MinPSI = .4 }))
	assert.Nil(t, restoredDrift(third), "a state of another configuration is not restored")
}

// driftIndex is the place of the rule among those of the engine, -1 for none.
func driftIndex(e *engine) int {
	return slices.IndexFunc(e.rules, func(r rule) bool { _, ok := r.(*driftRule); return ok })
}

func restoredDrift(r *rig) (st ruleState) {
	r.eng.table.Range(func(_ series.Key, _ int64, ent *entry) bool {
		st = ent.rules[driftIndex(r.eng)]
		return true
	})
	return st
}

// filledState is a state with everything in it.
func filledState(tb testing.TB, calls int) (*driftRule, *driftState) {
	tb.Helper()
	made, err := newDriftRule(createDefaultConfig().(*Config))
	require.NoError(tb, err)
	extractor, err := genai.NewExtractor(genai.Options{})
	require.NoError(tb, err)
	r := made.(*driftRule)
	st := newDriftState()
	g := newDriftTraffic(40)
	g.change = func(n uint64, s ptrace.Span) {
		withTexts(refundWords)(n, s)
		finishReason("stop")(s)
	}
	b := &batch{}
	scope := pcommon.NewInstrumentationScope()
	for s := range spans(traces(g.calls(calls)...)) {
		b.event = &genai.Event{}
		extractor.FromSpan(nil, scope, s, b.event)
		b.at, b.from = int64(b.event.End), origin{resource: pcommon.NewResource(), scope: scope, span: s}
		r.call(b, st, false, nil)
	}
	return r, st
}

func TestStateIsSmall(t *testing.T) {
	_, st := filledState(t, 3000)
	dist := func(d *drift.Dist) uintptr { return uintptr(d.Bins() * (2*2 + 4)) }
	size := unsafe.Sizeof(*st) + numRelations*unsafe.Sizeof(drift.Relation{}) + dist(&st.input) + dist(&st.output) + dist(&st.finish)
	text := unsafe.Sizeof(*st.text) + dist(&st.text.promptLanguage) + dist(&st.text.responseLanguage) + dist(&st.text.refusal)
	t.Logf("%d bytes, %d more for texts, %d as a snapshot", size, text, len(st.appendState(nil)))
	assert.Less(t, size, uintptr(2300))
	assert.Less(t, text, uintptr(2600))
}

func TestStateIsReadAsItWasWritten(t *testing.T) {
	r, st := filledState(t, 3000)
	b := st.appendState(nil)
	got, err := r.readState(b)
	require.NoError(t, err)
	assert.Equal(t, st, got)
	for n := range b {
		_, err := r.readState(b[:n])
		require.ErrorIs(t, err, errDriftState, n)
	}
	_, err = r.readState(append(b, 0))
	require.ErrorContains(t, err, "left over")
	b[0]++
	_, err = r.readState(b)
	require.ErrorContains(t, err, "version")
}

func FuzzDriftState(f *testing.F) {
	r, st := filledState(f, 400)
	f.Add(st.appendState(nil))
	f.Add(newDriftState().appendState(nil))
	f.Fuzz(func(t *testing.T, src []byte) {
		got, err := r.readState(src)
		if err != nil {
			return
		}
		require.Equal(t, src, got.appendState(nil))
	})
}
