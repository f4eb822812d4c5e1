package influxdbexporter

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/exporter/exporterhelper"
)

// probePause is the time during which a failed probe is not repeated, so that
// many queue consumers do not wait for a dead server one after the other.
const probePause = time.Second

// client talks to one server. It is safe for concurrent use.
type client struct {
	config    *Config
	base      string
	userAgent string
	http      *http.Client
	// gzip compresses what is written; nil: bodies are sent as they are.
	gzip *compressor
	now  func() time.Time

	// resolved is what the probe found.
	resolved struct {
		sync.Mutex
		target   *target
		failed   error
		failedAt time.Time
	}
}

func newClient(ctx context.Context, config *Config, host component.Host, set component.TelemetrySettings, userAgent string) (*client, error) {
	// ToClient writes into the configuration it is called on.
	settings := config.ClientConfig
	settings.Compression = ""
	hc, err := settings.ToClient(ctx, host.GetExtensions(), set)
	if err != nil {
		return nil, err
	}
	// A redirected write would lose its credentials or its body, and then look
	// like another error.
	hc.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	c := &client{
		config: config, base: strings.TrimRight(config.ClientConfig.Endpoint, "/"),
		userAgent: userAgent, http: hc, now: time.Now,
	}
	if config.ClientConfig.Compression.IsCompressed() {
		c.gzip = &compressor{level: int(config.ClientConfig.CompressionParams.Level)}
	}
	return c, nil
}

// requestError is a failed request. It tells what the exporter counts.
type requestError struct {
	reason reason
	err    error
}

func (e *requestError) Error() string { return e.err.Error() }
func (e *requestError) Unwrap() error { return e.err }

func reasonOf(err error) reason {
	var re *requestError
	if errors.As(err, &re) {
		return re.reason
	}
	return reasonUnreachable
}

// write sends the lines of one payload. A partial write is an outcome, every
// other failure is an error.
func (c *client) write(ctx context.Context, t *target, to string, payload []byte, lines int) (outcome, error) {
	status, header, body, err := c.do(ctx, request{api: t.api, method: http.MethodPost, to: to, body: payload, kind: lineProtocol})
	if err != nil {
		return outcome{}, err
	}
	o := classify(status, header, body, lines, c.now())
	if o.reason == reasonNone || o.reason == reasonPartial {
		return o, nil
	}
	if o.reason == reasonNotFound && c.creates(t.api, o.message) {
		// Somebody dropped it while we ran: make it again.
		c.forget()
		o.retry = true
	}
	return o, c.failure(o, status, t.api, to, "")
}

// failure builds the error of a response, classed for the exporter helper.
func (c *client) failure(o outcome, status int, api API, to, doing string) error {
	err := fmt.Errorf("%s answered %d %s", to, status, http.StatusText(status))
	if o.message != "" {
		err = fmt.Errorf("%w: %s", err, o.message)
	}
	if doing != "" {
		err = fmt.Errorf("%s: %w", doing, err)
	}
	if hint := c.hint(o.reason, api); hint != "" {
		err = fmt.Errorf("%w (%s)", err, hint)
	}
	switch {
	case o.retry && o.after > 0:
		err = exporterhelper.NewThrottleRetry(err, o.after)
	case !o.retry:
		err = consumererror.NewPermanent(err)
	}
	return &requestError{reason: o.reason, err: err}
}

// hint names the setting that is most likely wrong.
func (c *client) hint(r reason, api API) string {
	switch r {
	case reasonUnauthorized:
		switch {
		case c.config.ClientConfig.Auth.HasValue():
			return "check the extension that auth names, and its right to write"
		case api == APIV3:
			return "check v3.token, and its right to write to v3.database and v3.anomaly_database"
		case api == APIV2:
			return "check v2.token, and its right to write to v2.bucket and v2.anomaly_bucket"
		default:
			return "check v1.username and v1.password, and the user's right to write to v1.database"
		}
	case reasonNotFound:
		switch api {
		case APIV3:
			return "check endpoint, and that the server is InfluxDB 3"
		case APIV2:
			return "check endpoint, v2.org, v2.bucket and v2.anomaly_bucket, or set v2.create_bucket"
		default:
			return "check endpoint and v1.database, or set v1.create_database"
		}
	case reasonRequestSize:
		return "lower payload_max_bytes"
	case reasonRedirect:
		return "redirects are not followed: set endpoint to the final address"
	}
	return ""
}

// Content types of bodies.
const (
	lineProtocol = "text/plain; charset=utf-8"
	jsonBody     = "application/json"
)

// request is one request to the server.
type request struct {
	// api chooses the credentials; APIAuto asks for the version.
	api        API
	method, to string
	// body of the given content type; nil for none.
	body []byte
	kind string
}

// do sends one request and reads the bounded response. Its errors are of the
// transport and worth a retry.
func (c *client) do(ctx context.Context, r request) (int, http.Header, []byte, error) {
	compress := c.gzip != nil && r.kind == lineProtocol
	if compress {
		small, err := c.gzip.compress(r.body)
		if err != nil {
			return 0, nil, nil, &requestError{reason: reasonInvalid, err: consumererror.NewPermanent(err)}
		}
		r.body = small
	}
	req, err := http.NewRequestWithContext(ctx, r.method, r.to, bytes.NewReader(r.body))
	if err != nil {
		return 0, nil, nil, &requestError{reason: reasonInvalid, err: consumererror.NewPermanent(err)}
	}
	req.Header.Set("User-Agent", c.userAgent)
	if r.body != nil {
		req.Header.Set("Content-Type", r.kind)
	}
	if compress {
		req.Header.Set("Content-Encoding", "gzip")
	}
	c.authorize(req, r.api)
	resp, err := c.http.Do(req)
	if err != nil {
		return 0, nil, nil, &requestError{reason: reasonUnreachable, err: err}
	}
	defer func() { _ = resp.Body.Close() }() // nothing is lost when closing fails
	// What is read of a response is bounded; a body that breaks off still has
	// its status.
	text, _ := io.ReadAll(io.LimitReader(resp.Body, maxBodyBytes))
	return resp.StatusCode, resp.Header, text, nil
}

// authorize sets the credentials that the configuration holds for an API, or,
// when it holds none for that one, those of another: servers of a later version
// also answer the earlier APIs.
func (c *client) authorize(req *http.Request, api API) {
	v1, v2, v3 := &c.config.V1, &c.config.V2, &c.config.V3
	newest := v3.Token
	if newest == "" {
		newest = v2.Token
	}
	switch {
	case api == APIV1 && v1.Username != "":
		req.SetBasicAuth(v1.Username, string(v1.Password))
	case api == APIV3 && newest != "":
		req.Header.Set("Authorization", "Bearer "+string(newest))
	case api == APIAuto && v3.Token != "":
		req.Header.Set("Authorization", "Bearer "+string(v3.Token))
	case v2.Token != "":
		req.Header.Set("Authorization", "Token "+string(v2.Token))
	case v3.Token != "":
		req.Header.Set("Authorization", "Token "+string(v3.Token))
	case v1.Username != "":
		req.SetBasicAuth(v1.Username, string(v1.Password))
	}
}
