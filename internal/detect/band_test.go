package detect

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// bandModel judges latencies as the processor does, with changes.
func bandModel(t testing.TB, change func(*Config)) *Model {
	t.Helper()
	c := DefaultConfig()
	c.Scale, c.LogOffset, c.MinRelative, c.MinAbsolute, c.CoolDown = Log, 1, .2, 50, 0
	if change != nil {
		change(&c)
	}
	m, err := NewModel(c)
	require.NoError(t, err)
	return m
}

// bandState has seen n values about 800, log-normal with the given sigma.
func bandState(m *Model, n int, sigma float64) *State {
	s := m.NewState()
	rng := rand.New(rand.NewPCG(3, 4))
	for i := range n {
		m.Observe(&s, int64(i)*1e9, 800*math.Exp(sigma*rng.NormFloat64()))
	}
	return &s
}

// marks reports whether a value would be reported.
func marks(m *Model, s *State, x float64) bool {
	again := *s // the window is flat
	return m.Observe(&again, 1e15, x).Anomalous
}

func TestASingleValueIsMarkedOutsideTheBandOnly(t *testing.T) {
	for name, change := range map[string]func(*Config){
		"defaults":     nil,
		"up":           func(c *Config) { c.Direction = Up },
		"down":         func(c *Config) { c.Direction = Down },
		"linear":       func(c *Config) { c.Scale = Linear },
		"lone":         func(c *Config) { c.LoneScore = 2 },
		"lone, up":     func(c *Config) { c.LoneScore, c.Direction = 3, Up },
		"one detector": func(c *Config) { c.Detectors = []DetectorConfig{{Name: "iqr"}} },
		"worth":        func(c *Config) { c.MinRelative = 3 },
	} {
		for _, sigma := range []float64{.001, .2, .6} {
			for _, n := range []int{16, 40, 200} {
				m := bandModel(t, change)
				s := bandState(m, n, sigma)
				if s.Outside() {
					continue // by chance
				}
				expected, lower, upper, ok := m.Band(s)
				require.True(t, ok, name)
				require.Less(t, lower, expected, name)
				require.Less(t, expected, upper, name)
				if !math.IsInf(upper, 0) {
					assert.False(t, marks(m, s, upper*(1-1e-6)), "%s, sigma %v after %d: below the upper limit", name, sigma, n)
					assert.True(t, marks(m, s, upper*(1+1e-6)), "%s, sigma %v after %d: above the upper limit %v of %v", name, sigma, n, upper, expected)
				} else {
					assert.False(t, marks(m, s, 1e12), name)
				}
				if !math.IsInf(lower, 0) && lower > 1 {
					assert.False(t, marks(m, s, lower*(1+1e-6)), "%s, sigma %v after %d: above the lower limit", name, sigma, n)
					assert.True(t, marks(m, s, lower*(1-1e-6)), "%s, sigma %v after %d: below the lower limit %v of %v", name, sigma, n, lower, expected)
				}
			}
		}
	}
}

func TestThereIsNoBandBeforeThereIsABaseline(t *testing.T) {
	m := bandModel(t, nil)
	_, _, _, ok := m.Band(bandState(m, 15, .2))
	assert.False(t, ok)
}

func TestWithoutADetectorOfSingleValuesTheBandHasNoLimits(t *testing.T) {
	m := bandModel(t, func(c *Config) { c.Detectors = []DetectorConfig{{Name: "cusum"}} })
	_, lower, upper, ok := m.Band(bandState(m, 100, .2))
	assert.True(t, ok)
	assert.True(t, math.IsInf(lower, -1) && math.IsInf(upper, 1))
}

func TestUntellMakesTheNextValueNews(t *testing.T) {
	m := bandModel(t, func(c *Config) { c.CoolDown = 300e9 })
	s := bandState(m, 200, .2)
	require.False(t, s.Outside())
	at := int64(300e9)
	see := func(x float64) Verdict { at += 1e9; return m.Observe(s, at, x) }

	before := s.Told()
	require.True(t, see(8000).Alarm)
	told := *s
	require.False(t, see(9000).Alarm, "it was told")
	*s = told
	s.Untell(before)
	require.True(t, see(9000).Alarm, "nobody was told")
	_, ever := s.LastAlarm()
	require.True(t, ever)
	require.False(t, see(9000).Alarm)

	s = bandState(m, 200, .2)
	require.True(t, see(3000).Alarm, "4 times the expected value is not critical")
	for range 20 {
		see(800)
	}
	require.False(t, s.Outside())
	last, _ := s.LastAlarm()
	before = s.Told()
	require.True(t, see(1e6).Alarm, "more severe within the cool-down")
	s.Untell(before)
	again, _ := s.LastAlarm()
	require.Equal(t, last, again, "the cool-down is that of what was told")
	require.False(t, see(3000).Alarm, "and holds")
}

func BenchmarkBand(b *testing.B) {
	for name, change := range map[string]func(*Config){"default": nil, "lone": func(c *Config) { c.LoneScore = 2 }} {
		b.Run(name, func(b *testing.B) {
			m := bandModel(b, change)
			s := bandState(m, 200, .2)
			b.ReportAllocs()
			for b.Loop() {
				m.Band(s)
			}
		})
	}
}
