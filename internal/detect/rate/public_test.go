package rate

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// publicData is a file of a public data set, or skips the test loudly.
func publicData(t *testing.T, name ...string) string {
	t.Helper()
	root := os.Getenv("SENTINEL_DATA")
	if root == "" {
		root = filepath.Join("..", "..", "..", "..", "shared", "data")
	}
	path := filepath.Join(append([]string{root}, name...)...)
	if _, err := os.Stat(path); err != nil {
		t.Skipf("SKIPPED: the public data %s is not there; set SENTINEL_DATA to the folder that holds it", filepath.Join(name...))
	}
	return path
}

func lines(t *testing.T, path string, each func(line string)) {
	t.Helper()
	f, err := os.Open(path)
	require.NoError(t, err)
	defer f.Close()
	sc := bufio.NewScanner(f)
	sc.Buffer(nil, 1<<20)
	for sc.Scan() {
		each(sc.Text())
	}
	require.NoError(t, sc.Err())
}

// judgeTimes shows the times of a clean trace of about an hour, then once more
// with a part of the calls left out.
func judgeTimes(t *testing.T, times []int64) {
	t.Helper()
	m := newArrivals(t, nil)
	slices.Sort(times)
	st := &ArrivalState{}
	for _, at := range times {
		if m.Observe(st, at, at+24*hour) == Alarm {
			t.Errorf("alarm on the trace: %+v", st.Report())
		}
	}
	t.Logf("%d calls, %.0f a minute, dispersion of 1, 4, 16 minutes: %.2f %.2f %.2f", len(times), st.rate, st.dispersion(0), st.dispersion(1), st.dispersion(2))
	rng := rand.New(rand.NewPCG(1, 1))
	onset := times[0] + 40*minute
	st = &ArrivalState{}
	found := int64(0)
	for _, at := range times {
		if at >= onset && rng.Float64() > .15 {
			continue
		}
		if m.Observe(st, at, at+24*hour) == Alarm && found == 0 {
			found = st.Report().At - onset
		}
	}
	t.Logf("drop to 15 %%: found after %d s", found/second)
	assert.Positive(t, found)
	assert.LessOrEqual(t, found, 5*minute)
}

func TestAzureTrace(t *testing.T) {
	var times []int64
	lines(t, publicData(t, "azure-llm-2023", "AzureLLMInferenceTrace_conv.csv"), func(line string) {
		text, _, _ := strings.Cut(line, ",")
		if at, err := time.Parse("2006-01-02 15:04:05.9999999", text); err == nil {
			times = append(times, at.UnixNano())
		}
	})
	judgeTimes(t, times)
}

func TestMooncakeTrace(t *testing.T) {
	var times []int64
	lines(t, publicData(t, "mooncake", "conversation_trace.jsonl"), func(line string) {
		var row struct{ Timestamp int64 }
		require.NoError(t, json.Unmarshal([]byte(line), &row))
		times = append(times, start+row.Timestamp*1e6)
	})
	judgeTimes(t, times)
}

// serveGen reads rates in calls a second by series; the windows have 10 minutes.
func serveGen(t *testing.T, path string, key []string) map[string][]float64 {
	t.Helper()
	f, err := os.Open(path)
	require.NoError(t, err)
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	require.NoError(t, err)
	at := func(name string) int { return slices.Index(rows[0], name) }
	out := map[string][]float64{}
	for _, row := range rows[1:] {
		var parts []string
		for _, k := range key {
			parts = append(parts, row[at(k)])
		}
		window, err := strconv.ParseFloat(row[at("window_start_s")], 64)
		require.NoError(t, err)
		rate, err := strconv.ParseFloat(row[at("req_per_s")], 64)
		require.NoError(t, err)
		k, i := strings.Join(parts, "/"), int(window/600)
		for len(out[k]) <= i {
			out[k] = append(out[k], 0)
		}
		out[k][i] = rate
	}
	return out
}

// The requests of real production clients: measured rates in windows of 10
// minutes over 14 days, calls drawn at these rates with Weibull gaps. Busy
// series are thinned to at most one call a second, for time. There are no labels:
// surges and drops of real clients are real. The stops are: windows without a
// call in series that have calls in 97 % of them.
func TestServeGenRates(t *testing.T) {
	type group struct {
		name   string
		series map[string][]float64
		limit  float64 // findings in 1000 series-hours, stops left out
		stops  float64 // share of the stops that must be found
	}
	groups := []group{{"model totals", serveGen(t, publicData(t, "servegen", "model_rate_10min.csv"), []string{"model"}), 15, .9}}
	files, err := filepath.Glob(filepath.Join(publicData(t, "servegen", "client_rate_10min"), "*.csv"))
	require.NoError(t, err)
	for _, f := range files {
		groups = append(groups, group{"clients of " + strings.TrimSuffix(filepath.Base(f), ".csv"), serveGen(t, f, []string{"client"}), 50, 0})
	}
	for _, g := range groups {
		m := newArrivals(t, nil)
		hours, drops, surges, n, calls := 0., 0, 0, 0, 0
		stopped, stopsFound := 0, 0
		for _, name := range sortedKeys(g.series) {
			rates := g.series[name]
			mean, used := 0., 0
			for _, r := range rates {
				mean += r / float64(len(rates))
				if r > 0 {
					used++
				}
			}
			if mean < .01 || used*100 < 97*len(rates) {
				continue // hardly any calls, or not there all the time
			}
			if n++; n > 30 {
				break
			}
			thin := min(1, 1/mean)
			s := newSource(uint64(n), 60).weibull(.915)
			s.rate = func(at float64) float64 { return thin * rates[min(int(at/600), len(rates)-1)] }
			stops := stopsOf(rates)
			stopped += len(stops)
			st, last := &ArrivalState{}, int64(0)
			end := int64(len(rates)) * 600 * second
			for at := s.next(); at < start+end; at = s.next() {
				calls++
				if m.Observe(st, at, at+24*hour) != Alarm || st.onset == last {
					continue // a change that gets worse is one change
				}
				last = st.onset
				if st.report.Change == Drop {
					drops++
					if stops[int((last+5*minute-start)/(10*minute))] {
						stopsFound++
					}
				} else {
					surges++
				}
			}
			hours += float64(end) / float64(hour)
		}
		if n == 0 {
			continue
		}
		per := float64(drops+surges-stopsFound) / hours * 1000
		t.Logf("%s: %d series, %.0f series-hours, %d calls: %d of %d stops, %d other drops, %d surges, %.1f in 1000 series-hours without the stops",
			g.name, n, hours, calls, stopsFound, stopped, drops-stopsFound, surges, per)
		assert.LessOrEqual(t, per, g.limit)
		assert.GreaterOrEqual(t, float64(stopsFound), g.stops*float64(stopped))
	}
}

// stopsOf are the windows after the first day with which a time without a call
// begins.
func stopsOf(rates []float64) map[int]bool {
	out := map[int]bool{}
	for i := 144; i < len(rates); i++ {
		if rates[i] == 0 && rates[i-1] > 0 {
			out[i] = true
		}
	}
	return out
}

func sortedKeys(m map[string][]float64) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

// Error codes of real providers: none of those with a usual share alarms, and
// a provider that begins to refuse calls does.
func TestLLMPerfErrors(t *testing.T) {
	dir := publicData(t, "llmperf-leaderboard")
	files, err := filepath.Glob(filepath.Join(dir, "*.json"))
	require.NoError(t, err)
	m := newErrors(t, nil)
	for _, path := range files {
		raw, err := os.ReadFile(path)
		require.NoError(t, err)
		var rows []struct {
			Code *float64 `json:"error_code"`
		}
		require.NoError(t, json.Unmarshal(raw, &rows))
		f := newFeed(m, 1)
		failed, first := 0, 0
		var r ErrorReport
		for i, row := range rows {
			kind := ""
			if row.Code != nil && *row.Code != 0 && !math.IsNaN(*row.Code) {
				kind = strconv.Itoa(int(*row.Code))
				failed++
			}
			if f.call(kind != "", kind) == Alarm && first == 0 {
				first, r = i+1, m.Report(f.s)
			}
		}
		share := float64(failed) / float64(len(rows))
		t.Logf("%-22s %3d of %3d calls failed, alarm at call %d: %d of %d since the onset, %v", filepath.Base(path), failed, len(rows), first, r.Failed, r.Calls, r.Kinds)
		switch {
		case failed <= 2:
			assert.Zero(t, first, path)
		case share > .2:
			assert.NotZero(t, first, path)
		}
	}
}
