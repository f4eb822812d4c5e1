package webhook

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/collector/component"

	"github.com/llm-devops/llm-sentinel/exporter/alertexporter/internal/notify"
	"github.com/llm-devops/llm-sentinel/internal/retryafter"
)

const (
	// maxDrain bounds what is read of a response so that the connection can
	// be used again; a longer one costs a new connection.
	maxDrain = 64 << 10
	// maxQuote bounds what of a refusal is quoted in an error.
	maxQuote = 200
	// maxRetryAfter bounds the pause that a receiver can ask for.
	maxRetryAfter = 5 * time.Minute
)

var errGone = errors.New("endpoint answered 410 Gone and stays disabled until restart")

// Settings are what the target needs from the component.
type Settings struct {
	Telemetry component.TelemetrySettings
	// UserAgent names the sender.
	UserAgent string
	Health    notify.Health
	// Now is the clock of webhook-timestamp; nil means time.Now.
	Now func() time.Time
}

// Target posts notifications to one endpoint.
type Target struct {
	cfg  *Config
	set  Settings
	keys [][]byte

	// client is written by Start, before any call of Notify.
	client *http.Client
	gone   atomic.Bool
}

var _ notify.Target = (*Target)(nil)

// New builds a target from a valid configuration.
func New(cfg *Config, set Settings) (*Target, error) {
	if set.Now == nil {
		set.Now = time.Now
	}
	t := &Target{cfg: cfg, set: set}
	if cfg.Secret == "" {
		return t, nil
	}
	for _, s := range append([]string{string(cfg.Secret)}, plain(cfg)...) {
		key, err := ParseSecret(s)
		if err != nil {
			return nil, fmt.Errorf("secret %w", err)
		}
		t.keys = append(t.keys, key)
	}
	return t, nil
}

func plain(cfg *Config) []string {
	out := make([]string, 0, len(cfg.PreviousSecrets))
	for _, s := range cfg.PreviousSecrets {
		out = append(out, string(s))
	}
	return out
}

// Start builds the HTTP client.
func (t *Target) Start(ctx context.Context, host component.Host) error {
	client, err := t.cfg.HTTP.ToClient(ctx, host.GetExtensions(), t.set.Telemetry)
	if err != nil {
		return fmt.Errorf("build the http client: %w", stripURL(err))
	}
	// A redirect would send a signed body to a place that nobody configured.
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	t.client = client
	if len(t.keys) > 0 && t.cfg.plainHTTP() {
		t.set.Telemetry.Logger.Warn("The webhook endpoint is plain http on another host: the body can be read on the way, use https.")
	}
	return nil
}

// Shutdown closes idle connections.
func (t *Target) Shutdown(context.Context) error {
	if t.client != nil {
		t.client.CloseIdleConnections()
	}
	return nil
}

// Notify makes one call.
func (t *Target) Notify(ctx context.Context, n notify.Notification) error {
	if t.gone.Load() {
		return notify.Permanent(notify.ReasonDisabled, errGone)
	}
	body, err := encode(t.cfg.Format, n)
	if err != nil {
		return notify.Permanent(notify.ReasonInvalid, err)
	}
	req, err := t.request(ctx, n.ID(), body)
	if err != nil {
		return notify.Permanent(notify.ReasonInvalid, stripURL(err))
	}
	resp, err := t.client.Do(req)
	if err != nil {
		err = fmt.Errorf("call the webhook: %w", stripURL(err))
		t.set.Health(err, false)
		return notify.Retryable(notify.ReasonUnavailable, err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, _ := io.ReadAll(io.LimitReader(resp.Body, maxDrain))
	return t.judge(resp, text)
}

func (t *Target) request(ctx context.Context, id string, body []byte) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, t.cfg.HTTP.Endpoint, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	now := t.set.Now().Unix()
	h := req.Header
	h.Set("Content-Type", "application/json")
	h.Set("User-Agent", t.set.UserAgent)
	h.Set(headerID, id)
	h.Set(headerTimestamp, strconv.FormatInt(now, 10))
	if len(t.keys) > 0 {
		h.Set(headerSignature, signature(t.keys, id, now, body))
		if t.cfg.Format == FormatSentinel {
			h.Set(headerSentinel, rawSignature(t.keys[0], body))
		}
	}
	return req, nil
}

// judge turns the response into nil or a classified failure, and reports the
// health of the endpoint.
func (t *Target) judge(resp *http.Response, text []byte) error {
	code := resp.StatusCode
	if code >= 200 && code < 300 {
		t.set.Health(nil, false)
		return nil
	}
	err := fmt.Errorf("webhook answered %d %s%s", code, http.StatusText(code), quote(text))
	switch {
	case code == http.StatusGone:
		if !t.gone.Swap(true) {
			t.set.Telemetry.Logger.Error("The webhook endpoint is gone; it is not called again before a restart.")
			t.set.Health(errGone, true)
		}
		return notify.Permanent(notify.ReasonDisabled, errGone)
	case code == http.StatusRequestTimeout, code == http.StatusTooManyRequests, code >= 500:
		t.set.Health(err, false)
		f := notify.Retryable(notify.ReasonUnavailable, err)
		if code == http.StatusTooManyRequests {
			f.Reason = notify.ReasonThrottled
		}
		f.RetryAfter = retryafter.Parse(resp.Header.Get("Retry-After"), t.set.Now(), maxRetryAfter)
		return f
	case code >= 300 && code < 400:
		err = fmt.Errorf("webhook answered %d %s, redirects are not followed: configure the final URL", code, http.StatusText(code))
		t.set.Health(err, false)
		return notify.Permanent(notify.ReasonRedirected, err)
	default:
		t.set.Health(err, false)
		return notify.Permanent(notify.ReasonRejected, err)
	}
}

// quote gives the beginning of a response in a form that is safe in a log line.
func quote(text []byte) string {
	s := strings.TrimSpace(string(text))
	if s == "" {
		return ""
	}
	return fmt.Sprintf(": %q", notify.CutText(strings.ToValidUTF8(s, "?"), maxQuote))
}

// stripURL removes the URL that net/http and net/url put into their errors:
// many receivers carry a token in it.
func stripURL(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}
