package ensemble

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// runs is normal noise in which one value in a hundred begins a run of so many
// that are larger by a factor, drawn anew for each run.
func runs(length int) func(r *rand.Rand) func() float64 {
	return func(r *rand.Rand) func() float64 {
		left, by := 0, 1.
		return func() float64 {
			if left--; left < 0 && r.Float64() < .01 {
				left, by = length, math.Exp(r.ExpFloat64())
			}
			x := 100 + 10*r.NormFloat64()
			if left > 0 {
				x *= by
			}
			return x
		}
	}
}

func TestTheRateIsThatOfAlarms(t *testing.T) {
	const series, length, rate = 20, 8000, 1e-3
	all := append(families(), family{name: "runs of 5", new: runs(5)}, family{name: "runs of 12", new: runs(12)}, family{name: "runs of 30", new: runs(30)})
	for _, f := range all {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			m := newModel(t, Config{Threshold: minThreshold, Rate: rate})
			alarms, byP := 0, 0
			for i := range uint64(series) {
				var s State
				value := f.new(rand.New(rand.NewPCG(i, 7)))
				for k := range int64(length) {
					v := m.Observe(&s, k*int64(time.Minute), value())
					if v.Alarm {
						alarms++
					}
					if v.News && v.P <= rate {
						byP++
					}
					if v.Rate > v.P {
						t.Fatalf("a rate of %v of values of which %v are such", v.Rate, v.P)
					}
				}
			}
			assert.InDelta(t, 0, math.Log2(float64(alarms)/(rate*series*length)), 1, "%d alarms", alarms)
			assert.Greater(t, alarms, byP, "a bound on the p-value counts an incident by its length")
		})
	}
}

// What has been seen once is no reason to be silent, however large it was.
func TestAnIncidentDoesNotHideTheNext(t *testing.T) {
	const series = 40
	m := newModel(t, Config{Rate: 2. / 1008}) // twice a week, in steps of 10 minutes
	for _, first := range []float64{1, 5, 100} {
		found := 0
		for seed := range uint64(series) {
			r := rand.New(rand.NewPCG(seed, 9))
			var s State
			alarm := false
			for k := range 1312 {
				x := 100 * math.Exp(.5*r.NormFloat64())
				if k >= 700 && k < 712 {
					x *= first
				}
				if k >= 1300 {
					x *= 8
				}
				v := m.Observe(&s, int64(k)*int64(10*time.Minute), x)
				alarm = alarm || v.Alarm && k >= 1300
			}
			if alarm {
				found++
			}
		}
		assert.GreaterOrEqual(t, found, series*8/10, "two hours at 8 times the usual, 100 hours after two at %v times", first)
	}
}

func TestMemoryOfPeaksIsBounded(t *testing.T) {
	for _, every := range []int{80, 5000} {
		var p peaks
		for i := range 1_000_000 {
			p.pass()
			if i%every == 0 {
				p.learn(1, 1)
			}
			if p.count >= peaksMemory || p.values >= peaksSpan {
				t.Fatalf("%d peaks of %d values", p.count, p.values)
			}
		}
		assert.InEpsilon(t, 1/float64(every), float64(p.count)/float64(p.values), .1)
		assert.InEpsilon(t, 1, p.over.mean, 1e-6)
	}
}
