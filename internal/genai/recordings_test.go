package genai

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// totals are what a recording adds up to. A call that several spans tell of is
// in it several times: telling these apart is left to the ledger.
type totals struct {
	calls, failed, streaming                            int
	input, output, total, cacheRead, cacheWrite, reason int64
	// ids and latencies are how many calls have one.
	ids, latencies                              int
	models, providers, finish, sessions, agents counts
	// ttft of each streamed call that has one, in milliseconds.
	ttft []float64
}

type counts = map[string]int

// recordedSpans are the recordings of spans, with what is in them by the truth
// about the server that the clients talked to, see README.md there. Counts are
// inclusive.
var recordedSpans = map[string]totals{
	"elastic-openai": {
		calls: 7, failed: 2, input: 4*27 + 8, output: 4 * 12, total: 4 * 39, ids: 4, latencies: 7,
		models:    counts{"gpt-4o-2024-08-06": 2, "gpt-4o-mini-2024-08-06": 2, "text-embedding-3-small": 1, "gpt-4o": 2},
		providers: counts{"openai": 7}, finish: counts{"stop": 3, "tool_calls": 1, "": 3},
	},
	// An agent that called a tool five hundred times; its last call was cut short.
	"google-adk-runaway-tool-loop": {
		calls: 501, input: 500 * 27, output: 500 * 16, total: 500 * 43, cacheRead: 500 * 16, reason: 500 * 4, latencies: 501,
		models: counts{"gemini-2.5-flash": 500, "": 1}, providers: counts{"gcp.gemini": 500, "": 1}, finish: counts{"stop": 500, "": 1},
		sessions: counts{"3da04400-65ad-4fd3-951a-99f1c60c7786": 500, "": 1}, agents: counts{"weather_agent": 500, "": 1},
	},
	"native-sdks-no-instrumentation": {
		calls: 3, failed: 1, streaming: 1, input: 2 * 30, output: 2 * 12, total: 2 * 42, cacheRead: 2 * 16, cacheWrite: 2 * 3, ids: 2, latencies: 3,
		models: counts{"claude-opus-4-6": 3}, providers: counts{"anthropic": 3}, finish: counts{"stop": 2, "": 1}, ttft: []float64{65},
	},
	"openinference-anthropic": {
		calls: 4, failed: 1, streaming: 1, input: 3 * 30, output: 3 * 12, total: 3 * 42, cacheRead: 3 * 16, cacheWrite: 3 * 3, ids: 2, latencies: 4,
		models: counts{"claude-opus-4-6": 4}, providers: counts{"anthropic": 4}, finish: counts{"stop": 2, "tool_calls": 1, "": 1},
	},
	// Its providers are in JSON only.
	"openinference-langchain": {
		calls: 6, failed: 1, input: 5 * 27, output: 5 * 12, total: 5 * 39, cacheRead: 5 * 16, reason: 5 * 4, latencies: 6,
		models: counts{"gpt-4o": 6}, providers: counts{"openai": 6}, finish: counts{"stop": 3, "tool_calls": 2, "": 1},
	},
	// Its streamed call and its embeddings carry no token counts.
	"openinference-openai": {
		calls: 5, streaming: 1, input: 3 * 27, output: 3 * 12, total: 3 * 39, cacheRead: 3 * 16, reason: 3 * 4, ids: 3, latencies: 5,
		models:    counts{"gpt-4o-2024-08-06": 1, "gpt-4o": 1, "gpt-4o-mini-2024-08-06": 1, "text-embedding-3-small": 1, "gpt-4.1-2024-08-06": 1},
		providers: counts{"openai": 5}, finish: counts{"stop": 2, "tool_calls": 1, "": 2},
	},
	// Its call to Anthropic is there twice: it is the parent of that of the SDK.
	"openlit": {
		calls: 6, failed: 1, streaming: 1, input: 2*27 + 8 + 2*30, output: 4 * 12, total: 2*39 + 2*42, cacheRead: 4 * 16, cacheWrite: 2 * 3, ids: 4, latencies: 6,
		models:    counts{"gpt-4o-2024-08-06": 2, "gpt-4o": 1, "text-embedding-3-small": 1, "claude-opus-4-6": 2},
		providers: counts{"openai": 4, "anthropic": 2}, finish: counts{"stop": 4, "": 2}, ttft: []float64{1},
	},
	"otel-instrumentation-openai":         otelOpenAI,
	"otel-instrumentation-openai-content": otelOpenAI,
	"traceloop-langchain": {
		calls: 6, failed: 1, input: 5 * 27, output: 5 * 12, total: 5 * 39, latencies: 6,
		models: counts{"gpt-4o": 6}, providers: counts{"openai": 6}, finish: counts{"stop": 3, "tool_calls": 2, "": 1},
	},
	// Four calls of OpenAI, one of which was streamed and its counts estimated,
	// and four of Anthropic that are there twice.
	"traceloop-node-server-sdk": {
		calls: 12, failed: 2, streaming: 1, input: 3*27 + 7 + 6*30, output: 3*12 + 5 + 6*12, total: 3*39 + 12 + 6*42,
		cacheRead: 6 * 16, cacheWrite: 6 * 3, ids: 7, latencies: 12,
		models:    counts{"gpt-4o-2024-08-06": 2, "gpt-4o-mini-2024-08-06": 1, "gpt-4.1-2024-08-06": 1, "claude-sonnet-4-5": 8},
		providers: counts{"openai": 4, "anthropic": 8}, finish: counts{"stop": 6, "tool_calls": 3, "": 3},
		sessions: counts{"c-1": 12}, agents: counts{"planner": 12}, ttft: []float64{99},
	},
	// Its embeddings are two nested spans.
	"vercel-ai-sdk-v7": {
		calls: 10, failed: 2, input: 6*27 + 8, output: 6 * 12, total: 6 * 39, cacheRead: 6 * 16, ids: 6, latencies: 10,
		models: counts{
			"gpt-4o-2024-08-06": 2, "gpt-4o-mini-2024-08-06": 2, "gpt-4.1-2024-08-06": 1, "llama-3.1-8b-2024-08-06": 1,
			"text-embedding-3-small": 2, "gpt-4o": 2,
		},
		providers: counts{"openai": 9, "vllm": 1}, finish: counts{"stop": 5, "tool_calls": 1, "": 4}, ttft: []float64{96.85258899999963},
	},
}

var otelOpenAI = totals{
	calls: 9, failed: 2, input: 6*27 + 8, output: 6 * 12, total: 6 * 39, ids: 6, latencies: 9,
	models: counts{
		"gpt-4o-2024-08-06": 2, "gpt-4o-mini-2024-08-06": 2, "text-embedding-3-small": 1,
		"gpt-4.1-2024-08-06": 2, "gpt-4o": 2,
	},
	providers: counts{"openai": 9}, finish: counts{"stop": 5, "tool_calls": 1, "": 3},
}

func TestRecordingsOfRealClients(t *testing.T) {
	for name, want := range recordedSpans {
		t.Run(name, func(t *testing.T) {
			if want.sessions == nil {
				want.sessions = counts{"": want.calls}
			}
			if want.agents == nil {
				want.agents = counts{"": want.calls}
			}
			got := totals{models: counts{}, providers: counts{}, finish: counts{}, sessions: counts{}, agents: counts{}}
			each(t, recording(t, name, "traces"), func(ev Event, problems Problem) {
				if ev.Model() == "" {
					assert.Equal(t, MissingModel, problems, problems.String())
				} else {
					assert.Zero(t, problems, problems.String())
				}
				assert.NotEqual(t, UnknownService, ev.Service)
				got.add(ev)
			})
			assert.Equal(t, want, got)
		})
	}
}

// A recording without a line in the tables would test nothing.
func TestAllRecordingsAreInTheTables(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("testdata", "recordings", "*.jsonl"))
	require.NoError(t, err)
	require.Len(t, files, 17)
	for _, f := range files {
		name, signal, _ := strings.Cut(strings.TrimSuffix(filepath.Base(f), ".jsonl"), ".")
		switch signal {
		case "traces":
			assert.Contains(t, recordedSpans, name)
		case "logs":
			assert.Contains(t, recordedLogs, name)
		case "metrics":
			assert.Contains(t, recordedMetrics, name)
		default:
			t.Errorf("%s: no signal", f)
		}
	}
}

// recording is the path of a recording. Those that are too large for the
// repository are read from the shared data.
func recording(t *testing.T, name, signal string) string {
	t.Helper()
	path := filepath.Join("testdata", "recordings", name+"."+signal+".jsonl")
	if _, err := os.Stat(path); err == nil {
		return path
	}
	return sharedData(t, "otlp-samples", name+"."+signal+".jsonl.gz")
}

func (s *totals) add(ev Event) {
	s.calls++
	if ev.Failed {
		s.failed++
	}
	if ev.Streaming {
		s.streaming++
	}
	if ev.ResponseID != "" {
		s.ids++
	}
	if ev.Has(FieldLatency) {
		s.latencies++
	}
	if ev.Has(FieldTTFT) {
		s.ttft = append(s.ttft, ev.TTFTMillis)
	}
	s.input += ev.InputTokens
	s.output += ev.OutputTokens
	s.total += ev.TotalTokens
	s.cacheRead += ev.CacheReadTokens
	s.cacheWrite += ev.CacheWriteTokens
	s.reason += ev.ReasoningTokens
	s.models[ev.Model()]++
	s.providers[ev.Provider]++
	s.finish[ev.FinishReason]++
	s.sessions[ev.Conversation]++
	s.agents[ev.Agent]++
}

func TestDetailsOfRecordedCalls(t *testing.T) {
	var streamed, failed Event
	each(t, filepath.Join("testdata", "recordings", "native-sdks-no-instrumentation.traces.jsonl"), func(ev Event, _ Problem) {
		if ev.Streaming {
			streamed = ev
		}
		if ev.Failed {
			failed = ev
		}
	})
	assert.InDelta(t, 65, streamed.TTFTMillis, 1e-9)
	assert.Equal(t, "msg-fake000008", streamed.ResponseID)
	assert.Equal(t, "rate_limit_error", failed.ErrorType)
	assert.False(t, failed.Has(FieldInputTokens), "a failed call has no counts rather than zeros")

	var ids []string
	each(t, filepath.Join("testdata", "recordings", "openinference-openai.traces.jsonl"), func(ev Event, _ Problem) {
		ids = append(ids, ev.ResponseID)
	})
	assert.Contains(t, ids, "chatcmpl-fake000001", "found in the JSON of the output")
}

// each calls f for all calls of a recording.
func each(t *testing.T, path string, f func(Event, Problem)) {
	t.Helper()
	x := newTestExtractor(t, Options{})
	eachLine(t, path, func(line []byte) {
		u := ptrace.JSONUnmarshaler{}
		td, err := u.UnmarshalTraces(line)
		require.NoError(t, err)
		for _, rs := range td.ResourceSpans().All() {
			res := x.Resource(rs.Resource())
			for _, ss := range rs.ScopeSpans().All() {
				for _, s := range ss.Spans().All() {
					var ev Event
					if is, problems := x.FromSpan(&res, ss.Scope(), s, &ev); is {
						f(ev, problems)
					}
				}
			}
		}
	})
}

// eachLine calls f for all lines of a file.
func eachLine(t *testing.T, path string, f func([]byte)) {
	t.Helper()
	raw, err := os.ReadFile(path)
	require.NoError(t, err)
	var in io.Reader = bytes.NewReader(raw)
	if strings.HasSuffix(path, ".gz") {
		in, err = gzip.NewReader(in)
		require.NoError(t, err)
	}
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 64<<20)
	for lines.Scan() {
		f(lines.Bytes())
	}
	require.NoError(t, lines.Err())
}

// sharedData is the folder of the data sets that are too large for the
// repository; the test is skipped without them.
func sharedData(t *testing.T, elem ...string) string {
	t.Helper()
	dir := os.Getenv("SENTINEL_DATA")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared", "data")
	}
	path := filepath.Join(append([]string{dir}, elem...)...)
	if _, err := os.Stat(path); err != nil {
		t.Skipf("SKIPPED, data set missing (set SENTINEL_DATA): %v", err)
	}
	return path
}
