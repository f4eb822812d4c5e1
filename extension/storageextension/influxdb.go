package storageextension

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/confighttp"
	"go.opentelemetry.io/collector/config/configopaque"

	"github.com/llm-devops/llm-sentinel/internal/store"
	"github.com/llm-devops/llm-sentinel/internal/store/influx"
)

// InfluxDBConfig configures the influxdb backend. What says where data is has
// the names and defaults of the influxdb exporter, which writes it.
type InfluxDBConfig struct {
	// ClientConfig holds endpoint (default http://localhost:8086; a path is kept
	// as a prefix), timeout of one request (default 30s), tls, proxy_url,
	// headers, auth and the other options of the collector's HTTP clients.
	ClientConfig confighttp.ClientConfig `mapstructure:",squash"`
	// API is how to ask: auto, v1 or v2 (InfluxQL over /query), or v3 (SQL over
	// /api/v3/query_sql). Default auto: the server is asked for its version
	// before the first question.
	API influx.API `mapstructure:"api"`
	// V1 says where data is on a 1.x server.
	V1 InfluxDBV1Config `mapstructure:"v1"`
	// V2 says where data is on a 2.x server.
	V2 InfluxDBV2Config `mapstructure:"v2"`
	// V3 says where data is on a 3.x server.
	V3 InfluxDBV3Config `mapstructure:"v3"`
	// Measurements names the measurements.
	Measurements InfluxDBMeasurements `mapstructure:"measurements"`
	// MaxScanRange is the widest time range in which a trace, an event id, a
	// session or a user is looked for; a question without a start looks so far
	// back. Default: 720h; 0: no bound.
	MaxScanRange time.Duration `mapstructure:"max_scan_range"`
	// MaxResponseBytes bounds one answer of the server, in bytes or with a unit.
	// Default: 64MiB, between 1MiB and 1GiB.
	MaxResponseBytes ByteSize `mapstructure:"max_response_bytes"`
	// MaxAggregateEvents bounds the events that one question for figures reads.
	// Default: 2000000, between 1 and 100000000.
	MaxAggregateEvents int64 `mapstructure:"max_aggregate_events"`

	_ struct{}
}

// InfluxDBV1Config says where data is on a 1.x server.
type InfluxDBV1Config struct {
	// Database of both measurements. Default: telemetry.
	Database string `mapstructure:"database"`
	// RetentionPolicy to read. Default: empty, the default one of the database.
	RetentionPolicy string `mapstructure:"retention_policy"`
	// Username and Password are sent as basic authentication. Default: none.
	Username string              `mapstructure:"username"`
	Password configopaque.String `mapstructure:"password"`

	_ struct{}
}

// InfluxDBV2Config says where data is on a 2.x server, which is asked through
// its 1.x API: a bucket must be mapped to the database of its name, as 2.x does
// it by itself.
type InfluxDBV2Config struct {
	// Bucket of the events, or database/policy as they are mapped. Default:
	// telemetry.
	Bucket string `mapstructure:"bucket"`
	// AnomalyBucket is the bucket of the anomalies. Default: anomalies.
	AnomalyBucket string `mapstructure:"anomaly_bucket"`
	// Token is sent as "Authorization: Token …". Default: none.
	Token configopaque.String `mapstructure:"token"`

	_ struct{}
}

// InfluxDBV3Config says where data is on a 3.x server.
type InfluxDBV3Config struct {
	// Database of the events. Default: telemetry.
	Database string `mapstructure:"database"`
	// AnomalyDatabase is the database of the anomalies. Default: anomalies.
	AnomalyDatabase string `mapstructure:"anomaly_database"`
	// Token is sent as "Authorization: Bearer …". Default: none.
	Token configopaque.String `mapstructure:"token"`

	_ struct{}
}

// InfluxDBMeasurements names the measurements.
type InfluxDBMeasurements struct {
	// Telemetry is the measurement of the events. Default: telemetry.
	Telemetry string `mapstructure:"telemetry"`
	// Anomaly is the measurement of the anomalies. Default: anomaly.
	Anomaly string `mapstructure:"anomaly"`

	_ struct{}
}

func defaultInfluxDB() InfluxDBConfig {
	client := confighttp.NewDefaultClientConfig()
	client.Endpoint = "http://localhost:8086"
	client.Timeout = 30 * time.Second
	return InfluxDBConfig{
		ClientConfig: client, API: influx.APIAuto,
		V1:                 InfluxDBV1Config{Database: "telemetry"},
		V2:                 InfluxDBV2Config{Bucket: "telemetry", AnomalyBucket: "anomalies"},
		V3:                 InfluxDBV3Config{Database: "telemetry", AnomalyDatabase: "anomalies"},
		Measurements:       InfluxDBMeasurements{Telemetry: "telemetry", Anomaly: "anomaly"},
		MaxScanRange:       influx.DefaultMaxScanRange,
		MaxResponseBytes:   influx.DefaultMaxResponseBytes,
		MaxAggregateEvents: influx.DefaultMaxAggregateEvents,
	}
}

// Validate reports what is wrong with the configuration of the backend.
func (c *InfluxDBConfig) Validate() error {
	s := c.settings()
	errs := []error{s.Validate()}
	if c.ClientConfig.Timeout <= 0 {
		errs = append(errs, fmt.Errorf("timeout must be positive, got %s", c.ClientConfig.Timeout))
	}
	switch c.ClientConfig.Compression {
	case "", "none":
	default:
		errs = append(errs, fmt.Errorf("compression must be none, got %q: questions are short, and answers are compressed as the server likes", c.ClientConfig.Compression))
	}
	if c.ClientConfig.Auth.HasValue() && (c.V1.Username != "" || c.V2.Token != "" || c.V3.Token != "") {
		errs = append(errs, errors.New("auth must not be set together with v1.username, v2.token or v3.token: both would set the Authorization header"))
	}
	return errors.Join(errs...)
}

func (c *InfluxDBConfig) settings() influx.Config {
	return influx.Config{
		Endpoint: c.ClientConfig.Endpoint, API: c.API,
		V1: influx.V1{
			Database: c.V1.Database, RetentionPolicy: c.V1.RetentionPolicy,
			Username: c.V1.Username, Password: string(c.V1.Password),
		},
		V2:        influx.V2{Bucket: c.V2.Bucket, AnomalyBucket: c.V2.AnomalyBucket, Token: string(c.V2.Token)},
		V3:        influx.V3{Database: c.V3.Database, AnomalyDatabase: c.V3.AnomalyDatabase, Token: string(c.V3.Token)},
		Telemetry: c.Measurements.Telemetry, Anomaly: c.Measurements.Anomaly,
		MaxScanRange: c.MaxScanRange, MaxResponseBytes: int64(c.MaxResponseBytes), MaxAggregateEvents: c.MaxAggregateEvents,
	}
}

// openInfluxDB makes no request: a server that is down must not keep the
// collector from starting.
func openInfluxDB(ctx context.Context, c *Config, env environment) (store.Backend, error) {
	cfg := c.InfluxDB.Get()
	client := cfg.ClientConfig // ToClient writes into it
	hc, err := client.ToClient(ctx, env.host.GetExtensions(), env.telemetry)
	if err != nil {
		return nil, err
	}
	// A redirected question would lose its credentials or its body.
	hc.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	settings := cfg.settings()
	settings.Client, settings.Logger = hc, env.logger
	return influx.New(settings)
}

// dependsOnInfluxDB names the extension that authenticates.
func dependsOnInfluxDB(c *Config) []component.ID {
	if cfg := c.InfluxDB.Get(); cfg.ClientConfig.Auth.HasValue() {
		return []component.ID{cfg.ClientConfig.Auth.Get().AuthenticatorID}
	}
	return nil
}
