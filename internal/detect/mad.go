package detect

import "math"

// madRow: the modified z-score of Iglewicz and Hoaglin. When the MAD is zero,
// the mean absolute deviation takes its place, then the floor.
var madRow = row{
	info: Info{
		Name:             "mad",
		Doc:              "distance from the median in median absolute deviations (modified z-score)",
		DefaultThreshold: 5.5,
		MinThreshold:     2,
		MaxThreshold:     10,
		ThresholdUnit:    "modified z-score (0.6745 * deviation / MAD) for a large sample",
		Extra:            []string{"median", "mad", "modified_zscore"},
	},
	build: func(_ *Model, threshold float64, _ func(string) float64) detector {
		return &mad{table: newLimitTable(threshold, robustEfficiency, math.Pi/2)}
	},
}

type mad struct{ table *limitTable }

func (d *mad) judge(r reference, _ []uint64) result {
	z := (r.y - r.med) / r.scale
	return result{score: math.Abs(z) / (d.table.at(r.effective) * r.spike), value: z, side: sign(z)}
}

func (d *mad) limits(r reference) (lo, hi float64) {
	b := d.table.at(r.effective) * r.spike * r.scale
	return r.med - b, r.med + b
}

func (d *mad) extra(m *Model, r reference, _ []uint64) [MaxExtra]float64 {
	spread := (m.back(r.med+r.mad) - m.back(r.med-r.mad)) / 2
	return [MaxExtra]float64{m.back(r.med), spread, (r.y - r.med) / r.scale}
}
