package llmtraffic

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Small samples in the layouts of the public files; the numbers are ours.
const (
	azureSample = "TIMESTAMP,ContextTokens,GeneratedTokens\r\n" +
		"2026-01-02 03:04:05.5000000,100,20\r\n2026-01-02 03:04:06.1234567,7,0\r\n"
	mooncakeSample = `{"timestamp": 0, "input_length": 700, "output_length": 50, "hash_ids": [0, 1]}
{"timestamp": 1500, "input_length": 800, "output_length": 60, "hash_ids": []}
`
	vllmSample = `{"0": {"event_id": 0, "out_len": 40, "in_len": 4, "first_chunk_time": 0.5, "total_chunk_time": 2.0, "record_time": 1003.0, "GPU_utilization": 69},
 "2": {"event_id": 2, "out_len": 41, "in_len": 5, "first_chunk_time": 0.25, "total_chunk_time": 0.25, "record_time": 1004.0},
 "1": {"event_id": 1, "out_len": 42, "in_len": 6, "first_chunk_time": 1, "total_chunk_time": 4.5, "record_time": 1006.0}}`
	llmperfSample = `[
  {"error_code": null, "error_msg": "", "inter_token_latency_s": 0.01, "ttft_s": 0.25, "end_to_end_latency_s": 1.5, "number_total_tokens": 11, "number_output_tokens": 1, "number_input_tokens": 10},
  {"error_code": 429, "error_msg": "slow down", "inter_token_latency_s": 0, "ttft_s": 0, "end_to_end_latency_s": 0, "number_total_tokens": 10, "number_output_tokens": 0, "number_input_tokens": 10}
]`
)

func readAll(t testing.TB, text string, f Format) ([]Row, error) {
	t.Helper()
	var rows []Row
	for row, err := range ReadTrace(strings.NewReader(text), "sample", f) {
		if err != nil {
			return rows, err
		}
		rows = append(rows, row)
	}
	return rows, nil
}

func TestReadTraceSamples(t *testing.T) {
	at := func(s float64) time.Time { return time.Unix(0, int64(s*1e9)).UTC() }
	for name, c := range map[string]struct {
		text   string
		format Format
		want   []Row
	}{
		"azure": {azureSample, FormatAzure, []Row{
			{Index: 0, Line: 2, Start: time.Date(2026, 1, 2, 3, 4, 5, 500_000_000, time.UTC), InputTokens: 100, OutputTokens: 20},
			{Index: 1, Line: 3, Start: time.Date(2026, 1, 2, 3, 4, 6, 123_456_700, time.UTC), InputTokens: 7},
		}},
		"mooncake": {mooncakeSample, FormatMooncake, []Row{
			{Index: 0, Line: 1, Start: at(0), Relative: true, InputTokens: 700, OutputTokens: 50},
			{Index: 1, Line: 2, Start: at(1.5), Relative: true, InputTokens: 800, OutputTokens: 60},
		}},
		"vllm rows are put in the order of their start": {vllmSample, FormatVLLM, []Row{
			{Index: 0, Line: 1, Start: at(1001), Relative: true, InputTokens: 4, OutputTokens: 40, Latency: 2 * time.Second, TTFT: 500 * time.Millisecond},
			{Index: 2, Line: 3, Start: at(1001.5), Relative: true, InputTokens: 6, OutputTokens: 42, Latency: 4500 * time.Millisecond, TTFT: time.Second},
			{Index: 1, Line: 2, Start: at(1003.75), Relative: true, InputTokens: 5, OutputTokens: 41, Latency: 250 * time.Millisecond, TTFT: 250 * time.Millisecond},
		}},
		"llmperf": {llmperfSample, FormatLLMPerf, []Row{
			{Index: 0, Line: 2, Start: at(0), Relative: true, InputTokens: 10, OutputTokens: 1, Latency: 1500 * time.Millisecond, TTFT: 250 * time.Millisecond},
			{Index: 1, Line: 3, Start: at(10), Relative: true, InputTokens: 10, ErrorType: "429"},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			for _, f := range []Format{c.format, FormatAuto} {
				rows, err := readAll(t, c.text, f)
				require.NoError(t, err)
				assert.Equal(t, c.want, rows)
			}
		})
	}
}

func TestBadRowsNameFileAndLine(t *testing.T) {
	for _, c := range []struct {
		name   string
		text   string
		format Format
		want   []string
	}{
		{"azure count", azureSample + "2026-01-02 03:04:07,1,x\n", FormatAzure, []string{"sample:4:", "GeneratedTokens"}},
		{"azure negative", azureSample + "2026-01-02 03:04:07,-1,2\n", FormatAzure, []string{"sample:4:", "ContextTokens"}},
		{"azure time", azureSample + "yesterday,1,2\n", FormatAzure, []string{"sample:4:", "TIMESTAMP"}},
		{"azure columns", azureSample + "1,2\n", FormatAzure, []string{"sample:4:", "3 columns"}},
		{"azure header", "a,b,c\n", FormatAzure, []string{"sample:1:", "header"}},
		{"mooncake json", mooncakeSample + "{\n", FormatMooncake, []string{"sample:3:"}},
		{"mooncake missing", mooncakeSample + `{"timestamp":1}` + "\n", FormatMooncake, []string{"sample:3:", "needed"}},
		{"mooncake negative", mooncakeSample + `{"timestamp":-1,"input_length":1,"output_length":1}`, FormatMooncake, []string{"sample:3:", "timestamp"}},
		{"vllm missing", "{\n\"0\": {\"in_len\": 1}}", FormatVLLM, []string{"sample:2:", "needed"}},
		{"vllm order", "{\n\"0\": {\"in_len\": 1,\"out_len\":1,\"first_chunk_time\":2,\"total_chunk_time\":1,\"record_time\":9}}", FormatVLLM, []string{"sample:2:", "first_chunk_time"}},
		{"vllm cut off", vllmSample[:len(vllmSample)-10], FormatVLLM, []string{"sample:3:"}},
		{"llmperf no code", "[\n{\"ttft_s\": 1}]", FormatLLMPerf, []string{"sample:", "error_code"}},
		{"llmperf latency", "[\n\n{\"error_code\":null,\"ttft_s\": -1}]", FormatLLMPerf, []string{"ttft_s"}},
		{"llmperf object", "{}", FormatLLMPerf, []string{"array"}},
		{"unknown", "hello", FormatAuto, []string{"sample:", "format cannot be told"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := readAll(t, c.text, c.format)
			require.Error(t, err)
			for _, w := range c.want {
				assert.ErrorContains(t, err, w)
			}
		})
	}
}

func TestReadTraceStopsWhenTheReaderDoes(t *testing.T) {
	n := 0
	for range ReadTrace(strings.NewReader(mooncakeSample), "sample", FormatMooncake) {
		n++
		break
	}
	assert.Equal(t, 1, n)
}

func TestPublicTracesAreReadCompletely(t *testing.T) {
	for _, c := range []struct {
		path          []string
		rows, failed  int
		input, output int64
	}{
		{[]string{"azure-llm-2023", "AzureLLMInferenceTrace_conv.csv"}, 19366, 0, 22361870, 4088665},
		{[]string{"mooncake", "conversation_trace.jsonl"}, 12031, 0, 144793823, 4122048},
		{[]string{"vllm-burstgpt-logs", "detail_log", "detail_log_scale300_prompt500.json"}, 500, 0, 0, 0},
		{[]string{"llmperf-leaderboard", "lepton_70b.json"}, 150, 130, 0, 0},
	} {
		t.Run(c.path[0], func(t *testing.T) {
			f, err := os.Open(dataDir(t, c.path...))
			require.NoError(t, err)
			defer func() { _ = f.Close() }()
			rows, failed := 0, 0
			var in, out int64
			last := time.Time{}
			for row, err := range ReadTrace(f, c.path[1], FormatAuto) {
				require.NoError(t, err)
				rows++
				in += row.InputTokens
				out += row.OutputTokens
				if row.ErrorType != "" {
					failed++
				}
				require.False(t, row.Start.Before(last), "rows come in the order of their start")
				last = row.Start
			}
			assert.Equal(t, c.rows, rows)
			assert.Equal(t, c.failed, failed)
			if c.input > 0 {
				assert.Equal(t, c.input, in)
				assert.Equal(t, c.output, out)
			}
		})
	}
}

func fuzzTrace(f *testing.F, format Format, sample string) {
	f.Helper()
	f.Add(sample)
	f.Add(sample[:len(sample)/2])
	f.Fuzz(func(t *testing.T, text string) {
		rows, err := readAll(t, text, format)
		for i, r := range rows {
			if r.InputTokens < 0 || r.OutputTokens < 0 || r.Latency < 0 || r.TTFT < 0 || r.Line < 1 {
				t.Fatalf("row %d is not valid: %+v", i, r)
			}
		}
		if err != nil && !strings.HasPrefix(err.Error(), "sample") {
			t.Fatalf("error does not name the file: %v", err)
		}
	})
}

func FuzzAzure(f *testing.F)    { fuzzTrace(f, FormatAzure, azureSample) }
func FuzzMooncake(f *testing.F) { fuzzTrace(f, FormatMooncake, mooncakeSample) }
func FuzzVLLM(f *testing.F)     { fuzzTrace(f, FormatVLLM, vllmSample) }
func FuzzLLMPerf(f *testing.F)  { fuzzTrace(f, FormatLLMPerf, llmperfSample) }
func FuzzAuto(f *testing.F)     { fuzzTrace(f, FormatAuto, mooncakeSample) }
