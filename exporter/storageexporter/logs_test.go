package storageexporter

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/llm-devops/llm-sentinel/internal/anomaly"
)

func TestAnomaliesInLogsAreStored(t *testing.T) {
	m := &memory{}
	e, err := NewFactory().CreateLogs(t.Context(), settings(), createDefaultConfig())
	require.NoError(t, err)
	require.NoError(t, e.Start(t.Context(), storageIn(m)))
	t.Cleanup(func() { require.NoError(t, e.Shutdown(context.Background())) })

	ld := plog.NewLogs()
	list := ld.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords()
	want := finding(anomaly.TypeHallucination)
	anomaly.MarkLog(list, list.AppendEmpty(), []anomaly.Anomaly{want})
	list.AppendEmpty().SetEventName(anomaly.EventName) // cannot be read
	require.NoError(t, e.ConsumeLogs(t.Context(), ld))
	require.Len(t, m.anomalies, 1)
	require.Equal(t, want.ID, m.anomalies[0].ID)
	require.Empty(t, m.events)

	other := plog.NewLogs()
	other.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords().AppendEmpty().Body().SetStr("text")
	require.NoError(t, e.ConsumeLogs(t.Context(), other))
	require.Len(t, m.anomalies, 1)
}
