package influxdbexporter

import (
	"errors"
	"strings"

	"go.opentelemetry.io/collector/config/configopaque"
)

// V1Config is where points go on servers with the 1.x API.
type V1Config struct {
	// Database of the telemetry. Default telemetry.
	Database string `mapstructure:"database"`
	// AnomalyDatabase is the database of the anomalies. Default: empty, which is
	// that of the telemetry.
	AnomalyDatabase string `mapstructure:"anomaly_database"`
	// RetentionPolicy is the policy to write to. Default: empty, which is the
	// default policy of the database.
	RetentionPolicy string `mapstructure:"retention_policy"`
	// Username and Password are sent as basic authentication. Default: none.
	Username string              `mapstructure:"username"`
	Password configopaque.String `mapstructure:"password"`
	// CreateDatabase creates missing databases before the first write. Default
	// false.
	CreateDatabase bool `mapstructure:"create_database"`

	_ struct{}
}

// V2Config is where points go on servers with the 2.x API.
type V2Config struct {
	// Org is the name of the organisation. Default: none is sent; InfluxDB 2.x
	// wants one, servers that know no organisations ignore it.
	Org string `mapstructure:"org"`
	// Bucket of the telemetry. Default telemetry.
	Bucket string `mapstructure:"bucket"`
	// AnomalyBucket is the bucket of the anomalies, which may be the same one.
	// Default anomalies.
	AnomalyBucket string `mapstructure:"anomaly_bucket"`
	// Token is sent as "Authorization: Token …". Default: none.
	Token configopaque.String `mapstructure:"token"`
	// CreateBucket creates missing buckets before the first write, without
	// expiry. The token must be allowed to read the organisation and to read and
	// write its buckets. Default false.
	CreateBucket bool `mapstructure:"create_bucket"`

	_ struct{}
}

// V3Config is where points go on servers with the 3.x API, which create a
// database with its first point.
type V3Config struct {
	// Database of the telemetry. Default telemetry.
	Database string `mapstructure:"database"`
	// AnomalyDatabase is the database of the anomalies, which may be the same
	// one. Default anomalies.
	AnomalyDatabase string `mapstructure:"anomaly_database"`
	// Token is sent as "Authorization: Bearer …". Default: v2.token.
	Token configopaque.String `mapstructure:"token"`
	// AcceptPartial lets the server keep the good points of a request that has
	// bad ones. Without it such a request is refused as a whole. Default true.
	AcceptPartial bool `mapstructure:"accept_partial"`
	// NoSync lets the server acknowledge points before they are durable. Default
	// false.
	NoSync bool `mapstructure:"no_sync"`

	_ struct{}
}

// Validate implements confmap.Validator.
func (c *V1Config) Validate() error {
	var errs []error
	if c.Database == "" {
		errs = append(errs, errors.New("database must not be empty"))
	}
	if strings.Contains(c.Username, ":") {
		errs = append(errs, errors.New("username must not contain a colon, which separates it from the password"))
	}
	if c.Password != "" && c.Username == "" {
		errs = append(errs, errors.New("username must be set when password is"))
	}
	return errors.Join(errs...)
}

// Validate implements confmap.Validator.
func (c *V2Config) Validate() error {
	var errs []error
	if c.Bucket == "" {
		errs = append(errs, errors.New("bucket must not be empty"))
	}
	if c.CreateBucket && c.Org == "" {
		errs = append(errs, errors.New("org must be set when create_bucket is"))
	}
	if c.AnomalyBucket == "" {
		errs = append(errs, errors.New("anomaly_bucket must not be empty; it may be the same as bucket"))
	}
	return errors.Join(errs...)
}

// Validate implements confmap.Validator.
func (c *V3Config) Validate() error {
	var errs []error
	if c.Database == "" {
		errs = append(errs, errors.New("database must not be empty"))
	}
	if c.AnomalyDatabase == "" {
		errs = append(errs, errors.New("anomaly_database must not be empty; it may be the same as database"))
	}
	return errors.Join(errs...)
}
