package clean

import (
	"iter"
	"math/rand/v2"
	"time"

	"github.com/llm-devops/llm-sentinel/bench/quality/internal/score"
)

const (
	// early is the number of values of a fresh series that count as its cold
	// start; they are counted apart.
	early = 64
	// step between values: long enough for no cool-down to hide an alarm.
	step = 10 * time.Minute
	// seed of all noise.
	seed = 20240607
)

// Size says how much noise is judged per family.
type Size struct {
	// Series of Points values each give the rate of a settled series.
	Series, Points int
	// Fresh series of 64 values each give that of the cold start.
	Fresh int
}

// DefaultSize resolves rates down to some in 100 000.
func DefaultSize() Size { return Size{Series: 20, Points: 5000, Fresh: 500} }

// Rate is the part of the values of one family on which a method alarms.
type Rate struct {
	Family string `json:"family"`
	// Nominal is what the method promises for independent normal values.
	Nominal float64 `json:"nominal"`
	// Settled is measured after the first 64 values of each series.
	Settled float64 `json:"settled"`
	Values  int     `json:"values"`
	// Cold is the number of alarms per fresh series in its first 64 values.
	Cold float64 `json:"cold_alarms_per_series"`
}

// Honesty measures a method on every family.
func Honesty(m score.Method, size Size) []Rate {
	var out []Rate
	for k, f := range families() {
		r := Rate{Family: f.name, Nominal: m.Nominal}
		cold, settled := 0, 0
		for i := range size.Series {
			_, s := alarms(m, f, uint64(k)<<32|uint64(i), size.Points)
			settled += s
		}
		for i := range size.Fresh {
			c, _ := alarms(m, f, 1<<63|uint64(k)<<32|uint64(i), early)
			cold += c
		}
		r.Values = size.Series * max(0, size.Points-early)
		r.Settled = float64(settled) / float64(max(1, r.Values))
		r.Cold = float64(cold) / float64(max(1, size.Fresh))
		out = append(out, r)
	}
	return out
}

// judged yields the judgements of a method on the first values of a series of
// noise, from the first on.
func judged(m score.Method, f family, stream uint64, every time.Duration, points int) iter.Seq2[int, score.Judgement] {
	return func(yield func(int, score.Judgement) bool) {
		next := f.new(rand.New(rand.NewPCG(seed, stream)))
		s := m.New()
		at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
		for i := range points {
			if !yield(i, s.Judge(at, next())) {
				return
			}
			at = at.Add(every)
		}
	}
}

// alarms counts the alarms among the first values of a series and later.
func alarms(m score.Method, f family, stream uint64, points int) (cold, settled int) {
	for i, j := range judged(m, f, stream, step, points) {
		switch {
		case !j.Alarm:
		case i < early:
			cold++
		default:
			settled++
		}
	}
	return cold, settled
}
