package inject

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/llm-devops/llm-sentinel/bench/quality/internal/dataset"
	"github.com/llm-devops/llm-sentinel/bench/quality/internal/evaluate"
	"github.com/llm-devops/llm-sentinel/bench/quality/internal/score"
)

func constant(kind dataset.Kind, rows int, step time.Duration, x float64) dataset.Series {
	s := dataset.Series{Name: "s", Group: "g", Kind: kind, Step: step}
	for i := range rows {
		s.Times = append(s.Times, int64(i)*int64(step))
		s.Values = append(s.Values, x)
	}
	return s
}

// limits of what an incident does to a constant series: factors and lengths.
var limits = map[string][4]float64{
	"throughput_drop":  {0, .3, 6, 24},
	"throughput_surge": {2.5, 5, 6, 24},
	"slow_drift":       {1, 3, 60, 150},
	"seasonal":         {0, 0, 36, 72},
	"cost_spike":       {3, 8, 1, 5},
	"token_shift":      {1.8, 3, 20, 60},
}

func TestInjectKeepsToTheRules(t *testing.T) {
	seen := map[string]int{}
	for seed := range uint64(200) {
		kind, rows, want := dataset.Throughput, 2016, 5
		if seed%2 == 0 {
			kind, rows, want = dataset.Tokens, 350, 3
		}
		s := constant(kind, rows, 10*time.Minute, 100)
		values, events := Inject(&s, Incidents(), seed)
		again, _ := Inject(&s, Incidents(), seed)
		assert.Equal(t, values, again)
		assert.Len(t, events, want)
		slot := (rows - rows/4) / want
		inside := make([]bool, rows)
		for i, e := range events {
			seen[e.Type]++
			l := limits[e.Type]
			length := e.Last - e.First + 1
			assert.LessOrEqual(t, length, int(.6*float64(slot)), "%v", e)
			assert.LessOrEqual(t, length, int(l[3]), "%v", e)
			assert.GreaterOrEqual(t, length, min(int(l[2]), int(.6*float64(slot))), "%v", e)
			assert.GreaterOrEqual(t, e.First, rows/4+i*slot, "%v", e)
			assert.Less(t, e.Last, rows/4+(i+1)*slot, "%v", e)
			for k := e.First; k <= e.Last; k++ {
				inside[k] = true
				if e.Type != "seasonal" { // may repeat another event
					assert.GreaterOrEqual(t, values[k], 100*l[0], "%v", e)
					assert.LessOrEqual(t, values[k], 100*l[1], "%v", e)
				}
			}
		}
		for k, x := range values {
			assert.True(t, inside[k] || x == 100, "row %d is outside the events", k)
		}
	}
	assert.Len(t, seen, len(limits), "all types: %v", seen)
	for typ, n := range seen {
		assert.Greater(t, n, 50, typ)
	}
}

func TestShortStepsHaveNoSeason(t *testing.T) {
	for seed := range uint64(100) {
		s := constant(dataset.Throughput, 350, 10*time.Second, 100)
		_, events := Inject(&s, Incidents(), seed)
		for _, e := range events {
			assert.NotEqual(t, "seasonal", e.Type)
		}
	}
}

func TestSeasonRepeatsHalfADay(t *testing.T) {
	x := make([]float64, 300)
	for i := range x {
		x[i] = float64(i)
	}
	earlier(nil, x, evaluate.Event{First: 200, Last: 240}, 0)
	assert.Equal(t, 199., x[199])
	assert.Equal(t, 128., x[200])
	assert.Equal(t, 168., x[240])
	assert.Equal(t, 241., x[241])
}

// perfect fires where a value differs from the first one.
type perfect struct{ first float64 }

func (p *perfect) Judge(_ time.Time, x float64) score.Judgement {
	if p.first == 0 {
		p.first = x
	}
	d := math.Abs(x - p.first)
	return score.Judgement{Score: d, Evidence: d, Alarm: d > 0}
}

func TestBench(t *testing.T) {
	series := []dataset.Series{constant(dataset.Throughput, 2016, 10*time.Minute, 100), constant(dataset.Tokens, 350, 10*time.Second, 100)}
	r := Bench(score.Method{New: func() score.Scorer { return &perfect{} }}, series, Incidents())
	assert.Equal(t, 24, r.Default.Total.Events, "3 runs of 5 and of 3")
	assert.Zero(t, r.Default.AlertsPer1000h)
	assert.Zero(t, r.Default.Total.Sham)
	assert.Zero(t, r.Default.Total.Spurious)
	assert.GreaterOrEqual(t, r.Default.Total.Recall(), .7, "a seasonal event of a constant series changes nothing")
	assert.Equal(t, r.Default.Total, r.Best.Total)
	assert.Equal(t, r.Default.Total, r.At10.Total)
}

// always fires on every value.
type always struct{}

func (always) Judge(time.Time, float64) score.Judgement {
	return score.Judgement{Score: 1, Evidence: 1, Alarm: true}
}

func TestAlwaysFiringFindsNothing(t *testing.T) {
	series := []dataset.Series{constant(dataset.Throughput, 2016, 10*time.Minute, 100)}
	r := Bench(score.Method{New: func() score.Scorer { return always{} }}, series, Incidents())
	assert.Zero(t, r.Default.Total.Found, "it has one onset, before everything")
	assert.Equal(t, 1., r.Default.Duty)
	assert.Zero(t, r.Best.Total.Events, "no threshold is admissible")
}
