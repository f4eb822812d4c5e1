package e2e

import (
	"encoding/hex"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/llm-devops/llm-sentinel/internal/llmtraffic"
)

// traffic is a seeded run whose second half holds the given incidents.
func traffic(t testing.TB, length time.Duration, rate float64, kinds ...llmtraffic.Kind) llmtraffic.Options {
	t.Helper()
	o := llmtraffic.DefaultOptions(time.Now().Truncate(time.Second))
	// Without the daily rhythm a seed gives the same calls at any hour.
	o.FlatRate = true
	o.Start, o.Duration, o.Rate = o.Start.Add(o.Duration-length), length, rate
	incidents, err := llmtraffic.Schedule(kinds, o.Series(), o.Start, o.Duration)
	require.NoError(t, err)
	o.Incidents = incidents
	return o
}

// sent is one call as it was made.
type sent struct {
	trace, span   string
	end           time.Time
	input, output int64
	latency       float64
}

func sentOf(c *llmtraffic.Call) sent {
	return sent{
		trace: hex.EncodeToString(c.TraceID[:]), span: hex.EncodeToString(c.SpanID[:]), end: time.Unix(0, c.End).UTC(),
		input: c.Input, output: c.Output, latency: float64(c.End-c.Start) / 1e6,
	}
}

// each makes batches of size calls and hands each on with the calls in it.
func each(t testing.TB, o llmtraffic.Options, size int, send func(ptrace.Traces, []sent)) {
	t.Helper()
	g, err := llmtraffic.NewGenerator(o, 0, 1)
	require.NoError(t, err)
	b := llmtraffic.NewBatch(size)
	var calls []sent
	var c llmtraffic.Call
	for g.Next(&c) {
		b.Add(&c)
		calls = append(calls, sentOf(&c))
		if b.Calls() == size {
			send(b.Take(), calls)
			calls = nil
		}
	}
	if len(calls) > 0 {
		send(b.Take(), calls)
	}
}

func newSender(t testing.TB, endpoint string, p llmtraffic.Protocol) *llmtraffic.Sender {
	t.Helper()
	s, err := llmtraffic.NewSender(llmtraffic.SenderOptions{Endpoint: endpoint, Protocol: p, Insecure: true, Timeout: 10 * time.Second})
	require.NoError(t, err)
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func deliver(t testing.TB, s *llmtraffic.Sender, td ptrace.Traces) {
	t.Helper()
	res, err := s.Send(t.Context(), td)
	require.NoError(t, err)
	require.Zero(t, res.Rejected, res.Message)
}

// hook receives webhooks and verifies their signatures.
func hook(t testing.TB) (*llmtraffic.WebhookReceiver, string) {
	t.Helper()
	r := llmtraffic.NewWebhookReceiver(secret)
	srv := httptest.NewServer(r)
	t.Cleanup(func() {
		srv.Close()
		http.DefaultClient.CloseIdleConnections()
	})
	return r, srv.URL
}
