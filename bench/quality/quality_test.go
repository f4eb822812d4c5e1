package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/llm-devops/llm-sentinel/bench/quality/internal/clean"
)

func write(t *testing.T, text string, path ...string) {
	t.Helper()
	file := filepath.Join(path...)
	require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o750))
	require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
}

// fakeData is a data folder of noise in the form of the public series.
func fakeData(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	r := rand.New(rand.NewPCG(1, 2))
	value := func(i int) float64 {
		x := 100 + 10*r.NormFloat64()
		if i >= 300 && i < 310 {
			x *= 5
		}
		return x
	}
	start := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, name := range []string{"a", "b"} {
		var nab, cloud strings.Builder
		nab.WriteString("timestamp,value\n")
		cloud.WriteString("TimeStamp,Value,Label\n")
		for i := range 400 {
			at := start.Add(time.Duration(i) * 5 * time.Minute).Format(time.DateTime)
			label := 0
			if i >= 300 && i < 310 {
				label = 1
			}
			fmt.Fprintf(&nab, "%s,%g\n", at, value(i))
			fmt.Fprintf(&cloud, "%s,%g,%d\n", at, value(i), label)
		}
		write(t, nab.String(), dir, "nab", "data", "group", name+".csv")
		write(t, cloud.String(), dir, "ms-cloud-monitoring", "group", name+".csv")
	}
	from, to := start.Add(1490*time.Minute).Format(time.DateTime), start.Add(1550*time.Minute).Format(time.DateTime)
	write(t, fmt.Sprintf(`{"group/a.csv": [[%q, %q]], "group/b.csv": [[%q, %q]]}`, from, to, from, to), dir, "nab", "labels", "combined_windows.json")

	var models, clients, azure, mooncake strings.Builder
	models.WriteString("category,model,window_start_s,req_per_s,active_clients\n")
	clients.WriteString("client,window_start_s,req_per_s,iat_cv,dist,p1,p2\n")
	for i := range 2016 {
		fmt.Fprintf(&models, "language,m,%d,%g,3\n", i*600, 10+r.Float64())
		fmt.Fprintf(&clients, "1,%d,%g,0,,0,0\n", i*600, 1+r.Float64())
	}
	azure.WriteString("TIMESTAMP,ContextTokens,GeneratedTokens\n")
	for i := range 3000 {
		fmt.Fprintf(&azure, "%s,%d,%d\n", start.Add(time.Duration(i)*time.Second).Format(time.DateTime), 100+r.IntN(100), 10+r.IntN(10))
		fmt.Fprintf(&mooncake, "{\"timestamp\": %d, \"input_length\": %d, \"output_length\": %d}\n", i*1000, 100+r.IntN(100), 10+r.IntN(10))
	}
	write(t, models.String(), dir, "servegen", "model_rate_10min.csv")
	write(t, clients.String(), dir, "servegen", "client_rate_10min", "m.csv")
	write(t, azure.String(), dir, "azure-llm-2023", "AzureLLMInferenceTrace_conv.csv")
	write(t, mooncake.String(), dir, "mooncake", "conversation_trace.jsonl")
	requests := map[string]map[string]float64{}
	for i := range 400 {
		requests[strconv.Itoa(i)] = map[string]float64{
			"first_chunk_time": .1 + .01*r.Float64(), "total_chunk_time": 1 + r.Float64(), "record_time": float64(i) / 2,
		}
	}
	log, err := json.Marshal(requests)
	require.NoError(t, err)
	write(t, string(log), dir, "vllm-burstgpt-logs", "detail_log", "scale100.json")
	return dir
}

func quiet(string) {}

func TestRunIsDeterministicAndComplete(t *testing.T) {
	o := options{
		data: fakeData(t), benches: strings.Join(benchNames(), ","), scorer: "sentinel", against: "z60",
		out: filepath.Join(t.TempDir(), "out.json"), noise: clean.Size{Series: 1, Points: 200, Fresh: 2},
	}
	var first, second bytes.Buffer
	require.NoError(t, run(o, &first, quiet))
	text, err := os.ReadFile(o.out)
	require.NoError(t, err)
	require.NoError(t, run(o, &second, quiet))
	assert.Equal(t, first.String(), second.String())
	again, err := os.ReadFile(o.out)
	require.NoError(t, err)
	assert.Equal(t, string(text), string(again))

	var names []string
	for _, m := range regexp.MustCompile(`(?m)^RESULT (\S+) -?[0-9.]+ (?:points|ratio|per_1000h|per_week|steps)$`).FindAllStringSubmatch(first.String(), -1) {
		names = append(names, m[1])
	}
	assert.Equal(t, []string{
		"nab.standard", "nab.low_fp", "nab.low_fn", "nab.default_threshold", "nab.two_fold",
		"cloud.ap", "cloud.vus_pr", "cloud.event_f1",
		"injection.f1", "injection.net_recall_at_10",
		"injection.recall.cost_spike", "injection.recall.seasonal", "injection.recall.slow_drift",
		"injection.recall.throughput_drop", "injection.recall.throughput_surge", "injection.recall.token_shift", "injection.recall_processor", "injection.alerts_processor",
		"injection.recall.latency_shift", "injection.recall.latency_spike",
		"injection.recall.error_burst", "errors.recall_default", "errors.recall_uneven",
		"errors.alerts_per_1000h", "errors.alerts_per_1000h_uneven", "errors.median_delay", "errors.delay_90",
		"injection.recall.outage",
		"clean.alerts_per_1000h", "calibration.worst_factor", "calibration.worst_factor_correlated",
		"calibration.fresh_worst_excess", "calibration.fresh_worst_excess_correlated", "calibration.worst_alerts_per_week",
	}, names)
	lines := strings.Split(strings.TrimSpace(first.String()), "\n")
	for _, l := range lines[len(lines)-len(names):] {
		assert.True(t, strings.HasPrefix(l, "RESULT "), "the RESULT lines come last: %s", l)
	}

	var doc document
	require.NoError(t, json.Unmarshal(text, &doc))
	assert.Equal(t, "sentinel", doc.Scorer)
	assert.Len(t, doc.Results, len(names))
	assert.Len(t, doc.Benches, 7)
}

func TestRunRefuses(t *testing.T) {
	o := options{data: t.TempDir(), benches: "nab", scorer: "sentinel", against: "none"}
	assert.ErrorContains(t, run(o, io.Discard, quiet), "NAB")
	o.benches = "nab,speed"
	assert.ErrorContains(t, run(o, io.Discard, quiet), `"speed"`)
	o.benches, o.scorer = "nab", "oracle"
	assert.ErrorContains(t, run(o, io.Discard, quiet), `"oracle"`)
	o.scorer, o.against = "z60", "oracle"
	assert.ErrorContains(t, run(o, io.Discard, quiet), `"oracle"`)
}

func TestSelectMethods(t *testing.T) {
	all, err := selectMethods("mad60", "all")
	require.NoError(t, err)
	assert.Equal(t, "mad60", all[0].Name)
	assert.Equal(t, "sentinel", all[1].Name)
	one, err := selectMethods("mad60", "none")
	require.NoError(t, err)
	assert.Len(t, one, 1)
}
