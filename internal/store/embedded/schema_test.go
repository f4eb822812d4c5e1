package embedded

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestHourOf(t *testing.T) {
	for nanos, want := range map[int64]int64{
		0: 0, 1: 0, nanosPerHour - 1: 0, nanosPerHour: 1,
		-1: -1, -nanosPerHour: -1, -nanosPerHour - 1: -2,
		math.MaxInt64: 2562047, math.MinInt64: -2562048,
	} {
		require.Equal(t, want, hourOf(nanos), "%d", nanos)
	}
	require.Equal(t, "2031051712", partitionName(hourOf(noon.UnixNano())))
	require.Equal(t, noon, hourStart(hourOf(noon.Add(time.Hour-1).UnixNano())))
	require.Equal(t, "1969123123", partitionName(-1))
}

func TestClampNanos(t *testing.T) {
	require.EqualValues(t, math.MinInt64, clampNanos(time.Time{}))
	require.EqualValues(t, math.MaxInt64, clampNanos(time.Date(2300, 1, 1, 0, 0, 0, 0, time.UTC)))
	require.Equal(t, noon.UnixNano(), clampNanos(noon.In(time.FixedZone("x", 3600))))
	require.EqualValues(t, math.MinInt64, clampNanos(minTime))
	require.EqualValues(t, math.MaxInt64, clampNanos(maxTime))
}
