// Package inject puts seeded incidents into real series, to measure how many of
// them a method finds and at which rate of alerts on the series as they are.
package inject

import (
	"math"
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
	// Durations of outages are log-normal: the median in minutes and the standard
	// deviation of the logarithm, ln(300 / 65) over the 90 % point of the normal
	// distribution, so that one in ten lasts 300 minutes or longer. outageRest is
	// the largest part of the traffic that is left.
	outageMedian, outageSpread = 65, 1.1933
	outageRest                 = .02
)

// kind is a type of incident: how many points of a step it lasts, and what it
// does to the values x[e.First..e.Last] of a series. median is that of the
// warm-up.
type kind struct {
	name   string
	length func(r *rand.Rand, step time.Duration) int
	apply  func(r *rand.Rand, x []float64, e evaluate.Event, median float64)
}

// Plan says which types of incidents are put into series of which metric, all
// of them equally often.
type Plan struct{ kinds map[dataset.Kind][]kind }

// Incidents is the plan of changes whose lengths are numbers of points.
func Incidents() Plan {
	drift := kind{"slow_drift", points(60, 150), ramp}
	return Plan{map[dataset.Kind][]kind{
		dataset.Throughput: {
			{"throughput_drop", points(6, 24), scale(0, .3)},
			{"throughput_surge", points(6, 24), scale(2.5, 5)},
			drift,
			{"seasonal", points(36, 72), earlier},
		},
		dataset.Tokens: {
			{"cost_spike", points(1, 5), spike},
			{"token_shift", points(20, 60), scale(1.8, 3)},
			drift,
		},
		dataset.Latency: {
			{"latency_spike", points(1, 5), spike},
			{"latency_shift", points(20, 60), scale(1.8, 3)},
		},
	}}
}

// Outages is the plan of services that are down for as long as real ones were.
func Outages() Plan {
	return Plan{map[dataset.Kind][]kind{
		dataset.Throughput: {{"outage", outage, scale(0, outageRest)}},
	}}
}

// points draws a length in points, both ends included.
func points(least, most int) func(*rand.Rand, time.Duration) int {
	return func(r *rand.Rand, _ time.Duration) int { return least + r.IntN(most-least+1) }
}

// outage draws a duration, in whole steps and at least one.
func outage(r *rand.Rand, step time.Duration) int {
	d := outageMedian * math.Exp(outageSpread*r.NormFloat64())
	return max(1, int(d/step.Minutes()+.5))
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

// Warmup is the number of the given rows, at the beginning, that nothing is put
// into.
func Warmup(rows int) int { return int(untouched * float64(rows)) }

// Slots places events, one in each of the equal slots of what follows the
// warm-up of a series. length draws how long the next one is, which is cut to
// the part of a slot that one may take, and put is told where it came to lie.
func Slots(r *rand.Rand, rows int, length func() int, put func(e evaluate.Event)) {
	from, events := Warmup(rows), shortEvents
	if rows > longSeries {
		events = longEvents
	}
	slot := (rows - from) / events
	for i := range events {
		n := min(length(), int(slotShare*float64(slot)))
		first := from + i*slot + r.IntN(slot-n)
		put(evaluate.Event{First: first, Last: first + n - 1})
	}
}

// Inject returns the values of s with incidents of the plan in them, and the
// incidents. The same seed gives the same incidents.
func Inject(s *dataset.Series, p Plan, seed uint64) ([]float64, []evaluate.Event) {
	r := rand.New(rand.NewPCG(seed, 0x5e47e1))
	x := slices.Clone(s.Values)
	sorted := slices.Sorted(slices.Values(x[:Warmup(len(x))]))
	median := sorted[len(sorted)/2]
	choice := slices.Clone(p.kinds[s.Kind])
	if s.Step != 10*time.Minute {
		choice = slices.DeleteFunc(choice, func(k kind) bool { return k.name == "seasonal" })
	}
	var k kind
	var out []evaluate.Event
	Slots(r, len(x), func() int {
		k = choice[r.IntN(len(choice))]
		return k.length(r, s.Step)
	}, func(e evaluate.Event) {
		e.Type = k.name
		k.apply(r, x, e, median)
		out = append(out, e)
	})
	return x, out
}
