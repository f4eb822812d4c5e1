package ensemble

import (
	"math"
	"time"
)

const (
	seasonRate = .15
	// grain is the resolution of the profile at first, in units of the series.
	grain = 1. / 64
)

// season is what is usual at each half hour of a weekday and of a weekend.
type season struct {
	grain float32
	usual [2 * seasonBins]usual
}

// usual is a value in steps of grain, and in the lowest seenBits the number of
// values that it was learned from, up to seenMost.
type usual int16

const (
	seenBits  = 3
	seenLeast = 2               // below, nothing is usual
	seenMost  = 1<<seenBits - 1 // from here on each value weighs seasonRate
	// usualMost is the largest value.
	usualMost = math.MaxInt16 >> seenBits
)

// observe returns the distance of y from what is usual in a bin, 0 while that is
// not known, and learns y.
func (p *season) observe(bin uint64, y float64) float64 {
	if p.grain == 0 {
		p.grain = grain
	}
	for math.Abs(y) > usualMost*float64(p.grain) {
		p.coarsen()
	}
	is, seen := p.at(bin)
	if seen == 0 {
		is = y
	}
	d := y - is
	rate := seasonRate
	next := seen
	if seen < seenMost {
		rate = atLeast(1/float64(seen+1), seasonRate)
		next++
	}
	const offset = 1 << 16 // truncation then rounds down, also below 0
	steps := int32((is+rate*d)/float64(p.grain)+(offset+.5)) - offset
	p.usual[bin] = usual(steps<<seenBits) | next
	if seen < seenLeast {
		return 0
	}
	return math.Abs(d)
}

// at returns what is usual in a bin, and how many values say so.
func (p *season) at(bin uint64) (y float64, seen usual) {
	u := p.usual[bin]
	return float64(u>>seenBits) * float64(p.grain), u & seenMost
}

func (p *season) coarsen() {
	p.grain *= 2
	for i, u := range p.usual {
		p.usual[i] = (u>>seenBits)/2<<seenBits | u&seenMost
	}
}

// seasonBin returns the bin of a season that at (unix ns, UTC) is in: the half
// hours of a weekday, then those of a day of the weekend.
func seasonBin(at int64) uint64 {
	const day = int64(24 * time.Hour)
	days, in := at/day, at%day
	if in < 0 {
		days, in = days-1, in+day
	}
	bin := uint64(in / (day / seasonBins))
	// 1970-01-01 was a Thursday.
	if w := ((days+4)%7 + 7) % 7; w == 0 || w == 6 {
		bin += seasonBins
	}
	return bin
}

// steps is how far a value usually is from the one before, on the square root
// scale: at any time, and by hour.
type steps struct {
	all  float32
	mean [stepBins]short
	seen [stepBins]uint8
}

// observe returns the step d in relation to what is usual at the hour, and
// learns it as the n-th.
func (p *steps) observe(hour uint64, d float64, n uint64) float64 {
	all, mine, seen := float64(p.all), p.mean[hour].float(), float64(p.seen[hour])
	out := 0.
	if all > 0 {
		// The hour counts the more the better it is known, and half of what it
		// deviates.
		ratio := 1.
		if seen > 6 {
			ratio = (seen*mine/all + 12) / (seen + 12)
		}
		out = d / math.Sqrt(ratio)
	}
	if p.seen[hour] < math.MaxUint8 {
		p.seen[hour]++
		seen++
	}
	const edge, least = 6, 1e-3
	p.all += float32(atLeast(1/float64(n), .003) * (min(d, edge*all+least) - all))
	p.mean[hour] = newShort(mine + atLeast(1/seen, .03)*(min(d, edge*mine+least)-mine))
	return out
}

// short is a number from 2^-20 to 2^44 within 1/2048 of it: six bits of
// exponent, ten of fraction. The least one stands for 0.
type short uint16

const (
	shortDrop = 13 // bits of the fraction of a float32 that are not kept
	shortBias = (127 - 20) << 10
)

func newShort(x float64) short {
	b := int32(math.Float32bits(float32(x))+1<<(shortDrop-1)) >> shortDrop
	return short(min(max(b-shortBias, 0), math.MaxUint16))
}

func (s short) float() float64 {
	if s == 0 {
		return 0
	}
	return float64(math.Float32frombits((uint32(s) + shortBias) << shortDrop))
}
