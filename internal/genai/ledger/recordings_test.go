package ledger

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/llm-devops/llm-sentinel/internal/genai"
)

// The truth about the server that the clients talked to: calls, failed calls,
// input and output.
var recorded = map[string]Total{
	"elastic-openai":                      total(7, 2, 4*27+8, 4*12),
	"google-adk-runaway-tool-loop":        total(501, 0, 500*27, 500*16),
	"native-sdks-no-instrumentation":      total(3, 1, 2*30, 2*12),
	"openinference-anthropic":             total(4, 1, 3*30, 3*12),
	"openinference-langchain":             total(6, 1, 5*27, 5*12),
	"openinference-openai":                total(5, 0, 3*27, 3*12), // no counts for its stream and its embeddings
	"openlit":                             total(5, 1, 2*27+8+30, 3*12),
	"otel-instrumentation-openai":         total(9, 2, 6*27+8, 6*12),
	"otel-instrumentation-openai-content": total(9, 2, 6*27+8, 6*12),
	"traceloop-langchain":                 total(6, 1, 5*27, 5*12),
	"traceloop-node-server-sdk":           total(8, 1, 3*27+7+3*30, 3*12+5+3*12), // estimates its stream at 7 and 5
	"vercel-ai-sdk-v7":                    total(9, 2, 6*27+8, 6*12),
}

// load reads a recording as entries, in the order of arrival: spans, then logs.
func load(t *testing.T, name string) []*Entry {
	t.Helper()
	x, err := genai.NewExtractor(genai.Options{Signals: true})
	require.NoError(t, err)
	var entries []*Entry
	lines(t, name+".traces", func(line []byte) {
		td, err := (&ptrace.JSONUnmarshaler{}).UnmarshalTraces(line)
		require.NoError(t, err)
		for _, rs := range td.ResourceSpans().All() {
			res := x.Resource(rs.Resource())
			for _, ss := range rs.ScopeSpans().All() {
				for _, s := range ss.Spans().All() {
					e := &Entry{}
					var ev genai.Event
					if signals, _ := x.Read(&res, ss.Scope(), s, &ev); signals&genai.SignalCall != 0 {
						e.SetEvent(&ev, Span)
					} else {
						e.SetSpan(s, signals&genai.SignalTool != 0)
					}
					entries = append(entries, e)
				}
			}
		}
	})
	lines(t, name+".logs", func(line []byte) {
		ld, err := (&plog.JSONUnmarshaler{}).UnmarshalLogs(line)
		require.NoError(t, err)
		for _, rl := range ld.ResourceLogs().All() {
			res := x.Resource(rl.Resource())
			for _, sl := range rl.ScopeLogs().All() {
				for _, rec := range sl.LogRecords().All() {
					var ev genai.Event
					if is, _ := x.FromLog(&res, sl.Scope(), rec, &ev); is {
						e := &Entry{}
						e.SetEvent(&ev, SourceOfLog(&ev))
						entries = append(entries, e)
					}
				}
			}
		}
	})
	require.NotEmpty(t, entries, name)
	return entries
}

func lines(t *testing.T, name string, f func([]byte)) {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("..", "testdata", "recordings", name+".jsonl"))
	var in io.Reader = bytes.NewReader(raw)
	if os.IsNotExist(err) && strings.HasPrefix(name, "google-adk") && strings.HasSuffix(name, "traces") {
		dir := os.Getenv("SENTINEL_DATA")
		if dir == "" {
			dir = "../../../../shared/data"
		}
		zipped, err := os.Open(filepath.Join(dir, "otlp-samples", name+".jsonl.gz"))
		if err != nil {
			t.Skipf("SKIPPED, data set missing (set SENTINEL_DATA): %v", err)
		}
		defer zipped.Close()
		in, err = gzip.NewReader(zipped)
		require.NoError(t, err)
	} else if os.IsNotExist(err) {
		return
	}
	scan := bufio.NewScanner(in)
	scan.Buffer(nil, 64<<20)
	for scan.Scan() {
		f(scan.Bytes())
	}
	require.NoError(t, scan.Err())
}

func totalOf(l *Ledger) Total {
	t := l.sum()
	for k := CacheRead; k < TokenTypes; k++ {
		t.Tokens[k] = 0
	}
	return t
}

// Whatever the order in which the spans and logs of a recording arrive, and
// however they are cut into batches, each call is counted once.
func TestRecordingsAddUpToTheTruthInAnyOrder(t *testing.T) {
	for name, want := range recorded {
		t.Run(name, func(t *testing.T) {
			entries := load(t, name)
			check := func(order []*Entry, size int) {
				t.Helper()
				l := newTestLedger(t, Options{})
				for at := 0; at < len(order); {
					n := min(size, len(order)-at)
					l.AddBatch(order[at:at+n], make([]Decision, n), start)
					at += n
				}
				require.Equal(t, want, totalOf(l))
			}
			if len(entries) <= 7 {
				permutations(len(entries), func(order []int) { check(ordered(entries, order), 1) })
			}
			rounds := 300
			if len(entries) > 100 {
				rounds = 20
			}
			r := rand.New(rand.NewPCG(1, uint64(len(name))))
			for range rounds {
				check(ordered(entries, r.Perm(len(entries))), 1+r.IntN(8))
			}
		})
	}
}

// In the order in which they really came nothing has to be corrected, and who
// takes items for calls as they are told sees the truth, too.
func TestRecordingsArePassedOnRight(t *testing.T) {
	for name, want := range recorded {
		t.Run(name, func(t *testing.T) {
			entries := load(t, name)
			for _, size := range []int{1, 3, len(entries)} {
				l := newTestLedger(t, Options{})
				decisions := make([]Decision, len(entries))
				for at := 0; at < len(entries); at += size {
					end := min(at+size, len(entries))
					l.AddBatch(entries[at:end], decisions[at:end], start.Add(time.Duration(at)))
				}
				got := passed(entries, decisions)
				for k := CacheRead; k < TokenTypes; k++ {
					got.Tokens[k] = 0
				}
				assert.Equal(t, want, got, "batches of %d", size)
				assert.Zero(t, l.Stats().Corrections)
			}
		})
	}
}

func TestAnEventThatLacksCountsIsFilled(t *testing.T) {
	var d Decision
	d.Usage.Set(Input, 30)
	d.Usage.Set(Output, 12)
	d.Usage.Set(CacheRead, 16)
	d.Context = Context{Agent: "planner", User: "v"}
	ev := genai.Event{InputTokens: 5, Present: genai.FieldInputTokens, User: "u"}
	d.Fill(&ev)
	assert.Equal(t, genai.Event{
		InputTokens: 5, OutputTokens: 12, TotalTokens: 17, CacheReadTokens: 16, User: "u", Agent: "planner",
		Present: genai.FieldInputTokens | genai.FieldOutputTokens | genai.FieldTotalTokens | genai.FieldCacheReadTokens,
	}, ev)
}
