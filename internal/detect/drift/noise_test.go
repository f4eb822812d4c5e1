package drift

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// process makes the standardised noise of one series, one value a call.
type process func(rng *rand.Rand, i int) func() float64

func independent(rng *rand.Rand, _ int) func() float64 { return rng.NormFloat64 }

func autoregressive(rho float64) process {
	return func(rng *rand.Rand, _ int) func() float64 {
		x := rng.NormFloat64()
		return func() float64 {
			x = rho*x + math.Sqrt(1-rho*rho)*rng.NormFloat64()
			return x
		}
	}
}

// daily has a mean that goes up and down by amplitude standard deviations over
// the day; a value comes each 2 seconds.
func daily(amplitude float64) process {
	return func(rng *rand.Rand, i int) func() float64 {
		n := 0
		phase := float64(i)
		return func() float64 {
			n++
			return rng.NormFloat64() + amplitude*math.Sin(phase+2*math.Pi*float64(n)*2/86400)
		}
	}
}

// feeder makes a detector of a new series that is fed with noise, and tells of
// each window that closes.
type feeder func(rng *rand.Rand) func(at int64, z float64) (r Result, closed bool)

const step = 2 * int64(time.Second)

// run counts judgements and drifts over series of n values.
func run(p process, series, n int, feed feeder) (judged, drifts int) {
	for i := range series {
		rng := rand.New(rand.NewPCG(uint64(i), 99))
		next, add := p(rng, i), feed(rng)
		for k := range n {
			if r, closed := add(int64(k+1)*step, next()); closed {
				if r.Judged {
					judged++
				}
				if r.Drift {
					drifts++
				}
			}
		}
	}
	return judged, drifts
}

func numbers(c Config, sigma float64) feeder {
	return func(*rand.Rand) func(int64, float64) (Result, bool) {
		d := NewNumbers(NumberBins)
		return func(at int64, z float64) (Result, bool) {
			if !d.Add(&c, at, NumberBin(int64(400*math.Exp(sigma*z)))) {
				return Result{}, false
			}
			return d.Close(&c, .2), true
		}
	}
}

// categories are five with unequal shares, picked by the value.
func categories(c Config) feeder {
	return func(*rand.Rand) func(int64, float64) (Result, bool) {
		d := NewCategories(8)
		return func(at int64, z float64) (Result, bool) {
			category := 0
			for _, border := range []float64{0, 1, 2, 2.5} {
				if z > border {
					category++
				}
			}
			if !d.Add(&c, at, category) {
				return Result{}, false
			}
			return d.Close(&c, .1), true
		}
	}
}

// vectors are unit vectors around one of four topics, which one is up to the value.
func vectors(c Config) feeder {
	return func(rng *rand.Rand) func(int64, float64) (Result, bool) {
		var d Centroid
		return func(at int64, z float64) (Result, bool) {
			var v Vector
			for i := range v {
				v[i] = float32(rng.NormFloat64() / 8)
			}
			v[int(math.Abs(math.Round(2*z)))%8] += .8
			v.Normalise()
			if !d.Add(&c, at, &v) {
				return Result{}, false
			}
			return d.Close(&c, .05), true
		}
	}
}

// False alarms: 20 days of a call each two seconds for each pair, without one.
// The seeds are fixed.
func TestNoiseIsNoDrift(t *testing.T) {
	c := DefaultConfig()
	for _, p := range []struct {
		name  string
		noise process
	}{
		{"independent", independent},
		{"AR(1) .9", autoregressive(.9)},
		{"AR(1) .99", autoregressive(.99)},
		{"daily .5 sd", daily(.5)},
		{"daily 1 sd", daily(1)},
	} {
		for _, d := range []struct {
			name string
			feed feeder
		}{
			{"narrow numbers", numbers(c, .2)},
			{"wide numbers", numbers(c, 1)},
			{"narrow relation", relation(c, .2, nil)},
			{"wide relation", relation(c, 1, nil)},
			{"categories", categories(c)},
			{"vectors", vectors(c)},
		} {
			judged, drifts := run(p.noise, 10, 86400, d.feed)
			t.Logf("%s, %s: %d drifts in %d judgements, 20 days", d.name, p.name, drifts, judged)
			assert.Greater(t, judged, 5000)
			assert.Zero(t, drifts, "%s, %s", d.name, p.name)
		}
	}
}

// Series that wander for hours on end are the hardest noise: for a while they do
// have another mean. Time constants are 17 minutes, 33 minutes and 1.9 hours;
// share is that of the variance which wanders. 1800 days in all.
func TestSlowWanderingSeldomIsADrift(t *testing.T) {
	c := DefaultConfig()
	total := 0
	for _, rho := range []float64{.998, .999, .9997} {
		for _, share := range []float64{.1, .3, .6, 1} {
			wander := func(rng *rand.Rand, i int) func() float64 {
				slow := autoregressive(rho)(rng, i)
				return func() float64 { return math.Sqrt(share)*slow() + math.Sqrt(1-share)*rng.NormFloat64() }
			}
			for _, feed := range []feeder{numbers(c, .5), relation(c, .5, nil), categories(c)} {
				_, drifts := run(wander, 10, 5*43200, feed)
				total += drifts
			}
		}
	}
	t.Logf("%d drifts in 1800 days", total)
	assert.LessOrEqual(t, total, 25, "about one in ten weeks and series")
}

// Where nothing changes, the p-value is as rare as it says, and errs to the
// careful side. The statistic is looked at before the smallest effect.
func TestPValuesAreHonest(t *testing.T) {
	c := DefaultConfig()
	c.MinDuration, c.Significance = 0, .01
	for name, d := range map[string]feeder{
		"numbers": numbers(c, 1), "categories": categories(c), "relation": relation(c, 1, nil), "vectors": vectors(c),
	} {
		judged, low := 0, 0
		for seed := range uint64(40) {
			rng := newRand(seed)
			add := d(rng)
			for k := range 20_000 {
				if r, closed := add(int64(k), rng.NormFloat64()); closed && r.Judged {
					judged++
					if r.P <= .01 {
						low++
					}
				}
			}
		}
		t.Logf("%s: p <= 0.01 in %.4f of %d", name, float64(low)/float64(judged), judged)
		assert.Less(t, float64(low)/float64(judged), .015, name)
		if name != "vectors" { // of many directions: 3 degrees of freedom are far on the careful side
			assert.Positive(t, low, name)
		}
	}
}
