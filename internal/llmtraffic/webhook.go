package llmtraffic

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/llm-devops/llm-sentinel/internal/anomaly"
)

// Webhooks are verified as the Standard Webhooks specification says; written
// from the specification, independent of the sender that it checks.
const (
	webhookTolerance = 5 * time.Minute
	maxWebhookBody   = 1 << 20
)

// VerifyWebhook checks the signature of body. secret is base64, with or
// without the prefix whsec_.
func VerifyWebhook(secret string, h http.Header, body []byte, now time.Time) error {
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
	if err != nil {
		return fmt.Errorf("webhook secret must be base64: %w", err)
	}
	id, ts := h.Get("webhook-id"), h.Get("webhook-timestamp")
	if id == "" || ts == "" {
		return errors.New("headers webhook-id and webhook-timestamp are needed")
	}
	sec, err := strconv.ParseInt(ts, 10, 64)
	if err != nil {
		return fmt.Errorf("webhook-timestamp must be unix seconds, got %q", ts)
	}
	if d := math.Abs(now.Sub(time.Unix(sec, 0)).Seconds()); d > webhookTolerance.Seconds() {
		return fmt.Errorf("webhook-timestamp is %.0f s away, at most %.0f s are allowed", d, webhookTolerance.Seconds())
	}
	mac := hmac.New(sha256.New, key)
	_, _ = fmt.Fprintf(mac, "%s.%s.", id, ts)
	mac.Write(body)
	want := mac.Sum(nil)
	for _, sig := range strings.Fields(h.Get("webhook-signature")) {
		v, b64, ok := strings.Cut(sig, ",")
		if !ok || v != "v1" {
			continue
		}
		if got, err := base64.StdEncoding.DecodeString(b64); err == nil && hmac.Equal(got, want) {
			return nil
		}
	}
	return errors.New("no signature matches")
}

// Notification is one webhook delivery.
type Notification struct {
	ID       string
	Type     string
	Received time.Time
	// SignatureError is nil when the signature was verified.
	SignatureError error
	// Anomalies are all anomalies that the body holds, wherever they stand.
	Anomalies []anomaly.Anomaly
	// Resolved says that the delivery announces the end of an alert.
	Resolved bool
	Body     []byte
}

// WebhookReceiver takes notifications and keeps them, bounded by maxKept.
// Deliveries with the same webhook-id are kept once.
type WebhookReceiver struct {
	secret  string
	mu      sync.Mutex
	seen    map[string]bool
	kept    []Notification
	dropped int
}

const maxKept = 10_000

// NewWebhookReceiver returns a receiver that verifies with secret; an empty
// secret turns verification off.
func NewWebhookReceiver(secret string) *WebhookReceiver {
	return &WebhookReceiver{secret: secret, seen: map[string]bool{}}
}

// Notifications returns what came so far, oldest first, and how many were
// dropped because there were too many.
func (w *WebhookReceiver) Notifications() (list []Notification, dropped int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]Notification(nil), w.kept...), w.dropped
}

// ServeHTTP implements http.Handler. A bad signature is answered with 401 and
// kept with its error, so that the summary can show it.
func (w *WebhookReceiver) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost && r.Method != http.MethodPut {
		http.Error(rw, "method not allowed", http.StatusMethodNotAllowed)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(rw, r.Body, maxWebhookBody))
	if err != nil {
		http.Error(rw, "body cannot be read", http.StatusRequestEntityTooLarge)
		return
	}
	now := time.Now()
	n := Notification{ID: r.Header.Get("webhook-id"), Received: now, Body: body}
	if w.secret != "" {
		n.SignatureError = VerifyWebhook(w.secret, r.Header, body, now)
	}
	n.Type, n.Resolved, n.Anomalies = parseNotification(body)
	w.keep(n)
	if n.SignatureError != nil {
		http.Error(rw, "signature not accepted", http.StatusUnauthorized)
		return
	}
	rw.WriteHeader(http.StatusNoContent)
}

func (w *WebhookReceiver) keep(n Notification) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if n.ID != "" && n.SignatureError == nil {
		if w.seen[n.ID] {
			return
		}
		w.seen[n.ID] = true
	}
	if len(w.kept) >= maxKept {
		w.dropped++
		return
	}
	w.kept = append(w.kept, n)
}

// parseNotification finds the anomalies in a body: data may be one anomaly, a
// list, or an object that holds lists of them. Text that is no JSON yields
// nothing.
func parseNotification(body []byte) (kind string, resolved bool, found []anomaly.Anomaly) {
	var env struct {
		Type   string          `json:"type"`
		Status string          `json:"status"`
		Data   json.RawMessage `json:"data"`
	}
	if json.Unmarshal(body, &env) != nil {
		return "", false, nil
	}
	collectAnomalies(env.Data, 0, &found)
	return env.Type, strings.HasSuffix(env.Type, "resolved") || env.Status == "resolved", found
}

func collectAnomalies(raw json.RawMessage, depth int, found *[]anomaly.Anomaly) {
	if depth > 4 || len(raw) == 0 {
		return
	}
	switch raw[0] {
	case '[':
		var list []json.RawMessage
		if json.Unmarshal(raw, &list) == nil {
			for _, e := range list {
				collectAnomalies(e, depth+1, found)
			}
		}
	case '{':
		var m map[string]json.RawMessage
		if json.Unmarshal(raw, &m) != nil {
			return
		}
		if m["alert_id"] != nil && m["anomaly_type"] != nil {
			var a anomaly.Anomaly
			if json.Unmarshal(raw, &a) == nil {
				*found = append(*found, a)
				return
			}
		}
		for _, k := range []string{"anomaly", "anomalies", "alerts", "data"} {
			collectAnomalies(m[k], depth+1, found)
		}
	}
}
