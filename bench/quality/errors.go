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
	e.progress(e.name + ": calls")
	r, err := calls.BenchErrors(requests, m)
	if err != nil {
		return nil, nil, err
	}
	var t table
	t.row("method", "alerts/1000 h", "P", "R (sham)", "net", "F1", "median delay, steps")
	t.row(pointCells("error rate of calls, defaults", &r.Default.Point)...)
	for i := range r.Levels {
		l := &r.Levels[i]
		t.row(pointCells(fmt.Sprintf("  false alarms %g a call", l.FalseAlarms), &l.Point)...)
	}
	t.row(pointCells("share of a step, "+m.Title, &r.Ratio.Default)...)
	t.row(pointCells("  best threshold at <= 10/1000 h", &r.Ratio.At10)...)
	if err := t.print(e.table); err != nil {
		return nil, nil, err
	}
	fmt.Fprintf(e.table, "%d series, %d calls in each run, %d bursts. Arrivals are real, errors are drawn. RESULT: %g false alarms a call.\n",
		r.Series, r.Calls, r.Default.Point.Total.Events, r.At10.FalseAlarms)
	p := &r.At10.Point
	return r, []result{
		{"injection.recall." + calls.ErrorBurst, p.Total.Recall(), unitRatio},
	}, nil
}

// pointCells are the figures of one operating point.
func pointCells(title string, p *inject.Point) []string {
	return []string{
		title, number(p.AlertsPer1000h, 1), number(p.Total.Precision(), 2), recall(p.Total), number(p.Total.NetRecall(), 2),
		number(p.Total.F1(), 3), strconv.Itoa(p.Delay),
	}
}
