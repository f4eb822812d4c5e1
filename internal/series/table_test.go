package series

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const minute = int64(time.Minute)

func newTable(t testing.TB, o Options[int]) *Table[int] {
	t.Helper()
	table, err := NewTable(o)
	require.NoError(t, err)
	return table
}

func key(i int) Key {
	return Key{Service: "s", Model: fmt.Sprintf("m%d", i), Metric: "latency_ms"}
}

// visit counts a visit of k and tells what the table said.
func visit(t *Table[int], k Key, now int64) (value int, created, overflow bool) {
	r := t.Acquire(k, now)
	defer r.Release()
	*r.Value++
	return *r.Value, r.Created, r.Overflow
}

func has(t *Table[int], k Key) (found bool) {
	t.Range(func(q Key, _ int64, _ *int) bool {
		found = found || q == k
		return !found
	})
	return found
}

func TestValuesBelongToTheirKey(t *testing.T) {
	table := newTable(t, Options[int]{Init: func(v *int) { *v = 100 }})
	for round := 1; round <= 3; round++ {
		for i := range 1000 {
			v, created, overflow := visit(table, key(i), 0)
			require.Equal(t, 100+round, v)
			require.Equal(t, round == 1, created)
			require.False(t, overflow)
		}
	}
	require.Equal(t, 1000, table.Len())
	// The parts of a key are not interchangeable.
	a, b := Key{Service: "a", Model: "b"}, Key{Service: "b", Model: "a"}
	visit(table, a, 0)
	v, _, _ := visit(table, b, 0)
	require.Equal(t, 101, v)
}

func TestKeysAreDetachedFromTheirBuffers(t *testing.T) {
	table := newTable(t, Options[int]{})
	buf := []byte("service|model|metric")
	s := unsafeString(buf)
	k := Key{Service: s[:7], Model: s[8:13], Metric: s[14:]}
	visit(table, k, 0)
	for i := range buf {
		buf[i] = 'x'
	}
	_, created, _ := visit(table, Key{Service: "service", Model: "model", Metric: "metric"}, 0)
	require.False(t, created)
}

func TestF16TableNeverGrowsBeyondItsLimit(t *testing.T) {
	for _, o := range []Options[int]{
		{MaxSeries: 1},
		{MaxSeries: 2},
		{MaxSeries: 3, Shards: 2},
		{MaxSeries: 100},
		{MaxSeries: 1000, Shards: 16},
		{MaxSeries: 100, LiveFor: -1},
	} {
		table := newTable(t, o)
		r := rand.New(rand.NewPCG(1, 1))
		for i := range 20_000 {
			// Unbounded services as well: each has a parent of its own.
			k := Key{Service: strconv.Itoa(r.IntN(1 + i/10)), Model: strconv.Itoa(i), Metric: "m"}
			visit(table, k, int64(i)*minute/100)
			require.LessOrEqual(t, table.Len(), o.MaxSeries)
		}
		n := 0
		table.Range(func(Key, int64, *int) bool { n++; return true })
		require.Equal(t, table.Len(), n)
		st := table.Stats()
		require.Equal(t, st.Created, uint64(n)+st.Evicted+st.Expired)
	}
}

func TestNewSeriesGoToTheParentWhileAllOthersAreLive(t *testing.T) {
	table := newTable(t, Options[int]{MaxSeries: 32, Shards: 1})
	for i := range 30 {
		_, _, overflow := visit(table, key(i), 0)
		require.False(t, overflow, "%d: two places are kept for parents", i)
	}
	r := table.Acquire(key(30), minute)
	require.True(t, r.Overflow)
	require.True(t, r.Created)
	require.Equal(t, Key{Service: "s", Model: AllModels, Metric: "latency_ms"}, r.Key)
	*r.Value = 7
	r.Release()
	v, created, overflow := visit(table, key(31), minute)
	require.Equal(t, 8, v, "one parent for all")
	require.False(t, created)
	require.True(t, overflow)
	_, _, overflow = visit(table, key(0), minute)
	require.False(t, overflow, "known series are not touched")
	require.EqualValues(t, 2, table.Stats().Overflow)
	require.Zero(t, table.Stats().Evicted)
}

func TestLeastRecentlyUsedSeriesGivesWayOnceItIsNotLive(t *testing.T) {
	var gone []Key
	table := newTable(t, Options[int]{MaxSeries: 32, Shards: 1, LiveFor: 10 * time.Minute, OnEvict: func(k Key, v *int, why Reason) {
		require.Equal(t, Evicted, why)
		require.Equal(t, 1, *v)
		gone = append(gone, k)
	}})
	for i := range 30 {
		visit(table, key(i), 0)
	}
	visit(table, key(0), minute) // key 1 is the oldest now
	_, created, overflow := visit(table, key(100), 11*minute)
	require.True(t, created)
	require.False(t, overflow)
	require.Equal(t, []Key{key(1)}, gone)
	v, created, _ := visit(table, key(1), 11*minute)
	require.True(t, created)
	require.Equal(t, 1, v, "a reused place starts anew")
	require.EqualValues(t, 2, table.Stats().Evicted)
}

func TestSweepRemovesIdleSeriesWithinItsBudget(t *testing.T) {
	table := newTable(t, Options[int]{IdleTimeout: time.Hour})
	for i := range 200 {
		visit(table, key(i), 0)
	}
	for i := range 50 {
		visit(table, key(i), 30*minute)
	}
	require.Zero(t, table.Sweep(60*minute, 1000), "not idle for longer than the timeout yet")
	require.Equal(t, 60, table.Sweep(61*minute, 60))
	require.Equal(t, 90, table.Sweep(61*minute, 1000))
	require.Equal(t, 50, table.Len())
	require.EqualValues(t, 150, table.Stats().Expired)
	require.True(t, has(table, key(0)))
	require.False(t, has(table, key(60)))

	forever := newTable(t, Options[int]{IdleTimeout: -1})
	visit(forever, key(0), 0)
	require.Zero(t, forever.Sweep(1e18, 10))
}

func TestItemsOutOfOrderDoNotAgeASeries(t *testing.T) {
	table := newTable(t, Options[int]{IdleTimeout: time.Hour})
	visit(table, key(0), 100*minute)
	visit(table, key(0), 10*minute)
	require.Zero(t, table.Sweep(150*minute, 10))
	require.Equal(t, 1, table.Sweep(161*minute, 10))
}

func TestRangeRestoresOrderOfEviction(t *testing.T) {
	table := newTable(t, Options[int]{MaxSeries: 40, Shards: 1})
	for i := range 20 {
		visit(table, key(i), int64(i)*minute)
	}
	visit(table, key(0), 100*minute)
	again := newTable(t, Options[int]{MaxSeries: 40, Shards: 1})
	var order []Key
	table.Range(func(k Key, last int64, v *int) bool {
		order = append(order, k)
		again.Do(k, last, func(w *int, created, _ bool) {
			require.True(t, created)
			*w = *v
		})
		return true
	})
	require.Equal(t, key(1), order[0])
	require.Equal(t, key(0), order[19])
	i := 0
	again.Range(func(k Key, _ int64, _ *int) bool {
		require.Equal(t, order[i], k)
		i++
		return true
	})
	require.Equal(t, 20, i)

	n := 0
	table.Range(func(Key, int64, *int) bool { n++; return n < 5 })
	require.Equal(t, 5, n, "stops on demand")
}

func TestHitsDoNotAllocate(t *testing.T) {
	table := newTable(t, Options[int]{})
	for i := range 1000 {
		visit(table, key(i), 0)
	}
	k, sum := key(500), 0
	require.Zero(t, testing.AllocsPerRun(1000, func() {
		r := table.Acquire(k, 1)
		*r.Value++
		r.Release()
		table.Do(k, 1, func(v *int, _, _ bool) { sum += *v })
	}))
	require.Positive(t, sum)
}

func TestOptionsAreChecked(t *testing.T) {
	for want, o := range map[string]Options[int]{
		"max_series must be >= 1 or 0 (default), got -1":                 {MaxSeries: -1},
		"shards must be a power of two up to 4096 or 0 (default), got 3": {Shards: 3},
	} {
		_, err := NewTable(o)
		require.ErrorContains(t, err, want)
	}
}

// The index must agree with a map under any sequence of changes, also when
// all hashes collide.
func TestIndexMatchesAMap(t *testing.T) {
	for _, bits := range []uint64{0, 3, 0xff, ^uint64(0)} {
		r := rand.New(rand.NewPCG(2, bits))
		var x index
		want := map[int32]uint64{}
		find := func(h uint64, slot int32) bool {
			for p := x.start(h); ; p = x.next(p) {
				s, ok := x.at(p, h)
				if !ok {
					return false
				}
				if s == slot {
					return true
				}
			}
		}
		for range 5000 {
			slot := int32(r.IntN(300))
			if h, ok := want[slot]; ok {
				require.True(t, find(h, slot))
				x.remove(h, slot)
				require.False(t, find(h, slot))
				delete(want, slot)
			} else {
				h := r.Uint64() & bits
				x.insert(h, slot)
				want[slot] = h
			}
			require.Equal(t, len(want), x.n)
		}
		for slot, h := range want {
			require.True(t, find(h, slot))
		}
	}
}

func TestConcurrentUse(t *testing.T) {
	table := newTable(t, Options[int]{MaxSeries: 256, LiveFor: time.Minute})
	var wg sync.WaitGroup
	const workers, visits = 4, 3000
	for w := range workers {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(uint64(w), 1))
			for i := range visits {
				now := int64(i) * minute / 50
				visit(table, key(r.IntN(1000)), now)
				if i%100 == 0 {
					table.Sweep(now, 10)
					table.Range(func(Key, int64, *int) bool { return true })
					table.Stats()
				}
			}
		})
	}
	wg.Wait()
	require.LessOrEqual(t, table.Len(), 256)
	n := 0
	table.Range(func(Key, int64, *int) bool { n++; return true })
	require.Equal(t, table.Len(), n)
}

func BenchmarkAcquire(b *testing.B) {
	for _, n := range []int{100, 10_000, 1_000_000} {
		b.Run(fmt.Sprintf("series=%d", n), func(b *testing.B) {
			table, err := NewTable(Options[[68]uint64]{MaxSeries: 2 * n})
			if err != nil {
				b.Fatal(err)
			}
			keys := make([]Key, n)
			for i := range keys {
				keys[i] = Key{Service: "service", Model: strings.Repeat("m", 10) + strconv.Itoa(i), Metric: "latency_ms"}
				r := table.Acquire(keys[i], 0)
				r.Release()
			}
			order := make([]uint32, 1<<16)
			r := rand.New(rand.NewPCG(1, 1))
			for i := range order {
				order[i] = uint32(r.IntN(n))
			}
			b.ReportAllocs()
			b.ResetTimer()
			for i := range b.N {
				r := table.Acquire(keys[order[i&(1<<16-1)]], 0)
				r.Value[0]++
				r.Release()
			}
		})
	}
}
