package detect

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// busy is a series of a hundred values a second.
type busy struct {
	m    *Model
	s    State
	at   int64
	next *rand.Rand
}

func newBusy(t *testing.T, every time.Duration) *busy {
	t.Helper()
	c := DefaultConfig()
	c.LearnEvery = every
	m, err := NewModel(c)
	require.NoError(t, err)
	b := &busy{m: m, next: rand.New(rand.NewPCG(4, 2))}
	b.s = b.m.NewState()
	return b
}

// add shows n values around 100 times factor, and returns the number of alarms.
func (b *busy) add(n int, factor float64) (alarms int) {
	for range n {
		b.at += int64(10 * time.Millisecond)
		x := 100 * factor * math.Exp(.2*b.next.NormFloat64())
		if !b.m.Absorb(&b.s, b.at, x) && b.m.Observe(&b.s, b.at, x).Alarm {
			alarms++
		}
	}
	return alarms
}

func TestABusySeriesLearnsFromASample(t *testing.T) {
	b := newBusy(t, DefaultLearnEvery)
	b.add(DefaultWindow+2*lagSize, 1)
	full := b.s.Samples()
	b.add(100*60, 1)
	learned := b.s.Samples() - full
	assert.InDelta(t, 8*60/4, learned, 16, "of 6000 values in a minute")

	all := newBusy(t, 0)
	all.add(DefaultWindow+2*lagSize+100*60, 1)
	assert.Greater(t, all.s.Samples(), uint64(6000))
}

func TestABusySeriesIsJudgedAsIfAllWereLearned(t *testing.T) {
	run := func(every time.Duration) (noise, shifts, bursts int) {
		for seed := range uint64(30) {
			b := newBusy(t, every)
			b.next = rand.New(rand.NewPCG(seed, 3))
			noise += b.add(10_000, 1)
			before := *b
			if b.add(400, 1.8) > 0 {
				shifts++
			}
			if before.add(20, 3) > 0 {
				bursts++
			}
		}
		return noise, shifts, bursts
	}
	noise, shifts, bursts := run(0)
	sampleNoise, sampleShifts, sampleBursts := run(DefaultLearnEvery)
	assert.LessOrEqual(t, sampleNoise, noise+10, "alarms of 300 000 values of noise")
	assert.GreaterOrEqual(t, sampleShifts, shifts-4, "shifts by three standard deviations, found within 4 s")
	assert.GreaterOrEqual(t, bursts, 26, "of a fifth of a second; some are within the cool-down")
	assert.GreaterOrEqual(t, sampleBursts, bursts-1)
}

func TestABusySeriesFollowsANewNormal(t *testing.T) {
	b := newBusy(t, DefaultLearnEvery)
	b.add(5000, 1)
	b.add(10_000, 4)
	assert.LessOrEqual(t, b.add(20_000, 4), 2)
	require.NotZero(t, b.add(400, 1), "the old level is the unusual one now")
}

func TestValuesOfOneMomentAreAllLearned(t *testing.T) {
	b := newBusy(t, DefaultLearnEvery)
	r := rand.New(rand.NewPCG(1, 2))
	for range 1000 {
		b.m.Observe(&b.s, 7, 100*math.Exp(.2*r.NormFloat64()))
	}
	assert.Greater(t, b.s.Samples(), uint64(950), "times tell nothing here")
}
