package main

import (
	"bytes"
	"io"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/llm-devops/llm-sentinel/internal/genai"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(childEnv); dir != "" {
		_ = writeUntilKilled(dir, os.Stdout)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

func TestTrafficIsTheSameInEveryRun(t *testing.T) {
	make1 := func() []genai.Event {
		batch, _ := newTraffic(1, time.Unix(0, 0), 5000).batch(make([]genai.Event, 3000))
		return batch
	}
	a := make1()
	assert.Equal(t, a, make1())
	ids, traces := map[string]bool{}, map[string]bool{}
	for i := range a {
		ids[a[i].ID.String()] = true
		traces[a[i].TraceID.String()] = true
	}
	assert.Len(t, ids, len(a))
	assert.InDelta(t, len(a)*2/(maxSpans+1), len(traces), 60)
}

func TestFiguresAreMeasured(t *testing.T) {
	if testing.Short() {
		t.Skip("takes half a minute")
	}
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), options{events: minEvents, kills: 1, reads: 3, seed: 1, dir: t.TempDir()}, &out, io.Discard))
	for _, name := range []string{
		"ingest_cpu_s_per_m", "newest_ms", "trace_ms", "drop_day_ms", "bytes_per_event", "rss_mb", "beside_events_per_s",
	} {
		assert.Regexp(t, `RESULT store\.`+name+` \d+(\.\d+)? `, out.String())
	}
	assert.Contains(t, out.String(), "RESULT store.lost_events 0 events")
	assert.Contains(t, out.String(), "RESULT store.torn_batches 0 batches")
}

func TestWrongOptionsAreNamed(t *testing.T) {
	err := run(t.Context(), options{events: 5, kills: -1, reads: 0}, io.Discard, io.Discard)
	require.ErrorContains(t, err, "events must be between 10000 and 1000000000, got 5")
	require.ErrorContains(t, err, "kills must be")
	require.ErrorContains(t, err, "reads must be")
}

func TestPercentileIsTheNearestRank(t *testing.T) {
	assert.EqualValues(t, 2, percentile([]time.Duration{3, 1, 2, 4}, .5))
	assert.EqualValues(t, 4, percentile([]time.Duration{3, 1, 2, 4}, .99))
}
