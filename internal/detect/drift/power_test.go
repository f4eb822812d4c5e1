package drift

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
)

// delay is the number of calls from the change, which comes after before calls,
// to the drift that is found, -1 if none is within limit calls.
func delay(seed uint64, p process, before, limit int, shape func(k int, z float64) float64, feed func(rng *rand.Rand) func(at int64, z float64) (Result, bool)) int {
	rng := rand.New(rand.NewPCG(seed, 5))
	next, add := p(rng, int(seed)), feed(rng)
	for k := range before + limit {
		z := next()
		if k >= before {
			z = shape(k-before, z)
		}
		if r, closed := add(int64(k+1)*step, z); closed && r.Drift {
			return k - before
		}
	}
	return -1
}

// found is how often of runs a change was found, and the median delay in calls
// of those.
func found(runs int, p process, before int, shape func(k int, z float64) float64, feed func(rng *rand.Rand) func(at int64, z float64) (Result, bool)) (share float64, calls int) {
	var all []int
	for i := range runs {
		if d := delay(uint64(i), p, before, 2000, shape, feed); d >= 0 {
			all = append(all, d)
		}
	}
	if len(all) == 0 {
		return 0, 0
	}
	sum := 0
	for _, d := range all {
		sum += d
	}
	return float64(len(all)) / float64(runs), sum / len(all)
}

func TestPower(t *testing.T) {
	c := DefaultConfig()
	for _, before := range []int{3000, 12_000} {
		for _, by := range []float64{.3, .5, .7, 1, 1.5} {
			share, calls := found(50, independent, before, func(_ int, z float64) float64 { return z + by }, numbers(c, .8))
			t.Logf("numbers, mean +%v sd, after %d calls: %.0f %% found after %d calls", by, before, 100*share, calls)
		}
		for _, by := range []float64{1.5, 2, 3} {
			share, calls := found(50, independent, before, func(_ int, z float64) float64 { return z * by }, numbers(c, .8))
			t.Logf("numbers, spread x%v, after %d calls: %.0f %% found after %d calls", by, before, 100*share, calls)
		}
		share, calls := found(50, independent, before, func(k int, z float64) float64 { return z + math.Log(1+2*min(1, float64(k)/1800))/.8 }, numbers(c, .8))
		t.Logf("numbers, ramp to x3 in 1800 calls, after %d calls: %.0f %% found after %d calls", before, 100*share, calls)
		for _, by := range []float64{.7, 1.1, 1.2, 1.3, 1.5, 2} {
			for _, noise := range []float64{.2, .8} {
				share, calls := found(50, independent, before, func(_ int, z float64) float64 { return z + math.Log(by)/noise }, relation(c, noise, nil))
				t.Logf("relation, noise %v, ratio %v, after %d calls: %.0f %% found after %d calls", noise, by, before, 100*share, calls)
			}
		}
	}
	assert.True(t, true)
}

// relation feeds y = 3 x^.5 with noise of the given standard deviation.
func relation(c Config, noise float64, x func(k int, rng *rand.Rand) float64) func(rng *rand.Rand) func(int64, float64) (Result, bool) {
	if x == nil {
		x = func(_ int, rng *rand.Rand) float64 { return 400 * math.Exp(.8*rng.NormFloat64()) }
	}
	return func(rng *rand.Rand) func(int64, float64) (Result, bool) {
		var r Relation
		k := 0
		return func(at int64, z float64) (Result, bool) {
			x := x(k, rng)
			k++
			if !r.Add(&c, at, x, 3*math.Sqrt(x)*math.Exp(noise*z)) {
				return Result{}, false
			}
			return r.Close(&c, 1.3), true
		}
	}
}
