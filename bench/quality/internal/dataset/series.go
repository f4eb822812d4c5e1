// Package dataset reads the public series that the quality bench scores. The
// series stay where they are: nothing of them is part of this repository.
package dataset

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Series is one time series. Times (unix nanoseconds) and Values have the same
// length.
type Series struct {
	// Name is unique within its set.
	Name string
	// Group is the source, for tables.
	Group string
	// Kind is the metric; empty where it does not matter.
	Kind Kind
	// Step is the usual time between points.
	Step   time.Duration
	Times  []int64
	Values []float64
	// Labels marks anomalous points; nil when the set has none.
	Labels []bool
	// Windows are scoring windows of NAB, as first and last row.
	Windows []Window
}

// Window is an inclusive range of rows.
type Window struct{ First, Last int }

// Kind is the metric of a series.
type Kind string

// Kinds of series.
const (
	Throughput Kind = "throughput"
	Tokens     Kind = "tokens"
	Latency    Kind = "latency"
)

// HoursFrom is the time between a row and the last one.
func (s *Series) HoursFrom(row int) float64 {
	if row >= len(s.Times) {
		return 0
	}
	return time.Duration(s.Times[len(s.Times)-1] - s.Times[row]).Hours()
}

// add appends a point as the files write it.
func (s *Series) add(at, value string) error {
	t, err := parseTime(at)
	if err != nil {
		return err
	}
	x, err := strconv.ParseFloat(value, 64)
	if err != nil {
		return err
	}
	s.Times, s.Values = append(s.Times, t), append(s.Values, x)
	return nil
}

// columns calls row with the wanted columns of each line of a CSV file with a
// header, unquoted. No field of these files holds a comma.
func columns(path string, want []string, row func(fields []string) error) (err error) {
	f, err := os.Open(path) //nolint:gosec // the operator names the data folder
	if err != nil {
		return fmt.Errorf("open series: %w", err)
	}
	defer func() { _ = f.Close() }()
	if err := scan(f, want, row); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

func scan(r io.Reader, want []string, row func(fields []string) error) error {
	in := bufio.NewScanner(r)
	in.Buffer(nil, 1<<20)
	var index []int
	fields := make([]string, len(want))
	for line := 1; in.Scan(); line++ {
		all := strings.Split(strings.TrimSuffix(in.Text(), "\r"), ",")
		for i := range all {
			all[i] = strings.Trim(all[i], `"`)
		}
		if index == nil {
			for _, name := range want {
				i := slices.Index(all, name)
				if i < 0 {
					return fmt.Errorf("no column %q", name)
				}
				index = append(index, i)
			}
			continue
		}
		if len(all) == 1 && all[0] == "" {
			continue
		}
		for k, i := range index {
			if i >= len(all) {
				return fmt.Errorf("line %d has no column %q", line, want[k])
			}
			fields[k] = all[i]
		}
		if err := row(fields); err != nil {
			return fmt.Errorf("line %d: %w", line, err)
		}
	}
	return in.Err()
}

// parseTime reads the forms of the public files, with or without fractions of
// a second.
func parseTime(s string) (int64, error) {
	for _, layout := range []string{"2006-01-02 15:04:05", time.RFC3339} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UnixNano(), nil
		}
	}
	return 0, fmt.Errorf("unknown time %q", s)
}

// step is the median time between points.
func step(times []int64) time.Duration {
	if len(times) < 2 {
		return 0
	}
	d := make([]int64, len(times)-1)
	for i := range d {
		d[i] = times[i+1] - times[i]
	}
	slices.Sort(d)
	return time.Duration(d[len(d)/2])
}
