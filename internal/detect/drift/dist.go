package drift

import "math"

// maxGroups is the most groups that a distribution is compared in.
const maxGroups = 10

// Dist finds changes of the distribution of a number or a category, of which it
// sees the bin. Not safe for concurrent use.
type Dist struct {
	timeline
	ordered bool
	// counts are those of the current window, then those of the previous one.
	counts []uint16
	// ref is the decayed sum of the windows before.
	ref []float32
}

// NewNumbers returns a detector for values whose bins have an order.
func NewNumbers(bins int) Dist { return newDist(bins, true) }

// NewCategories returns a detector for categories without an order.
func NewCategories(categories int) Dist { return newDist(categories, false) }

func newDist(bins int, ordered bool) Dist {
	return Dist{ordered: ordered, counts: make([]uint16, 2*bins), ref: make([]float32, bins)}
}

// Bins is the number of bins.
func (d *Dist) Bins() int { return len(d.ref) }

// Add counts a value and reports whether its window is full; then Close must be
// called. Bins out of range are the nearest one.
func (d *Dist) Add(c *Config, at int64, bin int) (full bool) {
	d.counts[max(0, min(bin, len(d.ref)-1))]++
	return d.add(c, at)
}

// Learn counts a value that came too late to be judged by its time.
func (d *Dist) Learn(c *Config, bin int) {
	if d.curN > 0 && d.curN < maxWindow {
		d.Add(c, d.curStart, bin)
	}
}

// Close compares the last two windows with the reference. least is the smallest
// PSI that is a drift. The details of a drift are told by before and after.
func (d *Dist) Close(c *Config, least float64) (r Result) {
	n := len(d.ref)
	cur, prev := d.counts[:n], d.counts[n:]
	if d.prevN == 0 {
		copy(prev, cur)
		clear(cur)
		d.shift()
		return r
	}
	statistic := math.NaN()
	if d.windows > 0 {
		var g groups
		g.build(d)
		statistic = g.compare(d, &r, c, least)
	}
	if r.Drift {
		d.describe(&r)
		for i := range d.ref {
			d.ref[i] = float32(cur[i]) + float32(prev[i])
		}
		clear(d.counts)
		d.restart()
		return r
	}
	d.learn(c, statistic)
	keep := float32(c.keep())
	for i := range d.ref {
		d.ref[i] = d.ref[i]*keep + float32(prev[i])
	}
	d.absorbed(c)
	copy(prev, cur)
	clear(cur)
	d.shift()
	return r
}

// groups are the bins put together so that each group is well filled.
type groups struct {
	k              int
	of             [MaxBins]uint8
	ref, cur, prev [maxGroups + 2]float64
	m              float64 // values in the reference
}

// MaxBins is the most bins of a [Dist].
const MaxBins = 64

func (g *groups) build(d *Dist) {
	for _, x := range d.ref {
		g.m += float64(x)
	}
	if d.ordered {
		g.order(d)
	} else {
		g.collect(d)
	}
	n := len(d.ref)
	for i := range n {
		to := g.of[i]
		g.ref[to] += float64(d.ref[i])
		g.cur[to] += float64(d.counts[i])
		g.prev[to] += float64(d.counts[n+i])
	}
}

// order makes groups of neighbours. A distribution on one or two bins leaves the
// values beyond it on either side in groups of their own.
func (g *groups) order(d *Dist) {
	first, last, filled := -1, -1, 0
	for i, x := range d.ref {
		if x > 0 {
			if first < 0 {
				first = i
			}
			last = i
			filled++
		}
	}
	share := g.m / maxGroups
	at, sum, left := 0, 0., g.m
	for i, x := range d.ref {
		if filled <= 2 && i == first && first > 0 {
			at, sum = at+1, 0
		}
		g.of[i] = uint8(at)
		sum += float64(x)
		left -= float64(x)
		switch {
		case filled <= 2 && i == last:
			at, sum = at+1, 0
		case sum >= share && left >= share/2 && at < maxGroups-1:
			at, sum = at+1, 0
		}
	}
	g.k = int(g.of[len(d.ref)-1]) + 1
}

// collect makes one group of all categories that are rare in the reference.
func (g *groups) collect(d *Dist) {
	var frequent [MaxBins]bool
	g.k = 1 // group 0 is the rest
	for {
		best := -1
		for i, x := range d.ref {
			if !frequent[i] && float64(x) >= g.m/100 && (best < 0 || x > d.ref[best]) {
				best = i
			}
		}
		if best < 0 || g.k == maxGroups {
			return
		}
		frequent[best] = true
		g.of[best] = uint8(g.k)
		g.k++
	}
}

// compare returns the statistic of the pair.
func (g *groups) compare(d *Dist, r *Result, c *Config, least float64) (statistic float64) {
	pair := g.cur
	for i, n := range g.prev[:g.k] {
		pair[i] += n
	}
	n, prevN, curN := float64(d.curN)+float64(d.prevN), float64(d.prevN), float64(d.curN)
	r.Reference = g.m
	k := 0 // groups that anything is in
	for i := range g.k {
		if pair[i]+g.ref[i] > 0 {
			k++
		}
	}
	freedom := min(3, float64(k-1))
	if d.ordered {
		statistic = andersonDarling(pair[:g.k], g.ref[:g.k], n, g.m)
		freedom = min(2, freedom)
	} else {
		statistic = gTest(pair[:g.k], g.ref[:g.k], n, g.m, k)
	}
	freedom = max(1, freedom)
	if d.quick(c, r, statistic) {
		return statistic
	}
	design, _ := d.design()
	chance := func(n float64) float64 { return design * float64(max(k-1, 1)) * (1/n + 1/g.m) }
	r.PSI, r.JS = psi(pair[:g.k], g.ref[:g.k], n, g.m), jensenShannon(pair[:g.k], g.ref[:g.k], n, g.m)
	r.KS = d.ks(n, g.m)
	r.Effect = r.PSI - chance(n)
	prev := psi(g.prev[:g.k], g.ref[:g.k], prevN, g.m) - chance(prevN)
	cur := psi(g.cur[:g.k], g.ref[:g.k], curN, g.m) - chance(curN)
	d.judge(c, r, statistic, freedom, least, prev, cur)
	return statistic
}

// andersonDarling is the mean over the borders between groups of the squared
// standardised difference of the distribution functions.
func andersonDarling(a, b []float64, n, m float64) float64 {
	var fa, fb, sum float64
	borders := 0
	for i := range len(a) - 1 {
		fa += a[i]
		fb += b[i]
		f := (fa + fb) / (n + m)
		if f <= 0 || f >= 1 {
			continue
		}
		borders++
		diff := fa/n - fb/m
		sum += diff * diff / (f * (1 - f))
	}
	return sum * n * m / (n + m) / float64(max(borders, 1))
}

// gTest is G of the 2 x k table over its degrees of freedom.
func gTest(a, b []float64, n, m float64, k int) float64 {
	var g float64
	for i := range a {
		sum := a[i] + b[i]
		if a[i] > 0 {
			g += a[i] * math.Log(a[i]*(n+m)/(sum*n))
		}
		if b[i] > 0 {
			g += b[i] * math.Log(b[i]*(n+m)/(sum*m))
		}
	}
	return max(0, 2*g) / float64(max(k-1, 1))
}

func psi(a, b []float64, n, m float64) float64 {
	var sum float64
	half := .5 * float64(len(a))
	for i := range a {
		p, q := (a[i]+.5)/(n+half), (b[i]+.5)/(m+half)
		sum += (p - q) * math.Log(p/q)
	}
	return sum
}

func jensenShannon(a, b []float64, n, m float64) float64 {
	var sum float64
	for i := range a {
		p, q := a[i]/n, b[i]/m
		mid := (p + q) / 2
		if p > 0 {
			sum += p * math.Log2(p/mid)
		}
		if q > 0 {
			sum += q * math.Log2(q/mid)
		}
	}
	return max(0, sum/2)
}

// ks compares on the bins themselves; for categories it is the largest change
// of a share.
func (d *Dist) ks(n, m float64) float64 {
	var fa, fb, most float64
	bins := len(d.ref)
	for i := range bins {
		a, b := float64(d.counts[i])+float64(d.counts[bins+i]), float64(d.ref[i])
		if !d.ordered {
			fa, fb = 0, 0
		}
		fa, fb = fa+a, fb+b
		most = max(most, math.Abs(fa/n-fb/m))
	}
	return min(most, 1)
}

// describe tells what has changed: the medians of numbers, the category whose
// share has grown most.
func (d *Dist) describe(r *Result) {
	bins := len(d.ref)
	pair := func(i int) float64 { return float64(d.counts[i]) + float64(d.counts[bins+i]) }
	if d.ordered {
		r.Before = float64(median(bins, func(i int) float64 { return float64(d.ref[i]) }))
		r.After = float64(median(bins, pair))
		return
	}
	most := -2.
	for i := range bins {
		before, after := float64(d.ref[i])/r.Reference, pair(i)/r.Samples
		if grown := after - before; grown > most {
			most, r.Category, r.Before, r.After = grown, i, before, after
		}
	}
}

// median is the bin in which the median lies.
func median(bins int, count func(int) float64) int {
	var all, sum float64
	for i := range bins {
		all += count(i)
	}
	for i := range bins {
		if sum += count(i); sum >= all/2 {
			return i
		}
	}
	return bins - 1
}

// NumberBins is the number of bins of [NumberBin].
const NumberBins = 64

// NumberBin is the bin of a whole number such as a token count: 0 to 3 have
// their own, from 4 on there are four for each doubling, and the last one begins at 114688.
func NumberBin(x int64) int {
	if x < 4 {
		return int(max(x, 0))
	}
	b := math.Float64bits(float64(x))
	return min(int(b>>50&3)+4*(int(b>>52)-1023-2)+4, NumberBins-1)
}

// NumberOf is the middle of a bin of [NumberBin].
func NumberOf(bin int) float64 {
	if bin < 4 {
		return float64(bin)
	}
	e, quarter := (bin-4)/4+2, (bin-4)%4
	return math.Ldexp(1+(float64(quarter)+.5)/4, e)
}
