package series

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestEachItemOfABatchIsVisitedOnceAndInTheOrderOfItsSeries(t *testing.T) {
	fetched, overflowed := 0, 0
	type large struct{ _ [1 << 16]byte }
	table, err := NewTable(Options[large]{MaxSeries: 60, Shards: 4, Fetch: func(*large) uint64 {
		fetched++
		return 0
	}})
	require.NoError(t, err)
	r := rand.New(rand.NewPCG(1, 2))
	var scratch Batch
	now := int64(time.Hour)
	for range 50 {
		keys, times := make([]Key, r.IntN(100)), make([]int64, 0, 100)
		for i := range keys {
			keys[i] = key(r.IntN(80)) // more than there is room for
			now += int64(time.Second) / 10
			times = append(times, now)
		}
		calls, last := make([]int, len(keys)), map[*large]int{}
		table.Visit(&scratch, keys, times, func(i int, v *large, _, overflow bool) {
			calls[i]++
			if overflow {
				overflowed++
				return
			}
			if before, ok := last[v]; ok {
				assert.Less(t, before, i)
				assert.Equal(t, keys[before], keys[i], "one value for one key")
			}
			last[v] = i
		})
		for i := range keys {
			require.Equal(t, 1, calls[i])
		}
	}
	assert.LessOrEqual(t, table.Len(), 60)
	assert.EqualValues(t, overflowed, table.Stats().Overflow)
	assert.Positive(t, overflowed)
	assert.Positive(t, fetched)
}

func TestSeriesOfABatchKeepTheirValues(t *testing.T) {
	table := newTable(t, Options[int]{MaxSeries: 1000})
	var scratch Batch
	keys, times := make([]Key, 300), make([]int64, 300)
	for i := range keys {
		keys[i] = key(i % 100)
	}
	for range 5 {
		table.Visit(&scratch, keys, times, func(i int, v *int, created, overflow bool) {
			assert.False(t, overflow)
			assert.Equal(t, *v == 0, created)
			*v++
		})
	}
	for i := range 100 {
		n, created, _ := visit(table, key(i), 0)
		assert.False(t, created)
		assert.GreaterOrEqual(t, n, 15)
	}
	assert.Zero(t, testing.AllocsPerRun(10, func() {
		table.Visit(&scratch, keys, times, func(_ int, v *int, _, _ bool) { *v++ })
	}))
}

func TestSlabsWasteLittleOfTheirPages(t *testing.T) {
	for size := uintptr(512); size < 8192; size += 8 {
		n := slabSize(size)
		assert.True(t, n >= minSlab && n <= maxSlab)
		bytes := uintptr(n) * size
		waste := (bytes+8191)/8192*8192 - bytes
		assert.LessOrEqual(t, float64(waste)/float64(bytes), .02, "%d entries of %d bytes", n, size)
	}
}
