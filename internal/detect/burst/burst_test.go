package burst

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func detector(t testing.TB) *Detector {
	t.Helper()
	d, err := New(Config{})
	require.NoError(t, err)
	return d
}

// The tail probability is that of a binomial whose share is drawn from a Beta
// distribution: compared with the sum over a fine grid of shares.
func TestTailAgainstNumericalIntegration(t *testing.T) {
	for _, tc := range []struct {
		n, k uint64
		a, b float64
	}{{10, 3, 2, 30}, {50, 20, 10.5, 60.5}, {4, 4, .5, 40.5}, {200, 30, 20, 500}, {7, 1, 3, 3}} {
		const grid = 200_000
		want, mass := 0.0, 0.0
		for i := range grid {
			p := (float64(i) + .5) / grid
			w := math.Exp((tc.a-1)*math.Log(p) + (tc.b-1)*math.Log1p(-p))
			mass += w
			x := 0.0
			for j := tc.k; j <= tc.n; j++ {
				x += math.Exp(logChoose(float64(tc.n), float64(j)) + float64(j)*math.Log(p) + float64(tc.n-j)*math.Log1p(-p))
			}
			want += w * x
		}
		assert.InEpsilon(t, want/mass, tail(tc.n, tc.k, tc.a, tc.b), .01, "%+v", tc)
	}
	assert.Equal(t, 1.0, tail(5, 0, 1, 1))
	assert.Zero(t, tail(5, 6, 1, 1))
}

// Four million normal items at seven shares raise no more than the budget of
// one in a million hits, with room for chance.
func TestNormalItemsRaiseNoAlarm(t *testing.T) {
	d := detector(t)
	alarms, hits := 0, 0
	for i, p := range []float64{.0005, .005, .02, .1, .3, .6, .95} {
		rng := rand.New(rand.NewPCG(7, uint64(i)))
		for range 300 {
			var s State
			for n := range 2000 {
				isHit := rng.Float64() < p
				if isHit {
					hits++
				}
				if _, news := d.Observe(&s, int64(n), isHit); news {
					alarms++
				}
			}
		}
	}
	t.Logf("%d alarms on %d hits", alarms, hits)
	assert.LessOrEqual(t, alarms, 3)
}

func TestABurstIsFoundSoonAndToldOnce(t *testing.T) {
	d := detector(t)
	for _, tc := range []struct {
		normal, during float64
		within         int
	}{{.001, 1, 6}, {.005, .5, 16}, {.02, .3, 40}, {.1, .8, 20}} {
		rng := rand.New(rand.NewPCG(3, 3))
		var s State
		for n := range 500 {
			_, news := d.Observe(&s, int64(n), rng.Float64() < tc.normal)
			require.False(t, news)
		}
		first, told := -1, 0
		for n := range 200 {
			v, news := d.Observe(&s, int64(500+n), rng.Float64() < tc.during)
			if news {
				if first < 0 {
					first = n
					assert.Greater(t, v.Share, v.Normal+.05)
					assert.GreaterOrEqual(t, v.Onset, int64(450))
					assert.Less(t, v.P, 1e-6)
					assert.Greater(t, v.Limit, v.Normal)
					assert.LessOrEqual(t, v.Limit, v.Share+1e-9)
				}
				told++
			}
		}
		assert.GreaterOrEqual(t, first, 0, "%+v", tc)
		assert.LessOrEqual(t, first, tc.within, "%+v", tc)
		assert.LessOrEqual(t, told, 2, "%+v", tc)
	}
}

func TestABurstEndsAndTheNextOneIsNews(t *testing.T) {
	d := detector(t)
	var s State
	var ends []End
	feed := func(n int, isHit bool) (news int) {
		for range n {
			v, is := d.Observe(&s, 0, isHit)
			if is {
				news++
			}
			if v.End != 0 {
				ends = append(ends, v.End)
			}
		}
		return news
	}
	feed(300, false)
	assert.Positive(t, feed(20, true))
	assert.True(t, s.InBurst())
	assert.Empty(t, ends)
	assert.Zero(t, feed(200, false))
	assert.False(t, s.InBurst())
	assert.Equal(t, []End{Recovered}, ends)
	assert.Positive(t, feed(20, true))
}

// A hit after the end of a burst, in a window that reaches back into it, is
// ordinary. It used to tell the burst a second time.
func TestABurstThatHasEndedIsNotToldAgain(t *testing.T) {
	d := detector(t)
	for quiet := 65; quiet < 160; quiet++ {
		var s State
		n := int64(0)
		feed := func(isHit bool) bool {
			n++
			_, news := d.Observe(&s, n, isHit)
			return news
		}
		for range 300 {
			feed(false)
		}
		told := 0
		for i := range 200 {
			if feed(i%2 == 0) {
				told++
			}
		}
		require.Equal(t, 1, told)
		for range quiet {
			require.False(t, feed(false))
		}
		require.False(t, feed(true), "a single hit after %d items without", quiet)
		require.False(t, s.InBurst())
		// The next burst is found as soon as the first one was.
		news := false
		for i := 0; i < 16 && !news; i++ {
			news = feed(true)
		}
		require.True(t, news)
	}
}

func TestWhatLastsBecomesNormal(t *testing.T) {
	d := detector(t)
	var s State
	rng := rand.New(rand.NewPCG(1, 1))
	for range 300 {
		d.Observe(&s, 0, false)
	}
	var ends []Verdict
	for range 1500 {
		if v, _ := d.Observe(&s, 0, rng.Float64() < .5); v.End != 0 {
			ends = append(ends, v)
		}
	}
	require.Len(t, ends, 1)
	assert.Equal(t, Rebased, ends[0].End)
	assert.InDelta(t, .5, ends[0].Normal, .1)
	assert.False(t, s.InBurst())
	for range 2000 {
		_, news := d.Observe(&s, 0, rng.Float64() < .5)
		require.False(t, news)
	}
}

func TestNothingIsJudgedWithoutABaseline(t *testing.T) {
	d := detector(t)
	var s State
	for range 60 {
		_, news := d.Observe(&s, 0, true)
		require.False(t, news)
	}
	for range 1000 {
		d.Learn(&s, 0, false)
	}
	assert.EqualValues(t, 1060, s.Items())
}

func TestConfigIsChecked(t *testing.T) {
	for _, c := range []Config{{FalseAlarm: 1}, {MinExcess: -1}, {MinExcess: 2}, {MinHits: 1}, {MinHits: 33}, {FalseAlarm: math.NaN()}} {
		_, err := New(c)
		assert.ErrorContains(t, err, "must be", "%+v", c)
	}
}

func TestStateSurvivesItsSerialisedForm(t *testing.T) {
	d := detector(t)
	rng := rand.New(rand.NewPCG(5, 5))
	var s State
	for n := range 700 {
		d.Observe(&s, int64(n), rng.Float64() < .03)
		var back State
		rest, err := back.Read(append(s.Append(nil), 1, 2))
		require.NoError(t, err)
		require.Equal(t, []byte{1, 2}, rest)
		require.Equal(t, s, back)
	}
}

func TestObserveAllocatesNothing(t *testing.T) {
	d := detector(t)
	var s State
	n := 0
	assert.Zero(t, testing.AllocsPerRun(2000, func() { n++; d.Observe(&s, int64(n), n%50 == 0) }))
}

func FuzzReadState(f *testing.F) {
	d := detector(f)
	var s State
	f.Add(s.Append(nil))
	for n := range 200 {
		d.Observe(&s, int64(n), n%9 == 0)
	}
	f.Add(s.Append(nil))
	f.Fuzz(func(t *testing.T, src []byte) {
		var s State
		if _, err := s.Read(src); err != nil {
			require.ErrorIs(t, err, ErrState)
			require.Equal(t, State{}, s)
			return
		}
		for n := range 20 {
			v, _ := d.Observe(&s, int64(n), n%2 == 0)
			require.False(t, math.IsNaN(v.P))
		}
	})
}

func BenchmarkMiss(b *testing.B) {
	d := detector(b)
	var s State
	for b.Loop() {
		d.Observe(&s, 0, false)
	}
}
