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

// Budget is the rate of alerts per 1000 hours of series as they are at which
// recalls are stated.
const Budget = 10

// DutyCap is the largest part of the clean points that may alarm at an
// admissible threshold: a method that never stops finds everything.
const DutyCap = .05

// Rule is how alerts are counted here.
var Rule = evaluate.Rule{Join: 6, After: 3}

// Point is what a method does at one threshold.
type Point struct {
	// Threshold is 0 at the default operating point.
	Threshold float64 `json:"threshold"`
	// AlertsPer1000h counts the alerts on the clean series per 1000 hours, those
	// in anomalies that are known to be in them left out.
	AlertsPer1000h float64 `json:"alerts_per_1000h"`
	// Duty is the part of the clean points that alarm.
	Duty float64 `json:"duty"`
	// Delay is the median number of points from the beginning of an incident to
	// the first alert that found it, and Delay90 that within which 90 % were; 0
	// where none was found.
	Delay   int `json:"median_delay_points"`
	Delay90 int `json:"delay_90_points"`
	// Total are the counts over all incidents, ByType those of each type and
	// ByGroup those of each type in each group of series.
	Total   evaluate.Counts                       `json:"total"`
	ByType  map[string]evaluate.Counts            `json:"by_type"`
	ByGroup map[string]map[string]evaluate.Counts `json:"by_group"`

	delays []int
}

// Scored is one series as it is, and its runs with incidents.
type Scored struct {
	Group string
	Clean score.Scored
	Runs  []Run
	// From is the first row after the warm-up, Hours the time from there on.
	From  int
	Hours float64
	// Known are anomalies that are in the series as it is. Alerts in them count
	// as nothing.
	Known []evaluate.Event
}

// Run is a series with incidents.
type Run struct {
	Scored score.Scored
	Events []evaluate.Event
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

// Bench scores every series as it is and with incidents of a plan.
func Bench(m score.Method, series []dataset.Series, p Plan) Result {
	var all []Scored
	for i := range series {
		s := &series[i]
		from := Warmup(len(s.Values))
		one := Scored{
			Group: s.Group, Clean: score.Run(m, s.Times, s.Values), From: from, Hours: s.HoursFrom(from),
			Known: evaluate.Events(s.Labels, from),
		}
		for rep := range Repetitions {
			values, events := Inject(s, p, Seed(i, rep))
			one.Runs = append(one.Runs, Run{Scored: score.Run(m, s.Times, values), Events: events})
		}
		all = append(all, one)
	}
	return Evaluate(all)
}

// Seed is that of a run of a series.
func Seed(series, rep int) uint64 { return uint64(1000*series + rep) }

// Evaluate finds the operating points of a method.
func Evaluate(all []Scored) Result {
	var pool []float64
	for i := range all {
		for j := range all[i].Runs {
			pool = append(pool, all[i].Runs[j].Scored.Scores[all[i].From:]...)
		}
	}
	var out Result
	out.Default = AtDefault(all)
	out.search(all, evaluate.Thresholds(pool, 1))
	return out
}

// AtDefault counts the alarms of a method as they are.
func AtDefault(all []Scored) Point {
	return point(all, 0, func(s *score.Scored, k int) bool { return s.Alarms[k] })
}

func (out *Result) search(all []Scored, thresholds []float64) {
	for _, t := range thresholds {
		p := point(all, t, func(s *score.Scored, k int) bool { return s.Scores[k] >= t })
		if p.Duty > DutyCap {
			break
		}
		if p.Total.F1() > out.Best.Total.F1() {
			out.Best = p
		}
		if p.AlertsPer1000h <= Budget && p.Total.Recall() > out.At10.Total.Recall() {
			out.At10 = p
		}
		if p.AlertsPer1000h <= 2*Budget && p.Total.Recall() > out.At20.Total.Recall() {
			out.At20 = p
		}
	}
}

func point(all []Scored, threshold float64, fired func(s *score.Scored, row int) bool) Point {
	p := Point{Threshold: threshold, ByType: map[string]evaluate.Counts{}, ByGroup: map[string]map[string]evaluate.Counts{}}
	alerts, hours, exceeded, points := 0, 0., 0, 0
	for i := range all {
		s := &all[i]
		rows := len(s.Clean.Alarms)
		clean, n := Rule.Onsets(func(k int) bool { return fired(&s.Clean, k) }, s.From, rows)
		_, unknown := Rule.Found(clean, s.Known)
		alerts += unknown
		hours += s.Hours
		exceeded += n
		points += rows - s.From
		for j := range s.Runs {
			r := &s.Runs[j]
			onsets, _ := Rule.Onsets(func(k int) bool { return fired(&r.Scored, k) }, s.From, rows)
			p.add(s, r.Events, clean, onsets)
		}
	}
	p.AlertsPer1000h = float64(alerts) / hours * 1000
	p.Duty = float64(exceeded) / float64(points)
	if n := len(p.delays); n > 0 {
		slices.Sort(p.delays)
		p.Delay, p.Delay90 = p.delays[(n-1)/2], p.delays[(9*n-1)/10]
	}
	return p
}

// add counts the events of one run, by its onsets and those of the series as it
// is.
func (p *Point) add(s *Scored, events []evaluate.Event, clean, onsets []int) {
	sham, _ := Rule.Found(clean, events)
	found, _ := Rule.Found(onsets, events)
	_, spurious := Rule.Found(onsets, append(slices.Clip(s.Known), events...))
	group := p.ByGroup[s.Group]
	if group == nil {
		group = map[string]evaluate.Counts{}
		p.ByGroup[s.Group] = group
	}
	p.delays = append(p.delays, Rule.Delays(onsets, events)...)
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
		addTo(p.ByType, e.Type, c)
		addTo(group, e.Type, c)
	}
}

func addTo(sums map[string]evaluate.Counts, key string, c evaluate.Counts) {
	sum := sums[key]
	sum.Add(c)
	sums[key] = sum
}

// Types returns the types of incidents of the series, sorted.
func (out *Result) Types() []string { return slices.Sorted(maps.Keys(out.Default.ByType)) }
