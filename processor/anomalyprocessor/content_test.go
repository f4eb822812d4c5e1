package anomalyprocessor

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/processor"

	"github.com/llm-devops/llm-sentinel/internal/anomaly"
	"github.com/llm-devops/llm-sentinel/internal/genai"
	"github.com/llm-devops/llm-sentinel/internal/series"
	"github.com/llm-devops/llm-sentinel/processor/anomalyprocessor/internal/metadata"
)

// quiet leaves the numbers of calls unjudged, so that a test sees its rule only.
func quiet(c *Config) {
	off := false
	c.Metrics = map[string]MetricConfig{}
	for _, name := range metricNames()[1:] {
		c.Metrics[name] = MetricConfig{Enabled: &off}
	}
	least := 1e9
	c.Metrics["latency_ms"] = MetricConfig{MinAbsoluteDeviation: &least}
}

// evaluated is the next call with a score, and a label unless it is empty.
func (g *traffic) evaluated(name string, score float64, label string) call {
	return g.with(func(c *call) {
		c.change = func(s ptrace.Span) {
			e := s.Events().AppendEmpty()
			e.SetName(genai.EventEvaluationResult)
			e.Attributes().PutStr(genai.AttrEvaluationName, name)
			if !math.IsNaN(score) {
				e.Attributes().PutDouble(genai.AttrEvaluationScoreValue, score)
			}
			if label != "" {
				e.Attributes().PutStr(genai.AttrEvaluationScoreLabel, label)
			}
		}
	})
}

// around draws a score of a typical evaluator: normal on the logit scale.
func (g *traffic) around(p, sigma float64) float64 {
	y := math.Log(p/(1-p)) + sigma*g.rng.NormFloat64()
	return 1 / (1 + math.Exp(-y))
}

// newsIn counts the findings that are no ends.
func newsIn(found []finding) (n int) {
	for i := range found {
		if found[i].ended == "" {
			n++
		}
	}
	return n
}

func TestAFallOfScoresIsAnAnomalyOfTheKindOfItsEvaluator(t *testing.T) {
	for _, tc := range []struct {
		evaluator      string
		before, during float64
		want           anomaly.Type
	}{
		{"relevance", .9, .55, anomaly.TypeQualityDegradation},
		{"faithfulness", .9, .55, anomaly.TypeHallucination},
		{"Context Adherence", .9, .55, anomaly.TypeHallucination},
		{"hallucination_score", .1, .4, anomaly.TypeHallucination},
		{"toxicity", .05, .3, anomaly.TypeQualityDegradation},
	} {
		t.Run(tc.evaluator, func(t *testing.T) {
			r, g := newRig(t, quiet), newTraffic(1)
			for range 300 {
				require.Empty(t, marked(r.send(g.evaluated(tc.evaluator, g.around(tc.before, .5), ""))))
			}
			var found []anomaly.Anomaly
			for n := 0; n < 60 && len(found) == 0; n++ {
				found = marked(r.send(g.evaluated(tc.evaluator, g.around(tc.during, .5), "")))
			}
			require.Len(t, found, 1)
			a := found[0]
			assert.Equal(t, tc.want, a.Type)
			assert.Equal(t, tc.evaluator, a.Context.Additional[contextEvaluator])
			assert.NotEmpty(t, a.Context.TraceID)
			assert.NotEmpty(t, a.RootCause)
			var ends []anomaly.Resolution
			for range 300 {
				ends = append(ends, r.ends(g.evaluated(tc.evaluator, g.around(tc.before, .5), ""))...)
			}
			require.Len(t, ends, 1)
			assert.Equal(t, a.ID, ends[0].IDs[0])
			assert.Equal(t, anomaly.EndRecovered, ends[0].Reason)
		})
	}
}

func TestTheGoodDirectionIsNoAnomaly(t *testing.T) {
	for name, p := range map[string][2]float64{"relevance": {.6, .95}, "hallucination": {.4, .05}} {
		r, g := newRig(t, quiet), newTraffic(2)
		for range 300 {
			r.send(g.evaluated(name, g.around(p[0], .5), ""))
		}
		for range 300 {
			require.Empty(t, marked(r.send(g.evaluated(name, g.around(p[1], .5), ""))), name)
		}
	}
}

func TestScoresOutsideOfZeroToOneAreJudgedAsTheyAre(t *testing.T) {
	r, g := newRig(t, quiet), newTraffic(3)
	for range 300 {
		require.Empty(t, marked(r.send(g.evaluated("answer rating", 85+4*g.rng.NormFloat64(), ""))))
	}
	var found []anomaly.Anomaly
	for n := 0; n < 60 && len(found) == 0; n++ {
		found = marked(r.send(g.evaluated("answer rating", 70+4*g.rng.NormFloat64(), "")))
	}
	require.Len(t, found, 1)
	assert.InDelta(t, 85, found[0].Details.Baseline, 3)
	assert.InDelta(t, 72, found[0].Details.Value, 6)
}

func TestLabelsAreFailures(t *testing.T) {
	for _, tc := range []struct {
		evaluator, good, bad string
		want                 anomaly.Type
	}{
		{"hallucination", "factual", "hallucinated", anomaly.TypeHallucination},
		{"Hallucination check", "no", "yes", anomaly.TypeHallucination},
		{"correctness", "pass", "fail", anomaly.TypeQualityDegradation},
		{"user feedback", "thumbs_up", "thumbs_down", anomaly.TypeQualityDegradation},
	} {
		t.Run(tc.evaluator, func(t *testing.T) {
			r, g := newRig(t, quiet), newTraffic(4)
			for range 200 {
				label := tc.good
				if g.rng.Float64() < .02 {
					label = tc.bad
				}
				require.Empty(t, marked(r.send(g.evaluated(tc.evaluator, math.NaN(), label))))
			}
			var found []anomaly.Anomaly
			n := 0
			for ; n < 30 && len(found) == 0; n++ {
				found = marked(r.send(g.evaluated(tc.evaluator, math.NaN(), tc.bad)))
			}
			require.Len(t, found, 1)
			assert.Less(t, n, 12)
			assert.Equal(t, tc.want, found[0].Type)
			assert.Equal(t, methodBurst, found[0].Method)
		})
	}
}

func TestThumbsAreQuality(t *testing.T) {
	for _, down := range []float64{0, -1} {
		r, g := newRig(t, quiet), newTraffic(5)
		for range 200 {
			require.Empty(t, marked(r.send(g.evaluated("thumbs", 1, ""))))
		}
		var found []anomaly.Anomaly
		for n := 0; n < 15 && len(found) == 0; n++ {
			found = marked(r.send(g.evaluated("thumbs", down, "")))
		}
		require.Len(t, found, 1, down)
		assert.Equal(t, anomaly.TypeQualityDegradation, found[0].Type)
	}
}

// Normal scores of several shapes: one in a million judgements may be a false
// alarm; 240 000 of each shape are judged.
func TestNormalEvaluationsRaiseNoAlarm(t *testing.T) {
	shapes := map[string]func(*rand.Rand) float64{
		"normal logit": func(r *rand.Rand) float64 { return 1 / (1 + math.Exp(-(2 + .8*r.NormFloat64()))) },
		"near one":     func(r *rand.Rand) float64 { return 1 / (1 + math.Exp(-(4 + 2*r.NormFloat64()))) },
		"uniform":      func(r *rand.Rand) float64 { return r.Float64() },
		"binary":       func(r *rand.Rand) float64 { return float64(min(1, int(r.Float64()*12))) },
		"three levels": func(r *rand.Rand) float64 { return [...]float64{0, .5, 1, 1, 1, 1, 1, 1}[r.IntN(8)] },
		"mostly one":   func(r *rand.Rand) float64 { return [...]float64{.7, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1}[r.IntN(12)] },
		"five stars":   func(r *rand.Rand) float64 { return [...]float64{1, 2, 3, 4, 4, 5, 5, 5, 5, 5}[r.IntN(10)] },
		"percent":      func(r *rand.Rand) float64 { return 80 + 8*r.NormFloat64() },
		"rare low scores": func(r *rand.Rand) float64 {
			if r.Float64() < .02 {
				return .1
			}
			return .85 + .1*r.Float64()
		},
	}
	total := 0
	for name, draw := range shapes {
		cfg := createDefaultConfig().(*Config)
		built, err := newEvaluationRule(cfg)
		require.NoError(t, err)
		r := built.(*evaluationRule)
		alarms := 0
		for series := range 120 {
			rng := rand.New(rand.NewPCG(11, uint64(series)))
			b := &batch{event: &genai.Event{}, engine: &engine{cfg: cfg}}
			e := r.newEvaluator("relevance")
			for n := range 2000 {
				b.at = epoch.Add(time.Duration(n) * time.Minute).UnixNano()
				alarms += newsIn(r.result(b, e, &genai.Evaluation{Name: "relevance", Score: draw(rng), Scored: true}, false, nil))
			}
		}
		t.Logf("%s: %d alarms on 240000 scores", name, alarms)
		assert.LessOrEqual(t, alarms, 1, name)
		total += alarms
	}
	assert.LessOrEqual(t, total, 3)
}

func TestTooManyEvaluatorsAreCounted(t *testing.T) {
	r, g := newRig(t, func(c *Config) { quiet(c); c.Evaluations.MaxEvaluators = 2 }), newTraffic(6)
	for i := range 5 {
		r.send(g.evaluated(fmt.Sprint("e", i), .5, ""))
	}
	assert.EqualValues(t, 3, r.counter("events_skipped_total", "reason", "evaluator_limit"))
}

func TestPolarityCanBeConfigured(t *testing.T) {
	c := EvaluationsConfig{HigherIsWorse: []string{"Effort"}, HigherIsBetter: []string{"hallucination"}}
	assert.True(t, c.profile("effort").worse)
	assert.False(t, c.profile("hallucination").worse)
	assert.Equal(t, anomaly.TypeHallucination, c.profile("hallucination").typ)
}

// logRig is a processor of logs that shares its engine with one of traces.
// It judges no numbers of calls.
func logRig(t *testing.T) (logs processor.Logs, sink *consumertest.LogsSink, traces processor.Traces) {
	t.Helper()
	return logRigOn(t, quiet)
}

func logRigOn(t *testing.T, change func(*Config)) (logs processor.Logs, sink *consumertest.LogsSink, traces processor.Traces) {
	t.Helper()
	cfg := createDefaultConfig().(*Config)
	change(cfg)
	f := &factory{}
	set := processor.Settings{ID: component.NewID(metadata.Type), TelemetrySettings: componenttest.NewNopTelemetrySettings()}
	sink = &consumertest.LogsSink{}
	var err error
	logs, err = f.createLogs(t.Context(), set, cfg, sink)
	require.NoError(t, err)
	traces, err = f.createTraces(t.Context(), set, cfg, consumertest.NewNop())
	require.NoError(t, err)
	e, _ := f.engines.Find(cfg)
	e.now = func() time.Time { return epoch.Add(24 * time.Hour) }
	for _, c := range []component.Component{logs, traces} {
		require.NoError(t, c.Start(t.Context(), componenttest.NewNopHost()))
		t.Cleanup(func() { require.NoError(t, c.Shutdown(context.Background())) })
	}
	return logs, sink, traces
}

func evaluationLog(n int, label string) plog.Logs {
	ld := plog.NewLogs()
	rl := ld.ResourceLogs().AppendEmpty()
	rl.Resource().Attributes().PutStr(genai.AttrServiceName, "chat-api")
	list := rl.ScopeLogs().AppendEmpty().LogRecords()
	list.AppendEmpty().Body().SetStr("an ordinary record")
	record := list.AppendEmpty()
	record.SetEventName(genai.EventEvaluationResult)
	record.SetTimestamp(pcommon.NewTimestampFromTime(epoch.Add(time.Duration(n) * time.Second)))
	record.SetTraceID(pcommon.TraceID{1, byte(n), byte(n >> 8)})
	record.SetSpanID(pcommon.SpanID{1, byte(n), byte(n >> 8)})
	record.Attributes().PutStr(genai.AttrEvaluationName, "hallucination")
	record.Attributes().PutStr(genai.AttrEvaluationScoreLabel, label)
	record.Attributes().PutStr(genai.AttrRequestModel, "gpt-4")
	return ld
}

func TestEvaluationsInLogsGiveAnomaliesInLogs(t *testing.T) {
	logs, sink, _ := logRig(t)
	for n := range 200 {
		require.NoError(t, logs.ConsumeLogs(t.Context(), evaluationLog(n, "factual")))
	}
	sink.Reset()
	var last plog.Logs
	found := func() (list []anomaly.Anomaly) {
		for _, ld := range sink.AllLogs() {
			for _, record := range ld.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().All() {
				if anomaly.IsLog(record) {
					a, err := anomaly.FromLog(record)
					require.NoError(t, err)
					list = append(list, a)
				}
			}
		}
		return list
	}
	n := 200
	for ; n < 230 && len(found()) == 0; n++ {
		sink.Reset()
		last = evaluationLog(n, "hallucinated")
		require.NoError(t, logs.ConsumeLogs(t.Context(), last))
	}
	list := found()
	require.Len(t, list, 1)
	a := list[0]
	assert.Equal(t, anomaly.TypeHallucination, a.Type)
	assert.Equal(t, "gpt-4", a.Model)
	assert.Equal(t, "chat-api", a.Service)
	assert.Equal(t, pcommon.SpanID{1, byte(n - 1), 0}.String(), a.Context.SpanID)
	out := sink.AllLogs()[0].ResourceLogs().At(0).ScopeLogs().At(0).LogRecords()
	require.Equal(t, 3, out.Len())
	v, ok := out.At(1).Attributes().Get(anomaly.AttrSeverity)
	require.True(t, ok)
	assert.Equal(t, a.Severity.String(), v.Str())

	// The same records again carry the same mark.
	sink.Reset()
	require.NoError(t, logs.ConsumeLogs(t.Context(), evaluationLog(n-1, "hallucinated")))
	again := found()
	require.Len(t, again, 1)
	assert.Equal(t, a.ID, again[0].ID)
}

func TestOtherLogsPassUnchanged(t *testing.T) {
	logs, sink, _ := logRig(t)
	ld := evaluationLog(1, "")
	ld.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().At(1).SetEventName("")
	want := plog.NewLogs()
	ld.CopyTo(want)
	require.NoError(t, logs.ConsumeLogs(t.Context(), ld))
	assert.Equal(t, want, sink.AllLogs()[0])
}

// What a log says of a series and what its spans say is one baseline.
func TestLogsAndTracesShareTheEvaluators(t *testing.T) {
	logs, sink, spans := logRig(t)
	g := newTraffic(7)
	for range 200 {
		require.NoError(t, spans.ConsumeTraces(t.Context(), traces(g.evaluated("hallucination", math.NaN(), "factual"))))
	}
	records := 0
	for n := 200; n < 215; n++ {
		require.NoError(t, logs.ConsumeLogs(t.Context(), evaluationLog(n, "hallucinated")))
	}
	for _, ld := range sink.AllLogs() {
		for _, record := range ld.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().All() {
			if anomaly.IsLog(record) {
				records++
			}
		}
	}
	assert.Positive(t, records)
}

// What no item shows goes into logs when there are no traces.
func TestWindowFindingsGoIntoLogsWithoutTraces(t *testing.T) {
	cfg := createDefaultConfig().(*Config)
	f := &factory{}
	set := processor.Settings{ID: component.NewID(metadata.Type), TelemetrySettings: componenttest.NewNopTelemetrySettings()}
	sink := &consumertest.LogsSink{}
	logs, err := f.createLogs(t.Context(), set, cfg, sink)
	require.NoError(t, err)
	require.NoError(t, logs.Start(t.Context(), componenttest.NewNopHost()))
	t.Cleanup(func() { require.NoError(t, logs.Shutdown(context.Background())) })
	e, _ := f.engines.Find(cfg)
	silence := finding{typ: anomaly.TypeThroughputDegradation, metric: "throughput", method: "x", severity: anomaly.SeverityHigh, sigma: math.NaN(), at: epoch.UnixNano()}
	over := silence
	over.ended = anomaly.EndRecovered
	var told []windowFinding
	ent := &entry{}
	for _, f := range []finding{silence, over} {
		w, news := e.windowFinding(t.Context(), series.Key{Service: "chat-api", Model: "gpt-4"}, ent, &f, epoch)
		require.True(t, news)
		told = append(told, w)
	}
	e.emit(t.Context(), told)
	require.Len(t, sink.AllLogs(), 1)
	back := anomaly.LogsAsTraces(sink.AllLogs()[0])
	require.Equal(t, 2, back.SpanCount())
	for end, err := range anomaly.ResolvedFromSpan(back.ResourceSpans().At(1).ScopeSpans().At(0).Spans().At(0)) {
		require.NoError(t, err)
		assert.Equal(t, []uuid.UUID{told[0].anomaly.ID}, end.IDs)
		assert.Equal(t, anomaly.EndRecovered, end.Reason)
	}
	rl := sink.AllLogs()[0].ResourceLogs().At(0)
	service, _ := rl.Resource().Attributes().Get(genai.AttrServiceName)
	assert.Equal(t, "chat-api", service.Str())
	a, err := anomaly.FromLog(rl.ScopeLogs().At(0).LogRecords().At(0))
	require.NoError(t, err)
	assert.Equal(t, anomaly.TypeThroughputDegradation, a.Type)
	assert.Equal(t, epoch, a.Time)
}

// Traces with calls, tools and evaluations and logs with evaluations at once.
func TestSignalsAtOnce(t *testing.T) {
	logs, _, spans := logRig(t)
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			g, tools := newTraffic(uint64(70+w)), &toolSpans{trace: byte(w % 2), next: uint64(w) << 20}
			for n := range 200 {
				assert.NoError(t, spans.ConsumeTraces(t.Context(), traces(g.evaluated("relevance", g.rng.Float64(), ""))))
				assert.NoError(t, spans.ConsumeTraces(t.Context(), tools.batch("a/1/x")))
				assert.NoError(t, logs.ConsumeLogs(t.Context(), evaluationLog(n, "factual")))
			}
		})
	}
	wg.Wait()
}
