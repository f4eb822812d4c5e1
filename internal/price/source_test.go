package price

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

const fileOne = `{"format":"sentinel-prices/1","version":"mine","providers":[{"id":"openai","models":[{"id":"gpt-4o","prices":{"input_mtok":100,"output_mtok":100}}]}]}`

func priceFile(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "prices.json")
	require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
	return path
}

func askSource(t *testing.T, s *Source, model, tier string) Quote {
	t.Helper()
	return quote(t, s.Book(), Request{Provider: "openai", Model: model, ServiceTier: tier, Time: testDay, Usage: Usage{Input: 1e6}})
}

func TestTheFileComesBetweenRulesAndTheSnapshot(t *testing.T) {
	s, err := Open(Options{
		File:  priceFile(t, fileOne),
		Rules: []Rule{{Model: "gpt-4o-mini", Prices: map[string]float64{"input_mtok": 50}}},
	})
	require.NoError(t, err)
	q := askSource(t, s, "gpt-4o", "")
	require.Equal(t, []any{"file", "mine", 100.0}, []any{q.Layer, q.Version, q.USD})
	require.Equal(t, "mine", s.Book().Version())
	q = askSource(t, s, "gpt-4o-mini", "")
	require.Equal(t, []any{"rules", "rules", 50.0}, []any{q.Layer, q.Version, q.USD})
	q = askSource(t, s, "gpt-4.1", "")
	require.Equal(t, []any{"embedded", "2026-08-21", 2.0}, []any{q.Layer, q.Version, q.USD})
	// The file has no service tiers; those of the snapshot still hold.
	require.InDelta(t, 50, askSource(t, s, "gpt-4o", "batch").USD, 1e-9)
	// It does not say how the provider is recognised either.
	q = quote(t, s.Book(), Request{Provider: "my openai", Model: "gpt-4o", Usage: Usage{Input: 1e6}})
	require.Equal(t, "file", q.Layer)
}

func TestAFileInTheOpenFormatIsNamedByItsHash(t *testing.T) {
	s, err := Open(Options{File: priceFile(t, `[{"id":"openai","models":[{"id":"x","match":{"equals":"x"},"prices":{"input_mtok":3}}]}]`)})
	require.NoError(t, err)
	q := askSource(t, s, "x", "")
	require.Regexp(t, `^sha256:[0-9a-f]{12}$`, q.Version)
	require.InDelta(t, 3, q.USD, 1e-12)
}

func TestAtTheStartABadFileIsAnError(t *testing.T) {
	_, err := Open(Options{File: priceFile(t, `{"format":"sentinel-prices/1","providers":[{"id":"p","models":[{"id":"m","prices":{"input_mtok":-3}}]}]}`)})
	require.ErrorContains(t, err, "prices.input_mtok: -3")
	_, err = Open(Options{File: filepath.Join(t.TempDir(), "none.json")})
	require.ErrorIs(t, err, os.ErrNotExist)
	_, err = Open(Options{File: priceFile(t, fileOne), MaxFileBytes: 10})
	require.ErrorContains(t, err, "more than 10 bytes")
}

func TestReloadTakesAFileWhenItsContentHasChanged(t *testing.T) {
	path := priceFile(t, fileOne)
	s, err := Open(Options{File: path})
	require.NoError(t, err)
	first := s.Book()
	changed, err := s.Reload()
	require.NoError(t, err)
	require.False(t, changed)
	require.Same(t, first, s.Book())

	require.NoError(t, os.WriteFile(path, []byte(strings.ReplaceAll(fileOne, "100", "200")), 0o600))
	changed, err = s.Reload()
	require.NoError(t, err)
	require.True(t, changed)
	require.InDelta(t, 200, askSource(t, s, "gpt-4o", "").USD, 1e-9)
	require.InDelta(t, 100, quote(t, first, Request{Provider: "openai", Model: "gpt-4o", Usage: Usage{Input: 1e6}}).USD, 1e-9,
		"a book that is in use does not change")
}

func TestABadFileKeepsTheOldBookAndIsReportedOnce(t *testing.T) {
	path := priceFile(t, fileOne)
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var problems []string
		var reloads int
		s, err := Open(Options{
			File: path, ReloadInterval: time.Second,
			OnError:  func(err error) { mu.Lock(); defer mu.Unlock(); problems = append(problems, err.Error()) },
			OnReload: func(*Book) { mu.Lock(); defer mu.Unlock(); reloads++ },
		})
		require.NoError(t, err)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); s.Run(ctx) }()
		pass := func(content string, wantProblems, wantReloads int) {
			t.Helper()
			if content == "" {
				require.NoError(t, os.Remove(path))
			} else {
				require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
			}
			time.Sleep(5*time.Second + time.Millisecond) // of the bubble's clock
			synctest.Wait()
			mu.Lock()
			defer mu.Unlock()
			require.Len(t, problems, wantProblems)
			require.Equal(t, wantReloads, reloads)
		}
		pass(fileOne, 0, 0)
		bad := strings.ReplaceAll(fileOne, `"input_mtok":100`, `"input_mtok":-7`)
		pass(bad, 1, 0)
		mu.Lock()
		first := problems[0]
		mu.Unlock()
		require.Contains(t, first, `providers[0] ("openai"): models[0] ("gpt-4o"): prices.input_mtok: -7`)
		require.InDelta(t, 100, askSource(t, s, "gpt-4o", "").USD, 1e-9)
		pass("", 2, 0)
		pass(fileOne, 2, 1)
		pass(bad, 3, 1)
		pass(strings.ReplaceAll(fileOne, "100", "300"), 3, 2)
		require.InDelta(t, 300, askSource(t, s, "gpt-4o", "").USD, 1e-9)
		cancel()
		<-done
	})
}

func TestRunReturnsAtOnceWithoutAnythingToDo(t *testing.T) {
	s, err := Open(Options{})
	require.NoError(t, err)
	s.Run(t.Context())
	s, err = Open(Options{File: priceFile(t, fileOne), ReloadInterval: -1})
	require.NoError(t, err)
	s.Run(t.Context())
	changed, err := s.Reload()
	require.NoError(t, err)
	require.False(t, changed)
}

func TestQuotesAndReloadsMayRunAtTheSameTime(t *testing.T) {
	path := priceFile(t, fileOne)
	s, err := Open(Options{File: path, CacheSize: 16})
	require.NoError(t, err)
	auditor := NewAuditor(AuditOptions{MaxModels: 8})
	var group sync.WaitGroup
	for g := range 4 {
		group.Go(func() {
			for i := range 2000 {
				model := "m" + strings.Repeat("x", (i*7+g)%40)
				if i%2 == 0 {
					model = "gpt-4o"
				}
				q, err := s.Book().Quote(Request{Provider: "openai", Model: model, Usage: Usage{Input: 1e6}})
				auditor.Check(testDay, "openai", model, 1, q, err)
				if model == "gpt-4o" && (err != nil || q.USD != 100 && q.USD != 200) {
					t.Errorf("%+v, %v", q, err)
				}
			}
		})
	}
	for _, price := range []string{"200", "100", "200", "-1", "100"} {
		require.NoError(t, os.WriteFile(path, []byte(strings.ReplaceAll(fileOne, "100", price)), 0o600))
		_, err := s.Reload()
		require.Equal(t, price == "-1", err != nil)
	}
	group.Wait()
}
