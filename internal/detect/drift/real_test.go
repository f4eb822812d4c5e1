package drift

import (
	"bufio"
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// publicTrace reads the calls of a public trace, or skips the test loudly.
func publicTrace(t *testing.T, name string, parse func(line string) (at, in, out int64, ok bool)) (rows [][3]int64) {
	t.Helper()
	root := os.Getenv("SENTINEL_DATA")
	if root == "" {
		root = "../../../../shared/data"
	}
	f, err := os.Open(filepath.Join(root, name))
	if err != nil {
		t.Skipf("SKIPPED: public data missing, set SENTINEL_DATA: %v", err)
	}
	defer func() { _ = f.Close() }()
	sc := bufio.NewScanner(f)
	sc.Buffer(nil, 1<<22)
	for sc.Scan() {
		if at, in, out, ok := parse(sc.Text()); ok {
			rows = append(rows, [3]int64{at, in, out})
		}
	}
	require.NoError(t, sc.Err())
	require.Greater(t, len(rows), 10_000)
	return rows
}

func azure(line string) (at, in, out int64, ok bool) {
	f := strings.Split(line, ",")
	begin, err := time.Parse("2006-01-02 15:04:05", strings.TrimSuffix(f[0], "+00:00"))
	if err != nil || len(f) != 3 {
		return 0, 0, 0, false
	}
	in, _ = strconv.ParseInt(f[1], 10, 64)
	out, _ = strconv.ParseInt(f[2], 10, 64)
	return begin.UnixNano(), in, out, true
}

func mooncake(line string) (at, in, out int64, ok bool) {
	var r struct {
		Timestamp float64
		Input     int64 `json:"input_length"`
		Output    int64 `json:"output_length"`
	}
	err := json.Unmarshal([]byte(line), &r)
	return int64(r.Timestamp * 1e6), r.Input, r.Output, err == nil
}

// Two hours of production traffic hold no drift, however short the windows are.
func TestProductionTrafficHasNoDrift(t *testing.T) {
	for name, parse := range map[string]func(string) (int64, int64, int64, bool){
		"azure-llm-2023/AzureLLMInferenceTrace_conv.csv": azure, "mooncake/conversation_trace.jsonl": mooncake,
	} {
		rows := publicTrace(t, name, parse)
		for _, duration := range []time.Duration{30 * time.Second, time.Minute, 2 * time.Minute, 5 * time.Minute} {
			c := DefaultConfig()
			c.MinDuration = duration
			in, out, judged := NewNumbers(NumberBins), NewNumbers(NumberBins), 0
			var verbosity Relation
			see := func(r Result) {
				if r.Judged {
					judged++
				}
				assert.False(t, r.Drift, "%s, windows of %v: %+v", name, duration, r)
			}
			for _, r := range rows {
				if in.Add(&c, r[0], NumberBin(r[1])) {
					see(in.Close(&c, .2))
				}
				if out.Add(&c, r[0], NumberBin(r[2])) {
					see(out.Close(&c, .2))
				}
				if verbosity.Add(&c, r[0], float64(r[1]+10), float64(r[2]+10)) {
					see(verbosity.Close(&c, 1.3))
				}
			}
			t.Logf("%s, windows of %v: %d judgements", name, duration, judged)
			assert.Positive(t, judged)
		}
	}
}
