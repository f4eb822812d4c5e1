package ensemble

import "math"

// The tail that is expected of a series whose own is not known yet: of its
// values, coldScale / (d - coldOffset) to the coldPower are d standard deviations
// or more from those before. That is about Student's t with 3 degrees of freedom,
// together with the error of the standard deviation.
//
// Two values in a row on one side are confirmed: of the smaller of them,
// confirmedScale / d to the confirmedPower. Independent ones would give twice
// the power; those of a series that wanders, less.
const (
	coldScale  = .54
	coldOffset = .5
	coldPower  = 3

	confirmedScale = 1.08
	confirmedPower = 6
)

// coldEvidence is the evidence of a decade. With all detectors calibrated noise
// has rather more.
const coldEvidence = 1.2

// cold judges the newest values by what is usual in any series, while that of
// the own one is not known. It must be called after measure.
func (s *State) cold(v *Verdict) {
	one, two := s.departures()
	p := math.Pow(coldScale/max(one-coldOffset, coldScale), coldPower)
	if s.parent > 0 {
		// Where the like of it is known to come, it is no news.
		p = max(p, v.P)
	}
	p = min(p, math.Pow(confirmedScale/max(two, confirmedScale), confirmedPower))
	v.P, v.Cold = 1, true
	if p > excessShare {
		return
	}
	v.P = max(p, leastP)
	d := -math.Log10(v.P)
	v.Decades[Level] = max(v.Decades[Level], d)
	v.Evidence = max(v.Evidence, coldEvidence*d)
}

// departures returns how far the newest value, and the newest two, are from
// those before them that are kept, in standard deviations of the latter.
func (s *State) departures() (one, two float64) {
	newest, k := s.n-1, int(min(s.n, recentSize))
	var y, ln [recentSize]float64
	positive := true
	for i := range k {
		y[i] = s.back(newest, uint64(i))
		x := s.origin + s.unit*y[i]
		// Less is the rounding of zero.
		if positive = positive && x > leastUnit*s.unit; positive {
			ln[i] = math.Log(x)
		}
	}
	linear, log := momentsOf(y[2:k]), momentsOf(ln[2:k])
	linear.least, log.least = 1, leastUnit
	if s.parent > 0 {
		linear.least, log.least = leastUnit, leastUnit
		linear.lent, log.lent = float64(s.parent)*math.Abs(s.origin)/s.unit, float64(s.parent)
		linear.share = parentWeight / (parentWeight + float64(s.n))
		log.share = linear.share
	}
	// departure says the less of the two scales, so that neither a heavy tail
	// nor a ratio passes for more than it is.
	departure := func(i int) float64 {
		d := linear.standard(y[i])
		if l := log.standard(ln[i]); positive && math.Abs(l) < math.Abs(d) {
			d = l
		}
		return d
	}
	first, second := departure(0), departure(1)
	if first > 0 == (second > 0) {
		two = min(math.Abs(first), math.Abs(second))
	}
	linear.add(y[1], y[2])
	log.add(ln[1], ln[2])
	return math.Abs(departure(0)), two
}

// moments are those of values, newest first (Welford 1962).
type moments struct {
	n, mean, square float64
	// changes is the number of values that differ from the one before.
	changes float64
	// least is the least standard deviation, lent that of a parent, which counts
	// for share.
	least, lent, share float64
}

func momentsOf(x []float64) (m moments) {
	for i, v := range x {
		m.add(v, x[max(0, i-1)])
	}
	return m
}

// add counts x, which came before or after another value.
func (m *moments) add(x, beside float64) {
	m.n++
	if x != beside {
		m.changes++
	}
	d := x - m.mean
	m.mean += d / m.n
	m.square += d * (x - m.mean)
}

// standard returns x in standard deviations of a new value. What repeats itself
// tells less of them.
func (m *moments) standard(x float64) float64 {
	if m.changes == 0 {
		return 0
	}
	sd := max(math.Sqrt(m.square/(m.n-1)), m.least)
	if m.lent > sd {
		sd *= math.Pow(m.lent/sd, m.share)
	}
	return (x - m.mean) / (sd * math.Sqrt((1+1/m.n)*(1+4/m.changes)))
}
