package detect

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"testing"
	"time"
	"unsafe"
)

// source yields the values of a stationary series on the log scale.
type source struct {
	name string
	next func(r *rand.Rand, prev *float64) float64
}

var sources = []source{
	{"gauss .5", func(r *rand.Rand, _ *float64) float64 { return .5 * r.NormFloat64() }},
	{"gauss .8", func(r *rand.Rand, _ *float64) float64 { return .8 * r.NormFloat64() }},
	{"t3 .3", func(r *rand.Rand, _ *float64) float64 {
		c := 0.0
		for range 3 {
			z := r.NormFloat64()
			c += z * z
		}
		return .3 * r.NormFloat64() / math.Sqrt(c/3)
	}},
	{"t5 .3", func(r *rand.Rand, _ *float64) float64 {
		c := 0.0
		for range 5 {
			z := r.NormFloat64()
			c += z * z
		}
		return .3 * r.NormFloat64() / math.Sqrt(c/5)
	}},
	{"AR(1) .7", func(r *rand.Rand, p *float64) float64 {
		*p = .7**p + .5*math.Sqrt(1-.49)*r.NormFloat64()
		return *p
	}},
	{"integers", func(r *rand.Rand, _ *float64) float64 {
		// Poisson 20 tokens
		l, k, q := math.Exp(-20), 0, 1.0
		for q > l {
			k++
			q *= r.Float64()
		}
		return math.Log(float64(max(k-1, 1)) / 20)
	}},
	{"mixture 85:15", func(r *rand.Rand, _ *float64) float64 {
		y := .4 * r.NormFloat64()
		if r.Float64() < .15 {
			y += 1.8
		}
		return y
	}},
	{"tokens", func(r *rand.Rand, _ *float64) float64 { // log(ttft + tokens*speed)
		tok := math.Exp(5 + .8*r.NormFloat64())
		return math.Log(.3*math.Exp(.3*r.NormFloat64())+tok*.02*math.Exp(.2*r.NormFloat64())) - .8
	}},
	{"diurnal", func(r *rand.Rand, p *float64) float64 {
		*p++
		return .5*r.NormFloat64() + .35*math.Sin(2*math.Pi**p/2000)
	}},
}

func TestSim(t *testing.T) {
	if os.Getenv("SIM") == "" {
		t.Skip()
	}
	fmt.Println("sizeof", unsafe.Sizeof(State{}))
	cfg := DefaultConfig()
	cfg.Scale = Log
	cfg.CoolDown = 0
	names := Names()
	series, length := 400, 5000
	for _, src := range sources {
		m, _ := NewModel(cfg)
		r := rand.New(rand.NewPCG(1, 2))
		var pts, runs, cold, late int
		var by [8]int
		for range series {
			s := m.NewState()
			p := 0.0
			for i := range length {
				v := m.Observe(&s, int64(i)*1e9, 1000*math.Exp(src.next(r, &p)))
				if i < 500 && v.Alarm {
					cold++
				}
				if i >= 500 {
					pts++
					if v.Alarm {
						late++
						runs++
						for k := range v.N {
							by[v.Findings[k].Detector]++
						}
					}
				}
			}
		}
		fmt.Printf("%-14s steady %.2e  first500 per series %.4f ", src.name, float64(late)/float64(pts), float64(cold)/float64(series))
		for i, n := range names {
			fmt.Printf(" %s %.1e", n, float64(by[i])/float64(pts))
		}
		fmt.Println()
	}
	// delay
	for _, warm := range []int{30, 64, 300, 2000} {
		for _, shift := range []float64{1, 1.5, 2, 3} {
			m, _ := NewModel(cfg)
			r := rand.New(rand.NewPCG(3, 4))
			sum, miss, n := 0, 0, 300
			for range n {
				s := m.NewState()
				i := 0
				for ; i < warm; i++ {
					m.Observe(&s, int64(i)*1e9, 1000*math.Exp(.5*r.NormFloat64()))
				}
				d := 0
				for ; d < 150; d++ {
					i++
					if m.Observe(&s, int64(i)*1e9, 1000*math.Exp(.5*(r.NormFloat64()+shift))).Anomalous {
						break
					}
				}
				if d == 150 {
					miss++
				} else {
					sum += d + 1
				}
			}
			fmt.Printf("warm %d shift %.1f: delay %.1f miss %d/%d\n", warm, shift, float64(sum)/float64(max(1, n-miss)), miss, n)
		}
	}
	_ = time.Second
}
