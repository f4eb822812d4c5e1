package rabbitmq

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.uber.org/zap"

	"github.com/llm-devops/llm-sentinel/exporter/alertexporter/internal/notify"
)

var errConnecting = errors.New("not connected yet")

// Settings are what the target needs from the component.
type Settings struct {
	Telemetry component.TelemetrySettings
	Health    notify.Health
}

// Target publishes notifications to one exchange.
type Target struct {
	cfg      *Config
	set      Settings
	template template

	// dial is set by Start unless a test set it before.
	dial   dialFunc
	cancel context.CancelFunc
	wg     sync.WaitGroup

	// current is nil while there is no usable session; lastErr says why.
	current atomic.Pointer[session]
	lastErr atomic.Pointer[error]
}

var _ notify.Target = (*Target)(nil)

// New builds a target from a valid configuration.
func New(cfg *Config, set Settings) (*Target, error) {
	tmpl, err := parseTemplate(cfg.RoutingKey)
	if err != nil {
		return nil, err
	}
	t := &Target{cfg: cfg, set: set, template: tmpl}
	t.lastErr.Store(&errConnecting)
	return t, nil
}

// Start loads the TLS material and begins to connect in the background.
func (t *Target) Start(ctx context.Context, _ component.Host) error {
	if t.dial == nil {
		tlsCfg, err := t.cfg.TLS.LoadTLSConfig(ctx)
		if err != nil {
			return fmt.Errorf("load tls of rabbitmq: %w", err)
		}
		t.dial = dialer(t.cfg, tlsCfg)
	}
	run, cancel := context.WithCancel(context.WithoutCancel(ctx))
	t.cancel = cancel
	t.wg.Go(func() { t.run(run) })
	return nil
}

// Shutdown ends the connection and waits for it, as long as ctx allows.
func (t *Target) Shutdown(ctx context.Context) error {
	if t.cancel == nil {
		return nil
	}
	t.cancel()
	done := make(chan struct{})
	go func() {
		t.wg.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait for the rabbitmq connection to end: %w", ctx.Err())
	}
}

// Notify publishes one message and waits for its confirmation. Without a
// connection it fails at once, so that the queue keeps the notification.
func (t *Target) Notify(ctx context.Context, n notify.Notification) error {
	s := t.current.Load()
	if s == nil {
		return notify.Retryable(notify.ReasonUnavailable, *t.lastErr.Load())
	}
	msg, err := publishing(n, time.Now())
	if err != nil {
		return notify.Permanent(notify.ReasonInvalid, err)
	}
	return s.do(ctx, &job{key: t.template.key(&n.Anomaly), msg: msg, result: make(chan error, 1)})
}

// run connects, serves and connects again until ctx ends.
func (t *Target) run(ctx context.Context) {
	pause := t.cfg.Reconnect.InitialInterval
	for {
		err := t.connectAndServe(ctx, func() { pause = t.cfg.Reconnect.InitialInterval })
		if ctx.Err() != nil {
			return
		}
		t.report(err)
		// Half of the pause is jitter, so that replicas do not come back in step.
		timer := time.NewTimer(pause/2 + rand.N(pause/2+1))
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
		pause = min(pause*2, t.cfg.Reconnect.MaxInterval)
	}
}

// connectAndServe runs one session; worked is called after one that got
// messages through, so that the next pause is short again.
func (t *Target) connectAndServe(ctx context.Context, worked func()) error {
	l, err := t.dial(ctx)
	if err != nil {
		return err
	}
	defer func() { l.close(time.Now().Add(closeTimeout)) }()
	t.set.Telemetry.Logger.Info("Connected to RabbitMQ.", zap.String("exchange", t.cfg.Exchange))
	t.lastErr.Store(&errConnecting)
	t.set.Health(nil, false)
	s := newSession(t.cfg, l, t.set.Health)
	t.current.Store(s)
	err = s.serve(ctx)
	t.current.Store(nil)
	if s.confirmed > 0 {
		worked()
	}
	return err
}

// report tells of a lost or failed connection; it logs when the text changes.
func (t *Target) report(err error) {
	before := *t.lastErr.Swap(&err)
	t.set.Health(err, false)
	if before.Error() != err.Error() {
		t.set.Telemetry.Logger.Warn("No connection to RabbitMQ, trying again until it is back.", zap.Error(err))
	}
}
