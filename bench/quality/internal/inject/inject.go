// Package inject puts seeded incidents into real series, to measure how many of
// them a method finds and at which rate of alerts on the series as they are.
package inject

import (
	"math/rand/v2"
	"slices"
	"time"

	"github.com/llm-devops/llm-sentinel/bench/quality/internal/dataset"
	"github.com/llm-devops/llm-sentinel/bench/quality/internal/evaluate"
)

const (
	// untouched is the part of a series at its beginning that nothing is put
	// into: the warm-up.
	untouched = .25
	// slotShare is the longest part of its slot that an event takes.
	slotShare = .6
	// A series of more than longSeries points gets longEvents events, others
	// shortEvents.
	longSeries, longEvents, shortEvents = 1000, 5, 3
	// seasonRows is the distance in rows from which a seasonal event takes its
	// values: 12 hours of 10 minutes.
	seasonRows = 72
)

// kind is a type of incident: its least and greatest length in points, and what
// it does to the values x[e.First..e.Last] of a series. median is that of the
// warm-up.
type kind struct {
	name        string
	least, most int
	apply       func(r *rand.Rand, x []float64, e evaluate.Event, median float64)
}

func kinds() map[dataset.Kind][]kind {
	drift := kind{"slow_drift", 60, 150, ramp}
	return map[dataset.Kind][]kind{
		dataset.Throughput: {
			{"throughput_drop", 6, 24, scale(0, .3)},
			{"throughput_surge", 6, 24, scale(2.5, 5)},
			drift,
			{"seasonal", 36, 72, earlier},
		},
		dataset.Tokens: {
			{"cost_spike", 1, 5, spike},
			{"token_shift", 20, 60, scale(1.8, 3)},
			drift,
		},
	}
}

// uniform returns a number in [lo, hi).
func uniform(r *rand.Rand, lo, hi float64) float64 { return lo + (hi-lo)*r.Float64() }

// scale multiplies by one factor.
func scale(lo, hi float64) func(*rand.Rand, []float64, evaluate.Event, float64) {
	return func(r *rand.Rand, x []float64, e evaluate.Event, _ float64) {
		f := uniform(r, lo, hi)
		for i := e.First; i <= e.Last; i++ {
			x[i] *= f
		}
	}
}

// spike multiplies by one factor of 3 to 8, and values below the median as if
// they were at it.
func spike(r *rand.Rand, x []float64, e evaluate.Event, median float64) {
	f := uniform(r, 3, 8)
	for i := e.First; i <= e.Last; i++ {
		x[i] = max(x[i], median) * f
	}
}

// ramp multiplies by a factor that grows over the event from 1 to 2 to 3.
func ramp(r *rand.Rand, x []float64, e evaluate.Event, _ float64) {
	f, n := uniform(r, 2, 3), float64(e.Last-e.First+1)
	for i := e.First; i <= e.Last; i++ {
		x[i] *= 1 + (f-1)*float64(i-e.First+1)/n
	}
}

// earlier repeats the values of half a day before.
func earlier(_ *rand.Rand, x []float64, e evaluate.Event, _ float64) {
	copy(x[e.First:e.Last+1], slices.Clone(x[e.First-seasonRows:e.Last+1-seasonRows]))
}

// Warmup is the number of rows at the beginning that nothing is put into.
func Warmup(s *dataset.Series) int { return int(untouched * float64(len(s.Values))) }

// Inject returns the values of s with incidents in them, one in each of the
// equal slots of what follows the warm-up, and the incidents. The same seed
// gives the same incidents.
func Inject(s *dataset.Series, seed uint64) ([]float64, []evaluate.Event) {
	r := rand.New(rand.NewPCG(seed, 0x5e47e1))
	x := slices.Clone(s.Values)
	from := Warmup(s)
	sorted := slices.Sorted(slices.Values(x[:from]))
	median := sorted[len(sorted)/2]
	events := shortEvents
	if len(x) > longSeries {
		events = longEvents
	}
	choice := kinds()[s.Kind]
	if s.Step != 10*time.Minute {
		choice = slices.DeleteFunc(choice, func(k kind) bool { return k.name == "seasonal" })
	}
	slot := (len(x) - from) / events
	out := make([]evaluate.Event, events)
	for i := range out {
		k := choice[r.IntN(len(choice))]
		length := min(k.least+r.IntN(k.most-k.least+1), int(slotShare*float64(slot)))
		first := from + i*slot + r.IntN(slot-length)
		out[i] = evaluate.Event{First: first, Last: first + length - 1, Type: k.name}
		k.apply(r, x, out[i], median)
	}
	return x, out
}
