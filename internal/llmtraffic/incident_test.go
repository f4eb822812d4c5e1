package llmtraffic

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestScheduleLeavesACleanHalfAndACleanSeries(t *testing.T) {
	o := testOptions()
	all, err := ParseKinds("all")
	require.NoError(t, err)
	for _, n := range []int{1, 4, len(all)} {
		list, err := Schedule(all[:n], o.Series(), o.Start, o.Duration)
		require.NoError(t, err)
		require.Len(t, list, n)
		last := o.Series()[len(o.Series())-1]
		byKey := map[SeriesKey][]Incident{}
		for _, in := range list {
			require.NoError(t, in.validate())
			k := SeriesKey{in.Service, in.Model}
			assert.NotEqual(t, last, k, "the last series stays untouched")
			assert.False(t, in.Start.Before(epoch.Add(time.Hour)), "the first half is clean")
			assert.False(t, in.End.After(epoch.Add(2*time.Hour)), "incidents end within the run")
			for _, other := range byKey[k] {
				assert.False(t, in.Start.Before(other.End), "incidents of one series do not overlap")
			}
			byKey[k] = append(byKey[k], in)
		}
	}
}

func TestScheduleReusesSeriesWithoutOverlap(t *testing.T) {
	kinds := []Kind{KindLatencyShift, KindSilence, KindDrift, KindCostSurge, KindTokenSurge}
	list, err := Schedule(kinds, []SeriesKey{{"a", "m"}, {"b", "m"}, {"c", "m"}}, epoch, time.Hour)
	require.NoError(t, err)
	last := map[string]time.Time{}
	for _, in := range list {
		assert.NotEqual(t, "c", in.Service)
		assert.True(t, in.Start.After(last[in.Service]))
		last[in.Service] = in.End
	}
	_, err = Schedule(kinds, nil, epoch, time.Hour)
	require.Error(t, err)
}

func TestParseKinds(t *testing.T) {
	for _, none := range []string{"", "none"} {
		list, err := ParseKinds(none)
		require.NoError(t, err)
		assert.Empty(t, list)
	}
	list, err := ParseKinds("silence, drift")
	require.NoError(t, err)
	assert.Equal(t, []Kind{KindSilence, KindDrift}, list)
	_, err = ParseKinds("silence,nonsense")
	assert.ErrorContains(t, err, `"nonsense"`)
}

func TestIncidentFile(t *testing.T) {
	file := `# a comment

{"kind":"latency_spike","service":"chat-api","model":"gpt-4o","at":"40m"}
{"id":"mine","kind":"drift","service":"s","model":"m","at":"1h","length":"90m","factor":2.5}
`
	list, err := ReadIncidents(strings.NewReader(file), "f.jsonl", epoch)
	require.NoError(t, err)
	require.Len(t, list, 2)
	assert.Equal(t, epoch.Add(40*time.Minute), list[0].Start)
	assert.Equal(t, epoch.Add(42*time.Minute), list[0].End)
	assert.InDelta(t, 20, list[0].Factor, 0)
	assert.Equal(t, "inc-01-latency_spike", list[0].ID)
	assert.Equal(t, "mine", list[1].ID)
	assert.Equal(t, epoch.Add(150*time.Minute), list[1].End)
	assert.InDelta(t, 2.5, list[1].Factor, 0)

	for text, want := range map[string]string{
		`{"kind":"nonsense","service":"s","model":"m","at":"1m"}`:               "kind",
		`{"kind":"silence","service":"s","model":"m"}`:                          "at must be",
		`{"kind":"silence","service":"s","model":"m","at":"-1m"}`:               "at must be",
		`{"kind":"silence","model":"m","at":"1m"}`:                              "service",
		`{"kind":"silence","service":"s","model":"m","at":"1m","length":"0s"}`:  "end must be after start",
		`{"kind":"silence","service":"s","model":"m","at":"1m","extra":1}`:      "extra",
		`{"kind":"error_burst","service":"s","model":"m","at":"1m","factor":2}`: "0..1",
		`{"kind":"cost_surge","service":"s","model":"m","at":"1m","factor":-2}`: "factor",
		`not json`: "invalid",
	} {
		_, err := ReadIncidents(strings.NewReader("\n"+text), "f.jsonl", epoch)
		require.ErrorContains(t, err, want)
		assert.ErrorContains(t, err, "f.jsonl:2:")
	}
}

func FuzzReadIncidents(f *testing.F) {
	f.Add(`{"kind":"latency_spike","service":"chat-api","model":"gpt-4o","at":"40m","length":"3m","factor":2}`)
	f.Add("#\n\n{")
	f.Fuzz(func(t *testing.T, text string) {
		list, err := ReadIncidents(strings.NewReader(text), "f", epoch)
		if err != nil {
			return
		}
		for i := range list {
			if err := list[i].validate(); err != nil {
				t.Fatalf("read an incident that is not valid: %v", err)
			}
		}
	})
}
