package detect

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestFTail(t *testing.T) {
	// Tabulated 5 % points.
	for _, c := range []struct{ x, d1, d2 float64 }{{4.965, 1, 10}, {4.103, 2, 10}, {3.708, 3, 10}, {2.711, 5, 20}} {
		assert.InDelta(t, .05, FTail(c.x, c.d1, c.d2), .0001)
	}
	// With two degrees of freedom the tail has a closed form, far out too.
	for _, x := range []float64{.1, 1, 10, 100} {
		for _, d := range []float64{4, 16, 80} {
			assert.InEpsilon(t, math.Pow(1+2*x/d, -d/2), FTail(x, 2, d), 1e-9)
		}
	}
	for _, x := range []float64{0, -1, math.NaN()} {
		assert.InDelta(t, 1, FTail(x, 2, 5), 0)
	}
}
