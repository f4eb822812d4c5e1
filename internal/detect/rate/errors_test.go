package rate

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const second = int64(1e9)

func newErrors(t testing.TB, change func(*ErrorConfig)) *Errors {
	t.Helper()
	cfg := DefaultErrorConfig()
	if change != nil {
		change(&cfg)
	}
	m, err := NewErrors(cfg)
	require.NoError(t, err)
	return m
}

// feed is a series whose calls come one each second.
type feed struct {
	m   *Errors
	s   *ErrorState
	at  int64
	rng *rand.Rand
}

func newFeed(m *Errors, seed uint64) *feed {
	return &feed{m: m, s: m.NewState(), at: 1_700_000_000 * second, rng: rand.New(rand.NewPCG(seed, 1))}
}

func (f *feed) call(failed bool, kind string) Signal {
	f.at += second
	return f.m.Observe(f.s, f.at, failed, kind)
}

// noise makes n calls of which the share p fails, and counts the alarms.
func (f *feed) noise(n int, p float64) (alarms int) {
	for range n {
		if f.call(f.rng.Float64() < p, "429") == Alarm {
			alarms++
		}
	}
	return alarms
}

// until fails calls with rate p until there is an alarm; 0 when there is none.
func (f *feed) until(limit int, p float64) int {
	for i := range limit {
		if f.call(f.rng.Float64() < p, "429") == Alarm {
			return i + 1
		}
	}
	return 0
}

func TestOneFailedCallIsNoAlarm(t *testing.T) {
	m := newErrors(t, nil)
	for _, quiet := range []int{0, 1, 100, 100_000} {
		f := newFeed(m, 1)
		for range quiet {
			require.Equal(t, None, f.call(false, ""))
		}
		assert.Equal(t, None, f.call(true, "500"), "after %d calls", quiet)
		for range 200 {
			require.Equal(t, None, f.call(false, ""))
		}
		assert.Equal(t, None, f.call(true, "500"), "nor a second one later")
		assert.Equal(t, None, f.call(true, "500"), "nor two in a row")
	}
}

func TestSixOfTenIsFoundWithinThem(t *testing.T) {
	f := newFeed(newErrors(t, nil), 2)
	require.Zero(t, f.noise(5000, .005))
	alarm := 0
	for i, failed := range []bool{true, false, true, true, false, true, false, true, true, false} {
		if f.call(failed, "429") == Alarm && alarm == 0 {
			alarm = i + 1
		}
	}
	require.NotZero(t, alarm)
	assert.LessOrEqual(t, alarm, 8)
	t.Logf("found with call %d of 10", alarm)
}

func TestSeriesThatAlwaysFailedAlarms(t *testing.T) {
	f := newFeed(newErrors(t, nil), 3)
	first := f.until(100, 1)
	assert.Equal(t, 5, first, "with the fewest calls that count")
	r := f.m.Report(f.s)
	assert.EqualValues(t, 5, r.Calls)
	assert.EqualValues(t, 5, r.Failed)
	assert.InDelta(t, 1, r.Rate, 0)
	assert.InDelta(t, .01, r.Expected, 1e-9, "the prior")
	assert.Greater(t, r.Limit, r.Expected)
	assert.LessOrEqual(t, r.Limit, r.Rate)
	assert.EqualValues(t, Medium, r.Severity, "five calls page nobody")
}

func TestSeverityFollowsRateAndEvidence(t *testing.T) {
	f := newFeed(newErrors(t, nil), 4)
	f.noise(2000, .005)
	var told []uint8
	for range 50 {
		if f.call(true, "500") == Alarm {
			told = append(told, f.m.Report(f.s).Severity)
		}
	}
	assert.Equal(t, []uint8{Medium, High, Critical}, told, "and each is told once")

	f = newFeed(newErrors(t, nil), 5)
	f.noise(20_000, .005)
	require.NotZero(t, f.until(3000, .06))
	assert.LessOrEqual(t, f.m.Report(f.s).Severity, uint8(Medium), "one call in twenty")
}

func TestMostFrequentKindIsNamed(t *testing.T) {
	f := newFeed(newErrors(t, nil), 6)
	f.call(true, "content_filter")
	for range 1000 {
		f.call(false, "")
	}
	list := []string{"429", "429", "timeout", "429", "", "429"}
	alarms := 0
	for _, kind := range list {
		if f.call(true, kind) == Alarm {
			alarms++
		}
	}
	require.Positive(t, alarms)
	r := f.m.Report(f.s)
	assert.Equal(t, []KindCount{{"429", 4}, {OtherKind, 1}, {"timeout", 1}}, r.Kinds, "and those before the onset are not counted")
	assert.Equal(t, f.at-5*second, r.Onset)
}

func TestKindsAreBounded(t *testing.T) {
	f := newFeed(newErrors(t, nil), 7)
	for i := range 1000 {
		f.call(true, fmt.Sprintf("error number %d %0200d", i, i))
	}
	r := f.m.Report(f.s)
	assert.LessOrEqual(t, len(r.Kinds), maxKinds)
	sum := uint32(0)
	for _, k := range r.Kinds {
		assert.LessOrEqual(t, len(k.Kind), maxKindName)
		sum += k.Count
	}
	assert.LessOrEqual(t, sum, uint32(1000))
	assert.Less(t, len(f.s.Append(nil)), 1200)
}

func TestRecoveryEndsTheEpisode(t *testing.T) {
	f := newFeed(newErrors(t, nil), 8)
	f.noise(2000, .005)
	require.NotZero(t, f.until(50, .6))
	before := f.s.mean()
	f.noise(300, .6)
	require.True(t, f.s.on)
	assert.InDelta(t, before, f.s.mean(), 0, "nothing is learned from an incident")
	recovered := 0
	for i := range 100 {
		if f.call(false, "") == Recovered {
			recovered = i + 1
			break
		}
	}
	require.NotZero(t, recovered)
	assert.Less(t, recovered, 20)
	t.Logf("recovered after %d calls", recovered)
	f.at += 600 * second
	assert.NotZero(t, f.until(50, .6), "the next incident is news")
}

func TestCoolDownKeepsAFlutteringSeriesQuiet(t *testing.T) {
	f := newFeed(newErrors(t, nil), 9)
	f.noise(2000, .005)
	alarms := 0
	for range 4 { // within 5 minutes
		for range 8 {
			if f.call(true, "500") == Alarm {
				alarms++
			}
		}
		for range 40 {
			f.call(false, "")
		}
	}
	assert.Equal(t, 2, alarms, "the first as medium and as high")
}

func TestLastingRateBecomesNormal(t *testing.T) {
	f := newFeed(newErrors(t, nil), 10)
	f.noise(2000, .005)
	require.NotZero(t, f.until(200, .3))
	onset := f.m.Report(f.s).Onset
	var rebased int64
	for range 8000 {
		if f.call(f.rng.Float64() < .3, "429") == Rebased {
			rebased = f.at
			break
		}
	}
	require.NotZero(t, rebased)
	assert.Equal(t, 3600*second, rebased-onset)
	assert.InDelta(t, .3, f.s.mean(), .03)
	assert.Zero(t, f.noise(20_000, .3), "the new normal")
	assert.NotZero(t, f.until(200, .9), "and what is worse is found")
}

func TestPermanentFailureBecomesNormalAndIsNotToldAgain(t *testing.T) {
	f := newFeed(newErrors(t, nil), 13)
	f.noise(2000, .005)
	told := f.noise(20_000, 1)
	assert.Equal(t, 3, told, "as medium, high and critical")
	require.False(t, f.s.on)
	assert.InDelta(t, 1, f.s.mean(), .01)
	f.noise(3000, .005)
	assert.Less(t, f.s.mean(), .02, "a repair is learned")
	assert.NotZero(t, f.until(50, 1), "and the next failure is found")
}

// The promise is one alarm in a million calls.
func TestFalseAlarmsOfErrors(t *testing.T) {
	m := newErrors(t, nil)
	for _, p := range []float64{.0005, .002, .005, .01, .03, .1, .3} {
		calls, alarms := 4_000_000, 0
		if testing.Short() {
			calls /= 10
		}
		for seed := range uint64(20) {
			f := newFeed(m, 100+seed)
			// What a series of this rate begins with is judged by the prior.
			if p > .01 {
				f.s.failed, f.s.calls = p*memory, memory
				m.refresh(f.s)
			}
			alarms += f.noise(calls/20, p)
		}
		t.Logf("rate %v: %d alarms in %d calls", p, alarms, calls)
		assert.LessOrEqual(t, alarms, 4, "rate %v", p)
	}
}

// Fresh series with a usual rate do not alarm while they learn.
func TestFalseAlarmsOfFreshSeries(t *testing.T) {
	m := newErrors(t, nil)
	for _, p := range []float64{.002, .01, .02} {
		alarms := 0
		for seed := range uint64(2000) {
			alarms += newFeed(m, seed).noise(300, p)
		}
		t.Logf("rate %v: %d alarms in the first 300 calls of 2000 series", p, alarms)
		assert.LessOrEqual(t, alarms, map[float64]int{.002: 0, .01: 2, .02: 6}[p])
	}
}

func TestDelayOfErrors(t *testing.T) {
	m := newErrors(t, nil)
	for _, c := range []struct {
		normal, bad float64
		limit       float64
	}{{.005, 1, 5}, {.005, .6, 9}, {.005, .3, 21}, {.005, .1, 100}, {.01, .05, 800}, {.05, .3, 55}, {.05, 1, 8}} {
		sum, found := 0, 0
		const runs = 200
		for seed := range uint64(runs) {
			f := newFeed(m, seed)
			f.s.failed, f.s.calls = c.normal*memory, memory
			m.refresh(f.s)
			f.noise(500, c.normal)
			if n := f.until(4000, c.bad); n > 0 {
				sum += n
				found++
			}
		}
		mean := float64(sum) / float64(max(found, 1))
		t.Logf("%4.1f %% -> %3.0f %%: found %d of %d, after %.1f calls", c.normal*100, c.bad*100, found, runs, mean)
		assert.GreaterOrEqual(t, found, runs*98/100)
		assert.LessOrEqual(t, mean, c.limit)
	}
}

// The sums are the largest likelihood ratio over all windows that end now.
func TestSumIsTheLargestLikelihoodRatio(t *testing.T) {
	m := newErrors(t, func(c *ErrorConfig) { c.FalseAlarms = 1e-12 })
	rng := rand.New(rand.NewPCG(11, 1))
	s := m.NewState()
	var past []bool
	for i := range 31 { // within the first block: the steps stay as they are
		failed := rng.Float64() < .15
		past = append(past, failed)
		require.Equal(t, None, m.Observe(s, int64(i+1), failed, ""))
		for j := range alternatives {
			best, sum := 0., 0.
			for k := len(past) - 1; k >= 0; k-- {
				if past[k] {
					sum += s.up[j]
				} else {
					sum += s.down[j]
				}
				best = max(best, sum)
			}
			require.InDelta(t, best, s.sums[j].sum, 1e-9)
		}
	}
}

func TestErrorConfigNamesFieldAndValue(t *testing.T) {
	_, err := NewErrors(ErrorConfig{PriorRate: 2, CoolDown: -1})
	for _, want := range []string{"prior_rate must be above 0 and at most 0.5, got 2", "false_alarms", "min_requests", "min_increase", "rebase_after", "cool_down must be 0 or above, got -1 ns"} {
		assert.ErrorContains(t, err, want)
	}
}

func TestErrorStateGoesOnAfterTheCodec(t *testing.T) {
	m := newErrors(t, nil)
	a := newFeed(m, 12)
	b := newFeed(m, 12)
	rate := .01
	for i := range 20_000 {
		switch i % 4000 {
		case 1000:
			rate = .5
		case 1100:
			rate = .01
		}
		failed := a.rng.Float64() < rate
		kind := []string{"429", "timeout", ""}[i%3]
		require.Equal(t, a.call(failed, kind), b.call(failed, kind), "call %d", i)
		if i%7 == 0 {
			blob := b.s.Append(nil)
			back, err := m.ReadState(blob)
			require.NoError(t, err)
			require.Equal(t, blob, back.Append(nil))
			b.s = back
		}
	}
}

func FuzzReadErrors(f *testing.F) {
	m := newErrors(f, nil)
	s := newFeed(m, 1)
	f.Add(s.s.Append(nil))
	s.noise(100, .02)
	f.Add(s.s.Append(nil))
	s.noise(100, .9)
	f.Add(s.s.Append(nil))
	f.Fuzz(func(t *testing.T, blob []byte) {
		st, err := m.ReadState(blob)
		if err != nil {
			require.ErrorIs(t, err, ErrState)
			return
		}
		require.Equal(t, blob, st.Append(nil))
		for i := range 200 {
			m.Observe(st, int64(i), i%3 == 0, "x")
		}
		m.Report(st)
	})
}

func BenchmarkErrors(b *testing.B) {
	m := newErrors(b, nil)
	for _, p := range []float64{0, .005, .05} {
		b.Run(fmt.Sprintf("rate=%v", p), func(b *testing.B) {
			f := newFeed(m, 1)
			f.noise(5000, p)
			failed := make([]bool, 1024)
			for i := range failed {
				failed[i] = f.rng.Float64() < p
			}
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				m.Observe(f.s, int64(i), failed[i&1023], "429")
				i++
			}
		})
	}
}

func TestErrorsAllocateNothing(t *testing.T) {
	m := newErrors(t, nil)
	f := newFeed(m, 1)
	f.noise(1000, .05)
	i := 0
	assert.Zero(t, testing.AllocsPerRun(2000, func() {
		i++
		m.Observe(f.s, int64(i), i%50 == 0, "429")
	}))
}
