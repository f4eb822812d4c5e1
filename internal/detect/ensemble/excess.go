package ensemble

import "math"

const (
	// excessShare of the values lie beyond the threshold.
	excessShare = .05
	// excessMemory is the number of values beyond it that the tail rests on,
	// excessPrior the weight of the exponential tail that it begins with, in
	// values.
	excessMemory = 400
	excessPrior  = 10
	// excessReady is the number of values from which on there are p-values.
	excessReady = 100
	// excessMost is the number of mean excesses that one counts for at most.
	excessMost = 20
	// excessRate is the weight of one value in the threshold and the scale.
	excessRate = .004
	// predictive is the number of values that one of the tail counts for where
	// the uncertainty of the fit is concerned.
	predictive = 3
	// heavier corrects the moments of few values, which are too small where the
	// tail is heavy.
	heavier = 1.5
	// gain is the step of the threshold in scales: about the inverse of the
	// density at the threshold.
	gain = 5
	// least is the least scale.
	least = .05
	// shapeMin and shapeMax bound the shape of the tail.
	shapeMin, shapeMax = -.2, .5
)

// excess is the distribution of one statistic: a threshold that a given share
// of the values is beyond, found by stochastic approximation (Robbins & Monro
// 1951), and a generalised Pareto tail beyond it.
type excess struct {
	threshold, scale float32 // scale is the mean of all values
	n, beyond        uint16
	over             moments2
}

// moments2 are the first two of the amounts by which values are beyond a
// threshold.
type moments2 struct{ mean, square float32 }

// tail returns the part of the values beyond the threshold that are beyond it by
// d, 0 or more, or by more: a generalised Pareto tail fitted by moments (Hosking &
// Wallis 1987). The moments are those of k values and count beside those of
// prior ones, which are an exponential tail: half the scale of all values in the
// mean, twice its square.
func (m *moments2) tail(d, k, prior, scale float64) float64 {
	mean := (k*float64(m.mean) + prior*.5*scale) / (k + prior)
	square := (k*float64(m.square) + prior*2*mean*mean) / (k + prior)
	if mean <= 0 {
		return 1
	}
	variance := max(square-mean*mean, 1e-3*mean*mean)
	xi := min(max(.5*(1-mean*mean/variance), shapeMin), shapeMax)
	sigma := mean * (1 - xi)
	// What is not known well is taken to be heavier: the predictive distribution
	// of an exponential tail known by k values is a Pareto one of shape 1/k.
	if xi > 0 {
		xi *= heavier
	}
	xi += predictive / (k + prior)
	if math.Abs(xi) < 1e-3 {
		return math.Exp(-d / sigma)
	}
	b := 1 + xi*d/sigma
	if b <= 0 {
		return 0
	}
	return math.Pow(b, -1/xi)
}

// learn counts d with weight a. One incident must not be the tail: it counts for
// at most so many means, or scales of all values if those are larger.
func (m *moments2) learn(d, a, most, scale float64) {
	d = min(d, most*max(scale, float64(m.mean)))
	m.mean += float32(a * (d - float64(m.mean)))
	m.square += float32(a * (d*d - float64(m.square)))
}

// p returns the part of the values that are x or more, as far as it is known.
// It is 1 below the threshold.
func (e *excess) p(x float64) float64 {
	d := x - float64(e.threshold)
	if e.n < excessReady || d < 0 {
		return 1
	}
	return max(excessShare*e.over.tail(d, min(float64(e.beyond), excessMemory), excessPrior, float64(e.scale)), leastP)
}

// leastP is the smallest p-value that is given.
const leastP = 1e-50

// learn counts x.
func (e *excess) learn(x float64) {
	if e.n < math.MaxUint16 {
		e.n++
	}
	d := x - float64(e.threshold)
	rate := max(excessRate, 1/float64(e.n))
	if d >= 0 {
		if e.n > excessReady {
			if e.beyond < math.MaxUint16 {
				e.beyond++
			}
			e.over.learn(d, max(1/float64(e.beyond), 1./excessMemory), excessMost, float64(e.scale))
		}
	}
	share := -excessShare
	if d >= 0 {
		share++
	}
	e.threshold += float32(rate * gain * float64(e.scale) * share)
	e.scale += float32(rate * (min(x, 6*max(float64(e.scale), least)) - float64(e.scale)))
}
