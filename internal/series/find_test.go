package series

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestFindNeitherCreatesNorUses(t *testing.T) {
	table := newTable(t, Options[int]{MaxSeries: 4, Shards: 1, LiveFor: -1})
	_, ok := table.Find(key(1))
	require.False(t, ok)
	assert.Zero(t, table.Len())
	for i := range 3 {
		visit(table, key(i), int64(i)*minute)
	}
	r, ok := table.Find(key(0))
	require.True(t, ok)
	assert.Equal(t, 1, *r.Value)
	assert.Equal(t, key(0), r.Key)
	assert.False(t, r.Created || r.Overflow)
	r.Release()
	visit(table, key(3), 4*minute)
	visit(table, key(4), 5*minute)
	assert.False(t, has(table, key(0)), "being found does not keep a series")
	_, ok = table.Find(key(0))
	assert.False(t, ok)
	assert.Zero(t, testing.AllocsPerRun(100, func() {
		r, _ := table.Find(key4)
		r.Release()
	}))
}

var key4 = key(4)
