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

func TestConformance(t *testing.T) {
	for name, change := range map[string]func(*Config){
		"default":                           nil,
		"no limit by age, flush each write": func(c *Config) { c.Retention, c.SyncInterval = 0, 0 },
		"one reader, frequent retention":    func(c *Config) { c.Readers, c.SyncInterval = 1, time.Millisecond },
	} {
		t.Run(name, func(t *testing.T) {
			storetest.Run(t, func(t *testing.T) store.Backend {
				t.Helper()
				return openFor(t, t.TempDir(), change)
			})
		})
	}
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
	return err
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
