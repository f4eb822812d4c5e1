package influxdbexporter

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
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

// target is where points go, once that is known.
type target struct {
	api       API
	telemetry string // URL of writes
	anomaly   string
}

// client talks to one server. It is safe for concurrent use.
type client struct {
	config    *Config
	base      string
	userAgent string
	http      *http.Client
	// compressed: bodies are copied when they are compressed, so that a payload
	// may be used again as soon as its request returns.
	compressed bool
	now        func() time.Time

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
	hc, err := settings.ToClient(ctx, host.GetExtensions(), set)
	if err != nil {
		return nil, err
	}
	// A redirected write would lose its credentials or its body, and then look
	// like another error.
	hc.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &client{
		config: config, base: strings.TrimRight(config.ClientConfig.Endpoint, "/"),
		userAgent: userAgent, http: hc, compressed: settings.Compression.IsCompressed(), now: time.Now,
	}, nil
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

// target returns where to write. The first call asks the server which API it
// speaks and creates the database, as far as the configuration wants that.
func (c *client) target(ctx context.Context) (*target, error) {
	r := &c.resolved
	r.Lock()
	defer r.Unlock()
	if r.target != nil {
		return r.target, nil
	}
	if r.failed != nil && c.now().Sub(r.failedAt) < probePause {
		return nil, r.failed
	}
	t, err := c.resolve(ctx)
	if err != nil {
		r.failed, r.failedAt = err, c.now()
		return nil, err
	}
	r.target, r.failed = t, nil
	return t, nil
}

// forget makes the next call of target ask the server again.
func (c *client) forget() {
	c.resolved.Lock()
	defer c.resolved.Unlock()
	c.resolved.target = nil
}

func (c *client) resolve(ctx context.Context) (*target, error) {
	api := c.config.API
	if api == APIAuto {
		var err error
		if api, err = c.probe(ctx); err != nil {
			return nil, err
		}
	}
	if api == APIV2 {
		v := &c.config.V2
		return &target{api: api, telemetry: c.writeV2(v.Bucket), anomaly: c.writeV2(v.AnomalyBucket)}, nil
	}
	if c.config.V1.CreateDatabase {
		if err := c.createDatabase(ctx); err != nil {
			return nil, err
		}
	}
	q := url.Values{"db": {c.config.V1.Database}, "precision": {"ns"}}
	if rp := c.config.V1.RetentionPolicy; rp != "" {
		q.Set("rp", rp)
	}
	write := c.base + "/write?" + q.Encode()
	return &target{api: APIV1, telemetry: write, anomaly: write}, nil
}

func (c *client) writeV2(bucket string) string {
	q := url.Values{"bucket": {bucket}, "precision": {"ns"}}
	if c.config.V2.Org != "" {
		q.Set("org", c.config.V2.Org)
	}
	return c.base + "/api/v2/write?" + q.Encode()
}

// probe asks for the version of the server, which stands in a header of /ping
// and, behind some proxies only, in the body of /health.
func (c *client) probe(ctx context.Context) (API, error) {
	for _, path := range []string{"/ping", "/health"} {
		status, header, body, err := c.do(ctx, http.MethodGet, c.base+path, nil)
		if err != nil {
			return "", err
		}
		if status == http.StatusTooManyRequests || status >= 500 {
			return "", c.failure(classify(status, header, body, 0, c.now()), status, c.base+path, "")
		}
		version := header.Get("X-Influxdb-Version")
		if version == "" {
			var health struct {
				Version string `json:"version"`
			}
			if json.Unmarshal(body, &health) == nil {
				version = health.Version
			}
		}
		if major, ok := majorVersion(version); ok {
			if major >= 2 {
				return APIV2, nil
			}
			return APIV1, nil
		}
	}
	// The server does not say. What the user filled in does.
	if c.config.V2.Token != "" || c.config.V2.Org != "" {
		return APIV2, nil
	}
	return APIV1, nil
}

func (c *client) createDatabase(ctx context.Context) error {
	ident := strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(c.config.V1.Database)
	q := url.Values{"q": {`CREATE DATABASE "` + ident + `"`}}
	status, header, body, err := c.do(ctx, http.MethodPost, c.base+"/query?"+q.Encode(), nil)
	if err != nil {
		return err
	}
	if status >= 300 {
		o := classify(status, header, body, 0, c.now())
		return c.failure(o, status, c.base+"/query", "cannot create the database")
	}
	// A statement that failed is reported inside a response of status 200.
	var answer struct {
		Results []struct {
			Error string `json:"error"`
		} `json:"results"`
	}
	if json.Unmarshal(body, &answer) == nil {
		for _, r := range answer.Results {
			if r.Error != "" {
				err := fmt.Errorf("cannot create database %q: %s", c.config.V1.Database, printable(r.Error))
				return &requestError{reason: reasonRejected, err: consumererror.NewPermanent(err)}
			}
		}
	}
	return nil
}

// write sends the lines of one payload. A partial write is an outcome, every
// other failure is an error.
func (c *client) write(ctx context.Context, to string, payload []byte, lines int) (outcome, error) {
	status, header, body, err := c.do(ctx, http.MethodPost, to, payload)
	if err != nil {
		return outcome{}, err
	}
	o := classify(status, header, body, lines, c.now())
	if o.reason == reasonNone || o.reason == reasonPartial {
		return o, nil
	}
	if o.reason == reasonNotFound && c.config.V1.CreateDatabase && strings.Contains(o.message, "database not found") {
		// Somebody dropped it while we ran: make it again.
		c.forget()
		o.retry = true
	}
	return o, c.failure(o, status, to, "")
}

// failure builds the error of a response, classed for the exporter helper.
func (c *client) failure(o outcome, status int, to, doing string) error {
	err := fmt.Errorf("%s answered %d %s", to, status, http.StatusText(status))
	if o.message != "" {
		err = fmt.Errorf("%w: %s", err, o.message)
	}
	if doing != "" {
		err = fmt.Errorf("%s: %w", doing, err)
	}
	if hint := c.hint(o.reason, to); hint != "" {
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
func (c *client) hint(r reason, to string) string {
	v2 := strings.HasPrefix(to, c.base+"/api/v2/")
	switch r {
	case reasonUnauthorized:
		switch {
		case c.config.ClientConfig.Auth.HasValue():
			return "check the extension that auth names, and its right to write"
		case v2:
			return "check v2.token, and its right to write to v2.bucket and v2.anomaly_bucket"
		default:
			return "check v1.username and v1.password, and the user's right to write to v1.database"
		}
	case reasonNotFound:
		if v2 {
			return "check endpoint, v2.org, v2.bucket and v2.anomaly_bucket"
		}
		return "check endpoint and v1.database, or set v1.create_database"
	case reasonRequestSize:
		return "lower payload_max_bytes"
	case reasonRedirect:
		return "redirects are not followed: set endpoint to the final address"
	}
	return ""
}

// do sends one request and reads the bounded response. Its errors are of the
// transport and worth a retry.
func (c *client) do(ctx context.Context, method, to string, body []byte) (int, http.Header, []byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, to, bytes.NewReader(body))
	if err != nil {
		return 0, nil, nil, &requestError{reason: reasonInvalid, err: consumererror.NewPermanent(err)}
	}
	req.Header.Set("User-Agent", c.userAgent)
	if body != nil {
		req.Header.Set("Content-Type", "text/plain; charset=utf-8")
	} else if c.compressed {
		// Keeps the compression from giving this request a body.
		req.Header.Set("Content-Encoding", "identity")
	}
	switch v1, v2 := &c.config.V1, &c.config.V2; {
	case v2.Token != "" && (v1.Username == "" || strings.HasPrefix(to, c.base+"/api/v2/")):
		req.Header.Set("Authorization", "Token "+string(v2.Token))
	case v1.Username != "":
		req.SetBasicAuth(v1.Username, string(v1.Password))
	}
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
