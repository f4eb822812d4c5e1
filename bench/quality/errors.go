package main

import (
	"fmt"
	"strconv"

	"github.com/llm-devops/llm-sentinel/bench/quality/internal/calls"
	"github.com/llm-devops/llm-sentinel/bench/quality/internal/dataset"
	"github.com/llm-devops/llm-sentinel/bench/quality/internal/inject"
	"github.com/llm-devops/llm-sentinel/bench/quality/internal/score"
)

// ratioMethod is the textbook method that the share of failed calls of a step is
// judged by.
const ratioMethod = "z60"

// runErrors judges single calls by the product's rule for them, whichever
// method the other benches score.
func runErrors(e *env) (figures any, results []result, err error) {
	requests, err := dataset.Arrivals(e.data)
	if err != nil {
		return nil, nil, err
	}
	m, err := score.Find(ratioMethod)
	if err != nil {
		return nil, nil, err
	}
	var f errorFigures
	for _, world := range []struct {
		name, title string
		spread      float64
		figures     *calls.ErrorResult
	}{
		{"even", "one share of each series fails", 0, &f.Even},
		{"uneven", fmt.Sprintf("the share differs by step, log-normal with %g", calls.UnevenSpread), calls.UnevenSpread, &f.Uneven},
	} {
		e.progress(e.name + ": " + world.name)
		if *world.figures, err = calls.BenchErrors(requests, m, world.spread); err != nil {
			return nil, nil, err
		}
		if err := e.printErrors(world.title, m, world.figures); err != nil {
			return nil, nil, err
		}
	}
	d := &f.Even.Default.Point
	return f, []result{
		{"injection.recall." + calls.ErrorBurst, f.Even.At10.Point.Total.Recall(), unitRatio},
		{"errors.recall_default", d.Total.Recall(), unitRatio},
		{"errors.recall_uneven", f.Uneven.At10.Point.Total.Recall(), unitRatio},
		{"errors.alerts_per_1000h", d.AlertsPer1000h, unitPer1000h},
		{"errors.alerts_per_1000h_uneven", f.Uneven.Default.Point.AlertsPer1000h, unitPer1000h},
		{"errors.median_delay", float64(d.Delay), unitSteps},
		{"errors.delay_90", float64(d.Delay90), unitSteps},
	}, nil
}

// errorFigures are those with errors that come evenly, and unevenly, where there
// is no burst.
type errorFigures struct {
	Even   calls.ErrorResult `json:"even"`
	Uneven calls.ErrorResult `json:"uneven"`
}

func (e *env) printErrors(title string, m score.Method, r *calls.ErrorResult) error {
	var t table
	t.row(append([]string{title}, pointHead...)...)
	t.row(pointCells("error rate of calls, defaults", &r.Default.Point)...)
	for i := range r.Levels {
		l := &r.Levels[i]
		t.row(pointCells(fmt.Sprintf("  false alarms %g a call", l.FalseAlarms), &l.Point)...)
	}
	t.row(pointCells("share of a step, "+m.Title, &r.Ratio.Default)...)
	t.row(pointCells("  best threshold at <= 10/1000 h", &r.Ratio.At10)...)
	if err := t.print(e.table); err != nil {
		return err
	}
	fmt.Fprintf(e.table, "%d series, %d calls in each run, %d bursts. Arrivals are real, errors are drawn. Highest recall at <= 10/1000 h:\n"+
		"%g false alarms a call. delay: median and 90 %% point, in steps.\n\n",
		r.Series, r.Calls, r.Default.Point.Total.Events, r.At10.FalseAlarms)
	return nil
}

var pointHead = []string{"alerts/1000 h", "P", "R (sham)", "net", "F1", "delay", "90 %"}

// pointCells are the figures of one operating point.
func pointCells(title string, p *inject.Point) []string {
	return []string{
		title, number(p.AlertsPer1000h, 1), number(p.Total.Precision(), 2), recall(p.Total), number(p.Total.NetRecall(), 2),
		number(p.Total.F1(), 3), strconv.Itoa(p.Delay), strconv.Itoa(p.Delay90),
	}
}
