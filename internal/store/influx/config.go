package influx

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/llm-devops/llm-sentinel/internal/influx/line"
)

// API names the way to ask.
type API string

// The APIs.
const (
	// APIAuto asks the server for its version before the first question.
	APIAuto API = "auto"
	// APIV1 is InfluxQL over /query, with basic authentication.
	APIV1 API = "v1"
	// APIV2 is InfluxQL over /query, with a token; buckets are databases.
	APIV2 API = "v2"
	// APIV3 is SQL over /api/v3/query_sql.
	APIV3 API = "v3"
)

// UnmarshalText implements encoding.TextUnmarshaler.
func (a *API) UnmarshalText(text []byte) error {
	switch v := API(strings.ToLower(string(text))); v {
	case APIAuto, APIV1, APIV2, APIV3:
		*a = v
		return nil
	}
	return fmt.Errorf("api must be auto, v1, v2 or v3, got %q", text)
}

// Defaults and limits of the configuration.
const (
	DefaultMaxScanRange       = 30 * 24 * time.Hour
	DefaultMaxResponseBytes   = 64 << 20
	DefaultMaxAggregateEvents = 2_000_000

	minResponseBytes   = 1 << 20
	maxResponseBytes   = 1 << 30
	maxAggregateEvents = 100_000_000
)

// Config of a backend.
type Config struct {
	// Endpoint is the base URL, without credentials.
	Endpoint string
	// Client makes the requests. It bounds their time and sets what the
	// credentials below do not: TLS, proxy, authentication by an extension.
	Client *http.Client
	// API is how to ask.
	API API
	V1  V1
	V2  V2
	V3  V3
	// Telemetry and Anomaly name the measurements.
	Telemetry, Anomaly string
	// MaxScanRange is the widest time range in which a trace, an event id, a
	// session or a user is looked for: these are no tags, so the server reads
	// all points of the range. A question without a start looks so far back. 0:
	// no bound.
	MaxScanRange time.Duration
	// MaxResponseBytes bounds what is read of one answer of the server.
	MaxResponseBytes int64
	// MaxAggregateEvents bounds the events that one aggregation reads.
	MaxAggregateEvents int64
	// Logger may be nil.
	Logger *zap.Logger
}

// V1 is where data is on a 1.x server.
type V1 struct {
	Database, RetentionPolicy string
	Username, Password        string
}

// V2 is where data is on a 2.x server. A bucket may be written database/policy.
type V2 struct {
	Bucket, AnomalyBucket string
	Token                 string
}

// V3 is where data is on a 3.x server.
type V3 struct {
	Database, AnomalyDatabase string
	Token                     string
}

// Validate reports what is wrong, but for the client. The names of fields are
// those of the extension's configuration.
func (c *Config) Validate() error {
	errs := []error{validEndpoint(c.Endpoint)}
	for _, p := range []struct{ key, name string }{
		{"v1::database", c.V1.Database},
		{"v2::bucket", bucket(c.V2.Bucket).database},
		{"v2::anomaly_bucket", bucket(c.V2.AnomalyBucket).database},
		{"v3::database", c.V3.Database},
		{"v3::anomaly_database", c.V3.AnomalyDatabase},
	} {
		if p.name == "" {
			errs = append(errs, fmt.Errorf("%s must not be empty", p.key))
		}
	}
	if strings.Contains(c.V1.Username, ":") {
		errs = append(errs, errors.New("v1::username must not contain a colon, which separates it from the password"))
	}
	if c.V1.Password != "" && c.V1.Username == "" {
		errs = append(errs, errors.New("v1::username must be set when v1::password is"))
	}
	for _, m := range []struct{ key, name string }{{"telemetry", c.Telemetry}, {"anomaly", c.Anomaly}} {
		if m.name == "" || line.CleanTag(m.name) != m.name {
			errs = append(errs, fmt.Errorf("measurements::%s must be a name without control characters and without a backslash at its end, got %q", m.key, m.name))
		}
	}
	if c.Telemetry == c.Anomaly {
		errs = append(errs, fmt.Errorf("measurements::telemetry and measurements::anomaly must differ, got %q twice", c.Anomaly))
	}
	if c.MaxScanRange < 0 {
		errs = append(errs, fmt.Errorf("max_scan_range must be 0 (no bound) or positive, got %s", c.MaxScanRange))
	}
	if c.MaxResponseBytes < minResponseBytes || c.MaxResponseBytes > maxResponseBytes {
		errs = append(errs, fmt.Errorf("max_response_bytes must be between %d and %d, got %d", minResponseBytes, maxResponseBytes, c.MaxResponseBytes))
	}
	if c.MaxAggregateEvents < 1 || c.MaxAggregateEvents > maxAggregateEvents {
		errs = append(errs, fmt.Errorf("max_aggregate_events must be between 1 and %d, got %d", maxAggregateEvents, c.MaxAggregateEvents))
	}
	return errors.Join(errs...)
}

func validEndpoint(endpoint string) error {
	u, err := url.Parse(endpoint)
	switch {
	case err != nil:
		// The text of err repeats the endpoint, which may hold a password.
		return errors.New("endpoint must be a URL such as http://localhost:8086, got one that cannot be parsed")
	case u.User != nil:
		return errors.New("endpoint must not hold credentials: use v1::username and v1::password, v2::token, v3::token or auth")
	case u.Scheme != "http" && u.Scheme != "https":
		return fmt.Errorf("endpoint must begin with http:// or https://, got %q", endpoint)
	case u.Host == "":
		return fmt.Errorf("endpoint must name a host, got %q", endpoint)
	case u.RawQuery != "" || u.Fragment != "":
		return fmt.Errorf("endpoint must have no query and no fragment, got %q", endpoint)
	}
	return nil
}

// place is where the points of one kind are.
type place struct {
	database, policy, measurement string
}

// places returns where events and anomalies are for a known API.
func (c *Config) places(api API) (events, anomalies place) {
	switch api {
	case APIV3:
		events, anomalies = place{database: c.V3.Database}, place{database: c.V3.AnomalyDatabase}
	case APIV2:
		events, anomalies = bucket(c.V2.Bucket), bucket(c.V2.AnomalyBucket)
	default:
		events = place{database: c.V1.Database, policy: c.V1.RetentionPolicy}
		anomalies = events
	}
	events.measurement, anomalies.measurement = c.Telemetry, c.Anomaly
	return events, anomalies
}

// bucket takes a bucket for the database of its name, as 2.x maps it unless
// told otherwise, and database/policy for just that.
func bucket(name string) place {
	database, policy, _ := strings.Cut(name, "/")
	return place{database: database, policy: policy}
}
