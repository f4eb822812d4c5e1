package ensemble

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// ending returns a state whose newest 32 values are about 100, and the last of
// them times a ratio for so many.
func ending(n int, ratio float64) (s State) {
	s.origin, s.unit = 100, 1
	for i := range recentSize {
		x := 100 * (1 + .1*float64(i%3))
		if i >= recentSize-n {
			x *= ratio
		}
		s.recent[i] = float32(x - s.origin)
	}
	return s
}

func TestAGapIsThereWhenAllOfTheNewestAreBelowAllBefore(t *testing.T) {
	gap := func(n int, ratio float64) float64 {
		s := ending(n, ratio)
		return s.gap(recentSize-1, 1e-9)
	}
	// The highest of the newest is 120 / 2, the lowest of the others 100.
	assert.InDelta(t, gapDecades*math.Log(100/60.), gap(gapNew, .5), 1e-6)
	assert.Zero(t, gap(gapNew-1, .5), "one of them is not below")
	assert.Zero(t, gap(gapNew+1, .5), "one of those before is not above")
	assert.Zero(t, gap(gapNew, 4), "a rise is none")
	assert.InDelta(t, gapMost, gap(gapNew, 0), 0)
}

func TestARiseIsMeasuredByTheNoiseBesideIt(t *testing.T) {
	rise := func(noise, ratio, serial float64) float64 {
		r := rand.New(rand.NewPCG(1, 1))
		var l logs
		for i := range l {
			l[i] = noise * r.NormFloat64()
			if i < riseNew {
				l[i] += math.Log(ratio)
			}
		}
		return l.rise(serial, 0)
	}
	assert.InDelta(t, riseMost, rise(.15, 2, 0), 0)
	assert.Less(t, rise(.9, 2, 0), 2.5, "noise of a factor of 2.5")
	assert.Less(t, rise(.15, 1.05, 0), 1.)
	assert.Zero(t, rise(.15, .5, 0), "a fall is none")
	assert.Less(t, rise(.15, 2, .9), 1., "a series that wanders")
	assert.Equal(t, rise(.15, 2, 0), rise(.15, 2, -.5), "values that alternate are as good as independent ones")
}

func TestOneValueMakesNoRise(t *testing.T) {
	var l logs
	for i := range l {
		l[i] = .1 * float64(i%3)
	}
	without := l.rise(0, 0)
	l[3] += 5
	assert.InDelta(t, without, l.rise(0, 0), .4)
}

func TestTheSerialCorrelationOfASeriesIsLearned(t *testing.T) {
	for _, rho := range []float64{0, .5, .9} {
		r := rand.New(rand.NewPCG(2, 2))
		values := make([]float64, 3000)
		last := 0.
		for i := range values {
			last = rho*last + math.Sqrt(1-rho*rho)*r.NormFloat64()
			values[i] = 100 * math.Exp(.1*last)
		}
		m := newModel(t, Config{})
		var s State
		for i, x := range values {
			m.Observe(&s, int64(i)*60e9, x)
		}
		// Sixteen values show less of it than there is.
		assert.InDelta(t, rho, float64(s.serial), .25, "%v", rho)
		assert.GreaterOrEqual(t, float64(s.serial), rho/2, "%v", rho)
	}
}

// A third of this series are incidents, so that for ranks they are usual.
func TestIncidentsOfAShortSeriesDoNotHideTheNextLikeThem(t *testing.T) {
	found, events, other := 0, 0, 0
	for seed := range uint64(10) {
		r := rand.New(rand.NewPCG(seed, 3))
		values := make([]float64, 500)
		inside := func(i int) bool { return i >= 140 && (i-140)%120 < 40 }
		for i := range values {
			values[i] = 1000 * math.Exp(.2*r.NormFloat64())
			if inside(i) {
				values[i] *= 2.5
			}
		}
		v := feed(t, values)
		for first := 140; first < 500; first += 120 {
			events++
			if within(v, first, first+24) >= 0 {
				found++
			}
		}
		for _, at := range alarms(v) {
			if !inside(at) && !inside(at-16) {
				other++
			}
		}
	}
	require.Equal(t, 30, events)
	// Ranks alone find 11.
	assert.GreaterOrEqual(t, found, 27)
	assert.LessOrEqual(t, other, 6)
}

func TestAFallToAQuarterThatLastsIsFoundInASeriesThatPausesByItself(t *testing.T) {
	found := 0
	const series = 20
	for seed := range uint64(series) {
		r := rand.New(rand.NewPCG(seed, 4))
		values := make([]float64, 1600)
		pause := 0
		for i := range values {
			values[i] = 20 * math.Exp(.1*r.NormFloat64())
			if pause == 0 && i < 1460 && r.IntN(60) == 0 {
				pause = 1 + r.IntN(10)
			}
			if pause > 0 {
				pause--
				values[i] *= .05
			}
			if i >= 1500 && i < 1520 {
				values[i] *= .25
			}
		}
		if v := feed(t, values); within(v, 1500, 1523) >= 0 {
			found++
		}
	}
	// Ranks alone find 2.
	assert.GreaterOrEqual(t, found, series*3/4)
}

func TestSeriesOfZerosAndBelowZeroAreCompared(t *testing.T) {
	for _, c := range []struct {
		name  string
		value func(i int, noise float64) float64
	}{
		{"zeros with a few values", func(i int, noise float64) float64 {
			if i%9 == 0 {
				return 5 + noise
			}
			return 0
		}},
		{"below zero", func(_ int, noise float64) float64 { return -100 + noise }},
		{"large", func(_ int, noise float64) float64 { return 1e29 * (1 + .01*noise) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := rand.New(rand.NewPCG(5, 5))
			values := make([]float64, 400)
			for i := range values {
				values[i] = c.value(i, r.NormFloat64())
			}
			for i, v := range feed(t, values) {
				for d, x := range v.Decades {
					require.False(t, math.IsNaN(x) || math.IsInf(x, 0) || x < 0, "value %d, %s: %v", i, Name(d), x)
				}
			}
		})
	}
	// To half as far below zero is a fall of the size.
	values := noise(8, 400)
	for i := range values {
		values[i] = -values[i]
		if i >= 300 {
			values[i] /= 4
		}
	}
	v := feed(t, values)
	assert.Positive(t, v[300+gapNew-1].Decades[Gap])
	assert.Zero(t, v[300+gapNew].Decades[Gap])
}
