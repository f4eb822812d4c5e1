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
	// mean and sd judge the next value; squares is the sum of the squared
	// deviations from the mean while the window grows.
	mean, sd, squares float64
}

func newGaussian() Scorer { return &gaussian{sd: 1} }

func (g *gaussian) Judge(_ time.Time, x float64) (j Judgement) {
	if len(g.window) > 0 {
		z := math.Abs(x-g.mean) / g.sd
		j = plain(1-.5*math.Erfc(z/math.Sqrt2), gaussianThreshold)
	}
	if len(g.window) < gaussianWindow {
		g.grow(x)
		return j
	}
	if g.buffer = append(g.buffer, x); len(g.buffer) == gaussianStep {
		g.slide()
	}
	return j
}

// grow adds a value as Welford does.
func (g *gaussian) grow(x float64) {
	g.window = append(g.window, x)
	n, d := float64(len(g.window)), x-g.mean
	g.mean += d / n
	g.squares += d * (x - g.mean)
	g.spread()
}

// slide replaces the oldest values by the buffer.
func (g *gaussian) slide() {
	kept := copy(g.window, g.window[gaussianStep:])
	copy(g.window[kept:], g.buffer)
	g.buffer = g.buffer[:0]
	sum := 0.
	for _, x := range g.window {
		sum += x
	}
	g.mean, g.squares = sum/gaussianWindow, 0
	for _, x := range g.window {
		g.squares += (x - g.mean) * (x - g.mean)
	}
	g.spread()
}

func (g *gaussian) spread() {
	if g.sd = math.Sqrt(g.squares / float64(len(g.window))); g.sd == 0 {
		g.sd = gaussianFloor
	}
}
