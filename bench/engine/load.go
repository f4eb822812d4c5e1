package main

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/llm-devops/llm-sentinel/internal/series"
)

const (
	// chunk is the number of values between two looks at the clock.
	chunk     = 512
	maxSeries = 10_000_000
	// templates are the series that have seen a history; the others begin as
	// copies of them.
	templates = 100
	// history is the number of values that a template has seen.
	history = 2000
	// interval is the mean time between two values of a series.
	interval = 10 * time.Second
)

// epoch is the event time at which the history begins.
var epoch = time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC).UnixNano()

// load is what is judged: the values, and the order of the series.
type load struct {
	keys []series.Key
	// values have a prime number, so that no series gets the same few again
	// and again, which would be a shift.
	values []float64
	orders map[string][]uint32
}

// orderNames in the order of the report.
var orderNames = []string{"uniform", "zipf"}

func newLoad(n int) *load {
	r := rand.New(rand.NewPCG(1, uint64(n)))
	l := &load{keys: make([]series.Key, n), values: make([]float64, 4093), orders: map[string][]uint32{}}
	for i := range l.keys {
		l.keys[i] = series.Key{Service: "service-" + strconv.Itoa(i/10), Model: "model-" + strconv.Itoa(i%10)}
	}
	for i := range l.values {
		l.values[i] = 1000 * math.Exp(.5*r.NormFloat64())
	}
	length := 1 << 16
	for length < 4*n && length < 1<<22 {
		length *= 2
	}
	uniform, zipf := make([]uint32, length), make([]uint32, length)
	// The rank of a series says nothing about where it lies in memory.
	byRank := r.Perm(n)
	z := rand.NewZipf(r, 1.1, 1, uint64(n-1))
	for i := range uniform {
		uniform[i] = uint32(r.IntN(n))
		zipf[i] = uint32(byRank[z.Uint64()])
	}
	l.orders["uniform"], l.orders["zipf"] = uniform, zipf
	return l
}

// warm returns the serialised states of the templates.
func warm[S any](m engine[S], values []float64) [][]byte {
	out := make([][]byte, templates)
	for i := range out {
		var st S
		m.Init(&st)
		for k := range history {
			m.Judge(&st, epoch+int64(k)*int64(interval), values[(i*97+k)%len(values)])
		}
		out[i] = m.Save(nil, &st)
	}
	return out
}

// restore makes st the state that blob holds.
func restore[S any](m engine[S], blob []byte, st *S) error {
	rest, err := m.Load(blob, st)
	if err == nil && len(rest) > 0 {
		err = fmt.Errorf("%d bytes left over", len(rest))
	}
	return err
}
