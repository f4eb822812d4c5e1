// Package rabbitmq delivers notifications as persistent, confirmed messages to
// a RabbitMQ exchange.
package rabbitmq

import (
	"errors"
	"fmt"
	"net/url"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"go.opentelemetry.io/collector/config/configopaque"
	"go.opentelemetry.io/collector/config/configtls"
)

// Auth is how the client proves who it is.
type Auth string

// The ways to authenticate.
const (
	AuthPlain    Auth = "plain"
	AuthExternal Auth = "external"
)

// UnmarshalText implements encoding.TextUnmarshaler.
func (a *Auth) UnmarshalText(text []byte) error {
	return oneOf(a, "auth", text, AuthPlain, AuthExternal)
}

// Declare is what happens to the exchange when a channel opens.
type Declare string

const (
	// DeclareNone neither creates nor checks the exchange.
	DeclareNone Declare = "none"
	// DeclarePassive checks that the exchange exists.
	DeclarePassive Declare = "passive"
	// DeclareActive creates the exchange, durable, when it does not exist.
	DeclareActive Declare = "active"
)

// UnmarshalText implements encoding.TextUnmarshaler.
func (d *Declare) UnmarshalText(text []byte) error {
	return oneOf(d, "declare", text, DeclareNone, DeclarePassive, DeclareActive)
}

// ExchangeType is the kind of an exchange that is declared.
type ExchangeType string

// The kinds of exchanges of the broker.
const (
	ExchangeTopic   ExchangeType = "topic"
	ExchangeDirect  ExchangeType = "direct"
	ExchangeFanout  ExchangeType = "fanout"
	ExchangeHeaders ExchangeType = "headers"
)

// UnmarshalText implements encoding.TextUnmarshaler.
func (e *ExchangeType) UnmarshalText(text []byte) error {
	return oneOf(e, "exchange_type", text, ExchangeTopic, ExchangeDirect, ExchangeFanout, ExchangeHeaders)
}

// OnReturn is what happens to a message for which the broker has no queue.
type OnReturn string

const (
	// OnReturnDrop gives the message up.
	OnReturnDrop OnReturn = "drop"
	// OnReturnRetry sends it again until the retry limits are reached.
	OnReturnRetry OnReturn = "retry"
)

// UnmarshalText implements encoding.TextUnmarshaler.
func (o *OnReturn) UnmarshalText(text []byte) error {
	return oneOf(o, "on_return", text, OnReturnDrop, OnReturnRetry)
}

func oneOf[T ~string](out *T, field string, text []byte, allowed ...T) error {
	for _, a := range allowed {
		if T(text) == a {
			*out = a
			return nil
		}
	}
	return fmt.Errorf("%s must be one of %v, got %q", field, allowed, text)
}

// ReconnectConfig is the pause between attempts to connect.
type ReconnectConfig struct {
	// InitialInterval is the first pause; it doubles with each failure, with
	// jitter. Default 1s.
	InitialInterval time.Duration `mapstructure:"initial_interval"`
	// MaxInterval bounds the pause. Attempts never end. Default 30s.
	MaxInterval time.Duration `mapstructure:"max_interval"`

	_ struct{}
}

// Config of the RabbitMQ target.
type Config struct {
	// Endpoint is amqp://host:port/vhost or amqps://host:port/vhost, without
	// credentials. Required. The default vhost is "/".
	Endpoint string `mapstructure:"endpoint"`
	// Username for auth: plain. Default guest, which brokers accept from
	// localhost only.
	Username string `mapstructure:"username"`
	// Password for auth: plain. Default guest.
	Password configopaque.String `mapstructure:"password"`
	// Auth is plain (user name and password) or external (the TLS client
	// certificate). Default plain.
	Auth Auth `mapstructure:"auth"`
	// TLS of amqps:// endpoints.
	TLS configtls.ClientConfig `mapstructure:"tls"`

	// Exchange to publish to. Default sentinel.alerts.
	Exchange string `mapstructure:"exchange"`
	// ExchangeType is topic, direct, fanout or headers; used by declare: active
	// and passive. Default topic.
	ExchangeType ExchangeType `mapstructure:"exchange_type"`
	// RoutingKey of each message. {severity}, {type}, {service} and {model} are
	// replaced; in service, model and custom types each character other than
	// letters, digits, '_' and '-' becomes '_'. Default alert.{severity}.
	RoutingKey string `mapstructure:"routing_key"`
	// Declare is none, passive (check that the exchange exists) or active
	// (create it, durable). Default passive.
	Declare Declare `mapstructure:"declare"`

	// Mandatory makes the broker return messages that reach no queue. Default
	// true; false means that such messages vanish and count as delivered.
	Mandatory bool `mapstructure:"mandatory"`
	// OnReturn is drop or retry, for returned messages. Default drop.
	OnReturn OnReturn `mapstructure:"on_return"`
	// ReturnGrace is how long after connecting a returned message is retried
	// whatever OnReturn says: a broker that restarts takes connections before it
	// has recovered each queue. Default 30s, 0 for none.
	ReturnGrace time.Duration `mapstructure:"return_grace"`
	// ConfirmTimeout is how long to wait for the broker's confirmation; then the
	// connection is given up and the message retried. Default 5s.
	ConfirmTimeout time.Duration `mapstructure:"confirm_timeout"`

	// ConnectTimeout bounds the TCP, TLS and AMQP handshakes together. Default 10s.
	ConnectTimeout time.Duration `mapstructure:"connect_timeout"`
	// WriteTimeout bounds each write to the socket. Default 10s.
	WriteTimeout time.Duration `mapstructure:"write_timeout"`
	// Heartbeat interval, at least 1s. Default 10s.
	Heartbeat time.Duration `mapstructure:"heartbeat"`
	// ConnectionName is shown in the broker's management page. Default
	// sentinel-alert.
	ConnectionName string `mapstructure:"connection_name"`
	// Reconnect is the pause between attempts to connect.
	Reconnect ReconnectConfig `mapstructure:"reconnect"`

	_ struct{}
}

// NewDefaultConfig returns the defaults. The endpoint must be set.
func NewDefaultConfig() Config {
	return Config{
		Username:       "guest",
		Password:       "guest",
		Auth:           AuthPlain,
		TLS:            configtls.NewDefaultClientConfig(),
		Exchange:       "sentinel.alerts",
		ExchangeType:   ExchangeTopic,
		RoutingKey:     "alert.{severity}",
		Declare:        DeclarePassive,
		Mandatory:      true,
		OnReturn:       OnReturnDrop,
		ReturnGrace:    30 * time.Second,
		ConfirmTimeout: 5 * time.Second,
		ConnectTimeout: 10 * time.Second,
		WriteTimeout:   10 * time.Second,
		Heartbeat:      10 * time.Second,
		ConnectionName: "sentinel-alert",
		Reconnect:      ReconnectConfig{InitialInterval: time.Second, MaxInterval: 30 * time.Second},
	}
}

// maxShortString is the limit of AMQP for names and routing keys, in bytes.
const maxShortString = 255

// Validate checks the fields of the target.
func (c *Config) Validate() error {
	var errs []error
	uri, err := parseEndpoint(c.Endpoint)
	if err != nil {
		errs = append(errs, err)
	}
	switch c.Auth {
	case AuthPlain:
		if c.Username == "" {
			errs = append(errs, errors.New("username must not be empty with auth: plain"))
		}
	case AuthExternal:
		if err == nil && uri.Scheme != "amqps" {
			errs = append(errs, fmt.Errorf("endpoint must begin with amqps:// with auth: external, got scheme %q", uri.Scheme))
		}
		if c.TLS.CertFile == "" && c.TLS.CertPem == "" {
			errs = append(errs, errors.New("tls::cert_file or tls::cert_pem must be set with auth: external"))
		}
	}
	if c.Exchange == "" || len(c.Exchange) > maxShortString {
		errs = append(errs, fmt.Errorf("exchange must have 1 to %d bytes, got %d", maxShortString, len(c.Exchange)))
	}
	if _, err := parseTemplate(c.RoutingKey); err != nil {
		errs = append(errs, err)
	}
	for _, d := range []struct {
		name string
		v    time.Duration
		min  time.Duration
	}{
		{"return_grace", c.ReturnGrace, 0},
		{"confirm_timeout", c.ConfirmTimeout, time.Millisecond},
		{"connect_timeout", c.ConnectTimeout, time.Millisecond},
		{"write_timeout", c.WriteTimeout, time.Millisecond},
		{"heartbeat", c.Heartbeat, time.Second},
		{"reconnect::initial_interval", c.Reconnect.InitialInterval, time.Millisecond},
		{"reconnect::max_interval", c.Reconnect.MaxInterval, c.Reconnect.InitialInterval},
	} {
		if d.v < d.min {
			errs = append(errs, fmt.Errorf("%s must be at least %v, got %v", d.name, d.min, d.v))
		}
	}
	return errors.Join(errs...)
}

// parseEndpoint checks the endpoint; no error quotes it, since users put
// credentials there by mistake.
func parseEndpoint(endpoint string) (amqp.URI, error) {
	if endpoint == "" {
		return amqp.URI{}, errors.New("endpoint must be set, for example amqps://host:5671/vhost")
	}
	u, err := url.Parse(endpoint)
	if err != nil {
		return amqp.URI{}, errors.New("endpoint must be a valid amqp:// or amqps:// URL (not shown, it may hold a password)")
	}
	switch {
	case u.Scheme != "amqp" && u.Scheme != "amqps":
		return amqp.URI{}, fmt.Errorf("endpoint must begin with amqp:// or amqps://, got scheme %q", u.Scheme)
	case u.User != nil:
		return amqp.URI{}, errors.New("endpoint must not hold credentials, use username and password")
	case u.RawQuery != "":
		return amqp.URI{}, errors.New("endpoint must not have query parameters, use the fields of this section")
	}
	uri, err := amqp.ParseURI(endpoint)
	if err != nil {
		return amqp.URI{}, errors.New("endpoint must be a valid amqp:// or amqps:// URL (not shown, it may hold a password)")
	}
	return uri, nil
}
