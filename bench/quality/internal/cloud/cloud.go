// Package cloud scores methods on labelled telemetry of production services:
// how well they rank anomalous points, and how many labelled events their alerts
// find.
package cloud

import (
	"slices"

	"github.com/llm-devops/llm-sentinel/bench/quality/internal/dataset"
	"github.com/llm-devops/llm-sentinel/bench/quality/internal/evaluate"
	"github.com/llm-devops/llm-sentinel/bench/quality/internal/score"
)

const (
	// warmShare is the part of a series at its beginning that is not scored.
	warmShare = .1
	// dutyCap is the largest part of all points that may lie at or above an
	// admissible threshold.
	dutyCap = .1
)

var rule = evaluate.Rule{Join: 6, Before: 1, After: 3}

// Point is what the alerts of a method find at one threshold.
type Point struct {
	// Threshold is 0 at the default operating point.
	Threshold float64         `json:"threshold"`
	Counts    evaluate.Counts `json:"counts"`
	// Duty is the part of the points that alarm.
	Duty float64 `json:"duty"`
}

// Result is what a method does on all series.
type Result struct {
	// AP is the mean of the average precision of points over the series with
	// labels after their warm-up; BySeries has each of them.
	AP       float64            `json:"ap"`
	BySeries map[string]float64 `json:"ap_by_series"`
	// VUSPR is the mean of the volume under the surface of precision and recall
	// over the same series, with buffers of up to Buffer points.
	VUSPR       float64            `json:"vus_pr"`
	VUSBySeries map[string]float64 `json:"vus_pr_by_series"`
	Buffer      int                `json:"vus_buffer_points"`
	// Best is the threshold, one for all series, with the highest F1 of events.
	Best Point `json:"best"`
	// Default is the default operating point.
	Default Point `json:"default"`
}

// run is one scored series; rows before from do not count.
type run struct {
	score.Scored
	events []evaluate.Event
	from   int
}

// Bench scores all series. Those without labels have part in the events: their
// alerts are false.
func Bench(m score.Method, series []dataset.Series) Result {
	out := Result{BySeries: map[string]float64{}, VUSBySeries: map[string]float64{}, Buffer: buffer(series)}
	var runs []run
	var pool []float64
	for i := range series {
		s := &series[i]
		r := run{from: int(warmShare * float64(len(s.Values)))}
		r.Scored = score.Run(m, s.Times, s.Values)
		r.events = evaluate.Events(s.Labels, r.from)
		if len(r.events) > 0 {
			ap := evaluate.AveragePrecision(r.Evidence[r.from:], s.Labels[r.from:])
			out.BySeries[s.Name] = ap
			out.AP += ap
			vus := evaluate.VUSPR(r.Evidence[r.from:], s.Labels[r.from:], out.Buffer)
			out.VUSBySeries[s.Name] = vus
			out.VUSPR += vus
		}
		runs = append(runs, r)
		pool = append(pool, r.Scores[r.from:]...)
	}
	out.AP /= float64(max(1, len(out.BySeries)))
	out.VUSPR /= float64(max(1, len(out.VUSBySeries)))
	out.Default = point(runs, 0, func(r *run, k int) bool { return r.Alarms[k] })
	for _, t := range evaluate.Thresholds(pool, dutyCap) {
		p := point(runs, t, func(r *run, k int) bool { return r.Scores[k] >= t })
		if p.Duty <= dutyCap && p.Counts.F1() > out.Best.Counts.F1() {
			out.Best = p
		}
	}
	return out
}

// buffer is half of the median period of the series with labels, those without a
// period left out: one number for all.
func buffer(series []dataset.Series) int {
	var periods []int
	for i := range series {
		s := &series[i]
		if p := evaluate.Period(s.Values); p > 0 && slices.Contains(s.Labels, true) {
			periods = append(periods, p)
		}
	}
	if len(periods) == 0 {
		return 0
	}
	slices.Sort(periods)
	return periods[(len(periods)-1)/2] / 2
}

func point(runs []run, threshold float64, fired func(r *run, row int) bool) Point {
	p := Point{Threshold: threshold}
	exceeded, points := 0, 0
	for i := range runs {
		r := &runs[i]
		points += len(r.Scores) - r.from
		onsets, n := rule.Onsets(func(k int) bool { return fired(r, k) }, r.from, len(r.Scores))
		exceeded += n
		found, spurious := rule.Found(onsets, r.events)
		sham, _ := rule.Found(onsets, shifted(r.events, r.from, len(r.Scores)))
		p.Counts.Add(evaluate.Counts{Events: len(found), Found: count(found), Spurious: spurious, Sham: count(sham)})
	}
	p.Duty = float64(exceeded) / float64(max(1, points))
	return p
}

// shifted moves events by half of the scored rows, around the end.
func shifted(events []evaluate.Event, from, rows int) []evaluate.Event {
	out := make([]evaluate.Event, len(events))
	n := rows - from
	for i, e := range events {
		first := from + (e.First-from+n/2)%n
		out[i] = evaluate.Event{First: first, Last: first + e.Last - e.First}
	}
	return out
}

func count(set []bool) int {
	n := 0
	for _, b := range set {
		if b {
			n++
		}
	}
	return n
}
