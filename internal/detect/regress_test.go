package detect

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The tests of this file are named after the flaws F1..F16 that a predecessor
// of this program had, and after known flaws of other products.

const second = int64(time.Second)

// feed drives one series: one value a second.
type feed struct {
	m      *Model
	s      State
	at     int64
	alarms []Verdict
	last   Verdict
	count  struct{ anomalous, rebased, recovered int }
}

func newFeed(t testing.TB, c Config) *feed {
	t.Helper()
	m, err := NewModel(c)
	require.NoError(t, err)
	return &feed{m: m, s: m.NewState(), at: 1_700_000_000 * second}
}

func (f *feed) add(x float64) Verdict {
	f.at += second
	f.last = f.m.Observe(&f.s, f.at, x)
	if f.last.Alarm {
		f.alarms = append(f.alarms, f.last)
	}
	if f.last.Anomalous {
		f.count.anomalous++
	}
	if f.last.Rebased {
		f.count.rebased++
	}
	if f.last.Recovered {
		f.count.recovered++
	}
	return f.last
}

func (f *feed) repeat(n int, next func() float64) {
	for range n {
		f.add(next())
	}
}

// until adds values until one alarms, at most n, and returns their number.
func (f *feed) until(n int, next func() float64) int {
	for i := range n {
		if f.add(next()).Alarm {
			return i + 1
		}
	}
	return n + 1
}

func lognormal(seed uint64, median, sigma float64) func() float64 {
	r := rand.New(rand.NewPCG(seed, 1))
	return func() float64 { return median * math.Exp(sigma*r.NormFloat64()) }
}

func latency() Config {
	c := DefaultConfig()
	c.Scale, c.Direction = Log, Up
	return c
}

func noCoolDown(c Config) Config {
	c.CoolDown = 0
	return c
}

func TestF1SustainedShiftIsOneIncidentAndBecomesTheNewNormal(t *testing.T) {
	f := newFeed(t, latency())
	f.repeat(500, lognormal(1, 500, .4))
	require.Empty(t, f.alarms)
	level := f.s.mean

	slow := lognormal(2, 5000, .4)
	d := f.until(10, slow)
	require.LessOrEqual(t, d, 5)
	onset := f.alarms[0].Onset
	require.GreaterOrEqual(t, onset, f.at-int64(d)*second, "onset must not lie before the shift")
	n := 0
	for ; n < 1000 && f.count.rebased == 0; n++ {
		f.add(slow())
		if f.count.rebased == 0 {
			require.InDelta(t, level, f.s.mean, .15, "the baseline must not follow the shift")
		}
		if f.last.Anomalous {
			require.Equal(t, onset, f.last.Onset)
		}
	}
	require.InDelta(t, rebaseWindows*DefaultWindow, n, 12, "documented length of a shift")
	require.InEpsilon(t, 5000, f.last.Expected, .3)
	requireOneIncident(t, f.alarms)
	told := len(f.alarms)
	require.Greater(t, f.count.anomalous, n-5, "firing all the time")

	f.repeat(500, slow)
	require.Len(t, f.alarms, told, "the new normal is normal")
	f.repeat(300, lognormal(3, 500, .4))
	require.Len(t, f.alarms, told, "the way back down does not matter for latency")
	require.LessOrEqual(t, f.until(10, slow), 6, "and the old normal is in force again")
}

func TestF1ShiftThatEndsRecovers(t *testing.T) {
	f := newFeed(t, latency())
	normal := lognormal(1, 500, .4)
	f.repeat(300, normal)
	f.repeat(40, lognormal(2, 3000, .4))
	requireOneIncident(t, f.alarms)
	told := len(f.alarms)
	f.repeat(40, normal)
	require.Equal(t, 1, f.count.recovered)
	require.False(t, f.last.Anomalous)
	require.Equal(t, 0, f.count.rebased)
	f.repeat(300, normal)
	require.Len(t, f.alarms, told)
}

// requireOneIncident: all alarms have one onset, and each but the first is
// there because it is more severe.
func requireOneIncident(t *testing.T, alarms []Verdict) {
	t.Helper()
	require.NotEmpty(t, alarms)
	for i := 1; i < len(alarms); i++ {
		require.Equal(t, alarms[0].Onset, alarms[i].Onset)
		require.Greater(t, alarms[i].Severity, alarms[i-1].Severity)
		require.GreaterOrEqual(t, alarms[i].Severity, SeverityHigh)
	}
}

func TestF2StandardisedCUSUMFindsShiftsOfSmallNumbers(t *testing.T) {
	c := DefaultConfig()
	c.Scale, c.Direction, c.LogOffset = Log, Up, 1e-5
	for _, only := range [][]DetectorConfig{nil, {{Name: "cusum"}}} {
		c.Detectors = only
		for _, x := range []struct {
			factor float64
			within int
		}{{40, 7}, {10, 7}, {1.3, 20}} {
			f := newFeed(t, c)
			f.repeat(300, lognormal(1, .01, .15))
			require.Empty(t, f.alarms)
			within := x.within
			if only == nil && x.factor >= 10 {
				within = 3
			}
			require.LessOrEqual(t, f.until(100, lognormal(2, .01*x.factor, .15)), within, "x%v %v", x.factor, only)
		}
	}
}

func TestF3EveryDetectorSeesEveryEventAgainstAFrozenBaseline(t *testing.T) {
	f := newFeed(t, latency())
	f.repeat(200, lognormal(1, 500, .3))
	spikes := lognormal(2, 10000, .1)
	f.repeat(8, spikes)
	// z_score, iqr and mad fire from the first value on; cusum must all the
	// same have collected its evidence and have joined.
	names := map[string]bool{}
	for _, x := range f.last.Findings[:f.last.N] {
		names[f.m.DetectorName(x.Detector)] = true
	}
	require.Equal(t, map[string]bool{"z_score": true, "iqr": true, "mad": true, "cusum": true}, names)
	require.InEpsilon(t, 500, f.last.Expected, .2)
}

func TestF4JumpFromAConstantSeriesIsFound(t *testing.T) {
	for _, scale := range []Scale{Linear, Log} {
		c := DefaultConfig()
		c.Scale = scale
		f := newFeed(t, c)
		f.repeat(64, func() float64 { return 100 })
		v := f.add(100_000)
		require.True(t, v.Alarm, scale)
		require.Equal(t, int8(1), v.Side)
		require.Equal(t, SeverityCritical, v.Severity)
		require.InDelta(t, 100, v.Expected, 1e-3)
		require.Less(t, v.Limit, 110., "%v %+v", scale, v)
	}
}

func TestF5TinyDeviationFromAConstantSeriesIsSilent(t *testing.T) {
	for _, scale := range []Scale{Linear, Log} {
		c := DefaultConfig()
		c.Scale = scale
		f := newFeed(t, c)
		f.repeat(64, func() float64 { return 100 })
		require.False(t, f.add(100.001).Anomalous)
		f.repeat(500, func() float64 { return 100.001 })
		require.Zero(t, f.count.anomalous)
	}
}

func TestF6IdenticalValuesScoreZeroAndSigmaIsCapped(t *testing.T) {
	for _, x := range []float64{0, .1, 1e-12, 1.0 / 3, 1e12} {
		for _, scale := range []Scale{Linear, Log} {
			f := newFeed(t, Config{Scale: scale, LogOffset: 1e-6})
			for range 1000 {
				v := f.add(x)
				require.False(t, v.Anomalous)
				require.Zero(t, v.Score)
				require.Zero(t, v.Sigma)
			}
			require.LessOrEqual(t, f.add(1e30).Sigma, MaxSigma)
		}
	}
}

func TestF7ScaleFallsBackWhenMADIsZero(t *testing.T) {
	c := Config{Detectors: []DetectorConfig{{Name: "mad"}}}
	f := newFeed(t, c)
	i := 0
	// Most values are equal, hence MAD = 0; the rest differ by 10 %.
	f.repeat(128, func() float64 { i++; return 100 + 10*float64(i%5/4) })
	require.Zero(t, f.count.anomalous)
	require.True(t, f.add(300).Alarm)
}

func TestF8DirectionAndSide(t *testing.T) {
	for _, c := range []struct {
		direction Direction
		x         float64
		side      int8
	}{
		{Up, 1e5, 1}, {Up, 1, 0}, {Down, 1, -1}, {Down, 1e5, 0}, {Both, 1, -1}, {Both, 1e5, 1},
	} {
		cfg := latency()
		cfg.Direction = c.direction
		f := newFeed(t, cfg)
		f.repeat(100, lognormal(1, 500, .2))
		v := f.add(c.x)
		require.Equal(t, c.side != 0, v.Alarm, "%v %v", c.direction, c.x)
		require.Equal(t, c.side, v.Side)
		if c.side != 0 {
			require.Positive(t, v.Sigma*float64(v.Side))
			require.Positive(t, (v.Limit-v.Expected)*float64(v.Side))
			require.Positive(t, (c.x-v.Limit)*float64(v.Side))
		}
	}
}

func TestF11FirstVerdictAfterMinSamples(t *testing.T) {
	f := newFeed(t, latency())
	normal := lognormal(1, 500, .2)
	f.repeat(DefaultMinSamples-1, normal)
	require.False(t, f.add(5e6).Alarm, "too early")

	f = newFeed(t, latency())
	f.repeat(DefaultMinSamples, lognormal(1, 500, .2))
	require.True(t, f.add(5e6).Alarm)
}

func TestF12EachValueIsLearnedOnce(t *testing.T) {
	for n := 1; n <= len(registry); n++ {
		c := Config{}
		for _, name := range Names()[:n] {
			c.Detectors = append(c.Detectors, DetectorConfig{Name: name})
		}
		f := newFeed(t, c)
		next := lognormal(1, 500, .1)
		f.repeat(40, next)
		require.EqualValues(t, 40-lagSize, f.s.win.n, "%d detectors", n)
		require.EqualValues(t, 40-lagSize, f.s.samples)
	}
}

func TestF13AllDetectorsThatAgreeAreListedStrongestFirst(t *testing.T) {
	f := newFeed(t, latency())
	f.repeat(100, lognormal(1, 500, .2))
	v := f.add(50_000)
	require.Equal(t, 3, v.N)
	for i := 1; i < v.N; i++ {
		require.GreaterOrEqual(t, v.Findings[i-1].Score, v.Findings[i].Score)
	}
	require.Equal(t, v.Findings[0].Score, v.Score)
	alone := newFeed(t, Config{Scale: Log, Detectors: []DetectorConfig{{Name: "z_score"}}})
	alone.repeat(100, lognormal(1, 500, .2))
	w := alone.add(50_000)
	require.GreaterOrEqual(t, v.Severity, w.Severity)
	require.Greater(t, v.Confidence, w.Confidence)
}

func TestF14LognormalNoiseIsSilent(t *testing.T) {
	alarms := 0
	for seed := range uint64(50) {
		f := newFeed(t, latency())
		f.repeat(2000, lognormal(seed, 500, .6))
		alarms += len(f.alarms)
	}
	require.LessOrEqual(t, alarms, 1, "alarms in 100 000 normal values")
}

// Grafana promql-anomaly-detection 7.
func TestSpikeDoesNotHideALaterSmallerOne(t *testing.T) {
	for _, scale := range []Scale{Log, Linear} {
		c := noCoolDown(latency())
		c.Scale = scale
		f := newFeed(t, c)
		normal := lognormal(1, 500, .15)
		f.repeat(200, normal)
		require.True(t, f.add(25_000).Alarm)
		f.repeat(20, normal)
		require.True(t, f.add(2500).Alarm, scale)
		require.Len(t, f.alarms, 2)
	}
}

// SNAGLINE 3: sigma is not diluted by the anomaly itself.
func TestAnomalyDoesNotDiluteSigma(t *testing.T) {
	f := newFeed(t, latency())
	f.repeat(200, lognormal(1, 500, .3))
	mean, variance := f.s.mean, f.s.variance
	f.repeat(60, lognormal(2, 5000, .3))
	require.True(t, f.last.Anomalous)
	require.InEpsilon(t, variance, f.s.variance, .3)
	require.InDelta(t, mean, f.s.mean, .1)
}

// RCF 359: an anomaly right after another one is found.
func TestTwoAnomaliesOnePointApart(t *testing.T) {
	f := newFeed(t, noCoolDown(latency()))
	f.repeat(100, lognormal(1, 500, .2))
	require.True(t, f.add(10_000).Alarm)
	require.False(t, f.add(500).Anomalous)
	require.True(t, f.add(10_000).Anomalous)
	require.True(t, f.add(11_000).Anomalous)
}

// RCF 411: a larger spike never scores less.
func TestScoreIsMonotoneInSpikeSize(t *testing.T) {
	for _, scale := range []Scale{Log, Linear} {
		c := latency()
		c.Scale = scale
		f := newFeed(t, c)
		f.repeat(100, lognormal(1, 500, .3))
		before := Verdict{}
		for x := 600.; x < 1e12; x *= 1.3 {
			s := f.s
			v := f.m.Observe(&s, f.at+second, x)
			require.GreaterOrEqual(t, v.Score, before.Score, x)
			require.GreaterOrEqual(t, v.Severity, before.Severity, x)
			require.GreaterOrEqual(t, v.Confidence, before.Confidence, x)
			before = v
		}
		require.Equal(t, SeverityCritical, before.Severity)
	}
}

// contrib 46988: scores depend on the value.
func TestScoresDifferAcrossInputs(t *testing.T) {
	f := newFeed(t, latency())
	f.repeat(100, lognormal(1, 500, .3))
	seen := map[float64]bool{}
	for _, x := range []float64{100, 400, 600, 1000, 5000} {
		s := f.s
		seen[f.m.Observe(&s, f.at, x).Score] = true
	}
	require.Len(t, seen, 5)
}

func TestReplayGivesIdenticalVerdicts(t *testing.T) {
	run := func() (list []Verdict) {
		f := newFeed(t, latency())
		for i := range 40 {
			next := lognormal(uint64(i), 500*float64(1+i%3*4), .5)
			for range 50 {
				list = append(list, f.add(next()))
			}
		}
		return list
	}
	first, second := run(), run()
	require.Equal(t, first, second)
}
