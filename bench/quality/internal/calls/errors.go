// Package calls judges single calls, real in their arrivals, by the rules that
// the product has for calls: whether more of them fail than usual, and whether
// they stay away. No public trace tells which calls failed over time, so errors
// are drawn.
package calls

import (
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/llm-devops/llm-sentinel/bench/quality/internal/dataset"
	"github.com/llm-devops/llm-sentinel/bench/quality/internal/evaluate"
	"github.com/llm-devops/llm-sentinel/bench/quality/internal/inject"
	"github.com/llm-devops/llm-sentinel/bench/quality/internal/score"
	"github.com/llm-devops/llm-sentinel/internal/detect"
	"github.com/llm-devops/llm-sentinel/internal/detect/rate"
)

const (
	// ErrorBurst is the type of the incidents.
	ErrorBurst = "error_burst"
	// The share of calls that fail without an incident, one per series.
	leastBase, mostBase = .005, .03
	// A burst adds so much to the share, for so many steps.
	leastRise, mostRise     = .2, .6
	leastLength, mostLength = 3, 12
	// UnevenSpread is the standard deviation of the logarithm of what the share of
	// a step is multiplied by where errors are uneven: one step in twenty has
	// twice as many failed calls as usual, or more.
	UnevenSpread = .5
	// Streams of random numbers, so that which calls fail is the same in every run
	// of a series outside of its bursts.
	baseStream, failStream, burstStream, stepStream = 0xba5e, 0xfa11, 0xb0057, 0x57e9
)

// levels of false alarms per call at which the rule is tried; the product's
// default is among them.
var levels = []float64{1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-8, 1e-10, 1e-12}

// Level is what the rule does at one level of false alarms.
type Level struct {
	FalseAlarms float64      `json:"false_alarms"`
	Point       inject.Point `json:"point"`
}

// ErrorResult are the figures of error bursts.
type ErrorResult struct {
	Series int `json:"series"`
	Calls  int `json:"calls"`
	// Default is the product's rule as it is configured, At10 the level with the
	// highest recall that gives at most 10 alerts per 1000 hours without bursts,
	// and Levels are all that were tried.
	Default Level   `json:"default"`
	At10    Level   `json:"at_10"`
	Levels  []Level `json:"levels"`
	// Ratio is a method that judges the share of failed calls of each step.
	Ratio inject.Result `json:"ratio"`
}

// errorRule is the configuration of the rule that the processor has by default.
func errorRule() rate.ErrorConfig {
	c := rate.DefaultErrorConfig()
	c.CoolDown = int64(detect.DefaultCoolDown)
	return c
}

// BenchErrors draws which calls fail, with bursts and without, and judges them by
// the product's rule and by a method that sees the share of each step. With a
// spread, the share that fails without bursts is another one in each step.
func BenchErrors(requests []dataset.Requests, ratio score.Method, spread float64) (ErrorResult, error) {
	var models []*rate.Errors
	for _, l := range levels {
		c := errorRule()
		c.FalseAlarms = l
		m, err := rate.NewErrors(c)
		if err != nil {
			return ErrorResult{}, err
		}
		models = append(models, m)
	}
	byLevel := make([][]inject.Scored, len(models))
	var byRatio []inject.Scored
	out := ErrorResult{Series: len(requests)}
	for i := range requests {
		r := &requests[i]
		times := r.RowTimes()
		from := inject.Warmup(r.Rows())
		hours := time.Duration(times[len(times)-1] - times[from]).Hours()
		base := baseShares(i, r.Rows(), spread)
		clean := judge(r, base, models, inject.Seed(i, 0))
		out.Calls += clean.calls
		for k := range models {
			byLevel[k] = append(byLevel[k], inject.Scored{Group: r.Group, Clean: score.Scored{Alarms: clean.alarms[k]}, From: from, Hours: hours})
		}
		byRatio = append(byRatio, inject.Scored{Group: r.Group, Clean: clean.ratio(ratio, times), From: from, Hours: hours})
		for rep := range inject.Repetitions {
			share, events := bursts(base, inject.Seed(i, rep))
			run := judge(r, share, models, inject.Seed(i, 0))
			for k := range models {
				one := &byLevel[k][i]
				one.Runs = append(one.Runs, inject.Run{Scored: score.Scored{Alarms: run.alarms[k]}, Events: events})
			}
			byRatio[i].Runs = append(byRatio[i].Runs, inject.Run{Scored: run.ratio(ratio, times), Events: events})
		}
	}
	for k, l := range levels {
		level := Level{l, inject.AtDefault(byLevel[k])}
		out.Levels = append(out.Levels, level)
		if l == errorRule().FalseAlarms {
			out.Default = level
		}
		if p := level.Point; p.AlertsPer1000h <= inject.Budget && p.Duty <= inject.DutyCap && p.Total.Recall() > out.At10.Point.Total.Recall() {
			out.At10 = level
		}
	}
	out.Ratio = inject.Evaluate(byRatio)
	return out, nil
}

// baseShares are the shares of the calls of a series that fail without bursts, by
// step.
func baseShares(series, rows int, spread float64) []float64 {
	r := rand.New(rand.NewPCG(inject.Seed(series, 0), baseStream))
	base := leastBase + (mostBase-leastBase)*r.Float64()
	r = rand.New(rand.NewPCG(inject.Seed(series, 0), stepStream))
	out := make([]float64, rows)
	for i := range out {
		out[i] = min(1, base*math.Exp(spread*r.NormFloat64()-spread*spread/2))
	}
	return out
}

// bursts returns the shares with bursts, and where these are.
func bursts(base []float64, seed uint64) ([]float64, []evaluate.Event) {
	r := rand.New(rand.NewPCG(seed, burstStream))
	share := slices.Clone(base)
	var events []evaluate.Event
	inject.Slots(r, len(base), func() int { return leastLength + r.IntN(mostLength-leastLength+1) }, func(e evaluate.Event) {
		rise := leastRise + (mostRise-leastRise)*r.Float64()
		for i := e.First; i <= e.Last; i++ {
			share[i] = min(base[i]+rise, 1)
		}
		e.Type = ErrorBurst
		events = append(events, e)
	})
	return share, events
}

// judged is what became of the calls of a series.
type judged struct {
	calls int
	// alarms by model and step, failed and total calls by step.
	alarms        [][]bool
	failed, total []int
}

// judge draws for each call whether it fails, and shows it to every model.
func judge(r *dataset.Requests, share []float64, models []*rate.Errors, seed uint64) judged {
	random := rand.New(rand.NewPCG(seed, failStream))
	out := judged{failed: make([]int, len(share)), total: make([]int, len(share))}
	var states []*rate.ErrorState
	for _, m := range models {
		out.alarms = append(out.alarms, make([]bool, len(share)))
		states = append(states, m.NewState())
	}
	for row, p := range share {
		n := r.Count(row)
		out.total[row] = n
		out.calls += n
		for k := range n {
			at, failed, kind := r.At(row, k), random.Float64() < p, ""
			if failed {
				out.failed[row]++
				kind = "500"
			}
			for i, m := range models {
				if m.Observe(states[i], at, failed, kind) == rate.Alarm {
					out.alarms[i][row] = true
				}
			}
		}
	}
	return out
}

// ratio judges the shares of failed calls of the steps that have calls; the
// others have no score.
func (j *judged) ratio(m score.Method, times []int64) score.Scored {
	var at []int64
	var values []float64
	var rows []int
	for i, n := range j.total {
		if n > 0 {
			at, values, rows = append(at, times[i]), append(values, float64(j.failed[i])/float64(n)), append(rows, i)
		}
	}
	s := score.Run(m, at, values)
	n := len(j.total)
	out := score.Scored{Scores: make([]float64, n), Evidence: make([]float64, n), Alarms: make([]bool, n)}
	for k, i := range rows {
		out.Scores[i], out.Evidence[i], out.Alarms[i] = s.Scores[k], s.Evidence[k], s.Alarms[k]
	}
	return out
}
