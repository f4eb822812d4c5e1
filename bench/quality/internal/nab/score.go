// Package nab scores detectors as the Numenta Anomaly Benchmark v1.1 does: one
// threshold for all files, a reward for each window that shrinks the later it is
// found, a cost for each row that fires outside.
package nab

import (
	"math"

	"github.com/llm-devops/llm-sentinel/bench/quality/internal/dataset"
)

const (
	// probationShare of the rows at the beginning of a file, and at most
	// probationMax rows, are not scored.
	probationShare = .15
	probationMax   = 750
	// farAway is the distance behind a window, in widths of the window, from
	// which on a fired row costs the full weight.
	farAway = 3
)

// Profile weighs a found window, a missed one and a fired row outside.
type Profile struct {
	Name       string
	TP, FN, FP float64
}

// Profiles are those of NAB's config/profiles.json.
func Profiles() []Profile {
	return []Profile{
		{Name: "standard", TP: 1, FN: 1, FP: .11},
		{Name: "low_fp", TP: 1, FN: 1, FP: .22},
		{Name: "low_fn", TP: 1, FN: 2, FP: .11},
	}
}

// File is a scored file: what is needed to find its score at any threshold.
type File struct {
	// Scores has one number per row, Alarms whether the method fires on it when
	// left at its defaults.
	Scores  []float64
	Alarms  []bool
	Windows []dataset.Window
}

// probation is the number of rows at the beginning of a file of rows rows that
// are not scored.
func probation(rows int) int { return min(int(probationShare*float64(rows)), probationMax) }

// sigmoid is the weight of a position relative to the right end of a window:
// -1 at its left end, 0 just behind it. It falls from nearly 1 to -1.
func sigmoid(position float64) float64 {
	if position > farAway {
		return -1
	}
	return 2/(1+math.Exp(5*position)) - 1
}

// row is a row that counts, with its weight before those of the profile.
type row struct {
	score float64
	alarm bool
	// window is the index of the window it lies in, -1 outside. Indices count
	// through all files.
	window int
	weight float64
}

// corpus is a set of files flattened to rows.
type corpus struct {
	rows    []row
	windows int
}

// flatten collects the rows of the files that are scored.
func flatten(files []File) corpus {
	var c corpus
	for _, f := range files {
		next := 0 // the first window that does not end before the row
		for i := range f.Scores {
			for next < len(f.Windows) && f.Windows[next].Last < i {
				next++
			}
			if i < probation(len(f.Scores)) {
				continue
			}
			r := row{score: f.Scores[i], alarm: f.Alarms[i], window: -1, weight: -1}
			switch {
			case next < len(f.Windows) && f.Windows[next].First <= i:
				w := f.Windows[next]
				r.window = c.windows + next
				r.weight = sigmoid(-float64(w.Last-i+1)/float64(w.Last-w.First+1)) / sigmoid(-1)
			case next > 0:
				w := f.Windows[next-1]
				r.weight = sigmoid(float64(i-w.Last) / float64(w.Last-w.First))
			}
			c.rows = append(c.rows, r)
		}
		c.windows += len(f.Windows)
	}
	return c
}

// tally adds up the raw score while rows fire.
type tally struct {
	profile Profile
	best    []float64 // per window, the largest weight of a fired row; 0 none
	found   []bool
	raw     float64
	inside  int
	outside int
}

func newTally(p Profile, windows int) *tally {
	return &tally{profile: p, best: make([]float64, windows), found: make([]bool, windows), raw: -p.FN * float64(windows)}
}

func (t *tally) fire(r row) {
	if r.window < 0 {
		t.outside++
		t.raw += r.weight * t.profile.FP
		return
	}
	t.inside++
	w := r.window
	if !t.found[w] {
		t.found[w] = true
		t.raw += t.profile.FN + r.weight*t.profile.TP
		t.best[w] = r.weight
		return
	}
	if r.weight > t.best[w] {
		t.raw += (r.weight - t.best[w]) * t.profile.TP
		t.best[w] = r.weight
	}
}

// normalised maps the raw score to 0 for a detector that is silent and to 100
// for one that fires once on the first row of each window.
func (t *tally) normalised() float64 {
	n := float64(len(t.best))
	if n == 0 {
		return 0
	}
	base := -t.profile.FN * n
	return 100 * (t.raw - base) / (n*t.profile.TP - base)
}
