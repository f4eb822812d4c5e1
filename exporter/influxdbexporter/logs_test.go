package influxdbexporter

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/exporter/exportertest"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/llm-devops/llm-sentinel/exporter/influxdbexporter/internal/metadata"
	"github.com/llm-devops/llm-sentinel/internal/anomaly"
)

func TestAnomaliesInLogsArePoints(t *testing.T) {
	f := newFake(t)
	e, _ := started(t, f.config(APIV1))
	ld := plog.NewLogs()
	list := ld.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords()
	list.AppendEmpty().Body().SetStr("an ordinary record")
	require.NoError(t, e.pushLogs(t.Context(), ld))
	assert.Empty(t, f.requests("/write"), "no anomaly, no request")

	anomaly.MarkLog(list, list.At(0), []anomaly.Anomaly{finding(1), finding(2)})
	require.NoError(t, e.pushLogs(t.Context(), ld))
	got := f.requests("/write")
	require.Len(t, got, 1)
	assert.Len(t, got[0].lines, 2)

	_, err := NewFactory().CreateLogs(t.Context(), exportertest.NewNopSettings(metadata.Type), f.config(APIV1))
	require.NoError(t, err)
}
