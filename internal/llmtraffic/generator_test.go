package llmtraffic

import (
	"math"
	"sort"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// plain drops the pointers, which differ between two generators.
func plain(c Call) Call {
	c.Service, c.Model = nil, nil
	return c
}

func TestSameSeedSameCalls(t *testing.T) {
	a, b := allCalls(t, testOptions(), 1), allCalls(t, testOptions(), 1)
	require.Greater(t, len(a), 20_000)
	require.Len(t, b, len(a))
	for i := range a {
		require.Equal(t, plain(a[i]), plain(b[i]))
	}
	o := testOptions()
	o.Seed = 2
	assert.NotEqual(t, plain(a[0]), plain(allCalls(t, o, 1)[0]))
}

func TestLanesChangeNothingButTheConnection(t *testing.T) {
	one, three := allCalls(t, testOptions(), 1), allCalls(t, testOptions(), 3)
	require.Len(t, three, len(one))
	sort.SliceStable(three, func(i, j int) bool {
		if three[i].End != three[j].End {
			return three[i].End < three[j].End
		}
		return string(three[i].TraceID[:]) < string(three[j].TraceID[:])
	})
	for i := range one {
		require.Equal(t, plain(one[i]), plain(three[i]))
	}
}

func TestCallsComeInEventTimeOrderAndAreWellFormed(t *testing.T) {
	o := testOptions()
	o.ErrorRate = .2
	var last int64
	ids := map[[16]byte]bool{}
	for _, c := range allCalls(t, o, 1) {
		require.GreaterOrEqual(t, c.End, last)
		last = c.End
		require.False(t, ids[c.TraceID], "trace ids are unique")
		ids[c.TraceID] = true
		require.GreaterOrEqual(t, c.Start, epoch.UnixNano())
		require.Less(t, c.Start, epoch.Add(o.Duration).UnixNano())
		require.Greater(t, c.End, c.Start)
		require.LessOrEqual(t, c.End-c.Start, int64(maxLatency))
		require.LessOrEqual(t, c.TTFT, c.End-c.Start)
		switch c.ErrorType {
		case "":
			require.Positive(t, c.Input)
			require.Positive(t, c.Output)
			require.Positive(t, c.Cost)
		case "429", "timeout":
			require.Negative(t, c.Input, "a call that was not answered has no token counts")
			require.Negative(t, c.Cost)
		case "content_filter":
			require.Zero(t, c.Output)
		default:
			t.Fatalf("unknown error %q", c.ErrorType)
		}
	}
}

func TestErrorRateIsTheShareOfFailingCalls(t *testing.T) {
	o := testOptions()
	o.ErrorRate = .1
	calls := allCalls(t, o, 1)
	failed := 0
	for i := range calls {
		if calls[i].ErrorType != "" {
			failed++
		}
	}
	assert.InDelta(t, .1, float64(failed)/float64(len(calls)), .01)
}

func TestRateAndDailyRhythmFollowTheTrace(t *testing.T) {
	o := testOptions()
	o.Duration, o.Rate, o.Services, o.Models = 10*24*time.Hour, .5, Services(1), Models(1)
	var byHour [24]float64
	calls := allCalls(t, o, 1)
	for i := range calls {
		byHour[time.Unix(0, calls[i].Start).UTC().Hour()]++
	}
	assert.InEpsilon(t, .5*o.Duration.Seconds(), float64(len(calls)), .02)
	mean := float64(len(calls)) / 24
	for h, n := range byHour {
		// The profile is interpolated between the middles of the hours.
		prev, next := fitted.Diurnal.Hourly[(h+23)%24], fitted.Diurnal.Hourly[(h+1)%24]
		want := fitted.Diurnal.Hourly[h]*.75 + prev*.125 + next*.125
		assert.InDelta(t, want, n/mean, .05, "hour %d", h)
	}
}

func TestIncidentChangesOnlyItsSeriesAndTime(t *testing.T) {
	for _, info := range Kinds() {
		t.Run(string(info.Kind), func(t *testing.T) {
			o := testOptions()
			o.Texts = info.Kind == KindTopicDrift
			clean := allCalls(t, o, 1)
			key := SeriesKey{"rag-search", "gpt-4o-mini"}
			start := epoch.Add(time.Hour)
			o.Incidents = []Incident{{
				ID: "x", Kind: info.Kind, Service: key.Service, Model: key.Model, Start: start, End: start.Add(20 * time.Minute), Factor: info.Factor,
			}}
			dirty := allCalls(t, o, 1)

			group := func(calls []Call) (other, before []Call) {
				for _, c := range calls {
					// A series that will have an incident of quality is evaluated from its beginning.
					c.Evaluator, c.Label, c.Score = "", "", 0
					if c.key() != key {
						other = append(other, plain(c))
					} else if c.Start < start.UnixNano() {
						before = append(before, plain(c))
					}
				}
				return other, before
			}
			cleanOther, cleanBefore := group(clean)
			dirtyOther, dirtyBefore := group(dirty)
			assert.Equal(t, cleanOther, dirtyOther, "other series stay as they are")
			assert.Equal(t, cleanBefore, dirtyBefore, "the series stays as it is until the onset")

			end := start.Add(20 * time.Minute).UnixNano()
			for _, c := range dirty {
				inside := c.key() == key && c.Start >= start.UnixNano() && c.Start < end
				require.Equal(t, inside, c.Incident == 0, "exactly the calls inside are labelled")
			}
			checkEffect(t, info, window(clean, key, start.UnixNano(), end), window(dirty, key, start.UnixNano(), end))
		})
	}
}

func window(calls []Call, key SeriesKey, start, end int64) (out []Call) {
	for _, c := range calls {
		if c.key() == key && c.Start >= start && c.Start < end {
			out = append(out, c)
		}
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Start < out[j].Start })
	return out
}

// checkEffect compares the calls inside the window with what they would have
// been without the incident.
func checkEffect(t *testing.T, info KindInfo, clean, dirty []Call) {
	t.Helper()
	require.Greater(t, len(clean), 100)
	switch info.Kind {
	case KindSilence:
		assert.Empty(t, dirty)
		return
	case KindThroughputDrop, KindThroughputSurge:
		assert.InEpsilon(t, info.Factor, float64(len(dirty))/float64(len(clean)), .25)
		return
	case KindErrorBurst:
		failed := 0.0
		for i := range dirty {
			if dirty[i].ErrorType != "" {
				failed++
			}
		}
		assert.InDelta(t, info.Factor, failed/float64(len(dirty)), .1)
		return
	}
	require.Len(t, dirty, len(clean))
	ratio := func(of func(*Call) float64) (r []float64) {
		for i := range clean {
			if clean[i].ErrorType == "" && of(&clean[i]) > 0 {
				r = append(r, of(&dirty[i])/of(&clean[i]))
			}
		}
		return r
	}
	latency := ratio(func(c *Call) float64 { return float64(c.End - c.Start) })
	tokens := ratio(func(c *Call) float64 { return float64(c.Output) })
	cost := ratio(func(c *Call) float64 { return c.Cost })
	ttft := ratio(func(c *Call) float64 { return float64(c.TTFT) })
	one := func(name string, r []float64) {
		assert.InDelta(t, 1, quantile(r, .01), 1e-9, name)
		assert.InDelta(t, 1, quantile(r, .99), 1e-9, name)
	}
	switch info.Kind {
	case KindLatencySpike, KindLatencyShift:
		assert.InEpsilon(t, info.Factor, quantile(latency, .5), .01)
		one("tokens", tokens)
		one("cost", cost)
	case KindTTFTShift:
		assert.InEpsilon(t, info.Factor, quantile(ttft, .5), .01)
		one("tokens", tokens)
	case KindTokenSurge:
		assert.InEpsilon(t, info.Factor, quantile(tokens, .5), .01)
		assert.InEpsilon(t, info.Factor, quantile(cost, .5), .01)
		assert.Greater(t, quantile(latency, .5), info.Factor/3)
	case KindCostSurge:
		assert.InEpsilon(t, info.Factor, quantile(cost, .5), .01)
		one("tokens", tokens)
		one("latency", latency)
	case KindDrift:
		n := len(tokens)
		assert.Less(t, quantile(tokens[:n/10], .5), 1.3)
		assert.Greater(t, quantile(tokens[n*9/10:], .5), .85*info.Factor)
	case KindQualityDrop:
		for i := range dirty {
			if dirty[i].ErrorType == "" {
				require.Equal(t, "relevance", dirty[i].Evaluator)
				require.Less(t, dirty[i].Score, info.Factor)
			}
		}
		one("tokens", tokens)
	case KindHallucination:
		shareOf(t, info.Factor, dirty, func(c *Call) bool { return c.Label == "hallucinated" })
		one("tokens", tokens)
	case KindPromptInjection:
		shareOf(t, info.Factor, dirty, func(c *Call) bool { return c.Injection > .9 })
		one("latency", latency)
	case KindRefusalBurst:
		shareOf(t, info.Factor, dirty, func(c *Call) bool { return c.FinishReason == "content_filter" })
		one("latency", latency)
	case KindAgentLoop:
		shareOf(t, info.Factor, dirty, func(c *Call) bool { return c.Tool != "" && c.Conversation == dirty[0].Conversation })
		one("tokens", tokens)
	case KindInputDrift:
		assert.InEpsilon(t, info.Factor, quantile(ratio(func(c *Call) float64 { return float64(c.Input) }), .5), .01)
		one("tokens", tokens)
	case KindVerbosity:
		assert.InEpsilon(t, info.Factor, quantile(tokens, .5), .01)
		one("input tokens", ratio(func(c *Call) float64 { return float64(c.Input) }))
		assert.Greater(t, quantile(latency, .5), info.Factor/2)
	case KindRefusalSurge:
		shareOf(t, info.Factor, dirty, func(c *Call) bool { return c.FinishReason == "content_filter" })
		one("tokens", tokens)
	case KindTopicDrift:
		for i := range dirty {
			assert.LessOrEqual(t, clean[i].Topic, len(topics)/2)
			assert.Greater(t, dirty[i].Topic, len(topics)/2)
		}
		one("tokens", tokens)
		one("latency", latency)
	default:
		t.Fatalf("no check for %s", info.Kind)
	}
}

// shareOf checks the share of calls without an error that are affected.
func shareOf(t *testing.T, want float64, calls []Call, affected func(*Call) bool) {
	t.Helper()
	n, hits := 0., 0.
	for i := range calls {
		if calls[i].ErrorType == "" {
			n++
			if affected(&calls[i]) {
				hits++
			}
		}
	}
	assert.InDelta(t, want, hits/n, .1)
}

func TestOptionsAreChecked(t *testing.T) {
	for name, change := range map[string]func(*Options){
		"services":   func(o *Options) { o.Services = nil },
		"models":     func(o *Options) { o.Models = nil },
		"rate":       func(o *Options) { o.Rate = math.NaN() },
		"duration":   func(o *Options) { o.Duration = 0 },
		"error_rate": func(o *Options) { o.ErrorRate = 1.5 },
		"users":      func(o *Options) { o.Users = 0 },
		"start":      func(o *Options) { o.Start = time.Time{} },
		"not generated": func(o *Options) {
			o.Incidents = []Incident{{ID: "x", Kind: KindSilence, Service: "a", Model: "b", Start: epoch, End: epoch.Add(1)}}
		},
	} {
		t.Run(name, func(t *testing.T) {
			o := testOptions()
			change(&o)
			_, err := NewGenerator(o, 0, 1)
			assert.ErrorContains(t, err, name)
		})
	}
	_, err := NewGenerator(testOptions(), 3, 3)
	assert.ErrorContains(t, err, "lane")
}

func TestCatalogueGrowsToAnySize(t *testing.T) {
	names := map[string]bool{}
	for _, s := range Services(50) {
		names[s.Name] = true
		assert.NotZero(t, fitted.Token(s.Tokens).N, s.Name)
	}
	assert.Len(t, names, 50)
	names = map[string]bool{}
	for _, m := range Models(50) {
		names[m.Name] = true
		assert.NotZero(t, fitted.Speed(m.Speed).N, m.Name)
	}
	assert.Len(t, names, 50)
}
