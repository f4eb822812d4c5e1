package ensemble

import "math"

const (
	// tailBins count the ratios of a statistic to its mean, perOctave to a
	// factor of two, from 2^-tailOffset on.
	tailBins   = 32
	perOctave  = 4
	tailOffset = 2
	// rankBins is the number of bins whose rank is kept; beyond them it is that
	// of the last one.
	rankBins = 20
	rankUnit = 1. / 64 // decades
	// tailShare of the values is beyond the threshold from which on the tail is
	// taken to be exponential.
	tailShare = .03
	// tailPrior is the weight, in values beyond the threshold, of the tail that
	// is expected before there are any: a third of the threshold in the mean,
	// which is about that of a normal distribution.
	tailPrior = 20
	// tailMemory is the number of values at which all counts are halved.
	tailMemory = 16_000
	// tailSettle is the number of values whose mean the scale starts with,
	// tailReady that from which on there are ranks.
	tailSettle = 20
	tailReady  = 30
	// tailRefresh is the number of values between two looks at the tail.
	tailRefresh = 16
	// recurrent is the number of values of about the same size or more from
	// which on the empirical rank, of which recurrence is the power, bounds
	// what the tail says.
	recurrent  = 3
	recurrence = 1.3
	// scaleRate is the least weight of a value in the scale.
	scaleRate = 1e-3
	// maxDecades bounds what one detector can say.
	maxDecades = 50
)

// tail ranks the values of a statistic among those seen before. Counts are
// relative to the scale, which follows slowly.
type tail struct {
	mean  float32 // of the values that are not 0, cut at 6 times it
	seen  uint32  // values that are not 0
	total uint32  // values counted
	// What follows from the counts, looked at every tailRefresh values:
	// threshold as a ratio, decades at it, and decades per ratio beyond it.
	threshold, base, slope float32
	rank                   [rankBins]uint8
	count                  [tailBins]uint16
}

// tailEdge are the lower edges of the bins.
var tailEdge = func() (t [tailBins + 1]float64) {
	for i := range t {
		t[i] = math.Exp2(float64(i)/perOctave - tailOffset)
	}
	return t
}()

// tailBin returns the bin of a ratio. It reads the exponent and compares the
// mantissa with the edges of its octave.
func tailBin(r float64) int {
	if r < 1./(1<<tailOffset) {
		return 0
	}
	b := math.Float64bits(r)
	octave := int(b>>52) - 1023 + tailOffset
	if octave >= tailBins/perOctave {
		return tailBins - 1
	}
	i := octave * perOctave
	for k := 0; k < perOctave-1 && r >= tailEdge[i+1]; k++ {
		i++
	}
	return i
}

// judge returns -log10 of the rank of x, 0 when it has none, and counts x.
// least is the least scale that the statistic is credited with.
func (t *tail) judge(x, least float64) float64 {
	if x == 0 {
		if t.seen >= tailSettle {
			t.learn(0)
		}
		return 0
	}
	t.seen = min(t.seen+1, math.MaxInt32)
	if t.seen <= tailSettle {
		t.mean += float32((x - float64(t.mean)) / float64(t.seen))
		if t.seen < tailSettle {
			return 0
		}
	}
	mean := max(float64(t.mean), least)
	r := x / mean
	b := tailBin(r)
	d := 0.
	switch {
	case t.seen <= tailReady || t.slope == 0:
	case r < float64(t.threshold):
		d = float64(t.rank[min(b, rankBins-1)]) * rankUnit
	default:
		d = t.beyond(r, b)
	}
	t.learn(b)
	t.mean += float32(max(1/float64(t.seen), scaleRate) * (min(x, 6*mean) - mean))
	return d
}

// beyond returns the decades of a ratio beyond the threshold.
func (t *tail) beyond(r float64, bin int) float64 {
	d := min(float64(t.base)+(r-float64(t.threshold))*float64(t.slope), maxDecades)
	const rare = 2
	if d < rare {
		return d
	}
	c := 0
	for _, n := range t.count[bin:] {
		c += int(n)
	}
	if c >= recurrent {
		d = min(d, recurrence*math.Log10(float64(t.total+1)/float64(c)))
	}
	return d
}

func (t *tail) learn(bin int) {
	t.count[bin]++
	t.total++
	if t.total > tailMemory {
		t.total = 0
		for i := range t.count {
			t.count[i] /= 2
			t.total += uint32(t.count[i])
		}
	}
	if t.total%tailRefresh == 0 || t.total < 4*tailRefresh && t.total%4 == 0 {
		t.refresh()
	}
}

// refresh derives threshold, base, slope and ranks from the counts.
func (t *tail) refresh() {
	total := float64(t.total)
	k := max(tailShare*total, 5)
	above, u := 0., tailBins-1
	t.setRank(u, above)
	for u > 0 && above+float64(t.count[u]) < k {
		above += float64(t.count[u])
		u--
		t.setRank(u, above)
	}
	threshold := tailEdge[u+1]
	excess, n := tailPrior*threshold/3, float64(tailPrior)
	for i := u + 1; i < tailBins; i++ {
		c := float64(t.count[i])
		excess += c * ((tailEdge[i]+tailEdge[i+1])/2 - threshold)
		n += c
	}
	t.threshold = float32(threshold)
	t.base = float32(math.Log10((total + 1) / (above + 1)))
	t.slope = float32(n / excess / math.Ln10)
	for ; u > 0; u-- {
		above += float64(t.count[u])
		t.setRank(u-1, above)
	}
}

// setRank notes the rank of the middle of a bin with so many values above it.
func (t *tail) setRank(bin int, above float64) {
	if bin < rankBins {
		p := (above + .5*float64(t.count[bin]) + 1) / (float64(t.total) + 1)
		t.rank[bin] = uint8(min(max(0, -math.Log10(p)/rankUnit), math.MaxUint8))
	}
}
