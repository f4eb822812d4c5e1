package webhook

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/config/configopaque"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/llm-devops/llm-sentinel/exporter/alertexporter/internal/notify"
)

// call is what a receiver saw.
type call struct {
	header http.Header
	body   []byte
	method string
	path   string
}

type receiver struct {
	*httptest.Server
	mu    sync.Mutex
	calls []call
}

func newReceiver(t *testing.T, answer http.HandlerFunc) *receiver {
	t.Helper()
	r := &receiver{}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, err := io.ReadAll(req.Body)
		if err != nil {
			return
		}
		r.mu.Lock()
		r.calls = append(r.calls, call{req.Header.Clone(), body, req.Method, req.URL.Path})
		r.mu.Unlock()
		answer(w, req)
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) seen() []call {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]call(nil), r.calls...)
}

func status(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
}

type health struct {
	err       error
	permanent bool
}

type fixture struct {
	*Target
	health []health
	logs   *observer.ObservedLogs
	now    time.Time
}

func start(t *testing.T, endpoint string, change func(*Config)) *fixture {
	t.Helper()
	cfg := NewDefaultConfig()
	cfg.HTTP.Endpoint = endpoint
	cfg.Secret = vectorSecret
	if change != nil {
		change(&cfg)
	}
	require.NoError(t, cfg.Validate())
	core, logs := observer.New(zapcore.DebugLevel)
	set := componenttest.NewNopTelemetrySettings()
	set.Logger = zap.New(core)
	f := &fixture{logs: logs, now: time.Now()}
	var err error
	f.Target, err = New(&cfg, Settings{
		Telemetry: set, UserAgent: "otelcol-sentinel/1.2.3",
		Health: func(err error, permanent bool) { f.health = append(f.health, health{err, permanent}) },
		Now:    func() time.Time { return f.now },
	})
	require.NoError(t, err)
	require.NoError(t, f.Start(t.Context(), componenttest.NewNopHost()))
	t.Cleanup(func() { assert.NoError(t, f.Shutdown(context.Background())) })
	return f
}

// verify asks the receiver's side whether it accepts c.
func verify(c call, secret string) bool { return Verify(secret, c.header, c.body) == nil }

func TestCallCarriesIdTimeAndSignatureOfTheRawBody(t *testing.T) {
	r := newReceiver(t, status(http.StatusNoContent))
	f := start(t, r.URL+"/hook", func(c *Config) { c.PreviousSecrets = []configopaque.String{rotatedSecret} })
	a := sample()
	require.NoError(t, f.Notify(t.Context(), notify.Notification{Anomaly: a}))

	require.Len(t, r.seen(), 1)
	c := r.seen()[0]
	assert.Equal(t, http.MethodPost, c.method)
	assert.Equal(t, "/hook", c.path)
	assert.Equal(t, "application/json", c.header.Get("Content-Type"))
	assert.Equal(t, "otelcol-sentinel/1.2.3", c.header.Get("User-Agent"))
	assert.Equal(t, a.ID.String(), c.header.Get("webhook-id"))
	assert.NotContains(t, c.header.Get("webhook-id"), ".")
	assert.Equal(t, strconv.FormatInt(f.now.Unix(), 10), c.header.Get("webhook-timestamp"))
	assert.True(t, verify(c, vectorSecret), "current secret")
	assert.True(t, verify(c, rotatedSecret), "previous secret")
	assert.False(t, verify(c, "whsec_"+base64.StdEncoding.EncodeToString(make([]byte, 24))))
	assert.Empty(t, c.header.Get("X-Sentinel-Signature"))
	assert.Equal(t, []health{{nil, false}}, f.health)
}

func TestSentinelFormatSignsTheRawBody(t *testing.T) {
	r := newReceiver(t, status(http.StatusOK))
	f := start(t, r.URL, func(c *Config) { c.Format = FormatSentinel })
	require.NoError(t, f.Notify(t.Context(), notify.Notification{Anomaly: sample()}))
	c := r.seen()[0]
	mac := hmac.New(sha256.New, keyOf(t, vectorSecret))
	mac.Write(c.body)
	assert.Equal(t, hex.EncodeToString(mac.Sum(nil)), c.header.Get("X-Sentinel-Signature"))
	assert.True(t, verify(c, vectorSecret))
	assert.Contains(t, string(c.body), `"event_type":"anomaly.detected"`)
}

func TestWithoutSecretNothingIsSigned(t *testing.T) {
	r := newReceiver(t, status(http.StatusOK))
	f := start(t, r.URL, func(c *Config) { c.Secret = ""; c.Format = FormatSentinel })
	require.NoError(t, f.Notify(t.Context(), notify.Notification{Anomaly: sample()}))
	h := r.seen()[0].header
	assert.NotEmpty(t, h.Get("webhook-id"))
	assert.Empty(t, h.Get("webhook-signature"))
	assert.Empty(t, h.Get("X-Sentinel-Signature"))
}

func TestAttemptsShareIdAndBodyButNotTheTime(t *testing.T) {
	answers := []int{500, 503, 200}
	var f *fixture
	i := 0
	r := newReceiver(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(answers[i])
		i++
	})
	f = start(t, r.URL, nil)
	n := notify.Notification{Anomaly: sample()}
	for _, want := range answers {
		err := f.Notify(t.Context(), n)
		assert.Equal(t, want == 200, err == nil)
		f.now = f.now.Add(time.Second)
	}
	seen := r.seen()
	require.Len(t, seen, 3)
	for _, c := range seen {
		assert.True(t, verify(c, vectorSecret))
		assert.Equal(t, seen[0].body, c.body)
		assert.Equal(t, seen[0].header.Get("webhook-id"), c.header.Get("webhook-id"))
	}
	assert.NotEqual(t, seen[0].header.Get("webhook-timestamp"), seen[1].header.Get("webhook-timestamp"))
	assert.NoError(t, f.health[len(f.health)-1].err, "healthy again")
}

func TestAnswersAreClassified(t *testing.T) {
	for _, tc := range []struct {
		code       int
		retryAfter string
		want       notify.Error
	}{
		{400, "", notify.Error{Reason: notify.ReasonRejected, Permanent: true}},
		{401, "", notify.Error{Reason: notify.ReasonRejected, Permanent: true}},
		{404, "9", notify.Error{Reason: notify.ReasonRejected, Permanent: true}},
		{408, "", notify.Error{Reason: notify.ReasonUnavailable}},
		{429, "7", notify.Error{Reason: notify.ReasonThrottled, RetryAfter: 7 * time.Second}},
		{429, time.Now().Add(time.Hour).UTC().Format(http.TimeFormat), notify.Error{Reason: notify.ReasonThrottled, RetryAfter: maxRetryAfter}},
		{429, "99999", notify.Error{Reason: notify.ReasonThrottled, RetryAfter: maxRetryAfter}},
		{500, "", notify.Error{Reason: notify.ReasonUnavailable}},
		{503, "3", notify.Error{Reason: notify.ReasonUnavailable, RetryAfter: 3 * time.Second}},
	} {
		r := newReceiver(t, func(w http.ResponseWriter, _ *http.Request) {
			if tc.retryAfter != "" {
				w.Header().Set("Retry-After", tc.retryAfter)
			}
			w.WriteHeader(tc.code)
			_, _ = io.WriteString(w, "because\x00 of this\xff")
		})
		f := start(t, r.URL, nil)
		got := notify.Classify(f.Notify(t.Context(), notify.Notification{Anomaly: sample()}))
		assert.Equal(t, tc.want.Reason, got.Reason, tc.code)
		assert.Equal(t, tc.want.Permanent, got.Permanent, tc.code)
		assert.Equal(t, tc.want.RetryAfter, got.RetryAfter, "%d %s", tc.code, tc.retryAfter)
		assert.ErrorContains(t, got, `because\x00 of this`, "the answer helps to find the cause")
		require.Error(t, f.health[0].err)
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	other := newReceiver(t, status(http.StatusOK))
	for _, code := range []int{301, 302, 307, 308} {
		r := newReceiver(t, func(w http.ResponseWriter, req *http.Request) { http.Redirect(w, req, other.URL, code) })
		f := start(t, r.URL, nil)
		got := notify.Classify(f.Notify(t.Context(), notify.Notification{Anomaly: sample()}))
		assert.Equal(t, notify.ReasonRedirected, got.Reason)
		assert.True(t, got.Permanent)
	}
	assert.Empty(t, other.seen(), "a signed body went to a place that nobody configured")
}

func TestGoneDisablesTheEndpoint(t *testing.T) {
	r := newReceiver(t, status(http.StatusGone))
	f := start(t, r.URL, nil)
	for range 3 {
		got := notify.Classify(f.Notify(t.Context(), notify.Notification{Anomaly: sample()}))
		assert.Equal(t, notify.ReasonDisabled, got.Reason)
		assert.True(t, got.Permanent)
	}
	assert.Len(t, r.seen(), 1, "called again after 410")
	assert.Equal(t, []health{{errGone, true}}, f.health)
	assert.Equal(t, 1, f.logs.FilterMessageSnippet("gone").Len())
}

func TestTransportErrorsAreRetryableAndHideTheURL(t *testing.T) {
	release := make(chan struct{})
	defer close(release)
	slow := newReceiver(t, func(http.ResponseWriter, *http.Request) { <-release })
	reset := newReceiver(t, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	closed := newReceiver(t, status(http.StatusOK))
	closed.Close()
	for name, endpoint := range map[string]string{"slow": slow.URL, "reset": reset.URL, "refused": closed.URL} {
		t.Run(name, func(t *testing.T) {
			f := start(t, strings.Replace(endpoint, "http://", "http://user:hunter2@", 1)+"/T0/hunter2?token=hunter2", func(c *Config) {
				c.HTTP.Timeout = 50 * time.Millisecond
				if name != "slow" {
					c.HTTP.Timeout = 10 * time.Second
				}
			})
			err := f.Notify(t.Context(), notify.Notification{Anomaly: sample()})
			got := notify.Classify(err)
			assert.Equal(t, notify.ReasonUnavailable, got.Reason)
			assert.False(t, got.Permanent)
			assert.NotContains(t, err.Error(), "hunter2")
			require.Len(t, f.health, 1)
			assert.NotContains(t, f.health[0].err.Error(), "hunter2")
		})
	}
}

func TestLongAnswersAreNotReadToTheEnd(t *testing.T) {
	written := make(chan int, 1)
	r := newReceiver(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusBadRequest)
		n := 0
		for n < 256<<20 {
			k, err := w.Write(make([]byte, 1<<20))
			n += k
			if err != nil {
				break
			}
		}
		written <- n
	})
	f := start(t, r.URL, nil)
	err := f.Notify(t.Context(), notify.Notification{Anomaly: sample()})
	require.Error(t, err)
	assert.Less(t, len(err.Error()), 2000)
	assert.Less(t, <-written, 256<<20)
}

func TestCancelledContextEndsTheCall(t *testing.T) {
	release := make(chan struct{})
	defer close(release)
	arrived := make(chan struct{})
	r := newReceiver(t, func(http.ResponseWriter, *http.Request) { close(arrived); <-release })
	f := start(t, r.URL, nil)
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-arrived; cancel() }()
	err := f.Notify(ctx, notify.Notification{Anomaly: sample()})
	require.ErrorIs(t, err, context.Canceled)
}

func TestPlainHTTPToAnotherHostIsWarnedOfOnce(t *testing.T) {
	for endpoint, want := range map[string]int{
		"http://hooks.example.com":  1,
		"http://192.0.2.1:8080":     1,
		"https://hooks.example.com": 0,
		"http://localhost:8080":     0,
		"http://127.0.0.1:8080":     0,
		"http://[::1]:8080":         0,
	} {
		f := start(t, endpoint, nil)
		assert.Equal(t, want, f.logs.FilterMessageSnippet("plain http").Len(), endpoint)
	}
	f := start(t, "http://hooks.example.com", func(c *Config) { c.Secret = "" })
	assert.Zero(t, f.logs.FilterMessageSnippet("plain http").Len(), "nothing to protect")
}

func TestShutdownWithoutStart(t *testing.T) {
	cfg := NewDefaultConfig()
	cfg.HTTP.Endpoint = "https://hooks.example.com"
	target, err := New(&cfg, Settings{Telemetry: component.TelemetrySettings{}})
	require.NoError(t, err)
	require.NoError(t, target.Shutdown(t.Context()))
	require.NoError(t, target.Shutdown(t.Context()))
}
