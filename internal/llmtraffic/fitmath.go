package llmtraffic

import (
	"math"
	"slices"
	"sort"
)

// quantile is the linearly interpolated sample quantile (type 7).
func quantile(x []float64, p float64) float64 {
	if len(x) == 0 {
		return math.NaN()
	}
	s := slices.Clone(x)
	slices.Sort(s)
	h := p * float64(len(s)-1)
	i := int(h)
	if i+1 >= len(s) {
		return s[len(s)-1]
	}
	return s[i] + (h-float64(i))*(s[i+1]-s[i])
}

func meanSD(x []float64) (mean, sd float64) {
	for i, v := range x {
		d := v - mean
		mean += d / float64(i+1)
		sd += d * (v - mean)
	}
	return mean, math.Sqrt(sd / float64(max(len(x)-1, 1)))
}

func logSD(x []float64) float64 {
	l := make([]float64, len(x))
	for i, v := range x {
		l[i] = math.Log(v)
	}
	_, sd := meanSD(l)
	return sd
}

func pearson(x, y []float64) float64 {
	mx, sx := meanSD(x)
	my, sy := meanSD(y)
	var c float64
	for i := range x {
		c += (x[i] - mx) * (y[i] - my)
	}
	return c / float64(len(x)-1) / sx / sy
}

func spearman(x, y []float64) float64 { return pearson(ranks(x), ranks(y)) }

// ranks returns the rank of each value; ties share their mean rank.
func ranks(x []float64) []float64 {
	idx := make([]int, len(x))
	for i := range idx {
		idx[i] = i
	}
	sort.Slice(idx, func(a, b int) bool { return x[idx[a]] < x[idx[b]] })
	r := make([]float64, len(x))
	for i := 0; i < len(idx); {
		j := i
		for j < len(idx) && x[idx[j]] == x[idx[i]] {
			j++
		}
		for k := i; k < j; k++ {
			r[idx[k]] = float64(i+j-1) / 2
		}
		i = j
	}
	return r
}

// theilSen is the median of the slopes between all pairs of points.
func theilSen(x, y []float64) float64 {
	var s []float64
	for i := range x {
		for j := range i {
			if x[i] != x[j] {
				s = append(s, (y[i]-y[j])/(x[i]-x[j]))
			}
		}
	}
	return quantile(s, .5)
}

// weibullShape finds the shape k whose Weibull distribution has the
// coefficient of variation cv, by bisection; cv falls as k grows.
func weibullShape(cv float64) float64 {
	lo, hi := 0.2, 10.0
	for range 100 {
		k := (lo + hi) / 2
		g1, g2 := math.Gamma(1+1/k), math.Gamma(1+2/k)
		if math.Sqrt(g2/(g1*g1)-1) > cv {
			lo = k
		} else {
			hi = k
		}
	}
	return (lo + hi) / 2
}
