package influx

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
)

const (
	// maxQueries is the number of requests at once; others wait.
	maxQueries = 8
	// probePause is the time during which a failed probe is not repeated.
	probePause = time.Second
	// warnEvery bounds how often the same is logged.
	warnEvery = 5 * time.Minute
	// maxErrorBody is what is read of an error, in bytes.
	maxErrorBody = 64 << 10
)

// dialect asks in one of the languages.
type dialect interface {
	// rows gives the points of a selection in the order of their times. The
	// values are valid until the function returns.
	rows(ctx context.Context, sel *selection, emit func(columns []string, values []any) error) error
	// count is the number of points; id is a column that each of them has.
	count(ctx context.Context, sel *selection, id string) (int64, error)
	// reachable reports whether questions about a place can be asked.
	reachable(ctx context.Context, p place) error
}

// target is where to ask, once that is known.
type target struct {
	dialect
	events, anomalies place
}

// client talks to one server. It is safe for concurrent use.
type client struct {
	config *Config
	base   string
	logger *zap.Logger
	// slots bounds the requests at once.
	slots chan struct{}

	// api is the one that is spoken, once that is known.
	api atomic.Value
	// resolving guards resolved. It is a channel so that those who wait for the
	// probe of another caller can give up.
	resolving chan struct{}
	resolved  struct {
		target   *target
		failed   error
		failedAt time.Time
	}
	warned     throttle // of a missing database
	unreadably throttle // of points that are left out
}

// throttle lets one message through in each period and counts the others.
type throttle struct {
	mu   sync.Mutex
	at   time.Time
	held int64
}

// allow reports whether to speak, and how often it was not allowed since.
func (t *throttle) allow(now time.Time) (held int64, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.at.IsZero() && now.Sub(t.at) < warnEvery {
		t.held++
		return 0, false
	}
	held, t.held, t.at = t.held, 0, now
	return held, true
}

func newClient(c *Config) *client {
	logger := c.Logger
	if logger == nil {
		logger = zap.NewNop()
	}
	client := &client{
		config: c, base: strings.TrimRight(c.Endpoint, "/"), logger: logger,
		slots: make(chan struct{}, maxQueries), resolving: make(chan struct{}, 1),
	}
	if c.API != APIAuto && c.API != "" {
		client.api.Store(c.API)
	}
	return client
}

// target returns where to ask. The first call asks the server which API it
// speaks, unless that is configured.
func (c *client) target(ctx context.Context) (*target, error) {
	select {
	case c.resolving <- struct{}{}:
		defer func() { <-c.resolving }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	r := &c.resolved
	if r.target != nil {
		return r.target, nil
	}
	if r.failed != nil && time.Since(r.failedAt) < probePause {
		return nil, r.failed
	}
	api := c.config.API
	if api == APIAuto || api == "" {
		var err error
		if api, err = c.probe(ctx); err != nil {
			if ctx.Err() == nil { // or it says nothing about the server
				r.failed, r.failedAt = err, time.Now()
			}
			return nil, err
		}
	}
	t := &target{dialect: influxQL{c}}
	if api == APIV3 {
		t.dialect = &sqlV3{c: c}
	}
	t.events, t.anomalies = c.config.places(api)
	c.api.Store(api)
	r.target, r.failed = t, nil
	return t, nil
}

// probe asks for the version of the server, which stands in a header of /ping
// and, behind some proxies only, in the body of it or of /health.
func (c *client) probe(ctx context.Context) (API, error) {
	for _, path := range []string{"/ping", "/health"} {
		version := ""
		err := c.do(ctx, http.MethodGet, path, nil, nil, func(resp *http.Response, body io.Reader) error {
			version = resp.Header.Get("X-Influxdb-Version")
			var v struct {
				Version string `json:"version"`
			}
			if text, err := io.ReadAll(io.LimitReader(body, maxErrorBody)); err == nil && version == "" && json.Unmarshal(text, &v) == nil {
				version = v.Version
			}
			return nil
		})
		if err != nil && !isKind(err, KindMissing) {
			return "", fmt.Errorf("ask for the version: %w", err)
		}
		if major, ok := majorVersion(version); ok {
			return [...]API{APIV1, APIV2, APIV3}[min(max(major, 1), 3)-1], nil
		}
	}
	// The server does not say. What the user filled in does.
	switch {
	case c.config.V3.Token != "":
		return APIV3, nil
	case c.config.V2.Token != "":
		return APIV2, nil
	default:
		return APIV1, nil
	}
}

func majorVersion(version string) (int, bool) {
	digits, _, _ := strings.Cut(strings.TrimPrefix(version, "v"), ".")
	n, err := strconv.Atoi(digits)
	return n, err == nil && n >= 0
}

// authorise adds the credentials of the API, or before it is known those that
// are configured.
func (c *client) authorise(req *http.Request) {
	v1, v2, v3 := &c.config.V1, &c.config.V2, &c.config.V3
	api, _ := c.api.Load().(API)
	unknown := api == ""
	switch {
	case v3.Token != "" && (api == APIV3 || unknown):
		req.Header.Set("Authorization", "Bearer "+v3.Token)
	case v2.Token != "" && (api == APIV2 || unknown):
		req.Header.Set("Authorization", "Token "+v2.Token)
	case v1.Username != "" && (api == APIV1 || unknown):
		req.SetBasicAuth(v1.Username, v1.Password)
	}
}

// post asks a question and hands the answer on. The body that decode gets ends
// with errTooLarge when it is larger than allowed.
func (c *client) post(ctx context.Context, path, contentType, accept string, body io.Reader, decode func(io.Reader) error) error {
	header := http.Header{"Content-Type": {contentType}, "Accept": {accept}}
	return c.do(ctx, http.MethodPost, path, header, body, func(_ *http.Response, body io.Reader) error { return decode(body) })
}

func (c *client) do(ctx context.Context, method, path string, header http.Header, body io.Reader, use func(*http.Response, io.Reader) error) error {
	select {
	case c.slots <- struct{}{}:
		defer func() { <-c.slots }()
	case <-ctx.Done():
		return ctx.Err()
	}
	if body == nil {
		body = http.NoBody
	}
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, body)
	if err != nil {
		return fmt.Errorf("influxdb: %w", err)
	}
	for k, v := range header {
		req.Header[k] = v
	}
	c.authorise(req)
	resp, err := c.config.Client.Do(req)
	if err != nil {
		return c.unreachable(ctx, err)
	}
	defer func() {
		// What is left of a short answer is read, so that the connection can be
		// used again; the rest of a long one is not.
		_, _ = io.CopyN(io.Discard, resp.Body, 4096)
		_ = resp.Body.Close()
	}()
	if resp.StatusCode >= 300 {
		text, err := io.ReadAll(io.LimitReader(resp.Body, maxErrorBody))
		if err != nil && ctx.Err() != nil {
			return ctx.Err()
		}
		return serverError(resp.StatusCode, errorText(resp, text))
	}
	return use(resp, &boundedReader{in: resp.Body, left: c.config.MaxResponseBytes + 1, fail: func(err error) error { return c.unreachable(ctx, err) }})
}

// unreachable is the error of a request without a complete answer. The error of
// the transport may repeat headers of a proxy or parts of the URL, but no
// credentials: those are in headers of ours.
func (c *client) unreachable(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("influxdb: %w", ctx.Err())
	}
	return &Error{Kind: KindUnavailable, Message: printable(err.Error()), cause: err}
}

// errorText finds the message in an answer: a header of 1.x, or a field of the
// body, or the body.
func errorText(resp *http.Response, body []byte) string {
	var v struct {
		Error   string `json:"error"`
		Message string `json:"message"`
	}
	if json.Unmarshal(body, &v) == nil {
		if v.Error != "" {
			return v.Error
		}
		if v.Message != "" {
			return v.Message
		}
	}
	if text := resp.Header.Get("X-Influxdb-Error"); text != "" {
		return text
	}
	return string(body)
}

// boundedReader ends with errTooLarge behind left bytes.
type boundedReader struct {
	in   io.Reader
	left int64
	fail func(error) error
}

func (b *boundedReader) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, errTooLarge
	}
	if int64(len(p)) > b.left {
		p = p[:b.left]
	}
	n, err := b.in.Read(p)
	b.left -= int64(n)
	if err != nil && err != io.EOF { //nolint:errorlint // readers return it as it is
		err = b.fail(err)
	}
	return n, err
}

// missingDatabase logs, now and then, that nothing can be found because of it.
func (c *client) missingDatabase(p place, err error) {
	if _, ok := c.warned.allow(time.Now()); ok {
		c.logger.Warn("the database does not exist: nothing was written yet, or its name is wrong; questions are answered as if it were empty",
			zap.String("database", p.database), zap.Error(err))
	}
}

// unreadable logs, now and then, that points are left out of answers.
func (c *client) unreadable(err error) {
	if held, ok := c.unreadably.allow(time.Now()); ok {
		c.logger.Warn("points that are not those of the influxdb exporter, or are being written, are left out", zap.Error(err), zap.Int64("others_before", held))
	}
}
