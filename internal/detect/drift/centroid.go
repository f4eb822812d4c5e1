package drift

import "math"

// Dims is the dimension in which vectors are compared.
const Dims = 64

// Vector is a vector of length 1, or 0 where nothing is known.
type Vector [Dims]float32

// normalise makes v a unit vector and reports whether it has a direction.
func (v *Vector) normalise() bool {
	var sum float64
	for _, x := range v {
		sum += float64(x) * float64(x)
	}
	if !(sum > 0 && sum <= math.MaxFloat64) {
		*v = Vector{}
		return false
	}
	f := 1 / math.Sqrt(sum)
	for i := range v {
		v[i] = float32(float64(v[i]) * f)
	}
	return true
}

// minVariance is the least trace of the covariance of unit vectors.
const minVariance = .01

// minCosineDistance is the least distance of the mean vectors that is a drift.
const minCosineDistance = .02

// Centroid finds changes of the mean of unit vectors. Not safe for concurrent use.
type Centroid struct {
	timeline
	refN           float32
	cur, prev, ref [Dims]float32 // sums
}

// Add takes a vector of length 1 and reports whether its window is full; then
// Close must be called.
func (d *Centroid) Add(c *Config, at int64, v *Vector) (full bool) {
	for i, x := range v {
		d.cur[i] += x
	}
	return d.add(c, at)
}

// Close compares the last two windows with the reference. least is the smallest
// drift: the squared distance of the means over the mean squared distance of a
// vector from its mean.
func (d *Centroid) Close(c *Config, least float64) (r Result) {
	if d.prevN == 0 {
		d.next()
		return r
	}
	statistic := math.NaN()
	if d.windows > 0 {
		statistic = d.compare(&r, c, least)
	}
	if r.Drift {
		for i := range d.ref {
			d.ref[i] = d.cur[i] + d.prev[i]
		}
		d.refN = float32(d.curN + d.prevN)
		d.cur, d.prev = [Dims]float32{}, [Dims]float32{}
		d.restart()
		return r
	}
	d.learn(c, statistic)
	keep := float32(c.keep())
	for i := range d.ref {
		d.ref[i] = d.ref[i]*keep + d.prev[i]
	}
	d.refN = d.refN*keep + float32(d.prevN)
	d.absorbed(c)
	d.next()
	return r
}

func (d *Centroid) next() {
	d.prev, d.cur = d.cur, [Dims]float32{}
	d.shift()
}

func (d *Centroid) compare(r *Result, c *Config, least float64) (statistic float64) {
	n, prevN, curN, m := float64(d.prevN)+float64(d.curN), float64(d.prevN), float64(d.curN), float64(d.refN)
	var dist, distPrev, distCur, dot, norm, normRef float64
	for i := range d.ref {
		mean := float64(d.ref[i]) / m
		prev, cur := float64(d.prev[i]), float64(d.cur[i])
		pair := (prev + cur) / n
		prev, cur = prev/prevN-mean, cur/curN-mean
		dist += (pair - mean) * (pair - mean)
		distPrev += prev * prev
		distCur += cur * cur
		dot += pair * mean
		norm += pair * pair
		normRef += mean * mean
	}
	variance := max(minVariance, 1-normRef)
	design, _ := d.design()
	statistic = dist / (variance * (1/n + 1/m))
	if d.quick(c, r, statistic) {
		return statistic
	}
	r.Reference = m
	r.Effect = dist/variance - design*(1/n+1/m)
	r.Cosine = 1
	if norm > 0 && normRef > 0 {
		r.Cosine = min(1, dot/math.Sqrt(norm*normRef))
	}
	r.Before, r.After = math.Sqrt(normRef), math.Sqrt(norm)
	d.judge(c, r, statistic, 3, least, distPrev/variance-design*(1/prevN+1/m), distCur/variance-design*(1/curN+1/m))
	r.Drift = r.Drift && 1-r.Cosine >= minCosineDistance
	return statistic
}
