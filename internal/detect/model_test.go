package detect

import (
	"math"
	"sync"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestStateIsSmallAndFlat(t *testing.T) {
	size := unsafe.Sizeof(State{})
	t.Logf("%d bytes per series", size)
	require.LessOrEqual(t, size, uintptr(640))

	m, err := NewModel(Config{})
	require.NoError(t, err)
	s := m.NewState()
	require.Nil(t, s.win.long)
}

func TestObserveDoesNotAllocate(t *testing.T) {
	for _, window := range []int{64, 255} {
		c := noCoolDown(latency())
		c.Window = window
		f := newFeed(t, c)
		normal, i := lognormal(1, 500, .3), 0
		f.repeat(300, normal)
		require.Zero(t, testing.AllocsPerRun(2000, func() {
			i++
			x := normal()
			if i%50 > 30 { // shifts, alarms and recoveries
				x *= 30
			}
			f.at += second
			f.last = f.m.Observe(&f.s, f.at, x)
			f.m.Learn(&f.s, f.at, x)
			f.m.Expect(&f.s)
		}))
	}
}

func TestValuesWithoutAPlaceAreIgnored(t *testing.T) {
	for _, c := range []struct {
		cfg Config
		bad []float64
	}{
		{Config{}, []float64{math.NaN(), math.Inf(1), math.Inf(-1), math.MaxFloat64}},
		{Config{Scale: Log}, []float64{math.NaN(), math.Inf(1), math.Inf(-1), -1, -1e300}},
	} {
		f := newFeed(t, c.cfg)
		f.repeat(100, lognormal(1, 500, .3))
		before := f.s
		for _, x := range c.bad {
			require.Equal(t, Verdict{}, f.add(x), x)
			f.m.Learn(&f.s, f.at, x)
		}
		require.Equal(t, before, f.s)
	}
}

func TestZeroAndExtremeValuesKeepNumbersFinite(t *testing.T) {
	for _, scale := range []Scale{Linear, Log} {
		f := newFeed(t, Config{Scale: scale})
		for i := range 2000 {
			x := [...]float64{0, 1, 1e30, 1e-300, 5e-324, 1e37, 3}[(i*i+i/7)%7]
			v := f.add(x)
			for _, y := range []float64{v.Expected, v.Limit, v.Level, v.Sigma, v.Score, v.Confidence} {
				require.Truef(t, finite(y), "%v step %d %+v", scale, i, v)
			}
		}
	}
}

func TestCoolDownSilencesFurtherEpisodesUnlessMoreSevere(t *testing.T) {
	c := latency()
	c.CoolDown = time.Minute
	f := newFeed(t, c)
	normal := lognormal(1, 500, .1)
	f.repeat(200, normal)
	require.True(t, f.add(1500).Alarm)
	first := f.last
	f.repeat(20, normal)
	f.add(1500)
	require.True(t, f.last.Anomalous)
	require.False(t, f.last.Alarm, "cool-down")
	f.repeat(10, normal)
	f.add(500_000)
	require.Greater(t, f.last.Severity, first.Severity)
	require.True(t, f.last.Alarm, "more severe")
	f.repeat(70, normal)
	require.True(t, f.add(20_000).Alarm, "cool-down is over")
}

func TestMinimumDeviationIsHonoured(t *testing.T) {
	for name, c := range map[string]Config{
		"relative": {MinRelative: .5, Scale: Log},
		"absolute": {MinAbsolute: 60},
	} {
		f := newFeed(t, c)
		normal := lognormal(1, 100, .01)
		f.repeat(100, normal)
		require.False(t, f.add(140).Anomalous, name)
		f.repeat(30, func() float64 { return 130 * normal() / 100 })
		require.Zero(t, f.count.anomalous, "%s: a small shift is not reported either", name)
		f = newFeed(t, c)
		f.repeat(100, normal)
		require.True(t, f.add(200).Alarm, name)
	}
}

func TestShiftTooSmallToReportIsLearned(t *testing.T) {
	f := newFeed(t, Config{MinRelative: .5, Scale: Log})
	f.repeat(100, lognormal(1, 100, .02))
	f.repeat(400, lognormal(2, 130, .02))
	require.Zero(t, f.count.anomalous)
	expected, lower, upper, ok := f.m.Expect(&f.s)
	require.True(t, ok)
	require.InEpsilon(t, 130, expected, .02)
	require.Less(t, lower, expected)
	require.Greater(t, upper, expected)
}

func TestLateValuesAreLearnedButNeverJudged(t *testing.T) {
	f := newFeed(t, latency())
	for range 40 {
		f.m.Learn(&f.s, f.at, 500)
	}
	require.EqualValues(t, 40-lagSize, f.s.samples)
	require.True(t, f.add(50_000).Alarm, "the baseline came from late values")

	// Outliers that come late must not poison the baseline.
	f = newFeed(t, latency())
	f.repeat(100, lognormal(1, 500, .2))
	mean := f.s.mean
	for range 20 {
		f.m.Learn(&f.s, f.at, 1e7)
	}
	require.InDelta(t, mean, f.s.mean, .2)
}

// river 948: after a permanent shift to the side that does not matter, the
// baseline follows soon, so that the way back is seen.
func TestSilentSideIsFollowed(t *testing.T) {
	f := newFeed(t, latency())
	f.repeat(200, lognormal(1, 5000, .3))
	fast := lognormal(2, 500, .3)
	f.repeat(80, fast)
	require.Zero(t, f.count.anomalous+f.count.rebased+f.count.recovered)
	expected, _, _, _ := f.m.Expect(&f.s)
	require.InEpsilon(t, 500, expected, .4)
	require.LessOrEqual(t, f.until(20, lognormal(3, 5000, .3)), 6)
}

func TestNoiseThatGrowsIsAcceptedInTheEnd(t *testing.T) {
	c := DefaultConfig()
	c.Scale = Log
	f := newFeed(t, c)
	f.repeat(200, lognormal(1, 500, .05))
	f.repeat(1000, lognormal(2, 500, .6))
	f.count.anomalous, f.alarms = 0, nil
	f.repeat(1000, lognormal(3, 500, .6))
	require.LessOrEqual(t, f.count.anomalous, 2)
}

func TestIsolatedSpikesWidenTheLimitsAndCalmNarrowsThem(t *testing.T) {
	f := newFeed(t, noCoolDown(latency()))
	normal := lognormal(1, 500, .2)
	f.repeat(100, normal)
	_, _, before, _ := f.m.Expect(&f.s)
	for range 20 {
		f.add(50_000)
		f.repeat(20, normal)
	}
	require.InDelta(t, widenMax, f.s.widen, .01)
	_, _, after, _ := f.m.Expect(&f.s)
	require.Greater(t, after, before)
	require.True(t, f.add(5e5).Anomalous, "bounded")
	f.repeat(60_000, normal)
	require.Zero(t, f.s.widen)
}

func TestSpikesAndShiftsAreFoundInNoisyTraffic(t *testing.T) {
	// Documented promises of the default set, see doc.go: bursts x5..x10 of ten
	// values, lasting shifts x2..x2.5, in noise of sigma .5.
	for _, c := range []struct {
		factor float64
		length int
		recall float64
	}{{10, 10, .99}, {5, 10, .95}, {2.5, 60, .99}, {2, 60, .95}} {
		found, falseAlarms := 0, 0
		const runs = 200
		for seed := range uint64(runs) {
			f := newFeed(t, latency())
			f.repeat(400, lognormal(seed, 800, .5))
			falseAlarms += len(f.alarms)
			if f.until(c.length, lognormal(seed+runs, 800*c.factor, .5)) <= c.length {
				found++
			}
		}
		require.LessOrEqual(t, falseAlarms, 1, "in 80 000 normal values")
		t.Logf("x%v for %d values: %d of %d", c.factor, c.length, found, runs)
		require.GreaterOrEqual(t, float64(found)/runs, c.recall, "x%v", c.factor)
	}
}

func TestModelIsSafeForConcurrentUse(t *testing.T) {
	m, err := NewModel(latency())
	require.NoError(t, err)
	var wg sync.WaitGroup
	results := make([]uint64, 4)
	for i := range results {
		wg.Go(func() {
			s := m.NewState()
			next := lognormal(9, 500, .5)
			for k := range 500 {
				m.Observe(&s, int64(k)*second, next())
			}
			results[i] = math.Float64bits(s.mean)
		})
	}
	wg.Wait()
	for _, r := range results {
		require.Equal(t, results[0], r)
	}
}

func TestSlowFirstRequestDoesNotBlindTheSeries(t *testing.T) {
	for _, position := range []int{0, 5, 15} {
		f := newFeed(t, latency())
		normal := lognormal(1, 500, .2)
		for i := range 40 {
			if i == position {
				f.add(60_000)
				continue
			}
			f.add(normal())
		}
		require.InDelta(t, math.Log(500), f.s.mean, .15)
		require.InDelta(t, .2, math.Sqrt(f.s.variance), .1)
		require.True(t, f.add(5000).Alarm, "position %d", position)
	}
}

// One value that is little outside the limits is not believed, a second one
// soon after it is, and so is one that is far outside.
func TestALoneValueNeedsToBeFarOut(t *testing.T) {
	fed := func(c Config) (f *feed, limit float64) {
		f = newFeed(t, c)
		f.repeat(200, lognormal(1, 500, .2))
		_, _, limit, ok := f.m.Expect(&f.s)
		require.True(t, ok)
		return f, limit
	}
	c := latency()
	c.LoneScore = 2
	f, limit := fed(c)
	require.False(t, f.add(1.05*limit).Anomalous)
	require.GreaterOrEqual(t, f.last.Score, 1.)
	f.repeat(3, lognormal(2, 500, .2))
	require.True(t, f.add(1.05*limit).Alarm, "confirmed")

	f, limit = fed(c)
	require.False(t, f.add(1.05*limit).Anomalous)
	f.repeat(2*lagSize, lognormal(2, 500, .2))
	require.Positive(t, f.s.widen, "it widens the limits")
	require.False(t, f.add(1.05*limit).Anomalous, "forgotten")

	f, limit = fed(c)
	require.True(t, f.add(4*limit).Alarm, "far out")

	c.Detectors = []DetectorConfig{{Name: "z_score"}, {Name: "cusum"}}
	f, limit = fed(c)
	require.True(t, f.add(1.05*limit).Alarm, "there is nothing else to confirm it")

	f, limit = fed(latency())
	require.True(t, f.add(1.05*limit).Alarm, "the default")
}
