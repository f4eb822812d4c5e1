package rate

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// watch feeds calls that arrive when they end, looks for silence every 5 seconds
// as the product does, and returns the drops that are told.
func watch(m *Arrivals, st *ArrivalState, s *source, until int64) (found []ArrivalReport) {
	told := func(signal Signal) {
		if signal == Alarm && st.report.Change == Drop {
			found = append(found, st.report)
		}
	}
	look := start + int64(s.at*1e9)
	for {
		at := s.next()
		for ; look < min(at, start+until); look += 5 * second {
			told(m.Silence(st, look))
		}
		if at >= start+until {
			return found
		}
		told(m.Observe(st, at, at))
	}
}

// The rhythm of a day makes the forecast of long windows wrong, and their limits
// so wide that a stop of 40 minutes lies within.
func TestStopOfAServiceWithARhythmIsTold(t *testing.T) {
	m := newArrivals(t, nil)
	for _, rest := range []float64{0, .01} {
		for hourOfDay := range 8 {
			stop := float64(4*1440 + hourOfDay*180)
			s := newSource(uint64(hourOfDay), 60).weibull(.915).times(day(.9)).times(between(stop, stop+40, rest))
			found := watch(m, &ArrivalState{}, s, int64(stop+60)*minute)
			if assert.NotEmpty(t, found, "%v of the calls left, hour %d", rest, 3*hourOfDay) {
				delay := float64(found[0].At-start)/float64(minute) - stop
				t.Logf("%v of the calls left, hour %2d: after %4.1f minutes", rest, 3*hourOfDay, delay)
				assert.True(t, delay > 0 && delay < 30, "%v of the calls left, hour %d: after %v minutes", rest, 3*hourOfDay, delay)
			}
		}
	}
}

func TestLongPausesAreNoNews(t *testing.T) {
	m := newArrivals(t, nil)
	for _, perMinute := range []float64{1, 6, 30} {
		told := 0
		for seed := range uint64(10) {
			st := &ArrivalState{}
			s := newSource(seed, perMinute).weibull(.915)
			// 10 to 60 minutes of calls, then as long a pause, and so on.
			until, on := 0., 0.
			s.times(func(at float64) float64 {
				for at >= until {
					until += 600 + 3000*s.rng.Float64()
					on = 1 - on
				}
				return on
			})
			watch(m, st, s, 24*hour)
			told += len(watch(m, st, s, 6*24*hour))
		}
		t.Logf("%v a minute: %d drops in 1200 series-hours", perMinute, told)
		assert.LessOrEqual(t, told, 2, "%v a minute, 1200 series-hours", perMinute)
	}
}

func TestOneIncidentIsNoHabit(t *testing.T) {
	var r record
	r.pause(60, Steady)
	for now := range int64(2 * longest) {
		assert.Zero(t, r.gap, "what is fresh may belong to an incident")
		r.fade(now + 1)
	}
	require.InDelta(t, 60, r.gap, 1)
	r.pause(90, Steady)
	r.begin()
	r.pause(7200, Drop)
	r.pause(300, Drop)
	r.close()
	assert.InDelta(t, 60, r.gap, 1)
	r.pause(3600, Drop)
	r.close()
	assert.InDelta(t, 60+3540./8, r.gap, 1, "the second time an eighth of the shorter one is learned")
	for range 30 {
		r.pause(3600, Drop)
		r.close()
	}
	assert.InDelta(t, 3600, r.gap, 100)
	for now := range int64(recordMemory) {
		r.fade(now)
	}
	assert.InDelta(t, 3600/2.718, r.gap, 40)
	assert.Less(t, 3600., gapNews*r.gap, "a pause once a week is never news")
}

// The same stop four days in a row is told every time, if later from the third on.
func TestEachStopOfAWeekIsTold(t *testing.T) {
	m := newArrivals(t, nil)
	for _, rest := range []float64{0, .01} {
		st := &ArrivalState{}
		s := newSource(1, 30).weibull(.915).times(day(.5))
		watch(m, st, s, 2*24*hour)
		for stop := range 4 {
			from := float64((2+stop)*1440 + 600)
			s.times(between(from, from+120, rest))
			found := watch(m, st, s, int64(from+24*60-600)*minute)
			require.NotEmpty(t, found, "stop %d", stop)
			delay := float64(found[0].At-start)/float64(minute) - from
			t.Logf("%v of the calls left, stop %d: after %4.1f minutes", rest, stop, delay)
			assert.True(t, delay > 0 && delay < 15, "stop %d: after %v minutes", stop, delay)
			assert.Less(t, st.worst.gap, []float64{60, 600, 1000, 1300}[stop], "an incident is not learned, and a habit slowly")
		}
	}
}

func TestRecordMeansNothingBeforeADay(t *testing.T) {
	m := newArrivals(t, nil)
	st := &ArrivalState{}
	s := newSource(1, 30)
	run(m, st, s, 22*hour)
	require.False(t, m.longer(st, 1e9))
	require.False(t, m.deeper(st, 3, 0, 1e9))
	run(m, st, s, 26*hour)
	assert.True(t, m.longer(st, 60))
	assert.False(t, m.longer(st, 20))
	assert.True(t, m.deeper(st, 2, 100, 480))
	assert.False(t, m.deeper(st, 2, 130, 480))
	st.doubt[Drop] = 1
	assert.False(t, m.deeper(st, 2, 100, 480), "doubt widens this limit, too")
}

func TestRecordSurvivesTheCodec(t *testing.T) {
	m := newArrivals(t, nil)
	st := &ArrivalState{}
	st.worst = record{fall: [numScales]float64{4, 3, 2, 1.5}, gap: 90, told: 7200, open: 600}
	blob := st.Append(nil)
	back, err := m.ReadState(blob)
	require.NoError(t, err)
	assert.Equal(t, st.worst, back.worst)
	blob[0]--
	_, err = m.ReadState(blob)
	require.ErrorIs(t, err, ErrState, "the form before there was a record")
}
