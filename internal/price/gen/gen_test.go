package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// tables is the folder of the open tables; tests that need it skip loudly.
func tables(t *testing.T) string {
	t.Helper()
	root := os.Getenv("SENTINEL_DATA")
	if root == "" {
		root = "../../../../shared/data"
	}
	dir := filepath.Join(root, "prices")
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("SKIPPED: no price tables at %s; set SENTINEL_DATA to run this test", dir)
	}
	return dir
}

func TestTheEmbeddedTablesAreWhatTheGeneratorWrites(t *testing.T) {
	files, err := generate(tables(t))
	require.NoError(t, err)
	again, err := generate(tables(t))
	require.NoError(t, err)
	require.Len(t, files, 2)
	for name, want := range files {
		require.Equal(t, string(want), string(again[name]), "%s differs from run to run", name)
		have, err := os.ReadFile(filepath.Join("..", name))
		require.NoError(t, err)
		require.Equal(t, string(want), string(have), "%s is out of date; run go generate ./internal/price", name)
	}
}
