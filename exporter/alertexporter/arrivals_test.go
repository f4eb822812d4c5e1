package alertexporter

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/config/configoptional"

	"github.com/llm-devops/llm-sentinel/internal/anomaly"
)

func TestOfferRefusesOnlyWhatWasDelivered(t *testing.T) {
	d, _ := testDedup(5*time.Minute, 10)
	a, b := sample("svc", 0, anomaly.SeverityHigh), sample("svc", time.Second, anomaly.SeverityHigh)
	require.True(t, d.offer(&a))
	c, ok, err := d.claim(t.Context(), &a)
	require.NoError(t, err)
	require.True(t, ok)
	require.True(t, d.offer(&b), "refused on the strength of an attempt")
	c.delivered()
	told, _ := send(t, d, b)
	assert.False(t, told)
	assert.False(t, d.offer(&b))
	_, n := send(t, d, sample("svc", 5*time.Minute, anomaly.SeverityHigh))
	assert.EqualValues(t, 2, n)
}

// claimed is the outcome of a claim in a goroutine of its own.
type claimed struct {
	c   claim
	ok  bool
	err error
}

func claimLater(ctx context.Context, d *dedup, a anomaly.Anomaly) <-chan claimed {
	out := make(chan claimed, 1)
	go func() {
		c, ok, err := d.claim(ctx, &a)
		out <- claimed{c, ok, err}
	}()
	return out
}

func waits(t *testing.T, c <-chan claimed) {
	t.Helper()
	synctest.Wait()
	select {
	case got := <-c:
		require.Failf(t, "did not wait", "%+v", got)
	default:
	}
}

// Consumers that overtake each other must not turn an escalation into a late,
// lesser anomaly that is suppressed.
func TestAnomaliesAreJudgedInTheOrderOfTheirOffers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDedup(DeduplicationConfig{Enabled: true, Window: time.Minute, MaxEntries: 10}, time.Now)
		medium, high := sample("svc", 0, anomaly.SeverityMedium), sample("svc", time.Second, anomaly.SeverityHigh)
		require.True(t, d.offer(&medium))
		require.True(t, d.offer(&high))

		second := claimLater(t.Context(), d, high)
		waits(t, second)
		other := sample("other", 0, anomaly.SeverityLow)
		told, _ := send(t, d, other)
		assert.True(t, told, "another identity waited")
		told, _ = send(t, d, medium)
		assert.True(t, told)
		got := <-second
		require.NoError(t, got.err)
		assert.True(t, got.ok)
		got.c.delivered()
	})
}

func TestFailedAttemptDoesNotHoldUpTheNextAnomaly(t *testing.T) {
	d, _ := testDedup(time.Minute, 10)
	a, b := sample("svc", 0, anomaly.SeverityMedium), sample("svc", time.Second, anomaly.SeverityMedium)
	require.True(t, d.offer(&a))
	require.True(t, d.offer(&b))
	c, ok, err := d.claim(t.Context(), &a)
	require.NoError(t, err)
	require.True(t, ok)
	c.failed()
	told, _ := send(t, d, b)
	assert.True(t, told)
	told, _ = send(t, d, a)
	assert.False(t, told, "the repeated attempt tells the incident again")
}

func TestWithdrawnOfferHoldsUpNobody(t *testing.T) {
	d, _ := testDedup(time.Minute, 10)
	a, b := sample("svc", 0, anomaly.SeverityMedium), sample("svc", time.Second, anomaly.SeverityMedium)
	require.True(t, d.offer(&a))
	require.True(t, d.offer(&b))
	d.withdraw(&a)
	told, _ := send(t, d, b)
	assert.True(t, told)

	other := sample("other", 0, anomaly.SeverityMedium)
	require.True(t, d.offer(&other))
	d.withdraw(&other)
	assert.Len(t, d.entries, 1, "an entry without contents was kept")
}

func TestNotificationLostInTheQueueHoldsUpOneAttemptAtMost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDedup(DeduplicationConfig{Enabled: true, Window: time.Minute, MaxEntries: 10}, time.Now)
		lost, next := sample("svc", 0, anomaly.SeverityMedium), sample("svc", time.Second, anomaly.SeverityMedium)
		require.True(t, d.offer(&lost))
		require.True(t, d.offer(&next))
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		got := claimLater(ctx, d, next)
		waits(t, got)
		time.Sleep(30 * time.Second) // of the test's clock
		require.ErrorIs(t, (<-got).err, context.DeadlineExceeded)
		assert.Empty(t, d.entries)
		told, _ := send(t, d, next)
		assert.True(t, told)
	})
}

func TestTargetsTellTheSameWhateverTheirConsumersDo(t *testing.T) {
	one, two := &fakeTarget{}, &fakeTarget{}
	useTargets(t, map[string]*fakeTarget{"one": one, "two": two})
	r := launch(t, func(c *Config) {
		q := c.Queue.Get()
		q.NumConsumers = 16
		c.Queue = configoptional.Some(*q)
	})
	const services = 50
	for i := range services {
		for at, s := range []anomaly.Severity{anomaly.SeverityMedium, anomaly.SeverityHigh, anomaly.SeverityCritical, anomaly.SeverityMedium} {
			require.NoError(t, r.ConsumeTraces(t.Context(), pack(sample(fmt.Sprint("svc", i), time.Duration(at)*time.Second, s))))
		}
	}
	for _, target := range []*fakeTarget{one, two} {
		eventually(t, func() bool { return len(target.seen()) == 3*services }, "three escalations of each service are told")
		last := map[string]anomaly.Severity{}
		for _, n := range target.seen() {
			assert.Greater(t, n.Anomaly.Severity, last[n.Anomaly.Service], "told in the order of arrival")
			last[n.Anomaly.Service] = n.Anomaly.Severity
		}
	}
}
