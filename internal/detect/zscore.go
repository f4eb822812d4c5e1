package detect

import "math"

// zScoreRow: Shewhart's rule as a prediction interval. The window does not
// contain the value, and the limit is a quantile of Student's t.
var zScoreRow = row{
	info: Info{
		Name:             "z_score",
		Doc:              "distance from the mean in standard deviations, as a prediction interval (Student t)",
		DefaultThreshold: 5,
		MinThreshold:     2,
		MaxThreshold:     10,
		ThresholdUnit:    "standard deviations of a known normal distribution",
		Extra:            []string{"mean", "std_dev"},
	},
	build: func(_ *Model, threshold float64, _ func(string) float64) detector {
		return &zScore{threshold: threshold, table: newLimitTable(threshold, 1, 0)}
	},
}

type zScore struct {
	threshold float64
	table     *limitTable
}

// t is the prediction statistic and lim the limit that belongs to threshold.
func (d *zScore) t(r *reference) (t, lim float64) {
	sd := max(r.sd, r.floor)
	return (r.y - r.mean) / (sd * math.Sqrt(1+1/r.n)), d.table.at(r.effective) * r.spike
}

func (d *zScore) judge(r reference, _ []uint64) result {
	t, lim := d.t(&r)
	return result{score: math.Abs(t) / lim, value: t, side: sign(t)}
}

func (d *zScore) limits(r reference) (lo, hi float64) {
	_, lim := d.t(&r)
	b := lim * max(r.sd, r.floor) * math.Sqrt(1+1/r.n)
	return r.mean - b, r.mean + b
}

func (d *zScore) extra(m *Model, r reference, _ []uint64) [MaxExtra]float64 {
	return [MaxExtra]float64{m.back(r.mean), (m.back(r.mean+r.sd) - m.back(r.mean-r.sd)) / 2}
}

func sign(x float64) int8 {
	switch {
	case x > 0:
		return 1
	case x < 0:
		return -1
	}
	return 0
}
