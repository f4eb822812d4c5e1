package main

import (
	"fmt"

	"github.com/llm-devops/llm-sentinel/bench/quality/internal/cloud"
	"github.com/llm-devops/llm-sentinel/bench/quality/internal/dataset"
	"github.com/llm-devops/llm-sentinel/bench/quality/internal/score"
)

func runCloud(e *env) (figures any, results []result, err error) {
	series, err := dataset.Cloud(e.data)
	if err != nil {
		return nil, nil, err
	}
	all := map[string]cloud.Result{}
	labelled, buffer := 0, 0
	var t table
	t.row("method", "AP", "VUS-PR", "best F1", "P", "R (sham)", "duty", "default F1", "P", "R (sham)", "duty")
	e.each(func(i int, m score.Method) {
		r := cloud.Bench(m, series)
		all[m.Name] = r
		labelled, buffer = len(r.BySeries), r.Buffer
		b, d := r.Best, r.Default
		t.row(m.Title, number(r.AP, 3), number(r.VUSPR, 3),
			number(b.Counts.F1(), 3), number(b.Counts.Precision(), 2), recall(b.Counts), number(b.Duty, 3),
			number(d.Counts.F1(), 3), number(d.Counts.Precision(), 2), recall(d.Counts), number(d.Duty, 3))
		if i == 0 {
			results = []result{
				{"cloud.ap", r.AP, unitRatio},
				{"cloud.vus_pr", r.VUSPR, unitRatio},
				{"cloud.event_f1", b.Counts.F1(), unitRatio},
			}
		}
	})
	if err := t.print(e.table); err != nil {
		return nil, nil, err
	}
	fmt.Fprintf(e.table, "%d series, %d of them with labels. AP: mean average precision of points. VUS-PR: with buffers of up to\n"+
		"%d points. best F1: of events, at the best threshold for all series. sham: recall of the same events moved by half a series.\n",
		len(series), labelled, buffer)
	return all, results, nil
}
