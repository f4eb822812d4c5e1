package influxdbexporter

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/exporter/exportertest"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/llm-devops/llm-sentinel/exporter/influxdbexporter/internal/metadata"
	"github.com/llm-devops/llm-sentinel/internal/anomaly"
	"github.com/llm-devops/llm-sentinel/internal/genai"
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

func TestCallsInLogsArePoints(t *testing.T) {
	f := newFake(t)
	e, _ := started(t, f.config(APIV1))
	ld := plog.NewLogs()
	rl := ld.ResourceLogs().AppendEmpty()
	rl.Resource().Attributes().PutStr("service.name", "claude-code")
	list := rl.ScopeLogs().AppendEmpty().LogRecords()
	add := func(event string) plog.LogRecord {
		rec := list.AppendEmpty()
		rec.SetEventName(event)
		rec.SetTimestamp(1_767_323_045_000_000_000)
		rec.Attributes().PutStr("model", "claude-sonnet-4-5")
		rec.Attributes().PutInt("input_tokens", 11)
		rec.Attributes().PutInt("output_tokens", 12)
		rec.Attributes().PutInt("duration_ms", 800)
		return rec
	}
	add("claude_code.api_request")
	add("claude_code.tool_result")
	add("claude_code.api_request").Attributes().PutStr(genai.AttrCallDuplicate, "log_of_span")
	require.NoError(t, e.pushLogs(t.Context(), ld))
	got := f.requests("/write")
	require.Len(t, got, 1)
	require.Len(t, got[0].lines, 1, "one call: a tool is none, and a duplicate is counted elsewhere")
	assert.Contains(t, got[0].lines[0], "telemetry,")
	assert.Contains(t, got[0].lines[0], "claude-sonnet-4-5")
}
