package rabbitmq

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// link is one connection with one channel in confirm mode. Tests replace it.
type link interface {
	publish(key string, mandatory bool, msg amqp.Publishing) error
	// confirms yields the confirmations in the order of publishing. It is
	// closed when the link ends, for whatever reason.
	confirms() <-chan amqp.Confirmation
	// returns yields unroutable messages, each before its confirmation.
	returns() <-chan amqp.Return
	// blocked tells when the broker stops and resumes taking messages.
	blocked() <-chan amqp.Blocking
	// reason says why the link ended; valid once confirms is closed.
	reason() error
	close(deadline time.Time)
}

type dialFunc func(ctx context.Context) (link, error)

// window is the number of messages that may wait for confirmation. The
// channels that the library fills have room for all of them, because a full
// one would stop the library's reader.
const window = 64

// closeTimeout bounds the farewell of a connection.
const closeTimeout = 2 * time.Second

var errLinkEnded = errors.New("the connection ended without a reason from the broker")

// dialer connects to the broker of cfg.
func dialer(cfg *Config, tlsCfg *tls.Config) dialFunc {
	return func(ctx context.Context) (link, error) {
		// Closes the socket when ctx ends before the channel is open, because
		// the library's handshake and calls know no context.
		stop := func() bool { return true }
		defer func() { stop() }()

		// Credentials, properties and TLS settings are built anew for each
		// attempt: the library changes what it is given.
		conf := amqp.Config{
			Heartbeat:  cfg.Heartbeat,
			Locale:     "en_US",
			Properties: amqp.NewConnectionProperties(),
			SASL:       []amqp.Authentication{credentials(cfg)},
			Dial: func(network, addr string) (net.Conn, error) {
				d := net.Dialer{Timeout: cfg.ConnectTimeout}
				conn, err := d.DialContext(ctx, network, addr)
				if err != nil {
					return nil, err
				}
				stop = context.AfterFunc(ctx, func() { _ = conn.Close() })
				// Covers TLS and the handshake; the library clears it afterwards.
				if err := conn.SetDeadline(time.Now().Add(cfg.ConnectTimeout)); err != nil {
					_ = conn.Close()
					return nil, err
				}
				return &writeLimited{Conn: conn, timeout: cfg.WriteTimeout}, nil
			},
		}
		conf.Properties.SetClientConnectionName(cfg.ConnectionName)
		if tlsCfg != nil {
			conf.TLSClientConfig = tlsCfg.Clone()
		}
		conn, err := amqp.DialConfig(cfg.Endpoint, conf)
		if err != nil {
			return nil, fmt.Errorf("connect to the broker: %w", err)
		}
		l, err := openLink(cfg, conn)
		if err != nil {
			_ = conn.CloseDeadline(time.Now().Add(closeTimeout))
			return nil, err
		}
		return l, nil
	}
}

func credentials(cfg *Config) amqp.Authentication {
	if cfg.Auth == AuthExternal {
		return &amqp.ExternalAuth{}
	}
	return &amqp.PlainAuth{Username: cfg.Username, Password: string(cfg.Password)}
}

// writeLimited bounds each write, since the library's writes know no context.
type writeLimited struct {
	net.Conn
	timeout time.Duration
}

func (w *writeLimited) Write(b []byte) (int, error) {
	if err := w.SetWriteDeadline(time.Now().Add(w.timeout)); err != nil {
		return 0, err
	}
	return w.Conn.Write(b)
}

type amqpLink struct {
	exchange string
	conn     *amqp.Connection
	ch       *amqp.Channel
	acks     chan amqp.Confirmation
	back     chan amqp.Return
	block    chan amqp.Blocking
	chEnd    chan *amqp.Error
	connEnd  chan *amqp.Error
}

// openLink opens the channel and declares the exchange as configured.
func openLink(cfg *Config, conn *amqp.Connection) (*amqpLink, error) {
	ch, err := conn.Channel()
	if err != nil {
		return nil, fmt.Errorf("open a channel: %w", err)
	}
	if err := ch.Confirm(false); err != nil {
		return nil, fmt.Errorf("switch on publisher confirms: %w", err)
	}
	kind := string(cfg.ExchangeType)
	switch cfg.Declare {
	case DeclarePassive:
		err = ch.ExchangeDeclarePassive(cfg.Exchange, kind, true, false, false, false, nil)
	case DeclareActive:
		err = ch.ExchangeDeclare(cfg.Exchange, kind, true, false, false, false, nil)
	case DeclareNone:
	}
	if err != nil {
		return nil, fmt.Errorf("declare exchange %q (declare: %s): %w", cfg.Exchange, cfg.Declare, err)
	}
	return &amqpLink{
		exchange: cfg.Exchange, conn: conn, ch: ch,
		acks:    ch.NotifyPublish(make(chan amqp.Confirmation, window)),
		back:    ch.NotifyReturn(make(chan amqp.Return, window)),
		block:   conn.NotifyBlocked(make(chan amqp.Blocking, 8)),
		chEnd:   ch.NotifyClose(make(chan *amqp.Error, 1)),
		connEnd: conn.NotifyClose(make(chan *amqp.Error, 1)),
	}, nil
}

func (l *amqpLink) publish(key string, mandatory bool, msg amqp.Publishing) error {
	return l.ch.Publish(l.exchange, key, mandatory, false, msg)
}

func (l *amqpLink) confirms() <-chan amqp.Confirmation { return l.acks }
func (l *amqpLink) returns() <-chan amqp.Return        { return l.back }
func (l *amqpLink) blocked() <-chan amqp.Blocking      { return l.block }

func (l *amqpLink) reason() error {
	for _, end := range []chan *amqp.Error{l.chEnd, l.connEnd} {
		select {
		case e := <-end:
			if e != nil {
				return e
			}
		default:
		}
	}
	return errLinkEnded
}

func (l *amqpLink) close(deadline time.Time) { _ = l.conn.CloseDeadline(deadline) }
