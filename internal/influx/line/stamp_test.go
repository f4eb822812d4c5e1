package line

import (
	"encoding/binary"
	"sync"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func id(i int) uuid.UUID {
	return uuid.NewSHA1(uuid.Nil, binary.BigEndian.AppendUint64(nil, uint64(i)))
}

func stampAll(t *testing.T, s *stamper, series uint64, nanos int64, n int) map[int64]int {
	t.Helper()
	taken := map[int64]int{}
	for i := range n {
		ts, ok := s.stamp(series, nanos, id(i))
		require.True(t, ok)
		other, clash := taken[ts]
		require.False(t, clash, "points %d and %d at %d", i, other, ts)
		taken[ts] = i
	}
	return taken
}

func TestEqualTimesAreKeptApartWithinTheMicrosecond(t *testing.T) {
	nanos := micro.UnixNano() + 123
	for ts := range stampAll(t, newStamper(), 1, nanos, slots) {
		assert.Equal(t, nanos/1000, ts/1000)
	}
}

func TestCrowdsSpillIntoTheFollowingMicroseconds(t *testing.T) {
	nanos := micro.UnixNano()
	for ts := range stampAll(t, newStamper(), 1, nanos, 10*slots) {
		assert.Less(t, ts-nanos, int64(10*slots))
		assert.GreaterOrEqual(t, ts, nanos)
	}
}

func TestAPointKeepsItsTimeWhenItIsSentAgain(t *testing.T) {
	s := newStamper()
	first := stampAll(t, s, 1, micro.UnixNano(), 5000)
	for ts, i := range first {
		again, ok := s.stamp(1, micro.UnixNano(), id(i))
		require.True(t, ok)
		require.Equal(t, ts, again, "in any order")
	}
}

func TestAPointIsRememberedForAGeneration(t *testing.T) {
	s := newStamper()
	first := stampAll(t, s, 1, micro.UnixNano(), 500)
	for round := range 3 {
		for i := range stamperPoints - 1000 {
			n := i + round*stamperPoints
			s.stamp(2, micro.UnixNano()+int64(n)*slots, id(n))
		}
		for ts, i := range first {
			again, ok := s.stamp(1, micro.UnixNano(), id(i))
			require.True(t, ok)
			require.Equal(t, ts, again)
		}
	}
	assert.NotZero(t, s.mu.previous.points, "generations have changed")
}

func TestTheTimeFollowsFromTheID(t *testing.T) {
	// A fresh process: no memory, the same result.
	for i := range 100 {
		a, _ := newStamper().stamp(1, micro.UnixNano(), id(i))
		b, _ := newStamper().stamp(2, micro.UnixNano()+999, id(i))
		require.Equal(t, a, b)
	}
}

func TestTimesBefore1970KeepTheirMicrosecond(t *testing.T) {
	ts, ok := newStamper().stamp(1, -1, id(1))
	require.True(t, ok)
	assert.GreaterOrEqual(t, ts, int64(-1000))
	assert.Negative(t, ts)
}

func TestTheMemoryOfPointsIsBounded(t *testing.T) {
	s := newStamper()
	for i := range 10 * stamperPoints {
		s.stamp(uint64(i%7), micro.UnixNano()+int64(i)*50, id(i))
	}
	total := 0
	for _, g := range []generation{s.mu.current, s.mu.previous} {
		total += len(g.single)
		for _, c := range g.crowd {
			total += len(c.slot)
		}
	}
	assert.LessOrEqual(t, total, 2*stamperPoints+slots)
}

func TestACrowdLargerThanTheSearchIsRefused(t *testing.T) {
	s := newStamper()
	// Three rounds of the memory: what cannot be placed is said, not overwritten.
	refused := 0
	taken := map[int64]bool{}
	for i := range maxHops*slots + 5000 {
		ts, ok := s.stamp(1, micro.UnixNano(), id(i))
		if !ok {
			refused++
			continue
		}
		require.False(t, taken[ts])
		taken[ts] = true
	}
	assert.Equal(t, 5000, refused)
}

func TestStamperUnderConcurrency(t *testing.T) {
	s := newStamper()
	var mu sync.Mutex
	owner := map[int64]int{}
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for i := range 1500 {
				n := (i*7 + w*375) % 1500
				ts, ok := s.stamp(1, micro.UnixNano(), id(n))
				mu.Lock()
				if o, seen := owner[ts]; !ok || seen && o != n {
					t.Errorf("points %d and %d share a time", o, n)
				}
				owner[ts] = n
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	assert.Len(t, owner, 1500)
}
