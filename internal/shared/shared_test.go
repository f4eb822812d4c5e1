package shared

import (
	"errors"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var errFire = errors.New("disk on fire")

// engine counts what is done to it.
type engine struct{ starts, stops int }

func start(e *engine) error { e.starts++; return nil }
func stop(e *engine) error  { e.stops++; return nil }

func build() (*engine, error) { return &engine{}, nil }

func lease(t *testing.T, s *Set[string, *engine], key string) *Lease[*engine] {
	t.Helper()
	l, err := s.Lease(key, build)
	require.NoError(t, err)
	return l
}

func TestInstancesOfAKeyShare(t *testing.T) {
	var s Set[string, *engine]
	a, b, other := lease(t, &s, "a"), lease(t, &s, "a"), lease(t, &s, "b")
	assert.Same(t, a.Value, b.Value)
	assert.NotSame(t, a.Value, other.Value)
	found, ok := s.Find("a")
	assert.True(t, ok)
	assert.Same(t, a.Value, found)
	_, ok = s.Find("c")
	assert.False(t, ok)
}

func TestTheFirstStartsAndTheLastStops(t *testing.T) {
	var s Set[string, *engine]
	a, b := lease(t, &s, "a"), lease(t, &s, "a")
	for range 2 {
		require.NoError(t, a.Start(start))
		require.NoError(t, b.Start(start))
	}
	assert.Equal(t, engine{starts: 1}, *a.Value)
	require.NoError(t, a.Stop(stop))
	require.NoError(t, a.Stop(stop))
	assert.Equal(t, engine{starts: 1}, *a.Value, "b still runs")
	require.NoError(t, b.Stop(stop))
	require.NoError(t, b.Stop(stop))
	assert.Equal(t, engine{starts: 1, stops: 1}, *a.Value)
	assert.NotSame(t, a.Value, lease(t, &s, "a").Value, "the next one is new")
}

func TestAStartThatFailedIsTriedAgain(t *testing.T) {
	var s Set[string, *engine]
	a, b := lease(t, &s, "a"), lease(t, &s, "a")
	require.ErrorIs(t, a.Start(func(*engine) error { return errFire }), errFire)
	require.NoError(t, b.Start(start))
	require.NoError(t, a.Stop(stop))
	assert.Zero(t, b.Value.stops, "b runs")
	require.ErrorIs(t, b.Stop(func(*engine) error { return errFire }), errFire)
}

func TestALeaseThatWasNeverStartedStopsWhatNobodyUses(t *testing.T) {
	var s Set[string, *engine]
	a, b := lease(t, &s, "a"), lease(t, &s, "a")
	require.NoError(t, a.Start(start))
	require.NoError(t, b.Stop(stop))
	assert.Zero(t, a.Value.stops, "a runs")
	require.NoError(t, a.Stop(stop))
	assert.Equal(t, 1, a.Value.stops)

	c := lease(t, &s, "a")
	require.NoError(t, c.Stop(stop))
	assert.Equal(t, engine{stops: 1}, *c.Value)
	_, ok := s.Find("a")
	assert.False(t, ok)
}

func TestAnOldLeaseDoesNotForgetANewOne(t *testing.T) {
	var s Set[string, *engine]
	a, b := lease(t, &s, "a"), lease(t, &s, "a")
	require.NoError(t, a.Stop(stop))
	fresh := lease(t, &s, "a")
	require.NoError(t, b.Stop(stop))
	found, ok := s.Find("a")
	assert.True(t, ok)
	assert.Same(t, fresh.Value, found)
}

func TestWhatCannotBeBuiltIsNotShared(t *testing.T) {
	var s Set[string, *engine]
	_, err := s.Lease("a", func() (*engine, error) { return nil, errFire })
	require.ErrorIs(t, err, errFire)
	lease(t, &s, "a")
}

func TestLeasesAreSafeForConcurrentUse(t *testing.T) {
	var s Set[string, *engine]
	keep := lease(t, &s, "a")
	require.NoError(t, keep.Start(start))
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 100 {
				l, err := s.Lease("a", build)
				assert.NoError(t, err)
				assert.NoError(t, l.Start(start))
				assert.NoError(t, l.Stop(stop))
			}
		})
	}
	wg.Wait()
	assert.Equal(t, engine{starts: 1}, *keep.Value)
}
