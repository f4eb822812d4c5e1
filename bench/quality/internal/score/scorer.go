// Package score holds the methods that the quality bench compares. A method
// makes one [Scorer] per series, and a scorer sees the values of its series one
// after the other: it is causal by construction, and cannot know the range of
// values to come.
package score

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/llm-devops/llm-sentinel/internal/detect/ensemble"
)

// Judgement is what a method says about one value. Scores are >= 0 and in the
// unit of Method.Threshold; they may be +Inf.
type Judgement struct {
	// Score is that with which the value would be reported. Benches that count
	// alerts search for a threshold on it. A method that reports an incident
	// once gives the values that follow a score below its default threshold.
	Score float64
	// Evidence for an anomaly at this value, whether it is reported or not.
	// Benches that rank points use it.
	Evidence float64
	// Alarm is set when the method, left at its defaults, would report this
	// value. Benches of the default operating point use it.
	Alarm bool
	// P is the part of the values of the series that the method says have such
	// evidence or more, in (0, 1]; 0 when it says nothing.
	P float64
	// Rate is the part of the values of the series that the method says would
	// alarm at such evidence, in (0, 1]; 0 when it says nothing.
	Rate float64
}

// plain is the judgement of a method that reports every value at or above its
// threshold.
func plain(score, threshold float64) Judgement {
	return Judgement{Score: score, Evidence: score, Alarm: score >= threshold}
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
	// Nominal is the part of independent normal values that the method, left
	// at its defaults, is said to alarm on; 0 when nothing is said.
	Nominal float64
	// New returns the scorer of a fresh series.
	New func() Scorer
}

// Product is the name of the method that is this project's.
const Product = "sentinel"

// Methods lists all methods; the first is the product, the rest are what it is
// compared with.
func Methods() []Method {
	return []Method{
		{Name: Product, Title: "sentinel, per step", Threshold: ensemble.DefaultThreshold, New: newSentinel},
		{Name: "percall", Title: "sentinel, per call", Threshold: 1, Nominal: 1e-6, New: newPerCall},
		{Name: "z60", Title: "z > 3, W 60", Threshold: zThreshold, Nominal: .0027, New: newZ(short)},
		{Name: "z500", Title: "z > 3, W 500", Threshold: zThreshold, Nominal: .0027, New: newZ(long)},
		{Name: "mad60", Title: "MAD > 3.5, W 60", Threshold: madThreshold, Nominal: .000465, New: newMAD(short)},
		{Name: "mad500", Title: "MAD > 3.5, W 500", Threshold: madThreshold, Nominal: .000465, New: newMAD(long)},
		{Name: "iqr60", Title: "1.5 IQR, W 60", Threshold: iqrThreshold, Nominal: .00698, New: newIQR()},
		{Name: "cusum60", Title: "CUSUM k .5 h 5, W 60", Threshold: cusumThreshold, Nominal: 1. / 465, New: newCUSUM},
		{Name: "any4", Title: "any of 4, W 60", Threshold: 1, New: newVote(1)},
		{Name: "vote3", Title: "3 of 4, W 60", Threshold: 1, New: newVote(3)},
		{Name: "gaussian", Title: "Windowed Gaussian", Threshold: gaussianThreshold, Nominal: 2e-9, New: newGaussian},
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

// Scored are the judgements of the values of one series.
type Scored struct {
	Scores, Evidence []float64
	Alarms           []bool
}

// Run judges a whole series in its order with a fresh scorer. times are unix
// nanoseconds. Scores become finite: infinite ones are cut, and no number is 0.
func Run(m Method, times []int64, values []float64) Scored {
	n := len(values)
	out := Scored{Scores: make([]float64, n), Evidence: make([]float64, n), Alarms: make([]bool, n)}
	s := m.New()
	for i, x := range values {
		j := s.Judge(time.Unix(0, times[i]).UTC(), x)
		out.Scores[i], out.Evidence[i], out.Alarms[i] = finite(j.Score), finite(j.Evidence), j.Alarm
	}
	return out
}

func finite(x float64) float64 {
	if math.IsNaN(x) {
		return 0
	}
	return min(max(x, -math.MaxFloat64), math.MaxFloat64)
}
