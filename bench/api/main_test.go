package main

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestPagesAreRead(t *testing.T) {
	t.Parallel()
	body := []byte(`{"data":[{"a":1,"span_id":"0000000000000001"},{"span_id":"00000000000000ff"},{"span_id":"x"}],"metadata":{"page_size":3,"next_cursor":"abc"}}`)
	assert.Equal(t, []int{0, 254, -1}, slices.Collect(spans(body)))
	next, err := nextCursor(body)
	require.NoError(t, err)
	assert.Equal(t, "abc", next)
	_, err = nextCursor([]byte("{}"))
	require.Error(t, err)
}

func TestEventsAreOfTheirHourAndDiffer(t *testing.T) {
	t.Parallel()
	end := time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)
	ids := map[string]bool{}
	for n := range 5000 {
		e := event(n, within(n, 5000, end))
		ids[e.ID.String()] = true
		require.False(t, e.Time().Before(end.Add(-width)))
		require.False(t, e.Time().After(end.Add(time.Millisecond)), n)
		require.Equal(t, e, event(n, within(n, 5000, end)), "made anew it is the same")
	}
	assert.Len(t, ids, 5000)
}
