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
// checks reader, detector and scorer together. Expected are the scores of NAB's
// own result files for these 29 files.
func TestWindowedGaussian(t *testing.T) {
	dir := os.Getenv("SENTINEL_DATA")
	if _, err := os.Stat(dir); dir == "" || err != nil {
		t.Skip("SKIPPED: set SENTINEL_DATA to the folder of the public series to run this test")
	}
	series, err := dataset.NAB(dir)
	require.NoError(t, err)
	m, err := score.Find("gaussian")
	require.NoError(t, err)
	var files []File
	windows := 0
	for i := range series {
		s := &series[i]
		windows += len(s.Windows)
		r := score.Run(m, s.Times, s.Values)
		f := File{Scores: make([]float64, len(r.Scores)), Alarms: r.Alarms, Windows: s.Windows}
		for k, x := range r.Scores {
			// The published files hold 12 digits.
			f.Scores[k], err = strconv.ParseFloat(strconv.FormatFloat(x, 'f', 12, 64), 64)
			require.NoError(t, err)
		}
		files = append(files, f)
	}
	require.Len(t, series, 29)
	require.Equal(t, 61, windows)
	want := []float64{47.4, 31.6, 55.0}
	for i, p := range Profiles() {
		assert.InDelta(t, want[i], Optimise(files, p).Score, .05, p.Name)
	}
}
