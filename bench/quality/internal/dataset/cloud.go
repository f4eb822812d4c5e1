package dataset

import (
	"fmt"
	"path/filepath"
	"slices"
)

// Cloud reads the labelled series of cloud services below dir, in the order of
// their paths. Rows without a value are left out.
func Cloud(dir string) ([]Series, error) {
	root := filepath.Join(dir, "ms-cloud-monitoring")
	paths, err := filepath.Glob(filepath.Join(root, "*", "*.csv"))
	if err != nil || len(paths) == 0 {
		return nil, fmt.Errorf("no labelled series in %s", root)
	}
	slices.Sort(paths)
	var out []Series
	for _, path := range paths {
		s := Series{Name: filepath.Base(path), Group: filepath.Base(filepath.Dir(path))}
		err := columns(path, []string{"TimeStamp", "Value", "Label"}, func(f []string) error {
			if f[1] == "" {
				return nil
			}
			s.Labels = append(s.Labels, f[2] == "1")
			return s.add(f[0], f[1])
		})
		if err != nil {
			return nil, err
		}
		s.Step = step(s.Times)
		out = append(out, s)
	}
	return out, nil
}
