package llmtraffic

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/llm-devops/llm-sentinel/internal/anomaly"
)

func TestAPIClientFollowsTheCursor(t *testing.T) {
	pages := [][]anomaly.Anomaly{
		{someAnomaly("a", "m", anomaly.TypeCostAnomaly, epoch), someAnomaly("b", "m", anomaly.TypeCostAnomaly, epoch)},
		{someAnomaly("c", "m", anomaly.TypeCostAnomaly, epoch)},
	}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/health/ready" {
			_, _ = w.Write([]byte(`{"data":{"status":"healthy"}}`))
			return
		}
		q := r.URL.Query()
		assert.Equal(t, "/api/v1/anomalies", r.URL.Path)
		assert.Equal(t, "2026-03-02T00:00:00Z", q.Get("start"))
		assert.Equal(t, "2026-03-02T01:00:00Z", q.Get("end"))
		page, meta := 0, map[string]any{"next_cursor": "two"}
		if q.Get("cursor") == "two" {
			page, meta = 1, map[string]any{}
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"data": pages[page], "metadata": meta})
	}))
	defer srv.Close()
	c := NewAPIClient(srv.URL + "/")
	require.NoError(t, c.Ready(t.Context()))
	got, err := c.Anomalies(t.Context(), epoch, epoch.Add(time.Hour))
	require.NoError(t, err)
	require.Len(t, got, 3)
	assert.Equal(t, pages[1][0].ID, got[2].ID)
}

func TestAPIClientReportsErrors(t *testing.T) {
	for name, h := range map[string]http.HandlerFunc{
		"status": func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, `{"code":"query_failed"}`, http.StatusInternalServerError)
		},
		"body": func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("nonsense")) },
		"endless": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte(`{"data":[],"metadata":{"next_cursor":"x"}}`))
		},
	} {
		t.Run(name, func(t *testing.T) {
			srv := httptest.NewServer(h)
			defer srv.Close()
			_, err := NewAPIClient(srv.URL).Anomalies(t.Context(), epoch, epoch.Add(time.Hour))
			require.Error(t, err)
		})
	}
}
