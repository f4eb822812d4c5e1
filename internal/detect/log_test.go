package detect

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestFastLog(t *testing.T) {
	for _, x := range []float64{0, math.Copysign(0, -1), -1, -1e300, 5e-324, 1e-310, math.Inf(1), math.Inf(-1), math.NaN()} {
		want, got := math.Log(x), fastLog(x)
		require.Equal(t, math.IsNaN(want), math.IsNaN(got), x)
		if !math.IsNaN(want) {
			require.Equal(t, want, got, x)
		}
	}
	near := func(x float64) { require.InDelta(t, math.Log(x), fastLog(x), 1e-11, x) }
	for _, x := range []float64{0x1p-1022, math.MaxFloat64, 1, math.Nextafter(1, 0), math.Nextafter(2, 0), 2} {
		near(x)
	}
	r := rand.New(rand.NewPCG(1, 1))
	for range 100_000 {
		near(math.Exp(700 * (2*r.Float64() - 1)))
		near(.5 + r.Float64())
	}
}
