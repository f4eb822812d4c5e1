package score

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// feed judges values at intervals of ten minutes.
func feed(s Scorer, values ...float64) []Judgement {
	var out []Judgement
	for i, x := range values {
		out = append(out, s.Judge(time.Unix(int64(i)*600, 0), x))
	}
	return out
}

func last(j []Judgement) Judgement { return j[len(j)-1] }

// ramp16 is 1..16: mean 8.5, variance 68/3, quartiles 4.75 and 12.25, median
// absolute deviation 4.
func ramp16(next ...float64) []float64 {
	var out []float64
	for i := range 16 {
		out = append(out, float64(i+1))
	}
	return append(out, next...)
}

func TestClassicsByHand(t *testing.T) {
	sd := math.Sqrt(68. / 3)
	tests := []struct {
		method string
		want   float64
	}{
		{"z60", (28.5 - 8.5) / sd},
		{"mad60", .6745 * 20 / 4},
		{"iqr60", (28.5 - 12.25) / 7.5},
		{"cusum60", 2.5}, // z is winsorised at 3
		{"any4", (28.5 - 12.25) / 7.5 / 1.5},
		{"vote3", .6745 * 20 / 4 / 3.5},
	}
	for _, tt := range tests {
		m, err := Find(tt.method)
		require.NoError(t, err)
		j := last(feed(m.New(), ramp16(28.5)...))
		assert.InDelta(t, tt.want, j.Score, 1e-9, tt.method)
		assert.Equal(t, j.Score, j.Evidence, tt.method)
		assert.Equal(t, j.Score >= m.Threshold, j.Alarm, tt.method)
	}
}

func TestFlatWindows(t *testing.T) {
	flat := make([]float64, 40)
	for _, name := range []string{"z60", "mad60", "iqr60", "cusum60"} {
		m, err := Find(name)
		require.NoError(t, err)
		assert.Zero(t, last(feed(m.New(), flat...)).Score, name)
		j := last(feed(m.New(), append(flat, 1)...))
		assert.Positive(t, j.Score, name)
		assert.False(t, math.IsInf(j.Score, 0), name)
	}
}

func TestMADFallsBackToMeanDeviation(t *testing.T) {
	m, err := Find("mad60")
	require.NoError(t, err)
	values := make([]float64, 20)
	values[3] = 20 // MAD 0, mean absolute deviation 1
	j := last(feed(m.New(), append(values, 5)...))
	assert.InDelta(t, 5/1.2533, j.Score, 1e-9)
}

func TestCUSUMStartsAgainAtHalf(t *testing.T) {
	m, err := Find("cusum60")
	require.NoError(t, err)
	j := feed(m.New(), ramp16(100, 1000, 10000)...)
	assert.InDelta(t, 2.5, j[16].Score, 1e-9)
	assert.InDelta(t, 5, j[17].Score, 1e-9)
	assert.True(t, j[17].Alarm)
	assert.InDelta(t, 5, j[18].Score, 1e-9, "2.5 + 3 - .5")
}

func TestWindowedGaussianByHand(t *testing.T) {
	g := newGaussian()
	j := feed(g, 1, 1, 3, 2)
	assert.Zero(t, j[0].Score, "no window yet")
	assert.InDelta(t, .5, j[1].Score, 1e-12, "at the mean")
	assert.Equal(t, 1., j[2].Score, "a million floors away")
	// Window 1, 1, 3: mean 5/3, sd .9428, z .35355.
	assert.InDelta(t, .638163, j[3].Score, 1e-6)
}

func TestWindowedGaussianSlidesBySteps(t *testing.T) {
	g := &gaussian{sd: 1}
	for range gaussianWindow {
		g.Judge(time.Time{}, 1)
	}
	for range gaussianStep - 1 {
		g.Judge(time.Time{}, 2)
	}
	assert.Equal(t, 1., g.mean, "the buffer is not full")
	g.Judge(time.Time{}, 2)
	assert.InDelta(t, 1+float64(gaussianStep)/gaussianWindow, g.mean, 1e-12)
	assert.Len(t, g.window, gaussianWindow)
}

func TestSentinelReportsOnce(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	var values []float64
	for range 300 {
		values = append(values, 100*math.Exp(.1*r.NormFloat64()))
	}
	for range 30 {
		values = append(values, 1000)
	}
	for _, name := range []string{"sentinel", "percall"} {
		m, err := Find(name)
		require.NoError(t, err)
		j := feed(m.New(), values...)
		alarms := 0
		for i, v := range j {
			assert.Equal(t, v.Alarm, v.Score >= m.Threshold, "%s, value %d", name, i)
			if v.Alarm && i >= 300 {
				alarms++
			}
		}
		assert.True(t, j[300].Alarm, name)
		assert.LessOrEqual(t, alarms, 4, "%s: again only when it grows", name)
		assert.GreaterOrEqual(t, j[301].Evidence, m.Threshold, name)
	}
}

func TestSentinelTakesNegativeValues(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	var values []float64
	for range 300 {
		values = append(values, r.NormFloat64())
	}
	values = append(values, 30)
	assert.True(t, last(feed(newSentinel(), values...)).Alarm)
	assert.True(t, last(feed(newPerCall(), values...)).Alarm)
}

// TestCausal compares a series with one that begins alike and goes on
// differently.
func TestCausal(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	const rows, shared = 700, 400
	times := make([]int64, rows)
	a, b := make([]float64, rows), make([]float64, rows)
	for i := range times {
		times[i] = int64(i) * int64(time.Minute)
		a[i] = 10 + r.NormFloat64()
		b[i] = a[i]
		if i >= shared {
			b[i] = -1e6 * r.Float64()
		}
	}
	for _, m := range Methods() {
		x, y := Run(m, times, a), Run(m, times, b)
		assert.Equal(t, x.Scores[:shared], y.Scores[:shared], m.Name)
		assert.Equal(t, x.Evidence[:shared], y.Evidence[:shared], m.Name)
		assert.Equal(t, x.Alarms[:shared], y.Alarms[:shared], m.Name)
	}
}

type odd struct{ n int }

func (o *odd) Judge(time.Time, float64) Judgement {
	o.n++
	return Judgement{Score: []float64{math.Inf(1), math.NaN(), 2}[o.n-1]}
}

func TestRunMakesScoresFinite(t *testing.T) {
	m := Method{New: func() Scorer { return &odd{} }}
	s := Run(m, []int64{1, 2, 3}, []float64{1, 2, 3})
	assert.Equal(t, []float64{math.MaxFloat64, 0, 2}, s.Scores)
}

func TestFindNamesTheChoice(t *testing.T) {
	_, err := Find("no-such")
	assert.ErrorContains(t, err, "sentinel, percall, z60")
}
