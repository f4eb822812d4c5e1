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

// season is what is usual at each half hour of a weekday and of a weekend, in
// steps of grain.
type season struct {
	grain float32
	value [2 * seasonBins]int16
	// seen holds the number of values of each bin up to 15, two a byte.
	seen [seasonBins]uint8
}

// observe returns the distance of y from what is usual, 0 while that is not
// known, and learns y.
func (p *season) observe(at int64, y float64) float64 {
	b, weekend := binOfDay(at, seasonBins)
	if weekend {
		b += seasonBins
	}
	if p.grain == 0 {
		p.grain = grain
	}
	for math.Abs(y) > math.MaxInt16*float64(p.grain) {
		p.coarsen()
	}
	half := uint(b&1) * 4
	seen := p.seen[b/2] >> half & 15
	usual := float64(p.value[b]) * float64(p.grain)
	if seen == 0 {
		usual = y
	}
	d := y - usual
	if seen < 15 {
		p.seen[b/2] += 1 << half
	}
	usual += max(seasonRate, 1/float64(seen+1)) * d
	p.value[b] = int16(math.Round(usual / float64(p.grain)))
	if seen < 2 {
		return 0
	}
	return math.Abs(d)
}

func (p *season) coarsen() {
	p.grain *= 2
	for i := range p.value {
		p.value[i] /= 2
	}
}

// binOfDay returns the bin of a UTC day that at (unix ns) is in, and whether it
// is on a weekend.
func binOfDay(at int64, bins int) (bin int, weekend bool) {
	const day = int64(24 * time.Hour)
	days, in := at/day, at%day
	if in < 0 {
		days, in = days-1, in+day
	}
	// 1970-01-01 was a Thursday.
	w := ((days+4)%7 + 7) % 7
	return int(in / (day / int64(bins))), w == 0 || w == 6
}

// steps is how far a value usually is from the one before, on the square root
// scale: at any time, and by hour.
type steps struct {
	all  float32
	mean [stepBins]float32
	seen [stepBins]uint8
}

// observe returns the step d in relation to what is usual at the hour, and
// learns it as the n-th.
func (p *steps) observe(at int64, d float64, n uint64) float64 {
	h, _ := binOfDay(at, stepBins)
	all, mine := float64(p.all), float64(p.mean[h])
	out := 0.
	if all > 0 {
		// The hour counts the more the better it is known, and half of what it
		// deviates.
		ratio := 1.
		if c := float64(p.seen[h]); c > 6 {
			ratio = (c*mine/all + 12) / (c + 12)
		}
		out = d / math.Sqrt(ratio)
	}
	if p.seen[h] < math.MaxUint8 {
		p.seen[h]++
	}
	const edge, least = 6, 1e-3
	p.all += float32(max(.003, 1/float64(n)) * (min(d, edge*all+least) - all))
	p.mean[h] += float32(max(.03, 1/float64(p.seen[h])) * (min(d, edge*mine+least) - mine))
	return out
}
