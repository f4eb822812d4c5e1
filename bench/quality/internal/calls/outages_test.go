package calls

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/llm-devops/llm-sentinel/bench/quality/internal/dataset"
	"github.com/llm-devops/llm-sentinel/bench/quality/internal/inject"
	"github.com/llm-devops/llm-sentinel/internal/detect/rate"
)

func steady(rows int) dataset.Series {
	s := dataset.Series{Name: "s", Group: "g", Kind: dataset.Throughput, Step: 10 * time.Minute}
	for i := range rows {
		s.Times = append(s.Times, 1_700_000_000e9+int64(i)*int64(s.Step))
		s.Values = append(s.Values, .3)
	}
	return s
}

func TestBenchOutages(t *testing.T) {
	series := []dataset.Series{steady(1200)}
	r, err := BenchOutages(series, inject.Outages())
	require.NoError(t, err)
	again, err := BenchOutages(series, inject.Outages())
	require.NoError(t, err)
	assert.Equal(t, r, again)
	assert.Equal(t, 15, r.Drops.Total.Events)
	assert.GreaterOrEqual(t, r.Drops.Total.Recall(), .9, "a steady stream of 180 calls a step")
	assert.Zero(t, r.Drops.Total.Sham)
	assert.Zero(t, r.Drops.AlertsPer1000h)
	assert.GreaterOrEqual(t, r.Silence.Total.Found, 8, "those with no call at all")
	assert.LessOrEqual(t, r.Silence.Total.Found, r.Drops.Total.Found)
	assert.Zero(t, r.Silence.AlertsPer1000h)
}

func TestSilenceAlarmsInItsStep(t *testing.T) {
	m, err := rate.NewArrivals(arrivalRule())
	require.NoError(t, err)
	s := steady(60)
	for i := 50; i < 60; i++ {
		s.Values[i] = 0
	}
	a := arrivals(m, dataset.CallsAt(&s, s.Values, 1), 1)
	assert.Equal(t, 50, slices.Index(a.silence, true))
	assert.True(t, a.drops[50])
	assert.NotContains(t, a.drops[:50], true)
}

func TestSpread(t *testing.T) {
	times := spread(1000, 600, 50, rand.New(rand.NewPCG(1, 2)))
	assert.Len(t, times, 50)
	assert.True(t, slices.IsSorted(times))
	assert.GreaterOrEqual(t, times[0], int64(1000))
	assert.Less(t, times[49], int64(1600))
	assert.Empty(t, spread(0, 600, 0, rand.New(rand.NewPCG(1, 2))))
}
