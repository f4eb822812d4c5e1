package clean

import (
	"time"

	"github.com/llm-devops/llm-sentinel/bench/quality/internal/score"
)

// WeeklySteps are the steps at which alarms of a week are counted: that of the
// product, and that of the traces.
var WeeklySteps = [...]time.Duration{time.Minute, 10 * time.Minute}

// weeks is how long each series is.
const weeks = 2

// Weekly is the number of alarms of a method per week and series of noise.
type Weekly struct {
	Family string `json:"family"`
	// PerWeek has a number for each of WeeklySteps, FirstDay that of the alarms
	// in the first day of a series.
	PerWeek  [len(WeeklySteps)]float64 `json:"per_week"`
	FirstDay [len(WeeklySteps)]float64 `json:"first_day"`
}

// Weeks counts the alarms of a method on every family, from the first value of
// each series on.
func Weeks(m score.Method, series int) []Weekly {
	var out []Weekly
	for k, f := range families() {
		w := Weekly{Family: f.name}
		for s, every := range WeeklySteps {
			all, first := 0, 0
			for i := range series {
				for n, j := range judged(m, f, 5<<60|uint64(k)<<32|uint64(i), every, int(weeks*score.Week/every)) {
					if !j.Alarm {
						continue
					}
					all++
					if time.Duration(n)*every < 24*time.Hour {
						first++
					}
				}
			}
			w.PerWeek[s] = float64(all) / weeks / float64(max(1, series))
			w.FirstDay[s] = float64(first) / float64(max(1, series))
		}
		out = append(out, w)
	}
	return out
}

// WorstWeek is the largest number of alarms a week of any family and step.
func WorstWeek(all []Weekly) (worst float64) {
	for _, w := range all {
		for _, n := range w.PerWeek {
			worst = max(worst, n)
		}
	}
	return worst
}
