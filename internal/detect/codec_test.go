package detect

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestRestoredStateGoesOnIdentically(t *testing.T) {
	for _, window := range []int{16, 64, 100, 255} {
		for _, fed := range []int{0, 1, 7, 15, 16, 20, 40, 300, 305, 330} {
			c := noCoolDown(latency())
			c.Window = window
			f := newFeed(t, c)
			next := lognormal(1, 500, .3)
			f.repeat(min(fed, 300), next)
			f.repeat(fed-min(fed, 300), func() float64 { return 20 * next() }) // in an episode

			b := f.m.AppendState([]byte("x"), &f.s)
			var g State
			rest, err := f.m.ReadState(append(b, "yz"...)[1:], &g)
			require.NoError(t, err)
			require.Equal(t, "yz", string(rest))
			require.Equal(t, b[1:], f.m.AppendState(nil, &g))
			for i := range 500 {
				x := next()
				if i%100 > 70 {
					x *= 20
				}
				f.at += second
				require.Equal(t, f.m.Observe(&f.s, f.at, x), f.m.Observe(&g, f.at, x), "window %d fed %d step %d", window, fed, i)
			}
		}
	}
}

func TestForeignStatesAreRefused(t *testing.T) {
	f := newFeed(t, latency())
	f.repeat(100, lognormal(1, 500, .3))
	b := f.m.AppendState(nil, &f.s)

	other := latency()
	other.Window = 32
	var s State
	_, err := newFeed(t, other).m.ReadState(b, &s)
	require.ErrorIs(t, err, ErrState)
	require.ErrorContains(t, err, "belongs to another configuration")

	c := append([]byte{}, b...)
	c[0] = 99
	_, err = f.m.ReadState(c, &s)
	require.ErrorContains(t, err, "version must be 3, got 99")
	for i := range b {
		_, err = f.m.ReadState(b[:i], &s)
		require.ErrorIs(t, err, ErrState)
		require.Equal(t, f.m.NewState(), s)
	}
}

func TestFingerprintFollowsTheConfiguration(t *testing.T) {
	base, same := newFeed(t, Config{}).m, newFeed(t, Config{Window: 64, MinSamples: 16, Detectors: []DetectorConfig{
		{Name: "z_score", Threshold: lookup("z_score").info.DefaultThreshold},
		{Name: "iqr"},
		{Name: "mad"},
		{Name: "cusum", Params: map[string]float64{"k": .5}},
	}}).m
	require.Equal(t, base.Fingerprint(), same.Fingerprint(), "defaults spelled out")
	seen := map[uint64]bool{base.Fingerprint(): true}
	for _, c := range []Config{
		{Scale: Log},
		{LogOffset: 1},
		{Direction: Up},
		{Window: 65},
		{MinSamples: 17},
		{MinRelative: .1},
		{MinAbsolute: 1},
		{CoolDown: 1},
		{LoneScore: 2},
		{Detectors: []DetectorConfig{{Name: "mad"}}},
		{Detectors: []DetectorConfig{{Name: "mad", Threshold: 6}}},
		{Detectors: []DetectorConfig{{Name: "cusum"}}},
		{Detectors: []DetectorConfig{{Name: "cusum", Params: map[string]float64{"k": .4}}}},
	} {
		fp := newFeed(t, c).m.Fingerprint()
		require.False(t, seen[fp], "%+v", c)
		seen[fp] = true
	}
}

// Whatever ReadState accepts must be usable.
func FuzzReadState(f *testing.F) {
	for _, window := range []int{64, 255} {
		c := latency()
		c.Window = window
		fd := newFeed(f, c)
		next := lognormal(1, 500, .3)
		for _, n := range []int{0, 10, 30, 300} {
			fd.repeat(n, next)
			f.Add(fd.m.AppendState(nil, &fd.s)[9:])
		}
		fd.repeat(10, func() float64 { return 50 * next() })
		f.Add(fd.m.AppendState(nil, &fd.s)[9:])
	}
	c := latency()
	short, _ := NewModel(c)
	c.Window = 255
	long, _ := NewModel(c)
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, m := range []*Model{short, long} {
			b := m.AppendState(nil, &State{win: window{long: new(tail)}})[:9] // the right version and fingerprint
			s := m.NewState()
			if _, err := m.ReadState(append(b, body...), &s); err != nil {
				require.ErrorIs(t, err, ErrState)
				require.Zero(t, s.samples)
				continue
			}
			for i := range 300 {
				v := m.Observe(&s, int64(i), float64(1+i%7))
				require.LessOrEqual(t, v.Severity, SeverityCritical)
				require.False(t, v.Score < 0 || v.Score != v.Score, "%+v", v)
				require.True(t, v.Confidence >= 0 && v.Confidence <= 1)
			}
		}
	})
}
