package dataset

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func write(t *testing.T, text string, path ...string) {
	t.Helper()
	file := filepath.Join(path...)
	require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o750))
	require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
}

func TestNAB(t *testing.T) {
	dir := t.TempDir()
	write(t, "timestamp,value\n2014-04-01 00:00:00,1\n2014-04-01 00:05:00,2.5\n2014-04-01 00:10:00,-3\n", dir, "nab", "data", "b", "x.csv")
	write(t, "timestamp,value\n2014-04-01 00:00:00,7\n", dir, "nab", "data", "a", "y.csv")
	write(t, `{"b/x.csv": [["2014-04-01 00:05:00.000000", "2014-04-01 00:12:00.000000"]], "a/y.csv": []}`, dir, "nab", "labels", "combined_windows.json")
	s, err := NAB(dir)
	require.NoError(t, err)
	require.Len(t, s, 2)
	assert.Equal(t, "a/y.csv", s[0].Name)
	assert.Empty(t, s[0].Windows)
	assert.Equal(t, "b", s[1].Group)
	assert.Equal(t, []float64{1, 2.5, -3}, s[1].Values)
	assert.Equal(t, []Window{{First: 1, Last: 2}}, s[1].Windows)
	assert.Equal(t, 5*time.Minute, s[1].Step)
	assert.InDelta(t, 1./12, s[1].HoursFrom(1), 1e-12)
	assert.Zero(t, s[1].HoursFrom(3))
}

func TestCloudReadsEveryForm(t *testing.T) {
	dir := t.TempDir()
	write(t, "\"TimeStamp\",\"Value\",\"Label\"\r\n\"2018-06-13T00:00:00Z\",\"482\",\"0\"\r\n2018-06-13 01:00:00,,1\r\n2018-06-13 02:00:00,1.5,1\r\n",
		dir, "ms-cloud-monitoring", "rps", "x.csv")
	s, err := Cloud(dir)
	require.NoError(t, err)
	require.Len(t, s, 1)
	assert.Equal(t, []float64{482, 1.5}, s[0].Values, "the row without a value is left out")
	assert.Equal(t, []bool{false, true}, s[0].Labels)
	assert.Equal(t, 2*time.Hour, s[0].Step)
}

func TestLLM(t *testing.T) {
	dir := t.TempDir()
	var models, clients strings.Builder
	models.WriteString("category,model,window_start_s,req_per_s,active_clients\n")
	clients.WriteString("client,window_start_s,req_per_s,iat_cv,dist,p1,p2\n")
	for i := range servegenPoints {
		fmt.Fprintf(&models, "language,m,%d,20,3\n", i*600)
		fmt.Fprintf(&clients, "1,%d,.2,0,,0,0\n", i*600)               // used
		fmt.Fprintf(&clients, "2,%d,.05,0,,0,0\n", i*600)              // too slow
		fmt.Fprintf(&clients, "3,%d,%d,0,,0,0\n", i*600, min(i%20, 1)) // too often silent
	}
	models.WriteString("language,short,0,1,1\n")
	write(t, models.String(), dir, "servegen", "model_rate_10min.csv")
	write(t, clients.String(), dir, "servegen", "client_rate_10min", "m.csv")
	write(t, "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:15:46.5,100,10\n2023-11-16 18:15:47.5,200,30\n2023-11-16 18:16:07.5,5,6\n2023-11-16 18:16:17.5,5,6\n",
		dir, "azure-llm-2023", "AzureLLMInferenceTrace_conv.csv")
	write(t, `{"timestamp": 0, "input_length": 8, "output_length": 2, "hash_ids": [0]}`+"\n"+`{"timestamp": 12000, "input_length": 1, "output_length": 1}`+"\n",
		dir, "mooncake", "conversation_trace.jsonl")
	s, err := LLM(dir)
	require.NoError(t, err)
	var names []string
	for i := range s {
		names = append(names, s[i].Name)
		assert.Len(t, s[i].Times, len(s[i].Values))
	}
	assert.Equal(t, []string{
		"servegen-models/m", "servegen-m/1",
		"azure-conv/rate", "azure-conv/input_tokens", "azure-conv/output_tokens",
		"mooncake-conversation/rate", "mooncake-conversation/input_tokens", "mooncake-conversation/output_tokens",
	}, names)
	assert.Equal(t, []float64{.2, 0, .1}, s[2].Values, "the last bucket is left out")
	assert.Equal(t, []float64{150, 5}, s[3].Values, "mean tokens, where there are requests")
	assert.Equal(t, []float64{20, 6}, s[4].Values)
	assert.Equal(t, []float64{8}, s[6].Values)
	assert.Equal(t, Tokens, s[6].Kind)
	assert.Equal(t, Throughput, s[0].Kind)
}

func TestErrorsNameTheFile(t *testing.T) {
	dir := t.TempDir()
	_, err := NAB(dir)
	assert.ErrorContains(t, err, dir)
	_, err = Cloud(dir)
	assert.ErrorContains(t, err, dir)
	_, err = LLM(dir)
	assert.ErrorContains(t, err, dir)
	write(t, "TimeStamp,Value,Label\n2018-06-13 02:00:00,many,1\n", dir, "ms-cloud-monitoring", "rps", "x.csv")
	_, err = Cloud(dir)
	assert.ErrorContains(t, err, "x.csv: line 2")
	write(t, "TimeStamp,Value\n", dir, "ms-cloud-monitoring", "rps", "x.csv")
	_, err = Cloud(dir)
	assert.ErrorContains(t, err, `no column "Label"`)
}

// TestPublicSeries checks the sizes that the protocol states for the public
// series.
func TestPublicSeries(t *testing.T) {
	dir := os.Getenv("SENTINEL_DATA")
	if _, err := os.Stat(dir); dir == "" || err != nil {
		t.Skip("SKIPPED: set SENTINEL_DATA to the folder of the public series to run this test")
	}
	llm, err := LLM(dir)
	require.NoError(t, err)
	points, throughput := 0, 0
	for i := range llm {
		points += len(llm[i].Values)
		if llm[i].Kind == Throughput {
			throughput++
		}
	}
	assert.Len(t, llm, 22)
	assert.Equal(t, 18, throughput)
	assert.Equal(t, 34365, points)

	cloud, err := Cloud(dir)
	require.NoError(t, err)
	assert.Len(t, cloud, 30)
	labelled, labels := 0, 0
	for i := range cloud {
		n := 0
		for _, l := range cloud[i].Labels {
			if l {
				n++
			}
		}
		labels += n
		labelled += min(n, 1)
	}
	assert.Equal(t, 28, labelled)
	assert.InDelta(t, 2547, labels, 11, "some rows have a label and no value")

	files, err := NAB(dir)
	require.NoError(t, err)
	windows := 0
	for i := range files {
		windows += len(files[i].Windows)
	}
	assert.Len(t, files, 29)
	assert.Equal(t, 61, windows)
}
