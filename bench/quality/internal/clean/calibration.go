package clean

import (
	"math"
	"slices"

	"github.com/llm-devops/llm-sentinel/bench/quality/internal/score"
)

// Nominals are the p-values at which a method is checked.
var Nominals = [...]float64{1e-2, 1e-3, 1e-4}

// calibrationSeries is how many times more noise calibration needs than the
// rates: at 1e-4 there is one value in ten thousand to count.
const calibrationSeries = 5

// Calibration compares the p-values of a method with what they say.
type Calibration struct {
	Family string `json:"family"`
	// Correlated says that successive values of the family are.
	Correlated bool `json:"correlated,omitempty"`
	// Ratio is the part of the values with a p-value of each of Nominals or
	// less, divided by it: 1 is honest, more is too many.
	Ratio  [len(Nominals)]float64 `json:"ratio"`
	Values int                    `json:"values"`
	// Fresh is the same for the first 100 values of new series, without those
	// before the first verdict; FreshValues is the number of these.
	Fresh       [len(Nominals)]float64 `json:"fresh_ratio"`
	FreshValues int                    `json:"fresh_values"`
}

// Factor is the largest factor by which a ratio is off 1, in either direction.
// No p-value at all counts as half a one.
func (c Calibration) Factor() float64 {
	worst := 1.
	for q, r := range c.Ratio {
		worst = max(worst, r, 1/max(r, .5/(float64(max(1, c.Values))*Nominals[q])))
	}
	return worst
}

// Excess is the largest factor by which p-values are too frequent in fresh
// series, at least 1. That they are too seldom there is no fault: little is
// known.
func (c Calibration) Excess() float64 { return max(1, slices.Max(c.Fresh[:])) }

// freshSeries is how many times more fresh series calibration needs than the
// rates.
const freshSeries = 2

// firstVerdict and freshLength are the number of values of a series before the
// first one that is judged, and of those that count as fresh.
const firstVerdict, freshLength = 32, 100

// fresh checks the first values of many series.
func (c *Calibration) fresh(m score.Method, k int, f family, size Size) {
	var below [len(Nominals)]int
	for i := range size.Fresh * freshSeries {
		for n, j := range judged(m, f, 3<<61|uint64(k)<<32|uint64(i), step, freshLength) {
			if n < firstVerdict {
				continue
			}
			c.FreshValues++
			for q, p := range Nominals {
				if j.P <= p {
					below[q]++
				}
			}
		}
	}
	for q, p := range Nominals {
		c.Fresh[q] = float64(below[q]) / float64(max(1, c.FreshValues)) / p
	}
}

// Calibrate checks the p-values of a method on every family, after the first 64
// values of each series. It returns nil for a method that gives none.
func Calibrate(m score.Method, size Size) []Calibration {
	var out []Calibration
	for k, f := range families() {
		c := Calibration{Family: f.name, Correlated: f.correlated}
		var below [len(Nominals)]int
		said := false
		for i := range size.Series * calibrationSeries {
			for n, j := range judged(m, f, 1<<62|uint64(k)<<32|uint64(i), step, size.Points) {
				if n < early {
					continue
				}
				said = said || j.P > 0
				c.Values++
				for q, p := range Nominals {
					if j.P <= p {
						below[q]++
					}
				}
			}
			if !said && i == 0 {
				return nil
			}
		}
		for q, p := range Nominals {
			c.Ratio[q] = float64(below[q]) / float64(max(1, c.Values)) / p
		}
		c.fresh(m, k, f, size)
		out = append(out, c)
	}
	return out
}

// WorstFactor is the largest Factor of the families of independent or of
// correlated values; NaN when there is none.
func WorstFactor(all []Calibration, correlated bool) float64 {
	worst := math.NaN()
	for _, c := range all {
		if c.Correlated == correlated && !(c.Factor() <= worst) {
			worst = c.Factor()
		}
	}
	return worst
}

// WorstExcess is the largest Excess of the families of independent or of
// correlated values; NaN when there is none.
func WorstExcess(all []Calibration, correlated bool) float64 {
	worst := math.NaN()
	for _, c := range all {
		if c.Correlated == correlated && !(c.Excess() <= worst) {
			worst = c.Excess()
		}
	}
	return worst
}
