package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/llm-devops/llm-sentinel/bench/quality/internal/evaluate"
)

// result is one figure for machines.
type result struct {
	Name  string  `json:"name"`
	Value float64 `json:"value"`
	// Unit is points (0..100, of NAB), ratio (0..1, net recall may be below 0),
	// per_1000h (per 1000 series-hours) or steps.
	Unit string `json:"unit"`
}

// text gives the value with as many digits as its unit deserves.
func (r result) text() string {
	if r.Unit == unitRatio {
		return strconv.FormatFloat(r.Value, 'f', 3, 64)
	}
	return strconv.FormatFloat(r.Value, 'f', 2, 64)
}

const (
	unitPoints   = "points"
	unitRatio    = "ratio"
	unitPer1000h = "per_1000h"
	unitPerWeek  = "per_week"
	unitSteps    = "steps"
)

// document is the JSON result file.
type document struct {
	Version int `json:"version"`
	// Scorer is the method that Results tell of.
	Scorer  string   `json:"scorer"`
	Results []result `json:"results"`
	// Benches has the figures of all methods by bench.
	Benches map[string]any `json:"benches"`
}

func (d *document) write(path string) error {
	text, err := json.MarshalIndent(d, "", "  ")
	if err != nil {
		return fmt.Errorf("encode the figures: %w", err)
	}
	if err := os.WriteFile(path, append(text, '\n'), 0o600); err != nil {
		return fmt.Errorf("write the figures: %w", err)
	}
	return nil
}

// table lays out cells in columns: the first to the left, the others to the
// right.
type table struct{ rows [][]string }

func (t *table) row(cells ...string) { t.rows = append(t.rows, cells) }

func (t *table) print(w io.Writer) error {
	width := 0
	for _, r := range t.rows {
		width = max(width, len([]rune(r[0])))
	}
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	for _, r := range t.rows {
		pad := strings.Repeat(" ", width-len([]rune(r[0])))
		fmt.Fprintf(tw, "%s%s\t%s\t\n", r[0], pad, strings.Join(r[1:], "\t"))
	}
	if err := tw.Flush(); err != nil {
		return fmt.Errorf("print: %w", err)
	}
	return nil
}

// number prints with a number of digits after the point.
func number(x float64, digits int) string { return strconv.FormatFloat(x, 'f', digits, 64) }

// recall prints the recall with what chance would have found.
func recall(c evaluate.Counts) string {
	return fmt.Sprintf("%.2f (%.2f)", c.Recall(), c.ShamRecall())
}

// finite is nil for a threshold that no score reaches: JSON has no infinity.
func finite(x float64) *float64 {
	if math.IsInf(x, 0) {
		return nil
	}
	return &x
}
