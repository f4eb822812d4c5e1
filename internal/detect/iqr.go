package detect

import "math"

// iqrRow: Tukey's fences on type-7 quartiles. The threshold is the fence
// factor for a large sample; for fewer samples it is widened to be as rare.
var iqrRow = row{
	info: Info{
		Name:             "iqr",
		Doc:              "distance from the quartiles in interquartile ranges (Tukey's fences)",
		DefaultThreshold: 3.5,
		MinThreshold:     1,
		MaxThreshold:     7,
		ThresholdUnit:    "interquartile ranges beyond the quartile",
		Extra:            []string{"q1", "q3", "iqr", "lower_bound", "upper_bound"},
	},
	build: func(_ *Model, threshold float64, _ func(string) float64) detector {
		z := quartile + threshold*iqrSigma
		return &iqr{z: z, table: newLimitTable(z, robustEfficiency, math.Pi/2)}
	},
}

const (
	quartile = .67449  // third quartile of the standard normal distribution
	iqrSigma = 1.34898 // its interquartile range
)

type iqr struct {
	z     float64
	table *limitTable
}

// fence returns the range that the fences are measured in, and their factor.
// The range is at least that of the robust scale, so that a series whose
// middle half is flat is not all alarms.
func (d *iqr) fence(r *reference) (width, factor float64) {
	width = max(r.q3-r.q1, r.scale*iqrSigma)
	return width, (d.table.at(r.effective)*r.spike - quartile) / iqrSigma
}

func (d *iqr) judge(r reference, _ []uint64) result {
	width, factor := d.fence(&r)
	switch {
	case r.y > r.q3:
		v := (r.y - r.q3) / width
		return result{score: v / factor, value: v, side: 1}
	case r.y < r.q1:
		v := (r.q1 - r.y) / width
		return result{score: v / factor, value: -v, side: -1}
	}
	return result{}
}

func (d *iqr) limits(r reference) (lo, hi float64) {
	width, factor := d.fence(&r)
	return r.q1 - factor*width, r.q3 + factor*width
}

func (d *iqr) extra(m *Model, r reference, _ []uint64) [MaxExtra]float64 {
	q1, q3 := m.back(r.q1), m.back(r.q3)
	lo, hi := d.limits(r)
	return [MaxExtra]float64{q1, q3, q3 - q1, m.back(lo), m.back(hi)}
}
