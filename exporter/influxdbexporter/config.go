package influxdbexporter

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/confighttp"
	"go.opentelemetry.io/collector/config/configoptional"
	"go.opentelemetry.io/collector/config/configretry"
	"go.opentelemetry.io/collector/exporter/exporterhelper"

	"github.com/llm-devops/llm-sentinel/internal/influx/line"
)

// API names a write protocol.
type API string

// The write protocols.
const (
	// APIAuto asks the server for its version before the first write.
	APIAuto API = "auto"
	// APIV1 is POST /write?db=…&rp=….
	APIV1 API = "v1"
	// APIV2 is POST /api/v2/write?bucket=…&org=….
	APIV2 API = "v2"
	// APIV3 is POST /api/v3/write_lp?db=….
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

// Schema says what is written.
type Schema string

// The schemas.
const (
	// SchemaSentinel writes LLM calls and anomalies with bounded tags.
	SchemaSentinel Schema = "sentinel"
	// SchemaOTel writes every span, log record and metric in the form that
	// InfluxData defines for OpenTelemetry.
	SchemaOTel Schema = "otel"
)

// UnmarshalText implements encoding.TextUnmarshaler.
func (s *Schema) UnmarshalText(text []byte) error {
	switch v := Schema(strings.ToLower(string(text))); v {
	case SchemaSentinel, SchemaOTel:
		*s = v
		return nil
	}
	return fmt.Errorf("schema must be sentinel or otel, got %q", text)
}

// Limits of the configuration.
const (
	minSeries       = 10
	maxSeries       = 10_000_000
	minPayloadBytes = 64 << 10
	maxPayloadBytes = 1 << 30
	maxPayloadLines = 1_000_000

	defaultTextBytes = 10_000
	// lineBytes is what a line may need beside prompt and response.
	lineBytes = 256 << 10
)

// Config is the configuration of the exporter.
type Config struct {
	// ClientConfig holds endpoint (default http://localhost:8086; a path is
	// kept as a prefix), timeout of one request (default 10s), compression
	// (gzip or none, default gzip at level 1), tls, proxy_url, headers, auth and
	// the other options of the collector's HTTP clients.
	ClientConfig confighttp.ClientConfig `mapstructure:",squash"`
	// API is the write protocol: auto, v1, v2 or v3. Default auto: the server is
	// asked before the first write.
	API API `mapstructure:"api"`
	// V1 holds what the 1.x write API needs.
	V1 V1Config `mapstructure:"v1"`
	// V2 holds what the 2.x write API needs.
	V2 V2Config `mapstructure:"v2"`
	// V3 holds what the 3.x write API needs.
	V3 V3Config `mapstructure:"v3"`
	// Schema is what is written: sentinel or otel. Default sentinel, but otel
	// when a key of contrib's exporter is used, see [Config.Unmarshal].
	Schema Schema `mapstructure:"schema"`
	// OTel holds the options of the schema otel, and further keys of contrib's
	// exporter.
	OTel OTelConfig `mapstructure:",squash"`
	// Measurements names the two measurements.
	Measurements MeasurementsConfig `mapstructure:"measurements"`
	// Tags lists what becomes a tag; everything else is a field.
	Tags TagsConfig `mapstructure:"tags"`
	// IncludeText also writes prompts and responses. They are often personal
	// data; have them redacted before. Default false.
	IncludeText bool `mapstructure:"include_text"`
	// MaxTextBytes is the longest prompt or response that is written, in bytes;
	// what is longer is cut. Between 1 and 60000. Default 10000.
	MaxTextBytes int `mapstructure:"max_text_bytes"`
	// MaxSeries is the number of distinct tag sets that are written within
	// SeriesIdleTimeout. Beyond it tag values become __overflow__. Default
	// 10000, between 10 and 10000000.
	MaxSeries int `mapstructure:"max_series"`
	// SeriesIdleTimeout is the time after which a tag set that was not written
	// gives its place back (up to twice as long). Default 24h, at least 1m.
	SeriesIdleTimeout time.Duration `mapstructure:"series_idle_timeout"`
	// PayloadMaxBytes is the size of one request before compression, in bytes.
	// Default 4194304 (4 MiB), at most 1073741824; at least 65536, or 1 with the
	// schema otel, where a request has at least one point.
	PayloadMaxBytes int `mapstructure:"payload_max_bytes"`
	// PayloadMaxLines is the number of points of one request. Default 5000,
	// between 1 and 1000000.
	PayloadMaxLines int `mapstructure:"payload_max_lines"`

	// QueueConfig is the collector's sending queue. Default: on, in memory, with
	// batches of 1000 spans or 200ms, because one request a span would cost the
	// server more than the span.
	QueueConfig configoptional.Optional[exporterhelper.QueueBatchConfig] `mapstructure:"sending_queue"`
	// RetryConfig says how failed requests are repeated. Default: on, for 5m.
	RetryConfig configretry.BackOffConfig `mapstructure:"retry_on_failure"`

	// exactEndpoint: endpoint is the whole URL of writes, see [Config.Unmarshal].
	exactEndpoint bool

	_ struct{}
}

// MeasurementsConfig names the measurements.
type MeasurementsConfig struct {
	// Telemetry is the measurement of LLM events. Default telemetry.
	Telemetry string `mapstructure:"telemetry"`
	// Anomaly is the measurement of anomalies. Default anomaly.
	Anomaly string `mapstructure:"anomaly"`

	_ struct{}
}

// TagsConfig lists the tags. Only names of bounded things are allowed: ids are
// always fields, because each value of a tag is a series of its own.
type TagsConfig struct {
	// Telemetry: any of service, model, provider, operation, environment,
	// region, request_model, finish_reason. Default the first five.
	Telemetry []string `mapstructure:"telemetry"`
	// Anomaly: any of service, model, severity, type, method, metric, region.
	// Default the first five.
	Anomaly []string `mapstructure:"anomaly"`

	_ struct{}
}

func createDefaultConfig() component.Config {
	client := confighttp.NewDefaultClientConfig()
	client.Endpoint = "http://localhost:8086"
	client.Timeout = 10 * time.Second
	client.Compression = "gzip"
	// Level 1 takes a sixth of the time of the usual 6 and a tenth more bytes.
	client.CompressionParams.Level = 1
	queue := exporterhelper.NewDefaultQueueConfig()
	queue.Batch = configoptional.Some(exporterhelper.BatchConfig{
		FlushTimeout: 200 * time.Millisecond, Sizer: exporterhelper.RequestSizerTypeItems, MinSize: 1000,
	})
	return &Config{
		ClientConfig: client,
		API:          APIAuto,
		V1:           V1Config{Database: "telemetry"},
		V2:           V2Config{Bucket: "telemetry", AnomalyBucket: "anomalies"},
		V3:           V3Config{Database: "telemetry", AnomalyDatabase: "anomalies", AcceptPartial: true},
		Schema:       SchemaSentinel,
		OTel:         defaultOTelConfig(),
		Measurements: MeasurementsConfig{Telemetry: "telemetry", Anomaly: "anomaly"},
		Tags: TagsConfig{
			Telemetry: []string{"service", "model", "provider", "operation", "environment"},
			Anomaly:   []string{"service", "model", "severity", "type", "method"},
		},
		MaxTextBytes:      defaultTextBytes,
		MaxSeries:         10_000,
		SeriesIdleTimeout: 24 * time.Hour,
		PayloadMaxBytes:   4 << 20,
		PayloadMaxLines:   5000,
		QueueConfig:       configoptional.Some(queue),
		RetryConfig:       configretry.NewDefaultBackOffConfig(),
	}
}

// Validate checks what its own struct says; nested structs check themselves.
func (c *Config) Validate() error {
	var errs []error
	if err := validEndpoint(c.ClientConfig.Endpoint, c.exactEndpoint); err != nil {
		errs = append(errs, err)
	}
	if c.ClientConfig.Timeout < 0 {
		errs = append(errs, fmt.Errorf("timeout must not be negative, got %s", c.ClientConfig.Timeout))
	}
	switch c.ClientConfig.Compression {
	case "gzip", "none", "":
	default:
		errs = append(errs, fmt.Errorf("compression must be gzip or none, got %q: InfluxDB reads no other", c.ClientConfig.Compression))
	}
	if c.ClientConfig.Auth.HasValue() && (c.V1.Username != "" || c.V2.Token != "" || c.V3.Token != "") {
		errs = append(errs, errors.New("auth must not be set together with v1.username, v2.token or v3.token: both would set the Authorization header"))
	}
	if c.MaxSeries < minSeries || c.MaxSeries > maxSeries {
		errs = append(errs, fmt.Errorf("max_series must be between %d and %d, got %d", minSeries, maxSeries, c.MaxSeries))
	}
	if c.SeriesIdleTimeout < time.Minute {
		errs = append(errs, fmt.Errorf("series_idle_timeout must be at least 1m, got %s", c.SeriesIdleTimeout))
	}
	least := minPayloadBytes
	if c.Schema == SchemaOTel {
		least = 1
	}
	if c.PayloadMaxBytes < least || c.PayloadMaxBytes > maxPayloadBytes {
		errs = append(errs, fmt.Errorf("payload_max_bytes must be between %d and %d, got %d", least, maxPayloadBytes, c.PayloadMaxBytes))
	}
	if c.Schema == SchemaSentinel && c.OTel.Precision != PrecisionNano {
		errs = append(errs, fmt.Errorf("precision must be ns with schema sentinel, whose points need nanoseconds, got %s", c.OTel.Precision))
	}
	if c.PayloadMaxLines < 1 || c.PayloadMaxLines > maxPayloadLines {
		errs = append(errs, fmt.Errorf("payload_max_lines must be between 1 and %d, got %d", maxPayloadLines, c.PayloadMaxLines))
	}
	if c.MaxTextBytes < 1 || c.MaxTextBytes > line.MaxTextBytes {
		errs = append(errs, fmt.Errorf("max_text_bytes must be between 1 and %d, got %d", line.MaxTextBytes, c.MaxTextBytes))
	} else if need := 4*c.MaxTextBytes + lineBytes; c.IncludeText && c.PayloadMaxBytes < need {
		errs = append(errs, fmt.Errorf("payload_max_bytes must be at least %d with include_text and max_text_bytes %d, got %d", need, c.MaxTextBytes, c.PayloadMaxBytes))
	}
	return errors.Join(errs...)
}

// lines says how items become lines.
func (c *Config) lines() line.Options {
	return line.Options{
		Telemetry: c.Measurements.Telemetry, Anomaly: c.Measurements.Anomaly,
		TelemetryTags: c.Tags.Telemetry, AnomalyTags: c.Tags.Anomaly,
		MaxSeries: c.MaxSeries, SeriesIdleTimeout: c.SeriesIdleTimeout,
		IncludeText: c.IncludeText, MaxTextBytes: c.MaxTextBytes,
	}
}

// validEndpoint checks the address. An exact one is the whole URL of writes.
func validEndpoint(endpoint string, exact bool) error {
	u, err := url.Parse(endpoint)
	switch {
	case err != nil:
		// The text of err repeats the endpoint, which may hold a password.
		return errors.New("endpoint must be a URL such as http://localhost:8086, got one that cannot be parsed")
	case u.User != nil:
		return errors.New("endpoint must not hold credentials: use v1.username and v1.password, v2.token, v3.token or auth")
	case u.Scheme != "http" && u.Scheme != "https":
		return fmt.Errorf("endpoint must begin with http:// or https://, got %q", endpoint)
	case u.Host == "":
		return fmt.Errorf("endpoint must name a host, got %q", endpoint)
	case u.RawQuery != "" && !exact || u.Fragment != "":
		return fmt.Errorf("endpoint must have no query and no fragment, got %q", endpoint)
	}
	return nil
}

// Validate implements confmap.Validator.
func (c *MeasurementsConfig) Validate() error {
	var errs []error
	for _, m := range []struct{ key, name string }{{"telemetry", c.Telemetry}, {"anomaly", c.Anomaly}} {
		if line.CleanTag(m.name) != m.name || m.name == "" {
			errs = append(errs, fmt.Errorf("%s must be a name without control characters and without a backslash at its end, got %q", m.key, m.name))
		}
	}
	if c.Telemetry == c.Anomaly {
		errs = append(errs, fmt.Errorf("telemetry and anomaly must differ, got %q twice: fields of the two have different meanings", c.Anomaly))
	}
	return errors.Join(errs...)
}

// Validate implements confmap.Validator.
func (c *TagsConfig) Validate() error {
	return errors.Join(validTags("telemetry", c.Telemetry, line.EventDimensions()), validTags("anomaly", c.Anomaly, line.AnomalyDimensions()))
}

func validTags(key string, names, allowed []string) error {
	var errs []error
	for i, n := range names {
		if !slices.Contains(allowed, n) {
			errs = append(errs, fmt.Errorf("%s must list any of %s, got %q (ids and measured values are always fields)", key, strings.Join(allowed, ", "), n))
		}
		if slices.Contains(names[:i], n) {
			errs = append(errs, fmt.Errorf("%s must list each tag once, got %q twice", key, n))
		}
	}
	return errors.Join(errs...)
}
