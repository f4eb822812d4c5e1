package drift

import (
	"math"

	"github.com/llm-devops/llm-sentinel/internal/detect"
)

const (
	// clip bounds the residual of one pair of numbers, in standard deviations.
	clip = 3.5
	// reach is how far, in standard deviations of x, the mean of a window may
	// lie from that of the reference: beyond it the line is not known.
	reach = 2
	// bend is the standard error of a slope that is due to relations that are
	// not straight on the log scale.
	bend = .1
	// minNoise is the least standard deviation of residuals (natural logarithm).
	minNoise = .01
	// minSpread is the variance of x below which no slope is fitted.
	minSpread = 1e-4
)

// moments are sums over pairs (x, y). raw is the sum of y before it was cut.
type moments struct {
	n, x, y, xx, xy, yy, raw float64
}

func (m *moments) decayed(keep float64, in *moments) {
	m.n = m.n*keep + in.n
	m.x = m.x*keep + in.x
	m.y = m.y*keep + in.y
	m.xx = m.xx*keep + in.xx
	m.xy = m.xy*keep + in.xy
	m.yy = m.yy*keep + in.yy
	m.raw = m.raw*keep + in.raw
}

// lift adds c to every y.
func (m *moments) lift(c float64) {
	m.yy += 2*c*m.y + c*c*m.n
	m.xy += c * m.x
	m.y += c * m.n
}

// line is y = my + slope (x - mx) with residuals of standard deviation noise.
type line struct {
	mx, my, slope, noise, spread float64
}

func (m *moments) fit() line {
	l := line{mx: m.x / m.n, my: m.y / m.n}
	xx := max(0, m.xx/m.n-l.mx*l.mx)
	yy := max(0, m.yy/m.n-l.my*l.my)
	xy := m.xy/m.n - l.mx*l.my
	if xx > minSpread {
		l.slope = xy / xx
	}
	l.spread = math.Sqrt(xx)
	l.noise = max(minNoise, math.Sqrt(max(0, yy-l.slope*xy)*m.n/max(1, m.n-2)))
	return l
}

// Relation finds changes of y at the same x, both positive numbers, which are
// related by a straight line on the log scale. That x changes is no finding.
// Not safe for concurrent use.
type Relation struct {
	timeline
	// line is the relation as the reference shows it. It is constant while a
	// window is open.
	line           line
	cur, prev, ref moments
}

// Add takes a pair of numbers and reports whether its window is full; then Close
// must be called. Numbers that are not positive and finite are left out.
func (r *Relation) Add(c *Config, at int64, x, y float64) (full bool) {
	if !(x > 0 && y > 0 && x <= math.MaxFloat64 && y <= math.MaxFloat64) {
		return false
	}
	return r.AddLog(c, at, detect.Ln(x), detect.Ln(y))
}

// AddLog is Add for the natural logarithms, which must be finite.
func (r *Relation) AddLog(c *Config, at int64, x, y float64) (full bool) {
	m := &r.cur
	m.raw += y
	if r.windows >= 2 {
		expected, most := r.line.my+r.line.slope*(x-r.line.mx), clip*r.line.noise
		y = max(expected-most, min(y, expected+most))
	}
	m.n++
	m.x += x
	m.y += y
	m.xx += x * x
	m.xy += x * y
	m.yy += y * y
	return r.add(c, at)
}

// Close compares the last two windows with the reference. least is the smallest
// ratio of seen to expected, or its inverse, that is a drift, above 1.
func (r *Relation) Close(c *Config, least float64) (res Result) {
	if r.prevN == 0 {
		r.next()
		return res
	}
	statistic := math.NaN()
	pair := r.prev
	pair.decayed(1, &r.cur)
	if r.windows > 0 {
		statistic = r.compare(&pair, &res, c, math.Log(least))
	}
	if res.Drift {
		// What was cut must not be learned as cut: the new line runs through
		// the mean of what was seen, with no less noise than before.
		pair.lift((pair.raw - pair.y) / pair.n)
		pair.raw = pair.y
		if now := pair.fit(); now.noise < r.line.noise {
			pair.yy += pair.n * (r.line.noise*r.line.noise - now.noise*now.noise)
		}
		r.ref, r.line = pair, pair.fit()
		r.cur, r.prev = moments{}, moments{}
		r.restart()
		return res
	}
	r.learn(c, statistic)
	r.ref.decayed(c.keep(), &r.prev)
	r.line = r.ref.fit()
	r.absorbed(c)
	r.next()
	return res
}

func (r *Relation) next() {
	r.prev, r.cur = r.cur, moments{}
	r.shift()
}

// residual is the mean distance of the window from the line, and what it would
// be without the cut.
func (l *line) residual(m *moments) (cut, raw float64) {
	expected := l.my + l.slope*(m.x/m.n-l.mx)
	return m.y/m.n - expected, m.raw/m.n - expected
}

func (r *Relation) compare(pair *moments, res *Result, c *Config, least float64) (statistic float64) {
	l := &r.line
	cut, raw := l.residual(pair)
	away := pair.x/pair.n - l.mx
	variance := l.noise*l.noise*(1/pair.n+1/r.ref.n) + bend*bend*away*away
	if l.spread > 0 {
		variance += l.noise * l.noise * away * away / (l.spread * l.spread * r.ref.n)
	}
	statistic = cut * cut / variance
	if math.Abs(away) > reach*max(l.spread, minNoise) {
		return math.NaN()
	}
	if r.quick(c, res, statistic) {
		return statistic
	}
	res.Reference = r.ref.n
	res.Effect = math.Abs(raw)
	sign := 1.
	if raw < 0 {
		sign = -1
	}
	_, prev := l.residual(&r.prev)
	_, cur := l.residual(&r.cur)
	r.judge(c, res, statistic, 1, least, sign*prev, sign*cur)
	res.Effect = math.Exp(raw)
	res.Before, res.After = math.Exp(pair.raw/pair.n-raw), math.Exp(pair.raw/pair.n)
	return statistic
}
