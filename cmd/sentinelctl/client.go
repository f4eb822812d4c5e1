package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
)

// maxAnswerBytes bounds what is read of one answer; the server's own bound is
// lower.
const maxAnswerBytes = 256 << 20

// requestError says why the server gave no answer. It holds no credentials.
type requestError struct {
	what string
	err  error
}

func (e *requestError) Error() string { return e.what + ": " + e.err.Error() }
func (e *requestError) Unwrap() error { return e.err }

// client asks one server.
type client struct {
	base *url.URL
	http *http.Client
	sign func(*http.Request)
}

func (a *app) client() (*client, error) {
	base, err := url.Parse(a.url)
	if err != nil || base.Host == "" || base.Scheme != "http" && base.Scheme != "https" || base.User != nil || base.RawQuery != "" {
		return nil, fmt.Errorf("--url must look like %s, without name, password and query, got %q", defaultURL, a.url)
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: a.insecure} //nolint:gosec // asked for by a flag of that name
	if a.caFile != "" {
		pem, err := os.ReadFile(a.caFile)
		if err != nil {
			return nil, fmt.Errorf("--ca-file: %w", err)
		}
		transport.TLSClientConfig.RootCAs = x509.NewCertPool()
		if !transport.TLSClientConfig.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("--ca-file %s holds no certificate", a.caFile)
		}
	}
	c := &client{base: base, http: &http.Client{Transport: transport}, sign: func(*http.Request) {}}
	token, password := a.getenv("SENTINEL_TOKEN"), a.getenv("SENTINEL_PASSWORD")
	switch {
	case token != "" && a.user != "":
		return nil, errors.New("SENTINEL_TOKEN and --user must not be given together")
	case token != "":
		c.sign = func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+token) }
	case a.user != "":
		c.sign = func(r *http.Request) { r.SetBasicAuth(a.user, password) }
	}
	return c, nil
}

// do sends a request and returns the answer when its status is below 300. The
// caller closes the body.
func (c *client) do(ctx context.Context, method, path string, query url.Values, body []byte, header http.Header) (*http.Response, error) {
	u := c.base.JoinPath(path)
	u.RawQuery = query.Encode()
	r, err := http.NewRequestWithContext(ctx, method, u.String(), bytes.NewReader(body))
	if err != nil {
		return nil, &requestError{"request " + u.Path, err}
	}
	for k, v := range header {
		r.Header[k] = v
	}
	r.Header.Set("User-Agent", "sentinelctl")
	c.sign(r)
	resp, err := c.http.Do(r)
	if err != nil {
		return nil, &requestError{"no answer from " + c.base.Host, hint(err)}
	}
	if resp.StatusCode < 300 {
		return resp, nil
	}
	defer func() { _ = resp.Body.Close() }()
	return nil, &requestError{"/" + path, refusal(resp)}
}

func hint(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	if text := err.Error(); strings.Contains(text, "connection refused") {
		return fmt.Errorf("%w; is the collector running, with the query extension, and is --url right?", err)
	}
	return err
}

// refusal reads the error of the contract.
func refusal(resp *http.Response) error {
	var e struct {
		Code    string         `json:"code"`
		Message string         `json:"message"`
		Details map[string]any `json:"details"`
	}
	body, _ := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	if json.Unmarshal(body, &e) != nil || e.Message == "" {
		return fmt.Errorf("the server answered %s, not in the way of LLM-Sentinel; is --url right?", resp.Status)
	}
	if resp.StatusCode == http.StatusUnauthorized {
		return fmt.Errorf("%s: set SENTINEL_TOKEN, or --user and SENTINEL_PASSWORD", e.Message)
	}
	return fmt.Errorf("%s (%s)", e.Message, e.Code)
}

// answer is the envelope of the contract.
type answer struct {
	Data     json.RawMessage `json:"data"`
	Metadata struct {
		TotalCount *int64 `json:"total_count"`
		NextCursor string `json:"next_cursor"`
	} `json:"metadata"`
}

// call asks for one JSON answer within the timeout.
func (a *app) call(ctx context.Context, method, path string, query url.Values, body any) (answer, error) {
	var out answer
	c, err := a.client()
	if err != nil {
		return out, err
	}
	var sent []byte
	header := http.Header{}
	if body != nil {
		if sent, err = json.Marshal(body); err != nil {
			return out, err
		}
		header.Set("Content-Type", "application/json")
	}
	ctx, cancel := context.WithTimeout(ctx, a.timeout)
	defer cancel()
	resp, err := c.do(ctx, method, path, query, sent, header)
	if err != nil {
		return out, err
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswerBytes))
	if err == nil {
		err = json.Unmarshal(b, &out)
	}
	if err != nil {
		return out, &requestError{"read the answer of /" + path, err}
	}
	return out, nil
}

func (a *app) get(ctx context.Context, path string, query url.Values) (answer, error) {
	return a.call(ctx, http.MethodGet, path, query, nil)
}
