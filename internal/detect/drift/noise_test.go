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

const step = 2 * int64(time.Second)

// run counts judgements and drifts over series of n values.
func run(p process, series, n int, feed func(rng *rand.Rand) func(at int64, z float64) (Result, bool)) (judged, drifts int) {
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

func numbers(c Config, sigma float64) func(rng *rand.Rand) func(int64, float64) (Result, bool) {
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

func TestNoiseIsNoDrift(t *testing.T) {
	c := DefaultConfig()
	for name, p := range map[string]process{
		"independent": independent, "AR(1) .9": autoregressive(.9), "AR(1) .99": autoregressive(.99), "daily .5": daily(.5), "daily 1": daily(1),
	} {
		for _, sigma := range []float64{.2, 1} {
			judged, drifts := run(p, 20, 86400, numbers(c, sigma))
			t.Logf("numbers, %s, sigma %v: %d drifts in %d judgements, 20 days", name, sigma, drifts, judged)
			assert.Positive(t, judged)
			judged, drifts = run(p, 20, 86400, relation(c, sigma, nil))
			t.Logf("relation, %s, sigma %v: %d drifts in %d judgements, 20 days", name, sigma, drifts, judged)
		}
	}
}
