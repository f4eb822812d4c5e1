package rate

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const (
	minute = 60 * second
	hour   = 60 * minute
	start  = 1_700_000_000 * second
)

func newArrivals(t testing.TB, change func(*ArrivalConfig)) *Arrivals {
	t.Helper()
	cfg := DefaultArrivalConfig()
	if change != nil {
		change(&cfg)
	}
	m, err := NewArrivals(cfg)
	require.NoError(t, err)
	return m
}

// run feeds the calls until a time after start and returns the alarms.
func run(m *Arrivals, st *ArrivalState, s *source, until int64) (found []ArrivalReport) {
	for {
		at := s.next()
		if at >= start+until {
			return found
		}
		if m.Observe(st, at, at+24*hour) == Alarm {
			found = append(found, st.Report())
		}
	}
}

// between multiplies the rate by f in minutes from..to.
func between(from, to, f float64) func(float64) float64 {
	return func(at float64) float64 {
		if at >= from*60 && at < to*60 {
			return f
		}
		return 1
	}
}

func TestDropIsFoundAndEnds(t *testing.T) {
	m := newArrivals(t, nil)
	st := &ArrivalState{}
	s := newSource(1, 30).weibull(.915).times(between(180, 200, .15))
	found := run(m, st, s, 4*hour)
	require.NotEmpty(t, found)
	r := found[0]
	assert.Equal(t, Drop, r.Change)
	assert.InDelta(t, 30, r.Normal, 6)
	assert.Less(t, r.Rate, 15.)
	assert.LessOrEqual(t, r.Calls, uint64(r.Limit))
	delay := (r.At - start - 180*minute) / second
	t.Logf("found after %d s: %d of %.0f calls in %d min, limit %.0f, z %.1f, dispersion %.2f", delay, r.Calls, r.Expected, r.Window/minute, r.Limit, r.Deviate, r.Dispersion)
	assert.LessOrEqual(t, delay, int64(6*60))
	assert.InDelta(t, 180*60, float64(r.Onset-start)/1e9, 90)
	for i := range found[1:] {
		assert.Greater(t, found[i+1].Severity, found[i].Severity, "told again only when it gets worse")
		assert.Equal(t, r.Onset, found[i+1].Onset)
	}
	assert.Equal(t, Steady, st.change, "and over when the calls are back")
}

func TestSurgeIsFoundOnACallAndEnds(t *testing.T) {
	m := newArrivals(t, nil)
	st := &ArrivalState{}
	s := newSource(2, 30).weibull(.915).times(between(180, 200, 6))
	found := run(m, st, s, 4*hour)
	require.NotEmpty(t, found)
	r := found[0]
	assert.Equal(t, Surge, r.Change)
	delay := (r.At - start - 180*minute) / second
	t.Logf("found after %d s: %d instead of %.0f calls, limit %.0f", delay, r.Calls, r.Expected, r.Limit)
	assert.LessOrEqual(t, delay, int64(90))
	assert.GreaterOrEqual(t, r.Calls, uint64(r.Limit))
	assert.Equal(t, Steady, st.change)
	assert.InDelta(t, 30, st.rate*1, 6, "nothing is learned from it")
}

func TestSilenceIsFoundByTheNextCallOfAReplay(t *testing.T) {
	m := newArrivals(t, nil)
	st := &ArrivalState{}
	s := newSource(3, 6).weibull(.915).times(between(180, 200, 0))
	found := run(m, st, s, 4*hour)
	require.NotEmpty(t, found)
	assert.Equal(t, Drop, found[0].Change)
	assert.Less(t, found[0].Rate, 1.)
	assert.GreaterOrEqual(t, found[0].Severity, uint8(High))
	assert.InDelta(t, 180*60, float64(found[0].Onset-start)/1e9, 240)
	assert.Equal(t, Steady, st.change)
}

// live feeds calls that arrive a second after they ended.
func live(m *Arrivals, st *ArrivalState, s *source, until int64) (last int64) {
	for {
		at := s.next()
		if at >= start+until {
			return last
		}
		m.Observe(st, at, at+second)
		last = at + second
	}
}

func TestSilenceOfALiveStreamIsFoundWithoutACall(t *testing.T) {
	m := newArrivals(t, nil)
	for _, perMinute := range []float64{1, 6, 60} {
		st := &ArrivalState{}
		last := live(m, st, newSource(4, perMinute).weibull(.915), 6*hour)
		onset, found := st.last, int64(0)
		var r ArrivalReport
		alarms := 0
		for now := last; now < last+2*hour; now += 5 * second {
			if m.Silence(st, now) == Alarm {
				if alarms++; alarms == 1 {
					found, r = now-last, st.Report()
				}
			}
		}
		require.Positive(t, alarms, "%v a minute", perMinute)
		assert.LessOrEqual(t, alarms, 2, "told once, and once more as critical")
		assert.True(t, r.Silent)
		assert.Equal(t, onset, r.Onset)
		assert.EqualValues(t, High, r.Severity)
		assert.GreaterOrEqual(t, found, minute)
		assert.LessOrEqual(t, float64(found)/float64(minute), max(40/perMinute, 1.1))
		t.Logf("%v calls a minute: silence after %.1f minutes", perMinute, float64(found)/float64(minute))
	}
}

func TestReplayAndBacklogAreNoSilence(t *testing.T) {
	m := newArrivals(t, nil)
	never := func(st *ArrivalState, last int64) {
		t.Helper()
		for now := last; now < last+100*hour; now += minute {
			require.NotEqual(t, Alarm, m.Silence(st, now))
		}
	}
	replay := &ArrivalState{}
	run(m, replay, newSource(5, 30), 6*hour)
	never(replay, start+7*hour)

	// A replay that ends now.
	upToNow := &ArrivalState{}
	s := newSource(5, 30)
	for at := s.next(); at < start+6*hour; at = s.next() {
		m.Observe(upToNow, at, start+6*hour)
	}
	never(upToNow, start+6*hour)

	// A backlog after a live stream.
	backlog := &ArrivalState{}
	s = newSource(6, 30)
	live(m, backlog, s, 6*hour)
	for range 300 {
		m.Observe(backlog, s.next(), start+9*hour)
	}
	never(backlog, start+9*hour)
}

func TestRestartIsNoSilenceAndNoDrop(t *testing.T) {
	m := newArrivals(t, nil)
	st := &ArrivalState{}
	s := newSource(7, 30).weibull(.915)
	live(m, st, s, 6*hour)
	back, err := m.ReadState(st.Append(nil))
	require.NoError(t, err)
	assert.NotEqual(t, Alarm, m.Silence(back, start+7*hour))
	s.at += 3600
	assert.Empty(t, run(m, back, s, 12*hour))
	s.rate = newSource(1, 3).rate
	assert.NotEmpty(t, run(m, back, s, 13*hour), "and a drop is found")
}

func TestWrongClockIsNoDrop(t *testing.T) {
	m := newArrivals(t, nil)
	for name, wrong := range map[string]int64{"hours ahead": start + 20*hour, "now": start + 48*hour} {
		st := &ArrivalState{}
		require.Equal(t, None, m.Observe(st, wrong, start+48*hour), "%s, as the first call", name)
		s := newSource(8, 30)
		run(m, st, s, 6*hour)
		assert.InDelta(t, 30, st.rate, 5)
		require.Equal(t, None, m.Observe(st, wrong, start+48*hour), "%s, in between", name)
		assert.Empty(t, run(m, st, s, 8*hour))
		assert.InDelta(t, 30, st.rate, 5)
	}
}

func TestLastingChangeBecomesNormal(t *testing.T) {
	for _, f := range []float64{.3, 4} {
		m := newArrivals(t, nil)
		st := &ArrivalState{}
		s := newSource(9, 30).weibull(.915).times(between(240, 1e9, f))
		found := run(m, st, s, 4*hour+50*minute)
		require.NotEmpty(t, found)
		require.NotEqual(t, Steady, st.change)
		rebased := int64(0)
		for rebased == 0 {
			at := s.next()
			require.Less(t, at, start+6*hour)
			if m.Observe(st, at, at+24*hour) == Rebased {
				rebased = at
			}
		}
		assert.InDelta(t, 60, float64(rebased-found[0].Onset)/float64(minute), 3)
		assert.InDelta(t, 30*f, st.rate, 30*f*.2)
		assert.Empty(t, run(m, st, s, 24*hour), "the new normal")
	}
}

func TestLateCallsCountInTheirOwnMinute(t *testing.T) {
	m := newArrivals(t, nil)
	st := &ArrivalState{}
	s := newSource(10, 30)
	// Every second call comes up to a minute late.
	var wait []int64
	for {
		at := s.next()
		if at >= start+6*hour {
			break
		}
		for len(wait) > 0 && at-wait[0] > 55*second {
			require.NotEqual(t, Alarm, m.Observe(st, wait[0], at+24*hour))
			wait = wait[1:]
		}
		if s.rng.IntN(2) == 0 {
			wait = append(wait, at)
			continue
		}
		require.NotEqual(t, Alarm, m.Observe(st, at, at+24*hour))
	}
	assert.InDelta(t, 30, st.rate, 4)
}

func FuzzReadArrivals(f *testing.F) {
	m := newArrivals(f, nil)
	st := &ArrivalState{}
	f.Add(st.Append(nil))
	run(m, st, newSource(1, 30).times(between(180, 200, 0)), 3*hour)
	f.Add(st.Append(nil))
	s := newSource(1, 30)
	s.at = 4 * 3600
	run(m, st, s, 5*hour)
	f.Add(st.Append(nil))
	f.Fuzz(func(t *testing.T, blob []byte) {
		st, err := m.ReadState(blob)
		if err != nil {
			require.ErrorIs(t, err, ErrState)
			return
		}
		require.Equal(t, blob, st.Append(nil))
		for i := range int64(200) {
			m.Observe(st, start+i*i*second, start+i*i*second)
			m.Silence(st, start+i*i*second+hour)
		}
	})
}

func TestArrivalStateGoesOnAfterTheCodec(t *testing.T) {
	m := newArrivals(t, nil)
	st := &ArrivalState{}
	s := newSource(11, 30).times(between(180, 400, .1))
	require.NotEmpty(t, run(m, st, s, 3*hour+30*minute))
	blob := st.Append(nil)
	back, err := m.ReadState(blob)
	require.NoError(t, err)
	assert.Equal(t, blob, back.Append(nil))
	assert.Empty(t, run(m, back, s, 3*hour+50*minute), "the incident goes on and is not news")
}

func TestArrivalConfigNamesFieldAndValue(t *testing.T) {
	_, err := NewArrivals(ArrivalConfig{MinSilence: -1, LiveAfter: -1, Lateness: -1, CoolDown: -1})
	for _, want := range []string{"threshold must be in 3..10, got 0", "drop_ratio", "surge_ratio", "min_silence", "live_after", "lateness", "rebase_after", "cool_down"} {
		assert.ErrorContains(t, err, want)
	}
}

// Hostile times never panic.
func TestOddTimes(t *testing.T) {
	m := newArrivals(t, nil)
	st := &ArrivalState{}
	for _, at := range []int64{0, -1, math.MinInt64, 1, start, math.MaxInt64, start + minute, math.MaxInt64 - 1, start - hour} {
		for range 3 {
			m.Observe(st, at, start)
			m.Learn(st, at)
			m.Silence(st, at)
		}
	}
}

// The deviates agree with the exact Poisson tail.
func TestDeviatesAgreeWithPoisson(t *testing.T) {
	for _, mu := range []float64{20, 60, 300} {
		term, cdf := math.Exp(-mu), 0.
		for n := range 2000 {
			if n > 0 {
				term *= mu / float64(n)
			}
			if upper := 1 - cdf; upper > 1e-9 && upper < .01 && n > 0 {
				z := above(float64(n), mu, 1)
				assert.InDelta(t, 0, math.Log(math.Erfc(z/math.Sqrt2)/2/upper), .35, "mu %v, %d or more", mu, n)
			}
			cdf += term
			if cdf > 1e-9 && cdf < .01 {
				z := below(float64(n), mu, 1)
				off := math.Log(math.Erfc(z/math.Sqrt2) / 2 / cdf)
				assert.Greater(t, off, -.35, "mu %v, %d or fewer", mu, n)
				if n > 4 { // cautious with fewer
					assert.Less(t, off, .5, "mu %v, %d or fewer", mu, n)
				}
			}
		}
	}
}

func BenchmarkArrivals(b *testing.B) {
	for name, step := range map[string]int64{"10 a second": second / 10, "6 a minute": 10 * second, "1 a minute": minute} {
		b.Run(name, func(b *testing.B) {
			m := newArrivals(b, nil)
			st := &ArrivalState{}
			at := start
			b.ReportAllocs()
			for b.Loop() {
				at += step
				m.Observe(st, at, at)
			}
		})
	}
	b.Run("silence", func(b *testing.B) {
		m := newArrivals(b, nil)
		st := &ArrivalState{}
		last := live(m, st, newSource(1, 30), 6*hour)
		for b.Loop() {
			m.Silence(st, last+30*second)
		}
	})
}

func TestArrivalsAllocateNothing(t *testing.T) {
	m := newArrivals(t, nil)
	st := &ArrivalState{}
	at := start
	assert.Zero(t, testing.AllocsPerRun(5000, func() {
		at += 7 * second
		m.Observe(st, at, at)
		m.Silence(st, at+second)
	}))
}

// Windows are differences of totals; they agree with plain counting, late calls
// included.
func TestWindowsAgreeWithPlainCounts(t *testing.T) {
	m := newArrivals(t, nil)
	st := &ArrivalState{}
	s := newSource(12, 20)
	counts := map[int64]float64{}
	for at := s.next(); at < start+10*hour; at = s.next() {
		if s.rng.IntN(5) == 0 {
			at -= s.rng.Int64N(3 * minute)
		}
		if b := at / bin; b >= st.first && b >= st.learned {
			counts[b]++
		}
		m.Observe(st, at, at+24*hour)
		if st.now-st.first < longest+learnLag {
			continue
		}
		for _, size := range scales {
			want := 0.
			for b := st.now - size + 1; b <= st.now; b++ {
				want += counts[b]
			}
			require.InDelta(t, want, st.sum(st.now-size+1, st.now+1), 0)
		}
	}
}
