// Command quality measures how well anomalies are found: by the benchmark of
// Numenta (nab), on labelled telemetry of cloud services (cloud), on real LLM
// traffic with seeded incidents (injection, latency, errors, outage), and by the
// alerts on traffic and noise without any (clean). The product's engine is scored
// beside textbook methods, by the same rules and on the same series.
//
// Every method sees the values of a series one after the other and nothing
// else. The series are public and not part of this repository; see the README.
// The output is the same for every run.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/llm-devops/llm-sentinel/bench/quality/internal/clean"
	"github.com/llm-devops/llm-sentinel/bench/quality/internal/score"
)

type options struct {
	data    string
	benches string
	scorer  string
	against string
	out     string
	noise   clean.Size
}

func main() {
	data := os.Getenv("SENTINEL_DATA")
	if data == "" {
		data = "../shared/data"
	}
	o := options{noise: clean.DefaultSize()}
	flag.StringVar(&o.data, "data", data, "folder of the public series")
	flag.StringVar(&o.benches, "bench", strings.Join(benchNames(), ","), "benches to run, separated by commas")
	flag.StringVar(&o.scorer, "scorer", score.Product, "method whose figures are the RESULT lines")
	flag.StringVar(&o.against, "against", "all", "methods to compare it with, separated by commas, or all or none")
	flag.StringVar(&o.out, "out", "", "JSON file for all figures; default none")
	flag.Parse()
	if err := run(o, os.Stdout, func(what string) { fmt.Fprintln(os.Stderr, what) }); err != nil {
		fmt.Fprintln(os.Stderr, "bench-quality:", err)
		os.Exit(1)
	}
}

// env is what a bench works with.
type env struct {
	// name is that of the bench.
	name string
	// data is the folder of the public series.
	data string
	// methods to score; the first is the one that RESULT lines tell of.
	methods []score.Method
	// noise says how much of it is judged.
	noise clean.Size
	// table receives what people read; progress is told what is going on.
	table    *bytes.Buffer
	progress func(what string)
}

// bench is one of the benches. run prints its table and returns its figures.
type bench struct {
	name, title string
	run         func(*env) (figures any, results []result, err error)
}

func benches() []bench {
	return []bench{
		{"nab", "Numenta Anomaly Benchmark: 100 is perfect, 0 is silence", runNAB},
		{"cloud", "Labelled telemetry of cloud services", runCloud},
		{"injection", "Seeded incidents in real LLM traffic", runInjection},
		{"latency", "Seeded incidents in real latencies", runLatency},
		{"errors", "Seeded error bursts in the calls of real LLM traffic", runErrors},
		{"outage", "Seeded outages in real LLM traffic", runOutage},
		{"clean", "Alerts without incidents, at the defaults", runClean},
	}
}

func benchNames() []string {
	var out []string
	for _, b := range benches() {
		out = append(out, b.name)
	}
	return out
}

func run(o options, out io.Writer, progress func(what string)) error {
	table := &bytes.Buffer{}
	wanted := strings.Split(o.benches, ",")
	for _, name := range wanted {
		if !slices.Contains(benchNames(), name) {
			return fmt.Errorf("bench must be among %s, got %q", strings.Join(benchNames(), ", "), name)
		}
	}
	methods, err := selectMethods(o.scorer, o.against)
	if err != nil {
		return err
	}
	doc := document{Version: 1, Scorer: o.scorer, Benches: map[string]any{}}
	for _, b := range benches() {
		if !slices.Contains(wanted, b.name) {
			continue
		}
		fmt.Fprintf(table, "%s\n\n", b.title)
		e := &env{name: b.name, data: o.data, methods: methods, noise: o.noise, table: table, progress: progress}
		figures, results, err := b.run(e)
		if err != nil {
			return fmt.Errorf("%s: %w", b.name, err)
		}
		table.WriteByte('\n')
		if _, err := table.WriteTo(out); err != nil {
			return fmt.Errorf("print: %w", err)
		}
		doc.Benches[b.name] = figures
		doc.Results = append(doc.Results, results...)
	}
	if o.out != "" {
		if err := doc.write(o.out); err != nil {
			return err
		}
	}
	for _, r := range doc.Results {
		fmt.Fprintf(table, "RESULT %s %s %s\n", r.Name, r.text(), r.Unit)
	}
	if _, err := table.WriteTo(out); err != nil {
		return fmt.Errorf("print: %w", err)
	}
	return nil
}

// selectMethods returns the scorer and, after it, those to compare it with.
func selectMethods(scorer, against string) ([]score.Method, error) {
	first, err := score.Find(scorer)
	if err != nil {
		return nil, err
	}
	out := []score.Method{first}
	var names []string
	switch against {
	case "none":
	case "all":
		for _, m := range score.Methods() {
			names = append(names, m.Name)
		}
	default:
		names = strings.Split(against, ",")
	}
	for _, name := range names {
		if name == scorer {
			continue
		}
		m, err := score.Find(name)
		if err != nil {
			return nil, err
		}
		out = append(out, m)
	}
	return out, nil
}

// each calls f for every method, with its number, and reports progress.
func (e *env) each(f func(i int, m score.Method)) {
	for i, m := range e.methods {
		e.progress(e.name + ": " + m.Title)
		f(i, m)
	}
}
