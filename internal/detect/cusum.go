package detect

import "math"

// cusumRow: Page's two-sided cumulative sums of standardised, winsorised
// deviations from the lagged long baseline, which is frozen during a shift.
var cusumRow = row{
	info: Info{
		Name:             "cusum",
		Doc:              "cumulative sums of standardised deviations, for sustained shifts (Page)",
		DefaultThreshold: 14,
		MinThreshold:     3,
		MaxThreshold:     100,
		ThresholdUnit:    "standard deviations accumulated (h)",
		Params: []ParamInfo{
			{Name: "k", Doc: "slack per value in standard deviations; shifts of 2k are found fastest", Default: .5, Min: .1, Max: 2},
		},
		Extra: []string{"cusum_pos", "cusum_neg", "samples"},
	},
	words: 2 * cusumWords,
	build: func(_ *Model, threshold float64, param func(string) float64) detector {
		return &cusum{k: param("k"), h: threshold}
	},
}

type cusum struct{ k, h float64 }

// Words of cusum. Those of the lower side follow those of the upper side.
const (
	cusumSum   = iota // the sum, in standard deviations: bits of a float64
	cusumCount        // values since the sum left zero
	cusumSince        // event time of the first of them
	cusumWords        // of one side
)

func sumOf(w []uint64) float64 { return math.Float64frombits(w[cusumSum]) }

func (d *cusum) judge(r reference, w []uint64) result {
	up, down := d.steps(r.z, r.slow)
	high := d.add(w[:cusumWords:cusumWords], up, r.at, r.shift > 0)
	low := d.add(w[cusumWords:2*cusumWords], down, r.at, r.shift < 0)
	if low > high {
		return result{score: low / d.h, value: -low, side: -1}
	}
	if high > 0 {
		return result{score: high / d.h, value: high, side: 1}
	}
	return result{}
}

// steps shrink with the persistence of the series, which is the same as
// raising the threshold. The conversions keep the results the same wherever
// they are computed: no multiplication is fused with an addition.
func (d *cusum) steps(z, slow float64) (up, down float64) {
	return float64((z - d.k) * slow), float64((-z - d.k) * slow)
}

// add advances the sum of one side. Sums are capped, at half the threshold
// during a shift, so that the end of a shift shows soon.
//
// Whether a sum falls to zero is a coin toss for a normal series, so that a
// branch on it would cost more than all the rest: masks do instead.
func (d *cusum) add(w []uint64, step float64, at int64, during bool) float64 {
	sum := sumOf(w) + step
	limit := 1.25 * d.h
	if during {
		limit = d.h / 2
	}
	if sum > limit {
		sum = limit
	}
	return put(w, sum, at)
}

// put makes sum, or zero if it is below, the sum of one side.
func put(w []uint64, sum float64, at int64) float64 {
	b := math.Float64bits(sum)
	alive := ^uint64(int64(b) >> 63)
	first := uint64(int64(w[cusumCount]-1) >> 63)
	w[cusumSum] = b & alive
	w[cusumSince] = w[cusumSince]&^first | uint64(at)&first
	w[cusumCount] = (w[cusumCount] + 1) & alive
	return math.Float64frombits(b & alive)
}

func (d *cusum) absorb(w []uint64, z, slow float64, at int64) bool {
	up, down := d.steps(z, slow)
	w = w[:2*cusumWords]
	high, low := sumOf(w)+up, sumOf(w[cusumWords:])+down
	if !(high < d.h && low < d.h) {
		return false
	}
	put(w[:cusumWords:cusumWords], high, at)
	put(w[cusumWords:2*cusumWords], low, at)
	return true
}

func (d *cusum) valid(w []uint64) bool {
	for _, s := range [...][]uint64{w[:cusumWords], w[cusumWords:]} {
		if sum := sumOf(s); !(sum >= 0 && sum <= 1.25*d.h) || s[cusumCount] > math.MaxInt32 {
			return false
		}
	}
	return true
}

func (d *cusum) limits(r reference) (lo, hi float64) {
	b := d.k * r.longSD
	return r.longMean - b, r.longMean + b
}

func (d *cusum) extra(_ *Model, r reference, w []uint64) [MaxExtra]float64 {
	return [MaxExtra]float64{sumOf(w), sumOf(w[cusumWords:]), r.longN}
}

func (d *cusum) side(w []uint64, side int8) []uint64 {
	if side < 0 {
		return w[cusumWords : 2*cusumWords]
	}
	return w[:cusumWords]
}

// accept leaves a head start of half the threshold (fast initial response):
// if the shift lasts, it is confirmed in half the time.
func (d *cusum) accept(w []uint64, side int8) {
	d.side(w, side)[cusumSum] = math.Float64bits(d.h / 2)
	other := d.side(w, -side)
	other[cusumSum], other[cusumCount] = 0, 0
}

func (d *cusum) over(w []uint64, side int8) bool { return d.side(w, side)[cusumSum] == 0 }

func (d *cusum) since(w []uint64, side int8) (int, int64) {
	s := d.side(w, side)
	return int(s[cusumCount]), int64(s[cusumSince])
}

func (d *cusum) clear(w []uint64) { clear(w) }
