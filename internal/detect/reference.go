package detect

import "math"

const (
	// winsorWindow is the distance from the median, in robust standard
	// deviations, up to which values are learned as they are.
	winsorWindow = 5
	// winsorCUSUM bounds the contribution of one value to a sum.
	winsorCUSUM = 3
	// shortBaseline is the number of values from which on the estimates of the
	// long baseline are taken as exact.
	shortBaseline = 100
	// relativeFloor is the least standard deviation, as a ratio of the level,
	// that any series is credited with: less is quantisation, not noise.
	relativeFloor = .01
	// madToSigma and q80ToSigma turn MAD, and the distance between the first
	// and last decile, into standard deviations of a normal distribution;
	// meanAbsToSigma does so for the mean absolute deviation.
	madToSigma     = 1.4826
	q80ToSigma     = 1 / 2.5631
	meanAbsToSigma = 1.2533
)

// reference is what detectors know about a series before they see y. All
// numbers are on the judged scale.
type reference struct {
	y float64
	// n is the number of values in the window; effective is the number of
	// independent values that they are worth for an estimate of scale.
	n, effective float64
	mean, sd     float64
	q1, med, q3  float64
	mad          float64
	// floor is the least scale; scale is the robust one: the largest of MAD,
	// 80 % span and floor.
	floor, scale float64
	// spike widens the limits of spike detectors, >= 1.
	spike float64

	// Long baseline.
	longN, longMean, longSD float64
	// perSD is the inverse of the standard deviation of a new value around
	// longMean; z is y in this unit, winsorised and corrected for short
	// baselines.
	perSD, z float64
	// slow is the inverse of the factor by which correlation makes sums wander
	// more than those of independent values, <= 1. It and perSD are as exact as
	// a state keeps them.
	slow float64
	at   int64
	// shift is the side of a sustained shift that goes on, 0 none.
	shift int8
}

// refer fills r with all but y, z and at.
func (m *Model) refer(s *State, r *reference) {
	o := s.win.sorted(m.cfg.Window)
	r.n = float64(s.win.n)
	r.mean, r.sd = s.win.moments()
	r.q1, r.med, r.q3 = o.quantile(.25), o.quantile(.5), o.quantile(.75)
	r.mad = o.mad(r.med, &s.win.split)
	r.floor = m.floor(r.med)
	s1 := r.mad * madToSigma
	if s1 <= 0 {
		s1 = o.meanAbs(r.med) * meanAbsToSigma
	}
	r.scale = max(s1, (o.quantile(.9)-o.quantile(.1))*q80ToSigma, r.floor)

	r.longN, r.longMean = float64(s.longN), s.mean
	r.longSD = max(math.Sqrt(max(0, s.variance)), r.floor)
	r.perSD = float64(float32(1 / (r.longSD * math.Sqrt(1+1/r.longN))))
	r.effective, r.slow, r.spike = r.n, 1, 1
	// The estimate of a short sample is too low by about (1+4 rho)/n. What
	// could well be chance is taken for none.
	rho := (float64(s.rho)*r.longN+1)/(r.longN-4) - .75/math.Sqrt(r.longN)
	if rho > 0 {
		rho = min(rho, .9)
		r.effective = max(4, r.n*(1-rho*rho)/(1+rho*rho))
		r.slow = float64(float32(max(1./maxPersistence, (1-rho)/(1+rho))))
	}
	if s.widen > 0 {
		r.spike = math.Exp(float64(s.widen))
	}
	r.shift = s.shiftSide
}

// standard returns the standardised deviation of y from the long mean. For a
// short baseline it is corrected for the error of the estimates, so that sums
// behave as if both were known: for the error of the scale by the distribution,
// and for that of the mean, which is the same for all values to come, by taking
// a standard error off.
func (s *State) standard(y, perSD float64) float64 {
	z := (y - s.mean) * perSD
	if s.longN < shortBaseline {
		n := float64(s.longN)
		z = normalScore(z, n-1)
		z = math.Copysign(max(0, math.Abs(z)-1/math.Sqrt(n)+1/math.Sqrt(shortBaseline)), z)
	}
	switch {
	case z > winsorCUSUM:
		return winsorCUSUM
	case z < -winsorCUSUM:
		return -winsorCUSUM
	}
	return z
}

// floor is the least scale at a level.
func (m *Model) floor(level float64) float64 {
	f := relativeFloor
	if m.cfg.Scale == Linear {
		f *= math.Abs(level)
	}
	return max(f, m.minScale)
}

// maxPersistence bounds how much slower correlation makes shift detection.
const maxPersistence = 6
