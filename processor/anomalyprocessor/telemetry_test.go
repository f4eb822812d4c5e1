package anomalyprocessor

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/llm-devops/llm-sentinel/internal/anomaly"
	"github.com/llm-devops/llm-sentinel/internal/store"
)

// No metric is declared that nothing records.
func TestEveryDeclaredMetricIsRecorded(t *testing.T) {
	b, err := os.ReadFile("metadata.yaml")
	require.NoError(t, err)
	var declared struct {
		Telemetry struct {
			Metrics map[string]struct{ Prefix string }
		}
	}
	require.NoError(t, yaml.Unmarshal(b, &declared))
	require.NotEmpty(t, declared.Telemetry.Metrics)

	mem := newMemStorage()
	mem.data[headKey] = []byte("damaged")
	r := newRigOn(t, testHost{storageID: mem}, withStorage(func(c *Config) { c.MaxSeries, c.Peers.MaxRelated = 4, 0 }))
	g, other := newTraffic(40), newTraffic(41)
	other.service = "search"
	r.send(g.calls(200)...)
	r.send(other.calls(200)...)
	r.send(other.with(slow))
	r.send(g.with(func(c *call) { c.end = epoch }), g.with(func(c *call) { c.end = epoch.AddDate(1, 0, 0) }), g.with(func(c *call) { c.failed = true }))
	for range 300 {
		r.send(g.with(slow))
	}
	for i := range 10 {
		g.model = fmt.Sprintf("m%d", i)
		r.send(g.call())
	}
	require.NoError(t, r.eng.snapshots.save(context.Background()))
	r.eng.Learn(r.verdictOn(&anomaly.Anomaly{ID: uuid.New(), Service: "chat-api"}, store.VerdictTrue))
	r.eng.table.Sweep(epoch.Add(48*time.Hour).UnixNano(), 1)

	for name, m := range declared.Telemetry.Metrics {
		assert.Equal(t, "sentinel_", m.Prefix, name)
		_, err := r.tel.GetMetric(m.Prefix + name)
		assert.NoError(t, err, name)
	}
	assert.Positive(t, r.counter("series_evicted_total", "reason", "idle"))
	assert.Equal(t, r.counter("events_processed_total"),
		r.counter("events_normal_total")+r.counter("events_late_total")+r.counter("events_skipped_total")+
			r.counter("anomalies_detected_total")+r.counter("anomalies_suppressed_total"),
		"with one anomalous metric a call, every call is accounted for once")
}
