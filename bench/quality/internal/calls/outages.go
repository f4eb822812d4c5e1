package calls

import (
	"math/rand/v2"
	"time"

	"github.com/llm-devops/llm-sentinel/bench/quality/internal/dataset"
	"github.com/llm-devops/llm-sentinel/bench/quality/internal/inject"
	"github.com/llm-devops/llm-sentinel/bench/quality/internal/score"
	"github.com/llm-devops/llm-sentinel/internal/detect"
	"github.com/llm-devops/llm-sentinel/internal/detect/rate"
)

// tick is the time between two looks for silence, as in the product.
const tick = int64(5 * time.Second)

// OutageResult are the figures of the product's rule for the number of calls, as
// it is configured by default.
type OutageResult struct {
	// Drops are its alarms that fewer calls come than usual, Silence those of
	// them that no call comes at all.
	Drops   inject.Point `json:"drops"`
	Silence inject.Point `json:"silence"`
}

// arrivalRule is the configuration of the rule that the processor has by default.
func arrivalRule() rate.ArrivalConfig {
	c := rate.DefaultArrivalConfig()
	c.CoolDown = int64(detect.DefaultCoolDown)
	return c
}

// BenchOutages draws the calls of series of rates, with incidents of a plan and
// without, at random times within each step.
func BenchOutages(series []dataset.Series, p inject.Plan) (OutageResult, error) {
	m, err := rate.NewArrivals(arrivalRule())
	if err != nil {
		return OutageResult{}, err
	}
	var drops, silence []inject.Scored
	for i := range series {
		s := &series[i]
		from := inject.Warmup(len(s.Values))
		thin := dataset.Thinning(s)
		a := arrivals(m, dataset.CallsAt(s, s.Values, thin), inject.Seed(i, 0))
		d := inject.Scored{Group: s.Group, Clean: score.Scored{Alarms: a.drops}, From: from, Hours: s.HoursFrom(from)}
		q := inject.Scored{Group: s.Group, Clean: score.Scored{Alarms: a.silence}, From: from, Hours: d.Hours}
		for rep := range inject.Repetitions {
			values, events := inject.Inject(s, p, inject.Seed(i, rep))
			a := arrivals(m, dataset.CallsAt(s, values, thin), inject.Seed(i, 0))
			d.Runs = append(d.Runs, inject.Run{Scored: score.Scored{Alarms: a.drops}, Events: events})
			q.Runs = append(q.Runs, inject.Run{Scored: score.Scored{Alarms: a.silence}, Events: events})
		}
		drops, silence = append(drops, d), append(silence, q)
	}
	return OutageResult{Drops: inject.AtDefault(drops), Silence: inject.AtDefault(silence)}, nil
}

// absences are the alarms by step.
type absences struct{ drops, silence []bool }

// arrivals shows the calls to the rule as they come, and looks for silence in
// between.
func arrivals(m *rate.Arrivals, r dataset.Requests, seed uint64) absences {
	rows := r.Rows()
	out := absences{make([]bool, rows), make([]bool, rows)}
	var st rate.ArrivalState
	told := func(signal rate.Signal, now int64) {
		if signal != rate.Alarm {
			return
		}
		if report := st.Report(); report.Change == rate.Drop {
			row := min(int((now-r.Start)/int64(r.Step)), rows-1)
			out.drops[row] = true
			out.silence[row] = out.silence[row] || report.Silent
		}
	}
	look := r.Start
	until := func(now int64) {
		for ; look < now; look += tick {
			told(m.Silence(&st, look), look)
		}
	}
	for row := range rows {
		begin := r.Start + int64(row)*int64(r.Step)
		for _, at := range spread(begin, int64(r.Step), r.Count(row), rand.New(rand.NewPCG(seed, uint64(row)))) {
			until(at)
			told(m.Observe(&st, at, at), at)
		}
	}
	until(r.Start + int64(rows)*int64(r.Step))
	return out
}

// spread returns n ordered random times of a step: those of a Poisson process of
// which the number is known.
func spread(begin, step int64, n int, r *rand.Rand) []int64 {
	sums, sum := make([]float64, n), 0.
	for i := range sums {
		sum += r.ExpFloat64()
		sums[i] = sum
	}
	sum += r.ExpFloat64()
	out := make([]int64, n)
	for i, x := range sums {
		out[i] = begin + int64(x/sum*float64(step-1))
	}
	return out
}
