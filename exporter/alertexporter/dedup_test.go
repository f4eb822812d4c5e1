package alertexporter

import (
	"context"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/llm-devops/llm-sentinel/internal/anomaly"
)

var t0 = time.Date(2026, 1, 2, 3, 0, 0, 0, time.UTC)

// sample is an anomaly of one service at t0+at.
func sample(service string, at time.Duration, s anomaly.Severity) anomaly.Anomaly {
	when := t0.Add(at)
	return anomaly.Anomaly{
		ID:   anomaly.NewID(service, "gpt-4", "latency_ms", anomaly.TypeLatencySpike, when, s.String()),
		Time: when, Severity: s, Type: anomaly.TypeLatencySpike, Service: service, Model: "gpt-4",
		Method: anomaly.MethodZScore, Confidence: 0.9,
		Details: anomaly.Details{Metric: "latency_ms", Value: 9000, Baseline: 800, Threshold: 2300, DeviationSigma: 5.4},
	}
}

type clock struct{ at time.Time }

func (c *clock) now() time.Time { return c.at }

func testDedup(window time.Duration, limit int) (*dedup, *clock) {
	c := &clock{at: t0}
	return newDedup(DeduplicationConfig{Enabled: true, Window: window, MaxEntries: limit}, c.now), c
}

// send claims and confirms; it reports whether a was told and with how many
// suppressed ones.
func send(t *testing.T, d *dedup, a anomaly.Anomaly) (told bool, suppressed uint64) {
	t.Helper()
	c, ok, err := d.claim(t.Context(), &a)
	require.NoError(t, err)
	if ok {
		c.delivered()
	}
	return ok, c.suppressed
}

func TestContinuousAnomalyIsToldOncePerWindow(t *testing.T) {
	d, wall := testDedup(5*time.Minute, 10)
	var told []time.Duration
	var counts []uint64
	for at := time.Duration(0); at <= 20*time.Minute; at += 10 * time.Second {
		wall.at = t0.Add(at)
		if ok, n := send(t, d, sample("svc", at, anomaly.SeverityHigh)); ok {
			told, counts = append(told, at), append(counts, n)
		}
	}
	assert.Equal(t, []time.Duration{0, 5 * time.Minute, 10 * time.Minute, 15 * time.Minute, 20 * time.Minute}, told)
	assert.Equal(t, []uint64{0, 29, 29, 29, 29}, counts)
}

func TestIdentityIsServiceModelAndType(t *testing.T) {
	d, _ := testDedup(time.Minute, 10)
	base := sample("svc", 0, anomaly.SeverityHigh)
	other := func(change func(*anomaly.Anomaly)) anomaly.Anomaly {
		a := sample("svc", time.Second, anomaly.SeverityHigh)
		change(&a)
		return a
	}
	for _, tc := range []struct {
		name string
		a    anomaly.Anomaly
		told bool
	}{
		{"first", base, true},
		{"same", other(func(*anomaly.Anomaly) {}), false},
		{"other metric", other(func(a *anomaly.Anomaly) { a.Details.Metric = "ttft" }), false},
		{"other service", other(func(a *anomaly.Anomaly) { a.Service = "svc2" }), true},
		{"other model", other(func(a *anomaly.Anomaly) { a.Model = "m" }), true},
		{"other type", other(func(a *anomaly.Anomaly) { a.Type = anomaly.TypeCostAnomaly }), true},
		{"names do not run together", other(func(a *anomaly.Anomaly) { a.Service, a.Model = "svcg", "pt-4" }), true},
	} {
		told, _ := send(t, d, tc.a)
		assert.Equal(t, tc.told, told, tc.name)
	}
}

func TestEscalationPassesOnceAndKeepsTheWindow(t *testing.T) {
	d, _ := testDedup(5*time.Minute, 10)
	for _, tc := range []struct {
		at   time.Duration
		s    anomaly.Severity
		told bool
	}{
		{0, anomaly.SeverityMedium, true},
		{time.Minute, anomaly.SeverityCritical, true},
		{2 * time.Minute, anomaly.SeverityMedium, false},   // flapping down and
		{3 * time.Minute, anomaly.SeverityCritical, false}, // up again
		{4 * time.Minute, anomaly.SeverityHigh, false},
		{5 * time.Minute, anomaly.SeverityLow, true}, // the window began at 0
		{6 * time.Minute, anomaly.SeverityMedium, true},
	} {
		told, _ := send(t, d, sample("svc", tc.at, tc.s))
		assert.Equal(t, tc.told, told, "%v %v", tc.at, tc.s)
	}
}

func TestFailedDeliveryLeavesTheAnomalyUntold(t *testing.T) {
	d, _ := testDedup(5*time.Minute, 10)
	a := sample("svc", 0, anomaly.SeverityHigh)
	for range 3 {
		c, ok, err := d.claim(t.Context(), &a)
		require.NoError(t, err)
		require.True(t, ok, "a retry was taken for a duplicate")
		c.failed()
	}
	assert.Zero(t, d.size())
	told, _ := send(t, d, a)
	assert.True(t, told)
	told, _ = send(t, d, a)
	assert.False(t, told, "the same anomaly twice")
}

func TestOlderAnomalies(t *testing.T) {
	d, wall := testDedup(5*time.Minute, 10)
	told, _ := send(t, d, sample("svc", time.Hour, anomaly.SeverityHigh))
	require.True(t, told)

	told, _ = send(t, d, sample("svc", 58*time.Minute, anomaly.SeverityHigh))
	assert.False(t, told, "late by two minutes")
	told, _ = send(t, d, sample("svc", 0, anomaly.SeverityHigh))
	assert.False(t, told, "replay of an hour ago")
	told, _ = send(t, d, sample("svc", 59*time.Minute, anomaly.SeverityCritical))
	assert.True(t, told, "late but worse")
	told, _ = send(t, d, sample("svc", 64*time.Minute, anomaly.SeverityCritical))
	assert.False(t, told, "the late escalation moved the window")

	wall.at = wall.at.Add(5 * time.Minute)
	told, _ = send(t, d, sample("svc", 30*time.Minute, anomaly.SeverityHigh))
	assert.True(t, told, "a timestamp in the future hides the present for longer than one window")
}

func TestBacklogIsToldOncePerWindowOfEventTime(t *testing.T) {
	d, _ := testDedup(5*time.Minute, 10)
	told := 0
	for at := time.Duration(0); at < time.Hour; at += time.Minute { // replayed in no time
		if ok, _ := send(t, d, sample("svc", at, anomaly.SeverityHigh)); ok {
			told++
		}
	}
	assert.Equal(t, 12, told)
}

func TestEntriesAreBounded(t *testing.T) {
	d, wall := testDedup(time.Minute, 3)
	evicted := 0
	for _, s := range []string{"a", "b", "c", "d", "e"} {
		a := sample(s, 0, anomaly.SeverityHigh)
		c, ok, err := d.claim(t.Context(), &a)
		require.NoError(t, err)
		require.True(t, ok)
		evicted += c.delivered()
	}
	assert.Equal(t, 3, d.size())
	assert.Equal(t, 2, evicted)
	told, _ := send(t, d, sample("e", time.Second, anomaly.SeverityHigh))
	assert.False(t, told, "the youngest was forgotten")
	told, _ = send(t, d, sample("a", time.Second, anomaly.SeverityHigh))
	assert.True(t, told, "the oldest was not forgotten")

	wall.at = wall.at.Add(2 * time.Minute)
	assert.Zero(t, d.size())
	assert.Zero(t, d.evicted, "expiry is not eviction")
	assert.Empty(t, d.entries)
}

func TestSuppressedDuringAnAttemptIsReportedNextTime(t *testing.T) {
	d, _ := testDedup(5*time.Minute, 10)
	send(t, d, sample("svc", 0, anomaly.SeverityHigh))
	esc := sample("svc", time.Second, anomaly.SeverityCritical)
	c, ok, err := d.claim(t.Context(), &esc)
	require.NoError(t, err)
	require.True(t, ok)
	late := sample("svc", 2*time.Second, anomaly.SeverityHigh)
	assert.False(t, d.offer(&late), "a duplicate was queued")
	c.delivered()
	_, n := send(t, d, sample("svc", 6*time.Minute, anomaly.SeverityHigh))
	assert.Equal(t, uint64(1), n)
}

func TestDuplicateWaitsForTheRunningAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDedup(DeduplicationConfig{Enabled: true, Window: time.Minute, MaxEntries: 10}, time.Now)
		a, b := sample("svc", 0, anomaly.SeverityHigh), sample("svc", time.Second, anomaly.SeverityHigh)
		first, ok, err := d.claim(t.Context(), &a)
		require.NoError(t, err)
		require.True(t, ok)

		var second claim
		var got bool
		done := make(chan struct{})
		go func() {
			second, got, err = d.claim(t.Context(), &b)
			close(done)
		}()
		synctest.Wait()
		select {
		case <-done:
			t.Fatal("did not wait")
		default:
		}
		first.failed()
		<-done
		require.NoError(t, err)
		require.True(t, got, "dropped although the attempt failed")
		second.delivered()

		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		x := sample("svc", 2*time.Minute, anomaly.SeverityHigh)
		held, ok, err := d.claim(ctx, &x)
		require.NoError(t, err)
		require.True(t, ok)
		y := sample("svc", 3*time.Minute, anomaly.SeverityHigh)
		_, _, err = d.claim(ctx, &y)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		held.failed()
	})
}

func TestConcurrentConsumersTellOnce(t *testing.T) {
	d := newDedup(DeduplicationConfig{Enabled: true, Window: time.Minute, MaxEntries: 100}, time.Now)
	var mu sync.Mutex
	told := map[string]int{}
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for k := range 50 {
				a := sample([]string{"a", "b", "c"}[k%3], time.Duration(i)*time.Second, anomaly.SeverityHigh)
				a.ID = uuid.New()
				c, ok, err := d.claim(t.Context(), &a)
				if err != nil || !ok {
					continue
				}
				if k%2 == i%2 {
					c.failed()
					continue
				}
				mu.Lock()
				told[a.Service]++
				mu.Unlock()
				c.delivered()
			}
		})
	}
	wg.Wait()
	assert.Equal(t, map[string]int{"a": 1, "b": 1, "c": 1}, told)
}

func TestDisabledDeduplicationTellsAll(t *testing.T) {
	d := newDedup(DeduplicationConfig{}, time.Now)
	a := sample("svc", 0, anomaly.SeverityHigh)
	assert.True(t, d.offer(&a))
	for range 2 {
		told, _ := send(t, d, a)
		assert.True(t, told)
	}
	assert.Zero(t, d.size())
}

func BenchmarkDedup(b *testing.B) {
	d := newDedup(DeduplicationConfig{Enabled: true, Window: time.Hour, MaxEntries: 100_000}, time.Now)
	a := sample("svc", 0, anomaly.SeverityHigh)
	b.Run("told", func(b *testing.B) {
		b.ReportAllocs()
		for i := range b.N {
			a.Service = "svc" + strconv.Itoa(i%100_000)
			c, ok, err := d.claim(b.Context(), &a)
			if err != nil {
				b.Fatal(err)
			}
			if ok {
				c.delivered()
			}
		}
	})
	a.Service = "svc0"
	b.Run("repeated", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if d.offer(&a) {
				b.Fatal("told twice")
			}
		}
	})
}
