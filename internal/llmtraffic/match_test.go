package llmtraffic

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/llm-devops/llm-sentinel/internal/anomaly"
)

func TestMatch(t *testing.T) {
	onset := epoch.Add(time.Hour)
	last := onset.Add(11 * time.Minute)
	truth := []TruthLine{
		{
			Incident: Incident{
				ID: "spike", Kind: KindLatencySpike, Service: "chat-api", Model: "gpt-4o", Start: onset, End: onset.Add(10 * time.Minute),
				Expected: []string{"latency_spike"},
			},
			ResponseModel: "gpt-4o-2024", LastEvent: &last,
		},
		{Incident: Incident{
			ID: "cost", Kind: KindCostSurge, Service: "rag", Model: "m", Start: onset.Add(20 * time.Minute), End: onset.Add(30 * time.Minute),
			Expected: []string{"cost_anomaly"},
		}},
	}
	effects := []Effect{{Times: []time.Time{onset.Add(time.Second), onset.Add(2 * time.Second), onset.Add(4 * time.Second)}}, {}}
	early := someAnomaly("chat-api", "gpt-4o", anomaly.TypeLatencySpike, onset.Add(-30*time.Minute))
	related := someAnomaly("chat-api", "gpt-4o-2024", anomaly.TypeCostAnomaly, onset.Add(time.Second))
	hit := someAnomaly("chat-api", "gpt-4o-2024", anomaly.TypeLatencySpike, onset.Add(2*time.Second))
	again := someAnomaly("chat-api", "*", anomaly.TypeLatencySpike, onset.Add(3*time.Minute))
	late := someAnomaly("chat-api", "gpt-4o", anomaly.TypeLatencySpike, onset.Add(time.Hour))
	foreign := someAnomaly("code", "gpt-4o", anomaly.TypeLatencySpike, onset.Add(2*time.Second))
	found := []anomaly.Anomaly{late, foreign, again, hit, related, early}
	notes := []Notification{
		{ID: "n0", Anomalies: []anomaly.Anomaly{early}},
		{ID: "n1", Anomalies: []anomaly.Anomaly{related}},
		{ID: "n2", Anomalies: []anomaly.Anomaly{hit}},
		{ID: "n3", Anomalies: []anomaly.Anomaly{again}},
		{ID: "n4", Anomalies: []anomaly.Anomaly{foreign}},
		{ID: "n5", Anomalies: []anomaly.Anomaly{early}, Resolved: true},
		{ID: "n6", SignatureError: errors.New("bad")},
	}
	r := Match(truth, effects, found, notes, MatchOptions{})

	require.Len(t, r.Detections, 2)
	d := r.Detections[0]
	require.NotNil(t, d.Anomaly)
	assert.Equal(t, hit.ID, d.Anomaly.ID, "the first finding of an expected type, by event time")
	assert.Equal(t, 2*time.Second, d.Delay)
	assert.Equal(t, 2, d.DelayCalls, "the second changed call showed it")
	assert.Equal(t, 2, d.Related)
	require.NotNil(t, d.Alert)
	assert.Equal(t, "n2", d.Alert.ID)

	assert.Nil(t, r.Detections[1].Anomaly)
	assert.Nil(t, r.Detections[1].Alert)
	assert.Equal(t, 1, r.Missed())

	assert.Len(t, r.FalseAlarms, 3)
	assert.Equal(t, 1, r.Untouched)
	assert.Equal(t, onset, r.CleanEnd)
	assert.Equal(t, 1, r.CleanAnomalies)
	assert.Equal(t, 1, r.CleanAlerts, "an announcement of the end is no alert")
	assert.Equal(t, 2, r.FalseAlerts)
	assert.Equal(t, 1, r.BadSignatures)
}

func TestMatchWithoutLabels(t *testing.T) {
	r := Match(nil, nil, []anomaly.Anomaly{someAnomaly("a", "m", anomaly.TypeLatencySpike, epoch)}, nil, MatchOptions{})
	assert.Len(t, r.FalseAlarms, 1)
	assert.Zero(t, r.Missed())
	assert.Zero(t, r.CleanAnomalies)
}

func TestFindingBeforeTheFirstChangedCallIsNoDetection(t *testing.T) {
	first := epoch.Add(20 * time.Second)
	truth := []TruthLine{{
		Incident: Incident{
			ID: "spike", Kind: KindLatencySpike, Service: "s", Model: "m", Start: epoch, End: epoch.Add(2 * time.Minute), Expected: []string{"latency_spike"},
		},
		FirstEvent: &first,
	}}
	call := someAnomaly("s", "m", anomaly.TypeLatencySpike, first.Add(-time.Second))
	call.Context.EventID = "e"
	r := Match(truth, nil, []anomaly.Anomaly{call}, nil, MatchOptions{})
	assert.Equal(t, 1, r.Missed())
	assert.Len(t, r.FalseAlarms, 1)
	assert.Zero(t, r.CleanAnomalies)

	window := someAnomaly("s", "m", anomaly.TypeLatencySpike, epoch.Add(-30*time.Second))
	assert.Zero(t, pointer(Match(truth, nil, []anomaly.Anomaly{window}, nil, MatchOptions{})).Missed(), "a finding about a window is dated with its start")
	call.Time = first.Truncate(time.Millisecond)
	assert.Zero(t, pointer(Match(truth, nil, []anomaly.Anomaly{call}, nil, MatchOptions{})).Missed())
}

func pointer[T any](v T) *T { return &v }
