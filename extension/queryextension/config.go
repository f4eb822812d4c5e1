package queryextension

import (
	"errors"
	"fmt"
	"net/url"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/configgrpc"
	"go.opentelemetry.io/collector/config/confighttp"
	"go.opentelemetry.io/collector/config/configoptional"
)

// Config of the query extension. The default configuration is complete.
type Config struct {
	// HTTP holds the standard HTTP server settings of the collector (endpoint,
	// tls, auth, cors, timeouts, limits). Defaults that differ from the
	// standard ones: endpoint localhost:8080, read_timeout 30s, write_timeout
	// 1m, max_request_body_size 1 MiB (feedback is the only body that is read).
	HTTP confighttp.ServerConfig `mapstructure:"http"`

	// Storage is the id of the storage extension that questions are put to.
	// Default: llm_storage.
	Storage component.ID `mapstructure:"storage"`

	// MetricsEndpoint is the URL that GET /metrics passes on: where the
	// collector's own telemetry serves Prometheus text. Empty turns the route
	// off. Default: http://localhost:8888/metrics.
	MetricsEndpoint string `mapstructure:"metrics_endpoint"`

	// RequestTimeout limits the time that finding an answer may take, without
	// sending it. A request that takes longer is answered with 408.
	// Default: 30s.
	RequestTimeout time.Duration `mapstructure:"request_timeout"`

	// MaxConcurrentRequests limits how many requests for data and metrics are
	// answered at the same time; further ones are answered with 429. Health
	// checks are not limited. Default: 64 requests.
	MaxConcurrentRequests int `mapstructure:"max_concurrent_requests"`

	// MaxStreams limits how many clients are told of new anomalies at the same
	// time; further ones are answered with 429. Default: 64 streams.
	MaxStreams int `mapstructure:"max_streams"`

	// MaxResponseBytes limits the size of a response before compression. A page
	// that is larger is refused with 400, and the error says how many rows fit.
	// Together with MaxConcurrentRequests it bounds the memory that responses
	// take. Default: 16777216 bytes (16 MiB).
	MaxResponseBytes int `mapstructure:"max_response_bytes"`

	// Cache keeps answers until the storage has changed.
	Cache CacheConfig `mapstructure:"cache"`

	// GRPC holds the standard gRPC server settings of the collector. Without it
	// nothing is served over gRPC; an empty one serves on localhost:8081.
	GRPC configoptional.Optional[configgrpc.ServerConfig] `mapstructure:"grpc"`

	// RateLimit bounds how often one client may ask.
	RateLimit RateLimitConfig `mapstructure:"rate_limit"`

	// prevent unkeyed literal initialization
	_ struct{}
}

const (
	defaultEndpoint              = "localhost:8080"
	defaultStorage               = "llm_storage"
	defaultMetricsEndpoint       = "http://localhost:8888/metrics"
	defaultRequestTimeout        = 30 * time.Second
	defaultReadTimeout           = 30 * time.Second
	defaultWriteTimeout          = time.Minute
	defaultMaxRequestBodySize    = 1 << 20
	defaultMaxConcurrentRequests = 64
	defaultMaxResponseBytes      = 16 << 20
	defaultMaxStreams            = 64

	// minResponseBytes leaves room for any error and for the index page.
	minResponseBytes = 64 << 10
)

// Validate reports every setting that cannot work.
func (c *Config) Validate() error {
	var errs []error
	if c.HTTP.NetAddr.Endpoint == "" {
		errs = append(errs, errors.New("http::endpoint must not be empty"))
	}
	if g := c.GRPC.Get(); g != nil && g.NetAddr.Endpoint == "" {
		errs = append(errs, errors.New("grpc::endpoint must not be empty"))
	}
	if c.Storage == (component.ID{}) {
		errs = append(errs, errors.New("storage must be the id of a storage extension, got none"))
	}
	if err := validateMetricsEndpoint(c.MetricsEndpoint); err != nil {
		errs = append(errs, err)
	}
	if c.RequestTimeout <= 0 {
		errs = append(errs, fmt.Errorf("request_timeout must be positive, got %s", c.RequestTimeout))
	}
	// A response that is due when the connection's deadline passes cannot be
	// sent: the client would see a closed connection in place of the 408.
	if w := c.HTTP.WriteTimeout; w > 0 && w <= c.RequestTimeout {
		errs = append(errs, fmt.Errorf("http::write_timeout must be longer than request_timeout (%s) or 0 for none, got %s", c.RequestTimeout, w))
	}
	if c.MaxConcurrentRequests < 1 {
		errs = append(errs, fmt.Errorf("max_concurrent_requests must be at least 1, got %d", c.MaxConcurrentRequests))
	}
	if c.MaxStreams < 1 {
		errs = append(errs, fmt.Errorf("max_streams must be at least 1, got %d", c.MaxStreams))
	}
	if c.MaxResponseBytes < minResponseBytes {
		errs = append(errs, fmt.Errorf("max_response_bytes must be at least %d, got %d", minResponseBytes, c.MaxResponseBytes))
	}
	return errors.Join(errs...)
}

func validateMetricsEndpoint(endpoint string) error {
	if endpoint == "" {
		return nil
	}
	u, err := url.Parse(endpoint)
	if err != nil {
		// The parser's error quotes the URL, which could hold a password.
		return errors.New("metrics_endpoint must be an http or https URL or empty, got something that is no URL")
	}
	if u.User != nil {
		return errors.New("metrics_endpoint must not hold a user name or password")
	}
	if (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		return fmt.Errorf("metrics_endpoint must be an http or https URL or empty, got %q", endpoint)
	}
	return nil
}
