package inject

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/llm-devops/llm-sentinel/bench/quality/internal/dataset"
	"github.com/llm-devops/llm-sentinel/bench/quality/internal/evaluate"
	"github.com/llm-devops/llm-sentinel/bench/quality/internal/score"
)

func TestOutagesLastAsLongAsRealOnes(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var minutes []int
	for range 20000 {
		minutes = append(minutes, outage(r, time.Minute))
	}
	slices.Sort(minutes)
	assert.InDelta(t, 65, minutes[10000], 3)
	assert.InDelta(t, 300, minutes[18000], 20)
	assert.Equal(t, 1, outage(r, 1000*time.Hour), "at least one step")
}

func TestOutagesLeaveNearlyNothing(t *testing.T) {
	for seed := range uint64(30) {
		s := constant(dataset.Throughput, 2016, 10*time.Minute, 100)
		values, events := Inject(&s, Outages(), seed)
		assert.Len(t, events, 5)
		low := 0
		for _, e := range events {
			assert.Equal(t, "outage", e.Type)
			for i := e.First; i <= e.Last; i++ {
				assert.LessOrEqual(t, values[i], 2.)
				low++
			}
		}
		slices.Sort(values)
		assert.Equal(t, 100., values[low], "all others are as they were")
	}
}

func TestLatencyPlan(t *testing.T) {
	limits := map[string][4]float64{"latency_spike": {3, 8, 1, 5}, "latency_shift": {1.8, 3, 20, 60}}
	seen := map[string]int{}
	for seed := range uint64(60) {
		s := constant(dataset.Latency, 1200, time.Second, 2)
		s.Values[500] = 0 // a spike takes the median there
		values, events := Inject(&s, Incidents(), seed)
		for _, e := range events {
			seen[e.Type]++
			l := limits[e.Type]
			n := float64(e.Last - e.First + 1)
			assert.True(t, n >= l[2] && n <= l[3], "%v", e)
			for i := e.First; i <= e.Last; i++ {
				if i == 500 && e.Type == "latency_shift" {
					continue
				}
				assert.True(t, values[i] >= 2*l[0] && values[i] <= 2*l[1], "%v: %v", e, values[i])
			}
		}
	}
	assert.Len(t, seen, 2)
}

func TestAlwaysFiringFindsNoOutage(t *testing.T) {
	series := []dataset.Series{constant(dataset.Throughput, 2016, 10*time.Minute, 100)}
	r := Bench(score.Method{New: func() score.Scorer { return always{} }}, series, Outages())
	assert.Equal(t, 15, r.Default.Total.Events)
	assert.Zero(t, r.Default.Total.Found)
	assert.Zero(t, r.At10.Total.Events, "no threshold is admissible")
}

// alarms are those at the given rows of 100.
func alarms(rows ...int) score.Scored {
	s := score.Scored{Alarms: make([]bool, 100)}
	for _, i := range rows {
		s.Alarms[i] = true
	}
	return s
}

func TestPointByHand(t *testing.T) {
	p := AtDefault([]Scored{
		{
			Group: "a", From: 20, Hours: 2,
			// One alert in the known anomaly, one elsewhere, and one in the warm-up.
			Clean: alarms(5, 31, 70), Known: []evaluate.Event{{First: 30, Last: 32}},
			Runs: []Run{{
				// The first is found late, by an alert of the clean series, too; the
				// second at once. The known anomaly is no false alert, row 55 is one.
				Scored: alarms(31, 55, 70, 90),
				Events: []evaluate.Event{{First: 68, Last: 72, Type: "x"}, {First: 90, Last: 91, Type: "y"}},
			}},
		},
		{Group: "b", From: 20, Hours: 2, Clean: alarms(), Runs: []Run{{
			Scored: alarms(), Events: []evaluate.Event{{First: 50, Last: 51, Type: "x"}},
		}}},
	})
	assert.Equal(t, evaluate.Counts{Events: 3, Found: 2, Spurious: 1, Sham: 1}, p.Total)
	assert.Equal(t, evaluate.Counts{Events: 2, Found: 1, Sham: 1}, p.ByType["x"])
	assert.Equal(t, evaluate.Counts{Events: 1}, p.ByGroup["b"]["x"])
	assert.Equal(t, evaluate.Counts{Events: 1, Found: 1}, p.ByGroup["a"]["y"])
	assert.Equal(t, 250., p.AlertsPer1000h, "one alert in 4 hours that is not known")
	assert.Equal(t, 2./160, p.Duty)
	assert.Equal(t, 0, p.Delay)
	assert.Equal(t, 2, p.Delay90)
}
