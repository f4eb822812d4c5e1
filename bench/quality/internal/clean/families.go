// Package clean measures false alarms where the truth is known: on noise that
// has no anomaly in it.
package clean

import (
	"math"
	"math/rand/v2"
)

// family is a kind of noise. New returns the generator of one series.
type family struct {
	name string
	new  func(r *rand.Rand) func() float64
	// correlated says that successive values are.
	correlated bool
}

// period of the diurnal family, in points: a day of 10 minutes.
const period = 144

// families have levels and spreads of positive metrics, so that methods that
// take logarithms are at home too.
func families() []family {
	return []family{
		{name: "normal", new: func(r *rand.Rand) func() float64 {
			return func() float64 { return 100 + 10*r.NormFloat64() }
		}},
		{name: "lognormal .8", new: func(r *rand.Rand) func() float64 {
			return func() float64 { return 100 * math.Exp(.8*r.NormFloat64()) }
		}},
		{name: "Student t3", new: func(r *rand.Rand) func() float64 {
			return func() float64 { return 100 + 10*student3(r) }
		}},
		{name: "AR(1) .7", new: func(r *rand.Rand) func() float64 {
			const rho = .7
			x := r.NormFloat64()
			return func() float64 {
				x = rho*x + math.Sqrt(1-rho*rho)*r.NormFloat64()
				return 100 + 10*x
			}
		}, correlated: true},
		{name: "diurnal", new: func(r *rand.Rand) func() float64 {
			i := 0
			return func() float64 {
				i++
				return (100 + 30*math.Sin(2*math.Pi*float64(i)/period)) * math.Exp(.1*r.NormFloat64())
			}
		}},
		{name: "Poisson 5", new: func(r *rand.Rand) func() float64 {
			return func() float64 { return poisson(r, 5) }
		}},
		{name: "90 % zeros", new: func(r *rand.Rand) func() float64 {
			return func() float64 {
				if r.Float64() < .9 {
					return 0
				}
				return 100 * math.Exp(.5*r.NormFloat64())
			}
		}},
	}
}

// student3 draws from Student's t with 3 degrees of freedom.
func student3(r *rand.Rand) float64 {
	chi := 0.
	for range 3 {
		z := r.NormFloat64()
		chi += z * z
	}
	return r.NormFloat64() / math.Sqrt(chi/3)
}

// poisson draws by multiplying uniforms (Knuth); fine for small means.
func poisson(r *rand.Rand, mean float64) float64 {
	limit, p, k := math.Exp(-mean), r.Float64(), 0.
	for p > limit {
		p *= r.Float64()
		k++
	}
	return k
}
