package ensemble

import (
	"math"
	"math/rand/v2"
)

// family is a kind of noise without anomalies, as in bench/quality.
type family struct {
	name string
	new  func(r *rand.Rand) func() float64
	// factor by which p-values may be too frequent.
	factor float64
}

func families() []family {
	student3 := func(r *rand.Rand) float64 {
		chi := 0.
		for range 3 {
			z := r.NormFloat64()
			chi += z * z
		}
		return r.NormFloat64() / math.Sqrt(chi/3)
	}
	return []family{
		{"normal", func(r *rand.Rand) func() float64 {
			return func() float64 { return 100 + 10*r.NormFloat64() }
		}, 2},
		{"lognormal .8", func(r *rand.Rand) func() float64 {
			return func() float64 { return 100 * math.Exp(.8*r.NormFloat64()) }
		}, 2},
		{"Student t3", func(r *rand.Rand) func() float64 {
			return func() float64 { return 100 + 10*student3(r) }
		}, 2},
		{"AR(1) .7", func(r *rand.Rand) func() float64 {
			x := r.NormFloat64()
			return func() float64 {
				x = .7*x + math.Sqrt(1-.49)*r.NormFloat64()
				return 100 + 10*x
			}
		}, 3},
		{"diurnal", func(r *rand.Rand) func() float64 {
			i := 0.
			return func() float64 {
				i++
				return (100 + 30*math.Sin(2*math.Pi*i/144)) * math.Exp(.1*r.NormFloat64())
			}
		}, 2},
		{"Poisson 5", func(r *rand.Rand) func() float64 {
			return func() float64 {
				k := 0.
				for p := r.ExpFloat64(); p < 5; p += r.ExpFloat64() {
					k++
				}
				return k
			}
		}, 2},
		{"90 % zeros", func(r *rand.Rand) func() float64 {
			return func() float64 {
				if r.Float64() < .9 {
					return 0
				}
				return 100 * math.Exp(.5*r.NormFloat64())
			}
		}, 2},
	}
}
