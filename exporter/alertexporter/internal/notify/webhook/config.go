// Package webhook delivers notifications as signed HTTP calls that follow the
// Standard Webhooks specification.
package webhook

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"time"

	"go.opentelemetry.io/collector/config/confighttp"
	"go.opentelemetry.io/collector/config/configopaque"
)

// Format is the shape of the body and the set of signature headers.
type Format string

const (
	// FormatStandard is the body and the headers of Standard Webhooks.
	FormatStandard Format = "standard"
	// FormatSentinel adds X-Sentinel-Signature and names the type event_type,
	// for receivers of the earlier LLM-Sentinel.
	FormatSentinel Format = "sentinel"
)

// UnmarshalText implements encoding.TextUnmarshaler.
func (f *Format) UnmarshalText(text []byte) error {
	switch v := Format(text); v {
	case FormatStandard, FormatSentinel:
		*f = v
		return nil
	}
	return fmt.Errorf("format must be standard or sentinel, got %q", text)
}

// The headers that carry id, time and signatures.
const (
	headerID        = "Webhook-Id"
	headerTimestamp = "Webhook-Timestamp"
	headerSignature = "Webhook-Signature"
	headerSentinel  = "X-Sentinel-Signature"
)

// maxPreviousSecrets bounds the signatures that one call carries.
const maxPreviousSecrets = 4

// Config of the webhook target.
type Config struct {
	// HTTP is the stock HTTP client: endpoint (required), timeout
	// (default 15s), tls, proxy_url, headers, auth and so on. compression must
	// stay unset because the signature covers the bytes on the wire.
	HTTP confighttp.ClientConfig `mapstructure:",squash"`

	// Secret signs each call: "whsec_" and the base64 of 24 to 64 bytes.
	// Default empty: calls are not signed.
	Secret configopaque.String `mapstructure:"secret"`

	// PreviousSecrets sign each call in addition to Secret while receivers
	// move to the new one; at most 4. Default none.
	PreviousSecrets []configopaque.String `mapstructure:"previous_secrets"`

	// Format of the body: standard or sentinel. Default standard.
	Format Format `mapstructure:"format"`

	// prevent unkeyed literal initialization
	_ struct{}
}

// NewDefaultConfig returns the defaults. The endpoint must be set.
func NewDefaultConfig() Config {
	client := confighttp.NewDefaultClientConfig()
	client.Timeout = 15 * time.Second
	return Config{HTTP: client, Format: FormatStandard}
}

// Validate checks the fields of the target. No message contains a secret or
// more of the endpoint than its scheme and host.
func (c *Config) Validate() error {
	errs := []error{c.validateEndpoint()}
	if c.HTTP.Timeout <= 0 {
		errs = append(errs, fmt.Errorf("timeout must be positive, got %v", c.HTTP.Timeout))
	}
	if c.HTTP.Compression.IsCompressed() {
		errs = append(errs, fmt.Errorf("compression must be unset because receivers verify the signature on the received bytes, got %q", string(c.HTTP.Compression)))
	}
	switch c.Format {
	case FormatStandard, FormatSentinel:
	default:
		errs = append(errs, fmt.Errorf("format must be standard or sentinel, got %q", string(c.Format)))
	}
	if c.Secret != "" {
		if _, err := ParseSecret(string(c.Secret)); err != nil {
			errs = append(errs, fmt.Errorf("secret %w", err))
		}
	}
	if len(c.PreviousSecrets) > maxPreviousSecrets {
		errs = append(errs, fmt.Errorf("previous_secrets must have at most %d entries, got %d", maxPreviousSecrets, len(c.PreviousSecrets)))
	}
	if len(c.PreviousSecrets) > 0 && c.Secret == "" {
		errs = append(errs, errors.New("previous_secrets must be empty when secret is not set"))
	}
	for i, s := range c.PreviousSecrets {
		if _, err := ParseSecret(string(s)); err != nil {
			errs = append(errs, fmt.Errorf("previous_secrets[%d] %w", i, err))
		}
	}
	owned := []string{"Content-Type", headerID, headerTimestamp, headerSignature, headerSentinel}
	for name := range c.HTTP.Headers.Iter {
		if slices.Contains(owned, http.CanonicalHeaderKey(name)) {
			errs = append(errs, fmt.Errorf("headers must not set %q, the exporter does", name))
		}
	}
	return errors.Join(errs...)
}

func (c *Config) validateEndpoint() error {
	if c.HTTP.Endpoint == "" {
		return errors.New("endpoint must be set to the http:// or https:// URL of the receiver")
	}
	u, err := url.Parse(c.HTTP.Endpoint)
	if err != nil {
		// The error of net/url quotes the URL, which may hold a token.
		return errors.New("endpoint must be a valid http:// or https:// URL (not shown, it may hold a secret)")
	}
	if (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		return fmt.Errorf("endpoint must be an http:// or https:// URL with a host, got scheme %q and host %q", u.Scheme, u.Host)
	}
	return nil
}

// plainHTTP reports whether the endpoint is http:// on a host other than this one.
func (c *Config) plainHTTP() bool {
	u, err := url.Parse(c.HTTP.Endpoint)
	if err != nil || u.Scheme != "http" {
		return false
	}
	if u.Hostname() == "localhost" {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	return ip == nil || !ip.IsLoopback()
}
