package score

import (
	"math"
	"time"
)

const (
	// gaussianWindow and gaussianStep are those of NAB v1.1, in values.
	gaussianWindow = 6400
	gaussianStep   = 100
	// gaussianFloor stands in for a standard deviation of zero.
	gaussianFloor = 1e-6
	// gaussianThreshold is a default of ours: NAB gives the detector none but
	// the optimised one. It is 6 standard deviations.
	gaussianThreshold = 1 - 1e-9
)

// gaussian is the Windowed Gaussian detector of the Numenta Anomaly Benchmark,
// rebuilt from its description: the tail probability of a value under a normal
// distribution with the moments of the window. The window grows by single
// values to 6400 and then slides by 100 at a time.
type gaussian struct {
	window, buffer []float64
	mean, sd       float64
}

func newGaussian() Scorer { return &gaussian{sd: 1} }

func (g *gaussian) Judge(_ time.Time, x float64) (j Judgement) {
	if len(g.window) > 0 {
		z := math.Abs(x-g.mean) / g.sd
		j = plain(1-.5*math.Erfc(z/math.Sqrt2), gaussianThreshold)
	}
	if len(g.window) < gaussianWindow {
		g.window = append(g.window, x)
		g.update()
		return j
	}
	if g.buffer = append(g.buffer, x); len(g.buffer) == gaussianStep {
		kept := copy(g.window, g.window[gaussianStep:])
		copy(g.window[kept:], g.buffer)
		g.buffer = g.buffer[:0]
		g.update()
	}
	return j
}

func (g *gaussian) update() {
	n, sum := float64(len(g.window)), 0.
	for _, x := range g.window {
		sum += x
	}
	g.mean = sum / n
	ss := 0.
	for _, x := range g.window {
		ss += (x - g.mean) * (x - g.mean)
	}
	if g.sd = math.Sqrt(ss / n); g.sd == 0 {
		g.sd = gaussianFloor
	}
}
