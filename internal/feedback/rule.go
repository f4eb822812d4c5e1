package feedback

import (
	"math"
	"time"

	"github.com/llm-devops/llm-sentinel/internal/anomaly"
)

const (
	// holds is the age up to which a verdict counts in full, life that at which it
	// counts for nothing.
	holds = 7 * 24 * time.Hour
	life  = 30 * 24 * time.Hour
	// reserve is the part of a deviation that each verdict of "false" adds, the
	// first one twice, and maxReserves the most verdicts that add one.
	reserve     = .1
	maxReserves = 4
)

// Classes of findings that are alike although methods differ. Other classes are
// the names of methods.
const (
	// ClassCall are single calls out of the ordinary.
	ClassCall = "call"
	// ClassLevel are lasting changes of the level of many calls.
	ClassLevel = "level"
	// ClassItem are items that are judged by themselves and not by what is usual.
	// Verdicts of "false" teach nothing about the next one: what an attacker writes
	// must not become harmless because something else was.
	ClassItem = "item"
)

// ClassOf returns the class of the findings of a method.
func ClassOf(m anomaly.Method) string {
	switch m {
	case anomaly.MethodZScore, anomaly.MethodMAD, anomaly.MethodIQR:
		return ClassCall
	case anomaly.MethodCUSUM, "trend":
		return ClassLevel
	case "threshold":
		return ClassItem
	}
	return string(m)
}

// Deviation is the signed distance of a value from the expected one: the
// logarithm of their ratio, both with the offset added, which is about the
// smallest amount that means something. Where there is no ratio it is the
// difference. It is 0 when either is not finite.
func Deviation(value, expected, offset float64) float64 {
	d := value - expected
	if v, e := value+offset, expected+offset; v > 0 && e > 0 {
		d = math.Log(v / e)
	}
	if math.IsNaN(d) || math.IsInf(d, 0) {
		return 0
	}
	return d
}

// size returns the size of a deviation and its side. Without a deviation there is
// only one size, so that all findings without one are alike.
func size(deviation float64) (size float64, side int) {
	switch {
	case deviation > 0:
		return deviation, 1
	case deviation < 0:
		return -deviation, -1
	}
	return 1, 0
}

// weight is what a verdict counts for at an age.
func weight(age time.Duration) float64 {
	switch {
	case age <= holds:
		return 1
	case age >= life:
		return 0
	}
	return float64(life-age) / float64(life-holds)
}

// covers reports whether a verdict about one class says something about another:
// a level that is normal makes single calls at that level normal.
func covers(of, about string) bool {
	return of == about && of != ClassItem || of == ClassLevel && about == ClassCall
}

// limits are what verdicts allow: sizes up to tolerated, if they are below capped.
type limits struct{ tolerated, capped float64 }

func (l limits) allow(size float64) bool { return size <= l.tolerated && size < l.capped }

// limitsOf derives what the verdicts of a subject allow for a metric, class and
// side at a time.
func limitsOf(verdicts []verdict, metric, class string, side int, now time.Time) limits {
	var held [maxPerSubject]struct{ size, weight float64 }
	n, confirmed := 0, 0
	capped := math.Inf(1)
	for i := range verdicts {
		v := &verdicts[i]
		s, vs := size(v.deviation)
		w := weight(now.Sub(v.time))
		if v.superseded || w == 0 || v.kind == kindMute || v.metric != metric || vs != side || !covers(v.class, class) {
			continue
		}
		if v.kind == kindTrue {
			kept := 0
			for _, h := range held[:n] {
				if h.size < s {
					held[kept] = h
					kept++
				}
			}
			n, capped = kept, min(capped, s)
			confirmed++
			continue
		}
		if s >= capped {
			capped = math.Inf(1)
		}
		held[n] = struct{ size, weight float64 }{s, w}
		n++
	}
	out := limits{capped: capped}
	for _, h := range held[:n] {
		out.tolerated = max(out.tolerated, h.size*h.weight)
	}
	if n -= confirmed; n > 0 {
		out.tolerated *= 1 + reserve*float64(1+min(n, maxReserves))
	}
	return out
}
