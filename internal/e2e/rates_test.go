package e2e

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/llm-devops/llm-sentinel/internal/anomaly"
	"github.com/llm-devops/llm-sentinel/internal/llmtraffic"
)

// Failing calls, silence, drops and surges: sent as OTLP, found, answered by the
// API and sent to a webhook.
func TestRatesFromOTLPToAPIAndAlert(t *testing.T) {
	at := freeAddresses(t)
	setenv(t, at.env())
	receiver, url := hook(t)
	t.Setenv("WEBHOOK_URL", url)
	t.Setenv("WEBHOOK_SECRET", secret)
	// How severe a drop is depends on where in its minute the run begins.
	stop := runInProcess(t, configPath(t, "collector-config.yaml"), configPath(t, "examples/webhook.yaml"), "yaml:exporters::alert::min_severity: low")
	waitReady(t, at.query)

	o := traffic(t, 2*time.Hour, 4, llmtraffic.KindErrorBurst, llmtraffic.KindSilence, llmtraffic.KindThroughputDrop, llmtraffic.KindThroughputSurge)
	sender := newSender(t, at.grpc, llmtraffic.ProtocolGRPC)
	each(t, o, 100, func(td ptrace.Traces, _ []sent) { deliver(t, sender, td) })

	answered := map[string]string{}
	for _, m := range o.Models {
		answered[m.Name] = m.Response
	}
	belongs := func(a *anomaly.Anomaly, in *llmtraffic.Incident) bool {
		return a.Service == in.Service && a.Model == answered[in.Model] && string(a.Type) == in.Expected[0] && a.Details.Metric == in.Metric &&
			!a.Time.Before(in.Start) && a.Time.Before(in.End.Add(5*time.Minute))
	}
	found := allAnomalies(t, at.query)
	for i := range o.Incidents {
		in := &o.Incidents[i]
		t.Run(string(in.Kind), func(t *testing.T) {
			var ids []string
			for k := range found {
				if belongs(&found[k], in) {
					ids = append(ids, found[k].ID.String())
				}
			}
			require.NotEmpty(t, ids, "in the API")
			require.Eventually(t, func() bool {
				list, _ := receiver.Notifications()
				for _, n := range list {
					for k := range n.Anomalies {
						if belongs(&n.Anomalies[k], in) {
							assert.NoError(t, n.SignatureError)
							assert.Contains(t, ids, n.Anomalies[k].ID.String(), "the alert is an anomaly of the API")
							return true
						}
					}
				}
				return false
			}, startTimeout, pollInterval, "alerted")
		})
	}
	for i := range found {
		a := &found[i]
		if a.Details.Metric != "error_rate" && a.Details.Metric != "throughput" {
			continue
		}
		explained := false
		for k := range o.Incidents {
			in := &o.Incidents[k]
			explained = explained || a.Service == in.Service && a.Model == answered[in.Model] && !a.Time.Before(in.Start)
		}
		assert.True(t, explained, "false alarm %s on %s/%s: %s", a.Type, a.Service, a.Model, a.RootCause)
	}
	stop()
}

// A service that stops while it is watched is missed although nothing arrives
// any more.
func TestSilenceOfALiveServiceFromOTLPToAPIAndAlert(t *testing.T) {
	at := freeAddresses(t)
	setenv(t, at.env())
	receiver, url := hook(t)
	t.Setenv("WEBHOOK_URL", url)
	t.Setenv("WEBHOOK_SECRET", secret)
	stop := runInProcess(t, configPath(t, "collector-config.yaml"), configPath(t, "examples/webhook.yaml"),
		"yaml:processors::anomaly::throughput: {min_silence: 1s, live_after: 1s}")
	waitReady(t, at.query)

	// Half an hour of history, then a few seconds as they happen: from when the
	// sender has caught up with the clock, however long that takes.
	const watched = 3 * time.Second
	o := llmtraffic.DefaultOptions(time.Now())
	o.FlatRate, o.Services, o.Models = true, o.Services[:1], o.Models[:1]
	o.Start, o.Duration, o.Rate = time.Now().Add(-30*time.Minute), 40*time.Minute, 8
	sender := newSender(t, at.grpc, llmtraffic.ProtocolGRPC)
	gen, err := llmtraffic.NewGenerator(o, 0, 1)
	require.NoError(t, err)
	batch := llmtraffic.NewBatch(100)
	var c llmtraffic.Call
	var live time.Time
	for more := gen.Next(&c); more; more = gen.Next(&c) {
		wait := time.Until(time.Unix(0, c.End))
		if wait > 0 && live.IsZero() {
			live = time.Now()
		}
		if !live.IsZero() && time.Since(live) > watched {
			break // the service stops
		}
		if wait > 0 {
			select {
			case <-time.After(wait):
			case <-t.Context().Done():
				return
			}
		}
		if batch.Add(&c); batch.Calls() == 100 || wait > -time.Second {
			deliver(t, sender, batch.Take())
		}
	}
	deliver(t, sender, batch.Take())

	silent := func(a *anomaly.Anomaly) bool { return a.Method == "silence" }
	var seen anomaly.Anomaly
	require.Eventually(t, func() bool {
		found := allAnomalies(t, at.query)
		for i := range found {
			if silent(&found[i]) {
				seen = found[i]
				return true
			}
		}
		return false
	}, startTimeout, 500*time.Millisecond, "in the API")
	assert.Equal(t, anomaly.TypeThroughputDegradation, seen.Type)
	assert.Equal(t, o.Services[0].Name, seen.Service)
	assert.Equal(t, o.Models[0].Response, seen.Model)
	require.Eventually(t, func() bool {
		list, _ := receiver.Notifications()
		for _, n := range list {
			for i := range n.Anomalies {
				if silent(&n.Anomalies[i]) && n.SignatureError == nil {
					return true
				}
			}
		}
		return false
	}, startTimeout, pollInterval, "alerted")
	stop()
}
