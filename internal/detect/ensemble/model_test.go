package ensemble

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func newModel(t testing.TB, c Config) *Model {
	t.Helper()
	m, err := NewModel(c)
	require.NoError(t, err)
	return m
}

// feed shows values to a fresh series, one a minute, and returns the verdicts.
func feed(t testing.TB, values []float64) []Verdict {
	t.Helper()
	m := newModel(t, Config{})
	var s State
	out := make([]Verdict, len(values))
	for i, x := range values {
		out[i] = m.Observe(&s, int64(i)*int64(time.Minute), x)
	}
	return out
}

// noise returns n values around 100 with standard deviation 10.
func noise(seed uint64, n int) []float64 {
	r := rand.New(rand.NewPCG(seed, 7))
	out := make([]float64, n)
	for i := range out {
		out[i] = 100 + 10*r.NormFloat64()
	}
	return out
}

func alarms(v []Verdict) (at []int) {
	for i := range v {
		if v[i].Alarm {
			at = append(at, i)
		}
	}
	return at
}

// within returns the first alarm in [from, to), -1 for none.
func within(v []Verdict, from, to int) int {
	for i := from; i < to; i++ {
		if v[i].Alarm {
			return i
		}
	}
	return -1
}

func TestEveryKindOfChangeIsFoundByTheDetectorForIt(t *testing.T) {
	const at = 1500
	day := func(i int) float64 { return 40 * math.Sin(2*math.Pi*float64(i)/1440) }
	for _, c := range []struct {
		name   string
		length int
		values func() []float64
		by     []int // one of them has at least three decades
	}{
		{"a spike", 3, func() []float64 { x := noise(1, 2000); x[at] += 90; return x }, []int{Step, Jump}},
		{"a shift of three standard deviations", 30, func() []float64 {
			x := noise(2, 2000)
			for i := at; i < len(x); i++ {
				x[i] += 30
			}
			return x
		}, []int{Level, Shift}},
		{"a shift of less than two standard deviations", 60, func() []float64 {
			x := noise(3, 2000)
			for i := at; i < len(x); i++ {
				x[i] += 18
			}
			return x
		}, []int{Level, Shift}},
		{"a drop of calls to none", 10, func() []float64 {
			x := noise(4, 2000)
			for i := at; i < at+20; i++ {
				x[i] = 0
			}
			return x
		}, []int{Level, Step, Jump}},
		{"a tenth of the calls", 5, func() []float64 {
			x := noise(5, 2000)
			for i := at; i < at+20; i++ {
				x[i] *= .1
			}
			return x
		}, []int{Fall}},
		{"the level of noon at midnight", 60, func() []float64 {
			x := noise(6, 9*1440)
			for i := range x {
				x[i] += day(i)
			}
			for i := 8*1440 + 1080; i < 8*1440+1140; i++ { // 18:00, the lowest
				x[i] += 80
			}
			return x
		}, []int{Season}},
	} {
		t.Run(c.name, func(t *testing.T) {
			first := at
			values := c.values()
			if len(values) > 9000 {
				first = 8*1440 + 1080
			}
			v := feed(t, values)
			found := within(v, first, first+c.length)
			require.NotEqual(t, -1, found, "alarms at %v", alarms(v))
			best := 0.
			for i := first; i < first+c.length; i++ {
				for _, d := range c.by {
					best = max(best, v[i].Decades[d])
				}
			}
			assert.GreaterOrEqual(t, best, 3.)
		})
	}
}

func TestAShapeIsNewUntilItIsRemembered(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 4))
	var s shape
	usual := 0.
	for n := range uint64(600) {
		d := s.observe(n, r.NormFloat64())
		if n > 300 {
			usual = max(usual, d)
		}
	}
	swings := func(from uint64) (most float64) {
		for n := from; n < from+60; n++ {
			most = max(most, s.observe(n, 1.1*float64(2*(int(n/5)%2)-1)))
		}
		return most
	}
	first := swings(600)
	assert.Greater(t, first, 1.5*usual, "two levels in turn, in place of noise")
	for n := range uint64(60) {
		s.observe(660+n, r.NormFloat64())
	}
	assert.Less(t, swings(720), .8*first)
}

func TestNoiseAlarmsSeldom(t *testing.T) {
	r := rand.New(rand.NewPCG(20, 26))
	for name, next := range map[string]func(i int) float64{
		"normal":     func(int) float64 { return 100 + 10*r.NormFloat64() },
		"log-normal": func(int) float64 { return 100 * math.Exp(.8*r.NormFloat64()) },
		"daily": func(i int) float64 {
			return (100 + 40*math.Sin(2*math.Pi*float64(i)/1440)) * math.Exp(.1*r.NormFloat64())
		},
	} {
		t.Run(name, func(t *testing.T) {
			total, rare := 0, 0
			const series, length = 40, 5000
			for range series {
				values := make([]float64, length)
				for i := range values {
					values[i] = next(i)
				}
				for _, v := range feed(t, values) {
					if v.Alarm {
						total++
						if v.P <= 1e-4 {
							rare++
						}
					}
				}
			}
			assert.LessOrEqual(t, total, series*length/200, "alarms of %d values", series*length)
			assert.LessOrEqual(t, rare, series*length/5000, "with p <= 1e-4")
		})
	}
}

func TestPIsTheShareOfSuchEvidence(t *testing.T) {
	below := map[float64]int{.01: 0, .001: 0, .0001: 0}
	judged := 0
	for seed := range uint64(60) {
		for i, v := range feed(t, noise(seed, 6000)) {
			if i < 500 {
				continue
			}
			judged++
			for p := range below {
				if v.P <= p {
					below[p]++
				}
			}
		}
	}
	for p, n := range below {
		share := float64(n) / float64(judged)
		assert.InDelta(t, 0, math.Log2(share/p), 1, "P <= %v on %v of normal values", p, share)
	}
}

func TestNothingIsSaidAboutASeriesThatStandsStill(t *testing.T) {
	values := make([]float64, 500)
	for i := range values {
		values[i] = 42
	}
	values[400] = 43
	for _, v := range feed(t, values) {
		assert.False(t, v.Alarm)
		assert.Zero(t, v.Evidence)
	}
}

func TestTheFirstVerdictComesAfter32Values(t *testing.T) {
	m := newModel(t, Config{})
	var s State
	for i, x := range noise(3, 32) {
		require.False(t, s.Ready(), "value %d", i)
		m.Observe(&s, int64(i), x)
	}
	assert.True(t, s.Ready())
	assert.EqualValues(t, 32, s.Samples())
}

func TestAnIncidentAlarmsOnce(t *testing.T) {
	values := noise(8, 2000)
	for i := 1500; i < 1540; i++ {
		values[i] += 80
	}
	v := feed(t, values)
	n := 0
	for i := 1500; i < 1560; i++ {
		if v[i].Alarm {
			n++
		}
	}
	assert.LessOrEqual(t, n, 4, "again only when evidence grows tenfold")
	assert.NotZero(t, n)
}

func TestAReplayGivesTheSameVerdicts(t *testing.T) {
	values := noise(9, 3000)
	values[2000] *= 3
	first := feed(t, values)
	assert.Equal(t, first, feed(t, values))
}

func TestScaleAndOriginDoNotMatter(t *testing.T) {
	values := noise(10, 3000)
	values[2000] += 100
	scaled := make([]float64, len(values))
	for i, x := range values {
		scaled[i] = x * 1024
	}
	a, b := alarms(feed(t, values)), alarms(feed(t, scaled))
	assert.Equal(t, a, b)
	assert.Contains(t, a, 2000)
}

func TestUnusableValuesChangeNothing(t *testing.T) {
	m := newModel(t, Config{})
	var s State
	for i, x := range noise(11, 100) {
		m.Observe(&s, int64(i), x)
	}
	before := s
	for _, x := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		v := m.Observe(&s, 1000, x)
		assert.False(t, v.Alarm)
		assert.Equal(t, before, s)
	}
}

func TestExtremeValuesStayFinite(t *testing.T) {
	m := newModel(t, Config{})
	var s State
	r := rand.New(rand.NewPCG(1, 1))
	for i := range 20_000 {
		x := math.Ldexp(r.NormFloat64(), r.IntN(2000)-1000)
		v := m.Observe(&s, int64(i)*int64(time.Hour)*7-1e18, x)
		require.False(t, math.IsNaN(v.Evidence) || math.IsInf(v.Evidence, 0))
		require.Positive(t, v.P)
	}
}

func TestConfigNamesFieldAndValue(t *testing.T) {
	_, err := NewModel(Config{Threshold: -1, CoolDown: 1000 * time.Hour})
	require.ErrorContains(t, err, "threshold must be 0 (default) or in 1.5..50, got -1")
	require.ErrorContains(t, err, "cool_down must be at most 720h0m0s, got 1000h0m0s")
}

func TestJudgingAllocatesNothing(t *testing.T) {
	m := newModel(t, Config{})
	var s State
	values := noise(12, 1000)
	i := 0
	assert.Zero(t, testing.AllocsPerRun(5000, func() {
		m.Observe(&s, int64(i)*int64(time.Minute), values[i%len(values)])
		i++
	}))
}
