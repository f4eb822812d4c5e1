package e2e

import (
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/llm-devops/llm-sentinel/internal/anomaly"
	"github.com/llm-devops/llm-sentinel/internal/llmtraffic"
)

// The whole promise of the first five minutes: traffic in, an incident found,
// stored, answered over HTTP and sent to a webhook that can be verified.
func TestDefaultConfigurationFindsStoresAnswersAndAlerts(t *testing.T) {
	at := freeAddresses(t)
	setenv(t, at.env())
	receiver, url := hook(t)
	t.Setenv("WEBHOOK_URL", url)
	t.Setenv("WEBHOOK_SECRET", secret)
	stop := runInProcess(t, configPath(t, "collector-config.yaml"), configPath(t, "examples/webhook.yaml"))
	waitReady(t, at.query)

	o := traffic(t, 90*time.Minute, 4, llmtraffic.KindLatencySpike, llmtraffic.KindTokenSurge)
	grpc := newSender(t, at.grpc, llmtraffic.ProtocolGRPC)
	var calls []sent
	each(t, o, 100, func(td ptrace.Traces, batch []sent) {
		deliver(t, grpc, td)
		calls = append(calls, batch...)
	})

	// An OTLP success means stored: no waiting here.
	events := allEvents(t, at.query)
	assertExactly(t, calls, events)
	assert.EqualValues(t, len(calls), count(t, at.query, "/api/v1/telemetry"))

	found := allAnomalies(t, at.query)
	assertIncidentsFound(t, &o, found)
	for i := range found {
		wire, err := json.Marshal(found[i])
		require.NoError(t, err)
		assert.False(t, found[i].Time.Before(o.Incidents[0].Start), "no anomaly on the clean part: %s", wire)
	}

	require.Eventually(t, func() bool { list, _ := receiver.Notifications(); return len(list) > 0 }, startTimeout, pollInterval)
	known := map[string]bool{}
	for _, a := range found {
		known[a.ID.String()] = true
	}
	list, _ := receiver.Notifications()
	for _, n := range list {
		assert.NoError(t, n.SignatureError)
		for _, a := range n.Anomalies {
			assert.True(t, known[a.ID.String()], "the alert %s is an anomaly of the API", a.ID)
		}
	}

	assert.Equal(t, http.StatusOK, get(t, "http://"+at.query+"/metrics", nil))
	stop()
}

// assertExactly checks that each call that was sent is there once, unchanged.
func assertExactly(t *testing.T, calls []sent, events []event) {
	t.Helper()
	require.Len(t, events, len(calls))
	by := make(map[string]event, len(events))
	for _, e := range events {
		by[e.TraceID+e.SpanID] = e
	}
	require.Len(t, by, len(calls), "each event has a trace and span id of its own")
	for _, c := range calls {
		e, ok := by[c.trace+c.span]
		if !assert.True(t, ok, "call %s/%s is stored", c.trace, c.span) {
			return
		}
		if c.input >= 0 && assert.NotNil(t, e.Prompt.Tokens) {
			assert.Equal(t, c.input, *e.Prompt.Tokens)
		}
		if c.output >= 0 && assert.NotNil(t, e.Response.Tokens) {
			assert.Equal(t, c.output, *e.Response.Tokens)
		}
		if assert.NotNil(t, e.LatencyMS) {
			assert.InDelta(t, c.latency, *e.LatencyMS, 1e-6)
		}
	}
}

// assertIncidentsFound checks that each incident has an anomaly of its series
// while it lasts or shortly after.
func assertIncidentsFound(t *testing.T, o *llmtraffic.Options, found []anomaly.Anomaly) {
	t.Helper()
	answered := map[string]string{}
	for _, m := range o.Models {
		answered[m.Name] = m.Response
	}
	for _, in := range o.Incidents {
		hits := 0
		for i := range found {
			a := &found[i]
			if a.Service == in.Service && a.Model == answered[in.Model] && !a.Time.Before(in.Start) && a.Time.Before(in.End.Add(10*time.Minute)) {
				hits++
			}
		}
		assert.Positive(t, hits, "incident %s on %s/%s", in.Kind, in.Service, in.Model)
	}
}
