// Command safety measures how well personal data and prompt injections are found, on
// public data sets, and prints RESULT lines.
//
// The data sets are those of a folder (SENTINEL_DATA, or -folder): sets of the same
// form can be put there. A part whose files are missing says so and is left out;
// -only names the parts to run.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
)

// part is one measurement: it reads its files below folder and writes to out.
type part struct {
	name string
	run  func(folder string, out io.Writer) error
}

// parts are run in this order; each lives in its own file.
var parts = []part{
	{"pii", runPII},
	{"injection", runInjection},
}

// errNoData says that a part's files are not in the folder.
var errNoData = errors.New("files are missing")

func main() {
	folder := flag.String("folder", "", "folder with the data sets; default SENTINEL_DATA, else ../shared/data")
	only := flag.String("only", "", "parts to run, separated by commas; default all")
	flag.Parse()
	if *folder == "" {
		*folder = os.Getenv("SENTINEL_DATA")
	}
	if *folder == "" {
		*folder = "../shared/data"
	}
	if err := run(*folder, *only, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "bench-safety:", err)
		os.Exit(1)
	}
}

func run(folder, only string, out io.Writer) error {
	var names []string
	if only != "" {
		names = strings.Split(only, ",")
	}
	for _, n := range names {
		if !slices.ContainsFunc(parts, func(p part) bool { return p.name == n }) {
			return fmt.Errorf("only: %q is no part", n)
		}
	}
	for _, p := range parts {
		if names != nil && !slices.Contains(names, p.name) {
			continue
		}
		switch err := p.run(folder, out); {
		case errors.Is(err, errNoData):
			if _, err := fmt.Fprintf(out, "%s: left out: %v\n", p.name, err); err != nil {
				return err
			}
		case err != nil:
			return fmt.Errorf("%s: %w", p.name, err)
		}
	}
	return nil
}
