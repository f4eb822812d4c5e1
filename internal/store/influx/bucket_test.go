package influx

import (
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/llm-devops/llm-sentinel/internal/genai"
	"github.com/llm-devops/llm-sentinel/internal/store"
)

func TestGroupsOfABucketAreBounded(t *testing.T) {
	b := newBucket(&store.AggregateQuery{Start: time.Unix(0, 0), End: time.Unix(60, 0), By: []store.Dimension{store.ByService}})
	for i := range store.MaxGroups {
		require.NoError(t, b.add(&genai.Event{Service: strconv.Itoa(i)}))
	}
	require.NoError(t, b.add(&genai.Event{Service: "5"}), "a group that is there already")
	require.ErrorIs(t, b.add(&genai.Event{Service: "one more"}), store.ErrTooMany)
}

func TestBucketsAreAlignedTo1970(t *testing.T) {
	for _, c := range []struct{ at, step, start time.Duration }{
		{0, time.Minute, 0},
		{59 * time.Second, time.Minute, 0},
		{time.Minute, time.Minute, time.Minute},
		{-1, time.Minute, -time.Minute},
		{-time.Minute, time.Minute, -time.Minute},
		{100 * time.Hour, 7 * time.Minute, 100*time.Hour - 1*time.Minute},
	} {
		b := newBucket(&store.AggregateQuery{Start: time.Unix(0, int64(c.at)), End: time.Unix(1<<32, 0), Step: c.step})
		require.Equal(t, int64(c.start), b.start, "%s", c.at)
		require.True(t, b.holds(int64(c.at)))
		require.False(t, b.holds(b.end))
	}
}
