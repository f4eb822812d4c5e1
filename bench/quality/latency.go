package main

import (
	"fmt"
	"maps"
	"slices"

	"github.com/llm-devops/llm-sentinel/bench/quality/internal/dataset"
	"github.com/llm-devops/llm-sentinel/bench/quality/internal/inject"
)

func runLatency(e *env) (figures any, results []result, err error) {
	series, err := dataset.LatencySeries(e.data)
	if err != nil {
		return nil, nil, err
	}
	all, err := e.incidents(series, inject.Incidents())
	if err != nil {
		return nil, nil, err
	}
	r := all[e.methods[0].Name]
	return all, recalls(&r), e.printGroups(all)
}

// printGroups prints the recalls of printTypes for each group of series, at the
// threshold that all groups have in common.
func (e *env) printGroups(all map[string]inject.Result) error {
	e.table.WriteByte('\n')
	first := all[e.methods[0].Name]
	var t table
	head := []string{"the same by group"}
	for _, m := range e.methods {
		head = append(head, m.Name)
	}
	t.row(append(head, e.methods[0].Name+" at default")...)
	for _, g := range slices.Sorted(maps.Keys(first.Default.ByGroup)) {
		for _, typ := range slices.Sorted(maps.Keys(first.Default.ByGroup[g])) {
			cells := []string{fmt.Sprintf("%s, %s, %d", g, typ, first.Default.ByGroup[g][typ].Events)}
			for _, m := range e.methods {
				cells = append(cells, recall(all[m.Name].At10.ByGroup[g][typ]))
			}
			t.row(append(cells, recall(first.Default.ByGroup[g][typ]))...)
		}
	}
	return t.print(e.table)
}
