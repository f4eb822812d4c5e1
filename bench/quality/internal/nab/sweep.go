package nab

import (
	"cmp"
	"math"
	"slices"
)

// Outcome is the score of a set of files at one threshold.
type Outcome struct {
	// Threshold is the score from which on a row fires; +Inf when none does.
	Threshold float64
	// Score is normalised: 0 for silence, 100 for a perfect detector.
	Score float64
	// Inside and Outside are the fired rows within windows and outside, Found
	// the windows found.
	Inside, Outside, Found int
}

// Optimise returns the outcome at the best threshold for all files, as NAB
// publishes it. The threshold is chosen on the files that it is scored on.
func Optimise(files []File, p Profile) Outcome {
	c := flatten(files)
	slices.SortStableFunc(c.rows, func(a, b row) int { return cmp.Compare(b.score, a.score) })
	t := newTally(p, c.windows)
	best := t.outcome(math.Inf(1))
	for i := 0; i < len(c.rows); {
		threshold := c.rows[i].score
		for ; i < len(c.rows) && c.rows[i].score == threshold; i++ {
			t.fire(c.rows[i])
		}
		if o := t.outcome(threshold); o.Score > best.Score {
			best = o
		}
	}
	return best
}

// At returns the outcome at a threshold that was chosen elsewhere.
func At(files []File, p Profile, threshold float64) Outcome {
	return fired(files, p, threshold, func(r row) bool { return r.score >= threshold })
}

// AtDefault returns the outcome of the method left at its defaults.
func AtDefault(files []File, p Profile) Outcome {
	return fired(files, p, 0, func(r row) bool { return r.alarm })
}

// TwoFold scores each half of the files (alternating, in the given order) at
// the threshold that is best for the other half. forth has the threshold of the
// half with the first file.
func TwoFold(files []File, p Profile) (forth, back Outcome) {
	var half [2][]File
	for i, f := range files {
		half[i%2] = append(half[i%2], f)
	}
	forth = At(half[1], p, Optimise(half[0], p).Threshold)
	back = At(half[0], p, Optimise(half[1], p).Threshold)
	return forth, back
}

func fired(files []File, p Profile, threshold float64, fires func(row) bool) Outcome {
	c := flatten(files)
	t := newTally(p, c.windows)
	for _, r := range c.rows {
		if fires(r) {
			t.fire(r)
		}
	}
	return t.outcome(threshold)
}

func (t *tally) outcome(threshold float64) Outcome {
	o := Outcome{Threshold: threshold, Score: t.normalised(), Inside: t.inside, Outside: t.outside}
	for _, f := range t.found {
		if f {
			o.Found++
		}
	}
	return o
}
