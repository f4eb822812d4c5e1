package ensemble

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

const minute = int64(time.Minute)

// budget is the p-value that half an alarm a week asks of steps of a minute.
const budget = .5 / (7 * 24 * 60)

// rates are the parts of the values of fresh series with such p-values, divided
// by these. The first values that judge are from on.
type rates map[float64]float64

func ratesOf(t *testing.T, f family, series, from, length int, adopt func(i int, s *State)) rates {
	t.Helper()
	m := newModel(t, Config{})
	below, judged := rates{.01: 0, .001: 0, .0001: 0}, 0.
	for i := range series {
		next := f.new(rand.New(rand.NewPCG(2026, uint64(i))))
		var s State
		if adopt != nil {
			adopt(i, &s)
		}
		for n := range length {
			v := m.Observe(&s, int64(n)*10*minute, next())
			if n < from {
				if v.P != 1 {
					t.Fatalf("value %d has a verdict, P is %v", n, v.P)
				}
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
		below[p] = n / judged / p
	}
	return below
}

func TestPIsHonestInTheFirst100Values(t *testing.T) {
	for _, f := range families() {
		t.Run(f.name, func(t *testing.T) {
			for p, r := range ratesOf(t, f, 2000, 32, 100, nil) {
				assert.LessOrEqual(t, r, f.factor, "P <= %v", p)
			}
		})
	}
}

// afterWarmUp returns the part of fresh series in which a change from their
// 33rd value on alarms within so many values.
func afterWarmUp(t *testing.T, sigma, factor float64, within int) float64 {
	t.Helper()
	m := newModel(t, Config{Rate: budget})
	found := 0.
	const series = 300
	for i := range series {
		r := rand.New(rand.NewPCG(33, uint64(i)))
		var s State
		for n := range 32 + within {
			x := 100 * math.Exp(sigma*r.NormFloat64())
			if n >= 32 {
				x *= factor
			}
			if m.Observe(&s, int64(n)*minute, x).Alarm {
				found++
				break
			}
		}
	}
	return found / series
}

func TestAGrossIncidentAlarmsAtThe33rdValue(t *testing.T) {
	assert.Equal(t, 1., afterWarmUp(t, .05, 5, 1), "five times a level that is steady within 5 %")
	assert.Greater(t, afterWarmUp(t, .05, .2, 2), .95, "a fifth of it, twice")
	assert.Greater(t, afterWarmUp(t, .15, 5, 2), .95, "five times a level that is steady within 15 %, twice")
	assert.Greater(t, afterWarmUp(t, .25, 5, 2), .4, "within 25 %, twice")
	assert.Zero(t, afterWarmUp(t, .25, 1, 32), "noise")
}

func TestAColdVerdictNamesTheLevel(t *testing.T) {
	m := newModel(t, Config{Rate: budget})
	var s State
	for i, x := range noise(4, 32) {
		m.Observe(&s, int64(i)*minute, 100+(x-100)/2)
	}
	v := m.Observe(&s, 32*minute, 500)
	assert.True(t, v.Alarm)
	assert.Equal(t, Level, v.Strongest())
	assert.InDelta(t, -math.Log10(v.P), v.Decades[Level], 1e-9)
	assert.GreaterOrEqual(t, v.Evidence, v.Decades[Level])
	assert.EqualValues(t, 32, v.Samples)
	assert.InDelta(t, 100, v.Expected, 5)
}

// What is far out is not far out of a series that has been there before.
func TestAColdVerdictKnowsWhatTheWarmUpHasSeen(t *testing.T) {
	m := newModel(t, Config{})
	var s State
	for i, x := range noise(4, 32) {
		if i == 10 || i == 20 {
			x = 500
		}
		m.Observe(&s, int64(i)*minute, x)
	}
	assert.Greater(t, m.Observe(&s, 32*minute, 500).P, .001)
}

func TestAColdStartAllocatesNothing(t *testing.T) {
	m := newModel(t, Config{})
	p := parents(t, families()[0])[0]
	values := noise(12, 150)
	var s State
	for name, adopt := range map[string]bool{"alone": false, "with a parent": true} {
		assert.Zero(t, testing.AllocsPerRun(20, func() {
			s = State{}
			if adopt {
				s.Adopt(p)
			}
			for i, x := range values {
				m.Observe(&s, int64(i)*minute, x)
			}
		}), name)
	}
}
