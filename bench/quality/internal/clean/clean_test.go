package clean

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/llm-devops/llm-sentinel/bench/quality/internal/dataset"
	"github.com/llm-devops/llm-sentinel/bench/quality/internal/score"
)

func TestFamilies(t *testing.T) {
	means := map[string]float64{
		"normal": 100, "lognormal .8": 137.7, "Student t3": 100, "AR(1) .7": 100,
		"diurnal": 100.5, "Poisson 5": 5, "90 % zeros": 11.33,
	}
	for _, f := range families() {
		next := f.new(rand.New(rand.NewPCG(1, 2)))
		again := f.new(rand.New(rand.NewPCG(1, 2)))
		sum, n := 0., 100*period
		for range n {
			x := next()
			assert.Equal(t, x, again())
			sum += x
		}
		assert.InEpsilon(t, means[f.name], sum/float64(n), .05, f.name)
	}
}

// TestTextbookRates compares with published simulations of the same rules.
func TestTextbookRates(t *testing.T) {
	m, err := score.Find("z60")
	require.NoError(t, err)
	rates := Honesty(m, Size{Series: 10, Points: 3000, Fresh: 10})
	assert.Equal(t, rates, Honesty(m, Size{Series: 10, Points: 3000, Fresh: 10}), "the same noise every time")
	by := map[string]Rate{}
	for _, r := range rates {
		by[r.Family] = r
	}
	assert.InDelta(t, .0038, by["normal"].Settled, .0015)
	assert.InDelta(t, .026, by["lognormal .8"].Settled, .005)
	assert.Equal(t, 10*(3000-early), by["normal"].Values)
}

// metronome fires on every 30th value.
type metronome struct{ n int }

func (f *metronome) Judge(time.Time, float64) score.Judgement {
	f.n++
	return score.Judgement{Alarm: f.n%30 == 0}
}

func TestAlarmsOfAWeekAreCounted(t *testing.T) {
	all := Weeks(score.Method{New: func() score.Scorer { return &metronome{} }}, 3)
	assert.Len(t, all, len(families()))
	for _, w := range all {
		assert.Equal(t, [...]float64{10080 / 30., 67 / 2.}, w.PerWeek, w.Family)
		assert.Equal(t, [...]float64{1440 / 30., 4}, w.FirstDay, w.Family)
	}
	assert.InDelta(t, 336, WorstWeek(all), 0)
}

func TestTraces(t *testing.T) {
	s := dataset.Series{Group: "g"}
	for i := range 401 {
		s.Times = append(s.Times, int64(i)*int64(time.Hour))
		s.Values = append(s.Values, 1)
	}
	groups, all := Traces(score.Method{New: func() score.Scorer { return &metronome{} }}, []dataset.Series{s, s})
	assert.Equal(t, Count{Series: 2, Points: 602, Hours: 602 - 2, Alerts: 20}, all)
	assert.Equal(t, all, groups["g"])
	assert.InDelta(t, 20/.6, all.Per1000h(), 1e-9)
	assert.InDelta(t, 2e5/602, all.Per10000(), 1e-9)
	assert.Zero(t, Count{}.Per1000h())
	assert.Zero(t, Count{}.Per10000())
}

// always gives every value the same p-value, from the 33rd on.
type always struct{ n int }

func (a *always) Judge(time.Time, float64) score.Judgement {
	a.n++
	if a.n <= firstVerdict {
		return score.Judgement{P: 1}
	}
	return score.Judgement{P: .004}
}

func TestCalibrationOfFreshSeries(t *testing.T) {
	m := score.Method{New: func() score.Scorer { return &always{} }}
	all := Calibrate(m, Size{Series: 1, Points: 100, Fresh: 3})
	require.Len(t, all, len(families()))
	for _, c := range all {
		assert.Equal(t, 3*freshSeries*(freshLength-firstVerdict), c.FreshValues)
		assert.InDelta(t, 100, c.Fresh[0], 1e-9)
		assert.Zero(t, c.Fresh[1])
		assert.InDelta(t, 100, c.Excess(), 1e-9)
	}
	assert.InDelta(t, 100, WorstExcess(all, true), 1e-9)
	assert.Equal(t, 1., Calibration{}.Excess())
}
