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

// totals are what a recording adds up to.
type totals struct {
	calls, failed, streaming                            int
	input, output, total, cacheRead, cacheWrite, reason int64
	models, providers, finish                           map[string]int
}

func TestRecordingsOfRealClients(t *testing.T) {
	type counts = map[string]int
	for name, want := range map[string]totals{
		"otel-instrumentation-openai": {
			calls: 9, failed: 2, input: 6*27 + 8, output: 6 * 12, total: 6 * 39,
			models: counts{
				"gpt-4o-2024-08-06": 2, "gpt-4o-mini-2024-08-06": 2, "text-embedding-3-small": 1,
				"gpt-4.1-2024-08-06": 2, "gpt-4o": 2,
			},
			providers: counts{"openai": 9}, finish: counts{"stop": 5, "tool_calls": 1, "": 3},
		},
		"elastic-openai": {
			calls: 7, failed: 2, input: 4*27 + 8, output: 4 * 12, total: 4 * 39,
			models:    counts{"gpt-4o-2024-08-06": 2, "gpt-4o-mini-2024-08-06": 2, "text-embedding-3-small": 1, "gpt-4o": 2},
			providers: counts{"openai": 7}, finish: counts{"stop": 3, "tool_calls": 1, "": 3},
		},
		"native-sdks-no-instrumentation": {
			calls: 3, failed: 1, streaming: 1, input: 2 * 30, output: 2 * 12, total: 2 * 42, cacheRead: 2 * 16, cacheWrite: 2 * 3,
			models: counts{"claude-opus-4-6": 3}, providers: counts{"anthropic": 3}, finish: counts{"stop": 2, "": 1},
		},
		// Its streamed call and its embeddings carry no token counts.
		"openinference-openai": {
			calls: 5, streaming: 1, input: 3 * 27, output: 3 * 12, total: 3 * 39, cacheRead: 3 * 16, reason: 3 * 4,
			models:    counts{"gpt-4o-2024-08-06": 1, "gpt-4o": 1, "gpt-4o-mini-2024-08-06": 1, "text-embedding-3-small": 1, "gpt-4.1-2024-08-06": 1},
			providers: counts{"openai": 5}, finish: counts{"stop": 2, "tool_calls": 1, "": 2},
		},
		"openinference-anthropic": {
			calls: 4, failed: 1, streaming: 1, input: 3 * 30, output: 3 * 12, total: 3 * 42, cacheRead: 3 * 16, cacheWrite: 3 * 3,
			models: counts{"claude-opus-4-6": 4}, providers: counts{"anthropic": 4}, finish: counts{"stop": 2, "tool_calls": 1, "": 1},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := totals{models: counts{}, providers: counts{}, finish: counts{}}
			each(t, filepath.Join("testdata", "recordings", name+".traces.jsonl"), func(ev Event, problems Problem) {
				assert.Zero(t, problems, problems.String())
				assert.Equal(t, name, ev.Service)
				assert.True(t, ev.Has(FieldLatency))
				got.add(ev)
			})
			assert.Equal(t, want, got)
		})
	}
}

func (s *totals) add(ev Event) {
	s.calls++
	if ev.Failed {
		s.failed++
	}
	if ev.Streaming {
		s.streaming++
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
		u := ptrace.JSONUnmarshaler{}
		td, err := u.UnmarshalTraces(lines.Bytes())
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

// The clients below are not covered as a whole yet, but write gen_ai.* too. The
// figures are spans that say "inference call", wrappers included, and have been
// counted independently.
func TestOtherRecordings(t *testing.T) {
	dir := sharedData(t, "otlp-samples")
	for name, calls := range map[string]int{
		"traceloop-node-server-sdk":           12,
		"vercel-ai-sdk-v7":                    10,
		"openlit":                             6,
		"otel-instrumentation-openai-content": 9,
	} {
		n := 0
		each(t, filepath.Join(dir, name+".traces.jsonl"), func(ev Event, problems Problem) {
			n++
			assert.Zero(t, problems, "%s: %s", name, problems)
			assert.NotEmpty(t, ev.Provider, name)
			if ev.Has(FieldInputTokens) {
				assert.Contains(t, []int64{27, 30, 8, 11, 7}, ev.InputTokens, name)
			}
		})
		assert.Equal(t, calls, n, name)
	}
}
