package detect

import (
	"fmt"
	"math"
	"math/rand/v2"
	"syscall"
	"testing"
)

// cpuNanos is the processor time of this process: on a busy machine it says
// more than the wall clock.
func cpuNanos() float64 {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return float64(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkObserve is the cost of one value with all four detectors, W = 64,
// log scale, when values of many series arrive in random order.
func BenchmarkObserve(b *testing.B) {
	for _, keys := range []int{100, 10_000, 1_000_000} {
		b.Run(fmt.Sprintf("series=%d", keys), func(b *testing.B) {
			m, err := NewModel(Config{Scale: Log})
			if err != nil {
				b.Fatal(err)
			}
			r := rand.New(rand.NewPCG(1, 1))
			// A prime length, so that a series does not get the same few
			// values again and again, which would be a shift.
			values := make([]float64, 4093)
			for i := range values {
				values[i] = 1000 * math.Exp(.5*r.NormFloat64())
			}
			states := make([]State, keys)
			for i := range states {
				if i >= 100 { // flat, hence copies are independent
					states[i] = states[i-100]
					continue
				}
				for k := range 300 {
					m.Observe(&states[i], 0, values[(i*7+k)%len(values)])
				}
			}
			order := make([]uint32, 1<<16)
			for i := range order {
				order[i] = uint32(r.IntN(keys))
			}
			alarms := 0
			b.ReportAllocs()
			b.ResetTimer()
			cpu := cpuNanos()
			for i := range b.N {
				s, x := &states[order[i&(1<<16-1)]], values[i%len(values)]
				if !m.Absorb(s, int64(i), x) && m.Observe(s, int64(i), x).Alarm {
					alarms++
				}
			}
			b.ReportMetric((cpuNanos()-cpu)/float64(b.N), "cpu-ns/op")
			b.ReportMetric(float64(alarms)/float64(b.N), "alarms/op")
		})
	}
}

// BenchmarkMerge is the cost of one block of eight values in a full window of 64.
func BenchmarkMerge(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 1))
	blocks := make([][lagSize]float32, 1021)
	for i := range blocks {
		for j := range blocks[i] {
			blocks[i][j] = float32(r.NormFloat64())
		}
	}
	var w [64]window
	for i := range w {
		for j := range 8 {
			w[i].merge(blocks[i*8+j][:], flatWindow)
		}
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		w[i&63].merge(blocks[i%len(blocks)][:], flatWindow)
		i++
	}
}
