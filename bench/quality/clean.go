package main

import (
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/llm-devops/llm-sentinel/bench/quality/internal/clean"
	"github.com/llm-devops/llm-sentinel/bench/quality/internal/dataset"
	"github.com/llm-devops/llm-sentinel/bench/quality/internal/score"
)

// cleanFigures are the alerts of one method without incidents.
type cleanFigures struct {
	All    clean.Count            `json:"all"`
	Groups map[string]clean.Count `json:"groups"`
	// Noise is absent for methods that promise no rate, and for slow ones.
	Noise []clean.Rate `json:"noise,omitempty"`
	// Calibration is absent for methods that give no p-values.
	Calibration []clean.Calibration `json:"calibration,omitempty"`
	// Weekly are those of the product, as it bounds the alerts of a week.
	Weekly []clean.Weekly `json:"weekly,omitempty"`
}

// slow are the methods that noise is spared: their windows are so long that
// they would take most of the time.
var slow = []string{"z500", "mad500", "gaussian"}

func runClean(e *env) (figures any, results []result, err error) {
	series, err := dataset.LLM(e.data)
	if err != nil {
		return nil, nil, err
	}
	all := map[string]cleanFigures{}
	e.each(func(i int, m score.Method) {
		var f cleanFigures
		f.Groups, f.All = clean.Traces(m, series)
		if m.Nominal > 0 && !slices.Contains(slow, m.Name) {
			f.Noise = clean.Honesty(m, e.noise)
		}
		f.Calibration = clean.Calibrate(m, e.noise)
		all[m.Name] = f
		if i == 0 {
			results = []result{{"clean.alerts_per_1000h", f.All.Per1000h(), unitPer1000h}}
			if f.Calibration != nil {
				results = append(results,
					result{"calibration.worst_factor", clean.WorstFactor(f.Calibration, false), unitRatio},
					result{"calibration.worst_factor_correlated", clean.WorstFactor(f.Calibration, true), unitRatio},
					result{"calibration.fresh_worst_excess", clean.WorstExcess(f.Calibration, false), unitRatio},
					result{"calibration.fresh_worst_excess_correlated", clean.WorstExcess(f.Calibration, true), unitRatio})
			}
		}
	})
	if name := e.methods[0].Name; name == score.Product {
		f := all[name]
		f.Weekly = clean.Weeks(score.Knob(score.AlertsPerWeek), e.noise.Series)
		all[name] = f
		results = append(results, result{"calibration.worst_alerts_per_week", clean.WorstWeek(f.Weekly), unitPerWeek})
	}
	if err := e.printTraces(all); err != nil {
		return nil, nil, err
	}
	if err := e.printNoise(all); err != nil {
		return nil, nil, err
	}
	if err := e.printCalibration(all); err != nil {
		return nil, nil, err
	}
	return all, results, e.printWeekly(all[e.methods[0].Name].Weekly)
}

func (e *env) printTraces(all map[string]cleanFigures) error {
	first := all[e.methods[0].Name]
	var t table
	head := []string{"alerts/1000 series-h", "series", "hours"}
	for _, m := range e.methods {
		head = append(head, m.Name)
	}
	t.row(head...)
	line := func(name string, get func(cleanFigures) clean.Count) {
		c := get(first)
		cells := []string{name, strconv.Itoa(c.Series), number(c.Hours, 0)}
		for _, m := range e.methods {
			cells = append(cells, number(get(all[m.Name]).Per1000h(), 1))
		}
		t.row(cells...)
	}
	for _, g := range slices.Sorted(maps.Keys(first.Groups)) {
		line(g, func(f cleanFigures) clean.Count { return f.Groups[g] })
	}
	line("all", func(f cleanFigures) clean.Count { return f.All })
	cells := []string{"all, per 10 000 points", "", ""}
	for _, m := range e.methods {
		cells = append(cells, number(all[m.Name].All.Per10000(), 1))
	}
	t.row(cells...)
	if err := t.print(e.table); err != nil {
		return err
	}
	e.table.WriteString("Real traffic as it is, after the first quarter of each series. Nobody has labelled it: some alerts are right.\n\n")
	return nil
}

// printNoise prints the measured rates of alarms on noise beside the promised
// one, per million values.
func (e *env) printNoise(all map[string]cleanFigures) error {
	var promised []score.Method
	for _, m := range e.methods {
		if all[m.Name].Noise != nil {
			promised = append(promised, m)
		}
	}
	if len(promised) == 0 {
		return nil
	}
	var t table
	head, nominal := []string{"alarms per million values"}, []string{"nominal"}
	for _, m := range promised {
		head = append(head, m.Name)
		nominal = append(nominal, number(m.Nominal*1e6, 0))
	}
	t.row(head...)
	t.row(nominal...)
	for k, r := range all[promised[0].Name].Noise {
		cells := []string{r.Family}
		for _, m := range promised {
			cells = append(cells, number(all[m.Name].Noise[k].Settled*1e6, 0))
		}
		t.row(cells...)
	}
	for k, r := range all[promised[0].Name].Noise {
		cells := []string{r.Family + ", first 64 of 100 series"}
		for _, m := range promised {
			cells = append(cells, number(all[m.Name].Noise[k].Cold*100, 1))
		}
		t.row(cells...)
	}
	if err := t.print(e.table); err != nil {
		return err
	}
	fmt.Fprintf(e.table, "Noise without anomalies: %d series of %d values per family, and %d fresh series for the last rows.\n",
		e.noise.Series, e.noise.Points, e.noise.Fresh)
	return nil
}

// printCalibration prints how often p-values occur beside what they say.
func (e *env) printCalibration(all map[string]cleanFigures) error {
	for _, m := range e.methods {
		f := all[m.Name]
		if f.Calibration == nil {
			continue
		}
		var t table
		head := []string{"p-values of " + m.Title}
		for _, p := range clean.Nominals {
			head = append(head, "<= "+strconv.FormatFloat(p, 'g', -1, 64))
		}
		t.row(append(head, "worst factor")...)
		for _, c := range f.Calibration {
			cells := []string{c.Family}
			for _, r := range c.Ratio {
				cells = append(cells, number(r, 2))
			}
			t.row(append(cells, number(c.Factor(), 2))...)
		}
		for _, c := range f.Calibration {
			cells := []string{c.Family + ", first 100 values"}
			for _, r := range c.Fresh {
				cells = append(cells, number(r, 2))
			}
			t.row(append(cells, number(c.Excess(), 2))...)
		}
		if err := t.print(e.table); err != nil {
			return err
		}
		fmt.Fprintf(e.table, "Part of the values of noise with such a p-value, divided by it: 1 is honest. %d values per family,\nand %d of fresh series, where only too many are a fault.\n",
			f.Calibration[0].Values, f.Calibration[0].FreshValues)
	}
	return nil
}

// printWeekly prints what the bound of the processor lets through on noise.
func (e *env) printWeekly(all []clean.Weekly) error {
	if all == nil {
		return nil
	}
	var t table
	head := []string{"alerts a series, trend::alerts_per_week = " + number(score.AlertsPerWeek, 0)}
	for _, step := range clean.WeeklySteps {
		head = append(head, "a week, steps of "+step.String(), "on the first day")
	}
	t.row(head...)
	for _, w := range all {
		cells := []string{w.Family}
		for s := range clean.WeeklySteps {
			cells = append(cells, number(w.PerWeek[s], 2), number(w.FirstDay[s], 2))
		}
		t.row(cells...)
	}
	return t.print(e.table)
}
