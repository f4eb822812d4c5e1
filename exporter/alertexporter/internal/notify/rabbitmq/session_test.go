package rabbitmq

import (
	"context"
	"errors"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/llm-devops/llm-sentinel/exporter/alertexporter/internal/notify"
	"github.com/llm-devops/llm-sentinel/internal/anomaly"
)

// fakeLink is a broker under the control of a test.
type fakeLink struct {
	acks  chan amqp.Confirmation
	back  chan amqp.Return
	block chan amqp.Blocking
	// sent holds the published messages in order.
	sent chan amqp.Publishing

	mu         sync.Mutex
	publishErr error
	why        error
	closed     bool
}

func newFakeLink() *fakeLink {
	return &fakeLink{
		acks: make(chan amqp.Confirmation, window), back: make(chan amqp.Return, window),
		block: make(chan amqp.Blocking, 8), sent: make(chan amqp.Publishing, 4*window),
	}
}

func (f *fakeLink) publish(_ string, _ bool, msg amqp.Publishing) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.sent <- msg
	return f.publishErr
}

func (f *fakeLink) confirms() <-chan amqp.Confirmation { return f.acks }
func (f *fakeLink) returns() <-chan amqp.Return        { return f.back }
func (f *fakeLink) blocked() <-chan amqp.Blocking      { return f.block }
func (f *fakeLink) reason() error                      { f.mu.Lock(); defer f.mu.Unlock(); return f.why }

func (f *fakeLink) close(time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
}

// end breaks the link for the reason err.
func (f *fakeLink) end(err error) {
	f.mu.Lock()
	f.why = err
	f.mu.Unlock()
	close(f.acks)
}

// fakes hands out links, one for each dial.
type fakes struct {
	links chan *fakeLink
}

func (f *fakes) dial(ctx context.Context) (link, error) {
	l := newFakeLink()
	select {
	case f.links <- l:
		return l, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// beginFake starts a target on a fake broker.
func beginFake(t *testing.T, change func(*Config)) (*Target, *fakes, *fakeLink, *states) {
	t.Helper()
	f := &fakes{links: make(chan *fakeLink)}
	target, st := beginWith(t, f.dial, "amqp://broker.invalid", change)
	l := <-f.links
	ready(t, target)
	return target, f, l, st
}

// async notifies in the background.
func async(t *testing.T, target *Target, i int) <-chan error {
	t.Helper()
	out := make(chan error, 1)
	go func() { out <- target.Notify(t.Context(), notification(i, anomaly.SeverityHigh)) }()
	return out
}

func TestAckAndNack(t *testing.T) {
	target, _, l, _ := beginFake(t, nil)
	first := async(t, target, 1)
	<-l.sent
	second := async(t, target, 2)
	<-l.sent
	l.acks <- amqp.Confirmation{DeliveryTag: 1, Ack: false}
	l.acks <- amqp.Confirmation{DeliveryTag: 2, Ack: true}
	got := notify.Classify(<-first)
	assert.Equal(t, notify.ReasonRejected, got.Reason)
	assert.False(t, got.Permanent)
	require.ErrorIs(t, got, errNack)
	require.NoError(t, <-second)
}

func TestNoConfirmationMeansNotDelivered(t *testing.T) {
	target, f, l, _ := beginFake(t, func(c *Config) { c.ConfirmTimeout = 30 * time.Millisecond })
	res := async(t, target, 1)
	got := notify.Classify(<-res)
	assert.Equal(t, notify.ReasonUnconfirmed, got.Reason)
	assert.False(t, got.Permanent)

	again := <-f.links // the silent link was given up
	l.mu.Lock()
	assert.True(t, l.closed)
	l.mu.Unlock()
	ready(t, target)
	res = async(t, target, 1)
	assert.Equal(t, sample(1, anomaly.SeverityHigh).ID.String(), (<-again.sent).MessageId, "a retry must carry the same id")
	again.acks <- amqp.Confirmation{DeliveryTag: 1, Ack: true}
	require.NoError(t, <-res)
}

func TestLinkThatEndsFailsWhatWaits(t *testing.T) {
	target, f, l, st := beginFake(t, nil)
	res := async(t, target, 1)
	<-l.sent
	l.acks <- amqp.Confirmation{DeliveryTag: 1, Ack: true}
	lost := async(t, target, 2)
	<-l.sent
	broken := &amqp.Error{Code: 320, Reason: "CONNECTION_FORCED"}
	l.end(broken)
	require.NoError(t, <-res, "the confirmation came before the end")
	got := notify.Classify(<-lost)
	assert.Equal(t, notify.ReasonUnavailable, got.Reason)
	require.ErrorIs(t, got, broken)
	require.Eventually(t, func() bool { ok, err := st.last(); return ok && errors.Is(err, broken) }, 5*time.Second, time.Millisecond)

	<-f.links
	ready(t, target)
	_, err := st.last()
	assert.NoError(t, err, "healthy again")
}

func TestPublishErrorRetiresTheLink(t *testing.T) {
	target, f, l, _ := beginFake(t, nil)
	l.mu.Lock()
	l.publishErr = errors.New("write: i/o timeout")
	l.mu.Unlock()
	got := notify.Classify(<-async(t, target, 1))
	assert.Equal(t, notify.ReasonUnavailable, got.Reason)
	require.ErrorContains(t, got, "i/o timeout")
	<-f.links
}

func TestReturnedMessagesAreToldApart(t *testing.T) {
	target, _, l, _ := beginFake(t, func(c *Config) { c.ReturnGrace = 0 })
	first := async(t, target, 1)
	lost := (<-l.sent).MessageId
	second := async(t, target, 2)
	<-l.sent
	l.back <- amqp.Return{MessageId: lost, ReplyCode: amqp.NoRoute}
	l.acks <- amqp.Confirmation{DeliveryTag: 1, Ack: true}
	l.acks <- amqp.Confirmation{DeliveryTag: 2, Ack: true}
	got := notify.Classify(<-first)
	assert.Equal(t, notify.ReasonUnroutable, got.Reason)
	assert.True(t, got.Permanent)
	require.NoError(t, <-second)
}

// A broker that has just restarted may not have recovered the queue yet.
func TestMessageReturnedSoonAfterConnectingIsRetried(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newFakeLink()
		cfg := NewDefaultConfig()
		s := newSession(&cfg, l, func(error, bool) {})
		ctx, cancel := context.WithCancel(t.Context())
		go func() { _ = s.serve(ctx) }()
		tag := uint64(0)
		returned := func() *notify.Error {
			j := &job{key: "alert.high", msg: amqp.Publishing{MessageId: "m"}, result: make(chan error, 1)}
			s.jobs <- j
			l.back <- amqp.Return{MessageId: (<-l.sent).MessageId, ReplyCode: amqp.NoRoute}
			tag++
			l.acks <- amqp.Confirmation{DeliveryTag: tag, Ack: true}
			return notify.Classify(<-j.result)
		}
		soon := returned()
		time.Sleep(cfg.ReturnGrace) // of the test's clock
		late := returned()
		assert.Equal(t, notify.ReasonUnroutable, soon.Reason)
		assert.False(t, soon.Permanent)
		assert.Equal(t, notify.ReasonUnroutable, late.Reason)
		assert.True(t, late.Permanent)
		cancel()
		synctest.Wait()
	})
}

func TestBlockedBrokerFailsFastAndRecovers(t *testing.T) {
	target, _, l, st := beginFake(t, nil)
	l.block <- amqp.Blocking{Active: true, Reason: "low on memory"}
	require.Eventually(t, func() bool { ok, err := st.last(); return ok && err != nil }, 5*time.Second, time.Millisecond)
	got := notify.Classify(<-async(t, target, 1))
	assert.Equal(t, notify.ReasonThrottled, got.Reason)
	assert.Equal(t, blockedPause, got.RetryAfter)
	require.ErrorContains(t, got, "low on memory")
	assert.Empty(t, l.sent)

	l.block <- amqp.Blocking{Active: false}
	require.Eventually(t, func() bool { _, err := st.last(); return err == nil }, 5*time.Second, time.Millisecond)
	res := async(t, target, 2)
	<-l.sent
	l.acks <- amqp.Confirmation{DeliveryTag: 1, Ack: true}
	require.NoError(t, <-res)
}

func TestUnconfirmedMessagesAreBounded(t *testing.T) {
	target, _, l, _ := beginFake(t, func(c *Config) { c.ConfirmTimeout = time.Minute })
	var results []<-chan error
	for i := range window + 10 {
		results = append(results, async(t, target, i))
	}
	for range window {
		<-l.sent
	}
	assert.Empty(t, l.sent, "more messages on their way than confirmations fit")
	for tag := range uint64(window + 10) {
		l.acks <- amqp.Confirmation{DeliveryTag: tag + 1, Ack: true}
		if tag < 10 {
			<-l.sent // each confirmation makes room for one more
		}
	}
	for _, r := range results {
		require.NoError(t, <-r)
	}
}

func TestWithoutConnectionNotifyFailsAtOnce(t *testing.T) {
	refused := errors.New("connection refused")
	target, st := beginWith(t, func(context.Context) (link, error) { return nil, refused }, "amqp://broker.invalid", nil)
	require.Eventually(t, func() bool { ok, err := st.last(); return ok && errors.Is(err, refused) }, 5*time.Second, time.Millisecond)
	got := notify.Classify(target.Notify(t.Context(), notification(1, anomaly.SeverityHigh)))
	assert.Equal(t, notify.ReasonUnavailable, got.Reason)
	require.ErrorIs(t, got, refused)
}

func TestShutdownFailsWhatWaits(t *testing.T) {
	target, _, l, _ := beginFake(t, nil)
	res := async(t, target, 1)
	<-l.sent
	require.NoError(t, target.Shutdown(t.Context()))
	require.ErrorIs(t, <-res, errShutdown)
	require.Error(t, target.Notify(t.Context(), notification(2, anomaly.SeverityHigh)))
	require.NoError(t, target.Shutdown(t.Context()))
}

func TestShutdownWithoutStart(t *testing.T) {
	cfg := NewDefaultConfig()
	target, err := New(&cfg, Settings{})
	require.NoError(t, err)
	require.NoError(t, target.Shutdown(t.Context()))
}

// A listener that never answers is what a firewall or a wrong port looks like.
func TestShutdownInterruptsTheHandshake(t *testing.T) {
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	accepted := make(chan net.Conn, 1)
	go func() {
		if c, err := lis.Accept(); err == nil {
			accepted <- c
		}
	}()
	target, _ := begin(t, "amqp://"+lis.Addr().String(), func(c *Config) { c.ConnectTimeout = time.Hour })
	conn := <-accepted
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	require.NoError(t, target.Shutdown(ctx))
	require.NoError(t, conn.Close())
	require.NoError(t, lis.Close())
}

func TestSilentServerIsGivenUpAfterTheConnectTimeout(t *testing.T) {
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = lis.Close() }()
	_, st := begin(t, "amqp://"+lis.Addr().String(), func(c *Config) { c.ConnectTimeout = 30 * time.Millisecond })
	require.Eventually(t, func() bool { ok, err := st.last(); return ok && err != nil }, 10*time.Second, 5*time.Millisecond)
}
