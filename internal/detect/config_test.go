package detect

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestConfigNamesWhatIsWrong(t *testing.T) {
	for _, c := range []struct {
		name string
		cfg  Config
		want string
	}{
		{"window low", Config{Window: 15}, "window must be in 16..255, got 15"},
		{"window high", Config{Window: 256}, "window must be in 16..255, got 256"},
		{"min samples", Config{Window: 32, MinSamples: 33}, "min_samples must be in 8..window (32), got 33"},
		{"relative", Config{MinRelative: -1}, "min_relative must be a finite number >= 0, got -1"},
		{"absolute", Config{MinAbsolute: math.NaN()}, "min_absolute must be a finite number >= 0, got NaN"},
		{"offset", Config{LogOffset: math.Inf(1)}, "log_offset must be a finite number >= 0, got +Inf"},
		{"lone score", Config{LoneScore: .5}, "lone_score must be 0 (default) or in 1..10, got 0.5"},
		{"cool-down", Config{CoolDown: -1}, "cool_down must be >= 0, got -1ns"},
		{"scale", Config{Scale: 7}, "scale must be linear or log, got Scale(7)"},
		{"direction", Config{Direction: 7}, "direction must be up, down or both, got Direction(7)"},
		{"no detectors", Config{Detectors: []DetectorConfig{}}, "detectors must list 1..8 detectors, got 0"},
		{"unknown", Config{Detectors: []DetectorConfig{{Name: "x"}}}, `detector name must be one of ["z_score" "iqr" "mad" "cusum"], got "x"`},
		{"twice", Config{Detectors: []DetectorConfig{{Name: "mad"}, {Name: "mad"}}}, `detectors must not repeat a name, got "mad" twice`},
		{"threshold", Config{Detectors: []DetectorConfig{{Name: "mad", Threshold: 1}}}, "detector mad: threshold must be 0 (default) or in 2..10, got 1"},
		{"param", Config{Detectors: []DetectorConfig{{Name: "cusum", Params: map[string]float64{"k": 3}}}}, "detector cusum: k must be in 0.1..2, got 3"},
		{"foreign param", Config{Detectors: []DetectorConfig{{Name: "cusum", Params: map[string]float64{"h": 3}}}}, `detector cusum: params must be among ["k"], got 1 other(s)`},
	} {
		t.Run(c.name, func(t *testing.T) {
			require.ErrorContains(t, c.cfg.Validate(), c.want)
			_, err := NewModel(c.cfg)
			require.ErrorContains(t, err, c.want)
		})
	}
	require.NoError(t, Config{}.Validate())
	require.NoError(t, DefaultConfig().Validate())
}

func TestEnumsRoundTrip(t *testing.T) {
	for _, s := range []Scale{Linear, Log} {
		b, _ := s.MarshalText()
		var got Scale
		require.NoError(t, got.UnmarshalText(b))
		require.Equal(t, s, got)
	}
	for _, d := range []Direction{Up, Down, Both} {
		b, _ := d.MarshalText()
		var got Direction
		require.NoError(t, got.UnmarshalText(b))
		require.Equal(t, d, got)
	}
	require.ErrorContains(t, new(Scale).UnmarshalText([]byte("ln")), `scale must be linear or log, got "ln"`)
	require.ErrorContains(t, new(Direction).UnmarshalText([]byte("x")), `direction must be up, down or both, got "x"`)
}

// A stricter or looser setting must show in the verdicts.
func TestEachSettingChangesVerdicts(t *testing.T) {
	spikes := func(c Config) int {
		f := newFeed(t, c)
		f.repeat(200, lognormal(1, 100, .2))
		for _, x := range []float64{250, 350, 500} {
			s := f.s
			if f.m.Observe(&s, f.at, x).Anomalous {
				f.count.anomalous++
			}
		}
		return f.count.anomalous
	}
	only := func(name string, threshold float64) Config {
		return Config{Scale: Log, Detectors: []DetectorConfig{{Name: name, Threshold: threshold}}}
	}
	for _, name := range Names()[:3] {
		info := lookup(name).info
		require.Greater(t, spikes(only(name, info.MinThreshold+1.5)), spikes(only(name, info.MaxThreshold)), name)
	}
	delay := func(h, k float64) int {
		f := newFeed(t, Config{Detectors: []DetectorConfig{{Name: "cusum", Threshold: h, Params: map[string]float64{"k": k}}}})
		f.repeat(200, lognormal(1, 100, .1))
		return f.until(100, lognormal(1, 115, .1))
	}
	require.Less(t, delay(8, .5), delay(20, .5))
	require.Less(t, delay(14, .3), delay(14, 1))
}

func TestRegistryIsConsistent(t *testing.T) {
	require.Equal(t, []string{"z_score", "iqr", "mad", "cusum"}, Names())
	words := 0
	for _, r := range registry {
		require.NotEmpty(t, r.info.Doc)
		require.NotEmpty(t, r.info.ThresholdUnit)
		require.GreaterOrEqual(t, r.info.DefaultThreshold, r.info.MinThreshold)
		require.LessOrEqual(t, r.info.DefaultThreshold, r.info.MaxThreshold)
		require.LessOrEqual(t, len(r.info.Extra), MaxExtra)
		words += r.words
	}
	require.LessOrEqual(t, words, wordCount, "all detectors together must fit into a state")
	require.LessOrEqual(t, len(registry), MaxDetectors)
	m, err := NewModel(Config{})
	require.NoError(t, err)
	for i := range registry {
		require.Equal(t, registry[i].info.Name, m.DetectorName(uint8(i)))
		require.Equal(t, registry[i].info.Extra, m.ExtraNames(uint8(i)))
	}
	require.Empty(t, m.DetectorName(100))
	require.Nil(t, m.ExtraNames(100))
}
