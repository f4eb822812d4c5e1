package drift

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func newRand(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 7)) }

func TestNumberBinsAreInOrderAndHoldTheirMiddle(t *testing.T) {
	last := 0
	for x := int64(0); x < 1<<18; x++ {
		bin := NumberBin(x)
		require.GreaterOrEqual(t, bin, last, x)
		require.LessOrEqual(t, bin, last+1, x)
		last = bin
	}
	assert.Equal(t, NumberBins-1, last)
	for bin := range NumberBins {
		assert.Equal(t, bin, NumberBin(int64(NumberOf(bin))), bin)
	}
	assert.Equal(t, NumberBins-1, NumberBin(114_688))
	assert.Equal(t, NumberBins-1, NumberBin(math.MaxInt64))
	assert.Zero(t, NumberBin(math.MinInt64))
}

// values of the same distribution as counts in bins.
func sample(rng *rand.Rand, n, bins int, mean, sd float64) []float64 {
	out := make([]float64, bins)
	for range n {
		out[max(0, min(bins-1, int(math.Round(mean+sd*rng.NormFloat64()))))]++
	}
	return out
}

// The statistics are those of their definitions, computed value by value.
func TestStatisticsAgreeWithTheirDefinitions(t *testing.T) {
	rng := newRand(1)
	for range 50 {
		bins := 2 + rng.IntN(12)
		n, m := 50+rng.IntN(200), 50+rng.IntN(2000)
		a, b := sample(rng, n, bins, 3+rng.Float64(), 1.5), sample(rng, m, bins, 3, 2)
		N, M := float64(n), float64(m)

		var ad, g, js, ps, ks float64
		used, borders := 0, 0
		for i := range bins {
			if a[i]+b[i] > 0 {
				used++
			}
		}
		for i := range bins {
			var below, belowB float64
			for j := range i + 1 {
				below += a[j]
				belowB += b[j]
			}
			fa, fb := below/N, belowB/M
			ks = math.Max(ks, math.Abs(fa-fb))
			if h := (below + belowB) / (N + M); i < bins-1 && h > 0 && h < 1 {
				borders++
				ad += (fa - fb) * (fa - fb) / (h * (1 - h) * (1/N + 1/M))
			}
			for _, x := range [][3]float64{{a[i], N, a[i] + b[i]}, {b[i], M, a[i] + b[i]}} {
				if x[0] > 0 {
					g += 2 * x[0] * math.Log(x[0]/(x[2]*x[1]/(N+M)))
				}
			}
			p, q := a[i]/N, b[i]/M
			if p > 0 {
				js += p * math.Log2(2*p/(p+q)) / 2
			}
			if q > 0 {
				js += q * math.Log2(2*q/(p+q)) / 2
			}
			sp, sq := (a[i]+.5)/(N+.5*float64(bins)), (b[i]+.5)/(M+.5*float64(bins))
			ps += (sp - sq) * math.Log(sp/sq)
		}
		assert.InDelta(t, ad/float64(max(borders, 1)), andersonDarling(a, b, N, M), 1e-9)
		assert.InDelta(t, g/float64(max(used-1, 1)), gTest(a, b, N, M, used), 1e-9)
		assert.InDelta(t, js, jensenShannon(a, b, N, M), 1e-9)
		assert.InDelta(t, ps, psi(a, b, N, M), 1e-9)

		d := NewNumbers(bins)
		for i := range bins {
			d.counts[i] = uint16(a[i])
			d.ref[i] = float32(b[i])
		}
		assert.InDelta(t, ks, d.ks(N, M), 1e-6)
	}
}

// Whatever the reference looks like, groups cover all bins in order, and each
// but those of a narrow distribution holds a fair share.
func TestGroupsCoverTheBins(t *testing.T) {
	rng := newRand(2)
	for range 500 {
		d := NewNumbers(1 + rng.IntN(MaxBins))
		for range rng.IntN(40) {
			d.ref[rng.IntN(len(d.ref))] += float32(rng.ExpFloat64() * 100)
		}
		var g groups
		g.build(&d)
		require.LessOrEqual(t, g.k, maxGroups+2)
		last := uint8(0)
		var sum float64
		for i := range d.ref {
			require.True(t, g.of[i] == last || g.of[i] == last+1)
			last = g.of[i]
			sum += float64(d.ref[i])
		}
		var of float64
		for i := range g.k {
			of += g.ref[i]
		}
		require.InDelta(t, sum, of, 1e-3)

		c := NewCategories(len(d.ref))
		copy(c.ref, d.ref)
		g = groups{}
		g.build(&c)
		require.LessOrEqual(t, g.k, maxGroups)
	}
}

// feedDist adds n values made by next, a second apart, and returns all results.
func feedDist(d *Dist, c *Config, at *int64, n int, next func() int) (out []Result) {
	for range n {
		*at += int64(time.Second)
		if d.Add(c, *at, next()) {
			out = append(out, d.Close(c, .2))
		}
	}
	return out
}

func drifts(list []Result) (out []Result) {
	for _, r := range list {
		if r.Drift {
			out = append(out, r)
		}
	}
	return out
}

func TestADriftIsToldOnceAndBecomesTheReference(t *testing.T) {
	c := DefaultConfig()
	rng := newRand(4)
	d, at := NewNumbers(NumberBins), int64(0)
	tokens := func(median float64) func() int {
		return func() int { return NumberBin(int64(median * math.Exp(.5*rng.NormFloat64()))) }
	}
	require.Empty(t, drifts(feedDist(&d, &c, &at, 10_000, tokens(400))))
	changed := at
	list := drifts(feedDist(&d, &c, &at, 20_000, tokens(700)))
	require.Len(t, list, 1)
	r := list[0]
	assert.Greater(t, r.PSI, .2)
	assert.Greater(t, r.KS, .2)
	assert.Greater(t, r.JS, .02)
	assert.LessOrEqual(t, r.P, c.Significance)
	assert.InDelta(t, 400, NumberOf(int(r.Before)), 60)
	assert.InDelta(t, 700, NumberOf(int(r.After)), 100)
	assert.InDelta(t, float64(changed), float64(r.Onset), float64(c.MinDuration), "the onset is that of the first changed window")

	require.Len(t, drifts(feedDist(&d, &c, &at, 20_000, tokens(400))), 1, "the way back is a drift too")
}

func TestTheMeanMayStay(t *testing.T) {
	c := DefaultConfig()
	rng := newRand(5)
	d, at := NewNumbers(NumberBins), int64(0)
	require.Empty(t, drifts(feedDist(&d, &c, &at, 10_000, func() int { return 30 + int(math.Round(3*rng.NormFloat64())) })))
	two := func() int { return 30 + (rng.IntN(2)*2-1)*4 + int(math.Round(rng.NormFloat64())) }
	require.Len(t, drifts(feedDist(&d, &c, &at, 3000, two)), 1)
}

func TestShortChangesAndFewValuesAreNoDrift(t *testing.T) {
	c := DefaultConfig()
	rng := newRand(6)
	d, at := NewNumbers(NumberBins), int64(0)
	normal := func() int { return 30 + int(math.Round(3*rng.NormFloat64())) }
	high := func() int { return 40 + int(math.Round(3*rng.NormFloat64())) }
	feedDist(&d, &c, &at, 10_000, normal)
	for range 10 {
		require.Empty(t, drifts(feedDist(&d, &c, &at, 60, high)), "a fifth of a window")
		require.Empty(t, drifts(feedDist(&d, &c, &at, 5000, normal)))
	}
	d, at = NewNumbers(NumberBins), 0
	few := feedDist(&d, &c, &at, 1000, normal)
	few = append(few, feedDist(&d, &c, &at, 1000, high)...)
	for _, r := range few {
		require.False(t, r.Judged)
	}
}

func TestAConstantThatChanges(t *testing.T) {
	c := DefaultConfig()
	for _, at := range []int{0, 20, NumberBins - 1} {
		for _, to := range []int{0, 10, 21, NumberBins - 1} {
			if at == to {
				continue
			}
			d, now := NewNumbers(NumberBins), int64(0)
			require.Empty(t, drifts(feedDist(&d, &c, &now, 5000, func() int { return at })))
			require.Len(t, drifts(feedDist(&d, &c, &now, 2000, func() int { return to })), 1, "%d to %d", at, to)
		}
	}
}

func TestARareCategoryThatBecomesFrequent(t *testing.T) {
	c := DefaultConfig()
	rng := newRand(8)
	d, at := NewCategories(8), int64(0)
	with := func(share float64) func() int {
		return func() int {
			if rng.Float64() < share {
				return 3
			}
			return rng.IntN(2)
		}
	}
	require.Empty(t, drifts(feedDist(&d, &c, &at, 20_000, with(.005))))
	list := drifts(feedDist(&d, &c, &at, 3000, with(.15)))
	require.Len(t, list, 1)
	assert.Equal(t, 3, list[0].Category)
	assert.InDelta(t, .005, list[0].Before, .004)
	assert.InDelta(t, .15, list[0].After, .05)
}

func TestLateValuesOnlyTeach(t *testing.T) {
	c := Config{MinSamples: 16, Warmup: 2, Memory: 4, Significance: .01}
	d := NewCategories(2)
	d.Learn(&c, 1)
	assert.Zero(t, d.curN, "nothing to learn beside yet")
	c.MinDuration = time.Hour
	d.Add(&c, 1, 0)
	for range 100 {
		d.Learn(&c, 1)
	}
	assert.EqualValues(t, 101, d.curN)
	assert.Zero(t, d.prevN)
}

func TestConfigIsValidated(t *testing.T) {
	ok := DefaultConfig()
	require.NoError(t, ok.Validate())
	for want, change := range map[string]func(*Config){
		"min samples":  func(c *Config) { c.MinSamples = 15 },
		"min duration": func(c *Config) { c.MinDuration = -1 },
		"warmup":       func(c *Config) { c.Warmup = 1 },
		"memory":       func(c *Config) { c.Memory = 1 },
		"significance": func(c *Config) { c.Significance = math.NaN() },
	} {
		c := ok
		change(&c)
		assert.ErrorContains(t, c.Validate(), want)
	}
}
