package score

import (
	"math"
	"time"
)

// Textbook thresholds, in the unit of each statistic.
const (
	zThreshold     = 3
	madThreshold   = 3.5
	iqrThreshold   = 1.5
	cusumThreshold = 5
)

const (
	// short and long are the sizes of the windows, in values.
	short = 60
	long  = 500
	// minSamples is the number of values before which the classics say nothing.
	minSamples = 16
	// tiny keeps a scale from being zero, in the unit of the values: after a
	// flat window every other value has a score that is large but finite.
	tiny = 1e-9
)

// classic is a textbook rule on a rolling window that excludes the value
// judged.
type classic struct {
	win       *window
	threshold float64
	statistic func(w *window, x float64) float64
}

func (c *classic) Judge(_ time.Time, x float64) (j Judgement) {
	if c.win.len() >= minSamples {
		j = plain(c.statistic(c.win, x), c.threshold)
	}
	c.win.add(x)
	return j
}

func newClassic(size int, threshold float64, statistic func(w *window, x float64) float64) func() Scorer {
	return func() Scorer {
		return &classic{win: newWindow(size), threshold: threshold, statistic: statistic}
	}
}

// newZ is |x - mean| / sd with the sample standard deviation (Shewhart).
func newZ(size int) func() Scorer {
	return newClassic(size, zThreshold, func(w *window, x float64) float64 {
		return math.Abs(standardise(w, x))
	})
}

// newMAD is the modified z score of Iglewicz and Hoaglin (1993),
// .6745 |x - median| / MAD; while the MAD is zero the mean absolute deviation
// times 1.2533 stands in.
func newMAD(size int) func() Scorer {
	return newClassic(size, madThreshold, func(w *window, x float64) float64 {
		median := w.quantile(.5)
		scale := w.mad(median) / .6745
		if scale == 0 {
			scale = 1.2533 * w.meanAbs(median)
		}
		return math.Abs(x-median) / max(scale, tiny)
	})
}

// newIQR is the distance beyond the quartiles in interquartile ranges (Tukey
// 1977), 0 between them.
func newIQR() func() Scorer {
	return newClassic(short, iqrThreshold, func(w *window, x float64) float64 {
		q1, q3 := w.quantile(.25), w.quantile(.75)
		return max(0, q1-x, x-q3) / max(q3-q1, tiny)
	})
}

func standardise(w *window, x float64) float64 {
	mean, sd := w.moments()
	return (x - mean) / max(sd, tiny)
}

// cusum is Page's two-sided cumulative sum (1954) of z scores of the rolling
// window. One value counts for at most cusumWinsor standard deviations. After
// an alarm both sums start again at half the threshold (Lucas and Crosier
// 1982), so that what goes on is told again soon.
type cusum struct {
	win      *window
	up, down float64
}

const (
	// cusumReference is taken off each z score before it is added, in standard
	// deviations.
	cusumReference = .5
	cusumWinsor    = 3
)

func newCUSUM() Scorer { return &cusum{win: newWindow(short)} }

func (c *cusum) Judge(_ time.Time, x float64) (j Judgement) {
	if c.win.len() >= minSamples {
		z := min(max(standardise(c.win, x), -cusumWinsor), cusumWinsor)
		c.up = max(0, c.up+z-cusumReference)
		c.down = max(0, c.down-z-cusumReference)
		if j = plain(max(c.up, c.down), cusumThreshold); j.Alarm {
			c.up, c.down = cusumThreshold/2., cusumThreshold/2.
		}
	}
	c.win.add(x)
	return j
}
