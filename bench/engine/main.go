// Command engine measures what a judged value costs: processor time, memory and
// allocations of internal/detect, with the states held as the product holds
// them, and the time to save and restore them.
//
// The values of a series are log-normal noise without incidents. Keys come
// evenly or by Zipf's law with exponent 1.1, on one core and on two; 512 are looked
// up together, as those of a batch of telemetry can be, or one by one. Times are
// processor times of the process, and the minimum of the runs: on a busy
// machine a wall clock measures the neighbours. What cannot be run in the
// memory that is free is run with fewer series, and the output says so.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
)

type options struct {
	sizes  []int
	events int
	runs   int
	out    string
	// freeBytes is the memory that may be used; 0 means not known.
	freeBytes uint64
}

func main() {
	o := options{freeBytes: availableMemory()}
	sizes := flag.String("series", "100,10000,1000000", "numbers of series, separated by commas")
	flag.IntVar(&o.events, "events", 2_000_000, "values judged in each run")
	flag.IntVar(&o.runs, "runs", 5, "runs; the minimum is printed")
	flag.StringVar(&o.out, "out", "", "JSON file for all figures; default none")
	flag.Parse()
	err := parseSizes(&o, *sizes)
	if err == nil {
		err = run(o, os.Stdout, func(what string) { fmt.Fprintln(os.Stderr, what) })
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench-engine:", err)
		os.Exit(1)
	}
}

func parseSizes(o *options, text string) error {
	for _, s := range strings.Split(text, ",") {
		n, err := strconv.Atoi(s)
		if err != nil || n < 1 || n > maxSeries {
			return fmt.Errorf("series must be numbers in 1..%d, got %q", maxSeries, s)
		}
		o.sizes = append(o.sizes, n)
	}
	slices.Sort(o.sizes)
	return nil
}

// result is one figure for machines.
type result struct {
	Name  string  `json:"name"`
	Value float64 `json:"value"`
	Unit  string  `json:"unit"`
}

// document is the JSON result file.
type document struct {
	Version int `json:"version"`
	// Load is the load average of the machine at the beginning and at the end.
	Load [2]string `json:"load"`
	// Notes say what was reduced.
	Notes   []string `json:"notes,omitempty"`
	Results []result `json:"results"`
}

func (d *document) add(name string, value float64, unit string) {
	d.Results = append(d.Results, result{"engine." + name, value, unit})
}

func run(o options, out io.Writer, progress func(what string)) error {
	if o.events < chunk || o.runs < 1 {
		return fmt.Errorf("want events >= %d and runs >= 1, got %d, %d", chunk, o.events, o.runs)
	}
	doc := document{Version: 1}
	doc.Load[0] = loadAverage()
	sizes, notes := fit(o.sizes, o.freeBytes)
	doc.Notes = notes
	var figures []*figure
	for _, set := range detectorSets() {
		for _, n := range sizes {
			progress(fmt.Sprintf("%s, %d series", set.name, n))
			f, err := set.measure(set.name, n, o)
			if err != nil {
				return fmt.Errorf("%s, %d series: %w", set.name, n, err)
			}
			figures = append(figures, f)
		}
	}
	doc.Load[1] = loadAverage()
	if err := report(out, &doc, figures, o); err != nil {
		return err
	}
	if o.out == "" {
		return nil
	}
	text, err := json.MarshalIndent(&doc, "", "  ")
	if err != nil {
		return fmt.Errorf("encode the figures: %w", err)
	}
	if err := os.WriteFile(o.out, append(text, '\n'), 0o600); err != nil {
		return fmt.Errorf("write the figures: %w", err)
	}
	return nil
}
