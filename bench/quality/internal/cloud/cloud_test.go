package cloud

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/llm-devops/llm-sentinel/bench/quality/internal/dataset"
	"github.com/llm-devops/llm-sentinel/bench/quality/internal/evaluate"
	"github.com/llm-devops/llm-sentinel/bench/quality/internal/score"
)

// identity scores a value by itself.
type identity struct{}

func (identity) Judge(_ time.Time, x float64) score.Judgement {
	return score.Judgement{Score: x, Evidence: x, Alarm: x >= 3}
}

var method = score.Method{Name: "identity", New: func() score.Scorer { return identity{} }}

// series has 100 rows with the given values and labels.
func series(name string, values map[int]float64, labels ...int) dataset.Series {
	s := dataset.Series{Name: name, Values: make([]float64, 100), Labels: make([]bool, 100), Times: make([]int64, 100)}
	for i, x := range values {
		s.Values[i] = x
	}
	for _, i := range labels {
		s.Labels[i] = true
	}
	return s
}

func TestBench(t *testing.T) {
	r := Bench(method, []dataset.Series{
		// Two events; the first is found by the row before it. Row 3 is warm-up.
		series("a", map[int]float64{3: 9, 19: 5, 20: 4, 50: 2}, 3, 20, 21, 80),
		// One false alert, of three rows.
		series("b", map[int]float64{30: 4, 33: 4, 39: 4}),
	})
	assert.Len(t, r.BySeries, 1, "b has no labels")
	// Of a: 20 is second in the ranking; 21 and 80 are tied with all zeros.
	assert.InDelta(t, (1./2+2*3./90)/3, r.AP, 1e-12)
	assert.Equal(t, evaluate.Counts{Events: 2, Found: 1, Spurious: 1}, r.Default.Counts)
	assert.InDelta(t, 5./180, r.Default.Duty, 1e-12)
	assert.Equal(t, evaluate.Counts{Events: 2, Found: 1}, r.Best.Counts)
	assert.Equal(t, 5., r.Best.Threshold)
}

func TestDutyCap(t *testing.T) {
	always := map[int]float64{}
	for i := range 100 {
		always[i] = 1
	}
	r := Bench(method, []dataset.Series{series("a", always, 50)})
	assert.Zero(t, r.Best.Counts.Found, "a method that always fires has no admissible threshold")
}

func TestShamIsHalfASeriesAway(t *testing.T) {
	e := shifted([]evaluate.Event{{First: 20, Last: 22}, {First: 80, Last: 80}}, 10, 100)
	assert.Equal(t, []evaluate.Event{{First: 65, Last: 67}, {First: 35, Last: 35}}, e)
	r := Bench(method, []dataset.Series{series("a", map[int]float64{65: 4}, 20)})
	assert.Equal(t, evaluate.Counts{Events: 1, Spurious: 1, Sham: 1}, r.Default.Counts)
}

func TestVUSPR(t *testing.T) {
	values := map[int]float64{}
	for i := range 100 {
		values[i] = float64(i)
	}
	r := Bench(method, []dataset.Series{series("trend", values, 50, 99), series("flat", nil)})
	assert.Zero(t, r.Buffer, "a trend has no period")
	// Row 99 comes first: half of the points, times half of the events. Row 50 is
	// the 50th.
	assert.InDelta(t, .25+.75*2/50, r.VUSPR, 1e-12)
	assert.Equal(t, map[string]float64{"trend": r.VUSPR}, r.VUSBySeries, "one has no labels")
}

func TestBufferIsHalfOfTheMedianPeriod(t *testing.T) {
	wave := func(period int, labels ...int) dataset.Series {
		values := map[int]float64{}
		for i := range 100 {
			values[i] = float64(i % period)
		}
		return series("w", values, labels...)
	}
	all := []dataset.Series{wave(10, 5), wave(20, 5), wave(30, 5), wave(8), series("flat", nil, 5)}
	assert.Equal(t, 10, buffer(all), "of 10, 20 and 30: one has no labels, one no period")
	assert.Zero(t, buffer(nil))
}
