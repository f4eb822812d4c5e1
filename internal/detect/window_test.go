package detect

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// brute is the same window, computed from scratch.
type brute []float64

func (b brute) quantile(p float64) float64 {
	s := slices.Sorted(slices.Values(b))
	h := float64(len(s)-1) * p
	i := int(h)
	if i+1 == len(s) {
		return s[i]
	}
	return s[i] + (h-float64(i))*(s[i+1]-s[i])
}

func (b brute) mad() float64 {
	med := b.quantile(.5)
	d := make(brute, len(b))
	for i, v := range b {
		d[i] = math.Abs(v - med)
	}
	return d.quantile(.5)
}

func (b brute) moments() (mean, sd float64) {
	for _, v := range b {
		mean += v / float64(len(b))
	}
	for _, v := range b {
		sd += (v - mean) * (v - mean) / float64(len(b)-1)
	}
	return mean, math.Sqrt(sd)
}

// Several value ranges: continuous, few distinct values (ties), a level that
// is large against the noise, and constant.
var shapes = map[string]func(*rand.Rand) float32{
	"continuous": func(r *rand.Rand) float32 { return float32(r.NormFloat64()) },
	"ties":       func(r *rand.Rand) float32 { return float32(r.IntN(4)) },
	"offset":     func(r *rand.Rand) float32 { return 1e4 + float32(r.NormFloat64()) },
	"constant":   func(*rand.Rand) float32 { return .1 },
}

func TestWindowMatchesBruteForce(t *testing.T) {
	for name, next := range shapes {
		for _, size := range []int{16, 17, 63, 64, 65, 100, 255} {
			r := rand.New(rand.NewPCG(1, uint64(size)))
			w := window{}
			if size > flatWindow {
				w.long = new(tail)
			}
			var all brute
			for i := range size {
				block := make([]float32, 1+r.IntN(lagSize))
				for j := range block {
					block[j] = next(r)
					all = append(all, float64(block[j]))
				}
				w.merge(block, size)
				b := all[max(0, len(all)-size):]
				require.Equal(t, len(b), int(w.n))
				o := w.sorted(size)
				for _, p := range []float64{0, .1, .25, .5, .75, .9, 1} {
					require.InDelta(t, b.quantile(p), o.quantile(p), 1e-9, "%s size %d step %d p %v", name, size, i, p)
				}
				require.InDelta(t, b.mad(), o.mad(o.quantile(.5), &w.split), 1e-9, "%s size %d step %d", name, size, i)
				if len(b) < 2 {
					continue
				}
				mean, sd := b.moments()
				gotMean, gotSD := w.moments()
				require.InDelta(t, mean, gotMean, 1e-9)
				require.InDelta(t, sd, gotSD, 1e-7)
			}
		}
	}
}

func TestWindowOfEqualValuesHasNoSpread(t *testing.T) {
	var w window
	for range 300 {
		w.merge([]float32{.1, .1, .1}, 64)
	}
	mean, sd := w.moments()
	require.Equal(t, float64(float32(.1)), mean)
	require.Zero(t, sd)
}

func TestReshapeKeepsOrderAndSetsMoments(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	var w window
	for range 100 {
		w.merge([]float32{float32(r.NormFloat64())}, 64)
	}
	_, born := w.slices(64)
	before := slices.Clone(born)
	w.reshape(10, 2, 64)
	require.Equal(t, before, born)
	require.True(t, slices.IsSorted(w.sorted(64)))
	mean, sd := w.moments()
	require.InDelta(t, 10, mean, 1e-4)
	require.InDelta(t, 2, sd, .05)
}

func TestStudentQuantiles(t *testing.T) {
	// Values of printed tables.
	for _, c := range []struct{ p, nu, want float64 }{
		{.05, 5, 2.015}, {.025, 10, 2.228}, {.005, 30, 2.750}, {.0005, 10, 4.587}, {.0005, 60, 3.460}, {.01, 1, 31.821},
	} {
		require.InDelta(t, c.want, studentQuantile(c.p, c.nu, 0.5), .001, "p %v nu %v", c.p, c.nu)
	}
	require.InDelta(t, 2.866516e-7, normalTail(5), 1e-12)
}

func TestNormalScoreMatchesTails(t *testing.T) {
	for _, nu := range []float64{15, 30, 80} {
		for _, x := range []float64{.5, 1, 2, 3, 4} {
			want := studentTail(x, nu)
			require.InEpsilon(t, want, normalTail(normalScore(x, nu)), .08, "nu %v t %v", nu, x)
		}
	}
	require.Equal(t, -normalScore(2, 20), normalScore(-2, 20))
}

// The limits must be as rare as their threshold says, whatever the number of
// samples. The exact tail beyond the limits of many random references is
// averaged, which resolves probabilities far below 1/trials.
func TestLimitsKeepTheirPromiseForAnySampleCount(t *testing.T) {
	promise := 2 * normalTail(5)
	m, err := NewModel(Config{Detectors: []DetectorConfig{
		{Name: "z_score", Threshold: 5}, {Name: "mad", Threshold: 5}, {Name: "iqr", Threshold: (5 - quartile) / iqrSigma},
	}})
	require.NoError(t, err)
	r := rand.New(rand.NewPCG(7, 7))
	for _, n := range []int{16, 24, 32, 64} {
		sums := make([]float64, 3)
		const trials = 20000
		for range trials {
			s := m.NewState()
			for range n {
				s.win.merge([]float32{float32(1e-3*r.NormFloat64()) + 1e-9}, 64)
			}
			s.longN = longSamples
			var ref reference
			m.refer(&s, &ref)
			for i, d := range m.detectors {
				lo, hi := d.limits(ref)
				sums[i] += normalTail(hi/1e-3) + normalTail(-lo/1e-3)
			}
		}
		for i, s := range sums {
			rate := s / trials
			t.Logf("n %d %s: %.2e, %.2f of the promise", n, m.DetectorName(uint8(i)), rate, rate/promise)
			require.InDelta(t, 1, rate/promise, .7, "n %d %s", n, m.DetectorName(uint8(i)))
		}
	}
}
