package embedded

import (
	"context"
	"iter"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"zombiezen.com/go/sqlite"

	"github.com/llm-devops/llm-sentinel/internal/store"
	"github.com/llm-devops/llm-sentinel/internal/store/storetest"
)

func openFor(t *testing.T, dir string, change func(*Config)) *Store {
	t.Helper()
	cfg := Config{Directory: dir, Retention: DefaultRetention, SyncInterval: DefaultSyncInterval}
	if change != nil {
		change(&cfg)
	}
	s, err := Open(t.Context(), cfg)
	require.NoError(t, err)
	return s
}

// asWriter calls f with the writer, which the store itself uses in the background.
func asWriter[T any](tb testing.TB, s *Store, f func() (T, error)) T {
	tb.Helper()
	require.NoError(tb, s.acquire(tb.Context()))
	defer s.release()
	v, err := f()
	require.NoError(tb, err)
	return v
}

// hours of the catalogue, newest first.
func hours(tb testing.TB, s *Store) []catalogued {
	tb.Helper()
	return asWriter(tb, s, func() ([]catalogued, error) { return listPartitions(s.w.conn) })
}

// number is what a statement gives.
func number(tb testing.TB, s *Store, sql string) int64 {
	tb.Helper()
	return asWriter(tb, s, func() (int64, error) { return queryInt(s.w.conn, sql) })
}

func trim(tb testing.TB, s *Store, p catalogued) int64 {
	tb.Helper()
	return asWriter(tb, s, func() (int64, error) { return s.trim(tb.Context(), p) })
}

func TestConformance(t *testing.T) {
	for name, change := range map[string]func(*Config){
		"default":                           nil,
		"no limit by age, flush each write": func(c *Config) { c.Retention, c.SyncInterval = 0, 0 },
		"one reader, frequent retention, aggregates of rows": func(c *Config) { c.Readers, c.SyncInterval = 1, time.Millisecond },
	} {
		t.Run(name, func(t *testing.T) {
			storetest.Run(t, func(t *testing.T) store.Backend {
				t.Helper()
				s := openFor(t, t.TempDir(), change)
				if s.cfg.Readers == 1 {
					return rows{s}
				}
				return s
			})
		})
	}
}

// rows counts and aggregates by the rows of events, as after a restart.
type rows struct{ *Store }

func (s rows) forget() {
	if s.acquire(context.Background()) == nil {
		for _, p := range s.w.open {
			p.collected = nil
		}
		s.release()
	}
}

func (s rows) Aggregate(ctx context.Context, q store.AggregateQuery) iter.Seq2[store.Aggregate, error] {
	s.forget()
	return s.Store.Aggregate(ctx, q)
}

func (s rows) CountEvents(ctx context.Context, q store.EventQuery) (int64, error) {
	s.forget()
	return s.Store.CountEvents(ctx, q)
}

// sealed makes the measures of all hours before each aggregation.
type sealed struct{ *Store }

func (s sealed) Aggregate(ctx context.Context, q store.AggregateQuery) iter.Seq2[store.Aggregate, error] {
	return func(yield func(store.Aggregate, error) bool) {
		if err := sealAll(ctx, s.Store); err != nil {
			yield(store.Aggregate{}, err)
			return
		}
		s.Store.Aggregate(ctx, q)(yield)
	}
}

func sealAll(ctx context.Context, s *Store) error {
	var parts []catalogued
	err := s.snapshot(ctx, func(conn *sqlite.Conn) (err error) {
		parts, err = listPartitions(conn)
		return err
	})
	for _, p := range parts {
		if err == nil && p.measured != p.events {
			err = s.seal(ctx, p)
		}
	}
	return s.explain(ctx, "seal hours", err)
}

func TestConformanceOfSealedHours(t *testing.T) {
	storetest.Run(t, func(t *testing.T) store.Backend {
		t.Helper()
		return sealed{openFor(t, t.TempDir(), nil)}
	})
}

func TestDurable(t *testing.T) {
	storetest.RunDurable(t, func(t *testing.T, dir string) store.Backend {
		t.Helper()
		return openFor(t, dir, nil)
	})
}
