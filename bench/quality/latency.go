package main

import (
	"fmt"

	"github.com/llm-devops/llm-sentinel/bench/quality/internal/dataset"
	"github.com/llm-devops/llm-sentinel/bench/quality/internal/inject"
)

// runLatency injects into two groups of series, each with its own budget: their
// steps do not compare.
func runLatency(e *env) (figures any, results []result, err error) {
	series, err := dataset.LatencySeries(e.data)
	if err != nil {
		return nil, nil, err
	}
	groups := map[string][]dataset.Series{}
	var names []string
	for _, s := range series {
		if groups[s.Group] == nil {
			names = append(names, s.Group)
		}
		groups[s.Group] = append(groups[s.Group], s)
	}
	byGroup := map[string]map[string]inject.Result{}
	for _, g := range names {
		fmt.Fprintf(e.table, "%s\n", g)
		if byGroup[g], err = e.incidents(groups[g], inject.Incidents()); err != nil {
			return nil, nil, err
		}
		e.table.WriteByte('\n')
		r := byGroup[g][e.methods[0].Name]
		results = append(results, recalls(&r)...)
	}
	return byGroup, results, nil
}
