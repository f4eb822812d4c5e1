package ensemble

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestCountsAreThoseOfTheValuesInABinOrAbove(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 1))
	var s tail
	var count [tailBins]int
	for n := range 3 * tailMemory {
		b := min(int(8*r.ExpFloat64()), tailBins-1)
		s.learn(b)
		count[b]++
		if sum := total(count[:]); sum > tailMemory {
			for i := range count {
				count[i] /= 2
			}
		}
		if n%997 == 0 || s.total() < 9000 {
			for i := range count {
				require.Equal(t, total(count[i:]), s.from(i), "bin %d after %d values", i, n+1)
			}
			require.True(t, s.valid())
		}
	}
}

func total(count []int) (sum int) {
	for _, c := range count {
		sum += c
	}
	return sum
}

func TestRanksAreThoseOfTheMiddleOfTheirBin(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 2))
	var s tail
	for range 5000 {
		s.learn(min(int(4*r.ExpFloat64()), tailBins-1))
	}
	for b := range int(s.edge) {
		p := (float64(s.from(b)+s.from(b+1))/2 + 1) / float64(s.total()+1)
		assert.InDelta(t, -math.Log10(p), s.rank(b)+.5/rankSteps, .6/rankSteps, "bin %d", b)
	}
}

func TestAShortNumberIsWithinA2048thOfIt(t *testing.T) {
	for x := 1e-6; x < 1e13; x *= 1.0007 {
		assert.InEpsilon(t, x, newShort(x).float(), 1./2048)
	}
	assert.Zero(t, newShort(0).float())
	assert.Greater(t, newShort(1e30).float(), 1e13)
}

func TestTheLevelIsThatOfTheSumsOfItsValues(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 3))
	var l level
	var z []float64
	for n := range uint64(500) {
		z = append(z, 3*r.NormFloat64())
		got := l.observe(n, z[n])
		want, sum := 0., 0.
		for k := range min(n+1, recentSize) {
			sum += min(max(z[n-k], -levelBound), levelBound)
			if m := k + 1; m&k == 0 {
				want = max(want, math.Abs(sum)/math.Sqrt(float64(m)))
			}
		}
		if n >= recentSize { // before that a window is not full
			require.InDelta(t, want, got, .13, "value %d", n)
		}
	}
}
