package inject

import (
	"maps"
	"slices"

	"github.com/llm-devops/llm-sentinel/bench/quality/internal/dataset"
	"github.com/llm-devops/llm-sentinel/bench/quality/internal/evaluate"
	"github.com/llm-devops/llm-sentinel/bench/quality/internal/score"
)

// Repetitions is the number of runs with incidents per series.
const Repetitions = 3

// dutyCap is the largest part of the clean points that may alarm at an
// admissible threshold: a method that never stops finds everything.
const dutyCap = .05

// Rule is how alerts are counted here.
var Rule = evaluate.Rule{Join: 6, After: 3}

// Point is what a method does at one threshold.
type Point struct {
	// Threshold is 0 at the default operating point.
	Threshold float64 `json:"threshold"`
	// AlertsPer1000h counts the alerts on the clean series per 1000 hours.
	AlertsPer1000h float64 `json:"alerts_per_1000h"`
	// Duty is the part of the clean points that alarm.
	Duty float64 `json:"duty"`
	// Total are the counts over all incidents, ByType those of each type.
	Total  evaluate.Counts            `json:"total"`
	ByType map[string]evaluate.Counts `json:"by_type"`
}

// run is one scored series with its incidents.
type run struct {
	clean, injected score.Scored
	events          []evaluate.Event
	from            int     // first row after the warm-up
	hours           float64 // from there on
	first           bool    // the first run of its series: the clean alerts count
}

// Result is what a method does on all series.
type Result struct {
	// Default is the default operating point.
	Default Point `json:"default"`
	// Best is the admissible threshold with the highest F1.
	Best Point `json:"best"`
	// At10 and At20 are the admissible thresholds with the highest recall that
	// stay within a budget of 10 and 20 alerts per 1000 series-hours; zero when
	// there is none.
	At10 Point `json:"at_10"`
	At20 Point `json:"at_20"`
}

// Bench scores every series as it is and with incidents.
func Bench(m score.Method, series []dataset.Series) Result {
	var runs []run
	var out Result
	for i := range series {
		s := &series[i]
		clean := score.Run(m, s.Times, s.Values)
		for rep := range Repetitions {
			values, events := Inject(s, uint64(1000*i+rep))
			r := run{clean: clean, events: events, from: Warmup(s), hours: s.HoursFrom(Warmup(s)), first: rep == 0}
			r.injected = score.Run(m, s.Times, values)
			runs = append(runs, r)
		}
	}
	out.Default = point(runs, 0, func(s *score.Scored, k int) bool { return s.Alarms[k] })
	out.search(runs)
	return out
}

func (out *Result) search(runs []run) {
	var pool []float64
	for i := range runs {
		pool = append(pool, runs[i].injected.Scores[runs[i].from:]...)
	}
	for _, t := range evaluate.Thresholds(pool, 1) {
		p := point(runs, t, func(s *score.Scored, k int) bool { return s.Scores[k] >= t })
		if p.Duty > dutyCap {
			break
		}
		if p.Total.F1() > out.Best.Total.F1() {
			out.Best = p
		}
		if p.AlertsPer1000h <= 10 && p.Total.Recall() > out.At10.Total.Recall() {
			out.At10 = p
		}
		if p.AlertsPer1000h <= 20 && p.Total.Recall() > out.At20.Total.Recall() {
			out.At20 = p
		}
	}
}

func point(runs []run, threshold float64, fired func(s *score.Scored, row int) bool) Point {
	p := Point{Threshold: threshold, ByType: map[string]evaluate.Counts{}}
	alerts, hours, exceeded, points := 0, 0., 0, 0
	for i := range runs {
		r := &runs[i]
		clean := func(k int) bool { return fired(&r.clean, k) }
		on := Rule.Onsets(clean, r.from, len(r.clean.Scores))
		if r.first {
			alerts += len(on)
			hours += r.hours
			points += len(r.clean.Scores) - r.from
			for k := range r.clean.Scores {
				if k >= r.from && clean(k) {
					exceeded++
				}
			}
		}
		sham, _ := Rule.Found(on, r.events)
		on = Rule.Onsets(func(k int) bool { return fired(&r.injected, k) }, r.from, len(r.injected.Scores))
		found, spurious := Rule.Found(on, r.events)
		p.Total.Spurious += spurious
		for k, e := range r.events {
			c := evaluate.Counts{Events: 1}
			if found[k] {
				c.Found = 1
			}
			if sham[k] {
				c.Sham = 1
			}
			p.Total.Add(c)
			t := p.ByType[e.Type]
			t.Add(c)
			p.ByType[e.Type] = t
		}
	}
	p.AlertsPer1000h = float64(alerts) / hours * 1000
	p.Duty = float64(exceeded) / float64(points)
	return p
}

// Types returns the types of incidents of the series, sorted.
func (out *Result) Types() []string {
	return slices.Sorted(maps.Keys(out.Default.ByType))
}
