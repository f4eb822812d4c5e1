package storageexporter

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/llm-devops/llm-sentinel/internal/anomaly"
	"github.com/llm-devops/llm-sentinel/internal/genai"
)

func TestCallsInLogsAreStored(t *testing.T) {
	m := &memory{}
	e, err := NewFactory().CreateLogs(t.Context(), settings(), createDefaultConfig())
	require.NoError(t, err)
	require.NoError(t, e.Start(t.Context(), storageIn(m)))
	t.Cleanup(func() { require.NoError(t, e.Shutdown(context.Background())) })

	ld := plog.NewLogs()
	rl := ld.ResourceLogs().AppendEmpty()
	rl.Resource().Attributes().PutStr("service.name", "claude-code")
	list := rl.ScopeLogs().AppendEmpty().LogRecords()
	add := func(event string) plog.LogRecord {
		rec := list.AppendEmpty()
		rec.SetEventName(event)
		rec.SetTimestamp(1_790_000_000_000_000_000)
		rec.Attributes().PutStr("model", "claude-opus-4-6")
		rec.Attributes().PutStr("input_tokens", "11")
		return rec
	}
	add("claude_code.api_request")
	add("claude_code.tool_result")
	add("claude_code.api_request").Attributes().PutStr(genai.AttrCallDuplicate, "span")
	require.NoError(t, e.ConsumeLogs(t.Context(), ld))
	require.Empty(t, m.anomalies)
	require.Len(t, m.events, 1)
	require.Equal(t, "claude-code", m.events[0].Service)
	require.Equal(t, "claude-opus-4-6", m.events[0].RequestModel)
	require.EqualValues(t, 11, m.events[0].InputTokens)
}

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
