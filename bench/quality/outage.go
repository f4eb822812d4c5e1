package main

import (
	"slices"
	"time"

	"github.com/llm-devops/llm-sentinel/bench/quality/internal/calls"
	"github.com/llm-devops/llm-sentinel/bench/quality/internal/dataset"
	"github.com/llm-devops/llm-sentinel/bench/quality/internal/inject"
)

// outageFigures are those of the methods that judge rates, and of the product's
// rule for the number of calls.
type outageFigures struct {
	Methods map[string]inject.Result `json:"methods"`
	Calls   calls.OutageResult       `json:"calls"`
}

func runOutage(e *env) (figures any, results []result, err error) {
	series, err := dataset.ServeGen(e.data)
	if err != nil {
		return nil, nil, err
	}
	series = slices.DeleteFunc(series, func(s dataset.Series) bool { return s.Step != 10*time.Minute })
	all, err := e.incidents(series, inject.Outages())
	if err != nil {
		return nil, nil, err
	}
	e.progress(e.name + ": calls")
	byCalls, err := calls.BenchOutages(series, inject.Outages())
	if err != nil {
		return nil, nil, err
	}
	e.table.WriteByte('\n')
	var t table
	t.row(append([]string{"rule for calls, at its defaults"}, pointHead...)...)
	t.row(pointCells("fewer calls than usual", &byCalls.Drops)...)
	t.row(pointCells("  no calls", &byCalls.Silence)...)
	if err := t.print(e.table); err != nil {
		return nil, nil, err
	}
	r := all[e.methods[0].Name]
	return outageFigures{all, byCalls}, recalls(&r), nil
}
