package detect

import "math"

const (
	logBits  = 5
	logCells = 1 << logBits
)

// logTable holds, for each cell of [1, 2), the inverse of its middle and the
// logarithm of that middle.
var logTable = func() (t [logCells]struct{ inverse, log float64 }) {
	for i := range t {
		c := 1 + (float64(i)+.5)/logCells
		t[i].inverse, t[i].log = 1/c, math.Log(c)
	}
	return t
}()

// fastLog is the natural logarithm, within 1e-11: far closer than the float32
// that it ends up as, at a quarter of the cost of math.Log. It is computed for
// every value.
func fastLog(x float64) float64 {
	const one = 1023 << 52
	b := math.Float64bits(x)
	// Zero, subnormal, negative and not finite numbers.
	if b-1<<52 >= (2047-1)<<52 {
		return math.Log(x)
	}
	cell := &logTable[b>>(52-logBits)&(logCells-1)]
	r := math.Float64frombits(b&(1<<52-1)|one)*cell.inverse - 1 // at most 1/64
	p := r * (1 - r*(1./2-r*(1./3-r*(1./4-r*(1./5)))))
	return float64(int(b>>52)-1023)*math.Ln2 + (cell.log + p)
}

// Ln is the natural logarithm, within 1e-11, at a quarter of the cost of
// math.Log, for the packages below this one.
func Ln(x float64) float64 { return fastLog(x) }
