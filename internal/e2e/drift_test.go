package e2e

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/llm-devops/llm-sentinel/internal/anomaly"
	"github.com/llm-devops/llm-sentinel/internal/llmtraffic"
)

// Each type of drift from OTLP to the API and to a signed alert, through the
// default configuration.
func TestEachTypeOfDriftIsFoundStoredAndAlerted(t *testing.T) {
	for _, c := range []struct {
		kind llmtraffic.Kind
		want []anomaly.Type
	}{
		{llmtraffic.KindInputDrift, []anomaly.Type{anomaly.TypeInputDrift}},
		{llmtraffic.KindRefusalSurge, []anomaly.Type{anomaly.TypeOutputDrift}},
		{llmtraffic.KindDrift, []anomaly.Type{anomaly.TypeOutputDrift}},
		{llmtraffic.KindVerbosity, []anomaly.Type{anomaly.TypeConceptDrift}},
		{llmtraffic.KindTopicDrift, []anomaly.Type{anomaly.TypeEmbeddingDrift}},
	} {
		t.Run(string(c.kind), func(t *testing.T) {
			at := freeAddresses(t)
			setenv(t, at.env())
			receiver, url := hook(t)
			t.Setenv("WEBHOOK_URL", url)
			t.Setenv("WEBHOOK_SECRET", secret)
			stop := runInProcess(t, configPath(t, "collector-config.yaml"), configPath(t, "examples/webhook.yaml"))
			waitReady(t, at.query)

			o := traffic(t, 3*time.Hour, 4, c.kind)
			o.Services, o.Models = o.Services[:2], o.Models[:1]
			o.Texts = c.kind == llmtraffic.KindTopicDrift
			grpc := newSender(t, at.grpc, llmtraffic.ProtocolGRPC)
			each(t, o, 100, func(td ptrace.Traces, _ []sent) { deliver(t, grpc, td) })

			var mine []anomaly.Anomaly
			in := &o.Incidents[0]
			for _, a := range allAnomalies(t, at.query) {
				if !strings.HasSuffix(string(a.Type), "_drift") {
					continue
				}
				require.False(t, a.Time.Before(in.Start), "no drift on the clean part: %s", a.RootCause)
				require.Equal(t, in.Service, a.Service, "no drift elsewhere: %s", a.RootCause)
				if a.Time.Before(in.End.Add(10 * time.Minute)) {
					mine = append(mine, a)
				}
			}
			for _, want := range c.want {
				found := false
				for _, a := range mine {
					if a.Type != want {
						continue
					}
					found = true
					t.Logf("%v after the onset: %s", a.Time.Sub(in.Start).Round(time.Second), a.RootCause)
					alerted(t, receiver, a.RootCause, func(told *anomaly.Anomaly) bool { return told.ID == a.ID })
				}
				assert.True(t, found, "%s by %s", want, c.kind)
			}
			stop()
		})
	}
}
