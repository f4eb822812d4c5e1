package alertexporter

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componentstatus"

	"github.com/llm-devops/llm-sentinel/exporter/alertexporter/internal/metadatatest"
	"github.com/llm-devops/llm-sentinel/internal/anomaly"
)

// hook answers the n-th call with the n-th code, and the last code for ever.
func hook(t *testing.T, codes ...int) (url string, bodies func() []string) {
	t.Helper()
	var mu sync.Mutex
	var got []string
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		mu.Lock()
		defer mu.Unlock()
		w.WriteHeader(codes[min(len(got), len(codes)-1)])
		got = append(got, string(body))
	}))
	t.Cleanup(srv.Close)
	return srv.URL, func() []string {
		mu.Lock()
		defer mu.Unlock()
		return append([]string(nil), got...)
	}
}

func toWebhook(url string) func(*Config) {
	return func(c *Config) {
		w := c.Webhook.GetOrInsertDefault()
		w.HTTP.Endpoint, w.Secret = url, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	}
}

func TestWebhookIsRetriedUntilItWorks(t *testing.T) {
	url, bodies := hook(t, 500, 429, 503, 200)
	r := launch(t, toWebhook(url))
	require.NoError(t, r.ConsumeTraces(t.Context(), batch(1, one(sample("svc", 0, anomaly.SeverityHigh)))))
	eventually(t, func() bool { return len(bodies()) == 4 }, "no retry")
	require.NoError(t, r.Shutdown(t.Context()))
	assert.Len(t, bodies(), 4)
	assert.Equal(t, bodies()[0], bodies()[3])
	metadatatest.AssertEqualWebhookSuccessTotal(t, r.tel, points(point(1)), ignore...)
	metadatatest.AssertEqualWebhookRetriesTotal(t, r.tel, points(point(3)), ignore...)
	metadatatest.AssertEqualWebhookFailuresTotal(t, r.tel, points(point(3)), ignore...)
	metadatatest.AssertEqualAlertsSentTotal(t, r.tel, points(point(1, "target", "webhook")), ignore...)
	assert.Equal(t, componentstatus.StatusOK, r.host.last())
}

func TestTargetUpFollowsTheLastAttempt(t *testing.T) {
	url, _ := hook(t, 503, 200)
	r := launch(t, func(c *Config) { toWebhook(url)(c); noRetry(c) })
	_, err := r.tel.GetMetric("sentinel_alert_target_up")
	require.Error(t, err, "known before the first contact")
	td := batch(0, one(sample("svc", 0, anomaly.SeverityHigh)))
	require.Error(t, r.ConsumeTraces(t.Context(), td))
	metadatatest.AssertEqualAlertTargetUp(t, r.tel, points(point(0, "target", "webhook")), ignore...)
	require.NoError(t, r.ConsumeTraces(t.Context(), td))
	metadatatest.AssertEqualAlertTargetUp(t, r.tel, points(point(1, "target", "webhook")), ignore...)
}

func TestGoneWebhookIsReportedAsPermanent(t *testing.T) {
	url, bodies := hook(t, 410)
	r := launch(t, func(c *Config) { toWebhook(url)(c); noQueue(c) })
	for _, s := range []string{"a", "b"} {
		require.Error(t, r.ConsumeTraces(t.Context(), batch(0, one(sample(s, 0, anomaly.SeverityHigh)))))
	}
	assert.Len(t, bodies(), 1)
	assert.Equal(t, componentstatus.StatusPermanentError, r.host.last())
	metadatatest.AssertEqualAlertFailuresTotal(t, r.tel, points(point(2, "target", "webhook", "reason", "disabled")), ignore...)
}

func TestSecretsAreNotLogged(t *testing.T) {
	r := launch(t, func(c *Config) {
		toWebhook("http://user:hunter2@127.0.0.1:1/hunter2?t=hunter2")(c)
		noRetry(c)
		mq := c.RabbitMQ.GetOrInsertDefault()
		mq.Endpoint, mq.Password = "amqp://127.0.0.1:1", "hunter2"
	})
	err := r.ConsumeTraces(t.Context(), batch(0, one(sample("a", 0, anomaly.SeverityHigh))))
	require.Error(t, err)
	var text strings.Builder
	text.WriteString(err.Error())
	for _, e := range r.logs.All() {
		text.WriteString(e.Message)
		for _, f := range e.Context {
			text.WriteString(f.String)
			if f.Interface != nil {
				if err, ok := f.Interface.(error); ok {
					text.WriteString(err.Error())
				}
			}
		}
	}
	assert.NotContains(t, text.String(), "hunter2")
	assert.NotContains(t, text.String(), "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
	assert.Contains(t, text.String(), "call the webhook")
}
