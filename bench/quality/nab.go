package main

import (
	"fmt"
	"strconv"

	"github.com/llm-devops/llm-sentinel/bench/quality/internal/dataset"
	"github.com/llm-devops/llm-sentinel/bench/quality/internal/nab"
	"github.com/llm-devops/llm-sentinel/bench/quality/internal/score"
)

// nabFigures are those of one method in NAB, by profile.
type nabFigures struct {
	Optimised map[string]nabOutcome `json:"optimised"`
	Default   map[string]nabOutcome `json:"default"`
	// Forth has the threshold from the first, third, fifth … file and is scored
	// on the others; Back is the other way round.
	Forth map[string]nabOutcome `json:"two_fold_forth"`
	Back  map[string]nabOutcome `json:"two_fold_back"`
}

type nabOutcome struct {
	Score float64 `json:"score"`
	// Threshold is null when nothing fires.
	Threshold *float64 `json:"threshold"`
	Inside    int      `json:"rows_inside"`
	Outside   int      `json:"rows_outside"`
	Found     int      `json:"windows_found"`
}

func newNABOutcome(o nab.Outcome) nabOutcome {
	return nabOutcome{Score: o.Score, Threshold: finite(o.Threshold), Inside: o.Inside, Outside: o.Outside, Found: o.Found}
}

func runNAB(e *env) (figures any, results []result, err error) {
	series, err := dataset.NAB(e.data)
	if err != nil {
		return nil, nil, err
	}
	windows := 0
	for i := range series {
		windows += len(series[i].Windows)
	}
	all := map[string]nabFigures{}
	var t table
	t.row("method", "standard", "low FP", "low FN", "fired in", "outside", "two-fold", "there", "back", "default", "low FP", "low FN", "fired in", "outside")
	e.each(func(i int, m score.Method) {
		files := make([]nab.File, len(series))
		for k := range series {
			s := &series[k]
			r := score.Run(m, s.Times, s.Values)
			files[k] = nab.File{Scores: r.Scores, Alarms: r.Alarms, Windows: s.Windows}
		}
		f := nabFigures{
			Optimised: map[string]nabOutcome{}, Default: map[string]nabOutcome{},
			Forth: map[string]nabOutcome{}, Back: map[string]nabOutcome{},
		}
		for _, p := range nab.Profiles() {
			f.Optimised[p.Name] = newNABOutcome(nab.Optimise(files, p))
			f.Default[p.Name] = newNABOutcome(nab.AtDefault(files, p))
			forth, back := nab.TwoFold(files, p)
			f.Forth[p.Name], f.Back[p.Name] = newNABOutcome(forth), newNABOutcome(back)
		}
		all[m.Name] = f
		std, def, forth, back := f.Optimised["standard"], f.Default["standard"], f.Forth["standard"].Score, f.Back["standard"].Score
		t.row(m.Title, number(std.Score, 1), number(f.Optimised["low_fp"].Score, 1), number(f.Optimised["low_fn"].Score, 1),
			strconv.Itoa(std.Inside), strconv.Itoa(std.Outside),
			number((forth+back)/2, 1), number(forth, 1), number(back, 1),
			number(def.Score, 1), number(f.Default["low_fp"].Score, 1), number(f.Default["low_fn"].Score, 1),
			strconv.Itoa(def.Inside), strconv.Itoa(def.Outside))
		if i == 0 {
			results = []result{
				{"nab.standard", std.Score, unitPoints},
				{"nab.low_fp", f.Optimised["low_fp"].Score, unitPoints},
				{"nab.low_fn", f.Optimised["low_fn"].Score, unitPoints},
				{"nab.default_threshold", def.Score, unitPoints},
				{"nab.two_fold", (forth + back) / 2, unitPoints},
			}
		}
	})
	if err := t.print(e.table); err != nil {
		return nil, nil, err
	}
	fmt.Fprintf(e.table, "%d files, %d windows. standard to outside: one threshold, the best for these files. two-fold: threshold\n"+
		"from one half of the files, scored on the other, both ways and their mean. default: alarms of the method as it is.\n", len(series), windows)
	return all, results, nil
}
