package rate

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
)

// source draws the times of calls.
type source struct {
	rng *rand.Rand
	at  float64 // seconds since start
	// rate is in calls a second at a time; gap draws a gap with mean 1.
	rate func(at float64) float64
	gap  func() float64
}

func newSource(seed uint64, perMinute float64) *source {
	s := &source{rng: rand.New(rand.NewPCG(seed, 7))}
	s.rate = func(float64) float64 { return perMinute / 60 }
	s.gap = s.rng.ExpFloat64
	return s
}

// next is the time of the next call in ns; the rate is constant for a second.
func (s *source) next() int64 {
	need := s.gap()
	for {
		r := s.rate(s.at)
		end := math.Floor(s.at) + 1
		if have := r * (end - s.at); have < need {
			need -= have
			s.at = end
			continue
		}
		s.at += need / r
		return start + int64(s.at*1e9)
	}
}

func (s *source) weibull(shape float64) *source {
	mean := math.Gamma(1 + 1/shape)
	s.gap = func() float64 { return math.Pow(s.rng.ExpFloat64(), 1/shape) / mean }
	return s
}

// times multiplies the rate by f.
func (s *source) times(f func(at float64) float64) *source {
	old := s.rate
	s.rate = func(at float64) float64 { return old(at) * f(at) }
	return s
}

// bursts multiplies the rate by gamma variates with mean 1 that hold for the
// given number of minutes each, so that counts of that length are negative
// binomial.
func (s *source) bursts(shape float64, minutes float64) *source {
	block, level := -1., 1.
	return s.times(func(at float64) float64 {
		if b := math.Floor(at / 60 / minutes); b != block {
			block, level = b, gammaVariate(s.rng, shape)/shape
		}
		return level
	})
}

func day(amplitude float64) func(float64) float64 {
	return func(at float64) float64 { return 1 + amplitude*math.Sin(2*math.Pi*at/86400) }
}

// gammaVariate is Marsaglia and Tsang's method.
func gammaVariate(rng *rand.Rand, shape float64) float64 {
	if shape < 1 {
		return gammaVariate(rng, shape+1) * math.Pow(rng.Float64(), 1/shape)
	}
	d := shape - 1./3
	for {
		x := rng.NormFloat64()
		v := 1 + x/math.Sqrt(9*d)
		if v <= 0 {
			continue
		}
		v = v * v * v
		if math.Log(rng.Float64()) < x*x/2+d-d*v+d*math.Log(v) {
			return d * v
		}
	}
}

// noises are the arrivals that must not alarm.
var noises = map[string]func(seed uint64, perMinute float64) *source{
	"poisson":                     newSource,
	"weibull .915":                func(seed uint64, r float64) *source { return newSource(seed, r).weibull(.915) },
	"weibull .6":                  func(seed uint64, r float64) *source { return newSource(seed, r).weibull(.6) },
	"weibull, day +-20 %":         func(seed uint64, r float64) *source { return newSource(seed, r).weibull(.915).times(day(.2)) },
	"weibull, day +-60 %":         func(seed uint64, r float64) *source { return newSource(seed, r).weibull(.915).times(day(.6)) },
	"negative binomial, 1 minute": func(seed uint64, r float64) *source { return newSource(seed, r).bursts(4, 1) },
	"negative binomial, 5 min":    func(seed uint64, r float64) *source { return newSource(seed, r).bursts(10, 5) },
}

func TestDayAndBurstsDoNotAlarm(t *testing.T) {
	m := newArrivals(t, nil)
	series, days := 20, int64(4)
	if testing.Short() {
		series = 4
	}
	for name, draw := range noises {
		t.Run(name, func(t *testing.T) {
			for _, perMinute := range []float64{.5, 5, 30} {
				drops, surges := 0, 0
				for seed := range uint64(series) {
					st := &ArrivalState{}
					for _, r := range run(m, st, draw(1000+seed, perMinute), days*24*hour) {
						if r.Change == Drop {
							drops++
						} else {
							surges++
						}
					}
				}
				minutes := float64(series) * float64(days) * 1440
				t.Logf("%4.1f a minute: %d drops, %d surges in %.0f series-hours", perMinute, drops, surges, minutes/60)
				// Four windows and two sides are judged each minute: one in a million.
				assert.LessOrEqual(t, float64(drops+surges), math.Ceil(8e-6*minutes)+1)
			}
		})
	}
}

// Nor are the gaps of a live stream taken for silence. Each is judged when it
// ends, where the evidence is largest.
func TestGapsOfALiveStreamAreNoSilence(t *testing.T) {
	m := newArrivals(t, nil)
	series, days := 10, int64(4)
	if testing.Short() {
		series = 2
	}
	for name, draw := range noises {
		t.Run(name, func(t *testing.T) {
			for _, perMinute := range []float64{.5, 5, 30} {
				silences := 0
				for seed := range uint64(series) {
					st := &ArrivalState{}
					s := draw(2000+seed, perMinute)
					for at := s.next(); at < start+days*24*hour; at = s.next() {
						if m.Silence(st, at) == Alarm {
							silences++
						}
						m.Observe(st, at, at)
					}
				}
				t.Logf("%4.1f a minute: %d silences in %d series-hours", perMinute, silences, int64(series)*days*24)
				assert.LessOrEqual(t, silences, 1)
			}
		})
	}
}

// How soon a change is found by its size and the traffic.
func TestDelayOfArrivals(t *testing.T) {
	m := newArrivals(t, nil)
	const runs = 40
	for _, c := range []struct {
		perMinute, factor float64
		share, limit      float64 // found within an hour, mean delay in minutes
	}{
		{2, .15, .4, 55},
		{6, .15, .9, 16},
		{6, .3, .8, 25},
		{30, .15, 1, 5},
		{30, .3, 1, 7},
		{300, .15, 1, 3},
		{300, .3, 1, 4},
		{2, 6, 1, 5},
		{2, 3, .9, 25},
		{6, 6, 1, 2},
		{6, 3, 1, 6},
		{30, 6, 1, 1},
		{30, 3, 1, 2},
		{300, 6, 1, .5},
		{300, 3, 1, 1},
	} {
		found, sum := 0, 0.
		for seed := range uint64(runs) {
			st := &ArrivalState{}
			s := newSource(seed, c.perMinute).weibull(.915).times(between(360, 420, c.factor))
			for _, r := range run(m, st, s, 7*hour+5*minute) {
				if delay := float64(r.At-start)/float64(minute) - 360; delay >= 0 {
					found++
					sum += delay
					break
				}
			}
		}
		mean := sum / float64(max(found, 1))
		t.Logf("%5.0f a minute x %-4v found %3d %%, after %4.1f minutes", c.perMinute, c.factor, found*100/runs, mean)
		assert.GreaterOrEqual(t, float64(found), c.share*runs, "%v a minute x %v", c.perMinute, c.factor)
		assert.LessOrEqual(t, mean, c.limit, "%v a minute x %v", c.perMinute, c.factor)
	}
}

func TestShapeOfTheGapsIsLearned(t *testing.T) {
	m := newArrivals(t, nil)
	for _, shape := range []float64{.5, .6, .8, 1} {
		sum := 0.
		for seed := range uint64(40) {
			st := &ArrivalState{}
			run(m, st, newSource(seed, 30).weibull(shape), 2*hour)
			sum += st.shape() / 40
		}
		assert.InDelta(t, shape, sum, .08)
	}
	assert.InDelta(t, .8, (&ArrivalState{}).shape(), .01, "of a fresh series")
}
