package drift

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
)

// runs is the number of runs for each row, changed that of calls after the change.
const (
	runs    = 50
	changed = 2000
)

// delay is the number of calls from the change, which comes after before calls,
// to the drift that is found, -1 if there is none.
func delay(seed uint64, before int, shape func(k int, z float64) float64, feed feeder) int {
	rng := rand.New(rand.NewPCG(seed, 5))
	next, add := rng.NormFloat64, feed(rng)
	for k := range before + changed {
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

// found is how often of runs a change was found, and the mean delay in calls of
// those.
func found(before int, shape func(k int, z float64) float64, feed feeder) (share float64, calls int) {
	var all []int
	for i := range runs {
		if d := delay(uint64(i), before, shape, feed); d >= 0 {
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

// What is found, and how soon, of changes of one series with a call each two
// seconds. The seeds are fixed; the bounds leave room for a change of the platform.
func TestPower(t *testing.T) {
	c := DefaultConfig()
	more := func(by float64) func(int, float64) float64 {
		return func(_ int, z float64) float64 { return z + by }
	}
	wider := func(by float64) func(int, float64) float64 {
		return func(_ int, z float64) float64 { return z * by }
	}
	ramp := func(k int, z float64) float64 { return z + math.Log(1+2*min(1, float64(k)/1800))/.8 }
	for _, row := range []struct {
		name   string
		before int
		shape  func(int, float64) float64
		feed   feeder
		least  float64 // share that must be found
		most   float64
	}{
		{"numbers, mean +.3 sd", 12_000, more(.3), numbers(c, .8), 0, .1},
		{"numbers, mean +.5 sd", 12_000, more(.5), numbers(c, .8), .7, 1},
		{"numbers, mean +.7 sd", 12_000, more(.7), numbers(c, .8), 1, 1},
		{"numbers, mean +.7 sd, young series", 3000, more(.7), numbers(c, .8), .8, 1},
		{"numbers, mean +1 sd, young series", 3000, more(1), numbers(c, .8), 1, 1},
		{"numbers, spread x2", 12_000, wider(2), numbers(c, .8), .9, 1},
		{"numbers, spread x3, young series", 3000, wider(3), numbers(c, .8), .9, 1},
		{"numbers, ramp to x3 in an hour", 12_000, ramp, numbers(c, .8), 1, 1},
		{"numbers, ramp to x3 in an hour, young series", 3000, ramp, numbers(c, .8), .9, 1},
		{"relation, noise .2, x1.1", 12_000, more(math.Log(1.1) / .2), relation(c, .2, nil), 0, 0},
		{"relation, noise .2, x1.5", 3000, more(math.Log(1.5) / .2), relation(c, .2, nil), 1, 1},
		{"relation, noise .2, x0.7", 3000, more(math.Log(.7) / .2), relation(c, .2, nil), 1, 1},
		{"relation, noise .8, x1.5", 12_000, more(math.Log(1.5) / .8), relation(c, .8, nil), .9, 1},
		{"relation, noise .8, x2", 3000, more(math.Log(2) / .8), relation(c, .8, nil), .9, 1},
		{"categories, mean +.7 sd", 12_000, more(.7), categories(c), .9, 1},
		{"vectors, one topic of eight", 3000, func(_ int, z float64) float64 { return 2 + z/10 }, vectors(c), .9, 1},
	} {
		share, calls := found(row.before, row.shape, row.feed)
		t.Logf("%s, after %d calls: %.0f %% found, after %d calls", row.name, row.before, 100*share, calls)
		assert.GreaterOrEqual(t, share, row.least, row.name)
		assert.LessOrEqual(t, share, row.most, row.name)
	}
}

// A drift of x alone is no drift of the relation.
func TestAnotherSizeIsNoOtherRelation(t *testing.T) {
	c := DefaultConfig()
	for _, by := range []float64{.3, .5, 2, 4, 20} {
		sizes := func(k int, rng *rand.Rand) float64 {
			x := 400 * math.Exp(.8*rng.NormFloat64())
			if k > 6000 {
				x *= by
			}
			return x
		}
		_, drifts := run(independent, 20, 12_000, relation(c, .2, sizes))
		assert.Zero(t, drifts, "sizes x %v", by)
	}
}

// relation feeds y = 3 x^.5 with noise of the given standard deviation.
func relation(c Config, noise float64, x func(k int, rng *rand.Rand) float64) feeder {
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
