package detect

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// spreadOf returns what a well-known series of the noise lends.
func spreadOf(t *testing.T, m *Model, n noise, seed uint64) float64 {
	t.Helper()
	r := rand.New(rand.NewPCG(seed, 8))
	s, state := m.NewState(), 0.
	for i := 0; ; i++ {
		if spread, ok := m.Spread(&s); ok && i > 500 {
			return spread
		}
		require.Less(t, i, 2000)
		m.Observe(&s, int64(i)*second, 1000*math.Exp(n.next(r, &state)))
	}
}

// early returns the alarms between the 17th and the 32nd value of fresh series.
func early(m *Model, n noise, lent []float64) (alarms int) {
	r := rand.New(rand.NewPCG(16, 32))
	for i := range 4000 {
		s, state := m.NewState(), 0.
		if len(lent) > 0 {
			m.Borrow(&s, lent[i%len(lent)])
		}
		for k := range 32 {
			if m.Observe(&s, int64(k)*second, 20*math.Exp(n.next(r, &state))).Alarm {
				alarms++
			}
		}
	}
	return alarms
}

func TestWithAParentFreshSeriesAlarmLess(t *testing.T) {
	c := DefaultConfig()
	c.Scale, c.CoolDown = Log, 0
	m, err := NewModel(c)
	require.NoError(t, err)
	var with, without int
	for _, n := range noises {
		var lent []float64
		for seed := range uint64(10) {
			lent = append(lent, spreadOf(t, m, n, seed))
		}
		a, b := early(m, n, nil), early(m, n, lent)
		assert.LessOrEqual(t, b, a, n.name)
		with, without = with+b, without+a
	}
	assert.Greater(t, without, 100)
	assert.Less(t, with, without*7/10)
}

// A parent never makes limits narrower, whatever its spread.
func TestACalmParentChangesNothing(t *testing.T) {
	c := latency()
	m, err := NewModel(c)
	require.NoError(t, err)
	a, b := m.NewState(), m.NewState()
	m.Borrow(&b, .02)
	r := rand.New(rand.NewPCG(1, 1))
	for i := range 300 {
		x := 500 * math.Exp(.3*r.NormFloat64())
		require.Equal(t, m.Observe(&a, int64(i)*second, x), m.Observe(&b, int64(i)*second, x))
	}
}

func TestAParentWidensWhatIsTooNarrowByChance(t *testing.T) {
	for name, c := range map[string]Config{"log": {Scale: Log}, "linear": {}} {
		t.Run(name, func(t *testing.T) {
			m, err := NewModel(c)
			require.NoError(t, err)
			width := func(lent float64, values func(i int) float64) float64 {
				s := m.NewState()
				m.Borrow(&s, lent)
				for i := range 16 {
					m.Observe(&s, int64(i)*second, values(i))
				}
				expected, lower, upper, ok := m.Expect(&s)
				require.True(t, ok)
				assert.InEpsilon(t, 1000, expected, .01)
				return upper - lower
			}
			noise := func(i int) float64 { return 1000 + 10*float64(i*7%16-8)/8 + float64(i%2) }
			flat := func(int) float64 { return 1000 }
			assert.Greater(t, width(.1, noise), 1.8*width(0, noise))
			assert.Greater(t, width(.1, flat), 1.8*width(0, flat), "a series that stands still")
		})
	}
}

func TestWhatIsLentIsRelativeAndWellKnown(t *testing.T) {
	for name, c := range map[string]Config{"log": {Scale: Log}, "linear": {}} {
		t.Run(name, func(t *testing.T) {
			m, err := NewModel(c)
			require.NoError(t, err)
			s := m.NewState()
			r := rand.New(rand.NewPCG(2, 2))
			i := 0
			add := func(x float64) {
				m.Observe(&s, int64(i)*second, x)
				i++
			}
			for s.Samples() < parentSamples {
				_, ok := m.Spread(&s)
				require.False(t, ok, "%d samples", s.Samples())
				add(700 * math.Exp(.1*r.NormFloat64()))
			}
			spread, ok := m.Spread(&s)
			require.True(t, ok)
			assert.InEpsilon(t, .1, spread, .5)
			add(70_000)
			require.True(t, s.Outside())
			_, ok = m.Spread(&s)
			assert.False(t, ok, "outside its limits")
		})
	}
	m, err := NewModel(Config{})
	require.NoError(t, err)
	s := m.NewState()
	for i := range 500 {
		m.Observe(&s, int64(i)*second, float64(i%2*2-1))
	}
	if spread, ok := m.Spread(&s); ok {
		assert.LessOrEqual(t, spread, float64(maxSpread))
	}
}

func TestAParentIsOutgrownAndSurvivesARestart(t *testing.T) {
	m, err := NewModel(latency())
	require.NoError(t, err)
	s := m.NewState()
	assert.Zero(t, s.Borrowed())
	m.Borrow(&s, math.NaN())
	m.Borrow(&s, -1)
	m.Borrow(&s, 1e9)
	assert.Zero(t, s.Borrowed())
	m.Borrow(&s, .4)
	assert.InDelta(t, 1, s.Borrowed(), 1e-9)
	r := rand.New(rand.NewPCG(3, 3))
	last := 1.
	for i := range 300 {
		back := m.NewState()
		_, err := m.ReadState(m.AppendState(nil, &s), &back)
		require.NoError(t, err)
		require.Equal(t, s.Borrowed(), back.Borrowed())
		s = back
		m.Observe(&s, int64(i)*second, 500*math.Exp(.3*r.NormFloat64()))
		require.LessOrEqual(t, s.Borrowed(), last)
		last = s.Borrowed()
		if i == 15 {
			assert.InDelta(t, .5, last, 1e-9)
		}
	}
	assert.Zero(t, last)
	before := s
	m.Borrow(&s, .4)
	assert.Equal(t, before, s, "too late")
}
