package embedded

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

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

func TestDurable(t *testing.T) {
	storetest.RunDurable(t, func(t *testing.T, dir string) store.Backend {
		t.Helper()
		return openFor(t, dir, nil)
	})
}
