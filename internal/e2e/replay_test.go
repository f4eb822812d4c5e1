package e2e

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/llm-devops/llm-sentinel/internal/llmtraffic"
)

// row is one request of a public trace, read here without the replayer's code:
// tokens, and the latency in milliseconds or -1 when the trace has none.
type row struct {
	input, output int64
	latency       float64
}

func (r row) String() string { return fmt.Sprintf("%d/%d/%.6f", r.input, r.output, r.latency) }

func azureRows(t *testing.T, file string) []row {
	t.Helper()
	f, err := os.Open(file)
	require.NoError(t, err)
	defer f.Close()
	records, err := csv.NewReader(f).ReadAll()
	require.NoError(t, err)
	var rows []row
	for _, r := range records[1:] {
		in, err := strconv.ParseInt(r[1], 10, 64)
		require.NoError(t, err)
		out, err := strconv.ParseInt(r[2], 10, 64)
		require.NoError(t, err)
		rows = append(rows, row{in, out, -1})
	}
	return rows
}

func vllmRows(t *testing.T, file string) []row {
	t.Helper()
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	var records map[string]struct {
		Input  int64   `json:"in_len"`
		Output int64   `json:"out_len"`
		Total  float64 `json:"total_chunk_time"`
	}
	require.NoError(t, json.Unmarshal(text, &records))
	var rows []row
	for _, r := range records {
		rows = append(rows, row{r.Input, r.Output, r.Total * 1000})
	}
	return rows
}

// Every request of a public trace arrives in the API exactly once, with the
// token counts and the latency of the file.
func TestReplayedTracesArriveExactlyOnce(t *testing.T) {
	for _, tc := range []struct {
		name, folder, file string
		rows               func(*testing.T, string) []row
	}{
		{"Azure conversation", "azure-llm-2023", "AzureLLMInferenceTrace_conv.csv", azureRows},
		{"vLLM under load", "vllm-burstgpt-logs", "detail_log/detail_log_scale300_prompt500.json", vllmRows},
	} {
		t.Run(tc.name, func(t *testing.T) {
			file := filepath.Join(dataFolder(t, tc.folder), tc.file)
			want := tc.rows(t, file)

			at := freeAddresses(t)
			setenv(t, at.env())
			runInProcess(t, configPath(t, "collector-config.yaml"))
			waitReady(t, at.query)

			f, err := os.Open(file)
			require.NoError(t, err)
			defer f.Close()
			var p llmtraffic.Replay
			require.NoError(t, p.Load(f, file, llmtraffic.ReplayOptions{}))
			p.MoveEndTo(time.Now())
			truth := p.Truth()
			require.Len(t, truth, len(want))

			sender := newSender(t, at.http, llmtraffic.ProtocolHTTP)
			b := llmtraffic.NewBatch(200)
			var c llmtraffic.Call
			latency := map[string]float64{}
			for p.Next(&c) {
				s := sentOf(&c)
				latency[s.trace+s.span] = s.latency
				b.Add(&c)
				if b.Calls() == 200 {
					deliver(t, sender, b.Take())
				}
			}
			deliver(t, sender, b.Take())

			events := allEvents(t, at.query)
			require.Len(t, events, len(want))
			got := make([]string, len(events))
			seen := map[string]bool{}
			for i, e := range events {
				seen[e.TraceID+e.SpanID] = true
				require.NotNil(t, e.Prompt.Tokens)
				require.NotNil(t, e.Response.Tokens)
				require.NotNil(t, e.LatencyMS)
				// The latency that was sent came back ...
				assert.InDelta(t, latency[e.TraceID+e.SpanID], *e.LatencyMS, 1e-6)
				// ... and is the file's, to the nanosecond of a timestamp, where the file has one.
				r := row{*e.Prompt.Tokens, *e.Response.Tokens, -1}
				if want[0].latency >= 0 {
					r.latency = *e.LatencyMS
				}
				got[i] = r.String()
			}
			assert.Len(t, seen, len(want), "each request has ids of its own")
			expected := make([]string, len(want))
			for i, r := range want {
				if r.latency >= 0 {
					r.latency = float64(time.Duration(r.latency*1e6+.5)) / 1e6
				}
				expected[i] = r.String()
			}
			slices.Sort(got)
			slices.Sort(expected)
			assert.Equal(t, expected, got)
		})
	}
}
