package main

import (
	"fmt"

	"github.com/llm-devops/llm-sentinel/bench/quality/internal/dataset"
	"github.com/llm-devops/llm-sentinel/bench/quality/internal/inject"
	"github.com/llm-devops/llm-sentinel/bench/quality/internal/score"
)

func runInjection(e *env) (figures any, results []result, err error) {
	series, err := dataset.LLM(e.data)
	if err != nil {
		return nil, nil, err
	}
	all := map[string]inject.Result{}
	var t table
	t.row("method", "alerts/1000 h", "P", "R (sham)", "F1", "best F1", "R at <= 10/1000 h", "net", "R at <= 20/1000 h", "net")
	e.each(func(i int, m score.Method) {
		r := inject.Bench(m, series, inject.Incidents())
		all[m.Name] = r
		d := r.Default
		t.row(m.Title, number(d.AlertsPer1000h, 1), number(d.Total.Precision(), 2), recall(d.Total), number(d.Total.F1(), 3),
			number(r.Best.Total.F1(), 3),
			recall(r.At10.Total), number(r.At10.Total.NetRecall(), 2), recall(r.At20.Total), number(r.At20.Total.NetRecall(), 2))
		if i == 0 {
			results = []result{
				{"injection.f1", d.Total.F1(), unitRatio},
				{"injection.net_recall_at_10", r.At10.Total.NetRecall(), unitRatio},
			}
			for _, typ := range r.Types() {
				c := r.At10.ByType[typ]
				results = append(results, result{"injection.recall." + typ, c.Recall(), unitRatio})
			}
		}
	})
	if err := t.print(e.table); err != nil {
		return nil, nil, err
	}
	first := all[e.methods[0].Name]
	fmt.Fprintf(e.table, "%d series, %d runs with %d incidents. alerts to F1: at the default. best F1: at the best threshold under which at\n"+
		"most 5 %% of the clean points alarm. sham: recall of the same rows with nothing in them; net = (R - sham) / (1 - sham).\n\n",
		len(series), inject.Repetitions*len(series), first.Default.Total.Events)
	return all, results, e.printTypes(all)
}

// printTypes prints the recall by type of incident at the budget of 10 alerts
// per 1000 hours, and that of the scorer at its default.
func (e *env) printTypes(all map[string]inject.Result) error {
	first := all[e.methods[0].Name]
	var t table
	head := []string{"R (sham) at <= 10/1000 h"}
	for _, m := range e.methods {
		head = append(head, m.Name)
	}
	t.row(append(head, e.methods[0].Name+" at default")...)
	for _, typ := range first.Types() {
		cells := []string{fmt.Sprintf("%s, %d", typ, first.Default.ByType[typ].Events)}
		for _, m := range e.methods {
			cells = append(cells, recall(all[m.Name].At10.ByType[typ]))
		}
		t.row(append(cells, recall(first.Default.ByType[typ]))...)
	}
	return t.print(e.table)
}
