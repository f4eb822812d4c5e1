package llmtraffic

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/llm-devops/llm-sentinel/internal/anomaly"
)

const testSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

// The vector that the Standard Webhooks specification publishes.
func TestPublishedSignatureVector(t *testing.T) {
	h := http.Header{}
	h.Set("webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek")
	h.Set("webhook-timestamp", "1614265330")
	h.Set("webhook-signature", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=")
	body, at := []byte(`{"test": 2432232314}`), time.Unix(1614265330, 0)
	for _, secret := range []string{testSecret, strings.TrimPrefix(testSecret, "whsec_")} {
		require.NoError(t, VerifyWebhook(secret, h, body, at))
	}
	require.NoError(t, VerifyWebhook(testSecret, h, body, at.Add(5*time.Minute)))
	require.ErrorContains(t, VerifyWebhook(testSecret, h, body, at.Add(6*time.Minute)), "timestamp")
	require.ErrorContains(t, VerifyWebhook(testSecret, h, body, at.Add(-6*time.Minute)), "timestamp")
	require.ErrorContains(t, VerifyWebhook(testSecret, h, []byte(`{"test": 2432232315}`), at), "no signature")
	require.ErrorContains(t, VerifyWebhook("whsec_!", h, body, at), "base64")

	rotated := h.Clone()
	rotated.Set("webhook-signature", "v1a,xyz v1,AAAA v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=")
	require.NoError(t, VerifyWebhook(testSecret, rotated, body, at), "one of several signatures is enough")

	for _, k := range []string{"webhook-id", "webhook-timestamp", "webhook-signature"} {
		less := h.Clone()
		less.Del(k)
		require.Error(t, VerifyWebhook(testSecret, less, body, at), k)
	}
	bad := h.Clone()
	bad.Set("webhook-timestamp", "soon")
	require.ErrorContains(t, VerifyWebhook(testSecret, bad, body, at), "unix seconds")
}

func signed(t testing.TB, secret, id string, body []byte) *http.Request {
	t.Helper()
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
	require.NoError(t, err)
	ts := strconv.FormatInt(time.Now().Unix(), 10)
	mac := hmac.New(sha256.New, key)
	_, _ = fmt.Fprintf(mac, "%s.%s.%s", id, ts, body)
	r := httptest.NewRequest(http.MethodPost, "/webhook", strings.NewReader(string(body)))
	r.Header.Set("webhook-id", id)
	r.Header.Set("webhook-timestamp", ts)
	r.Header.Set("webhook-signature", "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	return r
}

func someAnomaly(service, model string, typ anomaly.Type, at time.Time) anomaly.Anomaly {
	return anomaly.Anomaly{
		ID: uuid.New(), Time: at, Severity: anomaly.SeverityHigh, Type: typ, Service: service, Model: model, Method: anomaly.MethodMAD,
		Confidence: .9, Details: anomaly.Details{Metric: "latency_ms", Value: 9, Baseline: 1, Threshold: 3, Methods: []anomaly.Method{anomaly.MethodMAD}},
	}
}

func TestReceiverKeepsWhatItGets(t *testing.T) {
	w := NewWebhookReceiver(testSecret)
	a := someAnomaly("chat-api", "gpt-4o", anomaly.TypeLatencySpike, epoch)
	one, err := json.Marshal(map[string]any{"type": "anomaly.detected", "timestamp": epoch, "data": a})
	require.NoError(t, err)
	two, err := json.Marshal(map[string]any{"type": "anomaly.resolved", "data": map[string]any{"alerts": []any{a, a}}})
	require.NoError(t, err)
	send := func(r *http.Request) int {
		rec := httptest.NewRecorder()
		w.ServeHTTP(rec, r)
		return rec.Code
	}
	assert.Equal(t, http.StatusNoContent, send(signed(t, testSecret, "msg_1", one)))
	assert.Equal(t, http.StatusNoContent, send(signed(t, testSecret, "msg_1", one)), "a retry is accepted")
	assert.Equal(t, http.StatusNoContent, send(signed(t, testSecret, "msg_2", two)))
	assert.Equal(t, http.StatusUnauthorized, send(signed(t, "whsec_"+base64.StdEncoding.EncodeToString(make([]byte, 32)), "msg_3", one)))
	assert.Equal(t, http.StatusMethodNotAllowed, send(httptest.NewRequest(http.MethodGet, "/", nil)))
	assert.Equal(t, http.StatusRequestEntityTooLarge, send(signed(t, testSecret, "msg_4", make([]byte, maxWebhookBody+1))))

	notes, dropped := w.Notifications()
	assert.Zero(t, dropped)
	require.Len(t, notes, 3, "the retry is kept once")
	assert.Equal(t, "anomaly.detected", notes[0].Type)
	require.NoError(t, notes[0].SignatureError)
	require.Len(t, notes[0].Anomalies, 1)
	assert.Equal(t, a.ID, notes[0].Anomalies[0].ID)
	assert.True(t, notes[1].Resolved)
	assert.Len(t, notes[1].Anomalies, 2)
	require.Error(t, notes[2].SignatureError)
}

func TestReceiverIsBounded(t *testing.T) {
	w := NewWebhookReceiver("")
	for range maxKept + 5 {
		w.keep(Notification{})
	}
	notes, dropped := w.Notifications()
	assert.Len(t, notes, maxKept)
	assert.Equal(t, 5, dropped)
}

func FuzzParseNotification(f *testing.F) {
	f.Add([]byte(`{"type":"anomaly.detected","data":{"alert_id":"x","anomaly_type":"y"}}`))
	f.Add([]byte(`{"data":[{"alerts":[[[{}]]]}]}`))
	f.Add([]byte("["))
	f.Fuzz(func(_ *testing.T, body []byte) { parseNotification(body) })
}
