package detect

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// The benchmarks of this file measure the operating point that doc.go states:
//
//	go test ./internal/detect -run xxx -bench 'Clean|Delay|Burst' -benchtime 1000x
//
// Each iteration is one fresh series. Thresholds were chosen with seeds other
// than these.

// noise yields the logarithm of values with median 1. state is the memory of
// one series.
type noise struct {
	name string
	next func(r *rand.Rand, state *float64) float64
}

var noises = []noise{
	{"lognormal.4", func(r *rand.Rand, _ *float64) float64 { return .4 * r.NormFloat64() }},
	{"lognormal.6", func(r *rand.Rand, _ *float64) float64 { return .6 * r.NormFloat64() }},
	{"lognormal.8", func(r *rand.Rand, _ *float64) float64 { return .8 * r.NormFloat64() }},
	{"logt5", func(r *rand.Rand, _ *float64) float64 { return .3 * student(r, 5) }},
	{"logt3", func(r *rand.Rand, _ *float64) float64 { return .3 * student(r, 3) }},
	{"AR.7", func(r *rand.Rand, s *float64) float64 {
		*s = .7**s + .5*math.Sqrt(1-.49)*r.NormFloat64()
		return *s
	}},
	{"diurnal", func(r *rand.Rand, s *float64) float64 { // a period of 2000 values, peak twice the trough
		*s++
		return .5*r.NormFloat64() + .35*math.Sin(2*math.Pi**s/2000)
	}},
	{"poisson20", func(r *rand.Rand, _ *float64) float64 {
		k := 0.0
		for p := r.ExpFloat64(); p < 20; p += r.ExpFloat64() {
			k++
		}
		return math.Log((k + 1) / 21)
	}},
	{"mixture85_15", func(r *rand.Rand, _ *float64) float64 { // 15 % of the requests are six times as long
		y := .4 * r.NormFloat64()
		if r.Float64() < .15 {
			y += 1.8
		}
		return y
	}},
	{"ttft+tokens", func(r *rand.Rand, _ *float64) float64 {
		tokens := math.Exp(5 + .8*r.NormFloat64())
		return math.Log(.3*math.Exp(.3*r.NormFloat64()) + .02*tokens*math.Exp(.2*r.NormFloat64()))
	}},
}

func student(r *rand.Rand, nu int) float64 {
	c := 0.0
	for range nu {
		z := r.NormFloat64()
		c += z * z
	}
	return r.NormFloat64() / math.Sqrt(c/float64(nu))
}

func operatingPoint(b *testing.B) *Model {
	b.Helper()
	c := DefaultConfig()
	c.Scale, c.CoolDown = Log, 0
	m, err := NewModel(c)
	if err != nil {
		b.Fatal(err)
	}
	return m
}

// BenchmarkClean reports alarms of both sides on series without anomalies.
func BenchmarkClean(b *testing.B) {
	const cold, length = 64, 5000
	for _, n := range noises {
		b.Run(n.name, func(b *testing.B) {
			m := operatingPoint(b)
			r := rand.New(rand.NewPCG(11, 12))
			early, late := 0, 0
			for range b.N {
				s, state := m.NewState(), 0.0
				for i := range length {
					if m.Observe(&s, int64(i)*second, 1000*math.Exp(n.next(r, &state))).Alarm {
						if i < cold {
							early++
						} else {
							late++
						}
					}
				}
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(1e6*float64(late)/float64(b.N*(length-cold)), "alarms/million")
			b.ReportMetric(1e4*float64(early)/float64(b.N), "cold-alarms/10k-series")
		})
	}
}

// BenchmarkDelay reports the number of values until a lasting shift is found.
func BenchmarkDelay(b *testing.B) {
	const sigma, patience = .5, 100
	for _, warm := range []int{32, 64, 1000} {
		for _, size := range []float64{1, 1.4, 2, 3} {
			b.Run(fmt.Sprintf("warm=%d/sigmas=%v", warm, size), func(b *testing.B) {
				m := operatingPoint(b)
				r := rand.New(rand.NewPCG(13, 14))
				sum, found := 0, 0
				for range b.N {
					s := m.NewState()
					for i := range warm {
						m.Observe(&s, int64(i)*second, 1000*math.Exp(sigma*r.NormFloat64()))
					}
					for i := range patience {
						if m.Observe(&s, int64(warm+i)*second, 1000*math.Exp(sigma*(size+r.NormFloat64()))).Anomalous {
							found++
							sum += i + 1
							break
						}
					}
				}
				b.ReportMetric(0, "ns/op")
				b.ReportMetric(float64(sum)/float64(max(found, 1)), "values")
				b.ReportMetric(100*float64(found)/float64(b.N), "%found")
			})
		}
	}
}

// BenchmarkBurst reports how many bursts are found before they end.
func BenchmarkBurst(b *testing.B) {
	for _, sigma := range []float64{.3, .6} {
		for _, length := range []int{1, 5, 10} {
			for _, factor := range []float64{3, 5, 10, 30} {
				b.Run(fmt.Sprintf("sigma=%v/length=%d/x%v", sigma, length, factor), func(b *testing.B) {
					m := operatingPoint(b)
					r := rand.New(rand.NewPCG(15, 16))
					found := 0
					for range b.N {
						s := m.NewState()
						for i := range 200 {
							m.Observe(&s, int64(i)*second, 1000*math.Exp(sigma*r.NormFloat64()))
						}
						for i := range length {
							if m.Observe(&s, int64(200+i)*second, 1000*factor*math.Exp(sigma*r.NormFloat64())).Anomalous {
								found++
								break
							}
						}
					}
					b.ReportMetric(0, "ns/op")
					b.ReportMetric(100*float64(found)/float64(b.N), "%found")
				})
			}
		}
	}
}
