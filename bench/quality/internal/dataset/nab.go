package dataset

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// NAB reads the files of the Numenta Anomaly Benchmark below dir, in the order
// of their names (folder/file.csv), with their scoring windows.
func NAB(dir string) ([]Series, error) {
	labels := filepath.Join(dir, "nab", "labels", "combined_windows.json")
	text, err := os.ReadFile(labels) //nolint:gosec // the operator names the data folder
	if err != nil {
		return nil, fmt.Errorf("read NAB windows: %w", err)
	}
	var windows map[string][][2]string
	if err := json.Unmarshal(text, &windows); err != nil {
		return nil, fmt.Errorf("%s: %w", labels, err)
	}
	root := filepath.Join(dir, "nab", "data")
	paths, err := filepath.Glob(filepath.Join(root, "*", "*.csv"))
	if err != nil || len(paths) == 0 {
		return nil, fmt.Errorf("no NAB files in %s", root)
	}
	var out []Series
	for _, path := range paths {
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return nil, fmt.Errorf("name %s: %w", path, err)
		}
		name := filepath.ToSlash(rel)
		s := Series{Name: name, Group: filepath.Dir(rel)}
		err = columns(path, []string{"timestamp", "value"}, func(f []string) error { return s.add(f[0], f[1]) })
		if err != nil {
			return nil, err
		}
		s.Step = step(s.Times)
		if s.Windows, err = rows(s.Times, windows[name]); err != nil {
			return nil, fmt.Errorf("windows of %s: %w", name, err)
		}
		out = append(out, s)
	}
	slices.SortFunc(out, func(a, b Series) int { return strings.Compare(a.Name, b.Name) })
	return out, nil
}

// rows turns windows of time into windows of rows. A window without a row is
// left out.
func rows(times []int64, windows [][2]string) ([]Window, error) {
	var out []Window
	for _, w := range windows {
		from, err := parseTime(w[0])
		if err != nil {
			return nil, err
		}
		to, err := parseTime(w[1])
		if err != nil {
			return nil, err
		}
		r := Window{First: -1}
		for i, t := range times {
			if t < from || t > to {
				continue
			}
			if r.First < 0 {
				r.First = i
			}
			r.Last = i
		}
		if r.First >= 0 {
			out = append(out, r)
		}
	}
	slices.SortFunc(out, func(a, b Window) int { return a.First - b.First })
	return out, nil
}
