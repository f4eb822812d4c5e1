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

// scored is one series as it is, and its runs with incidents.
type scored struct {
	clean score.Scored
	runs  []run
	from  int     // first row after the warm-up
	hours float64 // from there on
}

// run is a series with incidents.
type run struct {
	injected score.Scored
	events   []evaluate.Event
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
	var all []scored
	var pool []float64
	for i := range series {
		s := &series[i]
		from := Warmup(s)
		one := scored{clean: score.Run(m, s.Times, s.Values), from: from, hours: s.HoursFrom(from)}
		for rep := range Repetitions {
			values, events := Inject(s, uint64(1000*i+rep))
			r := run{injected: score.Run(m, s.Times, values), events: events}
			one.runs = append(one.runs, r)
			pool = append(pool, r.injected.Scores[from:]...)
		}
		all = append(all, one)
	}
	var out Result
	out.Default = point(all, 0, func(s *score.Scored, k int) bool { return s.Alarms[k] })
	out.search(all, evaluate.Thresholds(pool, 1))
	return out
}

func (out *Result) search(all []scored, thresholds []float64) {
	for _, t := range thresholds {
		p := point(all, t, func(s *score.Scored, k int) bool { return s.Scores[k] >= t })
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

func point(all []scored, threshold float64, fired func(s *score.Scored, row int) bool) Point {
	p := Point{Threshold: threshold, ByType: map[string]evaluate.Counts{}}
	alerts, hours, exceeded, points := 0, 0., 0, 0
	for i := range all {
		s := &all[i]
		rows := len(s.clean.Scores)
		clean, n := Rule.Onsets(func(k int) bool { return fired(&s.clean, k) }, s.from, rows)
		alerts += len(clean)
		hours += s.hours
		exceeded += n
		points += rows - s.from
		for j := range s.runs {
			r := &s.runs[j]
			onsets, _ := Rule.Onsets(func(k int) bool { return fired(&r.injected, k) }, s.from, rows)
			p.add(r.events, clean, onsets)
		}
	}
	p.AlertsPer1000h = float64(alerts) / hours * 1000
	p.Duty = float64(exceeded) / float64(points)
	return p
}

// add counts the events of one run, by its onsets and those of the series as it
// is.
func (p *Point) add(events []evaluate.Event, clean, onsets []int) {
	sham, _ := Rule.Found(clean, events)
	found, spurious := Rule.Found(onsets, events)
	p.Total.Spurious += spurious
	for k, e := range events {
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

// Types returns the types of incidents of the series, sorted.
func (out *Result) Types() []string {
	return slices.Sorted(maps.Keys(out.Default.ByType))
}
