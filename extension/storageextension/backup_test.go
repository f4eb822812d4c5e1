package storageextension

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/metric/metricdata/metricdatatest"

	"github.com/llm-devops/llm-sentinel/extension/storageextension/internal/metadatatest"
)

func TestBackupsAreMadeAndCounted(t *testing.T) {
	tel := componenttest.NewTelemetry()
	t.Cleanup(func() { require.NoError(t, tel.Shutdown(context.Background())) })
	cfg := configIn(t.TempDir())
	copies := t.TempDir()
	cfg.Embedded.Get().Backup.Directory = copies
	e := create1(t, cfg, tel.NewTelemetrySettings())
	require.NoError(t, e.Start(t.Context(), componenttest.NewNopHost()))
	defer func() { require.NoError(t, e.Shutdown(context.Background())) }()
	require.Eventually(t, func() bool {
		m, err := tel.GetMetric("sentinel_storage_backup_last_success_seconds")
		return err == nil && time.Since(time.Unix(m.Data.(metricdata.Gauge[int64]).DataPoints[0].Value, 0)) < time.Minute
	}, 30*time.Second, 10*time.Millisecond)
	point := func(v int64, result string) metricdata.DataPoint[int64] {
		return metricdata.DataPoint[int64]{
			Attributes: attribute.NewSet(attribute.String("storage", "llm_storage"), attribute.String("result", result)), Value: v,
		}
	}
	metadatatest.AssertEqualStorageBackupsTotal(t, tel, []metricdata.DataPoint[int64]{point(1, "success"), point(0, "failure")},
		metricdatatest.IgnoreTimestamp())
	m, err := tel.GetMetric("sentinel_storage_backup_bytes")
	require.NoError(t, err)
	require.Positive(t, m.Data.(metricdata.Gauge[int64]).DataPoints[0].Value)
	files, err := filepath.Glob(filepath.Join(copies, "events-*.db"))
	require.NoError(t, err)
	require.Len(t, files, 1)
}
