package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"
)

// The forms of output.
const (
	outputTable = "table"
	outputJSON  = "json"
	outputLines = "jsonl"
)

// printable makes a text safe for a terminal: telemetry may hold control
// sequences that would rewrite the screen.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return ' '
		case unicode.IsControl(r), unicode.Is(unicode.Cf, r):
			return unicode.ReplacementChar
		}
		return r
	}, s)
}

// column is one column of a table over rows of type R.
type column[R any] struct {
	name string
	text func(*R) string
}

// printRows prints what the API answered as data: one row or a list of them.
func printRows[R any](w io.Writer, output string, data json.RawMessage, columns []column[R]) error {
	switch output {
	case outputJSON:
		return printJSON(w, data)
	case outputLines:
		return printLines(w, data)
	}
	var rows []R
	if err := decodeRows(data, &rows); err != nil {
		return err
	}
	return printTable(w, rows, columns)
}

func decodeRows[R any](data json.RawMessage, rows *[]R) error {
	if len(data) > 0 && data[0] == '{' {
		data = append(append([]byte{'['}, data...), ']')
	}
	if err := json.Unmarshal(data, rows); err != nil {
		return &requestError{"read the rows of the answer", err}
	}
	return nil
}

func printTable[R any](w io.Writer, rows []R, columns []column[R]) error {
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	for i, c := range columns {
		fmt.Fprintf(t, "%s%s", separator(i), strings.ToUpper(c.name))
	}
	fmt.Fprintf(t, "\n")
	for i := range rows {
		for j, c := range columns {
			fmt.Fprintf(t, "%s%s", separator(j), firstOf(printable(c.text(&rows[i])), "-"))
		}
		fmt.Fprintf(t, "\n")
	}
	return t.Flush()
}

func separator(i int) string {
	if i == 0 {
		return ""
	}
	return "\t"
}

func printJSON(w io.Writer, data json.RawMessage) error {
	var b bytes.Buffer
	if err := json.Indent(&b, data, "", "  "); err != nil {
		return &requestError{"read the answer", err}
	}
	b.WriteByte('\n')
	_, err := b.WriteTo(w)
	return err
}

// printLines relies on the API, whose JSON has no line breaks inside a row.
func printLines(w io.Writer, data json.RawMessage) error {
	var rows []json.RawMessage
	if err := decodeRows(data, &rows); err != nil {
		return err
	}
	var b bytes.Buffer
	for _, r := range rows {
		if err := json.Compact(&b, r); err != nil {
			return &requestError{"read the answer", err}
		}
		b.WriteByte('\n')
	}
	_, err := b.WriteTo(w)
	return err
}

// number prints what is known with at most three digits behind the point.
func number(v *float64) string {
	if v == nil {
		return ""
	}
	return strconv.FormatFloat(*v, 'f', decimals(*v), 64)
}

func decimals(v float64) int {
	switch {
	case v == float64(int64(v)):
		return 0
	case v >= 100 || v <= -100:
		return 1
	default:
		return 3
	}
}

func count(v int64) string { return strconv.FormatInt(v, 10) }

// percent and dollars are empty for what is not known, which is not zero.
func percent(v *float64) string {
	if v == nil {
		return ""
	}
	return strconv.FormatFloat(100**v, 'f', 1, 64) + " %"
}

func dollars(v *float64) string {
	if v == nil {
		return ""
	}
	return "$" + strconv.FormatFloat(*v, 'f', 4, 64)
}

// local is a time to the second in the zone of the terminal.
func local(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Local().Format("2006-01-02 15:04:05")
}
