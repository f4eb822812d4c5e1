package ensemble

import (
	"math/rand/v2"
	"testing"
	"unsafe"
)

func BenchmarkObserve(b *testing.B) {
	m, err := NewModel(Config{})
	if err != nil {
		b.Fatal(err)
	}
	r := rand.New(rand.NewPCG(1, 2))
	values := make([]float64, 4096)
	for i := range values {
		values[i] = 100 + 10*r.NormFloat64()
	}
	var s State
	b.ReportMetric(float64(unsafe.Sizeof(s)), "bytes/state")
	b.ReportAllocs()
	for i := range b.N {
		m.Observe(&s, int64(i)*60e9, values[i%len(values)])
	}
}
