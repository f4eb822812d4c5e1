package e2e

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/llm-devops/llm-sentinel/internal/anomaly"
	"github.com/llm-devops/llm-sentinel/internal/llmtraffic"
)

// contentCollector is a collector with the default configuration and the
// webhook.
func contentCollector(t *testing.T) (addresses, *llmtraffic.WebhookReceiver) {
	t.Helper()
	at := freeAddresses(t)
	setenv(t, at.env())
	receiver, url := hook(t)
	t.Setenv("WEBHOOK_URL", url)
	t.Setenv("WEBHOOK_SECRET", secret)
	runInProcess(t, configPath(t, "collector-config.yaml"), configPath(t, "examples/webhook.yaml"))
	waitReady(t, at.query)
	return at, receiver
}

// alerted waits until an alert that fits has come, with a valid signature.
func alerted(t *testing.T, receiver *llmtraffic.WebhookReceiver, what string, fits func(*anomaly.Anomaly) bool) {
	t.Helper()
	require.Eventually(t, func() bool {
		list, _ := receiver.Notifications()
		for _, n := range list {
			assert.NoError(t, n.SignatureError)
			for i := range n.Anomalies {
				if fits(&n.Anomalies[i]) {
					return true
				}
			}
		}
		return false
	}, startTimeout, pollInterval, "an alert about %s", what)
}

// Each kind of incident in what calls say arrives as an anomaly of its type in
// the API and as an alert.
func TestContentIncidentsReachAPIAndAlerts(t *testing.T) {
	at, receiver := contentCollector(t)
	kinds := []llmtraffic.Kind{
		llmtraffic.KindQualityDrop, llmtraffic.KindHallucination, llmtraffic.KindPromptInjection, llmtraffic.KindRefusalBurst, llmtraffic.KindAgentLoop,
	}
	o := traffic(t, 2*time.Hour, 8, kinds...)
	sender := newSender(t, at.grpc, llmtraffic.ProtocolGRPC)
	each(t, o, 200, func(td ptrace.Traces, _ []sent) { deliver(t, sender, td) })

	found := allAnomalies(t, at.query)
	answered := map[string]string{}
	for _, m := range o.Models {
		answered[m.Name] = m.Response
	}
	for _, in := range o.Incidents {
		fits := func(a *anomaly.Anomaly) bool {
			return a.Service == in.Service && a.Model == answered[in.Model] && a.Details.Metric == in.Metric && string(a.Type) == in.Expected[0] &&
				!a.Time.Before(in.Start) && a.Time.Before(in.End.Add(10*time.Minute))
		}
		var first *anomaly.Anomaly
		for i := range found {
			if fits(&found[i]) && (first == nil || found[i].Time.Before(first.Time)) {
				first = &found[i]
			}
		}
		if assert.NotNil(t, first, "%s on %s/%s", in.Kind, in.Service, in.Model) {
			t.Logf("%s found after %s: %s", in.Kind, first.Time.Sub(in.Start).Round(time.Second), first.RootCause)
			alerted(t, receiver, string(in.Kind), fits)
		}
	}
	for i := range found {
		a := &found[i]
		assert.False(t, a.Time.Before(o.Incidents[0].Start), "no anomaly on the clean part: %s %s: %s", a.Type, a.Details.Metric, a.RootCause)
	}
}

// evaluationLogs is one result of an evaluator as a log record.
func evaluationLogs(n int, at time.Time, label string) plog.Logs {
	ld := plog.NewLogs()
	rl := ld.ResourceLogs().AppendEmpty()
	rl.Resource().Attributes().PutStr("service.name", "judge")
	record := rl.ScopeLogs().AppendEmpty().LogRecords().AppendEmpty()
	record.SetEventName("gen_ai.evaluation.result")
	record.SetTimestamp(pcommon.NewTimestampFromTime(at))
	record.SetTraceID(pcommon.TraceID{7, byte(n), byte(n >> 8)})
	record.SetSpanID(pcommon.SpanID{7, byte(n), byte(n >> 8)})
	record.Attributes().PutStr("gen_ai.evaluation.name", "faithfulness")
	record.Attributes().PutStr("gen_ai.evaluation.score.label", label)
	return ld
}

// Results of evaluators that come as log records reach API and alerts through
// logs.
func TestEvaluationsInLogsReachAPIAndAlerts(t *testing.T) {
	at, receiver := contentCollector(t)
	conn, err := grpc.NewClient(at.grpc, grpc.WithTransportCredentials(insecure.NewCredentials()))
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	client := plogotlp.NewGRPCClient(conn)
	begin := time.Now().Add(-time.Hour)
	for n := range 220 {
		label := "faithful"
		if n >= 200 {
			label = "unfaithful"
		}
		_, err := client.Export(t.Context(), plogotlp.NewExportRequestFromLogs(evaluationLogs(n, begin.Add(time.Duration(n)*time.Second), label)))
		require.NoError(t, err)
	}
	fits := func(a *anomaly.Anomaly) bool {
		return a.Service == "judge" && a.Type == anomaly.TypeHallucination && a.Context.Additional["evaluator"] == "faithfulness"
	}
	found := allAnomalies(t, at.query)
	require.NotEmpty(t, found)
	for i := range found {
		assert.True(t, fits(&found[i]), "%+v", found[i])
		assert.False(t, found[i].Time.Before(begin.Add(200*time.Second).Truncate(time.Millisecond)))
	}
	alerted(t, receiver, "hallucination in logs", fits)
}
