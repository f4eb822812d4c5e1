package dataset

import (
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestVLLMLatency(t *testing.T) {
	dir := t.TempDir()
	path := []string{dir, "vllm-burstgpt-logs", "detail_log", "scale100.json"}
	write(t, `{"0": {"first_chunk_time": 1, "total_chunk_time": 2, "record_time": 100.2},
		"5": {"first_chunk_time": 9, "total_chunk_time": 3, "record_time": 103.5},
		"1": {"first_chunk_time": 4, "total_chunk_time": 8, "record_time": 100.9}}`, path...)
	write(t, "TimeStamp,Value,Label\n2018-06-13 00:00:00,5,0\n2018-06-13 01:00:00,6,1\n", dir, "ms-cloud-monitoring", "middle-tier-api-dependency-latency", "x.csv")
	write(t, "TimeStamp,Value,Label\n2018-06-13 00:00:00,5,0\n", dir, "ms-cloud-monitoring", "rps", "y.csv")
	s, err := LatencySeries(dir)
	require.NoError(t, err)
	require.Len(t, s, 3)
	assert.Equal(t, "scale100/first_chunk", s[0].Name)
	assert.InDeltaSlice(t, []float64{2, 9}, s[0].Values, 1e-12, "geometric means; steps without an end are left out")
	assert.InDeltaSlice(t, []float64{4, 3}, s[1].Values, 1e-12)
	assert.Equal(t, 3*time.Second, time.Duration(s[0].Times[1]-s[0].Times[0]))
	assert.Equal(t, "x.csv", s[2].Name)
	assert.Equal(t, []bool{false, true}, s[2].Labels)
	for i := range s {
		assert.Equal(t, Latency, s[i].Kind)
	}

	write(t, `{"7": {"first_chunk_time": 0, "total_chunk_time": 2, "record_time": 1}}`, path...)
	_, err = LatencySeries(dir)
	assert.ErrorContains(t, err, "request 7")
	_, err = LatencySeries(t.TempDir())
	assert.ErrorContains(t, err, "vLLM")
}

func TestCallsOfRates(t *testing.T) {
	s := Series{Name: "s", Group: "g", Step: 10 * time.Second, Times: []int64{5e9, 15e9, 25e9}, Values: []float64{.4, 0, .1}}
	assert.Equal(t, 1., Thinning(&s))
	r := CallsAt(&s, s.Values, 1)
	assert.Equal(t, []int{4, 0, 1}, r.Counts)
	assert.Equal(t, []int64{5e9, 15e9, 25e9}, r.RowTimes())
	assert.Equal(t, []int64{6_250_000_000, 8_750_000_000, 11_250_000_000, 13_750_000_000}, []int64{r.At(0, 0), r.At(0, 1), r.At(0, 2), r.At(0, 3)})
	assert.Equal(t, int64(30e9), r.At(2, 0))
	busy := Series{Values: []float64{8, 0, 4}}
	assert.InDelta(t, .125, Thinning(&busy), 1e-12, "to a mean of .5")
}

func TestArrivalsHaveRealTimes(t *testing.T) {
	dir := t.TempDir()
	write(t, "category,model,window_start_s,req_per_s,active_clients\n", dir, "servegen", "model_rate_10min.csv")
	write(t, "client,window_start_s,req_per_s,iat_cv,dist,p1,p2\n", dir, "servegen", "client_rate_10min", "m.csv")
	write(t, "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:15:46.5,1,1\n2023-11-16 18:15:48,1,1\n2023-11-16 18:16:07,1,1\n2023-11-16 18:16:17.5,1,1\n",
		dir, "azure-llm-2023", "AzureLLMInferenceTrace_conv.csv")
	write(t, `{"timestamp": 3000}`+"\n"+`{"timestamp": 1000}`+"\n"+`{"timestamp": 12000}`+"\n", dir, "mooncake", "conversation_trace.jsonl")
	r, err := Arrivals(dir)
	require.NoError(t, err)
	require.Len(t, r, 2)
	assert.Equal(t, 3, r[0].Rows(), "the last step is left out")
	assert.Equal(t, []int{2, 0, 1}, []int{r[0].Count(0), r[0].Count(1), r[0].Count(2)})
	assert.Equal(t, int64(1_500_000_000), r[0].At(0, 1)-r[0].Start)
	assert.Equal(t, int64(20_500_000_000), r[0].At(2, 0)-r[0].Start)
	assert.Equal(t, []int64{1e9, 3e9}, []int64{r[1].At(0, 0) - r[1].Start, r[1].At(0, 1) - r[1].Start}, "in order")
}

func TestPublicCallsAndLatencies(t *testing.T) {
	dir := os.Getenv("SENTINEL_DATA")
	if _, err := os.Stat(dir); dir == "" || err != nil {
		t.Skip("SKIPPED: set SENTINEL_DATA to the folder of the public series to run this test")
	}
	latencies, err := LatencySeries(dir)
	require.NoError(t, err)
	assert.Len(t, latencies, 12+11)
	r, err := Arrivals(dir)
	require.NoError(t, err)
	assert.Len(t, r, 18)
	calls := map[string]int{}
	for i := range r {
		for row := range r[i].Rows() {
			calls[r[i].Name] += r[i].Count(row)
		}
	}
	assert.InDelta(t, 19366, calls["azure-conv"], 100, "without the last step")
	assert.InDelta(t, 12031, calls["mooncake-conversation"], 100, "without the last step")
}
