package score

import (
	"slices"
	"time"
)

// vote combines the four classics at their textbook thresholds.
type vote struct {
	members    []Scorer
	thresholds []float64
	need       int
	ratios     []float64
}

// newVote scores the need-th largest ratio of a member's score to its
// threshold: 1 is reached when that many members alarm.
func newVote(need int) func() Scorer {
	return func() Scorer {
		v := &vote{need: need, thresholds: []float64{zThreshold, madThreshold, iqrThreshold, cusumThreshold}}
		v.members = []Scorer{newZ(short)(), newMAD(short)(), newIQR()(), newCUSUM()}
		v.ratios = make([]float64, len(v.members))
		return v
	}
}

func (v *vote) Judge(t time.Time, x float64) Judgement {
	for i, m := range v.members {
		v.ratios[i] = m.Judge(t, x).Score / v.thresholds[i]
	}
	slices.Sort(v.ratios)
	return plain(v.ratios[len(v.ratios)-v.need], 1)
}
