package evaluate

const (
	// A period is looked for among lags up to longestLag; one under shortestLag or
	// over longestPeriod is none. These are the bounds of TSB-AD.
	shortestLag, longestLag, longestPeriod = 6, 400, 303
)

// Period is the number of rows after which a series repeats itself best: the lag
// of the highest peak of its autocorrelation, 0 where there is none.
func Period(x []float64) int {
	mean := 0.
	for _, v := range x {
		mean += v / float64(len(x))
	}
	// Sums of products fall with the lag, as the autocorrelation that is usual does.
	at := func(lag int) float64 {
		sum := 0.
		for i := lag; i < len(x); i++ {
			sum += (x[i] - mean) * (x[i-lag] - mean)
		}
		return sum
	}
	best, height := 0, 0.
	before, here := at(shortestLag-3), at(shortestLag-2)
	for lag := shortestLag - 2; lag < min(longestLag, len(x)-1); lag++ {
		after := at(lag + 1)
		if here > before && here > after && (best == 0 || here > height) {
			best, height = lag, here
		}
		before, here = here, after
	}
	if best < shortestLag || best > longestPeriod {
		return 0
	}
	return best
}
