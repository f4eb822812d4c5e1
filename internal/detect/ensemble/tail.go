package ensemble

import (
	"math"
	"math/bits"

	"github.com/llm-devops/llm-sentinel/internal/detect"
)

const (
	// tailBins count the ratios of a statistic to its mean, perOctave to a
	// factor of two, from 2^-tailOffset on.
	tailBins   = 32
	perOctave  = 4
	tailOffset = 2
	// tailShare of the values is beyond the threshold from which on the tail is
	// taken to be exponential.
	tailShare = .03
	// rankSteps is the number of steps of a decade in which a rank is given:
	// the counts know it no better.
	rankSteps = 64
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
	mean float32 // of the values that are not 0, cut at 6 times it
	seen uint16  // values that are not 0, up to 65535
	// What follows from the counts, looked at every tailRefresh values: the
	// first bin beyond the threshold, decades at it, and decades per ratio
	// beyond it.
	edge        uint8
	base, slope float32
	// atLeast holds, for each bin, the number of values counted in it or above,
	// four bins to a word: any rank is a look-up, and counting adds a constant.
	atLeast [tailWords]uint64
}

const (
	tailLanes = 4
	tailWords = tailBins / tailLanes
)

// total is the number of values counted.
func (t *tail) total() int { return int(uint16(t.atLeast[0])) }

// from is the number of values counted in a bin or above.
func (t *tail) from(bin int) int {
	return int(uint16(t.atLeast[bin/tailLanes%tailWords] >> (16 * (bin % tailLanes))))
}

// tailAdd[b] is what a value in bin b adds to the words.
var tailAdd = func() (t [tailBins][tailWords]uint64) {
	for b := range t {
		for i := range b + 1 {
			t[b][i/tailLanes] |= 1 << (16 * (i % tailLanes))
		}
	}
	return t
}()

// tailEdge are the lower edges of the bins.
var tailEdge = func() (t [tailBins + 1]float64) {
	for i := range t {
		t[i] = math.Exp2(float64(i)/perOctave - tailOffset)
	}
	return t
}()

// tailMiddle are the middles of the bins.
var tailMiddle = func() (t [tailBins]float64) {
	for i := range t {
		t[i] = (tailEdge[i] + tailEdge[i+1]) / 2
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
	if t.seen < math.MaxUint16 {
		t.seen++
	}
	if t.seen <= tailSettle {
		t.mean += float32((x - float64(t.mean)) / float64(t.seen))
		if t.seen < tailSettle {
			return 0
		}
	}
	mean := atLeast(float64(t.mean), least)
	r := x / mean
	b := tailBin(r)
	d := 0.
	switch {
	case t.seen <= tailReady || t.slope == 0:
	case b < int(t.edge):
		d = t.rank(b)
	default:
		d = t.beyond(r, b)
	}
	t.learn(b)
	rate := scaleRate
	if t.seen < 1/scaleRate {
		rate = 1 / float64(t.seen)
	}
	t.mean += float32(rate * (min(x, 6*mean) - mean))
	return d
}

// rank returns the decades of the middle of a bin that is not the last one, in
// steps, rounded down.
func (t *tail) rank(bin int) float64 {
	twice := uint32(t.from(bin) + t.from(bin+1) + 2)
	return float64((rankLog(2*uint32(t.total()+1))-rankLog(twice))/rankPart) / rankSteps
}

const (
	// rankPart is the number of parts of a step that logarithms are known to.
	rankPart   = 256
	rankCells  = 512
	rankOctave = rankSteps * rankPart * 30103 / 100_000 // log10 of 2, in parts
)

// rankLogs are logarithms of 1 to 2 in parts of a step.
var rankLogs = func() (t [rankCells]uint16) {
	for i := range t {
		t[i] = uint16(math.Round(math.Log2(1+float64(i)/rankCells) * rankOctave))
	}
	return t
}()

// rankLog is the logarithm of n, not 0, in parts of a step.
func rankLog(n uint32) uint32 {
	zeros := bits.LeadingZeros32(n)
	return uint32(31-zeros)*rankOctave + uint32(rankLogs[n<<zeros>>22%rankCells])
}

// beyond returns the decades of a ratio beyond the threshold.
func (t *tail) beyond(r float64, bin int) float64 {
	d := min(float64(t.base)+(r-tailEdge[t.edge])*float64(t.slope), maxDecades)
	const rare = 2
	if d < rare {
		return d
	}
	if c := t.from(bin); c >= recurrent {
		d = min(d, recurrence*decades(float64(t.total()+1)/float64(c)))
	}
	return d
}

// decades is log10.
func decades(x float64) float64 { return detect.Ln(x) * (1 / math.Ln10) }

func (t *tail) learn(bin int) {
	for i, x := range tailAdd[bin] {
		t.atLeast[i] += x
	}
	total := t.total()
	if total > tailMemory {
		t.halve()
		total = t.total()
	}
	if total%tailRefresh == 0 || total < 4*tailRefresh && total%4 == 0 {
		t.refresh()
	}
}

// halve halves the count of each bin.
func (t *tail) halve() { t.rescale(func(n int) int { return n / 2 }) }

// rescale replaces the count of each bin by a smaller one.
func (t *tail) rescale(to func(count int) int) {
	var out [tailWords]uint64
	above := 0
	for b := tailBins - 1; b >= 0; b-- {
		n := t.from(b)
		for i, x := range tailAdd[b] {
			out[i] += uint64(to(n-above)) * x
		}
		above = n
	}
	t.atLeast = out
}

// refresh derives edge, base and slope from the counts.
func (t *tail) refresh() {
	total := t.total()
	k := int(math.Ceil(max(tailShare*float64(total), 5)))
	u := tailBins - 1
	above := 0
	for u > 0 {
		n := t.from(u)
		if n >= k {
			break
		}
		above = n
		u--
	}
	threshold := tailEdge[u+1]
	excess := tailPrior * threshold / 3
	more := 0
	for i := tailBins - 1; i > u; i-- {
		n := t.from(i)
		if n > more {
			excess += float64(n-more) * (tailMiddle[i] - threshold)
			more = n
		}
	}
	t.edge = uint8(u + 1)
	t.base = float32(decades(float64(total+1) / float64(above+1)))
	t.slope = float32((tailPrior + float64(above)) / excess / math.Ln10)
}
