package embedded

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/llm-devops/llm-sentinel/internal/genai"
	"github.com/llm-devops/llm-sentinel/internal/store"
)

const testPage = 4096

// overwrite fills pages, counted from 0, with what no page has.
func overwrite(t *testing.T, path string, first, pages int) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	require.NoError(t, err)
	_, err = f.WriteAt([]byte(strings.Repeat("\xa5", pages*testPage)), int64(first)*testPage)
	require.NoError(t, errors.Join(err, f.Close()))
}

// Whichever page is damaged: Open refuses with a way out, or all that is read
// and written later either works or says what is wrong. Nothing panics, nothing
// hangs, and an empty store can be started over it.
func TestDamageAnywhereIsToldOrHarmless(t *testing.T) {
	c := newClock(noon)
	change := func(cfg *Config) { cfg.Now, cfg.SyncInterval = c.now, time.Minute }
	dir := t.TempDir()
	s := openFor(t, dir, change)
	var one genai.Event
	for i := range 30 {
		var batch []genai.Event
		for j := range 100 {
			e := eventAt(noon.Add(-time.Duration(i%3)*time.Hour + time.Duration(i*100+j)*time.Millisecond))
			e.TraceID[0], e.Conversation, e.PromptText = byte(1+j), fmt.Sprint("session ", j), strings.Repeat("p", 50)
			batch = append(batch, e)
			one = e
		}
		write(t, s, batch...)
	}
	require.NoError(t, s.Close(t.Context()))
	sound, err := os.ReadFile(filepath.Join(dir, fileName))
	require.NoError(t, err)
	pages := len(sound) / testPage
	require.Greater(t, pages, 100)

	refused := 0
	for page := 0; page < pages; page += 1 + pages/40 {
		dir := t.TempDir()
		path := filepath.Join(dir, fileName)
		require.NoError(t, os.WriteFile(path, sound, 0o600))
		overwrite(t, path, page, 1)
		s, err := Open(t.Context(), Config{Directory: dir, Now: c.now, SyncInterval: time.Minute, CheckBudget: time.Minute})
		if err != nil {
			require.ErrorIs(t, err, ErrDamaged, "page %d", page)
			require.ErrorContains(t, err, "recreate")
			refused++
			s = openFor(t, dir, func(cfg *Config) { change(cfg); cfg.Recreate = true })
			require.Empty(t, ids(t, s))
			write(t, s, one)
			require.NoError(t, s.Close(t.Context()))
			continue
		}
		// Free pages, and what the check does not read.
		use(t, s, one)
		require.NoError(t, s.Close(t.Context()), "page %d", page)
	}
	require.Greater(t, refused, 25, "of 40")
}

// use reads and writes; errors must say that the database is damaged.
func use(t *testing.T, s *Store, e genai.Event) {
	t.Helper()
	told := func(err error) {
		if err != nil {
			require.ErrorIs(t, err, ErrDamaged)
		}
	}
	for _, q := range []store.EventQuery{
		{Query: store.Query{Limit: 1 << 20}},
		{Query: store.Query{Limit: 1 << 20}, EventFilter: store.EventFilter{TraceID: e.TraceID.String()}},
		{Query: store.Query{Limit: 1 << 20}, ID: e.ID},
	} {
		for _, err := range s.Events(t.Context(), q) {
			told(err)
		}
	}
	told(s.WriteEvents(t.Context(), []genai.Event{eventAt(noon), eventAt(noon.Add(-time.Hour))}))
}

// Damage that the start had no time to find is found when it is read.
func TestDamageBehindTheBudgetIsToldWhenRead(t *testing.T) {
	c := newClock(noon)
	dir := t.TempDir()
	s := openFor(t, dir, func(cfg *Config) { cfg.Now = c.now })
	for range 100 {
		write(t, s, fat(noon))
	}
	require.NoError(t, s.Close(t.Context()))
	path := filepath.Join(dir, fileName)
	info, err := os.Stat(path)
	require.NoError(t, err)
	overwrite(t, path, int(info.Size()/testPage)/2, 20)
	s, err = Open(t.Context(), Config{Directory: dir, Now: c.now, CheckBudget: time.Nanosecond})
	require.NoError(t, err)
	_, err = func() (n int, err error) {
		for _, err := range s.Events(context.Background(), store.EventQuery{Query: store.Query{Limit: 1000}}) {
			if err != nil {
				return n, err
			}
			n++
		}
		return n, nil
	}()
	require.ErrorIs(t, err, ErrDamaged)
	require.ErrorContains(t, err, "recreate")
	require.NoError(t, s.Close(t.Context()))
}
