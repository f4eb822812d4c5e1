package influxdbexporter

import (
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/influxdata/influxdb-observability/common"
	"github.com/influxdata/influxdb-observability/otel2influx"
	"go.opentelemetry.io/collector/config/configopaque"
	"go.opentelemetry.io/collector/confmap"
)

// Precision is the unit of the times that are sent.
type Precision string

// The precisions.
const (
	PrecisionNano   Precision = "ns"
	PrecisionMicro  Precision = "us"
	PrecisionMilli  Precision = "ms"
	PrecisionSecond Precision = "s"
)

// UnmarshalText implements encoding.TextUnmarshaler.
func (p *Precision) UnmarshalText(text []byte) error {
	switch v := Precision(text); v {
	case PrecisionNano, PrecisionMicro, PrecisionMilli, PrecisionSecond:
		*p = v
		return nil
	}
	return fmt.Errorf("precision must be ns, us, ms or s, got %q", text)
}

// OTelConfig holds the options of the schema otel, and those keys of contrib's
// exporter that say where to write.
type OTelConfig struct {
	// SpanDimensions are the attributes of resource, scope and span that become
	// tags, beside the ids of trace and span. Default service.name, span.name.
	SpanDimensions []string `mapstructure:"span_dimensions"`
	// LogRecordDimensions are the attributes of resource, scope and log record
	// that become tags, beside the ids of trace and span. Default service.name.
	LogRecordDimensions []string `mapstructure:"log_record_dimensions"`
	// MetricsSchema is telegraf-prometheus-v1 (a measurement for each metric),
	// telegraf-prometheus-v2 (a field for each metric) or otel-v1. Default
	// telegraf-prometheus-v1.
	MetricsSchema string `mapstructure:"metrics_schema"`
	// Precision of the times: ns, us, ms or s. Default ns.
	Precision Precision `mapstructure:"precision"`

	// Org, Bucket and Token are other names for those of v2.
	Org    string              `mapstructure:"org"`
	Bucket string              `mapstructure:"bucket"`
	Token  configopaque.String `mapstructure:"token"`
	// V1Compatibility is another form of v1.
	V1Compatibility V1CompatibilityConfig `mapstructure:"v1_compatibility"`

	_ struct{}
}

// V1CompatibilityConfig is contrib's form of [V1Config].
type V1CompatibilityConfig struct {
	// Enabled chooses the 1.x API. Default false.
	Enabled bool `mapstructure:"enabled"`
	// DB is the database. Must be set when enabled.
	DB string `mapstructure:"db"`
	// Username and Password are sent as basic authentication when both are set.
	Username string              `mapstructure:"username"`
	Password configopaque.String `mapstructure:"password"`

	_ struct{}
}

func defaultOTelConfig() OTelConfig {
	return OTelConfig{
		SpanDimensions:      otel2influx.DefaultOtelTracesToLineProtocolConfig().SpanDimensions,
		LogRecordDimensions: otel2influx.DefaultOtelLogsToLineProtocolConfig().LogRecordDimensions,
		MetricsSchema:       common.MetricsSchemaTelegrafPrometheusV1.String(),
		Precision:           PrecisionNano,
	}
}

// Validate implements confmap.Validator.
func (c *OTelConfig) Validate() error {
	var errs []error
	for _, d := range []struct {
		key   string
		names []string
	}{{"span_dimensions", c.SpanDimensions}, {"log_record_dimensions", c.LogRecordDimensions}} {
		for i, n := range d.names {
			if slices.Contains(d.names[:i], n) {
				errs = append(errs, fmt.Errorf("%s must list each attribute once, got %q twice", d.key, n))
			}
		}
	}
	if _, ok := common.MetricsSchemata[c.MetricsSchema]; !ok {
		errs = append(errs, fmt.Errorf("metrics_schema must be one of %s, got %q",
			strings.Join(slices.Sorted(maps.Keys(common.MetricsSchemata)), ", "), c.MetricsSchema))
	}
	if c.V1Compatibility.Enabled && c.V1Compatibility.DB == "" {
		errs = append(errs, errors.New("v1_compatibility::db must be set when v1_compatibility::enabled is"))
	}
	return errors.Join(errs...)
}

// foreignKeys are keys that only contrib's exporter has.
var foreignKeys = []string{
	"org", "bucket", "token", "v1_compatibility", "span_dimensions", "log_record_dimensions", "metrics_schema", "precision",
}

// Unmarshal implements confmap.Unmarshaler, so that a configuration which was
// written for contrib's exporter does here what it did there: with one of its
// keys, and unless the configuration says otherwise, the schema is otel, the API
// is v2 (v1 with v1_compatibility::enabled), and an endpoint with a path is the
// whole URL of writes.
func (c *Config) Unmarshal(conf *confmap.Conf) error {
	if err := conf.Unmarshal(c); err != nil {
		return err
	}
	if !slices.ContainsFunc(foreignKeys, conf.IsSet) {
		return nil
	}
	var errs []error
	adopt := func(theirs, ours string, assign func()) {
		switch {
		case !conf.IsSet(theirs):
		case conf.IsSet(ours):
			errs = append(errs, fmt.Errorf("%s and %s mean the same: set one of them", theirs, ours))
		default:
			assign()
		}
	}
	adopt("org", "v2::org", func() { c.V2.Org = c.OTel.Org })
	adopt("bucket", "v2::bucket", func() { c.V2.Bucket = c.OTel.Bucket })
	adopt("token", "v2::token", func() { c.V2.Token = c.OTel.Token })
	old := c.OTel.V1Compatibility
	if old.Enabled {
		adopt("v1_compatibility::db", "v1::database", func() { c.V1.Database = old.DB })
		if old.Username != "" && old.Password != "" {
			adopt("v1_compatibility::username", "v1::username", func() { c.V1.Username = old.Username })
			adopt("v1_compatibility::password", "v1::password", func() { c.V1.Password = old.Password })
		}
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	if !conf.IsSet("schema") {
		c.Schema = SchemaOTel
	}
	if !conf.IsSet("api") {
		c.API = APIV2
		if old.Enabled {
			c.API = APIV1
		}
		u, err := url.Parse(c.ClientConfig.Endpoint)
		c.exactEndpoint = err == nil && u.Path != "" && u.Path != "/"
	}
	return nil
}
