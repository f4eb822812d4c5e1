package nab

import (
	"os"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/llm-devops/llm-sentinel/bench/quality/internal/dataset"
	"github.com/llm-devops/llm-sentinel/bench/quality/internal/score"
)

// TestWindowedGaussian rebuilds a detector whose scores are published, and so
// checks reader, detector and scorer together.
func TestWindowedGaussian(t *testing.T) {
	dir := os.Getenv("SENTINEL_DATA")
	if _, err := os.Stat(dir); dir == "" || err != nil {
		t.Skip("SKIPPED: set SENTINEL_DATA to the folder of the public series to run this test")
	}
	series, err := dataset.NAB(dir)
	require.NoError(t, err)
	m, err := score.Find("gaussian")
	require.NoError(t, err)
	var full, rounded []File
	windows := 0
	for i := range series {
		s := &series[i]
		windows += len(s.Windows)
		r := score.Run(m, s.Times, s.Values)
		f := File{Scores: r.Scores, Alarms: r.Alarms, Windows: s.Windows}
		full = append(full, f)
		f.Scores = make([]float64, len(r.Scores))
		for k, x := range r.Scores {
			// The published files hold 12 digits.
			f.Scores[k], err = strconv.ParseFloat(strconv.FormatFloat(x, 'f', 12, 64), 64)
			require.NoError(t, err)
		}
		rounded = append(rounded, f)
	}
	require.Len(t, series, 29)
	require.Equal(t, 61, windows)
	want := []float64{47.4, 31.6, 55.0}
	for i, p := range Profiles() {
		t.Logf("%s: full %.4f, rounded %.4f", p.Name, Optimise(full, p).Score, Optimise(rounded, p).Score)
		assert.InDelta(t, want[i], Optimise(rounded, p).Score, .05, p.Name)
	}
}
