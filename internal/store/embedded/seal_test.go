package embedded

import (
	"context"
	"fmt"
	"path/filepath"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/llm-devops/llm-sentinel/internal/genai"
	"github.com/llm-devops/llm-sentinel/internal/store"
)

// hourOfCalls makes events of the hour before noon, a second apart.
func hourOfCalls(n int) []genai.Event {
	out := make([]genai.Event, n)
	for i := range out {
		out[i] = eventAt(noon.Add(-time.Hour + time.Duration(i)*time.Second))
		out[i].Service = fmt.Sprintf("service-%d", i%3)
		out[i].Present, out[i].LatencyMillis = genai.FieldLatency, float64(i)
	}
	return out
}

func openAtNoon(t *testing.T, dir string, change func(*Config)) *Store {
	t.Helper()
	c := newClock(noon)
	s := openFor(t, dir, func(cfg *Config) {
		cfg.Now = c.now
		if change != nil {
			change(cfg)
		}
	})
	t.Cleanup(func() { require.NoError(t, s.Close(context.Background())) })
	return s
}

func lastHour(t *testing.T, s *Store) catalogued {
	t.Helper()
	parts := hours(t, s)
	require.Len(t, parts, 1)
	return parts[0]
}

// calls are the calls that aggregation counts, and checks the sum of latencies.
func calls(t *testing.T, s *Store, f store.EventFilter) (n int64) {
	t.Helper()
	var sum, want float64
	for a, err := range s.Aggregate(t.Context(), store.AggregateQuery{
		EventFilter: f, Start: noon.Add(-2 * time.Hour), End: noon.Add(time.Hour), By: []store.Dimension{store.ByService},
	}) {
		require.NoError(t, err)
		n += a.Calls
		sum += a.Latency.Sum
	}
	for e, err := range s.Events(t.Context(), store.EventQuery{EventFilter: f, Query: store.Query{Limit: 1 << 30}}) {
		require.NoError(t, err)
		want += e.LatencyMillis
	}
	require.InDelta(t, want, sum, 1e-6)
	return n
}

func TestLateEventsUndoASeal(t *testing.T) {
	s := openAtNoon(t, t.TempDir(), nil)
	write(t, s, hourOfCalls(100)...)
	require.NoError(t, s.seal(t.Context(), lastHour(t, s)))
	require.EqualValues(t, 100, lastHour(t, s).measured)
	require.EqualValues(t, 100, calls(t, s, store.EventFilter{}))
	late := hourOfCalls(7)
	write(t, s, late...)
	require.EqualValues(t, 107, calls(t, s, store.EventFilter{}))
	write(t, s, late...)
	require.EqualValues(t, 107, calls(t, s, store.EventFilter{}), "what is delivered again counts once")
	require.NoError(t, s.seal(t.Context(), lastHour(t, s)))
	require.EqualValues(t, 107, lastHour(t, s).measured)
	require.EqualValues(t, 107, calls(t, s, store.EventFilter{}))
}

func TestASealDuringWritesDoesNotCount(t *testing.T) {
	s := openAtNoon(t, t.TempDir(), nil)
	write(t, s, hourOfCalls(100)...)
	for name, between := range map[string]func(w *measureWriter){
		"before reading": func(w *measureWriter) {
			write(t, s, eventAt(noon.Add(-time.Minute)))
			readAll(t, s, w)
		},
		"after reading": func(w *measureWriter) {
			readAll(t, s, w)
			write(t, s, eventAt(noon.Add(-time.Minute)))
		},
		"removed and as many added": func(w *measureWriter) {
			readAll(t, s, w)
			n := lastHour(t, s).events
			trim(t, s, lastHour(t, s))
			write(t, s, hourOfCalls(int(n))...)
			require.Equal(t, n, lastHour(t, s).events)
		},
		"another seal": func(w *measureWriter) {
			readAll(t, s, w)
			require.NoError(t, s.seal(t.Context(), lastHour(t, s)))
			write(t, s, eventAt(noon.Add(-time.Minute)))
		},
	} {
		t.Run(name, func(t *testing.T) {
			w, err := s.beginSeal(t.Context(), lastHour(t, s))
			require.NoError(t, err)
			between(w)
			require.NoError(t, w.finish())
			p := lastHour(t, s)
			if p.measured == p.events {
				require.Equal(t, "before reading", name, "the events that were added before are read with the others")
			}
			require.Equal(t, p.events, calls(t, s, store.EventFilter{}))
		})
	}
}

func readAll(t *testing.T, s *Store, w *measureWriter) {
	t.Helper()
	hour := lastHour(t, s)
	for more := true; more; {
		conn, err := s.readers.Take(t.Context())
		require.NoError(t, err)
		more, err = w.read(conn, &hour, 17)
		s.readers.Put(conn)
		require.NoError(t, err)
		require.NoError(t, w.flush())
	}
}

func TestTrimmedEventsDoNotCount(t *testing.T) {
	s := openAtNoon(t, t.TempDir(), nil)
	write(t, s, hourOfCalls(3000)...)
	require.NoError(t, s.seal(t.Context(), lastHour(t, s)))
	require.EqualValues(t, trimRows, trim(t, s, lastHour(t, s)))
	require.EqualValues(t, 3000-trimRows, calls(t, s, store.EventFilter{}))
	write(t, s, hourOfCalls(trimRows)...) // as many as were removed
	require.EqualValues(t, 3000, calls(t, s, store.EventFilter{}))
}

func TestMeasuresGoWithTheirHour(t *testing.T) {
	s := openAtNoon(t, t.TempDir(), nil)
	write(t, s, hourOfCalls(100)...)
	require.NoError(t, s.seal(t.Context(), lastHour(t, s)))
	hour := lastHour(t, s)
	asWriter(t, s, func() (any, error) { return nil, s.retire(t.Context(), hour, &s.stats.byAge) })
	require.Zero(t, number(t, s, "SELECT count(*) FROM measures"))
}

// An hour of many chunks, in several pieces, holds each event once.
func TestLargeHourIsSealedInPieces(t *testing.T) {
	s := openAtNoon(t, t.TempDir(), nil)
	var events []genai.Event
	for i := range chunkEvents + 2000 {
		e := eventAt(noon.Add(-time.Hour + time.Duration(i/5)*time.Second))
		e.ID = uuid.NewSHA1(uuid.Nil, []byte(strconv.Itoa(i)))
		e.Present, e.LatencyMillis = genai.FieldLatency, float64(i%1000)
		events = append(events, e)
	}
	write(t, s, events...)
	hour := lastHour(t, s)
	w, err := s.beginSeal(t.Context(), hour)
	require.NoError(t, err)
	for more := true; more; {
		conn, err := s.readers.Take(t.Context())
		require.NoError(t, err)
		more, err = w.read(conn, &hour, 3000)
		s.readers.Put(conn)
		require.NoError(t, err)
	}
	require.NoError(t, w.flush())
	require.NoError(t, w.finish())
	require.EqualValues(t, len(events), lastHour(t, s).measured)
	require.EqualValues(t, len(events), calls(t, s, store.EventFilter{}))
	require.EqualValues(t, 2, number(t, s, "SELECT count(*) FROM measures"))
}

func TestDamagedMeasuresAreNotNeeded(t *testing.T) {
	logs, seen := observer.New(zapcore.ErrorLevel)
	s := openAtNoon(t, t.TempDir(), func(cfg *Config) { cfg.Logger = zap.New(logs) })
	write(t, s, hourOfCalls(100)...)
	require.NoError(t, s.seal(t.Context(), lastHour(t, s)))
	asWriter(t, s, func() (any, error) {
		return nil, sqlitex.ExecuteTransient(s.w.conn, "UPDATE measures SET data = substr(data, 1, length(data) - 3) WHERE service = 'service-1'", nil)
	})
	require.EqualValues(t, 100, calls(t, s, store.EventFilter{}))
	require.Equal(t, 1, seen.Len())
	n, err := s.CountEvents(t.Context(), store.EventQuery{EventFilter: store.EventFilter{Provider: "p"}})
	require.NoError(t, err)
	require.EqualValues(t, 0, n)
	require.Equal(t, 2, seen.Len())
}

// The store seals an hour by itself some seconds after it is over and quiet, and
// again after late data.
func TestHoursAreSealedInTheBackground(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		hour := time.Now().Truncate(time.Hour)
		at := func(n int, from time.Time) (out []genai.Event) {
			for i := range n {
				out = append(out, genai.Event{ID: uuid.New(), End: pcommon.NewTimestampFromTime(from.Add(time.Duration(i) * time.Millisecond))})
			}
			return out
		}
		s, err := Open(t.Context(), Config{Directory: filepath.Join(dir, "db"), Retention: DefaultRetention, SyncInterval: time.Second})
		require.NoError(t, err)
		require.NoError(t, s.WriteEvents(t.Context(), at(sealMinEvents, hour.Add(-time.Hour))))
		require.NoError(t, s.WriteEvents(t.Context(), at(sealMinEvents, hour)))
		require.NoError(t, s.WriteEvents(t.Context(), at(sealMinEvents-1, hour.Add(-3*time.Hour))))
		measured := func() (out []int64) {
			for _, p := range hours(t, s) {
				out = append(out, p.measured)
			}
			return out
		}
		time.Sleep(sealQuiet - 2*time.Second)
		require.Equal(t, []int64{-1, -1, -1}, measured(), "not while they may be written to")
		time.Sleep(6 * time.Second)
		require.Equal(t, []int64{-1, sealMinEvents, -1}, measured(), "not the hour that is not over, nor a small one")
		require.NoError(t, s.WriteEvents(t.Context(), at(3, hour.Add(-30*time.Minute))))
		time.Sleep(sealQuiet + 5*time.Second)
		require.Equal(t, []int64{-1, sealMinEvents + 3, -1}, measured())
		time.Sleep(time.Hour)
		require.Equal(t, []int64{sealMinEvents, sealMinEvents + 3, -1}, measured())
		require.NoError(t, s.Close(t.Context()))
	})
}
