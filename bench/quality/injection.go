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
	all, err := e.incidents(series, inject.Incidents())
	if err != nil {
		return nil, nil, err
	}
	r := all[e.methods[0].Name]
	results = []result{
		{"injection.f1", r.Default.Total.F1(), unitRatio},
		{"injection.net_recall_at_10", r.At10.Total.NetRecall(), unitRatio},
	}
	results = append(results, recalls(&r)...)
	if e.methods[0].Name == score.Product {
		k, err := e.knob(series)
		if err != nil {
			return nil, nil, err
		}
		results = append(results, result{"injection.recall_processor", k.Total.Recall(), unitRatio},
			result{"injection.alerts_processor", k.AlertsPer1000h, unitPer1000h})
	}
	return all, results, nil
}

// knob prints what the processor finds, which bounds the alerts of a series and
// week besides the threshold, and returns that of its default.
func (e *env) knob(series []dataset.Series) (inject.Point, error) {
	var t table
	t.row("trend::alerts_per_week", "alerts/1000 h", "alerts/week", "P", "R (sham)", "F1")
	var byDefault inject.Point
	for _, perWeek := range []float64{.5, score.AlertsPerWeek, 5, 10, 100} {
		d := inject.Bench(score.Knob(perWeek), series, inject.Incidents()).Default
		if perWeek == score.AlertsPerWeek {
			byDefault = d
		}
		t.row(number(perWeek, 1), number(d.AlertsPer1000h, 1), number(d.AlertsPer1000h*score.Week.Hours()/1000, 2),
			number(d.Total.Precision(), 2), recall(d.Total), number(d.Total.F1(), 3))
	}
	return byDefault, t.print(e.table)
}

// recalls are the recalls by type at the budget of 10 alerts per 1000 hours.
func recalls(r *inject.Result) []result {
	var out []result
	for _, typ := range r.Types() {
		out = append(out, result{"injection.recall." + typ, r.At10.ByType[typ].Recall(), unitRatio})
	}
	return out
}

// incidents scores all methods on series with incidents of a plan and prints
// the tables.
func (e *env) incidents(series []dataset.Series, p inject.Plan) (map[string]inject.Result, error) {
	all := map[string]inject.Result{}
	var t table
	t.row(incidentHead("method")...)
	e.each(func(_ int, m score.Method) {
		r := inject.Bench(m, series, p)
		all[m.Name] = r
		t.row(incidentCells(m.Title, &r)...)
	})
	if err := t.print(e.table); err != nil {
		return nil, err
	}
	first := all[e.methods[0].Name]
	fmt.Fprintf(e.table, "%d series, %d runs with %d incidents. alerts to F1: at the default. best F1: at the best threshold under which at\n"+
		"most 5 %% of the clean points alarm. sham: recall of the same rows with nothing in them; net = (R - sham) / (1 - sham).\n\n",
		len(series), inject.Repetitions*len(series), first.Default.Total.Events)
	return all, e.printTypes(all)
}

func incidentHead(what string) []string {
	return []string{what, "alerts/1000 h", "P", "R (sham)", "F1", "best F1", "R at <= 10/1000 h", "net", "R at <= 20/1000 h", "net"}
}

func incidentCells(title string, r *inject.Result) []string {
	d := r.Default
	return []string{
		title, number(d.AlertsPer1000h, 1), number(d.Total.Precision(), 2), recall(d.Total), number(d.Total.F1(), 3),
		number(r.Best.Total.F1(), 3),
		recall(r.At10.Total), number(r.At10.Total.NetRecall(), 2), recall(r.At20.Total), number(r.At20.Total.NetRecall(), 2),
	}
}

// printTypes prints the recall by type of incident at the budget of 10 alerts
// per 1000 hours, and that of the scorer at its default with the median delay of
// all its types.
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
