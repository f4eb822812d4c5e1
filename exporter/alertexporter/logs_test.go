package alertexporter

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/exporter/exportertest"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/llm-devops/llm-sentinel/exporter/alertexporter/internal/metadata"
	"github.com/llm-devops/llm-sentinel/internal/anomaly"
)

func logsOf(found ...anomaly.Anomaly) plog.Logs {
	ld := plog.NewLogs()
	list := ld.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords()
	record := list.AppendEmpty()
	record.Body().SetStr("an ordinary record")
	anomaly.MarkLog(list, record, found)
	return ld
}

// Traces and logs of one component id are one exporter: what comes both ways is
// told once, and the targets live from the first start to the last shutdown.
func TestTracesAndLogsShareTheTargets(t *testing.T) {
	target := &fakeTarget{}
	useTargets(t, map[string]*fakeTarget{"one": target})
	cfg := createDefaultConfig().(*Config)
	f := NewFactory()
	set := exportertest.NewNopSettings(metadata.Type)
	set.ID = testID
	traces, err := f.CreateTraces(t.Context(), set, cfg)
	require.NoError(t, err)
	logs, err := f.CreateLogs(t.Context(), set, cfg)
	require.NoError(t, err)
	for _, c := range []component.Component{traces, logs} {
		require.NoError(t, c.Start(t.Context(), componenttest.NewNopHost()))
	}
	a, b := sample("a", 0, anomaly.SeverityHigh), sample("b", 0, anomaly.SeverityHigh)
	require.NoError(t, traces.ConsumeTraces(t.Context(), batch(1, one(a))))
	ld := logsOf(a, b)
	ld.MarkReadOnly()
	require.NoError(t, logs.ConsumeLogs(t.Context(), ld))
	require.NoError(t, logs.ConsumeLogs(t.Context(), logsOf()))
	require.NoError(t, traces.Shutdown(t.Context()))
	assert.Zero(t, target.stops, "logs go on")
	require.NoError(t, logs.Shutdown(t.Context()))
	require.NoError(t, logs.Shutdown(t.Context()))
	var services []string
	for _, n := range target.seen() {
		services = append(services, n.Anomaly.Service)
	}
	assert.ElementsMatch(t, []string{"a", "b"}, services)
	assert.Equal(t, 1, target.starts)
	assert.Equal(t, 1, target.stops)
}
