package detect

import (
	"math/rand/v2"
	"testing"
)

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
