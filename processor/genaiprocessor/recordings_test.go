package genaiprocessor

import (
	"bufio"
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/llm-devops/llm-sentinel/internal/genai"
)

// recordings of all signals that real clients sent, with the truth of the server
// about calls, failed calls, input and output.
var recordings = map[string][4]int64{
	"elastic-openai":                      {7, 2, 4*27 + 8, 4 * 12},
	"native-sdks-no-instrumentation":      {3, 1, 2 * 30, 2 * 12},
	"openinference-anthropic":             {4, 1, 3 * 30, 3 * 12},
	"openinference-langchain":             {6, 1, 5 * 27, 5 * 12},
	"openinference-openai":                {5, 0, 3 * 27, 3 * 12},
	"openlit":                             {5, 1, 2*27 + 8 + 30, 3 * 12},
	"otel-instrumentation-openai":         {9, 2, 6*27 + 8, 6 * 12},
	"otel-instrumentation-openai-content": {9, 2, 6*27 + 8, 6 * 12},
	"traceloop-langchain":                 {6, 1, 5 * 27, 5 * 12},
	"traceloop-node-server-sdk":           {8, 1, 3*27 + 7 + 3*30, 3*12 + 5 + 3*12},
	"vercel-ai-sdk-v7":                    {9, 2, 6*27 + 8, 6 * 12},
}

func lines(t *testing.T, name string, f func([]byte)) {
	t.Helper()
	file, err := os.Open(filepath.Join("..", "..", "internal", "genai", "testdata", "recordings", name+".jsonl"))
	if os.IsNotExist(err) {
		return
	}
	require.NoError(t, err)
	defer file.Close()
	scan := bufio.NewScanner(file)
	scan.Buffer(nil, 64<<20)
	for scan.Scan() {
		f(scan.Bytes())
	}
	require.NoError(t, scan.Err())
}

// Spans, logs and metrics of a recording pass, metrics first or last. What the
// processor counts, and what those behind it see, is the truth.
func TestRecordingsOfAllSignalsAddUpToTheTruth(t *testing.T) {
	for name, want := range recordings {
		for _, metricsFirst := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				r := newRig(t, nil)
				r.eng.series.started(time.Unix(0, 0))
				metrics := func() {
					lines(t, name+".metrics", func(b []byte) {
						md, err := (&pmetric.JSONUnmarshaler{}).UnmarshalMetrics(b)
						require.NoError(t, err)
						require.NoError(t, r.metrics.ConsumeMetrics(context.Background(), md))
					})
				}
				if metricsFirst {
					metrics()
				}
				lines(t, name+".traces", func(b []byte) {
					td, err := (&ptrace.JSONUnmarshaler{}).UnmarshalTraces(b)
					require.NoError(t, err)
					r.send(td)
				})
				lines(t, name+".logs", func(b []byte) {
					ld, err := (&plog.JSONUnmarshaler{}).UnmarshalLogs(b)
					require.NoError(t, err)
					r.sendLogs(ld)
				})
				if !metricsFirst {
					metrics()
				}
				net := func(metric, label, value string) int64 {
					return int64(r.value("sentinel_"+metric+"_total", label, value) - r.value("sentinel_"+metric+"_removed_total", label, value))
				}
				failed := net("llm_calls", "outcome", "failed")
				assert.Equal(t, want, [4]int64{
					net("llm_calls", "outcome", "ok") + failed, failed,
					net("llm_tokens", "token_type", "input"), net("llm_tokens", "token_type", "output"),
				}, "counted")
				assert.Equal(t, want, r.seen(), "seen behind")
			})
		}
	}
}

// seen adds up what those behind the processor take for calls.
func (r *rig) seen() (sum [4]int64) {
	x, err := genai.NewExtractor(genai.Options{})
	require.NoError(r.t, err)
	add := func(ev *genai.Event) {
		sum[0]++
		if ev.Failed {
			sum[1]++
		}
		sum[2] += ev.InputTokens
		sum[3] += ev.OutputTokens
	}
	for _, td := range r.outT.AllTraces() {
		for _, rs := range td.ResourceSpans().All() {
			for _, ss := range rs.ScopeSpans().All() {
				for _, s := range ss.Spans().All() {
					var ev genai.Event
					if is, _ := x.FromSpan(nil, ss.Scope(), s, &ev); is {
						add(&ev)
					}
				}
			}
		}
	}
	for _, ld := range r.outL.AllLogs() {
		for _, rl := range ld.ResourceLogs().All() {
			for _, sl := range rl.ScopeLogs().All() {
				for _, rec := range sl.LogRecords().All() {
					var ev genai.Event
					if is, _ := x.FromLog(nil, sl.Scope(), rec, &ev); is {
						add(&ev)
					}
				}
			}
		}
	}
	return sum
}

// A service that sends metrics only is counted by them.
func TestMetricsAloneGiveTheSameTokens(t *testing.T) {
	for _, name := range []string{"elastic-openai", "otel-instrumentation-openai"} {
		r := newRig(t, nil)
		r.eng.series.started(time.Unix(0, 0))
		lines(t, name+".metrics", func(b []byte) {
			md, err := (&pmetric.JSONUnmarshaler{}).UnmarshalMetrics(b)
			require.NoError(t, err)
			require.NoError(t, r.metrics.ConsumeMetrics(context.Background(), md))
		})
		want := recordings[name]
		failed := int64(r.value("sentinel_llm_calls_total", "outcome", "failed"))
		assert.Equal(t, want, [4]int64{
			int64(r.value("sentinel_llm_calls_total", "outcome", "ok")) + failed, failed,
			int64(r.value("sentinel_llm_tokens_total", "token_type", "input")),
			int64(r.value("sentinel_llm_tokens_total", "token_type", "output")),
		}, name)
		assert.Positive(t, r.value("sentinel_metric_points_counted_total"))
	}
}
