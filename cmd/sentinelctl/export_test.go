package main

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestExportWritesAFile(t *testing.T) {
	a := newAPI(t, answering("a,b\n1,2\n"))
	name := filepath.Join(t.TempDir(), "calls.csv")
	r := a.ctl(t, "export", "telemetry", "--service", "chat-api", "--out", name)
	require.Equal(t, exitOK, r.code, r.errors)
	got, err := os.ReadFile(name)
	require.NoError(t, err)
	require.Equal(t, "a,b\n1,2\n", string(got))
	require.Equal(t, []string{"GET /api/v1/export/telemetry?format=csv&service=chat-api"}, a.asked())

	r = a.ctl(t, "export", "telemetry", "--out", name)
	require.Equal(t, exitUsage, r.code)
	require.Contains(t, r.errors, "exists already")
}

func TestExportToStandardOutput(t *testing.T) {
	a := newAPI(t, answering("PAR1"))
	r := a.ctl(t, "export", "anomalies", "--format", "parquet", "--min-confidence", "0.9")
	require.Equal(t, "PAR1", r.out)
	require.Equal(t, []string{"GET /api/v1/export/anomalies?format=parquet&min_confidence=0.9"}, a.asked())
}

func TestAnExportThatIsCutOffLeavesNoFile(t *testing.T) {
	a := newAPI(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "a,b\n1,")
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	})
	dir := t.TempDir()
	r := a.ctl(t, "export", "telemetry", "--out", filepath.Join(dir, "calls.csv"))
	require.Equal(t, exitError, r.code)
	require.Contains(t, r.errors, "the export was cut off and is not complete")
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, left)

	r = a.ctl(t, "export", "telemetry")
	require.Equal(t, exitError, r.code)
}
