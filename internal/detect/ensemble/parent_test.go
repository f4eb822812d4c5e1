package ensemble

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// parents returns what some well-known series of a family lend.
func parents(t testing.TB, f family) []*Parent {
	t.Helper()
	m := newModel(t, Config{})
	var out []*Parent
	for i := uint64(0); len(out) < 10; i++ {
		next := f.new(rand.New(rand.NewPCG(11, i)))
		var s State
		for n := range 1500 {
			m.Observe(&s, int64(n)*10*minute, next())
		}
		if p, ok := s.Parent(); ok {
			out = append(out, p)
		}
		require.Less(t, i, uint64(30), "most series are calm")
	}
	return out
}

func TestNoiseAlarmsNoMoreWithAParent(t *testing.T) {
	for _, f := range families() {
		t.Run(f.name, func(t *testing.T) {
			list := parents(t, f)
			adopt := func(i int, s *State) { s.Adopt(list[i%len(list)]) }
			alone := ratesOf(t, f, 500, 32, 132, nil)
			for p, r := range ratesOf(t, f, 500, 16, 132, adopt) {
				assert.LessOrEqual(t, r, max(alone[p], .7), "P <= %v", p)
			}
		})
	}
}

func TestAParentThatIsNotAlikeDoesLittleHarm(t *testing.T) {
	all := families()
	calm := parents(t, all[0])
	for _, f := range all[1:] {
		t.Run(f.name, func(t *testing.T) {
			for p, r := range ratesOf(t, f, 500, 16, 132, func(i int, s *State) { s.Adopt(calm[i%len(calm)]) }) {
				assert.LessOrEqual(t, r, 3., "P <= %v", p)
			}
		})
	}
}

func TestWithAParentAGrossIncidentAlarmsAtThe17thValue(t *testing.T) {
	m := newModel(t, Config{Rate: budget})
	series := func(seed uint64) func() float64 {
		r := rand.New(rand.NewPCG(17, seed))
		return func() float64 { return math.Exp(.05 * r.NormFloat64()) }
	}
	var s State
	next := series(0)
	for n := range 1000 {
		m.Observe(&s, int64(n)*minute, 1000*next())
	}
	p, ok := s.Parent()
	require.True(t, ok)
	first := 0
	for i := range 100 {
		var child State
		child.Adopt(p)
		next := series(uint64(1 + i))
		for n := range 16 {
			require.False(t, child.Ready())
			require.False(t, m.Observe(&child, int64(n)*minute, 3*next()).Alarm, "at another level than the parent")
		}
		require.True(t, child.Ready())
		require.InDelta(t, .5, child.Borrowed(), 1e-9)
		v := m.Observe(&child, 16*minute, 15*next())
		if v.Alarm {
			first++
		}
		require.InDelta(t, 3, v.Expected, .3)
	}
	assert.GreaterOrEqual(t, first, 95)
}

func TestAParentIsOutgrown(t *testing.T) {
	all := families()
	m := newModel(t, Config{})
	var s State
	assert.Zero(t, s.Borrowed())
	s.Adopt(parents(t, all[1])[0])
	assert.InDelta(t, 1, s.Borrowed(), 1e-9)
	wide := 0.
	for n, x := range noise(3, 2000) {
		m.Observe(&s, int64(n)*minute, x)
		if n == 15 {
			wide = s.unit
		}
		switch n {
		case 142:
			assert.InDelta(t, .1, s.Borrowed(), .001)
		case 143:
			assert.Zero(t, s.Borrowed())
		}
	}
	assert.Greater(t, wide, 15., "the parent spreads more")
	// In the end it is as if there had been none.
	v := m.Observe(&s, 2000*minute, 300)
	assert.Less(t, v.P, 1e-4)
}

func TestWhoIsNoParent(t *testing.T) {
	m := newModel(t, Config{})
	var s State
	for n, x := range noise(5, parentSamples) {
		_, ok := s.Parent()
		require.False(t, ok, "after %d values", n)
		m.Observe(&s, int64(n)*minute, x)
	}
	_, ok := s.Parent()
	require.True(t, ok)
	incident := s
	m.Observe(&incident, parentSamples*minute, 500)
	_, ok = incident.Parent()
	assert.False(t, ok, "something is going on")
	for n, x := range noise(6, parentRest+1) {
		m.Observe(&incident, int64(parentSamples+1+n)*minute, x)
	}
	_, ok = incident.Parent()
	assert.True(t, ok, "it is over")

	var around State
	for n, x := range noise(7, parentSamples) {
		m.Observe(&around, int64(n)*minute, 1e-3*(x-100))
	}
	around.origin, around.slow.centre = 0, 0
	_, ok = around.Parent()
	assert.False(t, ok, "no scale relative to a level of nothing")
}

func TestAStateWithAParentSurvivesAppendAndRead(t *testing.T) {
	m := newModel(t, Config{})
	p := parents(t, families()[0])[0]
	values := noise(1, 300)
	for _, n := range []int{0, 5, 15, 16, 17, 40, 200} {
		var s, back State
		s.Adopt(p)
		for i, x := range values[:n] {
			m.Observe(&s, int64(i)*minute, x)
		}
		_, err := back.Read(s.Append(nil))
		require.NoError(t, err, "%d values", n)
		require.Equal(t, s, back)
		assert.Equal(t, s.Borrowed(), back.Borrowed())
	}
	var s, back State
	s.Adopt(p)
	s.parent = -1
	_, err := back.Read(s.Append(nil))
	require.ErrorIs(t, err, ErrState)
}

func TestAdoptionLeavesTheParentAlone(t *testing.T) {
	m := newModel(t, Config{})
	p := parents(t, families()[0])[0]
	before := *p
	var s State
	s.Adopt(p)
	for i, x := range noise(2, 100) {
		m.Observe(&s, int64(i)*minute, x)
	}
	assert.Equal(t, before, *p)
}
