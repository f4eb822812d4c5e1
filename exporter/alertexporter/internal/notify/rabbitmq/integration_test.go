//go:build unix

package rabbitmq

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"

	"github.com/llm-devops/llm-sentinel/exporter/alertexporter/internal/brokertest"
	"github.com/llm-devops/llm-sentinel/exporter/alertexporter/internal/notify"
	"github.com/llm-devops/llm-sentinel/internal/anomaly"
)

var sharedBroker = sync.OnceValues(func() (*brokertest.Broker, error) {
	b, err := brokertest.New()
	if err != nil {
		return nil, err
	}
	afterAll = append(afterAll, func() { _ = b.Close() })
	return b, b.Start(context.Background())
})

// broker gives the broker that the tests of this package share.
func broker(t *testing.T) *brokertest.Broker {
	t.Helper()
	if testing.Short() {
		t.Skip("SKIPPED: starts a real broker, not done with -short")
	}
	b, err := sharedBroker()
	if errors.Is(err, brokertest.ErrNotInstalled) {
		t.Skip("SKIPPED: install rabbitmq-server to run the tests against a real broker")
	}
	require.NoError(t, err)
	return b
}

// admin is a second connection with which a test looks at the broker.
func admin(t *testing.T, b *brokertest.Broker) *amqp.Channel {
	t.Helper()
	conn, err := amqp.Dial(b.Endpoint())
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	ch, err := conn.Channel()
	require.NoError(t, err)
	return ch
}

// bind declares exchange and a durable queue of the same name, bound by key.
func bind(t *testing.T, ch *amqp.Channel, exchange, queue, key string) {
	t.Helper()
	require.NoError(t, ch.ExchangeDeclare(exchange, "topic", true, false, false, false, nil))
	_, err := ch.QueueDeclare(queue, true, false, false, false, nil)
	require.NoError(t, err)
	require.NoError(t, ch.QueueBind(queue, key, exchange, false, nil))
}

// get takes one message; the broker confirms only after routing, so there is
// nothing to wait for.
func get(t *testing.T, ch *amqp.Channel, queue string) (amqp.Delivery, bool) {
	t.Helper()
	d, ok, err := ch.Get(queue, true)
	require.NoError(t, err)
	return d, ok
}

func TestBrokerRoutesBySeverity(t *testing.T) {
	b := broker(t)
	ch := admin(t, b)
	bind(t, ch, "t.routing", "t.routing.all", "alert.*")
	bind(t, ch, "t.routing", "t.routing.critical", "alert.critical")
	target, _ := begin(t, b.Endpoint(), func(c *Config) { c.Exchange = "t.routing" })
	ready(t, target)

	for i, s := range anomaly.Severities() {
		n := notification(i, s)
		n.Suppressed = 3
		require.NoError(t, target.Notify(t.Context(), n))
		d, ok := get(t, ch, "t.routing.all")
		require.True(t, ok)
		assert.Equal(t, "alert."+s.String(), d.RoutingKey)
		assert.Equal(t, n.Anomaly.ID.String(), d.MessageId)
		assert.Equal(t, "anomaly.detected", d.Type)
		assert.Equal(t, "application/json", d.ContentType)
		assert.Equal(t, amqp.Persistent, d.DeliveryMode)
		assert.Equal(t, "llm-sentinel", d.AppId)
		assert.WithinDuration(t, time.Now(), d.Timestamp, time.Minute)
		assert.Equal(t, amqp.Table{
			"severity": s.String(), "service": "chat.api", "model": "gpt-4", "type": "latency_spike", "suppressed": int64(3),
			"traceparent": "00-0123456789abcdef0123456789abcdef-0123456789abcdef-01",
		}, d.Headers)
		var a anomaly.Anomaly
		require.NoError(t, json.Unmarshal(d.Body, &a))
		assert.Equal(t, "3", a.Context.Additional[notify.SuppressedKey])
		a.Context.Additional = nil
		assert.Equal(t, n.Anomaly, a)
	}
	_, ok := get(t, ch, "t.routing.critical")
	assert.True(t, ok)
	_, ok = get(t, ch, "t.routing.critical")
	assert.False(t, ok, "only one alert was critical")
}

func TestBrokerReturnsUnroutableMessages(t *testing.T) {
	b := broker(t)
	ch := admin(t, b)
	require.NoError(t, ch.ExchangeDeclare("t.unroutable", "topic", true, false, false, false, nil))
	for _, tc := range []struct {
		onReturn  OnReturn
		grace     time.Duration
		permanent bool
	}{{OnReturnDrop, 0, true}, {OnReturnDrop, time.Hour, false}, {OnReturnRetry, 0, false}} {
		target, _ := begin(t, b.Endpoint(), func(c *Config) {
			c.Exchange, c.OnReturn, c.ReturnGrace = "t.unroutable", tc.onReturn, tc.grace
		})
		ready(t, target)
		for i := range 5 {
			got := notify.Classify(target.Notify(t.Context(), notification(i, anomaly.SeverityHigh)))
			assert.Equal(t, notify.ReasonUnroutable, got.Reason)
			assert.Equal(t, tc.permanent, got.Permanent)
			assert.ErrorContains(t, got, `exchange "t.unroutable" for routing key "alert.high"`)
		}
	}
	// Concurrent messages of which only some can be routed.
	bind(t, ch, "t.unroutable", "t.unroutable.q", "alert.critical")
	target, _ := begin(t, b.Endpoint(), func(c *Config) { c.Exchange = "t.unroutable" })
	ready(t, target)
	var wg sync.WaitGroup
	for i := range 200 {
		wg.Go(func() {
			s := anomaly.SeverityHigh
			if i%2 == 0 {
				s = anomaly.SeverityCritical
			}
			err := target.Notify(t.Context(), notification(i, s))
			assert.Equal(t, i%2 == 0, err == nil, "%d: %v", i, err)
		})
	}
	wg.Wait()
	q, err := ch.QueueDeclarePassive("t.unroutable.q", true, false, false, false, nil)
	require.NoError(t, err)
	assert.Equal(t, 100, q.Messages)
}

func TestMandatoryOffAcceptsUnroutableMessages(t *testing.T) {
	b := broker(t)
	require.NoError(t, admin(t, b).ExchangeDeclare("t.optional", "topic", true, false, false, false, nil))
	target, _ := begin(t, b.Endpoint(), func(c *Config) { c.Exchange = "t.optional"; c.Mandatory = false })
	ready(t, target)
	require.NoError(t, target.Notify(t.Context(), notification(1, anomaly.SeverityHigh)))
}

func TestMissingExchangeIsReportedAndHeals(t *testing.T) {
	b := broker(t)
	ch := admin(t, b)
	for _, declare := range []Declare{DeclarePassive, DeclareNone} {
		name := "t.missing." + string(declare)
		target, st := begin(t, b.Endpoint(), func(c *Config) { c.Exchange = name; c.Declare = declare })
		require.Eventually(t, func() bool {
			got := notify.Classify(target.Notify(t.Context(), notification(1, anomaly.SeverityHigh)))
			ok, err := st.last()
			return ok && err != nil && !got.Permanent && notFound(err)
		}, 20*time.Second, 20*time.Millisecond, "the state does not name the missing exchange")
		bind(t, ch, name, name, "alert.*")
		require.Eventually(t, func() bool {
			return target.Notify(t.Context(), notification(2, anomaly.SeverityHigh)) == nil
		}, 20*time.Second, 20*time.Millisecond)
		_, ok := get(t, ch, name)
		assert.True(t, ok)
	}
}

func notFound(err error) bool {
	var e *amqp.Error
	return errors.As(err, &e) && e.Code == amqp.NotFound
}

func TestActiveDeclareCreatesTheExchange(t *testing.T) {
	b := broker(t)
	target, _ := begin(t, b.Endpoint(), func(c *Config) { c.Exchange = "t.active"; c.Declare = DeclareActive })
	ready(t, target)
	require.NoError(t, admin(t, b).ExchangeDeclarePassive("t.active", "topic", true, false, false, false, nil))
}

func TestWrongPasswordIsReportedWithoutThePassword(t *testing.T) {
	b := broker(t)
	target, st := begin(t, b.Endpoint(), func(c *Config) { c.Password = "hunter2" })
	require.Eventually(t, func() bool {
		ok, err := st.last()
		var e *amqp.Error
		return ok && errors.As(err, &e) && e.Code == amqp.AccessRefused
	}, 20*time.Second, 20*time.Millisecond)
	got := notify.Classify(target.Notify(t.Context(), notification(1, anomaly.SeverityHigh)))
	assert.Equal(t, notify.ReasonUnavailable, got.Reason)
	assert.False(t, got.Permanent, "the account may be repaired")
	assert.NotContains(t, got.Error(), "hunter2")
}

func TestTLSAndCertificateLogin(t *testing.T) {
	b := broker(t)
	ch := admin(t, b)
	bind(t, ch, "t.tls", "t.tls", "alert.*")
	secure := func(c *Config) { c.Exchange = "t.tls"; c.TLS.CAFile = b.CAFile() }
	for name, change := range map[string]func(*Config){
		"password": secure,
		"certificate": func(c *Config) {
			secure(c)
			c.Auth, c.Username, c.Password = AuthExternal, "", ""
			c.TLS.CertFile, c.TLS.KeyFile = b.ClientCert()
		},
	} {
		target, _ := begin(t, b.TLSEndpoint(), change)
		ready(t, target)
		require.NoError(t, target.Notify(t.Context(), notification(1, anomaly.SeverityHigh)), name)
		_, ok := get(t, ch, "t.tls")
		assert.True(t, ok, name)
	}
	_, st := begin(t, b.TLSEndpoint(), nil)
	require.Eventually(t, func() bool {
		ok, err := st.last()
		var unknown x509.UnknownAuthorityError
		return ok && errors.As(err, &unknown)
	}, 20*time.Second, 20*time.Millisecond, "a certificate of an unknown authority was accepted")
}

// A broker that crashes while messages are on their way must not lose one that
// was confirmed, and the target must come back with the same password.
func TestBrokerCrashLosesNothingConfirmed(t *testing.T) {
	b := broker(t)
	bind(t, admin(t, b), "t.crash", "t.crash", "alert.*")
	target, _ := begin(t, b.Endpoint(), func(c *Config) { c.Exchange = "t.crash" })
	ready(t, target)

	const total, workers = 2000, 8
	var mu sync.Mutex
	failed := 0
	half := make(chan struct{})
	var once sync.Once
	confirmed := map[string]bool{}
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for i := w; i < total; i += workers {
				n := notification(i, anomaly.SeverityHigh)
				for attempt := 0; ; attempt++ {
					err := target.Notify(t.Context(), n)
					if err == nil {
						break
					}
					if !assert.False(t, notify.Classify(err).Permanent, "%v", err) || !assert.NoError(t, t.Context().Err()) {
						return
					}
					mu.Lock()
					failed++
					mu.Unlock()
					// What the exporter's retry does between attempts.
					timer := time.NewTimer(20 * time.Millisecond)
					<-timer.C
				}
				mu.Lock()
				confirmed[n.ID()] = true
				if len(confirmed) == total/2 {
					once.Do(func() { close(half) })
				}
				mu.Unlock()
			}
		})
	}
	<-half
	require.NoError(t, b.Kill())
	require.NoError(t, b.Start(t.Context()))
	wg.Wait()

	assert.Positive(t, failed, "the crash hit nobody, the test shows nothing")
	ch := admin(t, b)
	seen := map[string]int{}
	for {
		d, ok := get(t, ch, "t.crash")
		if !ok {
			break
		}
		seen[d.MessageId]++
	}
	missing := 0
	for id := range confirmed {
		if seen[id] == 0 {
			missing++
		}
	}
	assert.Len(t, confirmed, total)
	assert.Zero(t, missing, "confirmed messages were lost")
	t.Logf("%d attempts failed, %d messages arrived more than once", failed, duplicates(seen))
}

func duplicates(seen map[string]int) (n int) {
	for _, c := range seen {
		n += c - 1
	}
	return n
}

func BenchmarkNotify(b *testing.B) {
	if testing.Short() {
		b.Skip("SKIPPED: starts a real broker, not done with -short")
	}
	br, err := sharedBroker()
	if errors.Is(err, brokertest.ErrNotInstalled) {
		b.Skip("SKIPPED: install rabbitmq-server to run the benchmark against a real broker")
	}
	require.NoError(b, err)
	cfg := NewDefaultConfig()
	cfg.Endpoint, cfg.Exchange, cfg.Declare, cfg.Mandatory = br.Endpoint(), "t.bench", DeclareActive, false
	target, err := New(&cfg, Settings{Telemetry: componenttest.NewNopTelemetrySettings(), Health: func(error, bool) {}})
	require.NoError(b, err)
	require.NoError(b, target.Start(b.Context(), componenttest.NewNopHost()))
	defer func() { _ = target.Shutdown(context.Background()) }()
	require.Eventually(b, func() bool { return target.current.Load() != nil }, 30*time.Second, 10*time.Millisecond)
	for _, workers := range []int{1, 16} {
		b.Run(fmt.Sprintf("consumers=%d", workers), func(b *testing.B) {
			var wg sync.WaitGroup
			for w := range workers {
				wg.Go(func() {
					for i := w; i < b.N; i += workers {
						if err := target.Notify(b.Context(), notification(i, anomaly.SeverityHigh)); err != nil {
							b.Error(err)
						}
					}
				})
			}
			wg.Wait()
		})
	}
}
