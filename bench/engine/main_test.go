package main

import (
	"bytes"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestEveryFigureIsPrintedAndWritten(t *testing.T) {
	o := options{sizes: []int{10, 100}, events: 2 * chunk, runs: 1, out: filepath.Join(t.TempDir(), "out.json")}
	var out bytes.Buffer
	require.NoError(t, run(o, &out, func(string) {}))
	text, err := os.ReadFile(o.out)
	require.NoError(t, err)
	var doc document
	require.NoError(t, json.Unmarshal(text, &doc))
	byName := map[string]float64{}
	for _, r := range doc.Results {
		byName[r.Name] = r.Value
		assert.Contains(t, out.String(), "RESULT "+r.Name+" ")
		assert.False(t, math.IsNaN(r.Value) || math.IsInf(r.Value, 0), r.Name)
	}
	for _, name := range []string{"full_ns_10", "full_ns_100", "classic_ns_100", "full_zipf_ns_100", "full_single_ns_100", "classic_slab_ns_100", "full_p99_ns_100", "events_per_s_100", "snapshot_bytes_per_series"} {
		assert.Positive(t, byName["engine."+name], name)
	}
	assert.Contains(t, byName, "engine.bytes_per_series")
	assert.Equal(t, len(doc.Results), strings.Count(out.String(), "RESULT "))
	assert.Zero(t, math.Round(byName["engine.allocs_per_event"]*100), "judging does not allocate")
}

func TestSizesThatDoNotFitAreReducedAndSaidSo(t *testing.T) {
	fitting, notes := fit([]int{100, 1_000_000}, 1000*perSeries)
	assert.Equal(t, 100, fitting[0])
	assert.LessOrEqual(t, uint64(fitting[1])*perSeries, 750*perSeries)
	require.Len(t, notes, 1)
	assert.Contains(t, notes[0], "instead of 1000000 series")
	fitting, notes = fit([]int{1_000_000}, 0)
	assert.Equal(t, []int{1_000_000}, fitting, "when nothing is known nothing is reduced")
	assert.Empty(t, notes)
}

func TestASnapshotHoldsEverySeries(t *testing.T) {
	for _, set := range detectorSets() {
		o := options{events: chunk, runs: 1}
		f, err := set.measure(set.name, 200, o)
		require.NoError(t, err)
		assert.Greater(t, f.snapshot, 100.)
	}
}

func TestOptionsThatCannotBeUsedAreNamed(t *testing.T) {
	require.ErrorContains(t, parseSizes(&options{}, "100,x"), `series must be numbers in 1..10000000, got "x"`)
	require.ErrorContains(t, run(options{runs: 0, events: 1}, &bytes.Buffer{}, nil), "want events >= 512 and runs >= 1, got 1, 0")
}
