package alertexporter

import (
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/exporter/exporterhelper"

	"github.com/llm-devops/llm-sentinel/exporter/alertexporter/internal/metadatatest"
	"github.com/llm-devops/llm-sentinel/exporter/alertexporter/internal/notify"
	"github.com/llm-devops/llm-sentinel/internal/anomaly"
)

type queueConfig = exporterhelper.QueueBatchConfig

var (
	errDown    = notify.Retryable(notify.ReasonUnavailable, errors.New("down"))
	errRefused = notify.Permanent(notify.ReasonRejected, errors.New("refused"))
)

func one(a anomaly.Anomaly) []anomaly.Anomaly { return []anomaly.Anomaly{a} }

func TestEachTargetGetsEachAnomalyOnce(t *testing.T) {
	first, second := &fakeTarget{}, &fakeTarget{}
	useTargets(t, map[string]*fakeTarget{"one": first, "two": second})
	r := launch(t, nil)
	assert.False(t, r.Capabilities().MutatesData)

	td := batch(5, one(sample("a", 0, anomaly.SeverityHigh)), one(sample("b", 0, anomaly.SeverityMedium)), one(sample("c", 0, anomaly.SeverityLow)))
	td.MarkReadOnly()
	require.NoError(t, r.ConsumeTraces(t.Context(), td))
	require.NoError(t, r.Shutdown(t.Context()))
	for _, f := range []*fakeTarget{first, second} {
		var services []string
		for _, n := range f.seen() {
			services = append(services, n.Anomaly.Service)
		}
		assert.ElementsMatch(t, []string{"a", "b"}, services)
		assert.Equal(t, 1, f.starts)
		assert.Equal(t, 1, f.stops)
	}
	metadatatest.AssertEqualAlertsSentTotal(t, r.tel, points(point(2, "target", "one"), point(2, "target", "two")), ignore...)
}

func TestWithoutAnomaliesNothingIsQueued(t *testing.T) {
	f := &fakeTarget{}
	useTargets(t, map[string]*fakeTarget{"one": f})
	r := launch(t, nil)
	require.NoError(t, r.ConsumeTraces(t.Context(), batch(50)))
	require.NoError(t, r.Shutdown(t.Context()))
	assert.Empty(t, f.seen())
}

func TestDeadTargetDelaysNoOther(t *testing.T) {
	var up atomic.Bool
	var arrived atomic.Int64
	dead := &fakeTarget{answer: func(notify.Notification) error {
		if up.Load() {
			arrived.Add(1)
			return nil
		}
		return errDown
	}}
	alive := &fakeTarget{}
	useTargets(t, map[string]*fakeTarget{"one": dead, "two": alive})
	r := launch(t, nil)
	for i, s := range []string{"a", "b", "c", "d", "e", "f", "g", "h"} {
		require.NoError(t, r.ConsumeTraces(t.Context(), batch(0, one(sample(s, time.Duration(i)*time.Second, anomaly.SeverityHigh)))))
	}
	eventually(t, func() bool { return len(alive.seen()) == 8 }, "a dead target holds up another")
	eventually(t, func() bool { return len(dead.seen()) > 20 }, "no retries")
	up.Store(true)
	eventually(t, func() bool { return arrived.Load() == 8 }, "not all arrived after the recovery")
	require.NoError(t, r.Shutdown(t.Context()))
	assert.Len(t, alive.seen(), 8, "the working target was told again")
	metadatatest.AssertEqualAlertsSentTotal(t, r.tel, points(point(8, "target", "one"), point(8, "target", "two")), ignore...)
}

func TestAlertCountsAsSentOnlyAfterDelivery(t *testing.T) {
	var attempts atomic.Int64
	f := &fakeTarget{answer: func(notify.Notification) error {
		if attempts.Add(1) < 3 {
			return errDown
		}
		return nil
	}}
	useTargets(t, map[string]*fakeTarget{"one": f})
	r := launch(t, noQueue)
	a := sample("svc", 0, anomaly.SeverityHigh)
	require.NoError(t, r.ConsumeTraces(t.Context(), batch(0, one(a))))
	require.NoError(t, r.ConsumeTraces(t.Context(), batch(0, one(a))), "the sender repeats a batch")
	assert.Len(t, f.seen(), 3)
	metadatatest.AssertEqualAlertsSentTotal(t, r.tel, points(point(1, "target", "one")), ignore...)
	metadatatest.AssertEqualAlertFailuresTotal(t, r.tel, points(point(2, "target", "one", "reason", "unavailable")), ignore...)
	metadatatest.AssertEqualAlertsDeduplicatedTotal(t, r.tel, points(point(1, "target", "one")), ignore...)
	metadatatest.AssertEqualDeduplicationEntries(t, r.tel, points(point(1, "target", "one")), ignore...)
}

func TestSuppressedAnomaliesAreReportedWithTheNextAlert(t *testing.T) {
	f := &fakeTarget{}
	useTargets(t, map[string]*fakeTarget{"one": f})
	r := launch(t, noQueue)
	for at := time.Duration(0); at <= 10*time.Minute; at += time.Minute {
		require.NoError(t, r.ConsumeTraces(t.Context(), batch(0, one(sample("svc", at, anomaly.SeverityHigh)))))
	}
	var got []uint64
	for _, n := range f.seen() {
		got = append(got, n.Suppressed)
	}
	assert.Equal(t, []uint64{0, 4, 4}, got)
}

func TestContinuingIncidentDoesNotFillTheQueue(t *testing.T) {
	f := &fakeTarget{}
	useTargets(t, map[string]*fakeTarget{"one": f})
	r := launch(t, func(c *Config) { c.Queue.Get().QueueSize = 1 })
	require.NoError(t, r.ConsumeTraces(t.Context(), batch(0, one(sample("svc", 0, anomaly.SeverityHigh)))))
	d := r.Traces.(*lease).deliveries[0]
	eventually(t, func() bool { return d.dedup.size() == 1 }, "not delivered")
	var many [][]anomaly.Anomaly
	for i := range 1000 {
		many = append(many, one(sample("svc", time.Duration(i)*time.Millisecond, anomaly.SeverityHigh)))
	}
	require.NoError(t, r.ConsumeTraces(t.Context(), batch(0, many...)))
	metadatatest.AssertEqualAlertsDeduplicatedTotal(t, r.tel, points(point(1000, "target", "one")), ignore...)
}

func TestFullQueueIsReportedToTheSender(t *testing.T) {
	release := make(chan struct{})
	f := &fakeTarget{answer: func(notify.Notification) error { <-release; return nil }}
	useTargets(t, map[string]*fakeTarget{"one": f})
	r := launch(t, func(c *Config) { c.Queue.Get().QueueSize, c.Queue.Get().NumConsumers = 1, 1 })
	defer close(release)
	require.NoError(t, r.ConsumeTraces(t.Context(), batch(0, one(sample("a", 0, anomaly.SeverityHigh)))))
	err := r.ConsumeTraces(t.Context(), batch(0, one(sample("b", 0, anomaly.SeverityHigh))))
	require.ErrorIs(t, err, exporterhelper.ErrQueueIsFull)
	assert.False(t, consumererror.IsPermanent(err), "the sender must try again")
	metadatatest.AssertEqualAlertFailuresTotal(t, r.tel, points(point(1, "target", "one", "reason", "queue_rejected")), ignore...)
}

func TestPermanentFailureIsNotRetried(t *testing.T) {
	f := &fakeTarget{answer: func(notify.Notification) error { return errRefused }}
	useTargets(t, map[string]*fakeTarget{"one": f})
	r := launch(t, noQueue)
	err := r.ConsumeTraces(t.Context(), batch(0, one(sample("a", 0, anomaly.SeverityHigh))))
	require.ErrorContains(t, err, "refused")
	assert.True(t, consumererror.IsPermanent(err))
	assert.Len(t, f.seen(), 1)
	metadatatest.AssertEqualAlertFailuresTotal(t, r.tel, points(point(1, "target", "one", "reason", "rejected")), ignore...)
}

func TestRetryableFailureOfOneTargetOutweighsPermanentOfAnother(t *testing.T) {
	useTargets(t, map[string]*fakeTarget{
		"one": {answer: func(notify.Notification) error { return errRefused }},
		"two": {answer: func(notify.Notification) error { return errDown }},
	})
	r := launch(t, noRetry)
	err := r.ConsumeTraces(t.Context(), batch(0, one(sample("a", 0, anomaly.SeverityHigh))))
	require.ErrorContains(t, err, "down")
	assert.False(t, consumererror.IsPermanent(err), "the sender would drop what the other target may still take")
}

func TestRetryableFailureOfOneAnomalyOutweighsPermanentOfAnother(t *testing.T) {
	f := &fakeTarget{answer: func(n notify.Notification) error {
		if n.Anomaly.Service == "refused" {
			return errRefused
		}
		return errDown
	}}
	useTargets(t, map[string]*fakeTarget{"one": f})
	r := launch(t, noRetry)
	var marked [][]anomaly.Anomaly
	for i, s := range []string{"refused", "down", "refused", "down"} {
		marked = append(marked, one(sample(s, time.Duration(i)*time.Hour, anomaly.SeverityHigh)))
	}
	err := r.ConsumeTraces(t.Context(), batch(0, marked...))
	require.ErrorContains(t, err, "down (and 3 more)")
	assert.False(t, consumererror.IsPermanent(err))
	assert.Len(t, f.seen(), 4, "the others were not tried")
}

func TestRetryAfterIsHonoured(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var n atomic.Int64
		f := &fakeTarget{answer: func(notify.Notification) error {
			if n.Add(1) == 1 {
				return &notify.Error{Reason: notify.ReasonThrottled, RetryAfter: 42 * time.Second, Err: errors.New("slow down")}
			}
			return nil
		}}
		useTargets(t, map[string]*fakeTarget{"one": f})
		r := launch(t, noQueue)
		require.NoError(t, r.ConsumeTraces(t.Context(), batch(0, one(sample("a", 0, anomaly.SeverityHigh)))))
		require.Len(t, f.times, 2)
		assert.GreaterOrEqual(t, f.times[1].Sub(f.times[0]), 42*time.Second)
	})
}

func TestUndecodableEventsAreCountedAndLoggedOnce(t *testing.T) {
	f := &fakeTarget{}
	useTargets(t, map[string]*fakeTarget{"one": f})
	r := launch(t, noQueue)
	td := batch(0, one(sample("a", 0, anomaly.SeverityHigh)), one(sample("b", 0, anomaly.SeverityHigh)), one(sample("c", 0, anomaly.SeverityHigh)))
	spans := td.ResourceSpans().At(0).ScopeSpans().At(0).Spans()
	spans.At(0).Events().At(0).Attributes().Remove(anomaly.AttrID)
	spans.At(1).Events().At(0).Attributes().PutStr(anomaly.AttrID, "damaged")
	require.NoError(t, r.ConsumeTraces(t.Context(), td))
	assert.Len(t, f.seen(), 1)
	assert.Equal(t, 1, r.logs.FilterMessageSnippet("cannot be decoded").Len())
	metadatatest.AssertEqualAlertUndecodableTotal(t, r.tel, points(point(2, "reason", "malformed")), ignore...)
}

func TestEvictionsAreCounted(t *testing.T) {
	useTargets(t, map[string]*fakeTarget{"one": {}})
	r := launch(t, func(c *Config) { noQueue(c); c.Deduplication.MaxEntries = 2 })
	for _, s := range []string{"a", "b", "c"} {
		require.NoError(t, r.ConsumeTraces(t.Context(), batch(0, one(sample(s, 0, anomaly.SeverityHigh)))))
	}
	metadatatest.AssertEqualDeduplicationEvictionsTotal(t, r.tel, points(point(1, "target", "one")), ignore...)
	metadatatest.AssertEqualDeduplicationEntries(t, r.tel, points(point(2, "target", "one")), ignore...)
}

func TestFailedStartStopsWhatHasBegun(t *testing.T) {
	first, second := &fakeTarget{}, &fakeTarget{}
	useTargets(t, map[string]*fakeTarget{"one": first, "two": second})
	missing := component.MustNewID("file_storage")
	r := create(t, func(c *Config) { c.Queue.Get().StorageID = &missing })
	err := r.Start(t.Context(), r.host)
	require.ErrorContains(t, err, "start one")
	assert.Equal(t, 1, first.starts)
	assert.Equal(t, 1, first.stops, "the target that was started goes on")
}

func TestHealthIsThatOfTheWorstTarget(t *testing.T) {
	h := &statusHost{}
	b := newHealthBoard()
	b.host = h
	one, two := b.target("one"), b.target("two")

	one(nil, false)
	assert.Equal(t, componentstatus.StatusNone, h.last(), "the collector itself reports the first OK")
	one(errDown, false)
	assert.Equal(t, componentstatus.StatusRecoverableError, h.last())
	assert.ErrorContains(t, h.events[0].Err(), "one: unavailable: down")
	two(nil, false)
	assert.Len(t, h.events, 1, "another target's health hides the error")
	one(errDown, false)
	assert.Len(t, h.events, 1, "repeated")
	two(errDown, false)
	one(nil, false)
	assert.Equal(t, componentstatus.StatusRecoverableError, h.last())
	two(nil, false)
	assert.Equal(t, componentstatus.StatusOK, h.last())
	two(errRefused, true)
	assert.Equal(t, componentstatus.StatusPermanentError, h.last())
	one(nil, false)
	one(errDown, false)
	assert.Equal(t, componentstatus.StatusPermanentError, h.last())
}

func TestTableOfTargets(t *testing.T) {
	names := map[string]bool{}
	cfg := createDefaultConfig().(*Config)
	for _, s := range targetSpecs {
		assert.False(t, names[s.name], s.name)
		names[s.name] = true
		assert.False(t, s.configured(cfg), "%s is on by default", s.name)
	}
	assert.Equal(t, map[string]bool{"webhook": true, "rabbitmq": true}, names)
}
