package anomalyprocessor

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/llm-devops/llm-sentinel/internal/anomaly"
	"github.com/llm-devops/llm-sentinel/internal/genai"
)

// callLog tells of a call as Claude Code does: all requests of a session have
// the ids of one span.
func callLog(c call) plog.Logs {
	ld := plog.NewLogs()
	rl := ld.ResourceLogs().AppendEmpty()
	rl.Resource().Attributes().PutStr(genai.AttrServiceName, c.service)
	rl.Resource().Attributes().PutStr(genai.AttrCloudRegion, "eu-west-1")
	record := rl.ScopeLogs().AppendEmpty().LogRecords().AppendEmpty()
	record.SetEventName("claude_code.api_request")
	record.SetTimestamp(pcommon.NewTimestampFromTime(c.end))
	record.SetTraceID(pcommon.TraceID{9})
	record.SetSpanID(pcommon.SpanID{9})
	a := record.Attributes()
	a.PutStr("model", c.model)
	a.PutStr("session.id", "s-1")
	a.PutStr("user.id", "u1")
	a.PutDouble("duration_ms", c.latencyMS)
	a.PutInt("input_tokens", c.input)
	a.PutInt("output_tokens", c.output)
	a.PutDouble("cost_usd", c.cost)
	return ld
}

// anomaliesIn reads the anomalies that are records of their own.
func anomaliesIn(t *testing.T, ld plog.Logs) (list []anomaly.Anomaly) {
	t.Helper()
	for _, record := range ld.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().All() {
		if anomaly.IsLog(record) {
			a, err := anomaly.FromLog(record)
			require.NoError(t, err)
			list = append(list, a)
		}
	}
	return list
}

func TestCallsInLogsAreJudged(t *testing.T) {
	logs, sink, _ := logRigOn(t, func(*Config) {})
	g := newTraffic(3)
	for _, c := range g.calls(200) {
		require.NoError(t, logs.ConsumeLogs(t.Context(), callLog(c)))
	}
	for _, out := range sink.AllLogs() {
		require.Empty(t, anomaliesIn(t, out), "usual calls")
		require.Equal(t, 1, out.LogRecordCount())
	}
	sink.Reset()
	spike := g.with(func(c *call) { c.latencyMS *= 12 })
	require.NoError(t, logs.ConsumeLogs(t.Context(), callLog(spike)))
	out := sink.AllLogs()[0]
	list := anomaliesIn(t, out)
	require.Len(t, list, 1)
	a := list[0]
	assert.Equal(t, anomaly.TypeLatencySpike, a.Type)
	assert.Equal(t, "chat-api", a.Service)
	assert.Equal(t, "gpt-4", a.Model)
	assert.InDelta(t, spike.latencyMS, a.Details.Value, 1)
	assert.Equal(t, "eu-west-1", a.Context.Region)
	assert.Equal(t, "u1", a.Context.UserID)
	assert.Equal(t, pcommon.SpanID{9}.String(), a.Context.SpanID)
	assert.Equal(t, "chat", a.Context.Additional[contextOperation])
	v, ok := out.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().At(0).Attributes().Get(anomaly.AttrSeverity)
	require.True(t, ok)
	assert.Equal(t, a.Severity.String(), v.Str())

	// The event that the anomaly names is the one that is stored.
	var ev genai.Event
	x, err := genai.NewExtractor(genai.Options{})
	require.NoError(t, err)
	rl := out.ResourceLogs().At(0)
	res := x.Resource(rl.Resource())
	is, _ := x.FromLog(&res, rl.ScopeLogs().At(0).Scope(), rl.ScopeLogs().At(0).LogRecords().At(0), &ev)
	require.True(t, is)
	assert.Equal(t, ev.ID.String(), a.Context.EventID)

	// The same record again carries the same mark, and another one of the same
	// span is judged by itself.
	sink.Reset()
	require.NoError(t, logs.ConsumeLogs(t.Context(), callLog(spike)))
	again := anomaliesIn(t, sink.AllLogs()[0])
	require.Len(t, again, 1)
	assert.Equal(t, a.ID, again[0].ID)
	sink.Reset()
	require.NoError(t, logs.ConsumeLogs(t.Context(), callLog(g.call())))
	assert.Empty(t, anomaliesIn(t, sink.AllLogs()[0]))
}

// Calls of one service and model are one series, whatever tells of them.
func TestCallsInLogsAndTracesShareABaseline(t *testing.T) {
	logs, sink, spans := logRigOn(t, func(*Config) {})
	g := newTraffic(4)
	for _, c := range g.calls(200) {
		require.NoError(t, spans.ConsumeTraces(t.Context(), traces(c)))
	}
	require.NoError(t, logs.ConsumeLogs(t.Context(), callLog(g.with(func(c *call) { c.latencyMS *= 12 }))))
	list := anomaliesIn(t, sink.AllLogs()[0])
	require.NotEmpty(t, list)
	assert.Equal(t, anomaly.TypeLatencySpike, list[0].Type)
}

func TestDuplicateCallsInLogsAreNotJudged(t *testing.T) {
	logs, sink, _ := logRigOn(t, func(*Config) {})
	g := newTraffic(5)
	for _, c := range g.calls(200) {
		require.NoError(t, logs.ConsumeLogs(t.Context(), callLog(c)))
	}
	sink.Reset()
	ld := callLog(g.with(func(c *call) { c.latencyMS *= 12 }))
	ld.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().At(0).Attributes().PutStr(genai.AttrCallDuplicate, "span")
	require.NoError(t, logs.ConsumeLogs(t.Context(), ld))
	assert.Empty(t, anomaliesIn(t, sink.AllLogs()[0]))
}

// The details of an operation are the delivery of its span, requests of an agent
// are each their own.
func TestDeliveriesOfCallsInLogs(t *testing.T) {
	ev := genai.Event{TraceID: pcommon.TraceID{1}, SpanID: pcommon.SpanID{2}}
	ev.ID = genai.NewEventID(ev.TraceID, ev.SpanID)
	assert.Equal(t, delivery{ev.TraceID, ev.SpanID}, deliveryOfCall(&ev))
	ev.ID[0] ^= 1
	one := deliveryOfCall(&ev)
	ev.ID[15] ^= 1
	assert.NotEqual(t, one, deliveryOfCall(&ev))
	assert.False(t, one.span.IsEmpty())
}

// What a guard or sanitizer wrote on the record of a call counts.
func TestMarksOfCallsInLogsAreRead(t *testing.T) {
	logs, sink, _ := logRigOn(t, func(*Config) {})
	ld := callLog(newTraffic(6).call())
	record := ld.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().At(0)
	record.Attributes().PutDouble(genai.AttrPromptInjectionScore, .99)
	require.NoError(t, logs.ConsumeLogs(t.Context(), ld))
	list := anomaliesIn(t, sink.AllLogs()[0])
	require.Len(t, list, 1)
	assert.Equal(t, anomaly.TypeSecurityThreat, list[0].Type)
}
