package detect

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// Whatever Absorb takes, Observe would have passed over in silence, with the
// same state in the end; what it does not take, it leaves alone.
func TestAbsorbDoesWhatObserveDoes(t *testing.T) {
	for name, c := range map[string]Config{
		"latency":     noCoolDown(latency()),
		"linear":      {MinAbsolute: 5, MinRelative: .1},
		"only spikes": {Scale: Log, Detectors: []DetectorConfig{{Name: "mad"}}},
		"only shifts": {Scale: Log, Detectors: []DetectorConfig{{Name: "cusum"}}},
		"window 17":   {Scale: Log, Window: 17},
		"window 255":  {Window: 255, MinSamples: 100},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFeed(t, c)
			quick := f.m.NewState()
			r := rand.New(rand.NewPCG(3, 3))
			taken, findings := 0, 0
			next := lognormal(4, 500, .3)
			for i := range 20_000 {
				x := next()
				switch {
				case i%1000 > 900, i > 15_000: // shifts that end, and one that does not
					x *= 3
				case r.IntN(50) == 0: // near the limits
					x *= 1 + 6*r.Float64()
				case i%777 == 0:
					x = -1
				}
				before := quick
				if f.m.Absorb(&quick, f.at+second, x) {
					taken++
					v := f.add(x)
					require.False(t, v.Anomalous || v.Alarm || v.Rebased || v.Recovered, "step %d %+v", i, v)
				} else {
					require.Equal(t, before, quick)
					v := f.add(x)
					require.Equal(t, v, f.m.Observe(&quick, f.at, x))
					if v.Anomalous {
						findings++
					}
				}
				if c.Window <= flatWindow {
					require.Equal(t, f.s, quick, "step %d", i)
				} else {
					require.Equal(t, f.m.AppendState(nil, &f.s), f.m.AppendState(nil, &quick), "step %d", i)
				}
			}
			require.Greater(t, taken, 10_000)
			require.Positive(t, findings)
		})
	}
}

// The reference is what left the lag: all values but the newest 8 to 15, at
// most a window of them.
func TestReferenceIsTheWindowBehindTheLag(t *testing.T) {
	for _, window := range []int{16, 17, 64, 100} {
		m, err := NewModel(Config{Window: window})
		require.NoError(t, err)
		s := m.NewState()
		next := lognormal(5, 100, .1)
		var all brute
		for i := range 5 * window {
			x := float64(float32(next()))
			all = append(all, x)
			m.Observe(&s, int64(i), x)
			lag := int(s.lagN)
			if i >= DefaultMinSamples+2*lagSize {
				require.GreaterOrEqual(t, lag, lagSize)
				require.Less(t, lag, 2*lagSize)
			}
			if i < DefaultMinSamples {
				continue
			}
			learned := all[:len(all)-lag]
			learned = learned[max(0, len(learned)-window):]
			require.Len(t, learned, int(s.win.n))
			var r reference
			m.refer(&s, &r)
			mean, sd := learned.moments()
			require.InEpsilon(t, mean, r.mean, 1e-9, "step %d", i)
			require.InEpsilon(t, sd, r.sd, 1e-6)
			require.InEpsilon(t, learned.quantile(.5), r.med, 1e-9)
			require.InEpsilon(t, learned.quantile(.75), r.q3, 1e-9)
			require.InEpsilon(t, learned.mad(), r.mad, 1e-6)
		}
	}
}
