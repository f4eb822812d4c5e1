package embedded

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/llm-devops/llm-sentinel/internal/genai"
	"github.com/llm-devops/llm-sentinel/internal/store"
)

func measuresOf(t *testing.T, s *Store) []string {
	t.Helper()
	return asWriter(t, s, func() (out []string, err error) {
		err = sqlitex.ExecuteTransient(s.w.conn, "SELECT service, events, hex(data) FROM measures ORDER BY service, seq", &sqlitex.ExecOptions{
			ResultFunc: func(stmt *sqlite.Stmt) error {
				out = append(out, fmt.Sprint(stmt.ColumnText(0), " ", stmt.ColumnInt64(1), " ", stmt.ColumnText(2)))
				return nil
			},
		})
		return out, err
	})
}

// sealCollected reports whether the last hour could be sealed by what was collected.
func sealCollected(t *testing.T, s *Store) bool {
	t.Helper()
	done, err := s.sealCollected(t.Context(), lastHour(t, s).hour)
	require.NoError(t, err)
	if done {
		require.Equal(t, lastHour(t, s).events, lastHour(t, s).measured)
	}
	return done
}

func TestCollectedMeasuresAreThoseOfTheRows(t *testing.T) {
	s := openAtNoon(t, t.TempDir(), nil)
	r := rand.New(rand.NewPCG(8, 9))
	for range 30 {
		batch := hourOfCalls(100)
		for i := range batch {
			e := &batch[i]
			e.ResponseModel = [...]string{"", "m", "über\x00model"}[r.IntN(3)]
			e.RequestModel, e.Provider, e.Tenant = "asked", "p", fmt.Sprint("t", r.IntN(40))
			e.Environment, e.Operation = "prod", "chat"
			e.Failed = r.IntN(4) == 0
			e.Present = genai.Field(r.Uint64())
			e.InputTokens, e.OutputTokens, e.TotalTokens = r.Int64N(1000), r.Int64N(1000), 77
			e.CacheReadTokens, e.CacheWriteTokens, e.ReasoningTokens = -r.Int64N(9), math.MaxInt64, r.Int64N(5)
			e.CostUSD, e.TTFTMillis = [...]float64{0, 1.5, math.NaN(), math.Inf(1)}[r.IntN(4)], r.Float64()
		}
		write(t, s, batch...)
		write(t, s, batch[:10]...) // delivered again
	}
	require.True(t, sealCollected(t, s))
	collected := measuresOf(t, s)
	require.Len(t, collected, 3)
	require.NoError(t, s.seal(t.Context(), lastHour(t, s)))
	require.Equal(t, measuresOf(t, s), collected)

	require.False(t, sealCollected(t, s), "late events are added to rows only")
	write(t, s, hourOfCalls(5)...)
	require.EqualValues(t, 3005, calls(t, s, store.EventFilter{}))
}

// Whatever makes the collected measures incomplete ends them, and the hour is
// sealed from its rows.
func TestIncompleteMeasuresAreNotUsed(t *testing.T) {
	for name, spoil := range map[string]func(*testing.T, *Store){
		"as many events removed as added": func(t *testing.T, s *Store) {
			t.Helper()
			n := int(lastHour(t, s).events)
			trim(t, s, lastHour(t, s))
			write(t, s, hourOfCalls(n-int(lastHour(t, s).events))...)
		},
		"a write that failed": func(t *testing.T, s *Store) {
			t.Helper()
			require.NoError(t, s.acquire(t.Context()))
			defer s.release()
			require.Error(t, s.w.transaction(t.Context().Done(), func() error { return errors.New("no room") }))
		},
		"too many": func(t *testing.T, s *Store) {
			t.Helper()
			asWriter(t, s, func() (any, error) { s.w.open[0].collected.size = maxCollected + 1; return nil, nil })
			write(t, s, hourOfCalls(1)...)
		},
		"too many names": func(t *testing.T, s *Store) {
			t.Helper()
			batch := hourOfCalls(maxCollectedGroups + 1)
			for i := range batch {
				batch[i].End, batch[i].Tenant = batch[0].End, strconv.Itoa(i)
			}
			write(t, s, batch...)
		},
		"sealed from rows": func(t *testing.T, s *Store) {
			t.Helper()
			require.NoError(t, s.seal(t.Context(), lastHour(t, s)))
			write(t, s, hourOfCalls(1)...)
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := openAtNoon(t, t.TempDir(), nil)
			write(t, s, hourOfCalls(3000)...)
			spoil(t, s)
			require.False(t, sealCollected(t, s))
			require.NoError(t, s.seal(t.Context(), lastHour(t, s)))
			require.Equal(t, lastHour(t, s).events, calls(t, s, store.EventFilter{}))
		})
	}
}

func TestAReopenedHourIsSealedFromItsRows(t *testing.T) {
	dir := t.TempDir()
	c := newClock(noon)
	change := func(cfg *Config) { cfg.Now, cfg.SyncInterval = c.now, time.Minute }
	s := openFor(t, dir, change)
	write(t, s, hourOfCalls(10)...)
	require.NoError(t, s.Close(t.Context()))
	s = openFor(t, dir, change)
	defer func() { require.NoError(t, s.Close(t.Context())) }()
	write(t, s, hourOfCalls(10)...)
	require.False(t, sealCollected(t, s))
}

// What is asked of the current hour is what was acknowledged, whoever writes
// meanwhile, and no question waits for a writer that does not end.
func TestTheCurrentHourIsAnsweredWhileItIsWritten(t *testing.T) {
	s := openAtNoon(t, t.TempDir(), nil)
	var wg sync.WaitGroup
	var acknowledged atomic.Int64
	wg.Go(func() {
		for range 100 {
			assert.NoError(t, s.WriteEvents(t.Context(), hourOfCalls(30)))
			acknowledged.Add(30)
		}
	})
	q := store.AggregateQuery{Start: noon.Add(-2 * time.Hour), End: noon.Add(time.Hour)}
	ask := func() (calls int64) {
		for a, err := range s.Aggregate(t.Context(), q) {
			require.NoError(t, err)
			calls += a.Calls
			require.Equal(t, a.Calls, a.Latency.Count)
		}
		return calls
	}
	for last := int64(0); last < 3000; {
		at := acknowledged.Load()
		n := ask()
		require.GreaterOrEqual(t, n, max(at, last))
		require.Zero(t, n%30, "whole batches")
		last = n
		counted, err := s.CountEvents(t.Context(), store.EventQuery{Query: store.Query{Service: "service-1"}})
		require.NoError(t, err)
		require.GreaterOrEqual(t, counted, n/3)
	}
	wg.Wait()
	require.NoError(t, s.acquire(t.Context()))
	require.EqualValues(t, 3000, ask())
	s.release()
}
