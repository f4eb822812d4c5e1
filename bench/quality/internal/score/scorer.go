// Package score holds the methods that the quality bench compares. A method
// makes one [Scorer] per series, and a scorer sees the values of its series one
// after the other: it is causal by construction, and cannot know the range of
// values to come.
package score

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Judgement is what a method says about one value.
type Judgement struct {
	// Score grows with the evidence for an anomaly, >= 0, in the unit of
	// Method.Threshold. It may be +Inf. Benches that search for a threshold of
	// their own use it.
	Score float64
	// Alarm is set when the method, left at its defaults, would report this
	// value. Benches of the default operating point use it.
	Alarm bool
}

// Scorer judges the values of one series.
type Scorer interface {
	// Judge judges x, seen at t, by the values before it, and then learns from
	// it. Times never decrease.
	Judge(t time.Time, x float64) Judgement
}

// Method is one way to judge series.
type Method struct {
	// Name selects the method on the command line.
	Name string
	// Title says what it does, for tables.
	Title string
	// Threshold is the default one, in the unit of Judgement.Score.
	Threshold float64
	// New returns the scorer of a fresh series.
	New func() Scorer
}

// Methods lists all methods; the first is the product, the rest are what it is
// compared with.
func Methods() []Method {
	return []Method{
		{Name: "sentinel", Title: "sentinel, defaults", Threshold: 1, New: newSentinel},
		{Name: "z60", Title: "z score, W 60", Threshold: 3, New: newZ(60, 3)},
		{Name: "z500", Title: "z score, W 500", Threshold: 3, New: newZ(500, 3)},
		{Name: "mad60", Title: "MAD, W 60", Threshold: 3.5, New: newMAD(60, 3.5)},
		{Name: "mad500", Title: "MAD, W 500", Threshold: 3.5, New: newMAD(500, 3.5)},
		{Name: "iqr60", Title: "Tukey IQR, W 60", Threshold: 1.5, New: newIQR(60, 1.5)},
		{Name: "cusum60", Title: "CUSUM, W 60", Threshold: 5, New: newCUSUM(60, 5)},
		{Name: "any4", Title: "any of z, MAD, IQR, CUSUM, W 60", Threshold: 1, New: newVote(1)},
		{Name: "vote3", Title: "three of the four, W 60", Threshold: 1, New: newVote(3)},
		{Name: "gaussian", Title: "Windowed Gaussian of NAB", Threshold: 1 - 1e-9, New: newGaussian},
	}
}

// Find returns the method of that name.
func Find(name string) (Method, error) {
	all := Methods()
	names := make([]string, len(all))
	for i, m := range all {
		names[i] = m.Name
	}
	if i := slices.Index(names, name); i >= 0 {
		return all[i], nil
	}
	return Method{}, fmt.Errorf("scorer must be one of %s, got %q", strings.Join(names, ", "), name)
}

// Run judges a whole series in its order with a fresh scorer. times are unix
// nanoseconds.
func Run(m Method, times []int64, values []float64) (scores []float64, alarms []bool) {
	s := m.New()
	scores, alarms = make([]float64, len(values)), make([]bool, len(values))
	for i, x := range values {
		j := s.Judge(time.Unix(0, times[i]).UTC(), x)
		scores[i], alarms[i] = j.Score, j.Alarm
	}
	return scores, alarms
}
